"""The plot beside the verdict of transfer: what is gained over a temperature from elsewhere."""

from markupsafe import Markup

from dashboards.numbers import runs, signed
from dashboards.svg import diamond, reach
from metakd.analysis.answers import Reuse
from metakd.analysis.intervals import Interval

WIDTH, HEIGHT = 420, 268
LEFT, RIGHT, TOP, BOTTOM = 12, 408, 58, 228


def reuse_plot(
    reuse: Reuse, margin_pp: float, fixed_tau: float, learned_runs: float | None
) -> Markup | None:
    """Draws learning, tuning again and not searching at all; None if none of them is known."""
    overall = reuse.moves[0]
    cost = "" if learned_runs is None else f", {runs(learned_runs)} runs"
    rows: list[tuple[str, str, Interval]] = [
        ("meta", f"learned there{cost}", overall.learned),
        ("grid", f"tuned there, {reuse.tuning_runs} runs", overall.regret),
        ("fixed", f"fixed τ = {fixed_tau:g}, 1 run", overall.default),
    ]
    known = [row for row in rows if row[2].mean_pp is not None]
    if not known:
        return None
    most = reach((interval for _, _, interval in known), margin_pp)

    def at(value: float) -> float:
        return (LEFT + RIGHT) / 2 + value / most * (RIGHT - LEFT) / 2

    parts = [
        f'<rect class="margin" x="{at(-margin_pp):.1f}" y="{TOP - 20}" rx="3" '
        f'width="{at(margin_pp) - at(-margin_pp):.1f}" height="{BOTTOM - TOP + 20}"/>',
        f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="{TOP - 20}" y2="{BOTTOM}"/>',
        f'<text x="{at(0):.1f}" y="{TOP - 32}" text-anchor="middle">τ from elsewhere, 1 run</text>',
    ]
    step = (BOTTOM - TOP) / len(known)
    for index, (name, label, interval) in enumerate(known):
        y = TOP + (index + 0.62) * step
        mean = interval.mean_pp or 0.0
        if interval.low_pp is not None and interval.high_pp is not None:
            parts.append(
                f'<line class="interval {name}" x1="{at(interval.low_pp):.1f}" '
                f'x2="{at(interval.high_pp):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        parts.append(f'<path class="dot {name}" d="{diamond(at(mean), y, 8)}"/>')
        # On the side where more room is.
        right = mean <= 0
        x, anchor = (RIGHT, "end") if right else (LEFT, "start")
        parts.append(
            f'<text class="label {name}" x="{x}" y="{y - 6:.1f}" text-anchor="{anchor}">'
            f"{label}</text>"
            f'<text x="{x}" y="{y + 11:.1f}" text-anchor="{anchor}">{signed(mean)}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 26}" text-anchor="middle">'
        "points of test accuracy gained where it is used</text>"
    )
    words = "; ".join(f"{label} {signed(interval.mean_pp)}" for _, label, interval in known)
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Points gained over a temperature tuned elsewhere: {words}.">'
        f"{''.join(parts)}</svg>"
    )
