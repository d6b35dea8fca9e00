"""What the training loop, the evaluations and the run folder ask of a task, whatever it trains."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from official.core import base_task, task_factory

from labeling.label_map import LabelMap
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import RunKind


class RecordSurvey(Protocol):
    """What stands in a set of records."""

    paths: list[Path]
    num_examples: int


class BoardPictures(Protocol):
    """The same few verification pictures at every evaluation, for TensorBoard."""

    def write(self, summaries: Any) -> None:
        """Write them as the newest evaluation sees them, with a `pipelines.board_summaries.BoardSummaries`."""


class RunTask(base_task.Task):
    """A TFM task that leaves a run folder.

    Set before its inputs are built: ``class_names``, and ``first_step``, from where training goes on with the batches
    it would have had. After an evaluation, ``evaluation`` holds its figures.

    Attributes:
        kind: What it trains.
        class_names: Name of each class id.
        first_step: The step that training begins after.
        total_steps: The last step, where that is known.
        step_factors: Variables of the model that was built last, each with the share of the learning rate that it is
            trained at; others are trained at the whole.
        evaluation: Figures of the newest evaluation, at least those of ``kind.figures``; ``None`` is not defined.
    """

    kind: ClassVar[RunKind]

    def __init__(self, params: Any, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self.class_names: Mapping[int, str] = {}
        self.first_step = 0
        self.total_steps: int | None = None
        self.step_factors: list[tuple[Any, float]] = []
        self.evaluation: dict[str, Any] = {}

    @classmethod
    def num_outputs(cls, label_map: LabelMap) -> int:
        """Return the ``num_classes`` that a label map asks for."""
        raise NotImplementedError

    @classmethod
    def survey(cls, paths: Sequence[Path]) -> RecordSurvey:
        """Look at records before they are trained on.

        Raises:
            InputError: A record is damaged, or none of this task's.
        """
        raise NotImplementedError

    @classmethod
    def check_records(
        cls, config: Any, label_map: LabelMap, training: Any, verification: Any, *, trains: bool
    ) -> list[str]:
        """Hold surveys of records against label map and config, and return remarks for the person.

        Args:
            config: That of the task; ``label_map`` is the path of the label map.
            label_map: What stands in it.
            training: The survey of the training records; of no file where there is no training.
            verification: That of the verification records; of no file where there are none.
            trains: Whether there is training, or an evaluation alone.

        Raises:
            ConfigError: They contradict each other.
        """
        raise NotImplementedError

    def before_training(self, run: RunDirectory, model: Any, preflight: Any) -> Iterable[str]:
        """Write ``data.json`` of the records, and give remarks on how the built network suits them.

        Args:
            run: Where to write.
            model: The network, with the weights that it starts or goes on with.
            preflight: A `pipelines.preflight.Preflight`.

        Returns:
            The remarks; where they come with the work, a person can stop it between two of them.
        """
        raise NotImplementedError

    def draw_batch(self, dataset: Any, strategy: Any, output: Path) -> None:
        """Draw the first batch of the training data, as the network gets it, into a JPEG.

        Args:
            dataset: The batches; who reads them at the same time is not disturbed.
            strategy: Over whose devices they are spread.
            output: The file.
        """
        raise NotImplementedError

    def trained_variables(self, model: Any) -> list[Any]:
        """Return the variables that the optimizer changes."""
        return list(model.trainable_variables)

    def board_pictures(self, paths: Sequence[Path]) -> BoardPictures | None:
        """Return what draws verification pictures for TensorBoard, from records in the order of evaluation."""
        return None

    def require_sound(self) -> None:
        """Check that the newest evaluation is one.

        Raises:
            InputError: The network gives something that is not a finite number.
        """

    def results(self) -> dict[str, Any]:
        """Return what stands in ``results.json`` of the newest evaluation, but for step and checkpoint."""
        raise NotImplementedError

    def write_evidence(self, run: RunDirectory) -> None:
        """Write what the figures of the newest evaluation were computed from into the run folder."""
        raise NotImplementedError


def step_outputs_by_replica(*trees: dict[str, Any]) -> list[tuple[dict[str, Any], ...]]:
    """Split what the trainer collected (of each value a tensor for each replica) into a tree of arrays for each."""
    first = next(iter(trees[0].values()))
    if not isinstance(first, tuple):
        return [tuple({key: value.numpy() for key, value in tree.items()} for tree in trees)]
    return [
        tuple({key: value[replica].numpy() for key, value in tree.items()} for tree in trees)
        for replica in range(len(first))
    ]


def make_task(config: Any, label_map: LabelMap, logging_dir: Path | None = None) -> RunTask:
    """Return the task of a config, which knows the classes by name.

    Args:
        config: That of a registered task.
        label_map: The classes.
        logging_dir: Where the run is written, of the task that trains or evaluates it.
    """
    task: RunTask = task_factory.get_task(config, logging_dir=logging_dir and str(logging_dir))
    task.class_names = dict(label_map.items)
    return task
