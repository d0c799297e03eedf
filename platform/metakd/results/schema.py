"""The one canonical schema of the results store.

Three tables. ``trials`` holds one row per finished trial; ``steps`` holds that trial's curve, one
wide row per logged step; ``searches`` says what strategies ran, and in which order. Columns are
only ever added: a reader that passes these schemas sees null for what an older file lacks.
Accuracies are fractions in [0, 1], times are seconds (``_s``).
"""

import pyarrow as pa

TRIALS = pa.schema(
    [
        pa.field("trial_id", pa.string(), nullable=False),
        # Joins the trials that are compared with each other: a setting and a seed.
        pa.field("pair_id", pa.string(), nullable=False),
        pa.field("name", pa.string()),
        pa.field(
            "status", pa.string()
        ),  # "done", "stopped" (by a search, before its end) or "failed"
        pa.field("error", pa.string()),  # of a failed one, the last line
        # The setting.
        pa.field("dataset", pa.string()),
        pa.field("scale", pa.float64()),
        pa.field("augmentation", pa.string()),
        # Null where the method has no teacher; "A+B" where it has several.
        pa.field("teacher", pa.string()),
        pa.field("student", pa.string()),
        pa.field("seed", pa.int32()),
        # How the student was taught, as ``metakd.core.distillers`` names it: "ce", "kd" (fixed
        # temperatures), "mkd" (learned), ...
        pa.field("method", pa.string()),
        pa.field("tau_s_init", pa.float64()),
        pa.field("tau_t_init", pa.float64()),
        pa.field("tau_s_last", pa.float64()),
        pa.field("tau_t_last", pa.float64()),
        pa.field("alpha", pa.float64()),
        # What it reached: at the last epoch (headline), and at the epoch that validation chose.
        pa.field("val_acc_last", pa.float64()),
        pa.field("test_acc_last", pa.float64()),
        pa.field("val_acc_selected", pa.float64()),
        pa.field("test_acc_selected", pa.float64()),
        pa.field("selected_epoch", pa.int32()),
        # Of a teacher that the method changed, at the last epoch; null where it stays as it was.
        pa.field("teacher_val_acc_last", pa.float64()),
        pa.field("teacher_test_acc_last", pa.float64()),
        pa.field("train_samples", pa.int64()),
        # Held out: they chose its epoch, and whatever chooses among trials chooses by them. The
        # method itself learned from so many of them, all or 0.
        pa.field("validation_samples", pa.int64()),
        pa.field("validation_samples_learned", pa.int64()),
        pa.field("test_samples", pa.int64()),
        # What it cost.
        pa.field("epochs", pa.int32()),
        pa.field("steps", pa.int64()),
        pa.field("meta_steps", pa.int64()),
        pa.field("meta_steps_skipped", pa.int64()),  # their gradient was not finite
        pa.field("step_equivalents", pa.float64()),
        pa.field("student_compute_s", pa.float64()),
        pa.field("wall_s", pa.float64()),
        # Where it came from.
        pa.field("started", pa.timestamp("us", tz="UTC")),
        pa.field("ended", pa.timestamp("us", tz="UTC")),
        pa.field("host", pa.string()),
        pa.field("device", pa.string()),
        pa.field("precision", pa.string()),  # of the student's passes
        pa.field("workers", pa.int32()),  # how many shared each batch
        pa.field("config_json", pa.string()),
        pa.field("versions_json", pa.string()),
        pa.field("git_commit", pa.string()),
    ]
)

TEACHER_WEIGHTS = pa.struct(
    [
        pa.field("of", pa.string()),  # "logits" or "features"
        # "all", "right", "wrong" (what the student said before the step), "class 0", "class 1", ...
        pa.field("among", pa.string()),
        pa.field("samples", pa.int64()),
        pa.field("weights", pa.list_(pa.float32())),  # by teacher, in the order of ``teacher``
    ]
)

STEPS = pa.schema(
    [
        pa.field("trial_id", pa.string(), nullable=False),
        pa.field("step", pa.int64()),
        pa.field("epoch", pa.int32()),
        pa.field("train_loss", pa.float32()),
        pa.field("ce_loss", pa.float32()),
        pa.field("kd_loss", pa.float32()),
        pa.field("meta_loss", pa.float32()),
        pa.field("val_acc", pa.float32()),
        pa.field("val_loss", pa.float32()),
        pa.field("tau_s", pa.float32()),
        pa.field("tau_t", pa.float32()),
        pa.field("meta_grad_tau_s", pa.float32()),
        pa.field("meta_grad_tau_t", pa.float32()),
        pa.field("lr", pa.float32()),
        pa.field("elapsed_s", pa.float64()),
        pa.field("feature_loss", pa.float32()),  # of methods that match the teachers' features
        # Of methods that try steps before the student's own: the meta loss without these.
        pa.field("meta_loss_before", pa.float32()),
        pa.field("teacher_val_acc", pa.float32()),  # of a teacher that the method changes
        # How much each of several teachers counted, on average over some samples of the epoch.
        pa.field("teacher_weights", pa.list_(TEACHER_WEIGHTS)),
    ]
)

# One row a segment: a part of a run, from an epoch on, of a strategy in a setting and seed.
SEARCHES = pa.schema(
    [
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("scale", pa.float64(), nullable=False),
        pa.field("augmentation", pa.string(), nullable=False),
        pa.field("teacher", pa.string()),  # null: the strategy has none
        pa.field("student", pa.string(), nullable=False),
        pa.field("seed", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # its place in the strategy's order
        pa.field("trial_id", pa.string(), nullable=False),  # the trial that covers it
        pa.field("from_epoch", pa.int32(), nullable=False),  # epochs that came before, paid already
        pa.field("until_epoch", pa.int32(), nullable=False),  # epochs of the run after it
        pa.field("is_complete", pa.bool_(), nullable=False),  # whether the strategy has ended here
    ]
)

# As steps are read: ten million ids as numbers.
ENCODED_ID = pa.field("trial_id", pa.dictionary(pa.int32(), pa.string()), nullable=False)
ENCODED_STEPS = STEPS.set(0, ENCODED_ID)
