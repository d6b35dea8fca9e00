"""The keys of a run's ``trainer``: TFM's and tagbox's."""

import dataclasses

from official.core import config_definitions as tfm

from pipelines.early_stopping import EarlyStopping


@dataclasses.dataclass
class TrainerConfig(tfm.TrainerConfig):
    """TFM's trainer, with an early end."""

    early_stopping: EarlyStopping = dataclasses.field(default_factory=EarlyStopping)
