"""Golden curves: what every method, augmentation, recipe and split gave when it was recorded.

A change that moves them has to raise the version of what it changes, so that no store mixes old
numbers with new ones. ``python tests/train/test_golden.py`` records them anew.
"""

import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from metakd.core import losses
from metakd.core.distillers import (
    CONFIGS,
    CTKDConfig,
    DistillerConfig,
    KDConfig,
    KDScheduleConfig,
    KDStdConfig,
    LogitStdConfig,
    MetaDistilConfig,
    MKDConfig,
    MMKDConfig,
    NormKDConfig,
    RLDConfig,
    ScaleFreeKDConfig,
    SeveralTeachersConfig,
)
from metakd.core.recipe import Recipe
from metakd.data import splits
from metakd.data.catalogue import RECIPES
from metakd.data.datasets import open_dataset
from metakd.train.algorithms import versions_in
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.sampling import Sampling
from metakd.train.student import run_trial
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher
from metakd.train.trial import DataSpec, TeacherSpec, Trial

FILE = Path(__file__).parent / "golden.json"
# Other processors round otherwise, and a few steps amplify that; a changed constant moves more.
TOLERANCE = 1e-3

RECIPE = Recipe(epochs=2, batch_size=32)
CONFIGURED: dict[str, DistillerConfig] = {
    **{name: config() for name, config in CONFIGS.items() if name != "kd_schedule"},
    "kd_scale_free from 1": ScaleFreeKDConfig(1.0, 1.0),
    "kd_schedule": KDScheduleConfig(((0, 4.0), (1, 8.0))),
    "mkd from 1, per sample": MKDConfig(tau_s=1.0, tau_t=1.0, form="per_sample", interval=2),
    "mkd, product, 2 steps": MKDConfig(scale="product", horizon=2, interval=2),
    "ctkd reference": CTKDConfig.reference(),
    "ctkd by dkd": CTKDConfig(taught_by="dkd"),
    "logit_std reference": LogitStdConfig.reference(),
    "kd_std detached": KDStdConfig(through_deviation=False),
    "normkd reference": NormKDConfig.reference(),
    "rld reference": RLDConfig.reference(),
    "metadistil reference": replace(MetaDistilConfig.reference(), warmup=0.0),
    "metadistil+tau": MetaDistilConfig(learns_temperatures=True),
    "mmkd with features": MMKDConfig(features_weight=1.0, learns="both", interval=2),
    "mmkd reference": replace(MMKDConfig.reference(), meta_lr=0.03),
}
RUNS: dict[str, tuple[DistillerConfig, str, Recipe]] = {
    **{name: (config, "strong", RECIPE) for name, config in CONFIGURED.items()},
    **{f"augmentation {name}": (KDConfig(), name, RECIPE) for name in RECIPES},
    "recipe adamw": (KDConfig(), "none", replace(RECIPE, algorithm="adamw", warmup_epochs=1.0)),
}
Golden = dict[str, Any]


def prepared(place: Path) -> tuple[StudyFolder, Trial]:
    """Returns a folder with digits and teachers of sharp logits, and a trial of all its parts."""
    torch.set_num_threads(1)
    folder = StudyFolder(place)
    dataset = open_dataset("digits", folder.datasets)
    data = DataSpec(dataset.name, dataset.fingerprint)
    teachers = [TeacherSpec(data, "digit_mlp", "standard", Recipe(epochs=1), k) for k in (0, 1)]
    for spec in teachers:
        model = new_teacher(spec, folder)
        with torch.no_grad():
            *_, head = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
            head.weight.mul_(20)
        store_teacher(spec, folder, model, TeacherReport(0.1, 0.1, 0.0))
    first, second = teachers
    trial = Trial(
        data, Sampling(0.3, "strong"), first, "digit_cnn_tiny", RECIPE, MMKDConfig(), 4,
        further_teachers=(second,),
    )  # fmt: skip
    return folder, trial


def curve(name: str, folder: StudyFolder, several: Trial) -> Golden:
    """Runs a case, and returns its curve beside the versions of its algorithms."""
    distiller, augmentation, recipe = RUNS[name]
    further = several.further_teachers if isinstance(distiller, SeveralTeachersConfig) else ()
    trial = replace(
        several,
        further_teachers=further,
        teacher=several.teacher if distiller.uses_teacher else None,
        distiller=distiller,
        sampling=replace(several.sampling, augmentation=augmentation),
        recipe=recipe,
    )
    outcome = run_trial(trial, folder, None)
    numbers = [
        value
        for epoch in outcome.epochs
        for value in (
            epoch.record.train_loss,
            epoch.validation.loss,
            *(epoch.record.temperatures or ()),
        )
    ]
    return {"versions": versions_in(json.loads(trial.config_json)), "curve": numbers}


def split(folder: StudyFolder, trial: Trial) -> Golden:
    """Returns a hash of all splits and subsets of digits, beside their version."""
    samples = open_samples(trial.data, folder)
    found = samples.splits
    parts = [found.train, found.validation, found.test]
    parts += [
        replace(trial.sampling, scale=scale).sample_ids(found.train, samples.dataset.labels, 3)
        for scale in (0.1, 0.5)
    ]
    parts.append(
        replace(trial.sampling, images_per_class=5).sample_ids(
            found.train, samples.dataset.labels, 3
        )
    )
    parts += [
        replace(trial.sampling, scale=scale).held_out_ids(found, samples.dataset.labels, 3)
        for scale in (0.1, 1.0)
    ]
    digest = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).hexdigest()
    return {"versions": {"split": splits.SPLIT_VERSION}, "ids": digest}


def complaint(name: str, recorded: Golden | None, found: Golden) -> str | None:
    """Says what to do where a case is not what was recorded; None where it is."""
    again = f"then record it: python {Path(__file__).relative_to(Path(__file__).parents[2])}"
    if recorded is None:
        return f"{name!r} is not recorded: {again.removeprefix('then ')}"
    if recorded["versions"] != found["versions"]:
        return f"the versions of {name!r} have changed: see that its curve is right, {again}"
    if "ids" in found:
        same = recorded["ids"] == found["ids"]
    else:
        same = found["curve"] == pytest.approx(recorded["curve"], rel=TOLERANCE, abs=1e-6)
    if same:
        return None
    versions = ", ".join(f"{of} {version}" for of, version in found["versions"].items())
    return (
        f"{name!r} gives other numbers at the same versions ({versions}): raise the version of "
        f"what you changed, {again}"
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyFolder, Trial]:
    return prepared(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def recorded() -> dict[str, Golden]:
    golden: dict[str, Golden] = json.loads(FILE.read_text())
    return golden


@pytest.mark.parametrize("name", RUNS)
def test_a_curve_moves_only_with_a_version(
    name: str, place: tuple[StudyFolder, Trial], recorded: dict[str, Golden]
) -> None:
    assert complaint(name, recorded.get(name), curve(name, *place)) is None


def test_splits_change_only_with_their_version(
    place: tuple[StudyFolder, Trial], recorded: dict[str, Golden]
) -> None:
    assert complaint("split", recorded.get("split"), split(*place)) is None


def test_every_method_augmentation_and_split_is_recorded(recorded: dict[str, Golden]) -> None:
    assert set(recorded) == {*RUNS, "split"}
    assert {config.method for config in CONFIGURED.values()} == set(CONFIGS)


def test_a_changed_constant_is_found_and_told_what_to_raise(
    place: tuple[StudyFolder, Trial],
    recorded: dict[str, Golden],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(losses, "REFERENCE_TAU", 3.9)
    message = complaint("mkd", recorded["mkd"], curve("mkd", *place))
    assert message is not None
    assert "raise the version of what you changed" in message
    assert f"mkd {MKDConfig.version}" in message
    raised = {**recorded["mkd"], "versions": {**recorded["mkd"]["versions"], "mkd": 99}}
    assert "have changed" in str(complaint("mkd", raised, curve("mkd", *place)))
    assert "is not recorded" in str(complaint("mkd", None, curve("mkd", *place)))


def main() -> int:
    """Records all curves anew."""
    with tempfile.TemporaryDirectory() as place:
        folder, trial = prepared(Path(place))
        golden = {name: curve(name, folder, trial) for name in RUNS}
        golden["split"] = split(folder, trial)
    FILE.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    print(f"recorded {len(golden)} cases in {FILE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
