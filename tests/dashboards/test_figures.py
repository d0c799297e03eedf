"""The figures as plots: valid, small, inert, and exported."""

import importlib.util
import json
import math
import shutil
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_study import USUAL

from metakd.analysis.deciding import Deciding
from metakd.analysis.figures.anytime import AnytimeCurve
from metakd.analysis.figures.gains import GainsOverScales
from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.figures.transfer import TransferRegret
from metakd.analysis.figures.weights import WeightBand, WeightsCurve
from metakd.analysis.questions.start_range import StartRange
from metakd.analysis.settings import setting_counts
from metakd.analysis.summary import Summary
from metakd.dashboards.export import ExportError, export_figures
from metakd.dashboards.figures import FIGURES, all_figures, draw, to_plotly
from metakd.dashboards.figures.drawing import columns_of
from metakd.dashboards.figures.figure import (
    MAX_MARKS,
    MAX_POINTS,
    Figure,
    evenly,
    largest,
    shortened,
)
from metakd.dashboards.figures.responses import apart
from metakd.dashboards.theme import THEMES, Theme, styles_in
from metakd.extras import MissingPackageError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_USERS_WORDS = ("anytime", "profiles", "optimism", "detectable", "outlook")
HOSTILE = "<img src=x onerror=alert(1)>&<b>"


def test_a_complete_study_has_every_figure_in_the_reports_order(summary: Summary) -> None:
    assert [figure.id for figure in all_figures(summary)] == list(FIGURES)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_had_alone_in_both_themes(
    summary: Summary, name: str, theme: Theme
) -> None:
    drawn = draw(summary, name, theme)
    assert isinstance(drawn, go.Figure)
    assert len(drawn.data) > 0
    assert drawn.layout.paper_bgcolor == THEMES[theme]["card"]
    assert '"@' not in drawn.to_json()


def test_figures_say_what_is_not_there(summary: Summary) -> None:
    with pytest.raises(ValueError, match="no figure 'pie': choose one of looks, differences"):
        draw(summary, "pie")
    with pytest.raises(
        ValueError, match="no data for figure 'transfer': it has looks, differences"
    ):
        draw(replace(summary, transfer=None), "transfer")


def test_every_figure_says_how_to_read_it_and_has_its_data(summary: Summary) -> None:
    for figure in all_figures(summary):
        assert figure.description.startswith(figure.title)
        assert figure.subtitle.endswith(".")
        assert figure.foot.endswith(".")
        assert figure.rows
        assert {len(row) for row in figure.rows} == {len(figure.columns)}


def test_a_strategy_looks_the_same_everywhere(summary: Summary) -> None:
    by_name = {style.name: style for style in styles_in(summary).values()}
    seen = [
        (trace, by_name[trace["name"]])
        for figure in all_figures(summary)
        for trace in figure.traces
        if trace.get("name") in by_name
    ]
    assert {style.name for _, style in seen} == set(by_name)
    for trace, style in seen:
        assert trace.get("line", {}).get("color", style.colour) == style.colour
        assert trace.get("line", {}).get("dash", style.dash) == style.dash
        assert trace.get("marker", {}).get("color", style.colour) == style.colour
        assert trace.get("marker", {}).get("symbol", style.symbol) == style.symbol


def with_keys(summary: Summary, keys: Sequence[str]) -> StartRange:
    """Returns the study's starts, in settings of these names."""
    assert summary.answer is not None
    first = summary.answer.settings[0]
    return replace(summary.answer, settings=tuple(replace(first, key=key) for key in keys))


def test_users_words_are_no_markup(summary: Summary) -> None:
    def hostile(index: int) -> str:
        return f"{index}{HOSTILE}"

    keys = {setting.key: hostile(i) for i, setting in enumerate(summary.settings)}
    assert summary.transfer is not None
    named = replace(
        summary,
        settings=tuple(replace(s, key=keys[s.key], augmentation=HOSTILE) for s in summary.settings),
        responses=tuple(replace(c, key=keys[c.key]) for c in summary.responses),
        trajectories=tuple(replace(t, key=keys[t.key]) for t in summary.trajectories),
        transfer=replace(summary.transfer, keys=tuple(keys.values())),
        answer=with_keys(summary, list(keys.values())),
        primary=replace(summary.primary, label=HOSTILE),
        published=tuple(
            replace(
                pair,
                key=keys[pair.key],
                numbers=tuple(replace(number, method=HOSTILE) for number in pair.numbers),
            )
            for pair in summary.published
        ),
        gains=tuple(replace(g, label=HOSTILE) for g in summary.gains),
        weights=tuple(replace(c, key=HOSTILE, teachers=(HOSTILE, "b")) for c in summary.weights),
        final_weights=tuple(
            replace(found, teachers=tuple(replace(t, teacher=HOSTILE) for t in found.teachers))
            for found in summary.final_weights
        ),
        teaching_curves=tuple(replace(c, key=HOSTILE) for c in summary.teaching_curves),
        degradations=tuple(
            replace(c, held=HOSTILE, levels=tuple(map(hostile, range(len(c.levels)))))
            for c in summary.degradations
        ),
    )
    figures = all_figures(named)
    assert [figure.id for figure in figures] == list(FIGURES)
    for figure in figures:
        drawn = json.dumps(to_plotly(figure, "light").to_plotly_json(), default=list)
        assert "<img" not in drawn
        assert "&lt;img" in drawn or figure.id in NO_USERS_WORDS


def test_what_was_not_run_leaves_a_figure_out(summary: Summary) -> None:
    bare = replace(
        summary, settings=(), responses=(), transfer=None, trajectories=(), gains=(), anytime=(),
        degradations=(), profiles=(), optimism=None, detectable=None, weights=(), final_weights=(),
        teaching_curves=(), answer=None, deciding=None,
    )  # fmt: skip
    assert all_figures(bare) == []


def test_two_seeds_show_dots_and_no_interval(summary: Summary) -> None:
    few = tuple(
        replace(s, versus_baseline=replace(s.versus_baseline, low_pp=None, high_pp=None))
        for s in summary.settings
    )
    figure = FIGURES["differences"].draw(replace(summary, settings=few))
    assert figure is not None
    assert "one seed" in [trace.get("name") for trace in figure.traces]
    assert not any("error_x" in trace for trace in figure.traces)


def test_where_the_cost_of_learning_is_unknown_its_level_alone_is_drawn(summary: Summary) -> None:
    gains = tuple(replace(gain, learned_runs=None) for gain in summary.gains)
    figure = FIGURES["gains"].draw(replace(summary, gains=gains))
    assert figure is not None
    diamonds = [trace for trace in figure.traces if trace.get("name") == "learned"]
    assert [trace["x"] for trace in diamonds] == [[None]] * len(gains)


def test_the_transfer_matrix_keeps_its_untuned_rows_apart(summary: Summary) -> None:
    figure = FIGURES["transfer"].draw(summary)
    assert figure is not None
    matrix, untuned = figure.traces
    assert (matrix["yaxis"], untuned["yaxis"]) == ("y", "y2")
    assert matrix["zmax"] == untuned["zmax"]
    assert figure.layout["yaxis"]["domain"][0] > figure.layout["yaxis2"]["domain"][1]


@given(taus=st.lists(st.floats(0.25, 64), min_size=1, max_size=60, unique=True))
def test_names_of_temperatures_do_not_touch(taus: list[float]) -> None:
    named = apart(taus)
    assert set(named) <= set(taus)
    assert named == sorted(named)
    assert named[0] == min(taus)
    assert len(named) <= 10


@pytest.mark.parametrize("length", [3, 30])
def test_long_names_of_teachers_stand_aslant(summary: Summary, length: int) -> None:
    named = tuple(
        replace(curve, levels=tuple(f"{level:{length}}" for level in ("a", "b", "c")))
        for curve in summary.degradations
        if curve.factor == "teacher"
    )
    short, long = (
        FIGURES["teachers"].draw(replace(summary, degradations=curves))
        for curves in (summary.degradations, named)
    )
    assert short is not None
    assert long is not None
    is_long = length == 30
    assert (long.layout["xaxis"]["tickangle"] != 0) == is_long
    assert (long.height_px > short.height_px) == is_long


@pytest.mark.parametrize(
    ("augmentations", "teachers", "columns"),
    [
        (("none", "strong") * 3, ("t",) * 6, 2),
        (("none", "none", "none", "strong", "strong", "strong"), ("a", "b", "c") * 2, 3),
        (tuple("abcdefgh"), ("t",) * 8, 3),
        (("none",), ("t",), 1),
    ],
)
def test_a_column_of_panels_is_one_augmentation_or_teacher(
    summary: Summary, augmentations: tuple[str, ...], teachers: tuple[str, ...], columns: int
) -> None:
    settings = [
        replace(summary.settings[0], augmentation=augmentation, teacher=teacher)
        for augmentation, teacher in zip(augmentations, teachers, strict=True)
    ]
    assert columns_of(settings) == columns


def test_a_profile_frames_most_pairs_and_tells_of_the_rest(summary: Summary) -> None:
    losses = (-30.0, *(0.01 * index for index in range(98)), 40.0)
    shares = tuple((index + 1) / 100 for index in range(100))
    far = replace(
        summary.profiles[0],
        loss_pp=losses,
        share=shares,
        loss_at_share_pp=(0.03, 0.23, 0.48, 0.73, 0.93, 40.0),
    )
    figure = FIGURES["profiles"].draw(replace(summary, profiles=(far,)))
    assert figure is not None
    low, high = figure.layout["xaxis"]["range"]
    assert -1 < low <= -summary.margin_pp
    assert 0.9 < high < 2
    assert "the table has the rest" in figure.foot
    assert {"−30.00", "+40.00"} <= set(figure.rows[0])


# Size


def marks(figure: Figure) -> int:
    return sum(
        sum(len(row) for row in trace["z"]) if "z" in trace else len(trace["x"])
        for trace in figure.traces
    )


@pytest.fixture
def huge(summary: Summary) -> Summary:
    """100 settings, 60 seeds, 1,000 epochs, 30 temperatures."""
    first = summary.settings[0]
    keys = tuple(f"{index // 10 + 1} % · augmentation {index % 10}" for index in range(100))
    differences = tuple(math.sin(seed) for seed in range(60))
    taus = tuple(1.0 + index for index in range(30))
    epochs = tuple(range(1000))
    long = (4.0,) * 999 + (3.0,)
    runs = tuple(0.1 * index for index in range(1, 5001))
    assert summary.transfer is not None
    return replace(
        summary,
        temperatures=taus,
        published=tuple(replace(summary.published[0], key=key) for key in keys),
        settings=tuple(
            replace(first, key=key, scale=(index // 10 + 1) / 100, augmentation=str(index % 10),
                    differences_pp=differences, seeds=tuple(range(60)), best_tau=4.0)
            for index, key in enumerate(keys)
        ),
        responses=tuple(
            replace(summary.responses[0], key=key, taus=taus, mean_pp=taus, low_pp=taus,
                    high_pp=tuple(t + 1 for t in taus), minus_best_pp=taus,
                    low_minus_best_pp=taus, high_minus_best_pp=taus)
            for key in keys
        ),
        trajectories=tuple(
            Trajectory(key, epochs, long, (2.0,) * 1000, (5.0,) * 1000, long, (2.0,) * 1000,
                       (5.0,) * 1000)
            for key in keys
        ),
        transfer=TransferRegret(
            keys, tuple(tuple(float(i * j % 7) for j in range(100)) for i in range(100)),
            (0.1,) * 100, (0.2,) * 100,
        ),
        gains=tuple(replace(summary.gains[0], label=f"{i} %", scale=i / 100) for i in range(50)),
        gains_over_scales=GainsOverScales(50, 0, 3, 3, 3),
        anytime=tuple(
            AnytimeCurve(name, runs, runs, runs, tuple(r + 1 for r in runs))
            for name in USUAL
        ),
        degradations=tuple(
            replace(curve, held=f"held {index}")
            for index in range(60)
            for curve in summary.degradations
        ),
        profiles=tuple(
            replace(p, loss_pp=runs, share=tuple(r / 500 for r in runs)) for p in summary.profiles
        ),
        answer=with_keys(summary, keys),
        deciding=huge_looks(summary.deciding),
        weights=huge_weights(summary.weights[0], keys),
        final_weights=tuple(
            replace(found, ensemble=f"ensemble {index}", classes=tuple(range(1000)), teachers=tuple(
                replace(found.teachers[0], teacher=f"teacher {k}", by_class_pp=(20.0,) * 1000,
                        class_minus_overall_pp=(-40.0,) * 1000,
                        class_leaning=("not shown",) * 1000)
                for k in range(8)
            ))
            for index in range(10) for found in summary.final_weights
        ),
    )  # fmt: skip


def huge_looks(deciding: Deciding | None) -> Deciding:
    """300 declared looks, 200 of them taken."""
    assert deciding is not None
    assert deciding.outlook is not None
    numbers = range(1, 301)
    to_come = tuple(numbers[200:])
    seconds = tuple(map(float, to_come))
    return replace(
        deciding,
        declared=tuple(replace(deciding.declared[0], number=n, pilots=float(n)) for n in numbers),
        looks=tuple(replace(deciding.looks[0], number=n, pilots=float(n)) for n in numbers[:200]),
        outlook=replace(
            deciding.outlook, looks=to_come, wall_s=seconds,
            probability=tuple(tuple(s / 400 for s in seconds) for _ in range(3)),
        ),
    )  # fmt: skip


def huge_weights(curve: WeightsCurve, keys: Sequence[str]) -> tuple[WeightsCurve, ...]:
    teachers, lines = tuple(f"teacher {k}" for k in range(8)), ((1 / 3,) * 200,) * 8
    band = WeightBand(lines, lines, tuple(tuple(v + 1 for v in line) for line in lines))
    long = replace(
        curve, teachers=teachers, epochs=tuple(range(200)), overall=band, right_pp=lines,
        wrong_pp=lines, wrong_minus_right=band,
    )  # fmt: skip
    return tuple(replace(long, key=key, of=of) for of in ("logits", "features") for key in keys)


def test_a_huge_study_has_small_figures(huge: Summary) -> None:
    figures = all_figures(huge)
    assert [figure.id for figure in figures] == list(FIGURES)
    assert max(marks(figure) for figure in figures) <= MAX_MARKS
    for figure in figures:
        lines = [trace for trace in figure.traces if trace.get("mode") != "markers"]
        assert max((len(trace["x"]) for trace in lines), default=0) <= MAX_POINTS + 2
        assert len(figure.rows) <= 100
    drawn = json.dumps([[f.traces, f.layout] for f in figures])
    listed = json.dumps([[f.columns, f.rows] for f in figures], ensure_ascii=False)
    # As the page writes it: six digits, no spaces.
    rounded = json.loads(drawn, parse_float=lambda text: float(f"{float(text):.6g}"))
    compact = json.dumps(rounded, separators=(",", ":"), ensure_ascii=False)
    assert len(compact.encode()) + len(listed.encode()) < 1_500_000


def test_what_is_left_out_is_said(huge: Summary) -> None:
    said = {figure.id: figure.foot for figure in all_figures(huge)}
    assert "Drawn and listed: 24 of 200 looks, the last ones" in said["looks"]
    assert "Drawn and listed: 40 of 100 settings" in said["differences"]
    assert "50 seeds are drawn" in said["differences"]
    assert "Drawn and listed: 24 of 50 scales" in said["gains"]
    assert "Drawn and listed: 24 of 100 settings" in said["responses"]
    assert "Drawn and listed: 40 of 100 settings" in said["transfer"]
    assert "Of 1000 epochs 55 are drawn" in said["trajectories"]
    assert "Drawn and listed: 24 of 60 panels" in said["teachers"]
    assert "Drawn and listed: 24 of 200 panels" in said["weights"]
    assert "Drawn and listed: 83 of 1000 classes" in said["classes"]
    assert "Drawn and listed: 1 of 100 settings" in said["published"]


def test_what_the_title_counts_is_among_the_drawn(huge: Summary) -> None:
    *others, last = huge.settings
    flat = replace(
        last, claim="behind", versus_baseline=replace(last.versus_baseline, mean_pp=-0.01)
    )
    loud = [replace(s, versus_baseline=replace(s.versus_baseline, mean_pp=9.0)) for s in others]
    settings = (*loud, flat)
    counted = replace(huge, settings=settings, counts=setting_counts(settings))
    figure = FIGURES["differences"].draw(counted)
    assert figure is not None
    assert figure.title == f"Learning is behind in one of 100 settings: {shortened(last.key)}"
    assert [row[0] for row in figure.rows if row[4] == "behind"] == [last.key]


def test_the_worst_transfer_is_among_the_drawn(huge: Summary) -> None:
    assert huge.transfer is not None
    cells = [list(row) for row in huge.transfer.regret_pp]
    cells[3][97] = 50.0
    worst = replace(huge.transfer, regret_pp=tuple(map(tuple, cells)))
    figure = FIGURES["transfer"].draw(replace(huge, transfer=worst))
    assert figure is not None
    assert max(value for row in figure.traces[0]["z"] for value in row) == 50.0


@given(count=st.integers(0, 500), most=st.integers(1, 300))
def test_thinning_keeps_the_ends_the_order_and_the_limit(count: int, most: int) -> None:
    kept = evenly(count, most)
    assert kept == sorted(set(kept))
    assert len(kept) == min(count, most)
    if count:
        assert kept[-1] == count - 1
    if count and most > 1:
        assert kept[0] == 0


@given(sizes=st.lists(st.floats(-9, 9)), most=st.integers(1, 20))
def test_the_largest_are_kept_in_their_order(sizes: list[float], most: int) -> None:
    kept = largest(sizes, most)
    assert kept == sorted(kept)
    rest = [size for index, size in enumerate(sizes) if index not in kept]
    assert len(kept) == min(len(sizes), most)
    assert not rest or max(rest) <= min(sizes[index] for index in kept)


# Files


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.skipif(importlib.util.find_spec("kaleido") is None, reason="no kaleido installed")
@pytest.mark.parametrize("format", ["svg", "png"])
def test_figures_are_exported(summary: Summary, tmp_path: Path, format: str) -> None:
    two = replace(
        summary, responses=(), trajectories=(), gains=(), anytime=(), degradations=(),
        profiles=(), optimism=None, detectable=None, weights=(), final_weights=(),
        teaching_curves=(), answer=None, deciding=None, published=(),
    )  # fmt: skip
    files = export_figures(two, tmp_path / "figures", format)
    assert [file.name for file in files] == [f"differences.{format}", f"transfer.{format}"]
    assert sorted((tmp_path / "figures").iterdir()) == files
    for file, figure in zip(files, all_figures(two), strict=True):
        drawn = to_plotly(figure, "light").layout
        if format == "svg":
            root = ElementTree.parse(file).getroot()
            size = float(root.attrib["width"]), float(root.attrib["height"])
            assert size == (drawn.width, drawn.height)
        else:
            # A PNG's first chunk: width and height.
            size = struct.unpack(">II", file.read_bytes()[16:24])
            assert size == (2 * drawn.width, 2 * drawn.height)


def test_without_kaleido_the_export_says_what_to_install(
    summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metakd.extras.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'metakd\[export\]'"):
        export_figures(summary, tmp_path, "svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("kaleido") is None, reason="no kaleido installed")
def test_without_a_browser_the_export_says_what_to_install(
    summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    with pytest.raises(ExportError, match="Chrome or Chromium"):
        export_figures(summary, tmp_path / "figures", "svg")
    assert not (tmp_path / "figures").exists()
