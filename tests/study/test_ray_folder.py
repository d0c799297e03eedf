"""Where Ray keeps its sockets, and what of the environment stands in its way."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from metakd.study.cluster import bypass_proxies
from metakd.study.cluster_address import ClusterError
from metakd.study.local_cluster import MAX_SOCKET_BYTES, own_token_without_home, ray_folder


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket, as pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as place:
        yield Path(place)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("RAY_TMPDIR", "TMPDIR", "no_proxy", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
    for name in (*names, "RAY_AUTH_TOKEN_PATH"):
        # Set first, so that it is put back whatever is done with it.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def long(short: Path) -> Path:
    place = short / ("slurm_jobdir_" * 6)
    place.mkdir()
    return place


def test_without_any_wish_it_is_the_usual_one(short: Path) -> None:
    assert ray_folder(short).place == short / "ray"


def test_empty_wishes_are_none(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "")
    monkeypatch.setenv("TMPDIR", "")
    assert ray_folder(short).place == short / "ray"
    assert "RAY_TMPDIR" not in os.environ


def test_a_tmpdir_that_can_be_used_is_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short / "mine").mkdir()
    monkeypatch.setenv("TMPDIR", str(short / "mine"))
    found = ray_folder(short)
    assert (found.place, found.note) == (short / "mine" / "ray", "")


@pytest.mark.parametrize(
    ("kind", "flaw"),
    [
        ("long", f"is too long for a socket ({'{length}'} characters, "),
        ("gone", "does not exist"),
        ("file", "is a file"),
    ],
)
def test_of_a_tmpdir_that_cannot_be_used_ray_and_its_dashboard_are_rid(
    kind: str, flaw: str, short: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "file").write_text("")
    place = {"long": long, "gone": short / "gone", "file": short / "file"}[kind]
    monkeypatch.setenv("TMPDIR", str(place))
    found = ray_folder(short)
    assert found.place == short / "ray"
    assert os.environ["TMPDIR"] == str(short)
    assert f"TMPDIR={place} {flaw.format(length=len(str(place)))}" in found.note


@pytest.mark.parametrize(
    ("kind", "flaw"),
    [("long", "too long for a socket"), ("gone", "does not exist"), ("file", "is a file")],
)
def test_a_ray_tmpdir_that_cannot_be_used_is_refused(
    kind: str, flaw: str, short: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "file").write_text("")
    place = {"long": long, "gone": short / "gone", "file": short / "file"}[kind]
    monkeypatch.setenv("RAY_TMPDIR", str(place))
    with pytest.raises(ClusterError, match=flaw) as refused:
        ray_folder(short)
    assert f"RAY_TMPDIR={place}" in str(refused.value)


def test_a_long_tmpdir_beside_a_good_ray_tmpdir(
    short: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    monkeypatch.setenv("TMPDIR", str(long))
    assert ray_folder().place == short / "ray"
    assert os.environ["TMPDIR"] == str(short)


def test_the_length_is_exact(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = f"/ray/session_2026-11-29_06-41-47_266366_{os.getpid()}/sockets/dash_MetricsHead"
    room = MAX_SOCKET_BYTES - len(socket) - len(str(short)) - 1
    for letters, fits in ((room, True), (room + 1, False)):
        place = short / ("é" * (letters // 2) + "x" * (letters % 2))
        place.mkdir()
        monkeypatch.setenv("TMPDIR", str(place))
        assert (ray_folder(short).note == "") == fits


def test_a_folder_that_others_closed_is_passed_over(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "ray").mkdir()
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != short / "ray" and may(path, mode))
    assert ray_folder(short).place == short / f"ray-{os.getuid()}"


def test_a_machine_without_any_is_refused(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="set RAY_TMPDIR"):
        ray_folder(short / "gone")


def test_a_home_that_cannot_be_used_needs_no_file_for_the_token(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for home in (short / "gone", ""):
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
        own_token_without_home()
        assert len(os.environ["RAY_AUTH_TOKEN"]) >= 32


@pytest.mark.parametrize("known", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"])
def test_what_the_user_set_of_tokens_stays(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = "disabled" if known == "RAY_AUTH_MODE" else secrets.token_hex(4)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv(known, value)
    own_token_without_home()
    assert os.environ[known] == value
    assert known == "RAY_AUTH_TOKEN" or "RAY_AUTH_TOKEN" not in os.environ


def test_a_home_that_can_be_used_keeps_the_token(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(short))
    own_token_without_home()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_proxy_does_not_stand_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HTTPS_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "")
    bypass_proxies()
    assert os.environ.get("no_proxy", "") == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://10.255.255.1:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example,localhost")
    bypass_proxies(["head.example"])
    names = os.environ["no_proxy"].split(",")
    assert names[:2] == ["intern.example", "localhost"]
    assert {"127.0.0.1", "::1", "head.example"} <= set(names)
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    assert len(names) == len(set(names))
