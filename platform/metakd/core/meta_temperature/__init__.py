r"""Learned temperatures: a drop-in for any loop, and the measurements behind its defaults.

``MetaTemperature`` holds the loss (``tempered_loss``), remembers the steps that look-aheads need
(``watch``), and moves the temperatures by a rule: ``search``, which has no start, or ``gradient``,
MKD's after the abstract of arXiv 2202.07940. What each setting means stands in ``config``.

**How it was judged.** Test accuracy in %, 8 seeds, small CNNs (``tests/benchmarks/start_range.py``
repeats the tables). *Regret*: the fixed τ of {1, 2, 4, 8, 16} that validation chooses, minus the
learned, with its 95 % interval. *Start range*: largest minus smallest mean over starts at these τ;
search has no start to vary. Held-out samples, 10 % of all that are not tested on, judged the
look-aheads.

=========================  ============  ======================  ===========  =====================
digits                     start range   regret at τ = 4         start range  regret at τ = 4
                           10 %, none    10 %, none              30 %, none   30 %, none
=========================  ============  ======================  ===========  =====================
fixed τ (the grid)         4.52                                  2.67
search (default)           none          −0.46 [−1.32, +0.39]    none         +0.14 [−0.39, +0.67]
before: Adam 0.02, τ_sτ_t  2.99          −0.05 [−1.35, +1.26]    0.60         +0.35 [−0.33, +1.02]
=========================  ============  ======================  ===========  =====================

=========================  ============  ======================  ===========  =====================
digits                     10 %, strong  10 %, strong            30 %, strong 30 %, strong
=========================  ============  ======================  ===========  =====================
fixed τ (the grid)         7.91                                  2.90
search (default)           none          −2.37 [−4.66, −0.07]    none         +0.00 [−1.22, +1.22]
before: Adam 0.02, τ_sτ_t  13.96         −0.93 [−4.72, +2.86]    1.04         +0.30 [−0.99, +1.60]
=========================  ============  ======================  ===========  =====================

=========================  ============  ======================  ===========  =====================
CIFAR-10                   1 %, none     1 %, none               2 %, none    2 %, none
=========================  ============  ======================  ===========  =====================
fixed τ (the grid)         2.51                                  3.53
search (default)           none          −0.17 [−1.02, +0.68]    none         −0.42 [−0.99, +0.15]
before: Adam 0.02, τ_sτ_t  2.02          +0.17 [−0.62, +0.97]    3.00         +0.32 [−0.32, +0.96]
=========================  ============  ======================  ===========  =====================

CIFAR-10 with standard augmentation, search alone: regret −0.31 [−1.11, +0.50] at 1 %, and
+0.12 [−0.61, +0.85] at 2 %.

**What limits the gradient rule** is mostly where the hypergradient points. At its defaults, judged
by the next training batch, 12 seeds at 10 % of digits and 9 at 30 %, regret averaged over the five
starts:

============  ===========  ===========  =====  =================  ======================
digits        fixed range  start range  noise  moved at a tenth   regret
============  ===========  ===========  =====  =================  ======================
10 %, none    3.99         1.31         0.8    0.23               +0.25 [−0.54, +1.05]
10 %, strong  5.98         4.00         3.2    1.14               −7.41 [−10.26, −4.55]
30 %, none    2.25         0.52         0.5    0.58               +0.34 [−0.11, +0.79]
30 %, strong  4.16         1.86         1.0    1.26               +1.09 [+0.17, +2.01]
============  ===========  ===========  =====  =================  ======================

*Noise* is the range that five equal starts would show. *Moved at a tenth*: the range over the
starts 1, 4 and 16 where all three are set to where start 4 ends after a tenth of the steps. Early
steps at a bad temperature therefore cost little; but the gradient does not lead there.

The fixed τ of the table have Hinton's factor. With the free factor, 8 seeds, they range over 1.58
at 10 % none and 9.28 at 10 % strong, where the starts then range over 1.07 and 5.29; τ = 1 is the
best there at 10 % strong, and learning regrets +1.5 [−4.0, +7.0] to it: the gain of 7 points over
the grid is one of the factor, not of learning.

Split into the common change of log τ_s and log τ_t and their difference, at fixed temperatures:

- At τ = 16 the gradient of the common change has no mean (t = −0.3 to +0.1 at 10 %, strong, with
  the whole batch at every step): the loss is all but flat in it. The difference has one (t = 4 to
  5).
- At τ = 1 under strong augmentation one step of the student is better at a lower τ (t = 2 to 3),
  and the end of training at a higher one: at 30 % start 1 ends at (0.7, 1.0) and 2 points below
  start 4. A look-ahead over three steps points the same way (t = 2 to 3).
- Without augmentation most late look-aheads favour a sharper teacher, and rare large ones offset
  them: at 30 % and τ = 4 the mean of the signs has t = −6, that of the gradients t = 0.

Four numbers in a row are the four digits settings: 10 % none, 10 % strong, 30 % none, 30 % strong.
Regrets of falling rates, confidences and forgetting were measured while this was designed, against
the fixed τ that is best on test, which is up to 0.6 points harder to reach.

**What helped**

- Believing softly. ``confidence`` 1 trusts noisy look-aheads too much (10 %, strong: regret +3.2;
  0.5: −0.6; 0.25: −4.2; 0.125: −6.5, with one at every step; elsewhere all four are within ±0.7).
- ``scale="free"``: with Hinton's τ_s τ_t temperatures also set the size of the teacher's gradient.
  Free, the gradient rule at rate 0.05 has half the start range (10 %, strong: 7.4 against 13.5) and
  no regret beyond noise. Search works with either (product: +0.12, −1.04, +0.12, −0.58 in the four
  digits settings).
- Two temperatures. One shared τ regrets +1.25 [+0.08, +2.42] at 10 % none under search.
- Cheap look-aheads, often enough: every 8th step on a quarter of the batch loses nothing against
  every step on the whole (search, whole: −0.39, −4.82, +0.09, +0.05).

**What did not help, or little**

- A rate that falls from 0.5 as 1/√n: start range 1.0, 10.5, 0.6, 0.7 and regret up to +3.6.
- Tying both temperatures under that schedule: regret +1.6 at 10 % none, +1.6 at 30 % strong.
- Forgetting old evidence (weights that rise with n, at confidence 1): regrets +0.3, +1.7, +0.2,
  +0.6 against −0.5, +3.2, 0.0, +0.2 without.
- The search range hardly matters where it holds the good ones: 0.5 to 8 gives regrets +0.60, −8.02,
  +0.37, +0.19, and 2 to 32 gives −0.12, −2.67, +0.26, −0.21; zero is inside all intervals but that
  of −8.02.
- The next training batch as judge: +0.21, −3.50, +0.23, +0.32: nearly as good without labels that
  the student does not train on, and therefore the default.
- A start that search would use for a single step moved the means by 0.5 to 2.4 points: that is the
  noise of 8 seeds, and no rule with a start can show a smaller range on so few.
- More travel (next training batch as judge, as all gradient rules below). A look-ahead at every
  step on a fifth of the batch, at rates constant or falling as a square, for 1.5 to 6 of log τ in
  all: start range 0.9 to 1.6 at 10 % none, 3.9 to 11.7 at 10 % strong.
- Adam on common change and difference, the common one as fast or faster, at linearly falling rates:
  start range 1.0 to 2.2 at 10 % none, 2.7 to 7.1 at 10 % strong. From start 4 it gains 3 to 6
  points at 10 % strong, and nothing elsewhere (30 % strong: regret +1.3 to +1.4).
- A look-ahead at every 4th step in place of every 8th: start range 1.1, 3.0, 0.7, 1.2, and regrets
  within 0.4 of those above but at 10 % strong, where it gains 2 to 3 points.
- Hinton's factor τ_s τ_t at such rates: regret +2.6 to +2.7 at 10 % none, +1.1 to +1.9 at 10 %
  strong.

Not tried: natural-gradient steps, averaged φ, the meta loss at averaged weights. Longer horizons
are there (``horizon``) and were not judged.

**What a quarter of a batch costs in truth.** Where samples do not interact the estimate is unbiased
(a test averages it). BatchNorm normalises the quarter by its own statistics: on CIFAR-10, batch 64,
the mean over quarters is 6 % off the whole (median of 10 steps of a small CNN, 4 to 16 % on
ResNet-20), where one quarter scatters by 40 %.
"""

from metakd.core.meta_temperature.config import (
    AlignmentConfig,
    GradientConfig,
    LearnedTemperatureConfig,
)
from metakd.core.meta_temperature.module import MetaTemperature

__all__ = [
    "AlignmentConfig",
    "GradientConfig",
    "LearnedTemperatureConfig",
    "MetaTemperature",
]
