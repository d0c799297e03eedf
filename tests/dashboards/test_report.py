"""The page, read as a parser reads it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import plotly.offline
import pytest

from dashboards.__main__ import main
from dashboards.figures import FIGURES
from dashboards.report import PLOTLY_CONFIG, render, write_report
from dashboards.theme import DARK, LIGHT
from metakd.analysis.intervals import Interval
from metakd.analysis.summary import Summary

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs)

    def handle_data(self, data):
        if self._script is not None:
            self.scripts.append((self._script, data))

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None


def data_of(page: Page) -> dict:
    (found,) = [text for attrs, text in page.scripts if attrs.get("type") == "application/json"]
    return json.loads(found)


def test_the_page_asks_the_network_for_nothing(summary: Summary) -> None:
    text = render(summary)
    page = Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attrs.get(name)
            assert value is None or value.startswith("#"), f"{tag} {name}={value}"
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    (policy,) = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_the_policy_allows_exactly_our_scripts(summary: Summary) -> None:
    page = Page(render(summary))
    (policy,) = [str(a["content"]) for t, a in page.tags if a.get("http-equiv")]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    code = [text for attrs, text in page.scripts if attrs.get("type") is None]
    found = {base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in code}
    assert len(code) == 2
    assert found == allowed
    assert sum(tag == "script" for tag, _ in page.tags) == 3


def test_plotly_is_there_once_and_the_page_is_small(summary: Summary) -> None:
    text = render(summary)
    assert text.count(plotly.offline.get_plotlyjs()[:2000]) == 1
    assert len(text.encode()) < 6e6


def test_charts_cannot_be_uploaded(summary: Summary) -> None:
    config = data_of(Page(render(summary)))["config"]
    assert config == PLOTLY_CONFIG
    assert config["showSendToCloud"] is False
    assert config["plotlyServerURL"] == ""
    assert config["displaylogo"] is False


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_every_figure_is_valid_for_plotly_in_both_themes(
    summary: Summary, theme: dict[str, str]
) -> None:
    def coloured(value):
        if isinstance(value, str) and value.startswith("@"):
            return theme[value[1:]]
        if isinstance(value, dict):
            return {k: coloured(v) for k, v in value.items()}
        return [coloured(v) for v in value] if isinstance(value, list) else value

    figures = data_of(Page(render(summary)))["figures"]
    assert list(figures) == list(FIGURES)
    for figure in figures.values():
        drawn = go.Figure(data=coloured(figure["data"]), layout=coloured(figure["layout"]))
        assert len(drawn.data) > 0


def test_a_hostile_name_stays_text(summary: Summary) -> None:
    hostile = replace(
        summary,
        study=HOSTILE,
        provenance={"command": HOSTILE},
        settings=tuple(replace(s, key=f"{HOSTILE}{i}") for i, s in enumerate(summary.settings)),
        responses=tuple(replace(c, key=f"{HOSTILE}{i}") for i, c in enumerate(summary.responses)),
    )
    page = Page(render(hostile))
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any("onerror" in attrs for _, attrs in page.tags)


def test_the_answer_reads_without_scripts(summary: Summary) -> None:
    text = re.sub(r"<script.*?</script>", "", render(summary), flags=re.DOTALL)
    for words in (summary.verdict.headline, "Full grid", "10 % · strong", "−1.00", "MKD-style"):
        assert words in text
    assert "<svg" in text


def test_the_same_summary_gives_the_same_bytes(summary: Summary, tmp_path: Path) -> None:
    first = write_report(tmp_path, summary).read_bytes()
    assert write_report(tmp_path, summary).read_bytes() == first


NOTHING = Interval(None, None, None, 0, "no complete pair")


@pytest.mark.parametrize(
    "change",
    [
        {"transfer": None, "trajectories": (), "responses": (), "costs": ()},
        {"settings": ()},
        {"strategies": ("ce",), "costs": ()},
    ],
)
def test_what_is_missing_leaves_no_hole(summary: Summary, change: dict) -> None:
    bare = replace(
        summary,
        comparisons=tuple(
            replace(
                c,
                effect=NOTHING,
                effect_selected=NOTHING,
                share_ahead=None,
                accuracy_verdict="no data",
                cost_ratio_steps=None,
                cost_ratio_seconds=None,
            )
            for c in summary.comparisons
        ),
        **change,
    )
    text = render(bare)
    assert "no data" in text
    assert "None" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_the_command_renders_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
