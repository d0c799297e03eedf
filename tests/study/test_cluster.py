import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from metakd.study import cluster, local_cluster
from metakd.study.cluster import ClusterError, address_of, connect
from metakd.study.local_cluster import RayFolder


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def _no_cluster_here(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


def test_a_dead_address_is_refused_at_once() -> None:
    # Ray itself would try for minutes.
    with pytest.raises(ClusterError, match="no Ray cluster answers at 127"):
        connect(f"127.0.0.1:{free_port()}")


def test_a_dead_address_in_the_environment_is_no_silent_fallback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(ClusterError, match="RAY_ADDRESS"):
        connect("auto")


@pytest.mark.parametrize("address", ["nowhere", "host:", ":6379", "host:port", "host:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match="auto, local or HOST:PORT"):
        connect(address)


def test_ray_client_is_refused_with_the_reason() -> None:
    with pytest.raises(ClusterError, match="Ray Client"):
        connect("ray://127.0.0.1:10001")


def test_auto_without_any_cluster_means_a_local_one() -> None:
    assert address_of("auto") is None


def test_the_record_of_a_killed_cluster_is_not_believed(tmp_path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{free_port()}")
    assert address_of("auto") is None


@contextmanager
def answering(greeting: bytes) -> Iterator[str]:
    """Somebody who answers whoever connects with the same words; yields the address."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            # The listening socket's end ends it.
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    connection.sendall(greeting)

        connections: list[socket.socket] = []
        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for connection in connections:
            connection.close()
        server.shutdown(socket.SHUT_RDWR)


SETTINGS = b"\0\0\0\4\0\0\0\0\0"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail\r\n"])
def test_what_is_no_cluster_is_refused(greeting: bytes) -> None:
    with (
        answering(greeting) as address,
        pytest.raises(ClusterError, match=f"what answers at {address} .--cluster. is no Ray"),
    ):
        connect(address)


def test_the_address_of_a_dashboard_is_refused_with_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(ClusterError, match=r"RAY_ADDRESS=http.*where `ray job submit` sends jobs"):
        connect("auto")


def test_a_cluster_that_nobody_named_and_that_cannot_be_joined_is_passed_over(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    own = SimpleNamespace(dashboard_url=None)
    monkeypatch.setattr(cluster, "start_local", lambda tell: own)
    monkeypatch.setattr(cluster, "present_nodes", lambda: ())
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: None)

    def refuse(**given: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0")

    monkeypatch.setattr(cluster.ray, "init", refuse)
    (tmp_path / "ray").mkdir()
    with answering(SETTINGS) as address:
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert connect("auto", told.append).started_here
        assert "Ray: 2.9.0 (run the study with the cluster's versions" in told[0]
        assert "\n" not in told[0]
        with pytest.raises(ClusterError, match="refused the connection: Version mismatch"):
            connect(address)


@pytest.mark.parametrize(("failures", "starts"), [(0, True), (1, True), (2, False)])
def test_a_slow_machine_is_given_a_second_try(
    failures: int, starts: bool, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[dict[str, object]] = []

    def start(**given: object) -> str:
        tries.append(given)
        if len(tries) <= failures:
            raise RuntimeError("The current node timed out during startup.\nMore of it")
        return "started"

    monkeypatch.setattr(local_cluster, "ray_folder", lambda: RayFolder(tmp_path / "ray"))
    monkeypatch.setattr(local_cluster, "usable_cpus", lambda: 3)
    monkeypatch.setattr(local_cluster.ray, "init", start)
    monkeypatch.setattr(local_cluster.ray, "shutdown", lambda: None)
    told: list[str] = []
    if starts:
        assert local_cluster.start_local(told.append) == "started"
        assert len(told) == failures
    else:
        with pytest.raises(ClusterError, match=r"timed out during startup.*RAY_TMPDIR"):
            local_cluster.start_local(told.append)
    assert {given["num_cpus"] for given in tries} == {3}


def test_a_cluster_that_runs_here_is_found(tmp_path) -> None:
    (tmp_path / "ray").mkdir()
    with answering(SETTINGS) as address:
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert address_of("auto") == address
        assert address_of(address) == address
        assert address_of("local") is None
