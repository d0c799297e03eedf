"""Does a better teacher make a worse student, and does a learned temperature mend it?

One student, teachers of rising size; the default temperature, the grid and learned temperatures.
Run it as ``python studies/teacher_gap.py --cluster auto``; ``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="teacher_gap",
    question="teacher_gap",
    scales=(0.3,),
    augmentations=("standard",),
    teachers=("rising",),
    strategies=("ce", "fixed", "grid", "meta"),
    # One combination of scale and augmentation: all the power is in the seeds.
    seeds=12,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
