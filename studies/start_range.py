"""Does a learned temperature forget where it starts?

Every temperature of the grid is once kept (``grid``), and once the start of learned ones
(``meta-starts``). Learned ones have a teacher's gradient that is as large at any τ as at τ = 4, so
the grid is run at that scale, too (``grid-scale-free``); the alignment rule (``align``), which has
no start, stands beside them. Run it as
``python studies/start_range.py --cluster auto``; ``--help`` lists the factors, and
``--temperatures`` sets the starts.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="start_range",
    question="start_range",
    scales=(0.1, 0.3),
    augmentations=("none", "strong"),
    strategies=("fixed", "grid", "grid-scale-free", "meta", "meta-starts", "align"),
    seeds=12,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
