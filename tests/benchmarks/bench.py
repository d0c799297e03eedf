"""Runs the benchmarks one after the other, each as a process of its own, and keeps their numbers.

``make bench``, or ``python tests/benchmarks/bench.py``. What a part prints passes through as it
comes; its numbers are ``DIR/PART.json``, all of one form (``measured.py``). A part that fails ends
no other one; the exit code is then 1.

``--size small`` is for seeing that all of them run: seconds each, and numbers that say little.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, get_args

from one_line_parser import OneLineParser

HERE = Path(__file__).resolve().parent
LAST_WORDS_S = 5.0
"""So long after its end a part's last lines are waited for: what it left behind holds the pipe."""
STOPPED = 130

Size = Literal["small", "full"]


@dataclass(frozen=True)
class Part:
    """A benchmark.

    Attributes:
        script: Its file beside this one.
        full: Its words on the command line.
        small: Those by which it takes seconds.
    """

    script: str
    full: str = ""
    small: str = ""

    def command(self, size: Size, result: Path) -> list[str]:
        """Returns the command that runs it."""
        words = self.full if size == "full" else self.small
        return [sys.executable, str(HERE / self.script), *words.split(), "--json", str(result)]


@dataclass(frozen=True)
class Ran:
    """How a part ended.

    Attributes:
        part: Its name.
        seconds: How long it took.
        result: Its file.
        why_failed: In one line; None where it did not.
    """

    part: str
    seconds: float
    result: Path
    why_failed: str | None


TWO_TINY = "--student cifar_cnn_tiny --teacher cifar_cnn_small --batch 8 --rounds 1"
PARTS: dict[str, Part] = {
    "deciding": Part("deciding.py", small="--studies 200"),
    "startup": Part("startup.py", small="--commands-only --rounds 1"),
    "store": Part("one_writer.py", small="--workers 16 --seconds 1 --epochs 3"),
    "trial": Part("study_efficiency.py", "--rows trial --study short", "--rows trial --study tiny"),
    "simulate": Part("simulate.py", "--trials 2000 --workers 16", "--trials 144 --workers 2"),
    "prediction": Part("prediction.py", "--studies digits", "--studies tiny"),
    "teacher_weights_step": Part("teacher_weights_step.py", "--rounds 2", TWO_TINY),
    "learning_to_teach_step": Part("learning_to_teach_step.py", small=TWO_TINY),
    "data_path": Part(
        "data_path.py",
        small="--dataset synthetic:samples=300,size=16 --student cifar_cnn_tiny "
        "--teacher cifar_resnet8 --batch 16 --steps 2 --rounds 2 --samples 200",
    ),
    "student_step": Part(
        "cpu_step.py",
        small="--models digit_cnn_small --rounds 2 --seconds 0.05 --without-compiler",
    ),
    "report": Part("report_at_scale.py", "--seeds 5", "--scales 1 --seeds 2 --epochs 5"),
    "study": Part(
        "study_efficiency.py", "--rows study --study digits", "--rows study --study tiny"
    ),
    "meta_step": Part(
        "meta_step.py",
        "--models resnet20 --batches 64",
        "--models cifar_cnn_tiny --batches 8 --repeats 1 --device cpu",
    ),
}
"""By their names, the longest last."""


def run_part(name: str, part: Part, size: Size, out: Path) -> Ran:
    """Runs a part, and passes on what it prints.

    Args:
        name: Of the part.
        part: The part.
        size: How much it is to measure.
        out: Where its result goes; one that lies there from before is removed.
    """
    result = out / f"{name}.json"
    result.unlink(missing_ok=True)
    began = time.perf_counter()
    process = subprocess.Popen(
        part.command(size, result),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Lines as they come, also where the output is a pipe.
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    said: list[str] = []
    listener = threading.Thread(target=_pass_on, args=(process.stderr, said), daemon=True)
    listener.start()
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()  # which the terminal has interrupted, too
        raise
    listener.join(LAST_WORDS_S)
    why = None
    if code != 0:
        why = next((line for line in reversed(said) if line), f"ended with code {code}")
    elif not result.exists():
        why = "wrote no result"
    return Ran(name, time.perf_counter() - began, result, why)


def _pass_on(stream: TextIO, said: list[str]) -> None:
    with stream:
        for line in stream:
            sys.stderr.write(line)
            sys.stderr.flush()
            said.append(line.strip())


def summary(ran: Sequence[Ran]) -> str:
    """Returns the table of all parts."""
    lines = [f"{'part':24}{'seconds':>8}  result"]
    for each in ran:
        how = each.result if each.why_failed is None else f"FAILED: {each.why_failed}"
        lines.append(f"{each.part:24}{each.seconds:8.1f}  {how}")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the parts and prints the summary.

    Args:
        words: Of the command line; None takes this process's.

    Returns:
        The exit code: 1 if a part failed.
    """
    parser = OneLineParser(prog="bench.py", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    names = ", ".join(PARTS)
    add("--parts", nargs="+", default=list(PARTS), metavar="NAME", help=f"of {names}; default: all")
    add("--size", choices=get_args(Size), default="full", help="default: %(default)s")
    add("--out", type=Path, default=Path("benchmarks-out"), metavar="DIR", help="%(default)s")
    options = parser.parse_args(words)
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"--parts {name}: there is no such part, only {names}")
    out: Path = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {out}: it cannot be made a folder ({error.strerror})")
    if not os.access(out, os.W_OK):
        parser.error(f"--out {out}: it cannot be written to")
    ran: list[Ran] = []
    try:
        for name in dict.fromkeys(options.parts):
            print(f"\n== {name}", flush=True)
            ran.append(run_part(name, PARTS[name], options.size, out))
    except KeyboardInterrupt:
        print(f"\n{summary(ran)}\nstopped")
        return STOPPED
    print(f"\n{summary(ran)}")
    return 1 if any(each.why_failed is not None for each in ran) else 0


if __name__ == "__main__":
    sys.exit(main())
