"""The one canonical schema of the results store.

Three tables. ``trials`` holds one row per finished trial; ``steps`` holds that trial's curve, one
wide row per logged step; ``searches`` says what strategies ran, and in which order. Columns are
only ever added: a reader that passes these schemas sees null for what an older file lacks.
``docs/generated.py`` writes the tables of the documentation from what stands here.
"""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its name.
        type: Its type.
        about: What it holds; accuracies are fractions in [0, 1].
        is_required: Whether no row may lack it.
    """

    name: str
    type: pa.DataType
    about: str
    is_required: bool = False


def _schema(columns: Iterable[Column]) -> pa.Schema:
    return pa.schema([pa.field(c.name, c.type, nullable=not c.is_required) for c in columns])


TRIAL_COLUMNS = (
    Column("trial_id", pa.string(), "What it is, by its content; joins the tables.", True),
    Column(
        "pair_id",
        pa.string(),
        "Joins the trials that are compared with each other: a setting and a seed.",
        True,
    ),
    Column("name", pa.string(), "Its name for people."),
    Column("status", pa.string(), '"done", "stopped" (by a search, before its end) or "failed".'),
    Column("error", pa.string(), "Of a failed one, the last line."),
    Column("dataset", pa.string(), "Name of the data set."),
    Column("scale", pa.float64(), "Share of the training split, in (0, 1]."),
    Column("augmentation", pa.string(), "Name of the recipe."),
    Column(
        "teacher",
        pa.string(),
        'Name of the model; "A+B" where it has several, null where the method has none.',
    ),
    Column("student", pa.string(), "Name of the model."),
    Column("seed", pa.int32(), "The start of its setting's stream plus its number in it."),
    Column(
        "method",
        pa.string(),
        'The loss, as `metakd.core.distillers` names it: "ce", "kd" (fixed temperatures), "mkd" '
        "(learned), ...",
    ),
    Column("tau_s_init", pa.float64(), "The student's temperature at the start."),
    Column("tau_t_init", pa.float64(), "The teacher's temperature at the start."),
    Column("tau_s_last", pa.float64(), "The student's temperature at the end."),
    Column("tau_t_last", pa.float64(), "The teacher's temperature at the end."),
    Column("alpha", pa.float64(), "Weight of the teacher's term."),
    Column("val_acc_last", pa.float64(), "Validation accuracy at the last epoch."),
    Column("test_acc_last", pa.float64(), "Test accuracy at the last epoch: the headline's."),
    Column("val_acc_selected", pa.float64(), "Validation accuracy at the selected epoch."),
    Column("test_acc_selected", pa.float64(), "Test accuracy at the selected epoch."),
    Column("selected_epoch", pa.int32(), "The epoch that validation chose, from 0 on."),
    Column(
        "teacher_val_acc_last",
        pa.float64(),
        "Validation accuracy of a teacher that the method changed, at the last epoch; null where "
        "it stays as it was.",
    ),
    Column("teacher_test_acc_last", pa.float64(), "The same on test."),
    Column("train_samples", pa.int64(), "How many samples it trained on."),
    Column(
        "validation_samples",
        pa.int64(),
        "Held-out samples: its epoch was chosen by them, as whatever chooses among trials is.",
    ),
    Column(
        "validation_samples_learned",
        pa.int64(),
        "How many of these the method itself learned from: all or 0.",
    ),
    Column("test_samples", pa.int64(), "Size of the test set."),
    Column("epochs", pa.int32(), "How many it ran."),
    Column("steps", pa.int64(), "Optimiser steps."),
    Column("meta_steps", pa.int64(), "Look-aheads, skipped ones among them."),
    Column("meta_steps_skipped", pa.int64(), "Those whose gradient was not finite."),
    Column(
        "step_equivalents",
        pa.float64(),
        "What it cost in student steps, look-aheads counted as such.",
    ),
    Column("student_compute_s", pa.float64(), "Seconds that the student computed."),
    Column("wall_s", pa.float64(), "Seconds that the trial took, whole."),
    Column("started", pa.timestamp("us", tz="UTC"), "When it began."),
    Column("ended", pa.timestamp("us", tz="UTC"), "When it ended."),
    Column("host", pa.string(), "The machine."),
    Column("device", pa.string(), '"cpu", or the name of the GPU.'),
    Column("precision", pa.string(), "Of the student's passes."),
    Column("workers", pa.int32(), "How many shared each batch."),
    Column("config_json", pa.string(), "The whole content that its id stands for."),
    Column("versions_json", pa.string(), "Versions of the packages that made it."),
    Column("git_commit", pa.string(), "Commit of metakd's code; empty when unknown."),
)
TRIALS = _schema(TRIAL_COLUMNS)

TEACHER_WEIGHTS = pa.struct(
    [
        pa.field("of", pa.string()),  # "logits" or "features"
        # "all", "right", "wrong" (what the student said before the step), "class 0", "class 1", ...
        pa.field("among", pa.string()),
        pa.field("samples", pa.int64()),
        pa.field("weights", pa.list_(pa.float32())),  # by teacher, in the order of ``teacher``
    ]
)

STEP_COLUMNS = (
    Column("trial_id", pa.string(), "The trial's.", True),
    Column("step", pa.int64(), "Optimiser steps so far."),
    Column("epoch", pa.int32(), "The epoch, from 0 on."),
    Column("train_loss", pa.float32(), "Mean of the whole loss over the epoch."),
    Column("ce_loss", pa.float32(), "Mean cross-entropy on the labels."),
    Column("kd_loss", pa.float32(), "Mean of the teacher's term, before its weight."),
    Column("meta_loss", pa.float32(), "Mean loss that look-aheads were judged by."),
    Column("val_acc", pa.float32(), "Validation accuracy after the epoch."),
    Column("val_loss", pa.float32(), "Validation cross-entropy after the epoch."),
    Column("tau_s", pa.float32(), "The student's temperature after the epoch."),
    Column("tau_t", pa.float32(), "The teacher's temperature after the epoch."),
    Column("meta_grad_tau_s", pa.float32(), "Mean hypergradient by log τ_s."),
    Column("meta_grad_tau_t", pa.float32(), "Mean hypergradient by log τ_t."),
    Column("lr", pa.float32(), "Learning rate at its end."),
    Column("elapsed_s", pa.float64(), "Seconds since the trial began."),
    Column("feature_loss", pa.float32(), "Of methods that match the teachers' features."),
    Column(
        "meta_loss_before",
        pa.float32(),
        "Of methods that try steps before the student's own: the meta loss without these.",
    ),
    Column("teacher_val_acc", pa.float32(), "Of a teacher that the method changes."),
    Column(
        "teacher_weights",
        pa.list_(TEACHER_WEIGHTS),
        'How much each of several teachers counted, on average over "all" samples of the epoch, '
        'those that the student had "right" or "wrong", or those of a class: `of` "logits" or '
        '"features", `among` whom, how many `samples`, and `weights` in the order of the teachers.',
    ),
)
STEPS = _schema(STEP_COLUMNS)

SEARCH_COLUMNS = (
    Column("strategy", pa.string(), "Its name.", True),
    Column("dataset", pa.string(), "Of the setting.", True),
    Column("scale", pa.float64(), "Of the setting.", True),
    Column("augmentation", pa.string(), "Of the setting.", True),
    Column("teacher", pa.string(), "Of the setting; null where the strategy has none."),
    Column("student", pa.string(), "Of the setting.", True),
    Column("seed", pa.int32(), "As in trials.", True),
    Column("position", pa.int32(), "The segment's place in the strategy's order.", True),
    Column("trial_id", pa.string(), "The trial that covers it.", True),
    Column("from_epoch", pa.int32(), "Epochs that came before, and were paid already.", True),
    Column("until_epoch", pa.int32(), "Epochs of the run after it.", True),
    Column("is_complete", pa.bool_(), "Whether the strategy has ended here.", True),
)
"""One row a segment: a run, or epochs of one, of a strategy in a setting and seed."""
SEARCHES = _schema(SEARCH_COLUMNS)

# As steps are read: ten million ids as numbers.
ENCODED_ID = pa.field("trial_id", pa.dictionary(pa.int32(), pa.string()), nullable=False)
ENCODED_STEPS = STEPS.set(0, ENCODED_ID)
