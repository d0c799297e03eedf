from pathlib import Path

import pytest

from metakd.data.catalogue import DatasetOptions
from metakd.study.command_line import parse
from metakd.study.main import main
from metakd.study.options import BankPolicy, Wanted
from metakd.study.presets import PRESETS
from metakd.study.spec import SpecError, StudySpec

STUDY = StudySpec(name="a_study")
EVERY_WORD = """
--cluster 10.0.0.5:6379 --out here --dataset parquet:there digits --data-dir down --scales 0.5 1
--augmentations none --temperatures 2 3.5 --strategies grid meta --seeds 2
--tau 2 --alpha 0.5 --margin 0.3
--budget 2.5 --teachers timm:resnet18 digit_cnn --student digit_mlp --epochs 4 --teacher-epochs 9
--dry-run --no-report --validation full
--match steps --recipe vit-cifar --views 3 --logits float32 --bank logits --bank-gib 0.5
--image-column pixels --label-column kind --corrupt-images skip --max-failures 4
--workers-per-trial 2 --cpus-per-trial 8 --gpus-per-trial 2 --max-concurrent 3 --save-interval 5
"""


def test_no_words_ask_for_the_study_as_it_is() -> None:
    spec, options = parse(STUDY, [])
    assert spec == STUDY
    assert options.cluster == "auto"
    assert options.out == Path("results/a_study")
    assert options.report
    assert not options.dry_run


def test_every_word_reaches_its_place() -> None:
    spec, options = parse(STUDY, EVERY_WORD.split())
    assert spec == StudySpec(
        name="a_study",
        datasets=("parquet:there", "digits"),
        scales=(0.5, 1.0),
        augmentations=("none",),
        strategies=("grid", "meta"),
        temperatures=(2.0, 3.5),
        seeds=2,
        teachers=("timm:resnet18", "digit_cnn"),
        students=("digit_mlp",),
        fixed_tau=2.0,
        alpha=0.5,
        margin_pp=0.3,
        budget=2.5,
        recipe="vit-cifar",
        epochs=4,
        teacher_epochs=9,
        validation="full",
        match="steps",
        views=3,
        logits="float32",
    )
    assert (options.cluster, options.out) == ("10.0.0.5:6379", Path("here"))
    assert options.data == DatasetOptions(Path("down"), "pixels", "kind", "skip")
    assert options.banks == BankPolicy("logits", 2**29)
    assert options.max_failures == 4
    assert options.save_interval_s == 5
    assert options.wanted == Wanted(workers=2, cpus=8, gpus=2, max_concurrent=3)
    assert options.dry_run
    assert not options.report


def test_a_tilde_is_the_home_folder_where_no_shell_expands_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse(STUDY, ["--out=~/here"])[1].out == tmp_path / "here"
    assert parse(STUDY, ["--out", "file://~/here"])[1].out == tmp_path / "here"
    assert parse(STUDY, ["--data-dir=~/down"])[1].data.data_dir == tmp_path / "down"
    model = "timm:resnet18,checkpoint_path={}/a.pth"
    teachers = [f"digit_cnn+{model.format('~')}", model.format("/x~")]
    spec, _ = parse(STUDY, ["--teachers", *teachers, "--students", model.format("~")])
    assert spec.teachers == (f"digit_cnn+{model.format(tmp_path)}", model.format("/x~"))
    assert spec.students == (model.format(tmp_path),)


def test_the_last_of_an_option_counts_and_the_plan_says_so() -> None:
    assert parse(STUDY, ["--seeds", "3"])[1].notes == ()
    words = ["--seeds", "3", "--teacher", "digit_mlp", "--seeds=4", "--teachers", "digit_cnn"]
    spec, options = parse(STUDY, words)
    assert (spec.seeds, spec.teachers) == (4, ("digit_cnn",))
    assert options.notes == (
        "--seeds is given more than once: the last one counts",
        "--teacher is given more than once: the last one counts",
    )


def test_minus_zero_is_zero() -> None:
    assert str(parse(STUDY, ["--alpha", "-0.0"])[0].alpha) == "0.0"


def test_scales_are_fractions_or_images_of_each_class() -> None:
    spec, _ = parse(STUDY, ["--images-per-class", "5", "20"])
    assert spec.images_per_class == (5, 20)
    with pytest.raises(SpecError, match="--scales or --images-per-class, not both"):
        parse(STUDY, ["--images-per-class", "5", "--scales", "0.5"])
    with pytest.raises(SpecError, match="images_per_class must be at least 1, got 0"):
        parse(STUDY, ["--images-per-class", "0"])


def test_what_is_kept_is_chosen_by_size_unless_asked_for() -> None:
    assert parse(STUDY, [])[1].banks == BankPolicy(None, 4 * 2**30)
    assert parse(STUDY, ["--bank", "live"])[1].banks.mode == "live"
    with pytest.raises(SpecError, match="bank-gib must be above 0, got -1"):
        parse(STUDY, ["--bank-gib", "-1"])


def test_a_preset_changes_the_study_and_words_change_the_preset() -> None:
    spec, _ = parse(STUDY, ["--preset", "smoke"])
    assert spec.epochs == PRESETS["smoke"].spec["epochs"]
    spec, _ = parse(STUDY, ["--preset", "smoke", "--epochs", "2"])
    assert spec.epochs == 2
    assert spec.scales == PRESETS["smoke"].spec["scales"]


def test_a_preset_also_says_how_it_runs_and_words_change_that() -> None:
    words = ["--preset", "vit-small-imagenet", "--dataset", "imagefolder:there"]
    _, options = parse(STUDY, words)
    assert options.wanted.workers == 8
    _, options = parse(STUDY, [*words, "--workers-per-trial", "2"])
    assert options.wanted.workers == 2
    assert parse(STUDY, [])[1].wanted.workers == 1


def test_a_senseless_value_is_a_spec_error() -> None:
    with pytest.raises(SpecError, match="strategy 'magic'"):
        parse(STUDY, ["--strategies", "magic"])


@pytest.mark.parametrize("words", [["--preset", "huge"], ["--scale", "1"], ["--seeds", "many"]])
def test_a_word_that_is_not_understood_is_refused_by_name(words: list[str]) -> None:
    with pytest.raises(SpecError, match=words[0]):
        parse(STUDY, words)


def test_a_mistyped_option_is_one_line_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(STUDY, lambda out, summary: out, print, ["--seed", "3"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: unrecognized arguments: --seed 3; did you mean --seeds?")
    assert printed.err.count("\n") == 1


def test_help_shows_every_option_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(STUDY, ["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for word in ("--cluster", "strong", "meta", "0.1 0.3 1", "1 2 4 8 16", "parquet:PATH"):
        assert word in shown
