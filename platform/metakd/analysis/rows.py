"""What all of analysis calls a row of the store, a matrix and a cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Row = Mapping[str, Any]

# "stopped": by a search, before the recipe's last epoch; such a trial has no test scores.
DONE, STOPPED, FAILED = "done", "stopped", "failed"
NO_RUN = -1
COSTS = ("step_equivalents", "student_compute_s")
FACTORS = ("dataset", "scale", "augmentation", "teacher", "student")
