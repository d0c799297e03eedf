"""Grid search against learned temperatures, across dataset scales and augmentations.

Run it as ``python studies/grid_vs_meta.py --cluster auto``; ``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(name="grid_vs_meta")

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
