"""The drawings and numbers that the page shows before any script runs."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.reached import CostPoint
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import cost_words, duration
from metakd.dashboards.questions.elements import compute_key, headline_comparison
from metakd.dashboards.questions.grid_vs_meta import WIDTH, compute_plot, key_figures
from metakd.dashboards.report import arrange
from metakd.dashboards.svg import interval_bar, reach
from metakd.dashboards.theme import badge_tone

LABEL = re.compile(r'class="label (\w+)" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)<')
accuracy = st.floats(0.0, 100.0)


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Where labels lie if a letter is 6 units wide and 12 high."""
    found = []
    for _, x, y, anchor, text in LABEL.findall(svg):
        width = 6.0 * len(text)
        left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        found.append((left, float(y) - 10, left + width, float(y) + 2))
    return found


@given(
    grid=st.lists(accuracy, min_size=1, max_size=9),
    fixed=accuracy,
    learned=accuracy,
    cost=st.floats(0.5, 40.0),
)
def test_labels_stay_inside_and_apart(
    grid: list[float], fixed: float, learned: float, cost: float
) -> None:
    points = [CostPoint("grid", k, float(k), pp) for k, pp in enumerate(grid, start=1)]
    points += [CostPoint("fixed", None, 1.0, fixed), CostPoint("ce", None, 1.0, 1.0)]
    points += [CostPoint("meta", None, cost, learned)]
    svg = compute_plot(points, 4.0)
    assert svg is not None
    placed = boxes(svg)
    assert len(placed) == 3
    for number, (x0, y0, x1, y1) in enumerate(placed):
        assert x0 >= 0
        assert x1 <= WIDTH
        for a0, b0, a1, b1 in placed[number + 1 :]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


def test_the_plot_says_its_numbers_to_who_does_not_see_it(summary: Summary) -> None:
    svg = str(compute_plot(summary.costs, summary.fixed_tau))
    learned = next(point for point in summary.costs if point.strategy == "meta")
    assert f"learned {learned.test_pp:.2f} % at {learned.runs:.1f} runs" in svg
    assert f"learned, {learned.runs:.1f} runs" in svg
    assert "no teacher" not in svg


def test_there_is_no_plot_without_two_to_compare(summary: Summary) -> None:
    only = [point for point in summary.costs if point.strategy == "meta"]
    assert compute_plot(only, 4.0) is None
    assert compute_plot([p for p in summary.costs if p.strategy != "meta"], 4.0) is None
    assert compute_plot([replace(p, runs=None) for p in summary.costs], 4.0) is None


def test_a_bar_lies_where_its_interval_does() -> None:
    effect = Interval(0.5, 0.0, 1.0, 9, "")
    bar = str(interval_bar(effect, 0.2, reach([effect], 0.2)))
    number = r"([\d.]+)"
    ((low, high),) = re.findall(f'class="interval" x1="{number}" x2="{number}"', bar)
    ((zero, _),) = re.findall(f'class="zero" x1="{number}" x2="{number}"', bar)
    assert float(low) == pytest.approx(float(zero))
    assert float(high) > float(low)
    assert "mean" not in interval_bar(Interval(None, None, None, 0, ""), 0.2, 1.0)


def test_key_figures_repeat_the_summary(summary: Summary) -> None:
    difference, compute, settings, reuse = key_figures(summary)
    main = summary.comparisons[0]
    assert main.effect.mean_pp is not None
    assert difference.number == f"{main.effect.mean_pp:+.2f}".replace("-", "−")
    assert sum(map(int, settings.number.split(" · "))) == len(summary.settings)
    cheap = replace(main, cost_verdict="cheaper", cost_factor=3.14159)
    dear = replace(main, cost_verdict="dearer", cost_factor=1.5)
    for comparison, number, unit in ((cheap, "3.1×", "less"), (dear, "1.5×", "more")):
        compute = key_figures(replace(summary, comparisons=(comparison, *summary.comparisons[1:])))[
            1
        ]
        assert (compute.number, compute.unit) == (number, unit)
    assert summary.transfer is not None
    moved = replace(summary, transfer=replace(summary.transfer, mean_pp=0.37))
    reuse = key_figures(moved)[3]
    assert reuse.number == "−0.37"


def test_without_a_grid_the_default_temperature_decides(summary: Summary) -> None:
    full, equal, none = summary.comparisons
    gone = replace(full, accuracy_verdict="no data")
    assert headline_comparison(replace(summary, comparisons=(gone, equal, none))) is none
    nothing = tuple(replace(c, accuracy_verdict="no data") for c in summary.comparisons)
    assert headline_comparison(replace(summary, comparisons=nothing)).baseline == "full_grid"


@pytest.mark.parametrize(
    ("accuracy", "cost", "tone"),
    [
        ("better", "dearer", "good"),
        ("not worse", "cheaper", "good"),
        ("equivalent", "cheaper", "good"),
        ("not worse", "same", "neutral"),
        ("undecided", "cheaper", "neutral"),
        ("worse", "cheaper", "bad"),
        ("no data", "unknown", "neutral"),
    ],
)
def test_a_tie_is_good_only_where_it_is_cheaper(
    summary: Summary, accuracy: str, cost: str, tone: str
) -> None:
    comparison = replace(summary.comparisons[0], accuracy_verdict=accuracy, cost_verdict=cost)
    assert badge_tone(comparison) == tone


def test_cost_words(summary: Summary) -> None:
    main = summary.comparisons[0]
    assert cost_words(replace(main, cost_verdict="cheaper", cost_factor=3.14)) == "3.1× cheaper"
    assert cost_words(replace(main, cost_verdict="same")) == "same cost"
    assert cost_words(replace(main, cost_verdict="mixed")) == "mixed"
    assert compute_key(replace(main, cost_verdict="mixed")).number == "Mixed"
    assert cost_words(replace(main, cost_verdict="unknown")) == "unknown"


def test_tiles_are_the_settings_by_scale_and_augmentation(summary: Summary) -> None:
    tiles = arrange(summary.settings[:-1])
    assert tiles.columns == ("none", "strong")
    assert [row.label for row in tiles.rows] == ["10 %", "100 %"]
    assert tiles.rows[1].cells == (summary.settings[2], None)


def test_tiles_name_what_else_differs(summary: Summary) -> None:
    bigger = [replace(setting, teacher="big") for setting in summary.settings]
    tiles = arrange([*summary.settings, *bigger])
    assert len(tiles.rows) == 4
    assert tiles.rows[2].label == "10 % · big"
    assert tiles.row_name == "share of the training data, teacher"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200.0, "3 min 20 s"),
        (3599.7, "1 h"),
        (7500.0, "2 h 5 min"),
        (4e6, "1,111 h 7 min"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
