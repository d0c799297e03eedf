"""The command line that all studies share: words in, a typed spec and typed options out."""

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from metakd.core.recipe import Match
from metakd.data.catalogue import RECIPES, SOURCES, AnswerType, DatasetOptions, Validation
from metakd.results.study import SCHEMES
from metakd.study.defaults import RECIPES as TRAINING_RECIPES
from metakd.study.options import MODES, BankPolicy, RunOptions, Wanted
from metakd.study.presets import PRESETS
from metakd.study.spec import SpecError, StudySpec
from metakd.study.strategies import STRATEGIES
from metakd.train.in_flight import SAVE_INTERVAL_S

if TYPE_CHECKING:
    from metakd.results.object_store import ObjectStore

SCRATCH = Path("~/.cache/metakd")


class _Parser(argparse.ArgumentParser):
    """Refuses what it does not understand in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Raises it, with the option that was perhaps meant."""
        if message.startswith("unrecognized arguments: "):
            known = [option for action in self._actions for option in action.option_strings]
            words = [word for word in message.split() if word.startswith("--")]
            for word in words:
                for close in difflib.get_close_matches(word, known, n=1, cutoff=0.75):
                    message += f"; did you mean {close}?"
        raise SpecError(f"{message} (--help lists all options)")


def parse(defaults: StudySpec, argv: Sequence[str] | None) -> tuple[StudySpec, RunOptions]:
    """Returns the spec and the options that the command line asks for.

    Args:
        defaults: The study's own spec; a preset changes it, options change both.
        argv: The words after the script's name; None takes those of the process.

    Raises:
        SpecError: If a word is not understood, or a value makes no sense.
        StoreError: If ``--out`` names a store that is not known.
        ResourceError: If what a trial is to be given makes no sense.
        SystemExit: With code 0 after ``--help``.
    """
    parser = _parser(defaults)
    preset = PRESETS[parser.parse_args(argv).preset]
    parser.set_defaults(**preset.run)
    given = vars(parser.parse_args(argv))
    del given["preset"]
    scratch = given.pop("scratch")
    out, store = _place(given.pop("out") or f"results/{defaults.name}", scratch)
    options = RunOptions(
        cluster=given.pop("cluster"),
        out=out,
        store=store,
        data=DatasetOptions(
            data_dir=given.pop("data_dir"),
            image_column=given.pop("image_column"),
            label_column=given.pop("label_column"),
            corrupt_images=given.pop("corrupt_images"),
        ),
        banks=BankPolicy(
            mode=None if given["bank"] == "auto" else given["bank"],
            limit_bytes=round(given.pop("bank_gib") * 2**30),
        ),
        wanted=Wanted(
            workers=given.pop("workers_per_trial"),
            cpus=given.pop("cpus_per_trial"),
            gpus=given.pop("gpus_per_trial"),
            max_concurrent=given.pop("max_concurrent"),
        ),
        max_failures=given.pop("max_failures"),
        save_interval_s=given.pop("save_interval"),
        dry_run=given.pop("dry_run"),
        report=not given.pop("no_report"),
    )
    del given["bank"]
    if not options.banks.limit_bytes > 0:
        raise SpecError(f"bank-gib must be above 0, got {options.banks.limit_bytes / 2**30:g}")
    if not options.save_interval_s >= 0:
        raise SpecError(f"save-interval must be at least 0, got {options.save_interval_s:g}")
    if options.max_failures < 0:
        raise SpecError(f"max-failures must be at least 0, got {options.max_failures}")
    if "scales" in given and "images_per_class" in given:
        raise SpecError("give --scales or --images-per-class, not both")
    chosen: dict[str, Any] = dict(preset.spec)
    chosen.update({k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    return replace(defaults, **chosen), options


def _place(out: str, scratch: Path | None) -> "tuple[Path, ObjectStore | None]":
    """Returns the results folder, and the object store that it is a copy of, if any."""
    if "://" not in out:
        if scratch is not None:
            raise SpecError("--scratch is for results in an object store, such as --out s3://...")
        return Path(out), None
    if out.startswith("file://"):
        return Path(out.removeprefix("file://")), None
    # Only an object store needs pyarrow this early.
    from metakd.results.object_store import ObjectStore

    store = ObjectStore(out)
    return (scratch or SCRATCH).expanduser().absolute() / store.id, store


def _parser(defaults: StudySpec) -> _Parser:
    parser = _Parser(
        description="Search for the distillation temperature, or learn it? Runs what is missing of "
        "the study on Ray, then prints the verdict and writes the report. Running the same command "
        "again continues where it stopped.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )

    asks = parser.add_argument_group("the question")
    asks.add_argument(
        "--dataset",
        "--datasets",
        dest="datasets",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(SOURCES)}; parquet:PATH, imagefolder:PATH; "
        f"{_shown(defaults.datasets)}",
    )
    asks.add_argument(
        "--scales",
        nargs="+",
        type=float,
        metavar="F",
        help=f"fractions of the training split; {_shown(defaults.scales)}",
    )
    asks.add_argument(
        "--images-per-class",
        nargs="+",
        type=int,
        metavar="N",
        help="instead of --scales: so many training images of each class",
    )
    asks.add_argument(
        "--validation",
        choices=get_args(Validation),
        help="held-out samples: the scale's share of the validation split (scaled, the default), "
        "two of a class or more; or all of it (full)",
    )
    asks.add_argument(
        "--match",
        choices=get_args(Match),
        help="smaller scales train for as many epochs (default) or optimiser steps as scale 1",
    )
    asks.add_argument(
        "--augmentations",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(RECIPES)}; {_shown(defaults.augmentations)}",
    )
    asks.add_argument(
        "--strategies",
        nargs="+",
        metavar="NAME",
        help=f"all, or of {', '.join(STRATEGIES)}; {_shown(defaults.strategies)}",
    )
    asks.add_argument(
        "--temperatures",
        nargs="+",
        type=float,
        metavar="TAU",
        help=f"the grid; {_shown(defaults.temperatures)}",
    )
    asks.add_argument(
        "--tau",
        dest="fixed_tau",
        type=float,
        metavar="TAU",
        help="temperature of strategies that do not search, where hypergradients start, too "
        f"(default: {defaults.fixed_tau:g})",
    )
    asks.add_argument(
        "--alpha",
        type=float,
        metavar="A",
        help="weight of the teacher's term, but of dkd, logit_std and mmkd-reference, which have "
        f"their published weights (default: {defaults.alpha:g})",
    )
    asks.add_argument(
        "--margin",
        dest="margin_pp",
        type=float,
        metavar="PP",
        help="differences inside ± this many points count as equal "
        f"(default: {defaults.margin_pp:g})",
    )
    asks.add_argument(
        "--budget",
        type=float,
        metavar="N",
        help="student runs that each searcher spends in a setting and seed (default: as the grid)",
    )
    asks.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"seeds in every setting (default: {defaults.seeds})",
    )
    for side in ("teacher", "student"):
        asks.add_argument(
            f"--{side}",
            f"--{side}s",
            dest=f"{side}s",
            nargs="+",
            metavar="MODEL",
            help="models of metakd, timm:NAME, or rising: several of rising size"
            + ("; A+B+C: at once; ensemble: three at once; none" if side == "teacher" else ""),
        )
    asks.add_argument(
        "--recipe",
        choices=sorted(TRAINING_RECIPES),
        help="optimiser and schedule of students and teachers (default: by the size of the images)",
    )
    asks.add_argument("--epochs", type=int, metavar="N", help="epochs of each student")
    asks.add_argument("--teacher-epochs", type=int, metavar="N", help="epochs of the teachers")
    asks.add_argument(
        "--views", type=int, metavar="N", help="views of each sample (default: new ones each pass)"
    )
    asks.add_argument(
        "--logits",
        choices=get_args(AnswerType),
        help="type in which the teacher's answers are kept (default: float16)",
    )
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        default="laptop",
        metavar="NAME",
        help="; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items()),
    )

    runs = parser.add_argument_group("the run")
    runs.add_argument(
        "--cluster",
        default="auto",
        metavar="auto|local|HOST:PORT",
        help="auto (default): RAY_ADDRESS, else a cluster that runs here, else a new local one",
    )
    runs.add_argument(
        "--out",
        default=None,
        metavar="DIR|URI",
        help=f"results folder (default: results/{defaults.name}), or a place in an object store: "
        f"{', '.join(f'{scheme}://' for scheme in SCHEMES)}",
    )
    runs.add_argument(
        "--scratch",
        type=Path,
        default=None,
        metavar="DIR",
        help=f"with an object store: where each machine keeps its copies, by default {SCRATCH}",
    )
    runs.add_argument(
        "--data-dir", type=Path, default=None, metavar="DIR", help="where downloaded datasets lie"
    )
    runs.add_argument(
        "--image-column",
        default=None,
        metavar="NAME",
        help="of Parquet files (default: img, image)",
    )
    runs.add_argument(
        "--label-column",
        default=None,
        metavar="NAME",
        help="of Parquet files (default: label, fine_label)",
    )
    runs.add_argument(
        "--corrupt-images",
        choices=("fail", "skip"),
        default="fail",
        help="what is done about images that cannot be decoded (default: fail)",
    )
    runs.add_argument(
        "--bank",
        choices=("auto", *MODES),
        default="auto",
        help="what is kept: views and teacher's answers (full), answers (logits), nothing (live); "
        "auto (default) chooses by size",
    )
    runs.add_argument(
        "--bank-gib",
        type=float,
        default=BankPolicy.limit_bytes / 2**30,
        metavar="GIB",
        help="room that auto may take (default: %(default)g)",
    )
    runs.add_argument(
        "--workers-per-trial",
        type=int,
        default=1,
        metavar="N",
        help="Ray Train workers that share each student's batches by DDP (default: %(default)s)",
    )
    runs.add_argument(
        "--cpus-per-trial",
        type=float,
        default=None,
        metavar="C",
        help="over all its workers (default: one each, or its GPU's part of the machine)",
    )
    runs.add_argument(
        "--gpus-per-trial",
        type=float,
        default=None,
        metavar="G",
        help="over all its workers; a fraction lets trials share one (default: one each, if any)",
    )
    runs.add_argument(
        "--max-concurrent",
        type=int,
        default=None,
        metavar="N",
        help="trials at once (default: as many as fit)",
    )
    runs.add_argument(
        "--max-failures",
        type=int,
        default=1,
        metavar="N",
        help="how often a trial that failed is tried again (default: %(default)s)",
    )
    runs.add_argument(
        "--save-interval",
        type=float,
        default=SAVE_INTERVAL_S,
        metavar="S",
        help="seconds between two kept states of a running trial (default: %(default)g)",
    )
    runs.add_argument(
        "--dry-run",
        action="store_true",
        default=False,
        help="print the plan and its cost, run nothing",
    )
    runs.add_argument(
        "--no-report", action="store_true", default=False, help="write no HTML report"
    )
    return parser


def _shown(values: Sequence[object]) -> str:
    return "default: " + " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
