"""Whole studies whose machines share nothing but an object store."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from object_store_server import Server, address_on, s3_server
from ray.cluster_utils import Cluster as SimulatedCluster
from study_command import TINY, free_port, run, signalled, trials_announced

import metakd
from metakd.analysis.students import kept_students
from metakd.analysis.summary import Summary
from metakd.data.datasets import open_dataset
from metakd.results.mirror import fetch_results
from metakd.results.object_store import ObjectStore
from metakd.results.reader import finished_trials, read_steps, read_study, read_trials
from metakd.results.searches import read_searches
from metakd.results.study import StoreError
from metakd.study.main import main
from metakd.study.plan import make_plan
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder
from metakd.train.student import run_trial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning"),
]

SPEC = StudySpec(
    name="s",
    teachers=("digit_mlp",),
    strategies=("ce", "fixed", "grid", "meta", "grid+asha", "pbt"),
    scales=(0.3,),
    augmentations=("none",),
    temperatures=(1.0, 4.0),
    seeds=2,
    epochs=3,
    teacher_epochs=2,
)


@pytest.fixture
def machines(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatedCluster]:
    """Two machines whose processes start in folders of their own, and a third place to drive from.

    ``/proc/self/cwd`` names another folder to each of them.
    """
    ray.shutdown()  # of the cluster that others share
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    simulated = None
    for name in ("head", "worker", "driver"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if name == "head":
            args = {"num_cpus": 1, "include_dashboard": True, "dashboard_port": free_port()}
            simulated = SimulatedCluster(initialize_head=True, head_node_args=args)
        elif name == "worker":
            assert simulated is not None
            simulated.add_node(num_cpus=1)
            simulated.wait_for_nodes()
    assert simulated is not None
    yield simulated
    ray.shutdown()
    simulated.shutdown()


def no_report(out: Path, summary: Summary) -> Path:
    place = out / "report.html"
    place.write_text(summary.verdict.headline)
    return place


def test_machines_that_share_an_object_store_only_run_a_study(
    server: Server,
    machines: SimulatedCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uri = address_on(server, "two-machines")
    words = ["--cluster", machines.address, "--out", uri, "--scratch", "/proc/self/cwd/scratch"]
    assert main(SPEC, no_report, print, words) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    assert "2 node(s)" in printed
    assert "report       /proc/self/cwd/scratch" in printed
    assert "and s3://bucket/two-machines/report.html" in printed

    store, here = ObjectStore(uri), tmp_path / "seen"
    fetch_results(here, store)
    searches = read_searches(here)
    assert all(searches["is_complete"].to_pylist())
    asked = set(read_study(here).planned_trials) | set(searches["trial_id"].to_pylist())
    assert finished_trials(here) >= asked
    # A segment that its own training went on from stays, beside the longer run with all of it.
    others = read_trials(here, finished_trials(here) - asked)["status"].to_pylist()
    assert set(others) <= {"stopped"}
    assert set(read_trials(here)["status"].to_pylist()) == {"done", "stopped"}
    names = store.names()
    (setting,) = read_study(here).settings
    students = kept_students(here, {"one": setting})
    (student,) = (s.file for s in students)
    assert {name for name in names if name.startswith("students/")} == {
        student,
        student.replace(".safetensors", ".json"),
    }
    loaded = metakd.load_student(address_on(server, f"two-machines/{student}"))
    assert 100 * loaded.card.trial["test_acc_last"] == pytest.approx(students[0].test_pp, abs=1e-4)
    assert f'metakd.load_student("{address_on(server, f"two-machines/{student}")}")' in printed
    with pytest.raises(
        StoreError, match=r"there is no student s3://bucket/two-machines/students/x"
    ):
        metakd.load_student(address_on(server, "two-machines/students/x.safetensors"))
    # No machine keeps a copy of what the store has.
    assert not [path for path in tmp_path.rglob("*.safetensors") if "students" in path.parts]
    made = {"summary.json", "report.html", "study.json", "searches.parquet", "teachers.json"}
    assert made <= set(names)
    assert not [name for name in names if name.startswith(("checkpoints/", "ray/", ".lock"))]
    assert not [name for name in names if ".probe" in name]
    # All worked on copies of their own: the driver here, each trial in a folder that Ray gave it.
    assert list(tmp_path.glob("driver/scratch/*/datasets"))
    session = Path(machines.head_node.get_session_dir_path())
    assert len(list(session.rglob("scratch/*/banks"))) >= len(asked)

    # The numbers are those of a run beside all of this.
    folder = StudyFolder(tmp_path / "plain")
    plan = make_plan(SPEC, [open_dataset("digits", folder.datasets)])
    shared = StudyFolder(tmp_path / "shared", store)
    rows = {row["trial_id"]: row for row in read_trials(here).to_pylist()}
    whole = [job for job in plan.jobs if job.trial.stop_after is None]
    for job in whole[-2:]:
        outcome = run_trial(job.trial, shared, job.bank)
        assert rows[job.trial.id]["test_acc_last"] == outcome.test_last.accuracy
        curve = read_steps(here, [job.trial.id])["val_acc"].to_pylist()
        assert curve == pytest.approx([epoch.validation.accuracy for epoch in outcome.epochs])


def test_a_killed_driver_is_followed_by_one_on_another_machine(
    server: Server, tmp_path: Path
) -> None:
    uri = address_on(server, "killed")
    store = ObjectStore(uri)
    words = [*TINY, uri, "--epochs", "80", "--seeds", "2", "--save-interval", "0.5"]
    words += ["--strategies", "grid", "meta", "--temperatures", "4", "--augmentations", "none"]
    words += ["--max-concurrent", "2", "--no-report"]

    def in_flight() -> bool:
        return bool(store.names("trials")) and bool(store.names("checkpoints"))

    code, _, _ = signalled(
        [*words, "--scratch", str(tmp_path / "a")], tmp_path, in_flight, signal.SIGKILL
    )
    assert code == -signal.SIGKILL
    before = set(store.names("trials"))
    assert store.read(".lock")

    again = run(*words, "--scratch", str(tmp_path / "b"), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    found, to_run = trials_announced(again.stdout)
    assert len(before) <= found <= len(before) + 2
    assert found + to_run == 4
    assert before < set(store.names("trials"))
    assert store.names("checkpoints") == {}
    assert store.read(".lock") is None
    seen = tmp_path / "seen"
    fetch_results(seen, store)
    planned = read_study(seen).planned_trials
    assert finished_trials(seen) == set(planned)
    for trial_id in planned:
        assert read_steps(seen, [trial_id])["epoch"].to_pylist() == list(range(80))


def test_a_store_that_stops_answering_ends_a_study_with_one_line(tmp_path: Path) -> None:
    with s3_server() as server:
        store = ObjectStore(address_on(server))
        words = [*TINY, store.uri, "--strategies", "ce", "--augmentations", "none"]
        words += ["--seeds", "60", "--max-concurrent", "1", "--max-failures", "0"]
        words += ["--scratch", str(tmp_path / "scratch")]

        def stop_it() -> None:
            while not store.names("trials"):
                time.sleep(0.1)
            server.process.kill()

        threading.Thread(target=stop_it, daemon=True).start()
        stopped = run(*words, cwd=tmp_path)
    assert stopped.returncode == 2, stopped.stdout
    *by_arrow, line = stopped.stderr.splitlines()
    assert line.startswith(f"error: {store} does not answer as it should: ")
    # An upload that was cut off is named by Arrow's C++ code, too; nothing turns that off.
    assert all("Error ignored when destroying file" in other for other in by_arrow)
