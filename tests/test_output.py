"""Streams whose encoding lacks a sign, or that nobody reads."""

import io
import os
import sys

import pytest
from made_up_study import MadeUpStudy
from verdict_words import answered

from metakd.output import prepare_streams, say

PLAN = "grid τ: 1 2; 9 settings × 6 seeds; ± 0.3, −0.2 … “a” → é"


def printed(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    raw = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding=encoding))
    prepare_streams()
    print(text, flush=True)
    return raw.getvalue().rstrip()


def test_ascii_spells_the_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = b'grid tau: 1 2; 9 settings x 6 seeds; +/- 0.3, -0.2 ... "a" -> e'
    assert printed(PLAN, "ascii", monkeypatch) == expected


def test_latin_1_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    found = printed(PLAN, "latin-1", monkeypatch).decode("latin-1")
    assert found == 'grid tau: 1 2; 9 settings × 6 seeds; ± 0.3, -0.2 ... "a" -> é'


def test_utf_8_keeps_everything_but_halves_of_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(PLAN, "utf-8", monkeypatch).decode() == PLAN
    assert printed("a path \udcff", "utf-8", monkeypatch) == b"a path ?"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "koi8-r"])
def test_a_verdict_can_be_printed_anywhere(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = answered(MadeUpStudy())
    text = " ".join([verdict.headline, *verdict.sentences])
    found = printed(text, encoding, monkeypatch).decode(encoding)
    assert "?" not in found.replace("?", "", text.count("?"))


def test_what_nobody_reads_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        say("a line")
        say("another")
