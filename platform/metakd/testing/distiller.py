"""What the training loop relies on in every distiller."""

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from metakd.core.batch_norm import share_batch_norm
from metakd.core.batches import Batch
from metakd.core.distillers import Distiller, DistillerConfig
from metakd.core.temperature_bounds import TAU_MAX, TAU_MIN
from metakd.core.training import Training
from metakd.testing.toy import RECIPE, ToyBatches, new_student, new_teacher

LARGE = 6e4
"""About the largest logit that float16 holds."""


def check_distiller(
    config: DistillerConfig,
    *,
    classes: int = 5,
    soft_labels: bool = True,
    at_bounds: Sequence[DistillerConfig] | None = None,
) -> None:
    """Holds a distiller to all that needs one process; it takes a fraction of a second.

    Losses and gradients are finite at the bounds of the temperature, with extreme logits, from one
    sample on, and with probabilities for labels; the loss is a mean over samples, as the ranks of a
    DDP student need it; it leaves the outputs, the batch and the caller's random state alone; the
    same seed gives the same result; a training that was saved goes on as if nothing had happened.
    A method of several teachers gets three, and their features where it uses them.

    Args:
        config: What is checked.
        classes: C of the toy task.
        soft_labels: Whether it is meant to take labels that are probabilities.
        at_bounds: The same method at the bounds of its temperature; None takes every field of the
            configuration that is a number and whose name begins with "tau" to 0.25 and to 64.

    Raises:
        AssertionError: With the check that failed, and how.
    """
    variants = _at_bounds(config) if at_bounds is None else at_bounds
    check_arguments_stay(config, classes)
    for variant in (config, *variants):
        check_finite(variant, classes, soft_labels)
    check_mean(config, classes)
    check_repeats(config, classes)
    check_checkpoint(config, classes)


def check_finite(config: DistillerConfig, classes: int, soft_labels: bool = True) -> None:
    """Checks losses, gradients at the logits, and temperatures after a step."""
    for kind, outputs, batch in _extremes(config, classes, soft_labels):
        case = f"with {kind}, {config}"
        distiller = _begun(config, classes, epoch=RECIPE.epochs - 1)
        z = outputs.clone().requires_grad_()
        losses = distiller.loss(z, batch)
        for name, part in losses._asdict().items():
            finite = part is None or bool(part.isfinite())
            assert finite, f"finite: the loss's part {name} is {part} {case}"
        losses.total.backward()
        assert z.grad is not None, f"finite: the loss does not depend on the logits {case}"
        assert z.grad.isfinite().all(), f"finite: the gradient at the logits is not {case}"
        distiller.after_step(RECIPE.lr)
        for tau in distiller.temperatures() or ():
            assert 0 < tau < torch.inf, f"finite: a temperature is {tau} after a step {case}"


def check_mean(config: DistillerConfig, classes: int) -> None:
    """Checks that a batch twice over has the loss of the batch."""
    distiller = _begun(config, classes)
    outputs, batch = _ordinary(config, classes)
    once = distiller.loss(outputs, batch).total
    twice = distiller.loss(_doubled(outputs), batch.each(_doubled)).total
    assert torch.allclose(once, twice, rtol=1e-4), (
        f"mean: the loss of a batch is {float(once):g}, and {float(twice):g} of the batch twice "
        "over; it has to be a mean over samples"
    )


def check_arguments_stay(config: DistillerConfig, classes: int) -> None:
    """Checks that it changes neither outputs, nor the batch, nor the caller's random state."""
    outputs, batch = _ordinary(config, classes)
    features = {f"teacher_features[{k}]": part for k, part in enumerate(batch.teacher_features)}
    arguments = {"outputs": outputs, **batch._asdict(), **features}
    tensors = {name: part for name, part in arguments.items() if isinstance(part, Tensor)}
    before = {name: part.clone() for name, part in tensors.items()}
    _begun(config, classes).loss(outputs, batch)
    for name, part in tensors.items():
        assert torch.equal(part, before[name]), f"arguments: the loss changed its {name}"
    student = new_student(classes, seed=0)
    random = torch.get_rng_state()
    _built(config, classes).extend(student, batch, seed=3)
    assert torch.equal(torch.get_rng_state(), random), "arguments: extend drew random numbers"


def check_repeats(config: DistillerConfig, classes: int) -> None:
    """Checks that two trainings from one seed are the same to the last bit."""
    expected, found = (Run(config, classes).rest() for _ in range(2))
    assert found == expected, "repeats: two trainings from the same seed differ"


def check_checkpoint(config: DistillerConfig, classes: int) -> None:
    """Checks that a training that was saved goes on as if nothing had happened, to the last bit."""
    run = Run(config, classes)
    saved = io.BytesIO()
    while not saved.getbuffer().nbytes:
        run.training.run_epoch()
        assert not run.training.is_done, "checkpoint: no epoch ends where it can be saved"
        if run.training.can_be_saved:
            torch.save(run.training.state_dict(), saved)
    expected = run.rest()
    # The resumed one begins with other weights and another random state.
    run = Run(config, classes, seed=1)
    saved.seek(0)
    try:
        state = torch.load(saved)
    except pickle.UnpicklingError as error:
        raise AssertionError(
            "checkpoint: the state holds more than tensors, numbers, words and lists of them"
        ) from error
    run.training.load_state_dict(state)
    assert run.rest() == expected, "checkpoint: a training that was saved goes on differently"


def check_equal_on_ranks(
    config: DistillerConfig, group: dist.ProcessGroup, *, classes: int = 5
) -> None:
    """Checks that a distiller learns the same on all ranks of a DDP student, to the last bit.

    Every rank calls it, and all of them raise where one differs.

    Args:
        config: What is checked.
        group: Two to eight ranks, of a backend for the CPU.
        classes: C of the toy task.

    Raises:
        AssertionError: If anything differs.
    """
    world = dist.get_world_size(group)
    found = Run(config, classes, group=group).rest()
    of_all: list[Any] = [None] * world
    dist.all_gather_object(of_all, found, group)
    different = [other for other in range(world) if of_all[other] != of_all[0]]
    assert not different, f"ranks: after a training, ranks {different} differ from rank 0"


class Run:
    """A training of the toy task, with what it moves.

    Args:
        config: How the student is taught.
        classes: C.
        seed: Of the student.
        group: The ranks that share its batches.
    """

    def __init__(
        self,
        config: DistillerConfig,
        classes: int,
        seed: int = 0,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        share = (0, 1) if group is None else (dist.get_rank(group), dist.get_world_size(group))
        batches, held_out = (ToyBatches(classes, number, *share, config) for number in range(2))
        self._distiller = _built(config, classes)
        trained = self._distiller.extend(new_student(classes, seed), batches.at(0), seed)
        self._trained = trained
        if group is not None:
            shared = share_batch_norm(trained, group)
            trained = DistributedDataParallel(shared, process_group=group, broadcast_buffers=False)
        self.training = Training(trained, self._distiller, RECIPE, batches, held_out)

    def rest(self) -> list[Any]:
        """Runs it to its end, and returns all that it showed and learned, in plain numbers."""
        records = []
        while not self.training.is_done:
            records.append(asdict(self.training.run_epoch()) | {"compute_s": None})
        return [records, _plain(self._trained.state_dict()), _plain(self._distiller.state_dict())]


def _plain(value: Any) -> Any:  # noqa: ANN401 - a state holds what it likes
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _begun(config: DistillerConfig, classes: int, epoch: int = 0) -> Distiller:
    distiller, trained = _extended(config, classes)
    distiller.attach(trained, RECIPE.optimiser(trained))
    distiller.start_epoch(epoch, RECIPE.epochs)
    return distiller


def _built(config: DistillerConfig, classes: int) -> Distiller:
    distiller = config.build()
    if config.moves_teacher:
        distiller.take_teacher(new_teacher(classes))
    return distiller


def _extended(config: DistillerConfig, classes: int) -> tuple[Distiller, nn.Module]:
    distiller, example = _built(config, classes), ToyBatches(classes, config=config).at(0)
    return distiller, distiller.extend(new_student(classes, seed=0), example, seed=0)


def _doubled(rows: Tensor) -> Tensor:
    return torch.cat([rows, rows])


def _at_bounds(config: DistillerConfig) -> list[DistillerConfig]:
    names = [
        field.name
        for field in fields(config)
        if field.name.startswith("tau") and isinstance(getattr(config, field.name), int | float)
    ]
    if not names:
        return []
    return [replace(config, **dict.fromkeys(names, tau)) for tau in (TAU_MIN, TAU_MAX)]


def _ordinary(config: DistillerConfig, classes: int) -> tuple[Tensor, Batch]:
    """Returns outputs of a student, and a batch with what the distiller uses."""
    batch = ToyBatches(classes, config=config).at(0)
    with torch.no_grad():
        outputs: Tensor = _extended(config, classes)[1](batch.inputs)
    return outputs, batch


def _extremes(
    config: DistillerConfig, classes: int, soft_labels: bool
) -> Iterator[tuple[str, Tensor, Batch]]:
    outputs, batch = _ordinary(config, classes)
    logits, features = outputs[:, :classes], outputs[:, classes:]
    certain = LARGE * F.one_hot(batch.labels, classes).float()
    cases = {
        "equal logits": (torch.zeros_like(logits), torch.ones_like(logits)),
        "large logits": (LARGE * logits, LARGE * logits.flip(0)),
        "certain models that agree": (certain, certain),
        "certain models that disagree": (certain.roll(1, dims=1), certain),
    }
    for name, (student, teacher) in cases.items():
        yield name, torch.cat([student, features], dim=1), _taught(batch, teacher)
    yield "one sample", outputs[:1], batch.first(1)
    if soft_labels:
        yield "soft labels", outputs, batch._replace(labels=logits.flip(0).softmax(dim=1))


def _taught(batch: Batch, logits: Tensor) -> Batch:
    """Returns the batch with other outputs of its teachers."""
    if batch.ensemble_logits is not None:
        several = logits[:, None].expand_as(batch.ensemble_logits).contiguous()
        return batch._replace(ensemble_logits=several)
    return batch._replace(teacher_logits=None if batch.teacher_logits is None else logits)
