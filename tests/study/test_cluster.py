import socket

import pytest

from metakd.study.cluster import ClusterError, address_of, connect


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


def test_a_cluster_that_runs_here_is_found(tmp_path) -> None:
    (tmp_path / "ray").mkdir()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        assert address_of("auto") == address
        assert address_of(address) == address
        assert address_of("local") is None
