"""A study by the field's protocol, as long as the time allows, without Ray; the report reads it."""

import time
from dataclasses import replace

import torch

from gpu_checks.case import Found, Setup
from gpu_checks.prepared import training_on
from metakd.core.distillers import CrossEntropyConfig
from metakd.data.datasets import open_dataset
from metakd.models.outline import parameters_of
from metakd.results.reader import read_trials
from metakd.results.teacher_scores import TeacherScore, read_teachers, write_teachers
from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.preparation import carry_out, preparation_of
from metakd.study.record import git_commit, record_searches, record_study
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.commit import commit, result_of
from metakd.train.folder import StudyFolder
from metakd.train.student import run_trial
from metakd.train.teacher import read_report
from metakd.train.teaching import teach

STRATEGIES_COMPARED = ("ce", "fixed", "meta", "align")
OF_TEACHER, OF_STUDENTS = 0.25, 0.6
"""Of the time that is left; the rest is for what was measured too low."""
LOOK_AHEADS, OUTPUTS = 1.1, 0.5
"""Of a plain epoch, what one with look-aheads takes; of a teacher's, what its outputs take."""
ENOUGH_EPOCHS, PUBLISHED_EPOCHS, MOST_SEEDS = 30, 240, 5


def a_study(setup: Setup) -> Found:
    """Plans as much as fits, trains the teacher, then the students, seed by seed."""
    folder = StudyFolder(setup.out / "study")
    spec = StudySpec(
        name="gpu",
        datasets=(setup.dataset("cifar100"),),
        scales=(1.0,),
        augmentations=("standard",),
        strategies=STRATEGIES_COMPARED,
        teachers=(setup.size("cifar_resnet32x4", "cifar_cnn_small"),),
        students=(setup.size("cifar_resnet8x4", "cifar_cnn_tiny"),),
        epochs=1,
        teacher_epochs=1,
        seeds=1,
    )
    dataset = open_dataset(spec.datasets[0], folder.datasets)
    policy = BankPolicy(mode="logits")
    autocast = torch.bfloat16 if setup.device == "cuda" else None
    with training_on(setup.device, autocast):
        spec = sized(spec, make_plan(spec, [dataset], policy), folder, setup)
        plan = make_plan(spec, [dataset], policy)
        committed = run(plan, folder, setup)
    for place in (folder.datasets, folder.banks, folder.teachers):
        folder.remove(place)
    planned = len(plan.jobs)
    rows = read_trials(folder.out).to_pylist()
    return Found(
        committed == planned,
        {
            "trials": f"{committed} of {planned}",
            "seeds": spec.seeds,
            "epochs": spec.epochs,
            "teacher epochs": spec.teacher_epochs,
            "teacher": [score.test_acc for score in read_teachers(folder.out)],
            **{f"{row['name']}": row["test_acc_last"] for row in rows},
        },
    )


def sized(spec: StudySpec, plan: Plan, folder: StudyFolder, setup: Setup) -> StudySpec:
    """Returns the spec with as many epochs and seeds as fit, by an epoch of each model."""
    scratch = StudyFolder(setup.work / "study-timing")
    scratch.out.mkdir()
    scratch.datasets.symlink_to(folder.datasets)  # decoding takes a while
    started = time.perf_counter()
    teach(plan.teachers[0], scratch)
    teacher_s = time.perf_counter() - started
    trial = replace(plan.jobs[0].trial, distiller=CrossEntropyConfig(), teacher=None)
    student_s = run_trial(trial, scratch, None).wall_s
    epoch_s = len(spec.strategies) * LOOK_AHEADS * student_s + OUTPUTS * teacher_s
    most = setup.size(PUBLISHED_EPOCHS, 1)
    epochs = max(1, int(OF_STUDENTS * setup.left_s / epoch_s))
    seeds = max(1, min(MOST_SEEDS, epochs // ENOUGH_EPOCHS)) if most > 1 else 1
    return replace(
        spec,
        seeds=seeds,
        epochs=min(most, max(1, epochs // seeds)),
        teacher_epochs=min(most, max(1, int(OF_TEACHER * setup.left_s / teacher_s))),
    )


def run(plan: Plan, folder: StudyFolder, setup: Setup) -> int:
    """Runs the plan in this process while there is time; returns how many trials it committed."""
    record_study(plan, folder.out)
    scheduler = Scheduler(Curves(folder, ()), searches_of(plan))
    scheduler.prepare(preparation_of(plan.banks, scheduler.bank_ids(), plan.teachers))
    committed, longest_s = 0, 0.0
    while setup.left_s > longest_s and (job := scheduler.next_job()) is not None:
        if isinstance(job, Job):
            outcome = run_trial(job.trial, folder, job.bank)
            commit([(job.trial, result_of(job.trial, outcome, git_commit()))], folder)
            committed, longest_s = committed + 1, max(longest_s, outcome.wall_s)
        else:
            carry_out(job, folder)
        scheduler.done(job)
        record_searches(scheduler, folder)
    write_scores(plan, folder)
    return committed


def write_scores(plan: Plan, folder: StudyFolder) -> None:
    """Writes down how good the teachers are that are trained."""
    scores = []
    for teacher in plan.teachers:
        report = read_report(teacher, folder)
        if report is not None:
            dataset = plan.opened_of(teacher.data).dataset
            parameters = parameters_of(teacher.model, dataset.image_shape, dataset.num_classes)
            name = teacher.data.dataset
            scores.append(
                TeacherScore(name, teacher.model, parameters, report.val_acc, report.test_acc)
            )
    write_teachers(folder.out, scores)


CASES = {"CIFAR-100, ResNet-32x4 teaches ResNet-8x4": a_study}
