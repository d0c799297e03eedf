r"""Learned temperatures: a drop-in for any loop, and the measurements behind its defaults.

``MetaTemperature`` holds the loss (``batch_loss``), remembers the steps that look-aheads need
(``watch``), and moves the temperatures by a rule: ``gradient`` descends the look-ahead
hypergradient by Adam, MKD-style, after the abstract of arXiv 2202.07940; ``alignment`` reads no
gradient by τ and has no start. What each setting means stands in ``config``.

**The gradient rule at its defaults** (rate 0.05, from τ = 4, every 8th step, a quarter of the
batch, judged by the next training batch). Test accuracy of small CNNs, 12 seeds at 10 % of digits,
9 at 30 %, 3 on CIFAR-10 (15 epochs), measured before the held-out split scaled;
``studies/start_range.py`` repeats it. *Fixed range* and *start range*: largest minus smallest mean
over τ, or over starts, in {1, 2, 4, 8, 16}. *Noise*: the range that five equal starts would show.
*Regret*: the fixed τ that validation chooses minus the mean over starts, with its 95 % interval.

======================  ===========  ===========  =====  =======================  ===============
setting                 fixed range  start range  noise  regret                   regret at τ = 4
======================  ===========  ===========  =====  =======================  ===============
digits 10 %, none       3.99         1.31         0.8    +0.25 [−0.54, +1.05]     +0.09
digits 10 %, strong     5.98         4.00         3.2    −7.41 [−10.26, −4.55]    −5.74
digits 30 %, none       2.25         0.52         0.5    +0.34 [−0.11, +0.79]     +0.19
digits 30 %, strong     4.16         1.86         1.0    +1.09 [+0.17, +2.01]     +0.37
CIFAR-10 2 %, none      2.58         1.42         0.8    +0.15 [−0.17, +0.47]     −0.62
CIFAR-10 2 %, strong    3.81         2.67         0.9    −0.30 [−2.31, +1.71]     −0.76
======================  ===========  ===========  =====  =======================  ===============

It was to leave at most a quarter of the fixed range. It leaves a quarter to three quarters.

**What is the factor's.** The fixed τ of the table have Hinton's τ², learned ones ``scale="free"``.
Fixed τ with the free factor (``ScaleFreeKDConfig``, 8 seeds) range over 1.58 points at 10 % none
and 9.28 at 10 % strong, where τ = 1 is the best by 5 points: against those, regret at 10 % strong
is +1.5 ± 5.5. The gain of 7 points over the grid there is the factor's, not learning's.

**What limits it.** Setting the starts 1, 4 and 16 to where start 4 ends, after a tenth of the
steps, leaves ranges of 0.23, 1.14, 0.58 and 1.26 in the four settings of digits (after three
tenths: 3.7 at 10 % strong, where noise is 2.1). So early steps at a bad temperature cost little, at
least where the noise allows to see it; the gradient does not lead there. At fixed temperatures,
split into the common change of log τ_s and log τ_t and their difference:

- at τ = 16 the common change has no mean gradient (t = −0.3 to +0.1 at 10 % strong, whole batch,
  every step): the loss is all but flat in it. The difference has one (t = 4 to 5);
- at τ = 1 under strong augmentation one step of the student is better at a lower τ (t = 2 to 3),
  the end of training at a higher one: at 30 % start 1 ends at (0.7, 1.0), 2 points below start 4. A
  look-ahead over three steps points the same way: a short horizon's bias, perhaps;
- without augmentation most late look-aheads favour a sharper teacher, and rare large ones offset
  them: at 30 % and τ = 4 the signs' mean has t = −6, the gradients' t = 0.

**What more would cost, and buy** (10 % none / 10 % strong, 12 seeds, starts 1, 4, 16):

==================================================  =============  ===========  ===============
look-aheads                                         cost in steps  start range  regret
==================================================  =============  ===========  ===============
every 8th (default)                                 1.07           1.22 / 4.00  +0.17 / −7.19
every 8th, Adam on common change and difference     1.07           1.65 / 2.86  +0.71 / −10.1
every 4th                                           1.14           1.14 / 2.95  +0.33 / −9.5
every step, a fifth, log τ moves by 3 in all        1.42           1.56 / 6.22  +0.05 / −9.4
every step, Adam on common change and difference    1.42           1.25 / 3.56  +0.45 / −10.1
every 2nd, Adam on common change and difference     1.46           1.25 / 4.55  0.00 / −10.3
==================================================  =============  ===========  ===============

Further ones that did not help: rates that fall as a square, or from 0.5 as 1/√n; AdaGrad; β2 over
the whole history; a faster difference; tying both temperatures; Hinton's factor τ_s τ_t (regret
+2.6 at 10 % none). Not tried: natural gradients, averaged φ, the meta loss at averaged weights,
dense look-aheads first and sparse ones later.

**The alignment rule** (8 seeds, held-out judge): regrets −0.46 [−1.32, +0.39], −2.37 [−4.66,
−0.07], +0.14 [−0.39, +0.67] and 0.00 [−1.22, +1.22] in the four settings of digits, and within ±0.5
of zero in four of CIFAR-10; with the next training batch as judge +0.21, −3.50, +0.23, +0.32. It
ends between 2.6 and 5.8 whatever the setting. ``confidence`` 1 trusts noisy look-aheads too much
(10 % strong: +3.2); 0.5, 0.25 and 0.125 are alike. Its range of temperatures hardly matters where
it holds the good ones.

**What a quarter of a batch costs in truth.** Where samples do not interact the estimate is unbiased
(a test averages it). BatchNorm normalises the quarter by its own statistics: on CIFAR-10, batch 64,
the mean over quarters is 6 % off the whole (median of 10 steps of a small CNN, 4 to 16 % on
ResNet-20), where one quarter scatters by 40 %.

**Gradient clipping** is not differentiated: how it scales the gradient is held constant, although
it depends on the temperatures, too. Held against central differences through the clipped step
(float64, an MLP on digits, ten steps of a run, whole batch; ratio: the gradient's norm over the
largest that is let through):

==================================  =============  ==============  ==============
what                                ratio 1.2      ratio 3         ratio 10
==================================  =============  ==============  ==============
SGD: cosine, median (smallest)      0.998 (0.36)   0.997 (−0.65)   0.952 (−0.64)
SGD: true norm over ours, median    0.84           0.33            0.10
AdamW: cosine, median (smallest)    0.951 (0.77)   0.951 (0.77)    0.951 (0.77)
AdamW: true norm over ours, median  0.96           0.39            0.12
==================================  =============  ==============  ==============

The norm is off by about the ratio, to which Adam on φ is blind while the ratio is steady. The
direction is right but for single steps, and learns as noise does. Unclipped, all are 1.000. A
threshold that clips rare steps costs next to nothing; one that clips all of them is better left
out, or put on the optimiser's rate.
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
