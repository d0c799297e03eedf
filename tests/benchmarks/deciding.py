"""How long a study takes to decide, and how often it errs: simulated, with the digits' variances.

``python tests/benchmarks/deciding.py`` takes some seconds. A row is a true difference and a margin;
its columns are the median minutes of trials on 2 cores until the first word, and how many studies
have one at the end of the schedule, with equal seeds everywhere and with allocated ones.
"""

import sys
from pathlib import Path

import numpy as np
from measured import Row, write_result
from one_line_parser import OneLineParser, add_json_option

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT / "tests")]

from simulated_schedules import SPREADS_PP, Settings, equal_seeds, simulate  # noqa: E402

from metakd.analysis.statistics.looks import OPEN, Schedule  # noqa: E402
from metakd.analysis.statistics.planning import next_counts  # noqa: E402
from metakd.study.options import PILOTS  # noqa: E402

TRUTHS_PP = (0.0, 0.2, 0.4, 0.6)
MARGINS_PP = (0.2, 0.3, 0.5)


def main() -> None:
    """Simulates, prints the table and writes the numbers."""
    parser = OneLineParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--studies", type=int, default=4000, help="simulated for each column")
    parser.add_argument("--pilot-seeds", type=int, default=6, help="of every setting")
    add_json_option(parser)
    options = parser.parse_args()
    if options.studies < 1 or options.pilot_seeds < 2:
        parser.error("--studies must be at least 1 and --pilot-seeds at least 2")
    runs = {
        name: simulate(
            Settings(SPREADS_PP),
            Schedule(MARGINS_PP[0], options.pilot_seeds, PILOTS),
            options.studies,
            allocate=allocate,
        )
        for name, allocate in (("equal seeds", equal_seeds), ("allocated", next_counts))
    }
    print(f"{'true':>5} {'margin':>7}", *(f"{name + ', min':>18} {'decided':>8}" for name in runs))
    rows = []
    for truth in TRUTHS_PP:
        for margin in MARGINS_PP:
            cells = []
            for name, studies in runs.items():
                schedule = Schedule(margin, options.pilot_seeds, PILOTS)
                words, seconds = studies.under(schedule).words(truth)
                minutes = np.median(seconds) / 60
                decided = (words != OPEN).mean()
                cells.append(f"{minutes:18.0f} {decided:8.1%}")
                what = f"{name}, true difference {truth} points, margin ±{margin}"
                rows.append(Row(f"{what}: until the first word, median", float(minutes), "min"))
                rows.append(Row(f"{what}: decided", 100 * float(decided), "%"))
            print(f"{truth:5.1f} {'±' + str(margin):>7}", *cells)
    for name, studies in runs.items():
        print(f"{name}: any look misses the truth in {studies.ever_missed:.1%}")
        rows.append(Row(f"{name}: any look misses the truth", 100 * studies.ever_missed, "%"))
    if options.json is not None:
        write_result(options.json, "deciding", rows, studies=options.studies)


if __name__ == "__main__":
    main()
