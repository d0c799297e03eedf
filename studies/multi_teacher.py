"""Weigh several teachers by what is learned of them, or let all of them count alike?

Three teachers of different size and architecture at once; each of them alone, their mean, weights
by confidence, and weights (MMKD) or temperatures that are learned while the student trains. Run it
as ``python studies/multi_teacher.py --cluster auto``; ``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="multi_teacher",
    question="multi_teacher",
    scales=(0.1, 0.3),
    augmentations=("none", "strong"),
    teachers=("ensemble",),
    strategies=(
        *("ce", "single", "mean_losses", "mean_logits", "camkd", "mean_features"),
        *("mmkd", "mmkd-logits", "mmkd-tau", "mmkd+tau"),
    ),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
