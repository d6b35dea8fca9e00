"""What a model file says of itself: classes, preprocessing, where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from collectors.errors import InputError

NAME = "tagbox.json"
LABELS_NAME = "labelmap.txt"
_KIND = "tagbox detector"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a model file carries beside its weights.

    Attributes:
        class_names: Name of each class id, from 1.
        height: Rows of the network's input.
        width: Columns of the network's input.
        best_threshold: Score with the best F1 of the run's last evaluation; ``None`` where there was none.
        experiment: The registered experiment.
        run: Name of the run.
        step: Step of the checkpoint.
        normalized_input: The file wants pictures resized and scaled to ``[-1, 1]``; else it takes pixels of any size.
        tagbox: Version of tagbox.
    """

    class_names: Mapping[int, str]
    height: int
    width: int
    best_threshold: float | None = None
    experiment: str = ""
    run: str = ""
    step: int = 0
    normalized_input: bool = False
    tagbox: str = field(default_factory=lambda: metadata.version("tagbox"))

    def to_json(self) -> str:
        """Return it as JSON text."""
        content = asdict(self)
        content["class_names"] = {str(class_id): name for class_id, name in sorted(self.class_names.items())}
        content["preprocessing"] = (
            "bilinear resize without half-pixel centres (TensorFlow 1's ResizeBilinear) to height x width, aspect not "
            "kept, then pixel * 2 / 255 - 1"
        )
        return json.dumps({"kind": _KIND, **content}, indent=2, ensure_ascii=False) + "\n"

    def labels(self) -> str:
        """Return the class names, one a line, line 1 for id 1; ``???`` where an id is not used."""
        last = max(self.class_names, default=0)
        return "".join(f"{self.class_names.get(class_id, '???')}\n" for class_id in range(1, last + 1))


def read_metadata(text: str, where: str) -> ModelMetadata:
    """Read what `ModelMetadata.to_json` wrote.

    Raises:
        InputError: It is something else.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        if content.pop("kind") != _KIND:
            raise ValueError("another kind of model")
        content.pop("preprocessing")
        names = {int(class_id): str(name) for class_id, name in content.pop("class_names").items()}
        return ModelMetadata(class_names=names, **content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "was not exported by this tagbox (its metadata cannot be read)",
            where=where,
            fix="Export the run again: tagbox export RUN",
        ) from error
