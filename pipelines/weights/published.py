"""Which published weights a name means for one model."""

from typing import Any

from collectors.errors import ConfigError
from pipelines.classification.model_config import ClassifierModel
from pipelines.weights.zoo import IMAGENET, ZooWeights, find_zoo_weights


def weights_for(name: str, model: Any) -> ZooWeights:
    """Return the published weights that fit a model.

    Args:
        name: ``imagenet``, or the name of a detector of the zoos.
        model: ``task.model`` of an experiment.

    Raises:
        ConfigError: There are none of that name, or none for that model.
    """
    if not isinstance(model, ClassifierModel):
        return find_zoo_weights(
            name, model_id=model.backbone.model_id, depth_multiplier=model.backbone.depth_multiplier
        )
    published = model.network.chosen().published_as
    if published is None:
        raise ConfigError(
            f"nobody publishes weights of the network {model.network.type}",
            where=f"--init {name}",
            fix="Give an earlier run of this network, or leave it out.",
        )
    if name != IMAGENET:
        raise ConfigError(
            "these are the weights of a detector",
            where=f"--init {name}",
            fix=f"Give {IMAGENET}, a file of slim or Keras, or an earlier run.",
        )
    model_id, depth_multiplier, side = published
    return find_zoo_weights(name, model_id=model_id, depth_multiplier=depth_multiplier, side=side)
