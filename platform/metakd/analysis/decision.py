"""What a study's primary comparison shows, and the looks that were taken at it, as typed values.

As in ``summary``: accuracies and differences are percentage points (``_pp``).
"""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.looks import OPEN


@dataclass(frozen=True)
class Prospect:
    """What it would take to decide, by the variances and costs so far.

    Attributes:
        wall_s: Further seconds like those so far, until the look that is likely to decide.
        probability: That it has decided by then.
        is_enough: Whether that reaches 80 %; else it is the last look's.
    """

    wall_s: float
    probability: float
    is_enough: bool


@dataclass(frozen=True)
class Outlook:
    """How likely the looks to come decide, by the margin, with the variances and costs so far.

    Attributes:
        is_anew: Whether they are those of a study anew, as this one's have all been taken.
        margins_pp: Ascending, the declared one among them.
        looks: Numbers of the looks to come.
        wall_s: Further seconds like those so far until each of them.
        probability: ``[margin][look]``: that it is decided by then.
    """

    is_anew: bool
    margins_pp: tuple[float, ...]
    looks: tuple[int, ...]
    wall_s: tuple[float, ...]
    probability: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class DeclaredLook:
    """A look as it was declared before the first trial.

    Attributes:
        number: From 1 on.
        pilots: Compute behind it, in that of the pilot.
        level: How often its interval covers.
    """

    number: int
    pilots: float
    level: float


@dataclass(frozen=True)
class LookTaken:
    """A declared look as it was taken.

    Attributes:
        number: From 1 on.
        pilots: Compute behind it, in that of the pilot.
        interval: The primary comparison.
        word: "equivalent", "ahead", "behind" or "open".
        least_seeds: Of any setting.
        most_seeds: Likewise.
        trials: Finished by then.
        wall_s: How long the study had run.
    """

    number: int
    pilots: float
    interval: Interval
    word: str
    least_seeds: int
    most_seeds: int
    trials: int
    wall_s: float


@dataclass(frozen=True)
class Allocation:
    """What a setting was given.

    Attributes:
        key: The setting.
        seeds: At each look that was taken, and behind the next one where a block follows.
        sd_pp: Standard deviation of its differences at the last look; None where unknown.
        cost: What a seed costs there, in all settings that share it, as a share of one seed
            everywhere.
    """

    key: str
    seeds: tuple[int, ...]
    sd_pp: float | None
    cost: float


@dataclass(frozen=True)
class Deciding:
    """A study that runs until its primary comparison is decided.

    Attributes:
        margin_pp: What counts as equal.
        alpha: Probability that any look's interval misses.
        pilot_seeds: Of every setting at the first look.
        declared: The looks that were declared.
        looks: Those that were taken.
        allocation: By setting, in the order of the report.
        word: Of the last look; "open" before the first.
        undeclared_pairs: Pairs that came after the last look; they show in the numbers alone.
        prospect: What it would take to decide; None where it is decided or nothing more can be.
        outlook: The same by look and margin, of a study anew where all looks were taken; None where
            it is decided or nothing is known.
    """

    margin_pp: float
    alpha: float
    pilot_seeds: int
    declared: tuple[DeclaredLook, ...]
    looks: tuple[LookTaken, ...]
    allocation: tuple[Allocation, ...]
    word: str
    undeclared_pairs: int
    prospect: Prospect | None
    outlook: Outlook | None

    @property
    def is_decided(self) -> bool:
        """Whether a look has decided."""
        return self.word != OPEN

    @property
    def seeds_at_last_look(self) -> tuple[int, ...]:
        """How many seeds each setting had at the last look; there must be one."""
        return tuple(each.seeds[len(self.looks) - 1] for each in self.allocation)

    @property
    def is_at_its_end(self) -> bool:
        """Whether all declared looks were taken."""
        return len(self.looks) == len(self.declared)

    @property
    def goes_on(self) -> bool:
        """Whether a look is still to come: the first one, or one whose block was allocated."""
        steps = [len(each.seeds) for each in self.allocation]
        return not self.is_decided and max(steps, default=1) > len(self.looks)


@dataclass(frozen=True)
class PrimaryComparison:
    """The one comparison that a study's headline is about.

    Attributes:
        label: What is subtracted from what.
        here: The mean over the study's settings, with seeds as the only chance: at the last look
            where looks were declared. Where settings share their seeds, as in stores of before, the
            two-way interval over settings and seeds.
        elsewhere: For other settings like these; None where ``here`` is that already, and of one
            setting.
        verdict: One of the words of ``Comparison.accuracy_verdict``.
        settings: How many settings, or combinations of what a gap holds, the study has.
        measured: How many of them went in; the others have no two pairs.
    """

    label: str
    here: Interval
    elsewhere: Interval | None
    verdict: str
    settings: int
    measured: int
