"""The class predictor of other weights, taken over column by column where the classes have the same names."""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_CLASS_VARIABLE = re.compile(r"(^BoxPredictor_\d+|^WeightSharedConvolutionalBoxPredictor)/ClassPredictor/")


def is_class_variable(slim_name: str) -> bool:
    """Tell whether a variable has one output for each class of each anchor."""
    return bool(_CLASS_VARIABLE.match(slim_name)) and not slim_name.endswith("/depthwise_weights")


def remap_classes(
    theirs: npt.NDArray[np.float32],
    ours: npt.NDArray[np.float32],
    boxes_per_place: int,
    their_names: Mapping[int, str],
    our_names: Mapping[int, str],
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Fill our class predictor with the columns of classes that the other one knows by the same name.

    Args:
        theirs: Weights or biases; the last axis runs over the anchors of a place and, within, background and classes.
        ours: The same of our model; columns of unknown classes keep their values.
        boxes_per_place: Anchors at one place.
        their_names: Names by class id, from 1.
        our_names: Names by class id, from 1.

    Returns:
        The new values, in the shape of ours, and the names that were found, in the order of our ids. The background's
        column is taken over in any case.
    """
    source = theirs.reshape(*theirs.shape[:-1], boxes_per_place, -1)
    target = ours.reshape(*ours.shape[:-1], boxes_per_place, -1).copy()
    ids = {_plain(name): class_id for class_id, name in sorted(their_names.items(), reverse=True)}
    target[..., 0] = source[..., 0]
    found = []
    for class_id, name in sorted(our_names.items()):
        column = ids.get(_plain(name))
        if column is not None and column < source.shape[-1] and class_id < target.shape[-1]:
            target[..., class_id] = source[..., column]
            found.append(name)
    return target.reshape(ours.shape), found


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
