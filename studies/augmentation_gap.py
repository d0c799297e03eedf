"""Does strong augmentation spoil distillation, and does a learned temperature mend it?

One teacher and one student, augmentations of rising strength; no teacher, the default temperature,
the grid and learned temperatures. Run it as ``python studies/augmentation_gap.py --cluster auto``;
``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="augmentation_gap",
    question="augmentation_gap",
    scales=(0.3,),
    augmentations=("none", "standard", "strong", "vit"),
    strategies=("ce", "fixed", "grid", "meta"),
    # One scale: all the power is in the seeds.
    seeds=12,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
