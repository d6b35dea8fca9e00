"""The classes that a file of weights was trained on."""

from collections.abc import Mapping
from pathlib import Path

from labeling.label_map import read_label_map
from pipelines.weights.files import find_weights

_LABEL_MAPS = ("label_map.pbtxt", "*label_map*.pbtxt")


def class_names_of(weights: Path, label_map: str = "") -> Mapping[int, str] | None:
    """Return the class names by id of a file of weights; ``None`` where nothing says them.

    Args:
        weights: What `pipelines.weights.files.open_weights` takes.
        label_map: Path of its label map; empty looks for one with the weights: in their folder, or in the run's.

    Raises:
        InputError: The label map is missing or damaged.
    """
    if label_map:
        return dict(read_label_map(Path(label_map)).items)
    folder = find_weights(weights).parent
    for place, patterns in ((folder, _LABEL_MAPS), (folder.parent.parent, _LABEL_MAPS[:1])):
        for pattern in patterns:
            if found := sorted(place.glob(pattern)):
                return dict(read_label_map(found[0]).items)
    return None
