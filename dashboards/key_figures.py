"""The four numbers under the verdict."""

from dataclasses import dataclass

from dashboards.contest_words import contest_words
from dashboards.numbers import NONE, between, signed
from dashboards.tones import factor
from metakd.analysis.comparison import no_data
from metakd.analysis.contest import MULTI_TEACHER, SINGLE
from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Comparison, Summary
from metakd.analysis.verdict_teachers import main_comparison

RIVALS = {"full_grid": "the full grid", "no_search": "no search"}


@dataclass(frozen=True)
class KeyFigure:
    """A number with its unit, what it is, and a line that explains it."""

    label: str
    number: str
    unit: str
    note: str


def key_figures(summary: Summary) -> tuple[KeyFigure, ...]:
    """Returns difference, compute, settings by their claim, and what a reused temperature costs."""
    main = deciding(summary)
    return _difference(main), compute_key(main), _settings(summary), _reuse(summary)


def teachers_key_figures(summary: Summary) -> tuple[KeyFigure, ...]:
    """Returns differences to the main rival and the best single teacher, compute, settings."""
    main = deciding(summary)
    single = main_comparison(summary.rivals, SINGLE)
    others = [single] if single is not None and main.rival != SINGLE else []
    differences = [_difference(comparison) for comparison in (main, *others)]
    return *differences, compute_key(main), _settings(summary)


def deciding(summary: Summary) -> Comparison:
    """Returns the comparison that the verdict is about, as the verdict chooses it."""
    if summary.question == MULTI_TEACHER:
        main = main_comparison(summary.rivals, summary.main_rival)
        return main or no_data(summary.main_rival, summary.main_rival)
    by_rival = {comparison.rival: comparison for comparison in summary.comparisons}
    known = [by_rival[name] for name in RIVALS if by_rival[name].accuracy_verdict != "no data"]
    return known[0] if known else by_rival["full_grid"]


def _difference(main: Comparison) -> KeyFigure:
    effect = main.effect
    if effect.mean_pp is None:
        note = "no complete pair of a learned and a rival run"
    elif effect.low_pp is None:
        note = f"no interval: {effect.method}"
    else:
        note = f"95 % interval {between(effect.low_pp, effect.high_pp)}"
    unit = "points" if effect.mean_pp is not None else ""
    return KeyFigure(f"Against {_rival(main)}", signed(effect.mean_pp), unit, note)


def compute_key(main: Comparison) -> KeyFigure:
    """Returns what learning costs against a rival."""
    ratios = {"in student steps": main.cost_ratio_steps, "in seconds": main.cost_ratio_seconds}
    one_run = "One run" if main.rival in RIVALS else at_start(_rival(main))
    rival = "The grid" if main.rival == "full_grid" else one_run
    known = [f"{factor(ratio)} {what}" for what, ratio in ratios.items() if ratio is not None]
    note = f"{rival} costs {' and '.join(known)}" if known else "no measured cost"
    match main.cost_verdict:
        case "cheaper":
            return KeyFigure("Compute", factor(main.cost_factor), "less", note)
        case "dearer":
            return KeyFigure("Compute", factor(main.cost_factor), "more", note)
        case "same":
            return KeyFigure("Compute", "Same", "", note)
        case _:
            return KeyFigure("Compute", NONE, "", note)


def _rival(main: Comparison) -> str:
    return RIVALS.get(main.rival) or strategy_name(main.rival)


def _settings(summary: Summary) -> KeyFigure:
    claims = [s.claim for s in summary.settings if s.versus_main.mean_pp is not None]
    words = contest_words(summary)
    if not claims:
        note = f"none has a {words.learned} and a {words.rival} result yet"
        return KeyFigure("Settings", NONE, "", note)
    counts = [claims.count(claim) for claim in ("ahead", "no clear gap", "behind")]
    return KeyFigure(
        "Settings",
        " · ".join(map(str, counts)),
        "",
        f"{words.learned} ahead · no clear gap · {words.rival} ahead",
    )


def _reuse(summary: Summary) -> KeyFigure:
    label, transfer = "If τ is reused elsewhere", summary.transfer
    if transfer is None or transfer.mean_pp is None:
        return KeyFigure(label, NONE, "", "needs a grid in two settings or more")
    worst = max(loss for row in transfer.regret_pp for loss in row if loss is not None)
    note = f"average over all moves; the worst {signed(-worst)}"
    return KeyFigure(label, signed(-transfer.mean_pp), "points", note)
