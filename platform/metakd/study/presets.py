"""Named sizes of a study: what changes against its own defaults."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "laptop": {},
    "smoke": {
        "scales": (0.3,),
        "augmentations": ("none", "standard"),
        "temperatures": (1.0, 4.0, 16.0),
        "seeds": 3,
        "epochs": 5,
        "teacher_epochs": 6,
    },
}
