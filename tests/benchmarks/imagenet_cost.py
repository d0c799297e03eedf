"""The expected cost of the ImageNet presets: ``python tests/benchmarks/imagenet_cost.py``.

The planner lays out each study on a dataset of ImageNet-1K's size whose files nobody reads, and
its cost is computed as ``--assume 8xH100`` does. Nothing is trained; it takes a minute on a CPU.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from metakd.data.datasets import FolderDataset
from metakd.study.cost import HOUR_S
from metakd.study.curves import Curves
from metakd.study.machines import assumed_machines
from metakd.study.options import CHOSEN_BY_SIZE, BankPolicy, Wanted
from metakd.study.plan import Plan, make_plan
from metakd.study.presets import PRESETS
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder

CLASSES, TRAIN, TEST = 1000, 1_281_167, 50_000
NAMES = [name for name in PRESETS if name.endswith("-imagenet")]


class Row(NamedTuple):
    preset: str
    trials: int
    gpus: int
    wall_h: float
    gpu_h: float


def imagenet(train: int = TRAIN, test: int = TEST, classes: int = CLASSES) -> FolderDataset:
    """Returns a dataset of ImageNet's size and names, without the images."""
    total = train + test
    return FolderDataset(
        labels=np.arange(total) % classes,
        class_names=tuple(f"n{number:08d}" for number in range(classes)),
        test_ids=np.arange(train, total),
        name="imagefolder:imagenet",
        fingerprint="imagenet",
        root=Path("imagenet"),
        files=np.array([b""]),
        image_size=224,
    )


def plan_of(
    preset: str, dataset: FolderDataset, banks: BankPolicy = CHOSEN_BY_SIZE
) -> tuple[Plan, int]:
    """Returns a preset's plan, and how many GPUs each trial takes."""
    chosen = PRESETS[preset]
    spec = StudySpec(name="grid_vs_meta", datasets=("imagefolder:imagenet",), **chosen.spec)
    return make_plan(spec, [dataset], banks), chosen.run["workers_per_trial"]


def rows(dataset: FolderDataset, presets: list[str] = NAMES) -> list[Row]:
    table = []
    for name in presets:
        plan, workers = plan_of(name, dataset)
        scheduler = Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches_of(plan))
        for gpus in (8, 64):
            machines = assumed_machines(f"{gpus}xH100")
            cost = machines.estimate(plan, scheduler, plan.teachers, Wanted(workers))
            row = Row(name, len(plan.jobs), gpus, cost.wall_s / HOUR_S, cost.device_s / HOUR_S)
            table.append(row)
    return table


def main() -> None:
    print("| preset | trials | GPUs | hours | days | GPU-hours |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows(imagenet()):
        print(
            f"| `{row.preset}` | {row.trials} | {row.gpus} | {row.wall_h:,.0f} | "
            f"{row.wall_h / 24:.1f} | {row.gpu_h:,.0f} |"
        )


if __name__ == "__main__":
    main()
