"""The page, read as a parser reads it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import plotly.offline
import pytest
from html_page import Page

from metakd.analysis.inventory import Counts, Failure, LabelUse
from metakd.analysis.reached import WallClock
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import FIGURES
from metakd.dashboards.report import render, wall_clock_title, write_report
from metakd.dashboards.shell import PLOTLY_CONFIG
from metakd.dashboards.theme import DARK, DARK_TONES, HUES, LIGHT, LIGHT_TONES, Theme, coloured

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"


def data_of(page: Page) -> dict:
    (found,) = [text for attrs, text in page.scripts if attrs.get("type") == "application/json"]
    return json.loads(found)


def test_the_page_asks_the_network_for_nothing(summary: Summary) -> None:
    text = render(summary)
    page = Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attrs.get(name)
            assert value is None or value.startswith(("#", "data:")), f"{tag} {name}={value}"
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "default-src 'none'" in page.policy
    assert "connect-src 'none'" in page.policy
    assert "unsafe-eval" not in page.policy
    assert "refresh" not in [a.get("http-equiv") for a in page.all("meta")]


def test_the_policy_allows_exactly_our_scripts(summary: Summary) -> None:
    page = Page(render(summary))
    allowed = set(re.findall(r"'sha256-([^']+)'", page.policy))
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_figure_is_valid_for_plotly_in_both_themes(summary: Summary, theme: Theme) -> None:
    figures = data_of(Page(render(summary)))["figures"]
    assert list(figures) == list(FIGURES)
    for figure in figures.values():
        drawn = go.Figure(
            data=coloured(figure["data"], theme), layout=coloured(figure["layout"], theme)
        )
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
    page = Page(render(summary))
    for words in (
        summary.verdict.badge,
        summary.verdict.headline,
        *summary.verdict.sentences,
        "Full grid",
        "10 % · strong",
        "−1.00",
        "MKD-style",
        "12 of 12",
        "python studies/grid_vs_meta.py",
        "Its data are in the table below",
    ):
        assert words in page.words
    assert len(page.all("svg")) >= 5  # mark, hero, three bars


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
                baseline_runs=None,
                learned_runs=None,
            )
            for c in summary.comparisons
        ),
        **change,
    )
    page = Page(render(bare))
    assert "no data" in page.words
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", page.words)


def test_what_a_reader_hears_has_names(summary: Summary) -> None:
    page = Page(render(summary))
    assert [a.get("aria-label") for a in page.all("nav")] == ["Contents"]
    assert len(page.all("main")) == len(page.all("h1")) == 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in page.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert name not in attrs or attrs[name] in ids
    for link in page.all("a"):
        assert str(link["href"])[1:] in ids
    assert all("scope" in attrs for attrs in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    for plot in [attrs for attrs in page.all("div") if "data-figure" in attrs]:
        assert plot["role"] == "img"
        assert plot["aria-label"]
        assert re.fullmatch(r"height:\d+px", str(plot["style"]))


def test_the_contents_lead_to_every_figure(summary: Summary) -> None:
    links = {str(link["href"])[1:] for link in Page(render(summary)).all("a")}
    assert set(FIGURES) <= links


def test_both_epochs_are_in_the_table(summary: Summary) -> None:
    words = Page(render(summary)).words
    for setting in summary.settings:
        for score in setting.scores:
            assert f"{score.test_pp:.2f} ± {score.sem_pp:.2f} {score.test_selected_pp:.2f}" in words


def test_failures_are_listed_with_their_errors(summary: Summary) -> None:
    failed = replace(
        summary.inventory,
        finished=80,
        failed=3,
        is_open=True,
        failures=(Failure("digits-seed0", "OutOfMemoryError: <b>2 GiB</b>"),),
    )
    page = Page(render(replace(summary, inventory=failed)))
    assert "digits-seed0 OutOfMemoryError: <b>2 GiB</b>" in page.words
    assert "The first 1 of 3 failed trials" in page.words
    assert "This study is unfinished: 80 of 84 trials are there, 3 failed" in page.words


def test_a_finished_study_has_no_notice(summary: Summary) -> None:
    assert "unfinished" not in Page(render(summary)).words


def test_a_watched_page_reloads_itself_and_says_so(summary: Summary) -> None:
    running = replace(summary, inventory=replace(summary.inventory, finished=40, is_open=True))
    page = Page(render(running, refresh_s=7))
    assert [a["content"] for a in page.all("meta") if a.get("http-equiv") == "refresh"] == ["7"]
    assert "reloads by itself every 7 seconds" in page.words


@pytest.mark.parametrize(
    ("workers", "grid", "learned", "title"),
    [
        ((1, 2, 5), (10.0, 6.0, 2.0), (3.0, 3.0, 3.0), "With 5 or more runs at once"),
        ((1, 2), (10.0, 6.0), (3.0, 3.0), "Even with 2 runs at once, the grid is not done"),
        ((1, 2), (2.0, 1.0), (3.0, 3.0), "However many runs go at once"),
        ((1, 2, 4), (5.0, 2.0, 5.0), (3.0, 3.0, 3.0), "depends on how many"),
    ],
)
def test_the_wall_clock_title_claims_what_the_table_shows(
    summary: Summary, workers: tuple, grid: tuple, learned: tuple, title: str
) -> None:
    first = tuple(
        "grid" if spent < alone else "learned" for spent, alone in zip(grid, learned, strict=True)
    )
    wall = WallClock(workers, grid, learned, first)
    assert title in wall_clock_title(wall)
    assert title in Page(render(replace(summary, wall_clock=wall))).words


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, of two colours as #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT | LIGHT_TONES, DARK | DARK_TONES])
def test_all_words_stand_out_from_their_ground(theme: dict[str, str]) -> None:
    for ground in ("paper", "card"):
        for words in ("ink", "muted", "meta", "grid", *HUES):
            assert contrast(theme[words], theme[ground]) >= 4.5, (words, ground)
    for tone in ("good", "bad", "neutral"):
        assert contrast(theme[tone], theme[f"{tone}-soft"]) >= 4.5, tone
    assert contrast(theme["ink"], theme["neutral-soft"]) >= 4.5


def test_the_methods_say_how_many_labels_each_strategy_read(summary: Summary) -> None:
    learns = LabelUse(("metadistil",), Counts(94, 94), None, Counts(20, 20))
    text = Page(render(replace(summary, label_use=(*summary.label_use, learns)))).words
    assert "the learned temperature: 94 to 1,069 training labels, no held-out ones." in text
    assert "The grid: 94 to 1,069 training labels, 20 to 189 held-out ones to choose by." in text
    assert "The learning teacher: 94 training labels, 20 held-out ones to learn from." in text
    older = replace(
        summary,
        label_use=(),
        settings=tuple(replace(setting, held_out_samples=0) for setting in summary.settings),
    )
    text = Page(render(older)).words
    assert "held-out" not in text
    assert "Teachers were trained" not in text
