"""Proxies of the environment, which must not stand between the machines of a cluster."""

import os
import socket
from collections.abc import Sequence

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
            # Nothing is sent: it asks only which way a packet would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [str(probe.getsockname()[0])]
