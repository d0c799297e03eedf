"""What a trial or a teacher is given of a cluster."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """Workers that train one model together."""

    workers: int = 1
    """How many share each batch."""
    cpus: float = 1
    """CPUs of each worker; whole ones are torch's threads."""
    gpus: float = 0
    """GPUs of each worker, 0 or 1 where there are several workers; below 1, trials share one."""

    def claim(self) -> None:
        """Keeps this process to a worker's part: Ray itself leaves it all cores, and all GPUs."""
        # What a trial is given is planned without PyTorch.
        import torch

        torch.set_num_threads(max(1, int(self.cpus)))
        if not self.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""

    @property
    def of_worker(self) -> dict[str, float]:
        """What Ray reserves for each worker."""
        return {"CPU": self.cpus, "GPU": self.gpus} if self.gpus else {"CPU": self.cpus}
