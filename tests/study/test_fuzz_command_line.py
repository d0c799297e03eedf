"""Whatever stands on a study's command line: a plan, or one line that says what is wrong with it.

Options come from the parser itself, so that a new one is tried without a line here. Other examples,
twice as many: ``pytest -m slow tests/study/test_fuzz_command_line.py``.
"""

import io
import os
import resource
import time
from argparse import Action
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from metakd.data.catalogue import RECIPES
from metakd.strategies import STRATEGIES
from metakd.study.command_line import study_parser
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(name="s", scales=(0.3,), augmentations=("none",), seeds=2, epochs=2)
MOST_S, MOST_KIB = 20, 2 * 2**20
PARSER = study_parser(STUDY)
OPTIONS = [action for action in PARSER._actions if action.option_strings]

NUMBERS = """
1 2 3 0.3 0.5 1.0 4 16 100 0 -1 -0.0 0.009 1e-6 1e-300 1e-320 1e6 1e9 1e12 1e15 1e300 1e308 1e400
nan inf -inf NaN 1_0 ٣ ½ 0x10 3.0 1,5 many 1000000 1000000000 -99999999999999999999
"""
TRAPS = [
    *("", " ", "-", "--", "=", "~", "~/kept", "~nobody/x", ".", "..", "/", "\t", "a\nb", "a\0b"),
    *("/proc/x", "/sys/x", "/dev/null", "/dev/null/x", "/dev/full", "x" * 300, "y/" * 2000, "é ü"),
    *("file://", "file:///proc/x", "file://~/kept", "s3://", "s3://b", "a://b", "://", "[/red]"),
    *(":train:", "%s", "{}", os.fsdecode(b"\xff"), "\u2028", "😀", "all", "none", "rising", "auto"),
    *("ensemble", "+", ",", ":", "digits:", "digits:x=1", "nobody", "local", "127.0.0.1:9", "h:0"),
]
MODELS = """
digit_mlp digit_cnn_tiny digit_cnn none rising ensemble digit_mlp+digit_cnn digit_mlp+digit_mlp A+
timm:resnet18 timm:resnet1 timm: timm:vit_tiny_patch16_224,depth=1 timm:inception_v4
timm:vit_tiny_patch16_224,depth=1000000000 timm:vit_tiny_patch16_224,embed_dim=99999999
timm:resnet18,num_classes=3 timm:resnet18,in_chans=7 timm:resnet18,depth
timm:resnet18,depth=1,depth=2 timm:resnet18,checkpoint_path=/nowhere.pth
timm:resnet18,checkpoint_path=~/nowhere.pth timm:resnet18,pretrained=True
timm:resnet18,checkpoint_path=/ timm:resnet18,x=((((((
"""
DATASETS = """
digits imagefolder:pictures imagefolder:nowhere parquet:nowhere parquet: imagefolder: synthetic:x
synthetic:samples=200,classes=3,size=8 synthetic:classes=1000000000 digits:
"""
TYPICAL: dict[str, Sequence[str]] = {
    "datasets": DATASETS.split(),
    "teachers": MODELS.split(),
    "students": MODELS.split(),
    "augmentations": list(RECIPES),
    "strategies": ["all", *STRATEGIES],
}


def values(action: Action) -> st.SearchStrategy[list[str]]:
    """What may stand behind an option: mostly what it takes, and now and then anything."""
    if action.nargs == 0:
        return st.just([])
    likely = TYPICAL.get(action.dest) or [str(c) for c in action.choices or ()]
    likely = likely or [*NUMBERS.split(), "9" * 26, "9" * 5000]
    one = st.sampled_from([*likely, *likely, *likely, *TRAPS])
    return st.lists(one, min_size=1, max_size=3) if action.nargs == "+" else one.map(lambda v: [v])


def option(action: Action) -> st.SearchStrategy[list[str]]:
    """An option with its values; sometimes abbreviated, mistyped, or joined to the first."""
    names = st.sampled_from(action.option_strings)
    spoilt = st.sampled_from([str, str, str, str, str, str, lambda n: n[:-1], lambda n: n + "s"])
    joined = st.sampled_from([False, False, False, True])

    def words(name: str, spoil: "type[str]", is_joined: bool, found: list[str]) -> list[str]:
        if is_joined and found:
            return [f"{spoil(name)}={found[0]}", *found[1:]]
        return [spoil(name), *found]

    return st.builds(words, names, spoilt, joined, values(action))


LINES = st.lists(st.sampled_from(OPTIONS).flatmap(option), max_size=4).map(
    lambda parts: [word for part in parts for word in part]
)


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to work in and a home, with pictures of two classes."""
    here = tmp_path_factory.mktemp("here")
    drawn = np.random.default_rng(0).integers(0, 256, (2, 20, 8, 8), np.uint8)
    for name, images in zip("ab", drawn, strict=True):
        (here / "pictures" / name).mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(here / "pictures" / name / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("HOME", str(here / "home"))
        patch.delenv("RAY_ADDRESS", raising=False)
        yield here


def holds(line: list[str]) -> None:
    """Plans a study, and checks how that ends."""
    # The last --out counts: without one, a folder whose decoded datasets are kept.
    words = line if any(word.startswith("--out") for word in line) else ["--out", "kept", *line]
    printed, errors = io.StringIO(), io.StringIO()
    started, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with redirect_stdout(printed), redirect_stderr(errors):
        try:
            code: object = main(STUDY, lambda out, summary: out, print, ["--dry-run", *words])
        except SystemExit as ended:
            code = ended.code
            assert not {"--help", "-h", "--version"}.isdisjoint(line)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert code in (0, 2), f"{words}: {code}"
    assert "Traceback" not in printed.getvalue() + errors.getvalue()
    if code == 0:
        assert errors.getvalue() == ""
    else:
        assert errors.getvalue().startswith("error: "), errors.getvalue()
        assert len(errors.getvalue().splitlines()) == 1, errors.getvalue()
    # Of CPUs: on a busy machine the same work takes longer.
    assert time.process_time() - started < MOST_S, words
    assert grown < MOST_KIB, words


def fuzz(examples: int):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


@fuzz(100)
@given(LINES)
@example(["--temperatures", "inf"])
@example(["--bank-gib", "nan"])
@example(["--out", "/proc/x"])
@example(["--seeds", "1000000"])
@example(["--budget", "1e9"])
@example(["--budget", "1000", "--strategies", "random", "--seeds", "1"])
@example(["--out", ""])
@example(["--strategies", "all", "ce"])
@example(["--teacher", "timm:resnet18,checkpoint_path=nowhere.pth"])
@example(["--seeds", "900", "--strategies", "all", "--scales", "0.1", "1"])
@example(["--seeds", "10000", "--strategies", "ce"])
@example(["--epochs", "100000", "--strategies", "all"])
def test_a_line_of_words_gives_a_plan_or_one_line(line: list[str]) -> None:
    holds(line)


@pytest.mark.slow
@fuzz(200)
@given(LINES)
def test_many_lines_of_words_give_a_plan_or_one_line(line: list[str]) -> None:
    holds(line)
