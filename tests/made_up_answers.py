"""Made-up numbers of every question that has its own, over two scales and two augmentations."""

from dataclasses import replace

from metakd.analysis.along import Level
from metakd.analysis.questions.gap_numbers import LevelGap, LevelGaps, StrategyGap
from metakd.analysis.questions.start_range import StartRange, StartsOfSetting
from metakd.analysis.questions.transfer import Moves, Reuse
from metakd.analysis.statistics.intervals import Interval

KEYS = ("10 % · none", "10 % · strong", "100 % · none", "100 % · strong")
TAUS = (1.0, 4.0, 16.0)


def around(mean: float, half: float, pairs: int = 3) -> Interval:
    return Interval(mean, mean - half, mean + half, pairs, f"paired t over {pairs} seeds")


def strategy_gap(name: str, drop: float, verdict: str, mended: str | None) -> StrategyGap:
    return StrategyGap(
        strategy=name,
        by_level=(around(89.0, 1.0), around(90.0, 1.0), around(90.0 - drop, 1.0)),
        drop=around(drop, 0.5),
        drop_p=0.01,
        verdict=verdict,
        by_held=(around(drop, 0.5),),
        held_verdicts=(verdict,),
        cells_pp=((drop - 0.1, drop, drop + 0.1),),
        trend=around(-drop, 0.2),
        own_level="medium",
        own_drop=around(drop, 0.5),
        mending=None if mended is None else around(1.5 - drop, 0.4),
        mending_p=None if mended is None else 0.01,
        mended=mended,
        at_last="open",
    )


def at_level(gap: StrategyGap, level: float) -> StrategyGap:
    mending = gap.mending and replace(gap.mending, level=level)
    return replace(gap, drop=replace(gap.drop, level=level), mending=mending)


def level_gap(factor: str, measure: str) -> LevelGap:
    levels = {
        "teacher": tuple(
            Level(name, 1000, accuracy, accuracy)
            for name, accuracy in (("small", 90.0), ("medium", 92.0), ("large", 93.0))
        ),
        "augmentation": (Level("none"), Level("strong")),
    }[factor]
    strategies = (
        strategy_gap("fixed", 1.5, "there", None),
        strategy_gap("grid", 0.9, "there", "reduced"),
        strategy_gap("meta", 0.0, "not shown", "mended"),
    )
    return LevelGap(
        factor=factor,
        measure=measure,
        order="teacher accuracy" if factor == "teacher" else "study",
        levels=levels,
        held=("100 % of the data",),
        reference="fixed",
        chosen=levels[-2].name,
        confidence=1 - 0.05 / (len(levels) - 1),
        strategies=tuple(
            replace(
                at_level(each, 1 - 0.05 / (len(levels) - 1)), by_level=each.by_level[-len(levels) :]
            )
            for each in strategies
        ),
    )


def moves(along: str) -> Moves:
    return Moves(
        along=along, moves=12, changed=8, targets=4, regret=around(0.3, 0.2),
        learned=around(0.5, 0.2), default=around(-0.1, 0.2), regret_verdict="slightly better",
        learned_verdict="better", regret_claim="ahead", learned_claim="ahead", share_ahead=0.75,
        worst_pp=1.5, worst_source=KEYS[0], worst_target=KEYS[3],
    )  # fmt: skip


def start_range() -> StartRange:
    settings = tuple(
        StartsOfSetting(
            key=key, seeds=3, fixed_pp=(84.0, 90.0, 88.0), learned_pp=(89.0, 90.0, 89.5),
            learned_tau_s=(2.0, 4.0, 9.0), learned_tau_t=(3.0, 5.0, 11.0),
            scale_free_pp=(87.0, 90.0, 89.0), aligned_pp=89.7, fixed_range_pp=6.0,
            learned_range_pp=1.0, scale_free_range_pp=3.0, fixed_wrong=around(6.0, 1.0),
            learned_wrong=around(1.0, 0.5), regret=around(0.5, 0.3),
        )
        for key in KEYS
    )  # fmt: skip
    return StartRange(
        starts=TAUS, settings=settings, fixed_wrong=around(6.0, 1.0, 12),
        learned_wrong=around(1.0, 0.4, 12), saved=around(5.0, 1.0, 12),
        saved_elsewhere=around(5.0, 2.0, 12), beyond_quarter=around(-0.5, 0.3, 12),
        regret=around(0.5, 0.2, 12),
        aligned_regret=around(0.3, 0.2, 12), scale_free_wrong=around(3.0, 1.0, 12),
        scale_free_regret=around(0.1, 0.3, 12), verdict="forgets", wide_settings=4,
        forgetting_settings=4,
    )  # fmt: skip


ANSWERS = {
    "teacher_gap": LevelGaps((level_gap("teacher", "accuracy"),)),
    "augmentation_gap": LevelGaps((level_gap("augmentation", "gain"),)),
    "transfer": Reuse((moves("any"), moves("scale"), moves("augmentation")), 3, 4),
    "start_range": start_range(),
}
