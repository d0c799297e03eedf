"""An S3 of our own on this machine: what several test files share."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server() -> Iterator[str]:
    """Yields HOST:PORT of an empty S3; ``address_on`` makes places of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A token of the session that runs the tests must not be asked of it.
        env={**os.environ, **CREDENTIALS},
    )
    try:
        _wait_for(host, port, server)
        yield f"{host}:{port}"
    finally:
        server.kill()
        server.wait()


def make_bucket(server: str, bucket: str) -> None:
    request = urllib.request.Request(f"http://{server}/{bucket}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def address_on(server: str, bucket: str, study: str = "study") -> str:
    return f"s3://{bucket}/{study}?scheme=http&region=us-east-1&endpoint_override={server}"


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
