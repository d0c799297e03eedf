"""Use a temperature that was tuned elsewhere, or learn it here?

Every setting is tuned by grid search; its temperature is then judged in all others, which differ in
scale, augmentation, teacher, student or dataset (``--datasets``, with models that fit all of them).
Run it as ``python studies/transfer.py --cluster auto``; ``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="transfer",
    question="transfer",
    scales=(0.1, 0.3),
    augmentations=("none", "strong"),
    teachers=("rising",),
    students=("rising",),
    strategies=("fixed", "grid", "meta"),
    seeds=3,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
