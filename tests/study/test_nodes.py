"""A cluster of several machines, simulated here: they leave, they join, they share no storage."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster as SimulatedCluster
from ray.util.state import list_actors
from refilled_scheduler import RefilledScheduler
from study_command import free_port

from metakd.data.datasets import open_dataset
from metakd.results.reader import finished_trials, read_steps
from metakd.results.writer import FinishedTrial
from metakd.study import dispatch
from metakd.study.allotment import at_once
from metakd.study.cases import Job
from metakd.study.cluster import connect, present_nodes
from metakd.study.curves import Curves
from metakd.study.dispatch import Watcher
from metakd.study.options import BankPolicy
from metakd.study.plan import make_plan
from metakd.study.spec import StudySpec
from metakd.study.storage import StorageError, require_shared
from metakd.study.trainable import RunContext
from metakd.study.tuning import run_jobs
from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning"),
]

ALIVE = [("state", "=", "ALIVE")]
SPEC = StudySpec(
    name="s",
    scales=(0.3,),
    augmentations=("none",),
    strategies=("grid",),
    temperatures=(4.0,),
    seeds=60,
    epochs=150,
)


@pytest.fixture(scope="module")
def machines() -> Iterator[SimulatedCluster]:
    ray.shutdown()  # of the cluster that others share
    simulated = SimulatedCluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": True,
            "dashboard_port": free_port(),
            # A dead machine is noticed within a second or two here, not after 15.
            "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 3},
        },
    )
    simulated.add_node(num_cpus=1)
    simulated.wait_for_nodes()
    cluster = connect(simulated.address)
    assert [node.cpus for node in cluster.nodes] == [1, 1]
    yield simulated
    ray.shutdown()
    simulated.shutdown()


def test_machines_that_do_not_share_the_folder_are_found_out(
    machines: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_shared(StudyFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []
    # A path that names another place to each process, as an unshared one does on each machine.
    monkeypatch.chdir(tmp_path)
    unshared = Path("/proc/self/cwd")
    with pytest.raises(StorageError, match=r"is not the same folder on all 2 machines .* --out"):
        require_shared(StudyFolder(unshared))
    assert not list(unshared.glob(".probe-*"))


class MachinesLeaveAndJoin(Watcher):
    """After the first finished trial a machine dies; another joins once that was noticed."""

    def __init__(self, simulated: SimulatedCluster) -> None:
        self.simulated = simulated
        self.done_ids: list[str] = []
        self.failures: list[str] = []
        self.busy: set[str] = set()
        self.new_node = ""
        self._looked_at = 0.0

    def done(self, job: Job, result: FinishedTrial) -> None:
        self.done_ids.append(job.trial.id)
        if len(self.done_ids) == 1:
            (worker,) = self.simulated.worker_nodes
            # As a power cut does it: no goodbye.
            self.simulated.remove_node(worker, allow_graceful=False)

    def failed(self, job: Job, reason: str) -> None:
        self.failures.append(reason)

    def running(self, count: int) -> None:
        if not self.done_ids or time.monotonic() - self._looked_at < 0.5:
            return
        self._looked_at = time.monotonic()
        if not self.new_node:
            if len(present_nodes()) == 1:
                self.new_node = self.simulated.add_node(num_cpus=1).node_id
        elif self.new_node not in self.busy:
            self.busy |= {
                actor.node_id
                for actor in list_actors(self.simulated.address, filters=ALIVE, detail=True)
                if "ImplicitFunc" in actor.class_name
            }


def test_a_machine_that_dies_loses_its_running_trials_only_and_one_that_joins_takes_work(
    machines: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LOOK_INTERVAL_S", 0.5)
    folder = StudyFolder(tmp_path)
    plan = make_plan(SPEC, [open_dataset("digits", folder.datasets)], BankPolicy("live"))
    (teacher,) = plan.teachers
    untrained = new_teacher(teacher, folder)
    store_teacher(teacher, folder, untrained, TeacherReport(0.1, 0.1, 0.0))
    watcher = MachinesLeaveAndJoin(machines)
    context = RunContext(folder, Resources(), git_commit="abc", save_interval_s=1)
    scheduler = RefilledScheduler(
        Curves(folder, ()), plan.jobs, lambda: watcher.new_node in watcher.busy
    )
    run_jobs(context, scheduler, lambda: at_once(context.resources, present_nodes()), watcher)
    assert watcher.failures == []
    given = [job.trial.id for job in scheduler.given]
    assert sorted(watcher.done_ids) == sorted(given)
    assert finished_trials(tmp_path) == set(given)
    for job in scheduler.given:
        epochs = read_steps(tmp_path, [job.trial.id])["epoch"].to_pylist()
        assert epochs == list(range(job.trial.recipe.epochs))
    assert watcher.new_node in watcher.busy
