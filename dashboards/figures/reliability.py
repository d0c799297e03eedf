"""How often a strategy loses how much, and how much the best of k runs flatters itself."""

from collections.abc import Sequence

from metakd.analysis.figures.reliability import LossProfile, SelectionOptimism
from metakd.analysis.summary import Summary
from metakd.dashboards.figures.drawing import margin_band, scatter
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    LEGEND_PX,
    LONGEST_ENTRY,
    MAX_POINTS,
    Figure,
    Trace,
    axis,
    base_layout,
    evenly,
    label,
    legend_room,
    padded,
)
from metakd.dashboards.formats import percent, signed
from metakd.dashboards.theme import line_px, own_style, styles_in
from metakd.strategies import Style

PROFILES_PX = 400
# Of each strategy's pairs, by their loss.
FRAMED = (0.05, 0.95)
OPTIMISM_PX = 380
# Less than this prints as 0.00.
NOTHING_PP = 0.005


def profiles_title(profiles: Sequence[LossProfile]) -> str:
    """Returns the title: the share of runs that lose nothing to the best fixed τ, by strategy."""
    shares = {profile.strategy: profile.share_not_behind for profile in profiles}
    if "meta" not in shares:
        return "Loss against the best fixed temperature of each setting"
    found = f"{percent(shares['meta'])} of learned runs"
    if "grid" in shares:
        found += f" and {percent(shares['grid'])} of grid searches"
    return f"{found} lose nothing to the best fixed τ"


def profiles_figure(summary: Summary) -> Figure | None:
    """Draws the share of pairs against the loss that is allowed; None without a profile."""
    by_name = {profile.strategy: profile for profile in summary.profiles if profile.loss_pp}
    styles = {name: style for name, style in styles_in(summary).items() if name in by_name}
    profiles = [by_name[name] for name in styles]
    if not profiles:
        return None
    # Without a teacher so much is lost that the rest would be a wall; so would a few bad seeds.
    framed = [p for p in profiles if p.strategy != "ce"] or profiles
    low = min(min(_loss_of(p, FRAMED[0]) for p in framed), -summary.margin_pp)
    high = max(max(_loss_of(p, FRAMED[1]) for p in framed), summary.margin_pp)
    pad = 0.04 * (high - low)
    is_cut = any(p.loss_pp[-1] > high or p.loss_pp[0] < low for p in profiles)
    title = profiles_title(profiles)
    legend_px = legend_room([style.name for style in styles.values()])
    height_px = PROFILES_PX + legend_px - LEGEND_PX
    return Figure(
        id="profiles",
        title=title,
        subtitle="Share of pairs that lose no more than a given amount against the best fixed "
        "temperature of their setting. Higher is better; left of the line is a gain.",
        description=f"{title}. Rising step curves of the share of pairs against the loss: "
        + "; ".join(
            f"{styles[p.strategy].name}, {percent(p.share_not_behind)} lose nothing"
            for p in profiles
        )
        + ".",
        traces=tuple(_trace(p, styles[p.strategy], low - pad, high + pad) for p in profiles),
        layout=base_layout(
            height_px,
            legend_px=legend_px,
            xaxis=axis(
                "loss against the best fixed temperature, points",
                range=[low - pad, high + pad],
                showgrid=False,
                **AT_ZERO,
            ),
            yaxis=axis("share of pairs, %", range=[0, 102], tickvals=[0, 25, 50, 75, 100]),
            shapes=[margin_band(summary.margin_pp, "x", "y")],
        ),
        height_px=height_px,
        columns=(
            "strategy", "pairs", "lose nothing", "least loss",
            *(f"{100 * share:.0f} % lose at most" for share in profiles[0].at_shares),
        ),
        rows=tuple(_cells(profile, styles[profile.strategy]) for profile in profiles),
        foot="One pair is a setting and a seed; the best fixed temperature has the best mean "
        "validation accuracy over seeds. Shares of the pairs seen, without an interval. The shade "
        f"is the margin of ±{summary.margin_pp:.2f} points."
        + (" The axis spans the middle 90 % of pairs of each strategy with a teacher; the table "
           "has the rest." if is_cut else ""),
    )  # fmt: skip


def _trace(profile: LossProfile, style: Style, left: float, right: float) -> Trace:
    kept = evenly(len(profile.loss_pp), MAX_POINTS)
    losses = [profile.loss_pp[index] for index in kept]
    shares = [100 * profile.share[index] for index in kept]
    # From the left edge to the right one: no pair has lost less than the least.
    x, y = [min(left, losses[0]), *losses, max(right, losses[-1])], [0.0, *shares, shares[-1]]
    trace = scatter(
        x, y, style, width=line_px(profile.strategy), name=label(style.name, LONGEST_ENTRY),
        hover=f"{label(style.name)}: %{{y:.0f}} % lose at most %{{x:.2f}}",
    )  # fmt: skip
    trace["line"]["shape"] = "hv"
    return trace


def _cells(profile: LossProfile, style: Style) -> tuple[str, ...]:
    return (
        style.name,
        str(profile.pairs),
        percent(profile.share_not_behind),
        signed(profile.loss_pp[0]),
        *(signed(loss) for loss in profile.loss_at_share_pp),
    )


def _loss_of(profile: LossProfile, share: float) -> float:
    return profile.loss_at_share_pp[profile.at_shares.index(share)]


def optimism_title(optimism: SelectionOptimism) -> str:
    """Returns the title: how much the worse of two common ways to report flatters the full grid."""
    size = optimism.runs[-1]
    validation, picked = optimism.validation_quoted_pp[-1], optimism.test_picked_pp[-1]
    if max(validation, picked) < NOTHING_PP:
        return f"Neither shortcut of reporting would flatter the grid of {size}"
    if validation >= picked:
        return (
            "Quoting the winner's validation score would flatter the grid by "
            f"{validation:.2f} points"
        )
    return f"Picking the winner on test would flatter the grid by {picked:.2f} points"


def optimism_figure(summary: Summary) -> Figure | None:
    """Draws the optimism of two shortcuts against the grid's size; None below two runs."""
    optimism = summary.optimism
    if optimism is None or len(optimism.runs) < 2:
        return None
    kept = evenly(len(optimism.runs), MAX_POINTS)
    ks = [optimism.runs[index] for index in kept]
    lines = (
        (own_style("grid")._replace(name="this report"), [0.0] * len(ks)),
        (
            Style("validation score quoted", "@muted", "triangle-up", "dash"),
            [optimism.validation_quoted_pp[index] for index in kept],
        ),
        (
            Style("picked on test", "@plum", "x", "dot"),
            [optimism.test_picked_pp[index] for index in kept],
        ),
    )
    title = optimism_title(optimism)
    values = [*optimism.validation_quoted_pp, *optimism.test_picked_pp, 0.0, summary.margin_pp]
    return Figure(
        id="optimism",
        title=title,
        subtitle="Two common ways to score the best of k runs, against the one used here (chosen "
        "on validation, read on test). Above the line a way promises more than it keeps.",
        description=f"{title}. Line plot against the grid's size: at {ks[-1]} runs, quoting "
        f"validation is {signed(optimism.validation_quoted_pp[-1])} and picking on test "
        f"{signed(optimism.test_picked_pp[-1])} points off.",
        traces=tuple(
            scatter(
                ks, points, style, mode="lines+markers", width=2.5, size=8, name=style.name,
                hover="best of %{x}: %{y:+.3f} points",
            )
            for style, points in lines
        ),
        layout=base_layout(
            OPTIMISM_PX,
            xaxis=axis(
                "grid size k", showgrid=False, range=[ks[0] - 0.3, ks[-1] + 0.3],
                dtick=max(1, round(len(optimism.runs) / 12)), tick0=1,
            ),
            yaxis=axis("points too optimistic", range=padded(values, 0.08)),
            shapes=[margin_band(summary.margin_pp, "y", "x")],
        ),
        height_px=OPTIMISM_PX,
        columns=("k", "validation quoted", "picked on test"),
        rows=tuple(
            (
                str(optimism.runs[index]),
                signed(optimism.validation_quoted_pp[index], 3),
                signed(optimism.test_picked_pp[index], 3),
            )
            for index in kept
        ),
        foot=f"Mean over {optimism.pairs} pairs of setting and seed and all subsets of k "
        "temperatures, without an interval. The mean gap of validation and test is taken off the "
        f"quoted score. The shade is the margin of ±{summary.margin_pp:.2f} points.",
    )  # fmt: skip
