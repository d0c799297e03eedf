"""Which Ray cluster is meant: its address, found and probed without Ray."""

import os
import socket
from pathlib import Path

from metakd.errors import UserError

PROBE_TIMEOUT_S = 3.0
GREETING_TIMEOUT_S = 10.0
"""A head that is busy takes its time."""
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How HTTP/2, and with it gRPC, begins: its preface, and settings that are empty."""
SETTINGS_FRAME = 4


class ClusterError(UserError):
    """The cluster that was named cannot be used."""


def require_address(cluster: str) -> None:
    """Refuses what is no address of a cluster, whether one answers there or not.

    Raises:
        ClusterError: As ``address_of`` does.
    """
    _named(cluster)


def is_named(cluster: str) -> bool:
    """Says whether the user named a particular cluster, here or in RAY_ADDRESS."""
    return _named(cluster) is not None


def address_of(cluster: str) -> str | None:
    """Returns the address to join, None to start a local cluster.

    Args:
        cluster: "auto": the cluster of RAY_ADDRESS, else one that runs on this machine, else a new
            local one. "local": a new local one. HOST:PORT: that one.

    Raises:
        ClusterError: If a cluster that the user named (here or in RAY_ADDRESS) is none, or does not
            answer.
    """
    named = _named(cluster)
    if named is None:
        return None if "local" in (cluster, os.environ.get("RAY_ADDRESS")) else _running_here()
    address, source = named
    host, _, port = address.rpartition(":")
    # Ray itself would try for minutes.
    if not _answers(host, int(port)):
        raise ClusterError(
            f"no Ray cluster answers at {address} ({source}): start one with `ray start --head`, "
            "or use --cluster local"
        )
    if not _is_grpc(host, int(port)):
        raise ClusterError(
            f"what answers at {address} ({source}) is no Ray cluster: name the HOST:PORT of "
            "`ray start --head`, 6379 by default, or use --cluster local"
        )
    return address


def _named(cluster: str) -> tuple[str, str] | None:
    """Returns the address that the user named and where, None if no particular one."""
    address, source = cluster, "--cluster"
    if cluster == "auto":
        address, source = os.environ.get("RAY_ADDRESS", "").strip() or "auto", "RAY_ADDRESS"
    if address in ("auto", "local"):
        return None
    if address.startswith("ray://"):
        raise ClusterError(
            f"{source}={address}: Ray Client (ray://) cannot host Ray Tune and Ray Train drivers; "
            "name the cluster's own HOST:PORT (6379 by default), or submit the study as a job"
        )
    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"{source}={address} is the address of a dashboard, where `ray job submit` sends jobs; "
            "a study joins the cluster itself: name its HOST:PORT (6379 by default), use "
            "--cluster local, or submit the study as a job"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ClusterError(
            f"{source} must be auto, local or HOST:PORT, got {address!r} "
            "(for example 10.0.0.5:6379)"
        )
    return address, source


def _running_here() -> str | None:
    """Returns the address of a cluster that runs on this machine, None if there is none.

    Ray keeps the address in a file, which outlives a cluster that was killed.
    """
    temporary = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    record = Path(temporary) / "ray" / "ray_current_cluster"
    try:
        address = record.read_text().strip()
    except OSError:
        return None
    host, _, port = address.rpartition(":")
    is_there = port.isdigit() and _answers(host, int(port)) and _is_grpc(host, int(port))
    return address if is_there else None


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def _is_grpc(host: str, port: int) -> bool:
    """Says whether a port speaks as the head of a cluster does: Ray would wait for it for ever."""
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return True
    try:
        with socket.create_connection((host, port), timeout=GREETING_TIMEOUT_S) as connection:
            connection.sendall(GREETING)
            header = connection.recv(9)
    except OSError:
        return False
    return len(header) > 3 and header[3] == SETTINGS_FRAME
