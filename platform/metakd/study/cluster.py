"""Finds the Ray cluster to work on, or starts one here."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import ray

from metakd.study.cluster_address import PROBE_TIMEOUT_S, ClusterError, address_of
from metakd.study.resources import Node


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


def connect(cluster: str) -> Cluster:
    """Connects to a cluster.

    Args:
        cluster: "auto": the cluster of RAY_ADDRESS, else one that runs on this machine, else a new
            local one. "local": a new local one. HOST:PORT: that one.

    Raises:
        ClusterError: If a cluster that the user named (here or in RAY_ADDRESS) cannot be reached;
            it never falls back in silence.
    """
    address = address_of(cluster)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    if address is None:
        context = ray.init(
            address="local",
            include_dashboard=True,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
    else:
        context = _join(address)
    url = context.dashboard_url
    return Cluster(
        dashboard=f"http://{url}" if url else None,
        nodes=present_nodes(),
        started_here=address is None,
    )


def asks_for_token(dashboard: str) -> bool:
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


def _join(address: str) -> "ray.runtime_context.RayContext":
    try:
        with _without_stderr():
            return ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterError(
            f"the cluster at {address} refused the connection: {reason} "
            "(Ray 2.60 and later ask for a token: set RAY_AUTH_MODE=token and put the cluster's "
            "token in ~/.ray/auth_token)"
        ) from error


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
