import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from refilled_scheduler import SchedulerOfJobs
from rich.console import Console

from metakd.core.distillers import KDConfig
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.results.writer import finished_trial, write_trials
from metakd.strategies import STRATEGIES, Strategy
from metakd.strategies.strategy import at_once
from metakd.study import announce
from metakd.study.allotment import Node
from metakd.study.announce import (
    announce_estimate,
    announce_older,
    announce_plan,
    announce_skipped,
    announce_versions,
)
from metakd.study.curves import Curves
from metakd.study.estimate import Estimate
from metakd.study.machines import Machines
from metakd.study.options import BankPolicy, UntilDecided, Wanted
from metakd.study.plan import Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.spec import StudySpec
from metakd.study.speeds import MeasuredSpeeds
from metakd.train.folder import StudyFolder


def told(out: Path, skipped: dict[str, int | None]) -> str:
    for trial_id, count in skipped.items():
        row = {"trial_id": trial_id, "pair_id": "p", "meta_steps_skipped": count}
        write_trials(out, [finished_trial(row, [{"trial_id": trial_id, "step": 1}])])
    text = io.StringIO()
    announce_skipped(Console(file=text, width=200), out, list(skipped))
    return text.getvalue()


def test_skipped_look_aheads_are_told(tmp_path: Path) -> None:
    found = told(tmp_path, {"a": 2, "b": 0, "c": 3, "d": None})
    assert "5 look-aheads in 2 trials were skipped" in found


def test_nothing_is_said_where_none_was(tmp_path: Path) -> None:
    assert told(tmp_path, {"a": 0, "b": None}) == ""


def planned(
    dataset: ImageDataset,
    policy: BankPolicy = BankPolicy(),  # noqa: B008 - frozen
    **choice: object,
) -> str:
    spec = StudySpec("s", scales=(0.3,), augmentations=("none", "strong"), seeds=2, epochs=30)
    plan = make_plan(replace(spec, **choice), [dataset], policy)  # type: ignore[arg-type]
    scheduler = SchedulerOfJobs(Curves(StudyFolder(Path("nowhere")), ()), plan.jobs)
    text = io.StringIO()
    announce_plan(Console(file=text, width=200), plan, scheduler, 5 * 2**30)
    return text.getvalue()


@dataclass(frozen=True)
class SharpConfig(KDConfig):
    """A distiller of a user's own."""

    method: ClassVar[str] = "sharp"
    version: ClassVar[int] = 3


def test_a_distiller_of_ones_own_is_not_taken_for_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharp = Strategy("sharp", at_once(lambda choices: [SharpConfig()]))
    monkeypatch.setitem(STRATEGIES, "sharp", sharp)
    spec = StudySpec("s", scales=(0.3,), augmentations=("none",), strategies=("sharp",), seeds=1)
    plan = make_plan(spec, [open_dataset("digits", tmp_path)])
    (trial,) = (job.trial for job in plan.jobs)
    row = {"trial_id": trial.id, "pair_id": "p", "config_json": trial.config_json}
    write_trials(tmp_path, [finished_trial(row, [])])
    text = io.StringIO()
    announce_older(Console(file=text, width=200), plan, tmp_path)
    assert text.getvalue() == ""


def test_trials_of_older_algorithms_are_counted_and_stay_apart(tmp_path: Path) -> None:
    plan = make_plan(
        StudySpec("s", scales=(0.3,), augmentations=("none",), strategies=("fixed",), seeds=3),
        [open_dataset("digits", tmp_path)],
    )

    def older() -> str:
        text = io.StringIO()
        announce_older(Console(file=text, width=200), plan, tmp_path)
        return text.getvalue()

    def store(trial_id: str, content: str) -> None:
        write_trials(
            tmp_path,
            [finished_trial({"trial_id": trial_id, "pair_id": "p", "config_json": content}, [])],
        )

    assert older() == ""
    first, second, other = (job.trial for job in plan.jobs)
    store(first.id, first.config_json)
    # Of the present algorithms, though of another study.
    store("another", other.config_json.replace('"seed":2', '"seed":9'))
    assert older() == ""
    store("raised", second.config_json.replace('{"kd":1}', '{"kd":0}'))
    store("ancient", '{"distiller":{"method":"mkd"},"seed":0}')
    assert older() == (
        "older        2 trials in the store of older algorithms (kd 0, now 1; mkd unversioned, now "
        "2): they stay there, and are not compared with new ones\n"
    )


def test_versions_that_changed_since_trials_were_made_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"torch": "2.10.0", "numpy": "2.1", "python": "3.12.1"}
    monkeypatch.setattr(announce, "package_versions", lambda: now)
    monkeypatch.setattr(announce, "git_commit", lambda: "def")

    def said() -> str:
        text = io.StringIO()
        announce_versions(Console(file=text, width=400), tmp_path)
        return text.getvalue()

    def store(trial_id: str, status: str = "done", **choice: str) -> None:
        versions = {name: version for name, version in choice.items() if name != "commit"}
        write_trials(
            tmp_path,
            [
                finished_trial(
                    {
                        "trial_id": trial_id,
                        "pair_id": "p",
                        "status": status,
                        "versions_json": json.dumps(versions),
                        "git_commit": choice.get("commit", ""),
                    },
                    [],
                )
            ],
        )

    assert said() == ""
    store("a", **now, commit="def")
    # An older store does not say everything.
    store("b", torch="2.10.0")
    assert said() == ""
    store("c", **{**now, "torch": "2.9.1"}, commit="abc")
    store("d", "stopped", **{**now, "torch": "2.9.1"}, commit="abc")
    assert "torch 2.9.1 (2 trials), now 2.10.0; git commit abc (2 trials), now def." in said()
    assert "numpy" not in said()


def test_the_plan_says_who_teaches_at_once(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    at_once = planned(digits, teachers=("digit_mlp+digit_cnn",), strategies=("camkd",))
    both = "digit_mlp (4,810 parameters) + digit_cnn (158,506 parameters)"
    assert f"models       2 teachers at once: {both}, student digit_cnn_tiny" in at_once
    assert "strategies   camkd (fixed τ: 4)" in at_once
    assert "left out" not in planned(digits, strategies=("all",))


def test_the_plan_names_methods_that_know_no_mixed_labels(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    mixed = {"augmentations": ("standard", "mixup", "cutmix"), "strategies": ("ce", "dkd", "rld")}
    assert (
        "note         dkd, rld: under mixup, cutmix the larger share of a mixed label counts"
        in planned(digits, **mixed)
    )
    for plain in ({"strategies": ("ce", "fixed")}, {"augmentations": ("standard", "strong")}):
        assert "larger share" not in planned(digits, **mixed | plain)


def test_the_plan_says_what_will_be_kept_and_how_much_room_there_is(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    # 2 seeds × 321 samples × 31 views × 10 logits × 2 bytes, and 64 bytes for each view kept.
    whole = planned(digits, BankPolicy())
    assert "images 112 KiB, bank 2 MiB (none full, strong full)" in whole
    assert "disk         5.0 GiB free" in whole
    printed = planned(digits, BankPolicy(limit_bytes=500_000))
    assert "bank 429 KiB (none full, strong logits)" in printed
    assert "bank 0 KiB (none live, strong live)" in planned(digits, BankPolicy("live"))


def test_the_plan_says_how_many_labels_a_setting_has(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    whole = (
        "data         digits: 10 classes (0, 1, 2, 3, 4, ...), 8×8 grey, 1,069 training + 189 "
        "held-out samples, test: drawn, 539\n             "
    )
    scaled = planned(digits, scales=(0.1, 1.0))
    assert f"{whole}scales 10% (107 + 20), 100% (1,069 + 189), augmentations" in scaled
    full = planned(digits, scales=(0.1,), validation="full", strategies=("random",))
    assert f"{whole}scales 10% (107 + 189), augmentations" in full


def test_images_that_were_left_out_are_told_each_time(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    assert "decoded and are left out" not in planned(digits, BankPolicy())
    told_of = planned(replace(digits, skipped=3), BankPolicy())
    assert "note         3 images could not be decoded and are left out" in told_of


def test_names_of_classes_are_no_markup(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    names = ("[red]0", "[/]", ":train:", *digits.class_names[3:])
    told_of = planned(replace(digits, class_names=names, notes=("left out: [/b] (1)",)))
    assert "10 classes ([red]0, [/], :train:, 3, 4, ...)" in told_of
    assert "note         left out: [/b] (1)" in told_of


@dataclass(frozen=True)
class SlowMachines(Machines):
    """On which everything takes so long."""

    wall_s: float = 0.0

    def estimate(self, plan: Plan, scheduler: Scheduler, *given: object) -> Estimate:
        shown = len(scheduler.known()) / len(plan.jobs)
        return Estimate(shown * self.wall_s, 8 * shown * self.wall_s, 3 * 2**30, 5 * 2**20)


def announced(tmp_path: Path, machines: Machines, until: UntilDecided | None = None) -> str:
    spec = StudySpec("s", scales=(0.3,), augmentations=("none",), seeds=2, epochs=3)
    plan = make_plan(spec, [open_dataset("digits", tmp_path)])
    nothing = Curves(StudyFolder(Path("nowhere")), ())
    whole = SchedulerOfJobs(nothing, plan.jobs)
    half = SchedulerOfJobs(nothing, plan.jobs[: len(plan.jobs) // 2])
    text = io.StringIO()
    console = Console(file=text, width=200)
    announce_estimate(console, plan, whole, plan.teachers, machines, Wanted(), half, until)
    return text.getvalue()


def machines(wall_s: float, gpus: int = 0, is_measured: bool = True) -> SlowMachines:
    name = "8 H100" if gpus else "the 2 CPUs here"
    return SlowMachines((Node(2, gpus),), MeasuredSpeeds(), name, is_measured, wall_s)


def test_an_estimate_says_time_work_memory_and_disk(tmp_path: Path) -> None:
    lines = announced(tmp_path, machines(600)).splitlines()
    assert lines == [
        "estimate     10 min on the 2 CPUs here, 5 min until the next look; 1.3 CPU-hours, "
        "3.0 GiB of memory, 5 MiB of disk"
    ]


def test_a_budget_that_ends_before_the_look_is_said(tmp_path: Path) -> None:
    long = announced(tmp_path, machines(7600), UntilDecided(max_hours=1.0))
    assert "the next look comes later than --max-hours 1" in long
    assert "max-hours" not in announced(tmp_path, machines(7000), UntilDecided(max_hours=1.0))


def test_what_was_not_measured_is_said_so(tmp_path: Path) -> None:
    shown = announced(tmp_path, machines(7200, gpus=8, is_measured=False))
    assert "120 min on 8 H100" in shown or "2 h 0 min on 8 H100" in shown
    assert "16.0 GPU-hours" in shown
    assert "computed from peak rates, never measured on such a GPU" in shown
    # Seconds that nobody measured are no plan.
    short = announced(tmp_path, machines(20, gpus=8, is_measured=False))
    assert "less than a minute on 8 H100" in short
    assert "20 s on the 2 CPUs" in announced(tmp_path, machines(20))
