"""What a study shows of itself on Ray's dashboard: gauges that Prometheus reads from every node."""

from ray.util.metrics import Gauge

from metakd.train.epochs import Epoch
from metakd.train.trial import Trial


class TrialGauges:
    """How far each running trial is, set by its driver."""

    def __init__(self) -> None:
        tags = ("trial", "method", "scale", "augmentation")
        self._epoch = Gauge("metakd_trial_epoch", "Epochs done of a student", tags)
        self._accuracy = Gauge(
            "metakd_trial_validation_accuracy", "Validation accuracy of a student, 0 to 1", tags
        )
        self._temperature = Gauge(
            "metakd_trial_temperature",
            "Softmax temperature, of the student's logits and the teacher's",
            (*tags, "side"),
        )

    def show(self, trial: Trial, epoch: Epoch) -> None:
        """Shows a trial after an epoch."""
        tags = {
            "trial": trial.name,
            "method": trial.distiller.method,
            "scale": trial.sampling.label,
            "augmentation": trial.sampling.augmentation,
        }
        self._epoch.set(epoch.record.epoch + 1, tags)
        self._accuracy.set(epoch.validation.accuracy, tags)
        if epoch.record.temperatures is not None:
            for side, tau in zip(("student", "teacher"), epoch.record.temperatures, strict=True):
                self._temperature.set(tau, {**tags, "side": side})


class StudyGauges:
    """How many trials of a study are done, running, failed and waiting, set by its driver.

    Args:
        study: The study's name.
    """

    def __init__(self, study: str) -> None:
        self._study = study
        self._gauge = Gauge(
            "metakd_study_trials", "Trials of a study by what became of them", ("study", "state")
        )

    def show(self, done: int, running: int, failed: int, waiting: int) -> None:
        """Shows how far the study is; trials of later segments do not wait yet."""
        counts = {"done": done, "running": running, "failed": failed, "waiting": waiting}
        for state, count in counts.items():
            self._gauge.set(count, {"study": self._study, "state": state})
