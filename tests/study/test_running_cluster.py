"""A cluster that runs already, and requires a token: studies joined to it, submitted, killed."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from study_command import ROOT, SCRIPT, environment, free_port, run, signalled, trials_announced

from metakd.data.datasets import open_dataset
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.searches import read_searches
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


class Running(NamedTuple):
    address: str
    dashboard: str
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("ray")
    # Ray's sockets live below its folder, and a socket's path has to be short.
    folder = f"/tmp/ray-test-{os.getpid()}"
    (place / "token").write_text("0123456789abcdef" * 4)
    secrets = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(place / "token")}
    port, dashboard = free_port(), free_port()
    words = f"start --head --block --num-cpus 2 --port {port} --dashboard-port {dashboard}"
    # By default every cluster's agent listens at one port, which tests side by side would share:
    # the second has no agent then, and takes no job.
    agent = f"--dashboard-agent-listen-port {free_port()} --disable-usage-stats"
    head = subprocess.Popen(
        [BIN / "ray", *words.split(), *agent.split()],
        env=environment() | secrets | {"RAY_TMPDIR": folder},
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (answers(port) and answers(dashboard)):
        assert time.monotonic() < deadline
        assert head.poll() is None
        time.sleep(0.2)
    yield Running(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", secrets)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait(timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


BASIC = ("ce", "fixed", "grid", "meta")
SPEC = StudySpec(
    name="grid_vs_meta",
    strategies=(*BASIC, "optuna+asha", "pbt"),
    scales=(0.3,),
    augmentations=("none",),
    temperatures=(1.0, 4.0),
    seeds=1,
    teachers=("digit_mlp",),
    epochs=60,
)
WORDS = """
--strategies ce fixed grid meta optuna+asha pbt --scales 0.3 --augmentations none
--temperatures 1 4 --seeds 1 --teacher digit_mlp --epochs 60 --save-interval 0.2 --no-report
--out out
"""
COLUMNS = """
status epochs val_acc_last test_acc_last test_acc_selected selected_epoch tau_s_last
"""
STATES = "checkpoints/*/epoch-*.pt"
STEP_COLUMNS = ["trial_id", "epoch", "train_loss", "val_loss", "tau_s", "tau_t"]


def with_teacher(out: Path, spec: StudySpec) -> Plan:
    """Plans a study whose teacher is there, untrained: its outputs do not matter."""
    folder = StudyFolder(out)
    plan = make_plan(spec, [open_dataset("digits", folder.datasets)], BankPolicy("live"))
    (teacher,) = plan.teachers
    untrained = new_teacher(teacher, folder)
    store_teacher(teacher, folder, untrained, TeacherReport(0.1, 0.1, 0.0))
    return plan


def test_a_plan_is_made_for_a_clusters_machines(running: Running, tmp_path: Path) -> None:
    words = ("--cluster", running.address, "--dry-run", "--seeds", "1", "--out", "out")
    plan = run(*words, cwd=tmp_path, extra=running.secrets)
    assert plan.returncode == 0, plan.stderr
    assert "on the cluster's 2 CPUs, if like these; " in plan.stdout
    assert "resources    2 at once, each 1 worker with 1 CPU" in plan.stdout
    refused = run(*words, "--gpus-per-trial", "1", cwd=tmp_path, extra=running.secrets)
    assert refused.returncode == 2
    assert "the cluster has 2 CPUs and 0 GPUs by machine" in refused.stderr
    assert not (tmp_path / "out" / "study.json").exists()


def test_a_study_killed_three_times_ends_as_one_that_was_not(
    running: Running, tmp_path: Path
) -> None:
    words = ["--cluster", running.address, *WORDS.split()]
    plans = [with_teacher(tmp_path / place / "out", SPEC) for place in ("killed", "undisturbed")]
    planned = set(plans[0].trial_ids)
    out = tmp_path / "killed" / "out"
    moments = random.Random(5)

    def so_far(trials: int, wait: float) -> bool:
        """Some time after so many trials are finished and another is under way."""
        is_so_far = len(finished_trials(out)) >= trials and any(out.glob(STATES))
        if is_so_far:
            time.sleep(wait)
        return is_so_far

    finished: list[set[str]] = [set()]
    left_states = []
    # The last kill comes right after a state was seen: a wait may be a trial's end.
    for trials, wait in ((0, moments.uniform(0, 0.5)), (2, moments.uniform(0, 0.5)), (7, 0.0)):
        code, _, _ = signalled(
            words, out.parent, partial(so_far, trials, wait), signal.SIGKILL, running.secrets
        )
        assert code == -signal.SIGKILL
        finished.append(finished_trials(out))
        assert finished[-1] >= finished[-2]
        left_states.append(any(out.glob(STATES)))
    # Workers outlive their driver by a moment, in which a trial may end: not every kill leaves one.
    assert any(left_states)
    before = {path: path.stat().st_mtime_ns for path in (out / "trials").iterdir()}
    found = []
    for place in ("killed", "undisturbed"):
        out = tmp_path / place / "out"
        last = run(*words, cwd=out.parent, extra=running.secrets)
        assert last.returncode == 0, last.stderr
        there, to_run = trials_announced(last.stdout)
        assert there + to_run == len(planned)
        least = len(planned & finished[-1]) if place == "killed" else 0
        assert least <= there <= least + 2
        assert not (out / "checkpoints").exists()
        assert not (out / "ray").exists()
        searches = read_searches(out)
        assert all(searches["is_complete"].to_pylist())
        ids = planned.union(searches["trial_id"].to_pylist())
        assert finished_trials(out) >= ids
        rows = read_trials(out, ids, COLUMNS.split())
        steps = read_steps(out, ids).select(STEP_COLUMNS)
        found.append([table.to_pylist() for table in (searches, rows, steps)])
    # Nothing finished was run again.
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    assert found[0] == found[1]
    assert {row["status"] for row in found[0][1]} == {"stopped", "done"}


def test_a_trial_that_always_fails_is_recorded_and_the_study_goes_on(
    running: Running, tmp_path: Path
) -> None:
    spec = StudySpec(
        name="grid_vs_meta",
        strategies=BASIC,
        scales=(0.3,),
        augmentations=("none",),
        temperatures=(4.0, 16.0),
        seeds=1,
        teachers=("digit_mlp",),
        epochs=2,
    )
    plan = with_teacher(tmp_path / "out", spec)
    (failing,) = (job.trial for job in plan.jobs if getattr(job.trial.distiller, "tau_s", 0) == 16)
    # Where its states would lie is a file.
    kept = tmp_path / "out" / "checkpoints" / failing.id
    kept.parent.mkdir(exist_ok=True)
    kept.touch()
    tau = "--temperatures 4 16 --seeds 1 --teacher digit_mlp --epochs 2 --no-report --out out"
    words = ["--cluster", running.address, "--scales", "0.3", "--augmentations", "none"]
    words += ["--strategies", *BASIC, "--save-interval", "0", *tau.split()]
    first = run(*words, cwd=tmp_path, extra=running.secrets)
    assert first.returncode == 1, first.stderr
    assert first.stderr == ""
    assert "3/4 done · 1 failed" in first.stdout
    told = " ".join(first.stdout.split())
    assert "Finished: 3 of 4 planned trials, 1 failed" in told
    assert "1 trials failed; the same command tries them again" in told
    assert str(kept) in told
    rows = read_trials(tmp_path / "out").to_pylist()
    assert sorted(row["status"] for row in rows) == ["done", "done", "done", "failed"]
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert failed["tau_s_init"] == 16
    assert str(kept) in failed["error"]
    again = run(*words, "--dry-run", cwd=tmp_path)
    assert "3 finished, 1 to run" in again.stdout


TINY_CE = "--strategies ce --scales 0.3 --augmentations none --seeds 1 --epochs 1 --no-report"


def test_a_study_submitted_as_a_job_joins_the_cluster_that_it_runs_in(
    running: Running, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    submit = [BIN / "ray", "job", "submit", "--address", running.dashboard, "--"]
    words = [sys.executable, SCRIPT, "--cluster", "auto", *TINY_CE.split(), "--out", out]
    deadline = time.monotonic() + 120
    while True:
        job = subprocess.run(
            [*submit, *words],
            env=environment() | running.secrets,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        # On a busy machine Ray itself may need a while, and says so.
        if "No available agent" not in job.stderr or time.monotonic() > deadline:
            break
        time.sleep(2)
    assert job.returncode == 0, job.stdout + job.stderr
    assert f"dashboard    {running.dashboard}" in job.stdout
    assert "started here" not in job.stdout
    assert "1/1 done" in job.stdout
    assert len(finished_trials(out)) == 1


def test_every_machine_gets_the_code_of_a_model_of_ones_own(
    running: Running, tmp_path: Path
) -> None:
    log = tmp_path / "shipped"
    (tmp_path / "mymodels.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from torch import nn\n"
        "places = [Path(place, 'mymodels.py') for place in sys.path if 'py_modules' in place]\n"
        f"with Path({str(log)!r}).open('a') as file:\n"
        "    file.writelines(f'{place}\\n' for place in places if place.exists())\n"
        "def small(in_chans, num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_chans, num_classes))\n"
    )
    words = ["--student", "mymodels:small", "--strategies", "ce", "--seeds", "1", "--no-report"]
    words += ["--cluster", running.address, "--scales", "0.3", "--augmentations", "none"]
    words += ["--epochs", "1", "--out", str(tmp_path / "out")]
    done = run(*words, cwd=tmp_path, extra=running.secrets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(finished_trials(tmp_path / "out")) == 1
    # Machines that do not see this folder have it, too.
    assert log.read_text().count("py_modules") == 1


def test_without_the_token_the_cluster_is_refused_in_one_line(
    running: Running, tmp_path: Path
) -> None:
    words = ["--cluster", running.address, *TINY_CE.split(), "--out", "out"]
    # Ray tries that often, a second apart.
    refused = run(*words, cwd=tmp_path, extra={"RAY_NUM_REDIS_GET_RETRIES": "2"})
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: the cluster at {running.address} refused")
    assert "RAY_AUTH_MODE=token" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_under_uv_the_workers_take_this_environment(running: Running, tmp_path: Path) -> None:
    uv = BIN / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed in this environment")
    words = ["--cluster", running.address, *TINY_CE.split(), "--out", str(tmp_path / "out")]
    study = subprocess.run(
        [uv, "run", "--offline", "--no-project", "--python", sys.executable, SCRIPT, *words],
        cwd=ROOT,
        env=environment() | running.secrets,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert study.returncode == 0, study.stderr
    assert "1/1 done" in study.stdout
