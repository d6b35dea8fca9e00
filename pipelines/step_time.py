"""How long a training step takes, with its input pipeline and on a batch that is there already."""

import copy
import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras
from official.common import distribute_utils
from official.core import base_trainer, train_utils
from official.modeling import performance

from pipelines.experiment import Experiment
from pipelines.input_wait import INPUT_WAIT_SHARE, WaitingTrainer
from pipelines.preflight import Preflight
from pipelines.run_task import make_task

_STEPS_PER_LOOP = 5
_WARM_UP_STEPS = 3


@dataclass(frozen=True, slots=True)
class StepTime:
    """What `measure_step_time` found.

    Attributes:
        step_seconds: Wall time of a step as a run has it.
        step_seconds_without_input: The same on one batch that is held in memory: what is left when the input pipeline
            costs nothing, neither waiting nor a share of the processor.
        input_wait_share: Share of ``step_seconds``, 0 to 1, that the step waits for its batch.
        batch_size: Pictures a step, of all replicas.
    """

    step_seconds: float
    step_seconds_without_input: float
    input_wait_share: float
    batch_size: int

    @property
    def images_per_second(self) -> float:
        """Training pictures a second, evaluations left out."""
        return self.batch_size / self.step_seconds


def measure_step_time(experiment: Experiment, preflight: Preflight, *, steps: int = 20) -> StepTime:
    """Measure the training steps of an experiment on a network of its own, after tracing; nothing is written.

    The network has random weights and is thrown away. Half a minute for a network that takes 0.3 s a step, of which
    twenty seconds are tracing.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`; it stays as it is.
        preflight: What that returned.
        steps: About how many steps are measured, each way; the median of loops of five counts.
    """
    params = copy.deepcopy(experiment.params)
    params.task.train_data.input_path = [str(path) for path in preflight.training.paths]
    strategy = distribute_utils.get_distribution_strategy(
        distribution_strategy=params.runtime.distribution_strategy,
        all_reduce_alg=params.runtime.all_reduce_alg,
        num_gpus=params.runtime.num_gpus,
        tpu_address=params.runtime.tpu,
    )
    task = make_task(params.task, preflight.label_map)
    task.before_measuring(preflight)

    def held(data: Any, context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        return task.build_inputs(data, context).take(1).cache().repeat()

    with strategy.scope(), _precision(params.runtime.mixed_precision_dtype):
        trainer = train_utils.create_trainer(params, task, train=True, evaluate=False, trainer_cls=WaitingTrainer)
        seconds, waiting = _measure(trainer, steps)
        trainer.train_dataset = trainer.distribute_dataset(held, params.task.train_data)
        seconds_held, _ = _measure(trainer, steps)
    del trainer
    gc.collect()  # the network is in cycles; the run that follows needs the room
    return StepTime(seconds, seconds_held, waiting, params.task.train_data.global_batch_size)


@contextmanager
def _precision(dtype: str | None) -> Iterator[None]:
    """Build and trace layers under a policy of mixed precision, which is the whole process's."""
    before = tf_keras.mixed_precision.global_policy()
    if dtype:
        performance.set_mixed_precision_policy(dtype)
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def _measure(trainer: base_trainer.Trainer, steps: int) -> tuple[float, float]:
    """Return the seconds of a step and the share of waiting for input, medians over loops."""
    trainer.train(tf.constant(_WARM_UP_STEPS))
    seconds, waiting = [], []
    for _ in range(max(1, round(steps / _STEPS_PER_LOOP))):
        begun = time.perf_counter()
        logs = trainer.train(tf.constant(_STEPS_PER_LOOP))
        seconds.append((time.perf_counter() - begun) / _STEPS_PER_LOOP)
        waiting.append(logs[INPUT_WAIT_SHARE])
    return statistics.median(seconds), statistics.median(waiting)
