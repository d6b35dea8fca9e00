"""What a network consists of: its variables by name, and which of them are trained."""

import math
from typing import NamedTuple

from official.core import task_factory

from pipelines.detection.trained_variables import STATISTICS, trained, variable_names
from pipelines.experiment import Experiment


class DescribedVariable(NamedTuple):
    """A variable.

    Attributes:
        name: What patterns look into.
        shape: As Keras has it.
        parameters: Number of values.
        learning_rate: Share of the learning rate that it is trained at; 0 is not at all.
        trained: The same in words: ``yes``, ``frozen``, ``statistics`` of a batch norm, or the share.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    learning_rate: float
    trained: str


def described_variables(experiment: Experiment) -> list[DescribedVariable]:
    """Build the network of an experiment and return its variables in the order of layers.

    A config that takes the number of its classes from a label map is built for one class.

    Raises:
        ConfigError: A pattern of the config is found in no name.
    """
    params = experiment.params.task
    if not params.model.num_classes:
        params = params.replace(model=params.model.replace(num_classes=1))
    task = task_factory.get_task(params)
    model = task.build_model()
    moved, shares = {id(one) for one in trained(model)}, {id(one): share for one, share in task.step_factors}
    rows = []
    for name, variable in variable_names(model).items():
        share = shares.get(id(variable), 1.0) if id(variable) in moved else 0.0
        shape = tuple(int(side) for side in variable.shape)
        rows.append(DescribedVariable(name, shape, math.prod(shape), share, _in_words(name, share)))
    return rows


def _in_words(name: str, share: float) -> str:
    if name.endswith(STATISTICS):
        return "statistics"
    if not share:
        return "frozen"
    return "yes" if share == 1 else f"x {share:g}"
