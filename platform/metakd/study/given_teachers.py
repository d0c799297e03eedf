"""Teachers that were trained elsewhere: checked in the plan, and put where trials find them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from metakd.data.counter_random import derive_seed
from metakd.models.given_weights import given_weights, load_weights, read_weights
from metakd.models.student_files import write_weights
from metakd.study.plan import Plan
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.teacher import given_file, new_teacher, read_report
from metakd.train.trial import TeacherSpec

MOST_IMAGES = 1000
"""So many held-out images tell weights that fit from weights that do not."""
LOW = 0.25
"""A teacher is warned of that goes less than so much of the way from chance to certainty."""


def check_given_teachers(plan: Plan, folder: StudyFolder, console: Console) -> None:
    """Prints how accurate given weights are here, with what looks wrong, before anything runs.

    Raises:
        ModelError: If weights are not those of their model.
    """
    for teacher in _untrained(plan, folder):
        samples = open_samples(teacher.data, folder)
        model = new_teacher(teacher, folder)
        load_weights(model, read_weights(_file_of(teacher, plan.weights)), teacher.model)
        validation = samples.splits.validation
        some = np.random.default_rng(derive_seed(0, "checked")).permutation(validation)
        ids = np.sort(some[:MOST_IMAGES])
        accuracy = samples.evaluate(model, samples.held_out(ids)).accuracy
        console.print(
            f"teacher      {teacher.model}: {100 * accuracy:.2f} % of {len(ids):,} validation "
            "images, with its weights as given"
        )
        chance = 1 / samples.dataset.num_classes
        if accuracy < chance + LOW * (1 - chance):
            console.print(
                f"warning      that is little (chance: {100 * chance:.3g} %): are its classes in "
                "this order, and --teacher-normalise and --teacher-size those of its training?"
            )


def put_given_teachers(plan: Plan, folder: StudyFolder) -> None:
    """Puts given weights beside where their teachers will be stored: all machines find them."""
    for teacher in _untrained(plan, folder):
        place = given_file(teacher, folder)
        write_weights(place, read_weights(_file_of(teacher, plan.weights)))
        folder.push(place)


def _untrained(plan: Plan, folder: StudyFolder) -> list[TeacherSpec]:
    return [
        teacher
        for teacher in plan.teachers
        if given_weights(teacher.model) is not None and read_report(teacher, folder) is None
    ]


def _file_of(teacher: TeacherSpec, files: Mapping[str, Path]) -> Path:
    given = given_weights(teacher.model)
    assert given is not None
    return files[given.file]
