"""Options in a YAML file say what they would say as words, and what a study wrote repeats it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from metakd.results.study import CONFIG_FILE
from metakd.study.command_line import parse, study_parser
from metakd.study.config_file import options_in, with_config, write_config
from metakd.study.spec import SpecError, StudySpec

STUDY = StudySpec(name="s")
OPTIONS = study_parser(STUDY).options()
WORDS = [
    *("--scales", "0.1", "0.3", "--strategies", "ce", "grid", "meta", "--seeds", "4"),
    *("--temperatures", "1", "4", "16.0", "--margin", "0.5", "--student", "digit_mlp"),
    *("--teacher", "digit_cnn+digit_mlp", "--until-decided", "--keep-students", "none"),
]


def test_what_a_study_wrote_repeats_it(tmp_path: Path) -> None:
    spec, options = parse(STUDY, [*WORDS, "--out", "here", "--dry-run"])
    file = write_config(tmp_path, options.config)
    assert file == tmp_path / CONFIG_FILE
    again, same = parse(STUDY, ["--config", str(file), "--out", "there"])
    assert again == spec
    assert same.until_decided == options.until_decided
    assert same.keep_students == "none"
    assert same.config == options.config
    # Where and how it ran once is not of the study.
    assert not {"out", "dry-run"} & set(yaml.safe_load(file.read_text()))
    assert not same.dry_run


def test_words_beside_it_override_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seeds: 4\nscales: [0.1, 0.3]\nkeep_students: all\n")
    for words in (
        ["--config", str(tmp_path / "a.yaml"), "--seeds", "2"],
        ["--seeds", "2", f"--config={tmp_path / 'a.yaml'}"],
    ):
        spec, options = parse(STUDY, words)
        assert (spec.seeds, spec.scales, options.keep_students) == (2, (0.1, 0.3), "all")
        assert options.notes == ()
        assert options.config == {"scales": [0.1, 0.3], "keep-students": "all", "seeds": 2}


def test_flags_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("until-decided: true\nno-report: false\nepochs: null\n")
    spec, options = parse(STUDY, ["--config", str(tmp_path / "a.yaml")])
    assert options.until_decided is not None
    assert options.report
    assert spec.epochs is None
    (tmp_path / "a.yaml").write_text("")
    assert parse(STUDY, ["--config", str(tmp_path / "a.yaml")])[0] == STUDY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sedes: 4", "has 'sedes', which is no option of a study"),
        ("config: b.yaml", "has 'config', which is no option"),
        ("- seeds", "must hold options, such as seeds: 4, got"),
        ("seeds", "must hold options"),
        ("seeds: {a: 1}", "seeds takes values or a list of them"),
        ("scales: [[0.1]]", "scales takes values or a list of them"),
        ("seeds: [", "is no YAML"),
        ("seeds: many", "a whole number is expected"),
        ("seeds: true", "expected one argument"),
        ("data-dir: ''", "--data-dir"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SpecError, match=said) as caught:
        parse(STUDY, ["--config", str(tmp_path / "a.yaml")])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "nothing.yaml"], "nothing.yaml cannot be read: No such file"),
        (["--config"], "takes one file"),
        (["--config", "--seeds", "3"], "takes one file"),
        (["--config", "a.yaml", "--config", "b.yaml"], "takes one file"),
    ],
)
def test_a_file_that_is_not_there_is_one_line(words: list[str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse(STUDY, words)


VALUES = st.one_of(
    st.integers(0, 10**6),
    st.floats(0.001, 1000),
    st.text("abc=+:,0123456789.~/", min_size=1).filter(lambda text: not text.startswith("-")),
)


@given(st.dictionaries(st.sampled_from(["scales", "seeds", "teacher", "data-dir"]),
                       st.lists(VALUES, min_size=1, max_size=3)))  # fmt: skip
def test_any_words_come_back(tmp_path_factory: pytest.TempPathFactory, given: dict) -> None:
    words = [word for name, values in given.items() for word in (f"--{name}", *map(str, values))]
    place = tmp_path_factory.mktemp("config")
    file = write_config(place, options_in(words, OPTIONS))
    assert with_config(["--config", str(file)], OPTIONS) == words
