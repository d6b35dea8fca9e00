"""How long a step and an evaluation of an experiment take on this machine."""

import copy
import gc
import math
import statistics
import time
from typing import Any

import tensorflow as tf

from pipelines.experiment import Experiment
from pipelines.preflight import Preflight
from pipelines.run_task import make_task
from pipelines.step_time import measure_step_time
from pipelines.time_plan import MeasuredTimes

_STEPS = 10
_BATCHES = 3


def measure_times(experiment: Experiment, preflight: Preflight, *, evaluates: bool) -> MeasuredTimes:
    """Measure what `pipelines.time_plan.plan_time` needs, on networks that are thrown away.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`; it stays as it is.
        preflight: What that returned.
        evaluates: Whether evaluations are measured.
    """
    begun = time.monotonic()
    step_s = measure_step_time(experiment, preflight, steps=_STEPS).step_seconds
    # What is not steps is building and tracing, and the run has to do it again.
    start_s = max(0.0, time.monotonic() - begun - 2 * _STEPS * step_s)
    if not evaluates:
        return MeasuredTimes(step_s, 0.0, start_s, 0.0)
    traced_s, evaluation_s = _measure_evaluation(experiment, preflight)
    gc.collect()  # the network is in cycles; the run that follows needs the room
    return MeasuredTimes(step_s, evaluation_s, start_s, traced_s)


def _measure_evaluation(experiment: Experiment, preflight: Preflight) -> tuple[float, float]:
    """Return the seconds of the first batch, which is traced, and of the whole verification set without that."""
    params = copy.deepcopy(experiment.params.task)
    params.validation_data.input_path = [str(path) for path in preflight.verification.paths]
    task = make_task(params, preflight.label_map)
    task.before_measuring(preflight)
    model = task.build_model()
    step = tf.function(lambda images, labels: task.validation_step((images, labels), model))
    seconds: list[float] = []
    begun, state = time.monotonic(), None
    batches: list[Any] = list(task.build_inputs(params.validation_data).take(_BATCHES))
    for images, labels in [batches[0], *batches]:
        state = task.aggregate_logs(state, step(images, labels))
        seconds.append(time.monotonic() - begun)
        begun = time.monotonic()
    first, rest = seconds[0], statistics.median(seconds[1:])
    batch = params.validation_data.global_batch_size
    return first, rest * math.ceil(preflight.verification.num_examples / batch)
