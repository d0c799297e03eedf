"""Population Based Training: a schedule of temperatures, found while the students train.

All members of a population train for a while; then the worst quarter copies the weights of a member
of the best quarter and goes on from there at a temperature near its own. Here all members of a
setting and seed share initial weights and batches, so that to have a member's weights is to have
its schedule up to now: a copy is a branch of a schedule, exact, shared by content, and safe to
resume. Ray Tune's own PBT copies in the order in which results happen to arrive.

Source: Jaderberg et al. 2017 (arXiv 1711.09846): truncation selection, perturbation by 0.8 or 1.25.
"""

from typing import TYPE_CHECKING

import numpy as np

from metakd.strategies.strategy import Choices, Search, Segment, Strategy, Style

if TYPE_CHECKING:
    from metakd.core.distillers.kd_schedule import Segment as Part

ROUNDS = 8
SELECTED = 4
"""One in so many is replaced, and one in so many is copied."""
FACTORS = (0.8, 1.25)
DRAWN_ANEW = 0.25
"""How often a copy gets a temperature from the whole range instead of one near its model's."""


def _search(choices: Choices) -> Search:
    from metakd.core.distillers import scheduled

    draws = np.random.default_rng(choices.seed)
    low, high = choices.range
    size = int(choices.budget)
    # One in each of as many equal parts of the range: few draws can lie badly.
    places = (np.arange(size) + draws.uniform(size=size)) / size
    population: list[tuple[Part, ...]] = [
        ((0, float(tau)),) for tau in np.exp(np.log(low) + places * np.log(high / low))
    ]
    ends = _ends(choices.epochs)
    for end in ends:
        until = end if end < choices.epochs else None
        val_accs = yield [Segment(scheduled(taus, choices.alpha), until) for taus in population]
        if until is None:
            return
        ranked = np.argsort(-np.asarray(val_accs), kind="stable")
        few = max(1, size // SELECTED)
        for loser, winner in zip(ranked[-few:], draws.choice(ranked[:few], few), strict=True):
            model = population[winner]
            factor = draws.choice(FACTORS)
            anew = float(np.exp(draws.uniform(*np.log(choices.range))))
            near = float(np.clip(model[-1][1] * factor, low, high))
            tau = anew if draws.uniform() < DRAWN_ANEW else near
            population[loser] = (*model, (end, tau))


def _ends(epochs: int) -> list[int]:
    """Returns after how many epochs the rounds end, the last at the end of the run."""
    return sorted({max(1, round(epochs * (number + 1) / ROUNDS)) for number in range(ROUNDS)})


PBT = Strategy(
    "Population Based Training of a schedule",
    _search,
    style=Style("PBT", "@rose", "hexagon", "solid"),
    is_searcher=True,
    needs_range=True,
    min_runs=2,
)
