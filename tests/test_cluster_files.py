"""The files for Slurm, KubeRay and Docker, as far as they can be checked without any of them."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from made_up_slurm_job import SCRIPT, Job
from packaging.specifiers import SpecifierSet
from ray._private import ray_constants
from ray.scripts.scripts import cli as ray_command

from metakd import __main__ as console
from metakd.errors import UserError
from metakd.study.cluster_address import require_address
from metakd.study.command_line import parse
from metakd.study.options import RunOptions

ROOT = Path(__file__).parents[1]
KUBERAY = (ROOT / "examples" / "clusters" / "kuberay.yaml").read_text(encoding="utf-8")
RAYJOB = yaml.safe_load(KUBERAY)
SCHEMA = json.loads((ROOT / "tests" / "clusters" / "rayjob.schema.json").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    running = Job(tmp_path)
    yield running
    running.end()


def understood(words: Sequence[str]) -> RunOptions:
    """Returns what metakd's own command line makes of a command."""
    assert list(words[:2]) == ["metakd", "run"]
    console._command(words[1:])
    options = parse(import_module(f"metakd.studies.{words[2]}").STUDY, words[3:])[1]
    require_address(options.cluster)
    return options


def require_ray_start(words: Sequence[str]) -> None:
    """Raises ``click.UsageError`` for what the installed ``ray start`` does not take."""
    ray_command.commands["start"].make_context("start", list(words))


def test_a_slurm_job_starts_ray_on_every_machine_and_the_study_on_the_first(job: Job) -> None:
    words = ["--until-decided", "--margin", "0.5"]
    out = str(job.place / "a folder")
    job.start(*words, STUDY="transfer", OUT=out, RAY_PORT="7001")
    assert job.process.wait(timeout=120) == 7, job.errors
    (study,) = job.calls("metakd")
    assert study["words"] == ["run", "transfer", "--cluster", "node1:7001", "--out", out, *words]
    options = understood(["metakd", *study["words"]])
    assert (options.cluster, str(options.out)) == ("node1:7001", out)
    assert options.until_decided is not None

    assert job.calls("srun")[:3] == ["--nodes=2", "--ntasks=2", "ray"]
    job.wait_for(lambda: sum(call["words"][0] == "start" for call in job.calls("ray")) == 2)
    calls = job.calls("ray")
    assert {call["patience_s"] for call in calls if "patience_s" in call} == {300}
    started = {call["node"]: call["words"] for call in calls if call["words"][0] == "start"}
    assert started == {
        0: ["start", "--head", "--node-ip-address=10.0.0.1", "--port=7001"],
        1: ["start", "--address", "node1:7001", "--block"],
    }
    for start in started.values():
        require_ray_start(start[1:])
    # All of them with one token that nobody can guess: Ray alone would give one to the head only.
    secrets = {(call["RAY_AUTH_MODE"], call["RAY_AUTH_TOKEN"]) for call in calls}
    assert secrets == {("token", study["token"])}
    assert re.fullmatch("[0-9a-f]{64}", study["token"])
    assert {call["RAY_TMPDIR"] for call in calls} == {"/tmp/ray-7"}


def test_sigterm_reaches_the_study_while_ray_runs_on(job: Job) -> None:
    job.start(WAITS="yes", SLURM_JOB_NUM_NODES="1", RAY_AUTH_TOKEN="one's own")
    job.wait_for(lambda: bool(job.calls("metakd")))
    (study,) = job.calls("metakd")
    out = str(job.place / "results" / "grid_vs_meta")
    assert study["words"] == ["run", "grid_vs_meta", "--cluster", "node1:6379", "--out", out]
    assert study["token"] == "one's own"
    job.process.terminate()
    assert job.process.wait(timeout=60) == 128 + signal.SIGTERM
    assert ["stop"] not in [call["words"] for call in job.calls("ray")]


@pytest.mark.parametrize("missing", ["SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES"])
def test_outside_a_slurm_job_nothing_is_started(missing: str, job: Job) -> None:
    del job.environment[missing]
    assert job.start().wait(timeout=60) != 0
    (line,) = job.errors
    assert f"{missing}: submit this script with sbatch" in line
    assert not any(job.calls(name) for name in ("srun", "ray", "metakd"))


@pytest.mark.parametrize("missing", ["scontrol", "srun", "ray", "metakd"])
def test_a_command_that_is_missing_is_said_before_anything_starts(missing: str, job: Job) -> None:
    (job.path / missing).unlink()
    assert job.start().wait(timeout=60) == 2
    (line,) = job.errors
    assert line.startswith(f"error: {missing} is not on PATH")
    assert not any(job.calls(name) for name in ("srun", "ray", "metakd"))


def test_without_its_cluster_no_study_starts(job: Job) -> None:
    # `ray symmetric-run` ends with code 0 where `ray start` fails on the first machine.
    job.install("ray", "#!/usr/bin/env bash\necho 'Failed to start Ray' >&2\n")
    assert job.start().wait(timeout=60) == 2
    assert job.errors[-1].startswith("error: Ray did not start on every machine")
    assert not job.calls("metakd")


def shellcheck(script: str) -> str:
    # All but SC2250, which wants braces around every variable.
    words = ["--enable=all", "--severity=style", "--exclude=SC2250", "-"]
    command = [str(Path(sys.executable).parent / "shellcheck"), *words]
    return subprocess.run(command, input=script, capture_output=True, text=True).stdout


def test_shellcheck_finds_nothing_in_the_script() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert shellcheck(text) == ""
    assert "SC2086" in shellcheck(text.replace('--out "$OUT"', "--out $OUT"))
    assert os.access(SCRIPT, os.X_OK)


def groups(rayjob: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = rayjob["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def containers(group: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = group["template"]["spec"]["containers"]
    return found


def require_rayjob(rayjob: dict[str, Any]) -> RunOptions:
    """Raises what KubeRay, Kubernetes, ``ray start`` or metakd would not take."""
    jsonschema.validate(rayjob, SCHEMA)
    for group in groups(rayjob):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "template": group["template"]}
        kubernetes_validate.validate(template, kubernetes_validate.latest_version(), strict=True)
        require_ray_start([f"--{name}={value}" for name, value in group["rayStartParams"].items()])
    return understood(shlex.split(rayjob["spec"]["entrypoint"]))


def test_the_rayjob_is_taken_by_all_who_read_it() -> None:
    options = require_rayjob(RAYJOB)
    # `ray job` sets RAY_ADDRESS; machines of a RayJob share no folder.
    assert options.cluster == "auto"
    assert options.store is not None


HEAD = ("spec", "rayClusterSpec", "headGroupSpec")
CONTAINER = (*HEAD, "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("place", "value", "refused"),
    [
        (("spec", "shutDownAfterJobFinishes"), True, jsonschema.ValidationError),
        (("spec", "rayClusterSpec", "workerGroupSpec"), [], jsonschema.ValidationError),
        ((*HEAD, "rayStartParams", "num-cpus"), 0, jsonschema.ValidationError),
        ((*HEAD, "rayStartParams", "num-cpu"), "0", click.UsageError),
        ((*HEAD, "rayStartParams", "num-cpus"), "none", click.UsageError),
        ((*CONTAINER, "resources", "limits", "memory"), "8GiB", jsonschema.ValidationError),
        ((*CONTAINER, "envfrom"), [], kubernetes_validate.ValidationError),
        ((*CONTAINER, "ports", 0, "containerPort"), "gcs", kubernetes_validate.ValidationError),
        (("spec", "entrypoint"), "metakd run grid_vs_mete --cluster auto", UserError),
        (("spec", "entrypoint"), "metakd run grid_vs_meta --cluser auto", UserError),
    ],
)
def test_a_fault_in_the_rayjob_is_found(
    place: Sequence[str | int], value: object, refused: type[Exception]
) -> None:
    rayjob = deepcopy(RAYJOB)
    inner = rayjob
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(refused):
        require_rayjob(rayjob)


def test_trials_run_on_the_workers_alone_with_what_the_study_needs() -> None:
    head, *workers = groups(RAYJOB)
    assert head["rayStartParams"]["num-cpus"] == "0"
    (image,) = re.findall(r"docker build -t (\w+) \.$", DOCKERFILE, re.MULTILINE)
    for group in (head, *workers):
        (container,) = containers(group)
        assert re.fullmatch(rf"REGISTRY/{image}:\w+", container["image"])
        # KubeRay gives `ray start` the limits: what is not requested, too, may not be there.
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert int(container["resources"]["limits"]["cpu"]) > 0
        (source,) = container["envFrom"]
        assert f"secret `{source['secretRef']['name']}`" in KUBERAY
    for group in workers:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert "num-cpus" not in group["rayStartParams"]
    ports = {port["name"]: port["containerPort"] for port in containers(head)[0]["ports"]}
    assert ports["gcs"] == ray_constants.DEFAULT_PORT
    assert ports["dashboard"] == ray_constants.DEFAULT_DASHBOARD_PORT


def test_the_image_is_built_from_what_is_here() -> None:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    copied = {word for name, rest in steps if name == "COPY" for word in rest.split()[:-1]}
    assert copied >= {PYPROJECT["readme"], *PYPROJECT["license-files"], "pyproject.toml"}
    assert all((ROOT / name).exists() for name in copied)
    # The package holds some folders of the repository as links.
    links = [place for place in (ROOT / "platform" / "metakd").iterdir() if place.is_symlink()]
    assert {place.resolve().relative_to(ROOT).parts[0] for place in links} <= copied
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(f"{python}.0")
    (extras,) = re.findall(r"pip install --no-cache-dir '\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(PYPROJECT["optional-dependencies"])
    # KubeRay's probes call it, and the slim image has none.
    assert any(
        name == "RUN" and re.search(r"apt-get install .* wget", rest) for name, rest in steps
    )


def test_the_image_runs_metakd(capsys: pytest.CaptureFixture[str]) -> None:
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)
    (default,) = re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)
    (command,) = json.loads(entrypoint)
    assert command in PYPROJECT["scripts"]
    with pytest.raises(SystemExit, match=r"^0$"):
        console.main(json.loads(default))
    assert "metakd run STUDY --help" in capsys.readouterr().out
    (words,) = re.findall(r"docker run .* metakd (run .+)$", DOCKERFILE, re.MULTILINE)
    assert understood([command, *words.split()]).cluster == "auto"
