"""The report of a study that looks until it is decided, from stores as such a study leaves them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Page
from made_up_study import MadeUpStudy, Row, deciding_study, taking_looks

from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import FIGURES, Figure
from metakd.dashboards.report import allocation_table, render
from metakd.dashboards.side_by_side import Study, render_comparison, warnings
from metakd.results.look_records import read_looks

OPEN, EQUAL, AHEAD, END = "open", "equivalent", "ahead", "at its end"
STUDIES = {
    OPEN: (deciding_study(0.2, 0.008), 2),
    EQUAL: (deciding_study(0.0, 0.004), None),
    AHEAD: (deciding_study(1.5, 0.004), None),
    END: (deciding_study(0.2, 0.02, pilots=(1.0, 1.5)), None),
}


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Summary]:
    found = {}
    for name, (study, most) in STUDIES.items():
        out = tmp_path_factory.mktemp(name)
        taking_looks(study, out, most)
        summary = summarise(out)
        # As a report reads it that is drawn again later.
        write_summary(out, summary)
        assert read_summary(out).deciding is not None
        found[name] = summary
    return found


def figure(summary: Summary, name: str) -> Figure:
    found = FIGURES[name].draw(summary)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "badge", "headline", "lead", "title"),
    [
        (
            OPEN,
            "Not worse so far, 2.5 times cheaper",
            "is not worse than the grid of 4 temperatures by more than 0.30 points in these 4 "
            "settings; it costs 40 % as much.",
            "Undecided so far: look 2 of 4 leaves it open at ±0.30 points, and the last look, ",
            "Look 2 of 4 decides nothing, as its interval holds zero and leaves ±0.30 points: the "
            "study is open",
        ),
        (
            EQUAL,
            "Equal, 2.5 times cheaper",
            "equals the grid of 4 temperatures within ±0.30 points in these 4 settings; it costs",
            "Decided at look 2 of 4, after 402 trials in 8 minutes",
            "Look 2 of 4 decides: its interval lies inside ±0.30 points",
        ),
        (
            AHEAD,
            "Slightly better, 2.5 times cheaper",
            "is ahead of the grid of 4 temperatures, maybe by less than 0.30 points, in these 4 "
            "settings; it costs",
            "Decided at look 1 of 4, after 96 trials in 4 minutes",
            "Look 1 of 4 decides: its interval lies above zero",
        ),
        (
            END,
            "Undecided, 2.5 times cheaper",
            "leave open whether learning the temperature matches the grid of 4 temperatures in "
            "these 4 settings",
            "Undecided at ±0.30 points after look 2 of 2: no further look was declared",
            "Look 2 of 2 decides nothing, as its interval holds zero and leaves ±0.30 points: no "
            "further look was declared",
        ),
    ],
)
def test_the_page_says_the_decision_and_its_scope(
    summaries: dict[str, Summary], name: str, badge: str, headline: str, lead: str, title: str
) -> None:
    summary = summaries[name]
    assert summary.verdict.badge == badge
    assert headline in summary.verdict.headline
    assert summary.verdict.sentences[0].startswith(lead)
    assert figure(summary, "looks").title == title
    text = render(summary)
    page = Page(text)
    for words in (badge, headline, lead, title, "For other settings like these it is"):
        assert words.replace("\u00a0", " ") in page.words.replace("\u00a0", " ")
    # The first figure, and the table of seeds behind it.
    assert re.findall(r'data-figure="(\w+)"', text)[0] == "looks"
    assert text.index('data-figure="looks"') < text.index('data-table="allocation"')
    assert "two-way" not in page.words


@pytest.mark.parametrize("name", STUDIES)
def test_the_headlines_numbers_are_the_last_looks(summaries: dict[str, Summary], name: str) -> None:
    summary = summaries[name]
    assert summary.deciding is not None
    last = summary.deciding.looks[-1].interval
    assert summary.primary.here == last
    assert summary.comparisons[0].effect == last
    assert last.level > 0.95
    level = f"{100 * last.level:.4g} %" if last.level > 0.999 else f"{100 * last.level:.3g} %"
    words = Page(render(summary)).words.replace("\u00a0", " ")
    # Beside the hero's number and in the table of comparisons.
    assert f"{level} interval [" in words
    assert f"] at {level}" in words


def test_looks_that_were_not_taken_are_shown_as_such(summaries: dict[str, Summary]) -> None:
    shown = {name: figure(summary, "looks") for name, summary in summaries.items()}
    words = {name: [row[-1] for row in found.rows] for name, found in shown.items()}
    assert words == {
        OPEN: ["open", "open", "not taken", "not taken"],
        EQUAL: ["open", "equivalent", "not taken", "not taken"],
        AHEAD: ["ahead", "not taken", "not taken", "not taken"],
        END: ["open", "open"],
    }
    notes = {
        name: [note["text"] for note in found.layout["annotations"] if "not taken" in note["text"]]
        for name, found in shown.items()
    }
    assert [note.split("<br>")[0] for note in notes[OPEN]] == ["not taken: to come"] * 2
    assert [note.split("<br>")[0] for note in notes[EQUAL]] == ["not taken: not needed"] * 2
    assert notes[END] == []
    # What each look cost stands in the row of its own.
    assert [row[3:5] for row in shown[EQUAL].rows[:2]] == [("96", "4 min"), ("402", "8 min")]


def test_what_it_would_take_is_for_studies_that_are_open(summaries: dict[str, Summary]) -> None:
    for name in (EQUAL, AHEAD):
        assert FIGURES["outlook"].draw(summaries[name]) is None
    assert figure(summaries[OPEN], "outlook").title.startswith(
        "This study is not likely to settle it"
    )
    assert figure(summaries[END], "outlook").title.startswith("A study anew is")
    for summary in summaries.values():
        assert FIGURES["detectable"].draw(summary) is None


def test_the_allocation_says_where_seeds_went(summaries: dict[str, Summary]) -> None:
    table = allocation_table(summaries[OPEN].deciding)
    assert table is not None
    assert table.heads == ("look 1", "look 2", "look 3, to come")
    by_setting = {key: seeds for key, _, _, seeds in table.rows}
    assert {seeds[0] for seeds in by_setting.values()} == {4}
    # It varies most, and costs a tenth.
    assert max(by_setting, key=lambda key: by_setting[key][-1]) == "10 % · strong"
    assert f"{by_setting['10 % · strong'][-1]} to 10\u00a0%\u00a0· strong" in table.title
    assert allocation_table(None) is None


def test_before_the_first_look_nothing_is_said(tmp_path: Path) -> None:
    study = replace(deciding_study(0.2, 0.008), seed_counts=(4,) * 4)
    summary = summarise(study.write(tmp_path))
    assert summary.deciding is not None
    assert summary.deciding.goes_on
    assert summary.primary.here.low_pp is None
    assert figure(summary, "looks").title == "No look was taken yet: the first is due after 4 seeds"
    page = Page(render(summary))
    assert "No look was taken yet: the first of 4 comes when" in page.words
    assert 'id="allocation"' not in render(summary)
    assert FIGURES["outlook"].draw(summary) is None


def test_seeds_that_no_look_declared_show_and_decide_nothing(tmp_path: Path) -> None:
    study = taking_looks(deciding_study(0.0, 0.004), tmp_path)
    before = summarise(tmp_path)
    more = tuple(count + 2 for count in study.counts)
    after = summarise(replace(study, seed_counts=more).write(tmp_path))
    assert read_looks(tmp_path) == study.looks
    assert after.deciding is not None
    assert after.deciding.undeclared_pairs == 8
    assert (after.verdict.badge, after.primary.here) == (before.verdict.badge, before.primary.here)
    assert after.verdict.headline == before.verdict.headline
    assert after.settings != before.settings
    words = "8 pairs of settings and seeds came after the last declared look"
    assert words in Page(render(after)).words


def test_a_setting_that_always_fails_is_left_out_and_named_as_such(tmp_path: Path) -> None:
    def fails(row: Row) -> bool:
        return bool(row["scale"] == 1.0 and row["augmentation"] == "none")

    study = replace(deciding_study(0.0, 0.004), absent=fails)
    taking_looks(study, tmp_path, most=2)
    summary = summarise(tmp_path)
    assert "in 3 of these 4 settings" in summary.verdict.headline
    assert "Welch's t over these 3 settings" in summary.primary.here.method
    table = allocation_table(summary.deciding)
    assert table is not None
    [lost] = [row for row in table.rows if row[0] == "100 % · none"]
    assert lost[1] == "–"
    assert set(lost[3]) == {4}
    assert "None" not in Page(render(summary)).words


def test_a_study_of_fixed_seeds_speaks_of_its_settings_too(tmp_path: Path) -> None:
    own = MadeUpStudy(seeds=4, seed_streams="own")
    summary = summarise(own.write(tmp_path))
    assert summary.deciding is None
    page = Page(render(summary))
    assert "in these 4 settings" in summary.verdict.headline
    assert "For other settings like these it is" in page.words
    assert "95 % interval" in page.words.replace("\u00a0", " ")
    assert FIGURES["looks"].draw(summary) is None
    detectable = figure(summary, "detectable")
    assert "in its settings; twice the seeds could show" in detectable.title
    assert detectable.columns == ("seeds", "one setting", "mean of these 4 settings")
    # Seeds by their numbers in a setting's stream.
    assert {seed for setting in summary.settings for seed in setting.seeds} == {0, 1, 2, 3}
    assert min(row["seed"] for row in own.rows()) >= 100_000 or len(set(own.streams)) == 4


def test_studies_of_both_kinds_stand_side_by_side(
    summaries: dict[str, Summary], tmp_path: Path
) -> None:
    shared = summarise(MadeUpStudy(seeds=4, margin_pp=0.3).write(tmp_path))
    studies = [
        Study("old", shared),
        Study("open", summaries[OPEN]),
        Study("done", summaries[EQUAL]),
    ]
    said = warnings(studies)
    assert any(line.startswith("Intervals of open and done are of the very") for line in said)
    assert "open has not decided yet: another look may change its word." in said
    assert not any(line.startswith(("done has", "Training")) for line in said)
    page = Page(render_comparison(studies))
    level = f"] at {100 * summaries[OPEN].primary.here.level:.3g} %"
    assert level in page.words.replace("\u00a0", " ")
