"""The store against kill -9."""

import random
import subprocess
import sys
import time
from pathlib import Path

from metakd.results.reader import finished_trials, read_steps, read_trials

KILLS = 5

WRITE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from metakd.results.writer import finished_trial, write_trials

out, start = Path(sys.argv[1]), int(sys.argv[2])
for i in count(start):
    trial_id = f"t{i:06d}"
    steps = [{"trial_id": trial_id, "step": step, "train_loss": 0.5} for step in range(200)]
    write_trials(out, [finished_trial({"trial_id": trial_id, "pair_id": "p", "seed": i}, steps)])
    print(i, flush=True)
"""


def test_a_kill_leaves_a_store_that_reads_cleanly(tmp_path: Path) -> None:
    random_moments = random.Random(0)
    said: list[str] = []
    for kill in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path), str(1000 * kill)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        said.append(writer.stdout.readline())
        time.sleep(random_moments.uniform(0, 0.1))
        writer.kill()
        said += writer.communicate()[0].splitlines()
        # A kill can cut the last line that was said; it was committed before.
        committed = {f"t{int(line):06d}" for line in said if line.strip()}
        assert committed <= finished_trials(tmp_path)

    trials = set(read_trials(tmp_path)["trial_id"].to_pylist())
    assert trials == finished_trials(tmp_path)
    assert len(trials) > KILLS
    rows = read_steps(tmp_path, trials).group_by("trial_id").aggregate([("step", "count")])
    assert dict(zip(*rows.to_pydict().values(), strict=True)) == dict.fromkeys(trials, 200)
