"""Let the teacher learn to teach, or leave it as it is?

One teacher and one student; the teacher fixed, fixed at learned temperatures, and moved by what the
student says of a quiz after a pilot step (MetaDistil), with what of that matters left out in turn.
Run it as ``python studies/learning_to_teach.py --cluster auto``; ``--help`` lists the factors.
"""

import sys

from metakd.dashboards import print_verdict, write_report
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(
    name="learning_to_teach",
    question="learning_to_teach",
    scales=(0.1, 0.3),
    augmentations=("none", "strong"),
    strategies=(
        *("ce", "fixed", "meta", "metadistil", "metadistil+tau"),
        *("metadistil-no-pilot", "metadistil-own-quiz", "metadistil-reference"),
    ),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, render=write_report, show=print_verdict))
