"""A student's training step on a CPU, as metakd takes it and in other ways, side by side.

``python tests/benchmarks/cpu_step.py`` measures in one process, with one thread. Each way trains a
student of its own, begun alike, by cross-entropy on the same batch: forward, loss, backward, a step
of SGD. The ways take turns, round by round, each for as many steps as a given time holds; a ratio
compares a way with metakd's in the same round, below 1 is faster. Seconds are CPU time that the
process had, so that a busy machine spoils less; the table has the medians of the rounds, and of the
ratios the least and the greatest.

- ``metakd``: channels_last, the fused SGD that ``Recipe.optimiser`` gives;
- ``contiguous layout``, ``foreach optimiser``: metakd's step but for that;
- ``autograd.grad, _fused_sgd_``: no loop over parameters in Python, about the least there is
  without a compiler;
- ``torch.compile``: of forward and loss together, backward with them; the optimiser is metakd's.
  How long compiling takes is a row of its own, in seconds of the clock;
- ``two seeds by vmap``: the steps of two students with batches of their own, as one; per student.
"""

import argparse
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from measured import Row, write_result
from one_line_parser import OneLineParser, add_json_option
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.optim import SGD, Optimizer

from metakd.core.recipe import Recipe
from metakd.models.create import create_model

METAKD, COMPILED = "metakd", "torch.compile"
COMPILERS = ("c++", "g++", "clang++")  # torch.compile needs one of them, on a CPU
WARM_UP = 3
RECIPE = Recipe(epochs=1)
SETTINGS = {name: getattr(RECIPE, name) for name in ("lr", "momentum", "nesterov", "weight_decay")}

Step = Callable[[], None]

warnings.filterwarnings("ignore", ".*torch.jit.script.*", FutureWarning)  # timm's imports


@dataclass(frozen=True)
class Case:
    """A student and its batches.

    Attributes:
        model: Its name.
        image_shape: (C, H, W).
        classes: K.
        batch: B.
    """

    model: str
    image_shape: tuple[int, int, int]
    classes: int
    batch: int

    def __str__(self) -> str:
        return f"{self.model}, batch {self.batch}"

    def student(self, seed: int = 0) -> nn.Module:
        """Returns a new student, contiguous."""
        return create_model(self.model, self.image_shape, self.classes, seed).train()

    def data(self, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Returns a batch: images (B, C, H, W), contiguous, and labels (B,)."""
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(self.batch, *self.image_shape, generator=generator)
        return images, torch.randint(self.classes, (self.batch,), generator=generator)


CASES = {
    case.model: case
    for case in (
        Case("digit_cnn_small", (1, 8, 8), 10, 32),
        Case("digit_cnn", (1, 8, 8), 10, 32),
        Case("cifar_resnet20", (3, 32, 32), 100, 64),
    )
}


@dataclass
class Way:
    """A way to take steps, and what was measured of it.

    Attributes:
        step: Takes one.
        students: How many students one step moves; what follows is per student.
        prepared_s: Seconds of the clock until the first step was taken.
        ms: CPU milliseconds of a step, for each round.
        ratios: To metakd's of the same round.
    """

    step: Step
    students: int = 1
    prepared_s: float = 0.0
    ms: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def plain(
    case: Case,
    student: nn.Module,
    optimiser: Callable[[nn.Module], Optimizer] = RECIPE.optimiser,
    layout: torch.memory_format = torch.channels_last,
    is_compiled: bool = False,
) -> Step:
    """Returns metakd's step, or what differs from it in one respect."""
    images, labels = case.data()
    student = student.to(memory_format=layout)
    images = images.to(memory_format=layout)
    moves = optimiser(student)

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(student(images), labels)

    compute = torch.compile(loss_of) if is_compiled else loss_of

    def step() -> None:
        loss = compute(images, labels)
        moves.zero_grad()
        loss.backward()
        moves.step()

    return step


def foreach_sgd(student: nn.Module) -> Optimizer:
    """Returns the recipe's SGD, which moves parameters by lists instead of by one fused kernel."""
    return SGD(student.parameters(), **SETTINGS, foreach=True)


def fused_sgd(parameters: list[Tensor]) -> Callable[[list[Tensor]], None]:
    """Returns what moves parameters by their gradients, by the recipe's SGD, without an optimiser.

    Momentum begins at zero, which is what the first step of SGD makes it: the gradient.
    """
    momentum = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def move(gradients: list[Tensor]) -> None:
        torch._fused_sgd_(
            parameters,
            gradients,
            momentum,
            **SETTINGS,
            dampening=0.0,
            maximize=False,
            is_first_step=False,
        )

    return move


def bare(case: Case, student: nn.Module) -> Step:
    """Returns the step without an optimiser, nor gradients that are kept."""
    images, labels = case.data()
    student = student.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    parameters: list[Tensor] = list(student.parameters())
    move = fused_sgd(parameters)

    def step() -> None:
        loss = F.cross_entropy(student(images), labels)
        move(list(torch.autograd.grad(loss, parameters)))

    return step


def stacked(case: Case, students: Sequence[nn.Module]) -> tuple[Step, dict[str, Tensor]]:
    """Returns a step of S students as one, each on a batch of its own, and what it moves.

    That is their parameters by name, each (S, ...); the students themselves stay as they are.
    """
    parameters, buffers = stack_module_state(list(students))
    parameters = {name: value.detach() for name, value in parameters.items()}
    images, labels = map(torch.stack, zip(*map(case.data, range(len(students))), strict=True))
    move = fused_sgd(list(parameters.values()))

    def loss(
        parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor, labels: Tensor
    ) -> Tensor:
        logits = functional_call(students[0], (parameters, buffers), (images,))
        return F.cross_entropy(logits, labels)

    gradient = vmap(grad(loss), randomness="different")

    def step() -> None:
        found = gradient(parameters, buffers, images, labels)
        move([found[name] for name in parameters])

    return step, parameters


def ways_of(case: Case, with_compiler: bool) -> dict[str, Way]:
    """Returns the ways to take a case's steps, each with a student of its own."""
    found = {
        METAKD: Way(plain(case, case.student())),
        "contiguous layout": Way(plain(case, case.student(), layout=torch.contiguous_format)),
        "foreach optimiser": Way(plain(case, case.student(), foreach_sgd)),
        "autograd.grad, _fused_sgd_": Way(bare(case, case.student())),
        "two seeds by vmap": Way(stacked(case, [case.student(0), case.student(1)])[0], students=2),
    }
    if with_compiler:
        found[COMPILED] = Way(plain(case, case.student(), is_compiled=True))
    return found


def measure(ways: dict[str, Way], rounds: int, seconds: float) -> None:
    """Fills in what is measured, each way for so many seconds in each round."""
    steps = {}
    for name, way in ways.items():
        began = time.perf_counter()
        way.step()
        way.prepared_s = time.perf_counter() - began
        milliseconds(way, WARM_UP)
        steps[name] = max(2, round(seconds / (1e-3 * milliseconds(way, WARM_UP) * way.students)))
    for _ in range(rounds):
        for name, way in ways.items():
            way.step()  # after another way's, it finds cold caches
            way.ms.append(milliseconds(way, steps[name]))
            way.ratios.append(way.ms[-1] / ways[METAKD].ms[-1])


def milliseconds(way: Way, steps: int) -> float:
    """Takes some steps and returns the CPU milliseconds of one, per student."""
    began = time.process_time()
    for _ in range(steps):
        way.step()
    return 1e3 * (time.process_time() - began) / (steps * way.students)


def table(case: Case, ways: dict[str, Way]) -> str:
    """Returns a case's rows."""
    head = f"{'':30}{'ms CPU':>9}{'ratio':>8}{'min..max':>14}"
    lines = [f"\n{case}, images of {case.image_shape}", head]
    for name, way in ways.items():
        spread = f"{min(way.ratios):.2f}..{max(way.ratios):.2f}"
        note = f"  compiled in {way.prepared_s:.0f} s" if name == COMPILED else ""
        ms, ratio = statistics.median(way.ms), statistics.median(way.ratios)
        lines.append(f"{name:30}{ms:9.3f}{ratio:8.2f}{spread:>14}{note}")
    return "\n".join(lines)


def rows_of(case: Case, ways: dict[str, Way]) -> list[Row]:
    """Returns a case's numbers in the form of all benchmarks."""
    rows = []
    for name, way in ways.items():
        rows.append(Row.of(f"{case}: {name}", way.ms, "ms CPU/step", way.ratios))
        if name == COMPILED:
            rows.append(Row(f"{case}: compiling", way.prepared_s, "s"))
    return rows


def parse_arguments() -> argparse.Namespace:
    """Returns the options, or ends the process with one line about what cannot be."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--models", nargs="+", choices=tuple(CASES), default=tuple(CASES), metavar="MODEL")
    add("--rounds", type=int, default=7, help="default %(default)s")
    add("--seconds", type=float, default=1.0, help="of a way in a round, default %(default)s")
    add("--without-compiler", action="store_true", help="leave torch.compile out")
    add_json_option(parser)
    options = parser.parse_args()
    if options.rounds < 1 or not options.seconds > 0:
        parser.error("--rounds must be at least 1 and --seconds above 0")
    return options


def main() -> None:
    """Measures every case, prints the tables and writes the numbers."""
    options = parse_arguments()
    torch.set_num_threads(1)
    has_compiler = any(map(shutil.which, COMPILERS))
    if not has_compiler:
        print(f"without torch.compile: this machine has none of {', '.join(COMPILERS)}")
    rows = []
    for model in options.models:
        ways = ways_of(CASES[model], has_compiler and not options.without_compiler)
        measure(ways, options.rounds, options.seconds)
        print(table(CASES[model], ways), flush=True)
        rows += rows_of(CASES[model], ways)
    if options.json is not None:
        write_result(options.json, "student_step", rows, rounds=options.rounds)


if __name__ == "__main__":
    main()
