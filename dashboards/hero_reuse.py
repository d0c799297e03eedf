"""The plot beside the verdict of transfer: what is gained over a temperature from elsewhere."""

from markupsafe import Markup

from dashboards.hero_intervals import Effect, intervals_plot
from dashboards.numbers import runs
from metakd.analysis.answers import Reuse


def reuse_plot(
    reuse: Reuse, margin_pp: float, fixed_tau: float, learned_runs: float | None
) -> Markup | None:
    """Draws learning, tuning again and not searching at all; None if none of them is known."""
    overall = reuse.moves[0]
    cost = "" if learned_runs is None else f", {runs(learned_runs)} runs"
    return intervals_plot(
        [
            Effect("meta", f"learned there{cost}", overall.learned),
            Effect("grid", f"tuned there, {reuse.tuning_runs} runs", overall.regret),
            Effect("fixed", f"fixed τ = {fixed_tau:g}, 1 run", overall.default),
        ],
        margin_pp,
        zero="τ from elsewhere, 1 run",
        axis="points of test accuracy gained where it is used",
        about="Points gained over a temperature tuned elsewhere",
    )
