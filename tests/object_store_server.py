"""An S3 of our own on this machine: what several test files share."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Server(NamedTuple):
    address: str
    process: subprocess.Popen[bytes]


@contextmanager
def s3_server(bucket: str = "bucket") -> Iterator[Server]:
    """Runs an S3 with an empty bucket; this process has its credentials meanwhile."""
    kept = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    with _running() as server:
        request = urllib.request.Request(f"http://{server.address}/{bucket}", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        yield server
    for name, value in kept.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


@contextmanager
def _running() -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(host, port, server)
        yield Server(f"{host}:{port}", server)
    finally:
        server.kill()
        server.wait()


def address_on(server: Server, study: str = "study", bucket: str = "bucket") -> str:
    """Returns the address of a place on a server."""
    return f"s3://{bucket}/{study}?scheme=http&region=us-east-1&endpoint_override={server.address}"


def _wait_for(host: str, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, "the server did not start"
        assert time.monotonic() < deadline, "the server does not answer"
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
