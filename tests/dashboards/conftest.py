"""A made-up summary of two scales × two augmentations, complete in every part."""

from pathlib import Path

import pytest
from made_up_answers import ANSWERS, KEYS, TAUS, around
from made_up_ensemble import ensemble_study
from made_up_study import USUAL, MadeUpSearch, MadeUpSegment, MadeUpStudy
from made_up_teaching import teaching_study

from metakd.analysis.basics import Basics, DistillationGain
from metakd.analysis.comparison import Baseline, Comparison
from metakd.analysis.deciding import (
    Allocation,
    Deciding,
    DeclaredLook,
    LookTaken,
    Outlook,
    PrimaryComparison,
    Prospect,
)
from metakd.analysis.figures.anytime import AnytimeCurve
from metakd.analysis.figures.degradations import DegradationCurve, level_changes
from metakd.analysis.figures.gains import GainsOverScales, SearchGain
from metakd.analysis.figures.reliability import SHARES, LossProfile, SelectionOptimism
from metakd.analysis.figures.responses import ResponseCurve, TauSpans
from metakd.analysis.figures.teaching import CurveBand, QuizFall, TeachingCurve
from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.figures.transfer import TransferRegret
from metakd.analysis.figures.weights import FinalWeight, FinalWeights, WeightBand, WeightsCurve
from metakd.analysis.inventory import Counts, Failure, Inventory, LabelUse
from metakd.analysis.made_with import MadeWith
from metakd.analysis.published import PublishedNumber, PublishedPair
from metakd.analysis.reached import CostPoint, WallClock
from metakd.analysis.sentences import Verdict
from metakd.analysis.settings import SettingCounts, SettingResult, StrategyScore
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.power import DetectableDifference
from metakd.analysis.students import KeptStudent
from metakd.analysis.summarise import summarise
from metakd.analysis.summary import SUMMARY_VERSION, Corrections, Summary


def setting(key: str, mean: float, verdict: str) -> SettingResult:
    scale, augmentation = key.split(" % · ")
    claims = {"better": "ahead", "worse": "behind"}
    return SettingResult(
        key=key,
        dataset="digits",
        scale=float(scale) / 100,
        augmentation=augmentation,
        teacher="digit_cnn",
        student="digit_cnn_tiny",
        train_samples=94,
        held_out_samples=20,
        scores=tuple(
            StrategyScore(name, 90.0 + mean, 90.5, 0.3, 1.0, 3)
            for name in ("ce", "fixed", "grid", "meta")
        ),
        versus_baseline=around(mean, 0.5),
        seeds=(0, 1, 2),
        differences_pp=(mean - 0.2, mean, mean + 0.2),
        verdict=verdict,
        best_tau=4.0,
        best_tau_by_seed=(4.0, 4.0, 1.0),
        learned_tau_s=3.0,
        learned_tau_t=5.0,
        versus_fixed=around(mean + 0.3, 0.4),
        p_value=0.01 if verdict in claims else 0.4,
        p_holm=0.03 if verdict in claims else 0.8,
        claim=claims.get(verdict, "no clear gap"),
    )


def comparison(baseline: str, label: str, mean: float) -> Comparison:
    effect = Interval(mean, mean - 0.4, mean + 0.4, 12, "two-way t over 4 settings × 3 seeds")
    return Comparison(
        baseline, label, effect, effect, 0.5, "undecided", 0, 2.4, 1.6, "cheaper", 1.5
    )


def baseline(strategy: str, mean: float, claim: str = "no clear gap") -> Baseline:
    return Baseline(
        strategy=strategy,
        test_pp=90.0 - mean,
        overall=comparison(strategy, strategy, mean),
        equal_cost=around(mean + 0.1, 0.4, 12),
        equal_cost_unready=0,
        p_value=0.001,
        p_holm=0.002 if claim != "no clear gap" else 0.4,
        claim=claim,
        equal_cost_p_holm=0.003 if claim != "no clear gap" else 0.5,
        equal_cost_claim=claim,
    )


def gain(scale: float, learned: float, size_to_match: int | None) -> SearchGain:
    return SearchGain(
        label=f"{100 * scale:g} % of the data",
        scale=scale,
        sizes=(1, 2, 3),
        grid_runs=(1.0, 2.0, 3.0),
        grid=(around(-0.5, 0.4, 6), around(0.1, 0.3, 6), around(0.3, 0.2, 6)),
        learned=around(learned, 0.3, 6),
        learned_runs=1.6,
        size_to_match=size_to_match,
        is_apart=False,
    )


def degradation(factor: str, held: str, strategy: str, *means: float | None) -> DegradationCurve:
    first, last = means[0], means[-1]
    levels = ("none", "strong") if factor == "augmentation" else ("small", "medium", "large")
    own = (None, None) if factor == "augmentation" else (90.0, 92.0, 93.0)
    return DegradationCurve(
        factor=factor,
        held=held,
        strategy=strategy,
        levels=levels,
        own_pp=own,
        order="study" if factor == "augmentation" else "teacher accuracy",
        mean_pp=means,
        low_pp=tuple(None if mean is None else mean - 0.4 for mean in means),
        high_pp=tuple(None if mean is None else mean + 0.4 for mean in means),
        change_pp=None if first is None or last is None else last - first,
    )


def profile(strategy: str, losses: tuple[float, ...], share: float) -> LossProfile:
    """Four pairs' losses, each three times."""
    first, second, third, last = losses
    at_shares = (first, first, second, third, last, last)
    quarters = (0.25, 0.5, 0.75, 1.0)
    return LossProfile(strategy, losses, quarters, share, 12, SHARES, at_shares)


def weights_curve(key: str, of: str) -> WeightsCurve:
    rising, falling = (50.0, 55.0, 60.0), (50.0, 45.0, 40.0)
    means = (rising, falling)

    def band(by: float) -> WeightBand:
        lows, highs = (tuple(tuple(v + d for v in m) for m in means) for d in (-by, by))
        return WeightBand(means, lows, highs)

    return WeightsCurve(
        "meta", key, of, ("small", "large"), 50.0, 3, (0, 1, 2), band(1.0), means, means[::-1],
        band(2.0),
    )  # fmt: skip


def final_weights(of: str) -> FinalWeights:
    def weight(teacher: str, sign: int) -> FinalWeight:
        word = {1: "above", -1: "below"}[sign]
        return FinalWeight(
            teacher=teacher, overall=around(50 + 10 * sign, 1.0), preference=around(10 * sign, 1.0),
            preferred=word, right=around(50 + 9 * sign, 1.0), wrong=around(50 + 12 * sign, 1.0),
            wrong_minus_right=around(3 * sign, 1.0), leaning=word,
            by_class_pp=(50 + 15 * sign, 50.0, None),
            class_minus_overall_pp=(5.0 * sign, -10.0 * sign, None),
            class_leaning=(word, "not shown", "not shown"),
        )  # fmt: skip

    teachers = (weight("small", 1), weight("large", -1))
    return FinalWeights("meta", of, "digits", "small+large", 4, 1, (0, 1, 2), 50.0, teachers)


def teaching_curve(key: str) -> TeachingCurve:
    def band(*means: float) -> CurveBand:
        return CurveBand(means, tuple(m - 0.1 for m in means), tuple(m + 0.1 for m in means))

    return TeachingCurve(
        "meta", key, 3, (0, 1, 2), band(70.0, 80.0, 90.0), band(95.0, 94.5, 94.0),
        band(1.0, 0.8, 0.6), band(0.9, 0.7, 0.5),
    )  # fmt: skip


def look(number: int, mean: float, half: float, word: str = "open") -> LookTaken:
    interval = Interval(mean, mean - half, mean + half, 12, "Welch's t", 1 - 0.005 / 2)
    return LookTaken(number, 1.0 + number / 2, interval, word, 3, 3 * number, 84, 250.5 * number)


def deciding() -> Deciding:
    return Deciding(
        margin_pp=0.2,
        alpha=0.05,
        pilot_seeds=3,
        declared=tuple(DeclaredLook(n, 1.0 + n / 2, 1 - 0.005 / 2) for n in (1, 2, 3, 4)),
        looks=(look(1, 0.1, 4.5), look(2, -0.1, 0.4)),
        allocation=tuple(
            Allocation(key, (3, 4 + place, 5 + 3 * place), 0.5 + place, 0.1 * place)
            for place, key in enumerate(KEYS)
        ),
        word="open",
        undeclared_pairs=0,
        prospect=Prospect(740.0, 0.83, is_enough=True),
        outlook=Outlook(
            False, (0.1, 0.2, 0.3), (3, 4), (310.0, 740.0), ((0.1, 0.3), (0.4, 0.83), (0.7, 0.95))
        ),
    )


DEGRADATIONS = (
    degradation("teacher", "100 % of the data · none", "meta", 90.0, 91.0, 91.2),
    degradation("teacher", "100 % of the data · none", "grid", 89.9, 90.7, 90.3),
    degradation("teacher", "100 % of the data · none", "fixed", 89.5, 90.0, 88.9),
    degradation("augmentation", "10 % of the data", "meta", 85.0, 84.5),
    degradation("augmentation", "10 % of the data", "grid", 85.2, None),
    degradation("augmentation", "100 % of the data", "meta", 91.0, 91.4),
    degradation("augmentation", "100 % of the data", "grid", 91.1, 91.2),
)


@pytest.fixture
def summary() -> Summary:
    return Summary(
        summary_version=SUMMARY_VERSION,
        study="grid_vs_meta",
        created="2026-01-01T00:00:00+00:00",
        margin_pp=0.2,
        fixed_tau=4.0,
        temperatures=TAUS,
        strategies=("ce", "fixed", "grid", "meta"),
        runs={"ce": 1.0, "fixed": 1.0, "grid": 3.0, "meta": 1.6},
        currency="student_compute_s",
        verdict=Verdict("Undecided, 1.5 times cheaper", "It is open.", ("One.", "Two.")),
        comparisons=(
            comparison("full_grid", "Full grid", -0.1),
            comparison("equal_cost_grid", "Grid of equal cost", 0.1),
            comparison("no_search", "No search (τ = 4)", 0.2),
        ),
        settings=(
            setting(KEYS[0], 0.0, "undecided"),
            setting(KEYS[1], -1.0, "worse"),
            setting(KEYS[2], 0.8, "better"),
            setting(KEYS[3], 0.1, "not worse"),
        ),
        counts=SettingCounts(4, 12, 4, 1, 2, 1),
        corrections=Corrections(1, 1),
        responses=tuple(
            ResponseCurve(
                key, TAUS, (88.0, 90.0, 89.0), (87.0, 89.0, None), (89.0, 91.0, None),
                (-2.0, 0.0, -1.0), (-3.0, -1.0, None), (-1.0, 1.0, None), 0.2,
            )
            for key in KEYS
        ),
        costs=(
            CostPoint("ce", None, 1.0, 85.0),
            CostPoint("fixed", None, 1.0, 89.5),
            CostPoint("meta", None, 1.6, 90.0),
            CostPoint("grid", 1, 1.0, 89.0),
            CostPoint("grid", 2, 2.0, 89.8),
            CostPoint("grid", 3, 3.0, 90.1),
        ),
        transfer=TransferRegret(
            KEYS,
            tuple(tuple(0.0 if a == b else 1.5 for b in KEYS) for a in KEYS),
            (0.1, 0.2, 0.3, None),
            (0.0, -0.2, 0.1, 0.4),
            1.5,
            1.5,
            KEYS[0],
            KEYS[3],
        ),
        trajectories=tuple(
            Trajectory(
                key, (0, 1, 2), (4.0, 3.5, 3.0), (4.0, 3.0, 2.5), (4.0, 4.0, 3.5),
                (4.0, 4.5, 5.0), (4.0, 4.2, 4.5), (4.0, 5.0, 6.0),
            )
            for key in KEYS
        ),
        inventory=Inventory(
            84, 83, 1, 0, 12, 12, 0, 100.0, 120.0, (Failure("abc123", "OSError: no space left"),)
        ),
        provenance={"command": "python studies/grid_vs_meta.py", "torch": "2"},
        spec={"scales": "0.1, 1", "seeds": "3"},
        gains=(gain(0.1, 0.2, 3), gain(1.0, 0.6, None)),
        anytime=(
            AnytimeCurve(
                "meta", (0.5, 1.0, 1.6), (80.0, 89.5, 91.0), (80.0, 89.5, 91.0), (80.0, 89.5, 91.0)
            ),
            AnytimeCurve(
                "grid", (0.5, 1.0, 2.0, 3.0), (78.0, 88.5, 90.2, 90.8), (70.0, 86.0, 89.0, 90.8),
                (81.0, 90.1, 90.7, 90.8), None,
            ),
            AnytimeCurve("fixed", (0.5, 1.0), (79.0, 90.0), (79.0, 90.0), (79.0, 90.0)),
            AnytimeCurve("ce", (0.5, 1.0), (75.0, 86.5), (75.0, 86.5), (75.0, 86.5)),
        ),
        degradations=DEGRADATIONS,
        profiles=(
            profile("meta", (-0.6, -0.1, 0.0, 0.4), 0.75),
            profile("grid", (-0.3, 0.0, 0.2, 0.5), 0.5),
            profile("fixed", (-0.2, 0.1, 0.5, 1.1), 0.25),
            profile("ce", (1.0, 3.0, 4.0, 6.0), 0.0),
        ),
        optimism=SelectionOptimism((1, 2, 3), (0.0, 0.2, 0.31), (0.0, 0.1, 0.17), 12),
        detectable=DetectableDifference(
            (2, 3, 5, 10), (9.0, 1.6, 0.9, 0.6), (1.4, 0.62, 0.5, 0.45), (0.8, 0.4, 0.35, 0.3),
            4, 8, 3, 0.62, 0.5, False, True,
        ),
        wall_clock=WallClock(
            (1, 2, 3), (3.0, 2.0, 1.0), (1.6, 1.6, 1.6), ("learned", "learned", "grid")
        ),
        tau_spans=TauSpans(4.0, 4.0, 3.0, 3.0, 4, 4),
        level_changes=level_changes(DEGRADATIONS),
        gains_over_scales=GainsOverScales(2, 1, 3, 3, 3),
        baselines=(baseline("ce", 5.0, "ahead"),),
        learner="meta",
        baseline="grid",
        question="grid_vs_meta",
        answer=ANSWERS["start_range"],
        weights=tuple(weights_curve(key, of) for of in ("logits", "features") for key in KEYS),
        final_weights=tuple(final_weights(of) for of in ("logits", "features")),
        teaching_curves=tuple(teaching_curve(key) for key in KEYS),
        quiz_falls=(QuizFall("meta", around(10.0, 1.0), "falls"),),
        label_use=(
            LabelUse(("ce", "fixed", "meta"), Counts(94, 1069), None, None),
            LabelUse(("grid",), Counts(94, 1069), Counts(20, 189), None),
        ),
        made_with=(MadeWith("torch", "2.9.1", 41), MadeWith("torch", "2.10.0", 42)),
        basics=Basics(
            "helps",
            (
                DistillationGain(
                    "meta", Interval(1.2, 0.8, 1.6, 12, "paired t over 12 seeds"), 0.001, 0.002,
                    "ahead",
                ),
            ),
            (
                "214 labelled images of digits train digit_cnn_tiny, taught by digit_cnn.",
                "Distillation helps here: the learned temperature is +1.20 points (95 % interval "
                "+0.80 to +1.60) against no teacher.",
            ),
            ("the teacher digit_mlp has 90.10 % on test, less than its student: 92.00 %",),
        ),
        published=(
            PublishedPair(
                KEYS[0],
                (
                    PublishedNumber("no teacher", 88.0, None, 240, "a table"),
                    PublishedNumber("DKD", 91.25, 4, None, "a paper"),
                ),
            ),
        ),
        students=(
            KeptStudent("2 % · none", "students/0a.safetensors", "digits-kd-tau4", 91.2, 90.1),
        ),
        primary=PrimaryComparison(
            "learned − grid", look(2, -0.1, 0.4).interval, around(-0.1, 0.6, 12), "undecided", 4, 4
        ),
        deciding=deciding(),
    )  # fmt: skip


UNKNOWN = "a strategy <b>nobody</b> has heard of"


def many_searches() -> tuple[MadeUpSearch, ...]:
    known = [name for name in USUAL if name not in ("ce", "fixed", "grid", "meta")]
    halves = (
        MadeUpSegment(2.0, "h", until=2),
        MadeUpSegment(3.0, "h", until=2),
        MadeUpSegment(3.0, "h", 4, 2),
    )
    return (
        *(MadeUpSearch(name, (MadeUpSegment(3.0, f"m-{name}"),)) for name in known),
        MadeUpSearch(UNKNOWN, halves),
        MadeUpSearch("open", (MadeUpSegment(5.0),), is_complete=False),
    )


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A study of several teachers with every strategy of its own, in two settings."""
    study = ensemble_study(augmentations=("none",))
    return summarise(study.write(tmp_path_factory.mktemp("ensemble")))


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A study of a teacher that learns to teach with every strategy of its own, two settings."""
    study = teaching_study(augmentations=("none",))
    return summarise(study.write(tmp_path_factory.mktemp("teaching")))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A study of every search with a look of its own, one unknown, and one that still runs."""
    out: Path = tmp_path_factory.mktemp("many")
    study = MadeUpStudy(scales=(1.0,), seeds=3, searches=many_searches())
    return summarise(study.write(out))
