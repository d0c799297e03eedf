"""Finds the Ray cluster to work on, or starts one here."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import ray

from metakd.signals import kept_handlers
from metakd.study.allotment import Node
from metakd.study.cluster_address import PROBE_TIMEOUT_S, ClusterError, address_of, is_named
from metakd.study.local_cluster import first_line, start_local


@dataclass(frozen=True)
class Cluster:
    """A connected cluster.

    Attributes:
        dashboard: Address of the Ray dashboard; None where the cluster has none.
        nodes: Its nodes, as they were found.
        started_here: Whether this process started it, and ends it with itself.
    """

    dashboard: str | None
    nodes: tuple[Node, ...]
    started_here: bool

    @property
    def cpus(self) -> int:
        """CPUs of all nodes."""
        return sum(node.cpus for node in self.nodes)

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return sum(node.gpus for node in self.nodes)


def connect(
    cluster: str,
    notify: Callable[[str], None] = lambda line: None,
    code: Sequence[Path] = (),
) -> Cluster:
    """Connects to a cluster.

    Args:
        cluster: "auto": the cluster of RAY_ADDRESS, else one that runs on this machine, else a new
            local one. "local": a new local one. HOST:PORT: that one.
        notify: Shows a user a line.
        code: Modules and packages of the user's own, which every machine gets.

    Raises:
        ClusterError: If a cluster that the user named (here or in RAY_ADDRESS) cannot be reached;
            it never falls back in silence. If none can be started here.
    """
    address = address_of(cluster)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    bypass_proxies([] if address is None else [address.rpartition(":")[0].strip("[]")])
    context = None
    if address is not None:
        try:
            context = _join(address, code)
        except ClusterError as error:
            if is_named(cluster):
                raise
            # It belongs to another user, and was not named.
            notify(f"{error}; a cluster of the study's own is started instead")
    is_own = context is None
    if context is None:
        context = start_local(notify)
    url = context.dashboard_url
    return Cluster(
        dashboard=f"http://{url}" if url else None,
        nodes=present_nodes(),
        started_here=is_own,
    )


def requires_token(dashboard: str) -> bool:
    """Says whether a browser has to give a token to a dashboard, as Ray 2.60 and later want it."""
    try:
        with urlopen(f"{dashboard}/api/version", timeout=PROBE_TIMEOUT_S):
            return False
    except HTTPError as refusal:
        return refusal.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    except OSError:
        return False


def present_nodes() -> tuple[Node, ...]:
    """Returns the nodes of the connected cluster that are alive now."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return tuple(Node(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in resources)


def _join(address: str, code: Sequence[Path]) -> "ray.runtime_context.RayContext":
    # Only where there are any: each machine unpacks them before its first process starts.
    environment = {"runtime_env": {"py_modules": [str(path) for path in code]}} if code else {}
    try:
        with _without_stderr(), kept_handlers():
            return ray.init(
                address=address, log_to_driver=False, logging_level=logging.CRITICAL, **environment
            )
    except Exception as error:
        ray.shutdown()
        reason = _reason(error)
        raise ClusterError(f"the cluster at {address} refused the connection: {reason}") from error


def _reason(error: Exception) -> str:
    """Returns why a cluster could not be joined, and what mends it."""
    message = first_line(error)
    if "version mismatch" in message.lower():
        return (
            f"{' '.join(str(error).split())} (run the study with the cluster's versions of Ray and "
            "Python, or use --cluster local)"
        )
    if isinstance(error, ray.exceptions.AuthenticationError) or "token" in str(error).lower():
        return (
            f"{message} (it requires a token: set RAY_AUTH_MODE=token and put the cluster's token "
            "in RAY_AUTH_TOKEN or ~/.ray/auth_token)"
        )
    return (
        f"{message} (HOST:PORT must be that of `ray start --head`, 6379 by default; Ray 2.60 and "
        "later ask for a token: set RAY_AUTH_MODE=token and put the cluster's token in "
        "~/.ray/auth_token)"
    )


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drops what Ray's own library writes past Python, line after line, while it is refused."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


PROXIES = ("http_proxy", "https_proxy", "all_proxy")
HERE = ("localhost", "127.0.0.1", "::1")


def bypass_proxies(hosts: Sequence[str] = ()) -> None:
    """Adds this machine to ``no_proxy``, which Ray, gRPC and urllib obey, if there is a proxy.

    Args:
        hosts: What else is not behind it: the cluster's head.
    """
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES):
        return
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    wanted = [*HERE, socket.gethostname(), *_addresses(), *hosts]
    listed = [name.strip() for name in known.split(",") if name.strip()]
    names = ",".join(dict.fromkeys([*listed, *wanted]))
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = names


def _addresses() -> list[str]:
    """Returns the address by which others reach this machine, as Ray finds it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it finds only which way a packet would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [str(probe.getsockname()[0])]
