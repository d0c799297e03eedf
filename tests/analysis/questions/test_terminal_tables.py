"""A study's question decides what is said and printed of its store."""

from io import StringIO
from pathlib import Path

import pytest
from made_up_ensemble import ensemble_study
from rich.console import Console

from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.dashboards.questions import tables
from metakd.results.teacher_scores import TeacherScore

NAMES = ("a_teacher", "a_teacher_of_some_size", "[red]another[/red]", "t3", "t4", "t5")
SCORES = tuple(TeacherScore("digits", name, 10, 0.9 + n / 100, 0.9) for n, name in enumerate(NAMES))


def printed(summary) -> list[str]:
    console = Console(width=110, file=StringIO())
    for table in tables(summary):
        console.print(table)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 110
    assert "…" not in "".join(lines)
    return lines


def small(made_up, **changes):
    usual = {
        "scales": (1.0,),
        "augmentations": ("none",),
        "seeds": 3,
        "strategies": ("fixed", "meta"),
    }
    return made_up(**({"seeds": 3} | usual | changes))


def test_teachers(made_up, tmp_path: Path) -> None:
    study = small(made_up, teachers=NAMES, teacher_scores=SCORES, question="teacher_gap")
    summary = summarise(study.write(tmp_path))
    assert summary.question == "teacher_gap"
    assert summary.answer.main == summary.answer.by_measure[0]
    assert "most accurate teacher" in summary.verdict.headline
    again = read_summary(write_summary(tmp_path, summary).parent)
    assert again.answer.main.chosen == summary.answer.main.chosen
    lines = printed(summary)
    assert "90.0 %" in " ".join(lines)
    assert sum(line.strip().startswith(("fixed", "meta")) for line in lines) == 2
    assert len(tables(summary)) == 2


def test_augmentations(made_up, tmp_path: Path) -> None:
    study = small(
        made_up, augmentations=("none", "mixup_cutmix"), question="augmentation_gap",
        strategies=("ce", "fixed", "meta"),
    )  # fmt: skip
    summary = summarise(study.write(tmp_path))
    gap = summary.answer.main
    assert (gap.factor, gap.measure) == ("augmentation", "gain")
    [row] = [line for line in printed(summary) if line.strip().startswith("fixed")]
    assert "+" in row


def test_transfer(made_up, tmp_path: Path) -> None:
    study = small(
        made_up, augmentations=("none", "strong"), strategies=("grid", "meta"),
        temperatures=(1.0, 8.0), question="transfer",
    )  # fmt: skip
    summary = summarise(study.write(tmp_path))
    assert summary.answer is not None
    assert read_summary(write_summary(tmp_path, summary).parent).answer is not None
    rows = [
        line.split()[:3] for line in printed(summary) if line.strip().startswith(("any", "aug"))
    ]
    changed = str(summary.answer.moves[0].changed)
    assert rows == [["anything", "2", changed], ["augmentation", "2", changed]]


@pytest.mark.parametrize("question", ["teacher_gap", "augmentation_gap", "transfer"])
def test_a_study_without_an_answer_prints_its_settings(made_up, tmp_path: Path, question) -> None:
    study = small(made_up, seeds=1, strategies=("fixed",), question=question)
    summary = summarise(study.write(tmp_path))
    assert len(tables(summary)) == 1
    assert printed(summary)


def test_several_teachers(tmp_path: Path) -> None:
    summary = summarise(
        ensemble_study(scales=(1.0,), augmentations=("none", "strong")).write(tmp_path)
    )
    assert (summary.learner, summary.baseline) == ("mmkd", "mean_losses")
    strategies, teachers, settings = tables(summary)
    assert strategies.row_count == 11
    assert [str(column.header) for column in settings.columns] == [
        "setting", "n train", "no teacher", "best single\nteacher", "mean of\nlosses", "MMKD",
        "MMKD −\nmean of losses",
        "clear gap",
    ]  # fmt: skip
    lines = printed(summary)
    [row] = [line.split() for line in lines if line.split()[:1] == ["mean_losses"]]
    assert row[2] == "1.0"
    assert row[-1] in ("ahead", "none")
    [single] = [line.split() for line in lines if line.split()[:1] == ["single"]]
    assert single[2] == "3.0"
    [own] = [line.split() for line in lines if line.split()[:1] == ["mmkd"]]
    assert own[2:] == ["1.5"]
    [teacher] = [line.split() for line in lines if line.split()[:1] == ["large_net"]]
    assert teacher[1:3] == ["1,000,000", "95.00"]
    assert teachers.row_count == 3
