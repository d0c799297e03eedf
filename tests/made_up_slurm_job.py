"""slurm.sh as Slurm runs it, with stand-ins for Slurm, for Ray's cluster and for the study."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "clusters" / "slurm.sh"

# The real `ray symmetric-run`, on a machine whose address follows from its number in the job; what
# it starts, stops and waits for is no cluster.
RAY = f"""#!{sys.executable}
import json, os, socket, sys
from types import SimpleNamespace
node, names = int(os.environ["SLURM_NODEID"]), ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_TMPDIR")
call = {{name: os.environ[name] for name in names}} | {{"node": node, "words": sys.argv[1:]}}
if sys.argv[1] == "symmetric-run":
    from ray.scripts import symmetric_run as real
    call["patience_s"] = real.CLUSTER_WAIT_TIMEOUT
with open(os.environ["CALLS"] + "/ray", "a") as calls:
    print(json.dumps(call), file=calls)
if sys.argv[1] == "symmetric-run":
    real.check_ray_already_started = lambda: False
    real.check_cluster_ready = real.check_head_node_ready = lambda *given: True
    real.socket.getaddrinfo = lambda host, port, *given: [(0, 0, 0, "", ("10.0.0.1", port))]
    here = SimpleNamespace(family=socket.AF_INET, address=f"10.0.0.{{node + 1}}")
    real.psutil.net_if_addrs = lambda: {{"eth0": [here]}}
    real.symmetric_run(sys.argv[2:])
"""
METAKD = f"""#!{sys.executable}
import json, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
with open(os.environ["CALLS"] + "/metakd", "a") as calls:
    print(json.dumps({{"token": os.environ["RAY_AUTH_TOKEN"], "words": sys.argv[1:]}}), file=calls)
sys.exit(128 + signal.sigwait({{signal.SIGTERM}}) if "WAITS" in os.environ else 7)
"""
SRUN = """#!/usr/bin/env bash
for word in "$@"; do printf '"%s"\n' "$word" >>"$CALLS/srun"; done
while [[ $1 == --* ]]; do shift; done
for ((node = 0; node < SLURM_JOB_NUM_NODES; node++)); do SLURM_NODEID=$node "$@" & done
wait
"""
# So many that a pipe cannot hold them: who reads the first one alone ends scontrol with SIGPIPE.
SCONTROL = """#!/usr/bin/env bash
[[ "$*" == 'show hostnames node[1-20000]' ]] && printf 'node%s\n' {1..20000}
"""
STAND_INS = {"ray": RAY, "metakd": METAKD, "srun": SRUN, "scontrol": SCONTROL}
TOOLS = ("bash", "mktemp", "od", "rm", "sh", "sleep", "touch", "tr")


class Job:
    """A job, where nothing is on PATH but the stand-ins and what the script may use of a shell."""

    def __init__(self, place: Path) -> None:
        self.place, self.path, self._calls = place, place / "bin", place / "calls"
        self.path.mkdir()
        self._calls.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool}"))
        for name, text in STAND_INS.items():
            self.install(name, text)
        self.environment = {"PATH": str(self.path), "CALLS": str(self._calls), "SLURM_JOB_ID": "7"}
        self.environment |= {"SLURM_JOB_NODELIST": "node[1-20000]", "SLURM_JOB_NUM_NODES": "2"}
        self.environment |= {"TMPDIR": str(place), "HOME": str(place)}

    def install(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def start(self, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
        with (self.place / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                ["bash", SCRIPT, *options],
                cwd=self.place,
                env=self.environment | environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        return self.process

    @property
    def errors(self) -> list[str]:
        return (self.place / "errors").read_text().splitlines()

    def calls(self, name: str) -> list[Any]:
        place = self._calls / name
        lines = place.read_text().splitlines() if place.exists() else []
        return [json.loads(line) for line in lines]

    def wait_for(self, happens: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not happens():
            assert time.monotonic() < deadline, self.errors
            time.sleep(0.1)

    def end(self) -> None:
        """Ends what is left, as Slurm does when a job's script has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)
