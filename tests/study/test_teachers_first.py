from collections.abc import Sequence
from pathlib import Path

import pytest

from metakd.data.datasets import open_dataset
from metakd.study.allotment import Node
from metakd.study.cost import expected_steps
from metakd.study.curves import Curves
from metakd.study.gpu_work import work_of
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.study.teachers_first import WORTH, come_first
from metakd.train.folder import StudyFolder

TWO = [Node(2, 0)]


def come_first_in(
    place: Path,
    nodes: Sequence[Node] = TWO,
    side: int = 32,
    trained: bool = False,
    **choice: object,
) -> bool:
    pictures = open_dataset(f"synthetic:samples=1000,classes=10,size={side}", place)
    given: dict[str, object] = {
        "scales": (1.0,),
        "augmentations": ("none",),
        "teachers": ("cifar_cnn",),
        "strategies": ("ce", "fixed"),
        "seeds": 1,
        "epochs": 4,
        "teacher_epochs": 8,
    }
    spec = StudySpec("s", **{**given, **choice})  # type: ignore[arg-type]
    plan = make_plan(spec, [pictures], BankPolicy("live"))
    return come_first(plan, scheduler_of(plan), () if trained else plan.teachers, nodes)


def scheduler_of(plan: Plan) -> Scheduler:
    return Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches_of(plan))


def test_a_teacher_comes_first_where_little_can_run_beside_it(tmp_path: Path) -> None:
    assert come_first_in(tmp_path)
    # Without a teacher there are as many trials as seeds.
    assert not come_first_in(tmp_path, seeds=60)
    assert not come_first_in(tmp_path, epochs=400)
    assert come_first_in(tmp_path, seeds=60, strategies=("fixed",))


def test_the_limit_is_counted_in_operations(tmp_path: Path) -> None:
    pictures = open_dataset("synthetic:samples=1000,classes=10,size=32", tmp_path)
    found = {}
    for seeds in range(1, 60):
        plan = make_plan(
            StudySpec(
                "s",
                teachers=("cifar_cnn",),
                seeds=seeds,
                epochs=4,
                teacher_epochs=8,
                scales=(1.0,),
                augmentations=("none",),
                strategies=("ce", "fixed"),
            ),
            [pictures],
            BankPolicy("live"),
        )
        (teacher,) = plan.teachers
        without = [job for job in plan.jobs if not job.trial.teachers]
        operations = {
            model: work_of(model, (3, 32, 32), 10).convolutions
            + work_of(model, (3, 32, 32), 10).products
            for model in (teacher.model, without[0].trial.student)
        }
        beside = operations[without[0].trial.student] * sum(
            expected_steps(job) * job.batch_size for job in without
        )
        taught = operations[teacher.model] * 8 * len(plan.opened[0].splits.train)
        found[seeds] = beside / taught
        assert come_first(plan, scheduler_of(plan), plan.teachers, TWO) is (beside < WORTH * taught)
    assert min(found.values()) < WORTH < max(found.values())


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([Node(1, 0)], False),
        ([Node(4, 0)], True),
        ([Node(8, 0)], True),
        ([Node(2, 1)], True),
        # Exchanging gradients between small machines gains nothing.
        ([Node(2, 0), Node(2, 0)], False),
    ],
)
def test_it_depends_on_the_machines(tmp_path: Path, nodes: list[Node], expected: bool) -> None:
    assert come_first_in(tmp_path, nodes) is expected


def test_many_cpus_or_gpus_always_train_teachers_first(tmp_path: Path) -> None:
    for nodes in ([Node(64, 0)], [Node(8, 8)]):
        assert come_first_in(tmp_path, nodes, seeds=60)
        assert not come_first_in(tmp_path, nodes, trained=True)


def test_threads_gain_nothing_on_tiny_images(tmp_path: Path) -> None:
    assert not come_first_in(tmp_path, side=8)


def test_teachers_that_bring_their_weights_do_not_wait(tmp_path: Path) -> None:
    model = "timm:resnet18,checkpoint_path=nowhere.pth"
    assert not come_first_in(tmp_path, teachers=(model,))
    assert come_first_in(tmp_path, teachers=("timm:resnet18",))


def test_as_many_teachers_as_cpus_are_jobs_like_others(tmp_path: Path) -> None:
    levels = ("cifar_cnn", "cifar_resnet8")
    assert not come_first_in(tmp_path, teachers=levels)
    assert come_first_in(tmp_path, [Node(3, 0)], teachers=levels)
