"""What trials share, as jobs that run before them: teachers, views, teachers' logits on these."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from metakd.results.seeds import seed_number
from metakd.study.banks import BankSpec
from metakd.train.bank_building import BankContent, store_outputs, store_views
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S
from metakd.train.teaching import teach
from metakd.train.trial import TeacherSpec

BEFORE_ALL = -1


@dataclass(frozen=True)
class TeacherJob:
    """Trains a teacher."""

    teacher: TeacherSpec

    @property
    def id(self) -> str:
        """Unique among jobs."""
        return teacher_job_id(self.teacher)

    @property
    def seed(self) -> int:
        """Before those of all trials."""
        return BEFORE_ALL

    @property
    def name(self) -> str:
        """What a person reads on Ray's dashboard."""
        return f"teacher-{self.teacher.model}-{self.teacher.seed}"

    @property
    def needs(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


@dataclass(frozen=True)
class ViewsJob:
    """Stores the views of a bank."""

    bank_id: str
    content: BankContent

    @property
    def id(self) -> str:
        """Unique among jobs."""
        return views_job_id(self.bank_id)

    @property
    def seed(self) -> int:
        """The number of the trials' seed in its stream."""
        return seed_number(self.content.seed)

    @property
    def name(self) -> str:
        """What a person reads on Ray's dashboard."""
        return f"views-{self.content.sampling.augmentation}-seed{seed_number(self.content.seed)}"

    @property
    def needs(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


@dataclass(frozen=True)
class OutputsJob:
    """Stores a teacher's logits on the views of a bank, and its features where they are kept."""

    bank_id: str
    content: BankContent
    teacher: TeacherSpec
    with_features: bool

    @property
    def id(self) -> str:
        """Unique among jobs."""
        return outputs_job_id(self.bank_id, self.teacher)

    @property
    def seed(self) -> int:
        """The number of the trials' seed in its stream."""
        return seed_number(self.content.seed)

    @property
    def name(self) -> str:
        """What a person reads on Ray's dashboard."""
        views = f"{self.content.sampling.augmentation}-seed{seed_number(self.content.seed)}"
        return f"logits-{self.teacher.model}-{self.teacher.seed}-{views}"

    @property
    def needs(self) -> frozenset[str]:
        """The teacher, and the views where they are kept: they are read, not made again."""
        return frozenset({teacher_job_id(self.teacher), views_job_id(self.bank_id)})


PreparationJob = TeacherJob | ViewsJob | OutputsJob


def preparation_of(
    banks: Sequence[BankSpec], needed: Collection[str], untrained: Sequence[TeacherSpec] = ()
) -> list[PreparationJob]:
    """Returns what has to be there before trials.

    A bank that is there already is checked by its jobs, and only what it lacks is made.

    Args:
        banks: The banks of a study, seed by seed.
        needed: Ids of those that trials still to run read.
        untrained: Teachers to train; the others are trained.
    """
    kept = [bank for bank in banks if bank.mode != "live" and bank.id in needed]
    views = [ViewsJob(bank.id, bank.content) for bank in kept if bank.mode == "full"]
    outputs = [
        OutputsJob(bank.id, bank.content, teacher, bank.keeps_features_of(teacher))
        for bank in kept
        for teacher in bank.teachers
    ]
    return [*map(TeacherJob, untrained), *views, *outputs]


def carry_out(
    job: PreparationJob,
    folder: StudyFolder,
    save_interval_s: float = SAVE_INTERVAL_S,
    on_epoch: Callable[[int], None] = lambda done: None,
) -> None:
    """Does a job in this process.

    Args:
        job: The job; what it needs is done.
        folder: The study's folder.
        save_interval_s: At least so much time lies between two kept states of a teacher.
        on_epoch: Called after each epoch of a teacher with how many are done.

    Raises:
        UserError: If something that it reads or keeps cannot be had.
    """
    match job:
        case TeacherJob(teacher):
            teach(teacher, folder, save_interval_s, on_epoch)
        case ViewsJob(_, content):
            store_views(content, folder)
        case OutputsJob(_, content, teacher, with_features):
            store_outputs(content, teacher, with_features, folder)


def teacher_job_id(teacher: TeacherSpec) -> str:
    """Returns the id of a teacher's training."""
    return f"teacher-{teacher.id}"


def views_job_id(bank_id: str) -> str:
    """Returns the id of a bank's views."""
    return f"views-{bank_id}"


def outputs_job_id(bank_id: str, teacher: TeacherSpec) -> str:
    """Returns the id of a teacher's logits on a bank's views."""
    return f"logits-{bank_id}-{teacher.id}"
