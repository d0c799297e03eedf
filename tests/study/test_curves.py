from pathlib import Path

import pytest

from metakd.core.distillers import KDConfig
from metakd.core.training import Recipe
from metakd.results.compaction import compact
from metakd.results.writer import finished_trial, write_trials
from metakd.study.curves import Curves
from metakd.train.folder import StudyFolder
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, Trial

EPOCHS = 5


def trial(tau: float, stop_after: int | None = None) -> Trial:
    data, recipe = DataSpec("made up", "0"), Recipe(epochs=EPOCHS)
    return Trial(data, Sampling(1.0, "none"), None, "s", recipe, KDConfig(tau), 0, stop_after)


def commit(out: Path, done: Trial) -> None:
    steps = [
        {"trial_id": done.id, "step": epoch, "epoch": epoch, "val_acc": accuracy(done, epoch)}
        for epoch in range(done.epochs)
    ]
    write_trials(out, [finished_trial({"trial_id": done.id, "pair_id": "p"}, steps)])


def accuracy(done: Trial, epoch: int) -> float:
    return done.distiller.tau_s / 100 + epoch / 10  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_longer_run_of_the_same_training_shows_every_epoch(
    tmp_path: Path, is_packed: bool
) -> None:
    whole, segment, other = trial(2.0), trial(3.0, stop_after=2), trial(4.0)
    for done in (whole, segment):
        commit(tmp_path, done)
    if is_packed:
        compact(tmp_path)
    curves = Curves(StudyFolder(tmp_path), {whole.id, segment.id})
    for epochs in (1, 4):
        found = curves.val_acc(trial(2.0, stop_after=epochs))
        assert found == pytest.approx(accuracy(whole, epochs - 1))
        assert curves.covering(trial(2.0, stop_after=epochs)) == whole.id
    assert curves.val_acc(whole) == pytest.approx(accuracy(whole, 4))
    assert curves.val_acc(segment) == pytest.approx(accuracy(segment, 1))
    # A segment does not say what comes after it, nor anything of another temperature.
    assert curves.val_acc(trial(3.0, stop_after=3)) is None
    assert curves.val_acc(other) is None
    # What is committed from now on is read when it is asked for.
    commit(tmp_path, other)
    curves.add(other.id)
    assert curves.val_acc(other) == pytest.approx(accuracy(other, 4))
