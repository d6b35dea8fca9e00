"""What a model file says of itself: classes, preprocessing, where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from collectors.errors import InputError
from pipelines import run_kinds

NAME = "tagbox.json"
LABELS_NAME = "labelmap.txt"
DETECTOR, CLASSIFIER, TAGGER = (kind.word for kind in (run_kinds.DETECTOR, run_kinds.CLASSIFIER, run_kinds.TAGGER))
_OF_CLASSIFIERS = (
    "bilinear resize with antialiasing (tf.image.resize) to height x width, aspect not kept, then pixel / 255"
)
_PREPROCESSING = {
    DETECTOR: "bilinear resize without half-pixel centres (TensorFlow 1's ResizeBilinear) to height x width, aspect "
    "not kept, then pixel * 2 / 255 - 1",
    CLASSIFIER: _OF_CLASSIFIERS,
    TAGGER: _OF_CLASSIFIERS,
}


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
        normalized_input: The file wants pictures resized and scaled; else it takes pixels of any size.
        kind: ``detector``, ``classifier`` or ``tag classifier``.
        channels: Of the pictures: 3, or 1 for grey.
        thresholds: Of a tag classifier: from which score on each tag is given, by its name, as the run's last
            evaluation found; ``None`` where there was none.
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
    kind: str = DETECTOR
    channels: int = 3
    thresholds: Mapping[str, float] | None = None
    tagbox: str = field(default_factory=lambda: metadata.version("tagbox"))

    def to_json(self) -> str:
        """Return it as JSON text."""
        content = asdict(self)
        content["class_names"] = {str(class_id): name for class_id, name in sorted(self.class_names.items())}
        content |= {"kind": f"tagbox {self.kind}", "preprocessing": _PREPROCESSING[self.kind]}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def labels(self) -> str:
        """Return the class names, one a line, as other programs number what comes out.

        Of a detector line 1 is for id 1, with ``???`` where an id is not used; of classifiers for the first score.
        """
        if self.kind != DETECTOR:
            return "".join(f"{name}\n" for name in self.class_names.values())
        last = max(self.class_names, default=0)
        return "".join(f"{self.class_names.get(class_id, '???')}\n" for class_id in range(1, last + 1))


def read_metadata(text: str, where: str) -> ModelMetadata:
    """Read what `ModelMetadata.to_json` wrote.

    Raises:
        InputError: It is something else.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        word, _, kind = content.pop("kind").partition(" ")
        if word != "tagbox" or kind not in _PREPROCESSING:
            raise ValueError("another kind of model")
        content.pop("preprocessing")
        names = {int(class_id): str(name) for class_id, name in content.pop("class_names").items()}
        return ModelMetadata(class_names=names, kind=kind, **content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "was not exported by this tagbox (its metadata cannot be read)",
            where=where,
            fix="Export the run again: tagbox export RUN",
        ) from error
