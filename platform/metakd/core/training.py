"""The training loop: one student, one distiller, from the first step to the last."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.batches import Batch, MetaBatches, TrainingBatches, Upcoming
from metakd.core.distillers.distiller import Distiller, TeacherWeights
from metakd.core.lookahead import TakenStep, bare
from metakd.core.lookahead.look_aheads import MetaStep
from metakd.core.losses import Losses, at_least_float32
from metakd.core.ranks import mean_over_ranks, ranks_of
from metakd.core.recipe import Recipe as Recipe


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: means over its steps, and the state at its end.

    ``step_equivalents`` counts this epoch's work in plain student steps (a forward and a backward
    pass of one batch); ``compute_s`` is the time in the loop, evaluation not counted.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    ce_loss: float
    kd_loss: float | None
    temperatures: tuple[float, float] | None
    meta_loss: float | None
    meta_gradient: tuple[float, float] | None
    meta_steps: int
    meta_steps_skipped: int
    step_equivalents: float
    compute_s: float
    feature_loss: float | None = None
    meta_loss_before: float | None = None
    teacher_weights: tuple[TeacherWeights, ...] = ()


class Training:
    """A student between its first step and its last, epoch by epoch.

    Between epochs it can be saved, and a new one that takes that state goes on as if nothing had
    happened: on a CPU with the same numbers, bit for bit.

    Args:
        student: The model that the distiller's ``extend`` returned, or the DDP module around it:
            each rank then has its share of every batch, and all of them see the same record.
        distiller: How it is taught.
        recipe: How long, and by what optimiser.
        batches: The training batches, with the teacher's logits where the distiller uses them.
        meta_batches: The held-out batches; needed where they judge the distiller's look-aheads.
        autocast: The type that the student's passes are computed in where that is safe, for example
            torch.bfloat16; None computes them as they are.

    Attributes:
        epochs_done: How many epochs lie behind.
    """

    def __init__(
        self,
        student: nn.Module,
        distiller: Distiller,
        recipe: Recipe,
        batches: TrainingBatches,
        meta_batches: MetaBatches | None = None,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.epochs_done = 0
        self._group = ranks_of(student)
        self._student = student
        self._distiller = distiller
        self._recipe = recipe
        self._batches = batches
        self._meta_batches = meta_batches
        self._autocast = autocast
        self._optimiser = recipe.optimiser(student)
        distiller.attach(student, self._optimiser)
        self._step = 0
        self._awaits_next_batch = False

    @property
    def is_done(self) -> bool:
        """Whether the last epoch lies behind."""
        return self.epochs_done >= self._recipe.epochs

    @property
    def can_be_saved(self) -> bool:
        """Whether no look-ahead to come needs steps that were taken already."""
        return not (self._awaits_next_batch or self._distiller.holds_steps(self._step))

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that the epochs to come depend on.

        Raises:
            RuntimeError: If it cannot be saved here.
        """
        if not self.can_be_saved:
            raise RuntimeError("a look-ahead is under way: save after another epoch")
        return {
            "epochs_done": self.epochs_done,
            "step": self._step,
            "student": bare(self._student).state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "distiller": self._distiller.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state of the same training."""
        self.epochs_done, self._step = state["epochs_done"], state["step"]
        bare(self._student).load_state_dict(state["student"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._distiller.load_state_dict(state["distiller"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])

    def run_epoch(self) -> EpochRecord:
        """Trains for one more epoch.

        Raises:
            FloatingPointError: If the training loss stops being finite.
        """
        started = time.perf_counter()
        epoch, distiller = self.epochs_done, self._distiller
        total_steps = self._recipe.epochs * self._batches.steps_per_epoch
        seen: list[Losses] = []
        meta_seen: list[MetaStep] = []
        self._student.train()
        distiller.start_epoch(epoch, self._recipe.epochs)
        batches = Upcoming(self._batches.epoch(epoch))
        for batch in batches:
            if self._awaits_next_batch:
                meta_seen.append(self._look_ahead(batch.first(distiller.meta_samples(batch))))
            lr = self._recipe.lr_at(self._step, total_steps)
            for group in self._optimiser.param_groups:
                group["lr"] = lr
            tried = distiller.pilot_batches(self._step)
            if tried:
                meta_seen.append(self._pilot([batch, *batches.peek(tried - 1)]))
            remembers = distiller.remembers(self._step)
            taken = TakenStep(self._student, self._optimiser) if remembers else None

            with self._precision():
                outputs = self._student(batch.inputs)
            losses = distiller.loss(at_least_float32(outputs), batch)
            self._optimiser.zero_grad()
            losses.total.backward()
            self._optimiser.step()
            distiller.after_step(lr)

            if taken is not None:
                distiller.remember(taken, batch)
            is_due = distiller.is_meta_step(self._step)
            self._awaits_next_batch = is_due and distiller.meta_data == "train"
            if is_due and not self._awaits_next_batch:
                meta_seen.append(self._look_ahead(self._meta_batch(batch)))
            seen.append(losses.detach())
            self._step += 1
        self.epochs_done += 1
        losses = _mean_losses(seen, self._group)
        record = EpochRecord(
            epoch=epoch,
            step=self._step,
            lr=lr,
            train_loss=float(losses.total),
            ce_loss=float(losses.ce),
            kd_loss=None if losses.kd is None else float(losses.kd),
            temperatures=distiller.temperatures(),
            **_meta_record(meta_seen),
            step_equivalents=len(seen) + sum(m.step_equivalents for m in meta_seen),
            compute_s=time.perf_counter() - started,
            feature_loss=None if losses.features is None else float(losses.features),
            teacher_weights=distiller.teacher_weights(),
        )
        if not math.isfinite(record.train_loss):
            raise FloatingPointError(
                f"the training loss is {record.train_loss} in epoch {epoch}: lower the rate"
            )
        return record

    def _look_ahead(self, meta_batch: Batch) -> MetaStep:
        with self._precision():
            return self._distiller.meta_step(meta_batch)

    def _pilot(self, batches: list[Batch]) -> MetaStep:
        distiller, first = self._distiller, batches[0]
        quiz = (
            first.first(distiller.meta_samples(first))
            if distiller.meta_data == "train"
            else self._meta_batch(first)
        )
        with self._precision():
            return distiller.pilot_step(batches, quiz)

    def _precision(self) -> AbstractContextManager[object]:
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(next(self._student.parameters()).device.type, self._autocast)

    def _meta_batch(self, batch: Batch) -> Batch:
        if self._distiller.meta_data is None:
            return batch
        if self._meta_batches is None:
            raise ValueError("look-aheads on held-out samples need meta_batches")
        held_out = self._meta_batches.at(self._step)
        if len(held_out.labels) == 0:
            raise ValueError(
                f"the meta batch of step {self._step} is empty: hold samples out of training for "
                "it, at least two where the student has batch normalisation"
            )
        return held_out.first(self._distiller.meta_samples(batch))


def train(
    student: nn.Module,
    distiller: Distiller,
    recipe: Recipe,
    batches: TrainingBatches,
    meta_batches: MetaBatches | None = None,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
) -> None:
    """Trains the student in place, from its first epoch to its last.

    Args:
        student: As ``Training`` has it: what ``distiller.extend`` returned.
        distiller: How it is taught.
        recipe: How long, and by what optimiser.
        batches: The training batches.
        meta_batches: The held-out batches.
        on_epoch: Called after each epoch.

    Raises:
        FloatingPointError: If the training loss stops being finite.
    """
    training = Training(student, distiller, recipe, batches, meta_batches)
    while not training.is_done:
        on_epoch(training.run_epoch())


def _mean_losses(seen: list[Losses], group: dist.ProcessGroup | None) -> Losses:
    """Returns the means over an epoch's steps, and over the ranks, which share every batch."""
    parts = {"total": _mean([losses.total for losses in seen])}
    parts["ce"] = _mean([losses.ce for losses in seen])
    parts["kd"] = _mean([losses.kd for losses in seen if losses.kd is not None])
    parts["features"] = _mean([losses.features for losses in seen if losses.features is not None])
    means = {name: part for name, part in parts.items() if part is not None}
    means = mean_over_ranks(means, group)
    return Losses(means["total"], means["ce"], means.get("kd"), means.get("features"))


def _meta_record(seen: list[MetaStep]) -> dict[str, Any]:
    gradient = _mean([m.gradient for m in seen if m.gradient is not None])
    meta_loss = _mean([m.meta_loss for m in seen])
    before = _mean([m.before for m in seen if m.before is not None])
    return {
        "meta_loss": None if meta_loss is None else float(meta_loss),
        "meta_loss_before": None if before is None else float(before),
        "meta_gradient": None if gradient is None else (float(gradient[0]), float(gradient[1])),
        "meta_steps": len(seen),
        "meta_steps_skipped": sum(m.is_skipped for m in seen),
    }


def _mean(values: list[Tensor]) -> Tensor | None:
    return torch.stack(values).mean(dim=0) if values else None
