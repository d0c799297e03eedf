"""A study of many strategies, some of which nobody has heard of, from its store to its page."""

from dataclasses import replace

import pytest
from html_page import Page
from made_up_study import USUAL

from metakd.analysis.summary import Summary
from metakd.dashboards.figures import FIGURES, to_plotly
from metakd.dashboards.report import render

UNKNOWN = "a strategy <b>nobody</b> has heard of"


def test_an_unknown_strategy_is_everywhere_on_the_page(many: Summary) -> None:
    page = Page(render(many))
    assert not any(tag == "b" and attrs.get("onerror") for tag, attrs in page.tags)
    rows = page.words
    assert "Against every other strategy" in rows
    [baseline] = [baseline for baseline in many.baselines if baseline.strategy == UNKNOWN]
    assert f"{UNKNOWN} {baseline.overall.effect.mean_pp:+.2f}".replace("-", "−") in rows
    # In the table of settings, and in the data of the three figures that show all strategies.
    assert rows.count(UNKNOWN) >= 4
    assert "open – no data" in rows
    # The one that still runs has no p value to correct.
    assert f"correction over {len(many.baselines) - 1} strategies;" in rows
    # Sixteen of seventeen strategies, in two settings of three seeds.
    assert "are there; 96 of 102 strategy runs have ended" in rows
    assert "96 of 102 ended" in rows


@pytest.mark.parametrize("name", ["anytime", "augmentations", "profiles"])
def test_figures_of_many_strategies_name_each_once(many: Summary, name: str) -> None:
    figure = FIGURES[name].draw(many)
    assert figure is not None
    drawn = to_plotly(figure, "dark")
    shown = [t.name for t in drawn.data if t.name and t.showlegend is not False]
    names = set(shown)
    assert any(name.startswith("a strategy &lt;b&gt;nobo") for name in names)
    assert len(names) == len(USUAL) + 1
    assert "<b>" not in "".join(shown)
    if name == "anytime":
        # Where curves are named at their ends, there is no legend beside.
        assert drawn.layout.showlegend is False
        assert len(drawn.layout.annotations) == len(USUAL) + 1
        assert "Not drawn, as too few of its pairs are complete: open." in figure.foot


def test_what_is_not_done_at_equal_cost_is_said(many: Summary) -> None:
    nothing = replace(
        many.baselines[0].equal_cost, mean_pp=None, low_pp=None, high_pp=None, pairs=0
    )
    late = replace(many.baselines[0], equal_cost=nothing, equal_cost_unready=6)
    counts = replace(many.corrections, strategies=1, equal_cost=0)
    page = Page(render(replace(many, baselines=(late,), corrections=counts)))
    assert "– no run done by then in 6" in page.words
    assert "1 strategy, 0 at equal cost;" in page.words
