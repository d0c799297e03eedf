"""Any strategy can be told from the others, in both themes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from made_up_study import USUAL

from metakd.dashboards.figures.anytime import apart
from metakd.dashboards.figures.figure import LEGEND_PX, escape, legend_room
from metakd.dashboards.theme import MAIN, coloured, styles_of
from metakd.strategies import STRATEGIES, style_of

STYLES = {name: style for name in STRATEGIES if (style := style_of(name)) is not None}


def test_fixed_looks_are_all_different() -> None:
    styles = list(STYLES.values())
    assert len({style.name for style in styles}) == len(styles)
    assert len({(style.colour, style.dash) for style in styles}) == len(styles)
    assert set(MAIN) <= set(STYLES)


@given(st.lists(st.sampled_from([*STYLES, *(f"new {n}" for n in range(40))]), max_size=40))
def test_no_two_strategies_look_alike(names) -> None:
    styles = styles_of(names)
    assert set(styles) == set(names)
    drawn = [(style.colour, style.dash) for style in styles.values()]
    assert len(set(drawn)) == len(drawn)
    for name, style in styles.items():
        assert style == STYLES.get(name, style)
        for theme in ("light", "dark"):
            assert coloured(style.colour, theme).startswith("#")


def test_an_unknown_strategy_has_a_hue_of_its_own_while_there_are_any() -> None:
    styles = styles_of([*USUAL, "new", "newer"])
    hues = [style.colour for style in styles.values()]
    assert len(set(hues)) == len(hues)
    assert list(styles)[-2:] == ["new", "newer"]
    # The order decides, nothing else.
    assert styles_of(["newer", "new"])["newer"] == styles_of(["newer"])["newer"]


@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=25),
    st.floats(1, 30),
)
def test_names_are_apart_in_order_and_inside(levels, gap) -> None:
    places = apart(levels, gap, 0.0, 300.0)
    room = min(gap, 300 / max(len(levels) - 1, 1))
    order = sorted(range(len(levels)), key=lambda index: levels[index])
    for lower, upper in pairwise(order):
        assert places[upper] - places[lower] >= room - 1e-6
    assert min(places) >= -1e-6
    assert max(places) <= 300 + 1e-6


def test_names_with_room_stay_at_their_levels() -> None:
    assert apart([100.0, 20.0, 50.0], 17.0, 0.0, 300.0) == [100.0, 20.0, 50.0]
    # Two that touch stand around their middle.
    assert apart([100.0, 104.0], 17.0, 0.0, 300.0) == [93.5, 110.5]


def test_a_legend_grows_with_its_entries() -> None:
    assert legend_room(["learned", "grid", "fixed τ", "no teacher"]) == LEGEND_PX
    rooms = [legend_room(["a strategy"] * count) for count in range(1, 30)]
    assert rooms == sorted(rooms)
    assert rooms[-1] > LEGEND_PX


def test_a_users_word_is_no_colour_and_no_template() -> None:
    assert not escape("@meta").startswith("@")
    assert "%{" not in escape("%{x}")
