"""Presets are whole recipes: they load, their models are the ones they say, and they train."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torch
from PIL import Image

from metakd.data.bank import build_outputs
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.errors import UserError
from metakd.models.create import create_model
from metakd.models.names import brings_weights, without_weights
from metakd.study.cases import Job
from metakd.study.command_line import parse
from metakd.study.defaults import RECIPES
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.presets import LARGER_VIT, PRESETS, SMALL_VIT
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.sampling import training_views
from metakd.train.student import Bank, Outcome, run_trial
from metakd.train.teacher import open_teacher, read_report
from metakd.train.teaching import teach

IMAGENET = ["vit-tiny-imagenet", "vit-small-imagenet", "vit-base-imagenet", "vit-large-imagenet"]
SHAPE = (3, 224, 224)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_valid_study_on_the_command_line(name: str) -> None:
    spec, _ = parse(StudySpec(name="a_study"), ["--preset", name])
    assert spec == StudySpec(name="a_study", **PRESETS[name].spec)


@pytest.mark.parametrize(
    ("name", "parameters", "drop_path", "epochs"),
    [
        # Parameter counts of timm's model cards, in millions.
        ("vit-tiny-imagenet", 5.72, 0.1, 300),
        ("vit-small-imagenet", 22.05, 0.1, 300),
        ("vit-base-imagenet", 86.57, 0.1, 300),
        ("vit-large-imagenet", 304.33, 0.4, 600),
    ],
)
def test_an_imagenet_preset_is_the_full_recipe(
    name: str, parameters: float, drop_path: float, epochs: int
) -> None:
    spec, options = parse(StudySpec(name="a_study"), ["--preset", name])
    assert (options.wanted.workers, spec.epochs, spec.augmentations) == (8, epochs, ("vit",))
    (student,), (teacher,) = spec.students, spec.teachers
    with torch.device("meta"):
        model = create_model(student, SHAPE, 1000, seed=0)
        taught_by = create_model(without_weights(teacher), SHAPE, 1000, seed=0)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(parameters, abs=0.01)
    assert model.patch_embed.patch_size == (16, 16)
    assert model.blocks[-1].drop_path1.drop_prob == pytest.approx(drop_path)
    # Weights for the images as they come: ImageNet's classes and statistics.
    assert brings_weights(teacher)
    config = taught_by.pretrained_cfg
    assert config["num_classes"] == 1000
    assert config["mean"] == (0.485, 0.456, 0.406)


def test_the_vit_recipe_is_deits() -> None:
    recipe = RECIPES["vit-imagenet"].student
    assert (recipe.algorithm, recipe.batch_size, recipe.weight_decay) == ("adamw", 1024, 0.05)
    assert (recipe.lr, recipe.warmup_epochs, recipe.epochs) == (1e-3, 5, 300)
    assert recipe.over(600).warmup_epochs == 5


def test_the_published_protocol_is_that_of_the_tables() -> None:
    """240 epochs, 64 samples, SGD 0.05 with momentum 0.9, a tenth after 150, 180 and 210 epochs."""
    spec, _ = parse(StudySpec(name="s"), ["--preset", "cifar100-published"])
    assert (spec.datasets, spec.scales, spec.augmentations) == (
        ("cifar100",),
        (1.0,),
        ("standard",),
    )
    assert (spec.teachers, spec.students) == (("cifar_resnet32x4",), ("cifar_resnet8x4",))
    assert (spec.fixed_tau, spec.alpha) == (4.0, 0.9)
    assert spec.recipe is not None
    recipes = RECIPES[spec.recipe]
    recipe = recipes.student
    assert recipes.teacher == recipe
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (240, 64, 0.05)
    assert (recipe.algorithm, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, False)
    assert (recipe.weight_decay, recipe.milestones, recipe.decay) == (5e-4, (150, 180, 210), 0.1)


@pytest.mark.parametrize(
    ("pair", "models", "lr"),
    [
        ("vgg13:vgg8", ("cifar_vgg13", "cifar_vgg8"), 0.05),
        ("resnet32x4:ShuffleV2", ("cifar_resnet32x4", "cifar_shufflenetv2"), 0.01),
    ],
)
def test_a_pair_brings_its_models_and_its_rate(
    pair: str, models: tuple[str, str], lr: float
) -> None:
    words = ["--preset", "cifar100-published", "--pair", pair]
    spec, _ = parse(StudySpec(name="s"), words)
    assert (*spec.teachers, *spec.students) == models
    assert spec.recipe is not None
    assert RECIPES[spec.recipe].student.lr == lr
    assert RECIPES[spec.recipe].teacher.lr == 0.05
    # Elsewhere a pair is its models alone.
    assert parse(StudySpec(name="s"), ["--pair", pair])[0].recipe is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--pair", "vgg13:vgg8", "--student", "cifar_vgg8"], "leave out --teacher and --student"),
        (["--pair", "vgg13:vgg9"], "unknown model 'vgg9' in the pair"),
    ],
)
def test_a_pair_that_makes_no_sense_is_refused(words: list[str], line: str) -> None:
    with pytest.raises(UserError, match=line):
        parse(StudySpec(name="s"), words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    torch.set_num_threads(1)
    return StudyFolder(Path(tmp_path_factory.mktemp("study")))


def draw(count: int, side: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *side, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def photos(folder: StudyFolder) -> ImageDataset:
    """A folder in ImageNet's layout: train and val, a folder for each synset, JPEGs."""
    for split, count in (("train", 12), ("val", 2)):
        for number, synset in enumerate(("n01440764", "n01443537")):
            place = folder.out / "imagenet" / split / synset
            place.mkdir(parents=True)
            for index, pixels in enumerate(draw(count, (50, 40), number)):
                Image.fromarray(pixels).save(place / f"{synset}_{index}.JPEG")
    return open_dataset(f"imagefolder:{folder.out / 'imagenet'},size=32", folder.datasets)


@pytest.fixture(scope="module")
def pictures(folder: StudyFolder) -> ImageDataset:
    """CIFAR-10's layout in Parquet."""
    encoded = []
    for pixels in draw(40, (32, 32), 3):
        file = folder.out / "picture.png"
        Image.fromarray(pixels).save(file)
        encoded.append({"bytes": file.read_bytes(), "path": None})
    table = pa.table({"img": encoded, "label": [number % 2 for number in range(40)]})
    pq.write_table(table, folder.out / "cifar.parquet")
    return open_dataset(f"parquet:{folder.out / 'cifar.parquet'}", folder.datasets)


def small_plan(
    preset: str, dataset: ImageDataset, teachers: Sequence[str], student: str, banks: BankPolicy
) -> Plan:
    """The preset's study, of few epochs, one seed and models cut down in depth and width."""
    fewer = {"epochs": 3, "teacher_epochs": 1, "seeds": 1, "scales": (1.0,), "temperatures": (4.0,)}
    models = {"teachers": tuple(teachers), "students": (student,)}
    spec = StudySpec(name="s", **{**PRESETS[preset].spec, **fewer, **models})
    return make_plan(spec, [dataset], banks)


def run(plan: Plan, job: Job, folder: StudyFolder, bank: Bank | None) -> Outcome:
    # Several steps an epoch of these few samples, the first of them the warm-up.
    recipe = replace(job.trial.recipe, batch_size=8, warmup_epochs=1)
    outcome = run_trial(replace(job.trial, recipe=recipe), folder, bank)
    records = [epoch.record for epoch in outcome.epochs]
    assert len(records) == 3
    assert all(np.isfinite(record.train_loss) for record in records)
    assert records[0].lr == recipe.lr
    assert records[-1].lr < recipe.lr / 2
    return outcome


@pytest.mark.parametrize("is_kept", [False, True], ids=["live", "kept"])
def test_the_imagenet_recipe_trains_on_a_folder(
    folder: StudyFolder, photos: ImageDataset, is_kept: bool
) -> None:
    torch.manual_seed(0)
    checkpoint = folder.out / "regnet.pth"
    torch.save(timm.create_model("regnety_002", num_classes=2).state_dict(), checkpoint)
    teacher = f"timm:regnety_002,checkpoint_path={checkpoint}"
    student = "timm:vit_tiny_patch16_224,drop_path_rate=0.1,depth=2,embed_dim=24"
    policy = BankPolicy("logits" if is_kept else "live")
    plan = small_plan("vit-tiny-imagenet", photos, [teacher], student, policy)
    teach(plan.teachers[0], folder)
    report = read_report(plan.teachers[0], folder)
    assert report is not None
    stored = torch.load(folder.teachers / plan.teachers[0].id / "model.pt")
    given = torch.load(checkpoint)
    assert all(torch.equal(stored[name], given[name]) for name in given)
    by_method = {job.trial.distiller.method: job for job in plan.jobs}
    assert set(by_method) == {"ce", "kd", "mkd"}
    job = by_method["mkd"]
    outcome = run(plan, job, folder, keep_outputs(job, folder) if is_kept else None)
    assert sum(epoch.record.meta_steps for epoch in outcome.epochs) > 0
    assert not any(epoch.record.meta_steps_skipped for epoch in outcome.epochs)
    if not is_kept:
        run(plan, by_method["ce"], folder, None)


def keep_outputs(job: Job, folder: StudyFolder) -> Bank:
    trial = job.trial
    assert trial.teacher is not None
    samples = open_samples(trial.data, folder)
    train = samples.splits.train
    views = training_views(trial.sampling, trial.recipe, trial.seed, samples.dataset, train)
    forward = open_teacher(trial.teacher, folder)
    build_outputs(
        folder.banks, views, trial.teacher.id, lambda x: {"logits": forward(samples.normalise(x))}
    )
    return Bank(views.id, has_views=False)


@pytest.mark.parametrize("teacher", ["cifar_cnn_tiny", "vit"])
def test_a_vit_learns_from_a_cnn_and_from_a_larger_vit(
    folder: StudyFolder, pictures: ImageDataset, teacher: str
) -> None:
    narrow = {"vit": LARGER_VIT.replace("embed_dim=128,depth=6", "embed_dim=32,depth=2")}
    student = SMALL_VIT.replace("embed_dim=64,depth=4", "embed_dim=16,depth=2")
    plan = small_plan(
        "vit-cifar", pictures, [narrow.get(teacher, teacher)], student, BankPolicy("live")
    )
    assert plan.teachers[0].recipe.algorithm == "adamw"
    teach(plan.teachers[0], folder)
    assert {job.trial.sampling.augmentation for job in plan.jobs} == {"standard", "vit"}
    for job in plan.jobs:
        if job.trial.distiller.method == "mkd":
            outcome = run(plan, job, folder, None)
            assert sum(epoch.record.meta_steps for epoch in outcome.epochs) > 0
            assert not any(epoch.record.meta_steps_skipped for epoch in outcome.epochs)


@pytest.mark.parametrize(("model", "parameters"), [(SMALL_VIT, 209_000), (LARGER_VIT, 1_206_000)])
def test_the_vits_for_small_images_have_patches_of_four(model: str, parameters: int) -> None:
    built = create_model(model, (3, 32, 32), 10, seed=0)
    assert built.patch_embed.patch_size == (4, 4)
    assert sum(p.numel() for p in built.parameters()) == pytest.approx(parameters, abs=1000)
