"""One rank of a trial: ``python trial_rank.py RANK WORLD STORE OUT``, with OUT beside ``work``."""

import pickle
import sys
from dataclasses import asdict, replace
from pathlib import Path

from ranks import joined, write

from metakd.train.student import run_trial


def main() -> None:
    trial, folder = pickle.loads((Path(sys.argv[4]).parent / "work").read_bytes())
    with joined():
        outcome = run_trial(trial, folder, None)
        assert outcome.test_last is not None
        records = [asdict(replace(epoch.record, compute_s=0.0)) for epoch in outcome.epochs]
        write({"records": records, "test_acc": outcome.test_last.accuracy})


if __name__ == "__main__":
    main()
