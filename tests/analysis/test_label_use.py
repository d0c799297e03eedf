"""How many labels strategies read, and for what."""

from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy
from made_up_teaching import teaching_study

from metakd.analysis.inventory import Counts, LabelUse, label_use
from metakd.analysis.table import StudyTable, make_table

TRAIN, HELD_OUT = Counts(100, 1000), Counts(20, 200)


def table_of(study: MadeUpStudy, **changes: object) -> StudyTable:
    rows = tuple(row | changes for row in study.rows())
    return make_table(study.record(), rows, study.search_rows())


def test_a_grid_chooses_by_held_out_labels_and_a_single_run_uses_none() -> None:
    assert label_use(table_of(MadeUpStudy())) == (
        LabelUse(("ce", "fixed", "meta"), TRAIN, None, None),
        LabelUse(("grid",), TRAIN, HELD_OUT, None),
    )


def test_a_search_of_several_runs_chooses_and_a_quiz_teaches() -> None:
    segments = (MadeUpSegment(2.0), MadeUpSegment(3.0))
    searches = (MadeUpSearch("random", segments), MadeUpSearch("once", (MadeUpSegment(2.5),)))
    chosen = label_use(table_of(MadeUpStudy(strategies=("fixed",), searches=searches)))
    assert chosen == (
        LabelUse(("fixed", "once"), TRAIN, None, None),
        LabelUse(("random",), TRAIN, HELD_OUT, None),
    )
    found = label_use(table_of(teaching_study("metadistil", "metadistil-own-quiz")))
    assert found == (
        LabelUse(("ce", "fixed", "meta", "metadistil-own-quiz"), TRAIN, None, None),
        LabelUse(("metadistil",), TRAIN, None, HELD_OUT),
    )


def test_settings_say_how_many_labels_there_are() -> None:
    table = table_of(MadeUpStudy())
    assert table.train_samples == (100, 100, 1000, 1000)
    assert table.held_out_samples == (20, 20, 200, 200)


def test_nothing_is_said_of_runs_of_an_older_version() -> None:
    table = table_of(MadeUpStudy(), validation_samples_learned=None)
    assert label_use(table) == ()
    assert table.held_out_samples == (0, 0, 0, 0)


def test_a_strategy_without_a_finished_run_is_left_out() -> None:
    study = MadeUpStudy(absent=lambda row: row["method"] == "mkd" or row["tau_s_init"] == 1.0)
    (plain, grid) = label_use(table_of(study))
    assert plain.strategies == ("ce", "fixed")
    assert grid.chose_by == HELD_OUT
