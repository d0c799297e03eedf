"""A study of a dataset of the Hub, from the command line: what it cannot have is one line."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from made_up_pictures import pictures, write_parquet
from study_command import TINY, run

WORDS = [*TINY, "out", "--dry-run", "--strategies", "ce", "fixed", "--scales", "1", "--dataset"]


class Gate(BaseHTTPRequestHandler):
    """Responds like the Hub where its terms were not accepted."""

    def do_HEAD(self) -> None:
        self.send_response(401)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gate) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def refused(name: str, here: Path, **extra: str) -> str:
    done = run(*WORDS, name, cwd=here, extra={"HF_HOME": str(here / "home"), **extra})
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_terms_that_nobody_accepted(tmp_path: Path, gate: str) -> None:
    said = refused("hf:garden/secret", tmp_path, HF_ENDPOINT=gate)
    assert "'garden/secret' is a gated dataset on the Hub" in said
    assert "accept its terms on the Hub, then hf auth login" in said


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_offline_and_not_in_the_cache(tmp_path: Path, variable: str) -> None:
    said = refused("hf:garden/flowers", tmp_path, **{variable: "1"})
    assert "Couldn't reach 'garden/flowers' on the Hub" in said
    assert "load it once where the Hub is reached" in said


def test_a_plan_says_what_was_found(tmp_path: Path) -> None:
    for split, count in (("train", 40), ("test", 20)):
        file = tmp_path / "flowers" / f"{split}.parquet"
        write_parquet(file, pictures(count, count, (8, 8)), list(np.arange(count) % 2))
    extra = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = run(*WORDS, "hf:flowers", cwd=tmp_path, extra=extra)
    assert done.returncode == 0, done.stderr
    assert "hf:flowers: 2 classes (0, 1), 8×8 grey" in done.stdout
    assert "test: official, 20" in done.stdout
    assert done.stderr == ""
