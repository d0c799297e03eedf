"""The command line that all studies share: words in, a typed spec and typed options out."""

import argparse
import difflib
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from metakd import __version__
from metakd.core.recipe import Match
from metakd.data.catalogue import RECIPES, DatasetOptions, OutputType, Validation, dataset_names
from metakd.endings import Parser
from metakd.errors import UNPRINTABLE, one_line
from metakd.home import expanded
from metakd.models.names import (
    BETWEEN_TEACHERS,
    INPUT_SIZE,
    NORMALISE,
    WEIGHTS,
    at_home,
    join_name,
)
from metakd.models.pairs import LIGHT_STUDENTS, STANDARD_PAIRS, models_of
from metakd.results.study import SCHEMES
from metakd.strategies import STRATEGIES
from metakd.student_card import KeepStudents
from metakd.study.config_file import options_in, with_config
from metakd.study.defaults import PUBLISHED, PUBLISHED_LIGHT
from metakd.study.defaults import RECIPES as TRAINING_RECIPES
from metakd.study.options import (
    MODES,
    PILOTS,
    TRACKERS,
    BankPolicy,
    RunOptions,
    UntilDecided,
    Wanted,
)
from metakd.study.presets import PRESETS, Preset
from metakd.study.spec import ALL, SpecError, StudySpec
from metakd.train.in_flight import SAVE_INTERVAL_S

if TYPE_CHECKING:
    from metakd.results.object_store import ObjectStore

OWN_STORE = Path("\0")
"""Stands for the results folder itself, which is known only later."""
SCRATCH = Path("~/.cache/metakd")
MOST_BANK_GIB = 1e9
MOST_MEANT = 3
"""So many options at most are named where one was perhaps meant."""


class _Parser(Parser):
    """Knows its options, to name the one that was perhaps meant."""

    def error(self, message: str) -> NoReturn:
        """Raises it, with the option that was perhaps meant."""
        if message.startswith("unrecognized arguments: "):
            for word in message.removeprefix("unrecognized arguments: ").split():
                close = self._meant_by(word)
                if close:
                    message += f"; did you mean {' or '.join(close)}?"
        raise SpecError(f"{message} (--help lists all options)")

    def options(self) -> set[str]:
        """Returns all options, as they are written."""
        return {option for action in self._actions for option in action.option_strings}

    def given_twice(self, words: Sequence[str]) -> list[str]:
        """Returns the options with a value that stand more than once among some words."""
        actions = {
            option: action
            for action in self._actions
            for option in action.option_strings
            if action.nargs != 0
        }
        names = (word.partition("=")[0] for word in words)
        found = Counter(actions[name].dest for name in names if name in actions)
        written = {action.dest: action.option_strings[0] for action in actions.values()}
        return [written[dest] for dest, times in found.items() if times > 1]

    def _meant_by(self, word: str) -> list[str]:
        """Returns the options that a word abbreviates, or the one that it resembles."""
        known = [option for action in self._actions for option in action.option_strings]
        # Text that was copied from a page has dashes for hyphens.
        word = "--" + word.partition("=")[0].lstrip("-–—").replace("_", "-")
        longer = [option for option in known if option.startswith(word)]
        if 0 < len(longer) <= MOST_MEANT:
            return longer
        return difflib.get_close_matches(word, known, n=1, cutoff=0.75)


def _number(text: str) -> float:
    try:
        value = float(_plain_digits(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"a finite number is expected, such as 0.5, got {text!r}")
    # Minus zero is another content than zero, and means the same.
    return value + 0.0


def _whole_number(text: str) -> int:
    try:
        return int(_plain_digits(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a whole number is expected, such as 3, got {text!r}"
        ) from error


def _plain_digits(text: str) -> str:
    """Refuses what Python alone reads as a number: 1_000, digits of other scripts."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return text


def parse(
    defaults: StudySpec, argv: Sequence[str] | None, prog: str | None = None
) -> tuple[StudySpec, RunOptions]:
    """Returns the spec and the options of a command line.

    Args:
        defaults: The study's own spec; a preset changes it, options change both.
        argv: The words after the script's name; None takes those of the process.
        prog: What ``--help`` calls the command; None is the script's name.

    Raises:
        SpecError: If a word is not understood, or a value makes no sense.
        HomeError: If a path begins with ``~`` and there is no such home folder.
        ModelError: If a model does not exist.
        PlanSizeError: If the study is too large.
        StoreError: If ``--out`` names a store that is not known.
        ResourceError: If what a trial is to be given makes no sense.
        SystemExit: With code 0 after ``--help``.
    """
    argv = sys.argv[1:] if argv is None else argv
    _require_plain(argv)
    parser = study_parser(defaults, prog)
    known = parser.options()
    typed, argv = argv, with_config(argv, known)
    _require_plain(argv)
    preset = PRESETS[parser.parse_args(argv).preset]
    parser.set_defaults(**preset.run)
    given = vars(parser.parse_args(argv))
    del given["preset"]
    scratch = given.pop("scratch")
    out, store = _place(given.pop("out") or f"results/{defaults.name}", scratch)
    bank_gib = given.pop("bank_gib")
    if bank_gib <= 0:
        raise SpecError(f"bank-gib must be above 0, got {bank_gib:g}")
    if bank_gib > MOST_BANK_GIB:
        raise SpecError(f"bank-gib must be at most {MOST_BANK_GIB:g}, got {bank_gib:g}")
    twice = parser.given_twice(typed)
    until_decided = _until_decided(given)
    power_of = given.pop("plan_power")
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
            limit_bytes=max(1, round(bank_gib * 2**30)),
        ),
        wanted=Wanted(
            workers=given.pop("workers_per_trial"),
            cpus=given.pop("cpus_per_trial"),
            gpus=given.pop("gpus_per_trial"),
            max_concurrent=given.pop("max_concurrent"),
        ),
        max_failures=given.pop("max_failures"),
        save_interval_s=given.pop("save_interval"),
        keep_students=given.pop("keep_students"),
        trackers=tuple(dict.fromkeys(given.pop("log"))),
        dry_run=given.pop("dry_run"),
        assume=given.pop("assume"),
        report=not given.pop("no_report"),
        until_decided=until_decided,
        power_of=out if power_of == OWN_STORE else power_of,
        config=options_in(argv, known),
        notes=tuple(f"{name} is given more than once: the last one counts" for name in twice),
    )
    del given["bank"]
    if "scales" in given and "images_per_class" in given:
        raise SpecError("give --scales or --images-per-class, not both")
    for side in ("teachers", "students"):
        if side in given:
            given[side] = [at_home(level) for level in given[side]]
    _take_pair(given, preset)
    _give_weights(given)
    chosen: dict[str, Any] = dict(preset.spec)
    chosen.update({k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    spec = replace(defaults, **chosen)
    if not spec.continued and spec.strategies == (ALL,):
        # Most of all the strategies stand beside the question: seeds go to those that it is about.
        own = {**vars(defaults), **preset.spec}["strategies"]
        spec = replace(spec, continued=tuple(name for name in own if name in spec.chosen))
    if until_decided is not None or power_of is not None:
        # It knows the strategies of all questions, and takes their imports.
        from metakd.study.decidable import require_decidable

        require_decidable(spec)
    return spec, options


def _take_pair(given: dict[str, Any], preset: Preset) -> None:
    """Takes a pair out of the options given, as the models that it names and their recipe."""
    pair = given.pop("pair")
    if pair is None:
        return
    if "teachers" in given or "students" in given:
        raise SpecError("a --pair names teacher and student: leave out --teacher and --student")
    teacher, student = models_of(pair)
    given["teachers"], given["students"] = [teacher], [student]
    if preset.spec.get("recipe") == PUBLISHED and student in LIGHT_STUDENTS:
        given.setdefault("recipe", PUBLISHED_LIGHT)


def _give_weights(given: dict[str, Any]) -> None:
    """Takes the options of a teacher's weights out of those given, into the teacher's name."""
    names = {WEIGHTS: "teacher_weights", NORMALISE: "teacher_normalise", INPUT_SIZE: "teacher_size"}
    options = {key: given.pop(name) for key, name in names.items()}
    options = {key: value for key, value in options.items() if value is not None}
    if not options:
        return
    if WEIGHTS not in options:
        raise SpecError("--teacher-normalise and --teacher-size belong to --teacher-weights FILE")
    levels = given.get("teachers", ())
    if len(levels) != 1 or BETWEEN_TEACHERS in levels[0]:
        raise SpecError(
            "--teacher-weights is of one teacher: name it with --teacher; of several, each name "
            f"takes its own, MODEL,{WEIGHTS}=FILE,{NORMALISE}=..."
        )
    file = str(expanded(options[WEIGHTS]))
    if any(character in file for character in f",{BETWEEN_TEACHERS}"):
        raise SpecError(f"a path of weights may hold no comma and no plus, got {file!r}")
    given["teachers"] = [join_name(levels[0], {**options, WEIGHTS: file})]


def _until_decided(given: dict[str, Any]) -> UntilDecided | None:
    """Takes the options of a study that goes on until it is decided out of those given."""
    names = {"pilots": "looks", "max_hours": "max_hours", "max_runs": "max_runs"}
    values = {field: given.pop(name) for field, name in names.items()}
    values = {field: value for field, value in values.items() if value is not None}
    if given.pop("until_decided"):
        if "pilots" in values:
            values["pilots"] = tuple(values["pilots"])
        return UntilDecided(**values)
    if "continued" in given:
        values["continued"] = given["continued"]
        names["continued"] = "continued"
    if values:
        name = "--" + names[next(iter(values))].replace("_", "-")
        raise SpecError(
            f"{name} is for studies that run until they are decided: add --until-decided"
        )
    return None


def _require_plain(words: Sequence[str]) -> None:
    """Refuses words that are empty, or that are no plain text."""
    option = ""
    for word in words:
        if word.startswith("--"):
            option = word.partition("=")[0]
        # argparse takes what is only two hyphens for no value.
        if not word.strip() or word in (f"{option}=", f"{option}=--"):
            raise SpecError(f"{option or 'a word'} must not be empty, got {word!r}")
        if UNPRINTABLE.search(word):
            raise SpecError(
                f"{option or 'a word'} must be UTF-8 text without control characters, got "
                f"{one_line(ascii(word))}: rename what it names"
            )


def _place(out: str, scratch: Path | None) -> "tuple[Path, ObjectStore | None]":
    """Returns the results folder, and the object store that it is a copy of, if any."""
    if "://" not in out:
        if scratch is not None:
            raise SpecError("--scratch is for results in an object store, such as --out s3://...")
        return expanded(out), None
    if out.startswith("file://"):
        path = out.removeprefix("file://")
        if not path:
            raise SpecError("write --out file:///FOLDER, got file://")
        return expanded(path), None
    # Only an object store needs pyarrow this early.
    from metakd.results.object_store import ObjectStore

    store = ObjectStore(out)
    return expanded(str(scratch or SCRATCH)).absolute() / store.id, store


def study_parser(defaults: StudySpec, prog: str | None = None) -> _Parser:
    """Returns the parser of a study's words, whose help shows the study's own defaults."""
    parser = _Parser(
        prog=prog,
        description="Search for the distillation temperature, or learn it? Runs what is missing of "
        "the study on Ray, then prints the verdict and writes the report. Running the same command "
        "again continues where it stopped.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"metakd {__version__}")

    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options in a YAML file, as a study writes them to OUT/study.yaml; those given beside "
        "it override it",
    )
    group = parser.add_argument_group("the question")
    group.add_argument(
        "--dataset",
        "--datasets",
        dest="datasets",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(dataset_names())}; parquet:PATH, imagefolder:PATH, hf:NAME, each with "
        f",size=N; MODULE:FUNCTION of your own; {_shown(defaults.datasets)}",
    )
    group.add_argument(
        "--scales",
        nargs="+",
        type=_number,
        metavar="F",
        help=f"fractions of the training split; {_shown(defaults.scales)}",
    )
    group.add_argument(
        "--images-per-class",
        nargs="+",
        type=_whole_number,
        metavar="N",
        help="instead of --scales: so many training images of each class",
    )
    group.add_argument(
        "--validation",
        choices=get_args(Validation),
        help="held-out samples: the scale's share of the validation split (scaled, the default), "
        "two of a class or more; or all of it (full)",
    )
    group.add_argument(
        "--match",
        choices=get_args(Match),
        help="smaller scales train for as many epochs (default) or optimiser steps as scale 1",
    )
    group.add_argument(
        "--augmentations",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(RECIPES)}; {_shown(defaults.augmentations)}",
    )
    group.add_argument(
        "--strategies",
        nargs="+",
        metavar="NAME",
        help=f"all, or of {', '.join(STRATEGIES)}, or MODULE:STRATEGY of your own; "
        + _shown(defaults.strategies),
    )
    group.add_argument(
        "--temperatures",
        nargs="+",
        type=_number,
        metavar="TAU",
        help=f"the grid; {_shown(defaults.temperatures)}",
    )
    group.add_argument(
        "--tau",
        dest="fixed_tau",
        type=_number,
        metavar="TAU",
        help="temperature of strategies that do not search, where hypergradients start, too "
        f"(default: {defaults.fixed_tau:g})",
    )
    group.add_argument(
        "--alpha",
        type=_number,
        metavar="A",
        help="weight of the teacher's term, but of dkd, rld, logit_std, normkd, ttm, wttm and "
        f"mmkd-reference, which have their published weights (default: {defaults.alpha:g})",
    )
    group.add_argument(
        "--margin",
        dest="margin_pp",
        type=_number,
        metavar="PP",
        help="differences inside ± this many points count as equal "
        f"(default: {defaults.margin_pp:g})",
    )
    group.add_argument(
        "--budget",
        type=_number,
        metavar="N",
        help="student runs that each searcher spends in a setting and seed (default: as the grid)",
    )
    group.add_argument(
        "--seeds",
        type=_whole_number,
        metavar="N",
        help=f"seeds in every setting (default: {defaults.seeds})",
    )
    group.add_argument(
        "--first-seed",
        type=_whole_number,
        metavar="N",
        help="the first of them (default: 0): a study anew sees no seed of an earlier one again",
    )
    for side in ("teacher", "student"):
        group.add_argument(
            f"--{side}",
            f"--{side}s",
            dest=f"{side}s",
            nargs="+",
            metavar="MODEL",
            help="models of metakd, timm:NAME, MODULE:FACTORY of your own, or rising: several of "
            "rising size"
            + ("; A+B+C: at once; ensemble: three at once; none" if side == "teacher" else ""),
        )
    group.add_argument(
        "--teacher-augmentations",
        nargs="+",
        metavar="NAME",
        help="recipes by which teachers are trained, each teacher by each of them; "
        + _shown(defaults.teacher_augmentations),
    )
    group.add_argument(
        "--pair",
        default=None,
        metavar="TEACHER:STUDENT",
        help="both, by their names in the published CIFAR-100 tables: " + ", ".join(STANDARD_PAIRS),
    )
    group.add_argument(
        "--recipe",
        choices=sorted(TRAINING_RECIPES),
        help="optimiser and schedule of students and teachers (default: by the size of the images)",
    )
    group.add_argument("--epochs", type=_whole_number, metavar="N", help="epochs of each student")
    group.add_argument(
        "--teacher-epochs", type=_whole_number, metavar="N", help="epochs of the teachers"
    )
    group.add_argument(
        "--teacher-weights",
        default=None,
        metavar="FILE",
        help="weights of a teacher that is trained already: .safetensors, or a state dict",
    )
    group.add_argument(
        "--teacher-normalise",
        default=None,
        metavar="HOW",
        help="how its images were normalised: none, dataset (as this study does), timm, or "
        "MEAN/STD of images in [0, 1], such as 0.5/0.25, or by channel 0.5:0.5:0.4/0.25:0.24:0.26",
    )
    group.add_argument(
        "--teacher-size",
        type=_whole_number,
        default=None,
        metavar="N",
        help="side of the images that it knows, where that is not the dataset's",
    )
    group.add_argument(
        "--views",
        type=_whole_number,
        metavar="N",
        help="views of each sample (default: new ones each pass)",
    )
    group.add_argument(
        "--logits",
        choices=get_args(OutputType),
        help="type in which the teacher's outputs are kept (default: float16)",
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
        "--data-dir",
        type=expanded,
        default=None,
        metavar="DIR",
        help="where downloaded datasets lie",
    )
    runs.add_argument(
        "--image-column",
        default=None,
        metavar="NAME",
        help="of Parquet files and hf:NAME (default: img, image)",
    )
    runs.add_argument(
        "--label-column",
        default=None,
        metavar="NAME",
        help="of Parquet files and hf:NAME (default: label, fine_label)",
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
        help="what is kept: views and teacher's outputs (full), outputs (logits), nothing (live); "
        "auto (default) chooses by size",
    )
    runs.add_argument(
        "--bank-gib",
        type=_number,
        default=BankPolicy.limit_bytes / 2**30,
        metavar="GIB",
        help="room that auto may take (default: %(default)g)",
    )
    runs.add_argument(
        "--workers-per-trial",
        type=_whole_number,
        default=1,
        metavar="N",
        help="Ray Train workers that share each student's batches by DDP (default: %(default)s)",
    )
    runs.add_argument(
        "--cpus-per-trial",
        type=_number,
        default=None,
        metavar="C",
        help="over all its workers (default: one each, or its GPU's part of the machine)",
    )
    runs.add_argument(
        "--gpus-per-trial",
        type=_number,
        default=None,
        metavar="G",
        help="over all its workers; a fraction lets trials share one (default: one each, if any)",
    )
    runs.add_argument(
        "--max-concurrent",
        type=_whole_number,
        default=None,
        metavar="N",
        help="trials at once (default: as many as fit)",
    )
    runs.add_argument(
        "--max-failures",
        type=_whole_number,
        default=1,
        metavar="N",
        help="how often a trial that failed is tried again (default: %(default)s)",
    )
    runs.add_argument(
        "--save-interval",
        type=_number,
        default=SAVE_INTERVAL_S,
        metavar="S",
        help="seconds between two kept states of a running trial (default: %(default)g)",
    )
    runs.add_argument(
        "--keep-students",
        choices=get_args(KeepStudents),
        default="best",
        help="trained students that stay in OUT/students: the best of each setting by validation, "
        "those that strategies select by it, all, or none (default: %(default)s)",
    )
    runs.add_argument(
        "--log",
        nargs="+",
        choices=TRACKERS,
        default=[],
        metavar="TRACKER",
        help=f"of {', '.join(TRACKERS)}: a run for each trial, grouped by setting, and the verdict",
    )
    runs.add_argument(
        "--until-decided",
        action="store_true",
        default=False,
        help="go on, seeds where they pay most, until a declared look at the comparison decides it "
        "at --margin; --seeds is then the pilot's",
    )
    runs.add_argument(
        "--looks",
        nargs="+",
        type=_number,
        default=None,
        metavar="P",
        help="when it looks: compute in pilots, declared before the first trial (default: "
        f"{' '.join(f'{pilots:g}' for pilots in PILOTS)})",
    )
    runs.add_argument(
        "--continued",
        nargs="+",
        metavar="NAME",
        help="with --until-decided: strategies that have seeds beyond the pilot (default: those of "
        "--strategies; of all, the study's own)",
    )
    runs.add_argument(
        "--max-hours",
        type=_number,
        default=None,
        metavar="H",
        help="with --until-decided: pause after so many hours; the same command goes on",
    )
    runs.add_argument(
        "--max-runs",
        type=_whole_number,
        default=None,
        metavar="N",
        help="with --until-decided: pause before the study has more trials than this",
    )
    runs.add_argument(
        "--plan-power",
        nargs="?",
        type=expanded,
        const=OWN_STORE,
        default=None,
        metavar="DIR",
        help="print how long it would take to decide at some margins, by the variances of the "
        "results in DIR (default: --out); run nothing",
    )
    runs.add_argument(
        "--dry-run",
        action="store_true",
        default=False,
        help="print the plan and its cost, run nothing",
    )
    runs.add_argument(
        "--assume",
        default=None,
        metavar="MACHINES",
        help="print the plan and what it would cost on so many GPUs of a kind (8xH100), or so many "
        "CPUs like those here (64xCPU); run nothing",
    )
    runs.add_argument(
        "--no-report", action="store_true", default=False, help="write no HTML report"
    )
    return parser


def _shown(values: Sequence[object]) -> str:
    return "default: " + " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
