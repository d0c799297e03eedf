"""Results as tables: what they hold is what the summary says, and every format can be read."""

import csv
import re
from pathlib import Path

import pytest
from made_up_study import MadeUpStudy

from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.dashboards.__main__ import main
from metakd.dashboards.tables import Table, export_tables, latex_of
from metakd.results.reader import read_trials


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MadeUpStudy().write(tmp_path_factory.mktemp("study") / "out")


@pytest.fixture(scope="module")
def summary(out: Path) -> Summary:
    return summarise(out)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_csv_holds_every_number_as_the_summary_has_it(
    out: Path, summary: Summary, tmp_path: Path
) -> None:
    files = {file.name: file for file in export_tables(out, summary, tmp_path, "csv")}
    scores = rows_of(files["scores.csv"])
    expected = [
        (setting.augmentation, score.strategy, score.test_pp)
        for setting in summary.settings
        for score in setting.scores
    ]
    found = [(row["augmentation"], row["strategy"], float(row["test_pp"])) for row in scores]
    assert found == expected
    by_name = {(row["minus"], row["setting"]): row for row in rows_of(files["differences.csv"])}
    for each in summary.comparisons:
        row = by_name[each.baseline, ""]
        assert float(row["low_pp"]) == each.effect.low_pp
        assert row["verdict"] == each.accuracy_verdict
    for setting in summary.settings:
        row = by_name[summary.baseline, setting.key]
        assert float(row["mean_pp"]) == setting.versus_baseline.mean_pp
    trials = read_trials(out)
    found = {row["trial_id"]: float(row["test_acc_last"]) for row in rows_of(files["trials.csv"])}
    names = ("trial_id", "test_acc_last")
    assert found == dict(zip(*(trials[name].to_pylist() for name in names), strict=True))


def test_latex_has_a_cell_for_each_strategy_and_setting(
    out: Path, summary: Summary, tmp_path: Path
) -> None:
    files = {file.name: file for file in export_tables(out, summary, tmp_path, "latex")}
    text = files["results.tex"].read_text()
    body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert len(body) == len(summary.settings) + 1
    for setting, line in zip(summary.settings, body, strict=False):
        _, *cells = line.removesuffix(r" \\").split(" & ")
        by_strategy = {score.strategy: score for score in setting.scores}
        for strategy, cell in zip(summary.strategies, cells, strict=True):
            score = by_strategy[strategy]
            assert cell == rf"{score.test_pp:.2f} $\pm$ {score.sem_pp:.2f}"
    comparisons = files["comparisons.tex"].read_text()
    for each in summary.comparisons:
        assert f"{abs(each.effect.mean_pp or 0):.2f}" in comparisons
    for latex in (text, comparisons):
        assert latex.count("{") == latex.count("}")
        assert not re.search(r"(?<!\\)[#&_](?=.*caption)", latex)
        assert latex.isascii(), sorted({sign for sign in latex if not sign.isascii()})


def test_latex_escapes_whatever_a_name_holds() -> None:
    table = Table("t", ("a_b",), (("50 % & {#$~^\\}",), (None,)))
    text = latex_of(table)
    assert r"a\_b \\" in text
    assert r"50 \% \& \{\#\$\textasciitilde{}\textasciicircum{}\textbackslash{}\} \\" in text
    assert "\n-- \\\\\n" in text


@pytest.mark.parametrize("study", [MadeUpStudy(seeds=1), MadeUpStudy(absent=lambda row: True)])
@pytest.mark.parametrize("format", ["csv", "latex"])
def test_whatever_there_is_of_a_study_makes_tables(
    study: MadeUpStudy, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = study.write(tmp_path / "out")
    assert main([str(out), "--export", format]) == 0
    _, *files = map(Path, capsys.readouterr().out.split())
    assert files
    for file in files:
        assert file.parent == out / "tables"
        # Made-up trials have None in their ids.
        assert file.name == "trials.csv" or not re.search(r"\b(nan|None|inf)\b", file.read_text())
