"""metakd: search for the distillation temperature, or learn it? Evidence from paired studies."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metakd.models.student_files import LoadedStudent

__version__ = "0.1.0"


def load_student(path: str | Path) -> "LoadedStudent":
    """Loads a student that a study kept, in evaluation mode, on the CPU.

    Args:
        path: ``OUT/students/TRIAL.safetensors``, its card beside it; also in an object store, such
            as ``s3://BUCKET/STUDY/students/TRIAL.safetensors``.

    Returns:
        A module that maps images (B, C, H, W), uint8 or floats in [0, 1], to logits (B, K).

    Raises:
        UserError: If it cannot be loaded: what is wrong in one line.
    """
    # What imports the package need not wait for PyTorch.
    from metakd.models.student_files import load_student

    if "://" not in str(path):
        return load_student(path)
    from tempfile import TemporaryDirectory

    from metakd.results.object_store import fetched_student

    with TemporaryDirectory() as folder:
        return load_student(fetched_student(str(path), Path(folder)))
