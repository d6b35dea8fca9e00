"""Model files of a tag classifier, and whether they give the tags that the run gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.classification.classifier import RunClassifier
from pipelines.classification.export import ClassifierExporter
from pipelines.classification.tag_answers import mean_average_precision, thresholds_of
from pipelines.classification.tag_records import TagPlaces
from pipelines.run_directory import RunDirectory
from records.example import Feature
from records.example_values import ints_of, texts_of


@dataclass(frozen=True, slots=True)
class TagAgreement:
    """How far an exported file is from the run.

    Attributes:
        pictures: Number of pictures compared.
        tags: Tags that the run gives them, at its thresholds.
        other_tags: How many tags one of the two gives a picture and the other does not.
        score_difference: Largest difference of a probability.
        mAP: Of the run on these pictures; ``None`` where none of them has a tag.
        mAP_lost: By how much that of the file is less.
    """

    pictures: int
    tags: int
    other_tags: int
    score_difference: float
    mAP: float | None  # noqa: N815 - its name in results.json
    mAP_lost: float | None  # noqa: N815


class TagExporter(ClassifierExporter):
    """A tag classifier's run, to be written in any number of formats; its files carry a threshold for each tag.

    Args:
        run: The run folder.
        classifier: Its network with the weights of a checkpoint.
    """

    def __init__(self, run: RunDirectory, classifier: RunClassifier) -> None:
        super().__init__(run, classifier)
        results, names = run.read_results(), list(classifier.class_names.values())
        self._thresholds = thresholds_of(results, names)
        if results:
            thresholds = dict(zip(names, self._thresholds.tolist(), strict=True))
            self._metadata = replace(self._metadata, thresholds=thresholds)

    def _agreement(
        self, before: NDArray[np.float32], after: NDArray[np.float32], truth: NDArray[np.bool_]
    ) -> TagAgreement:
        given, still_given = (scores >= self._thresholds for scores in (before, after))
        reached, still_reached = (mean_average_precision(truth, scores) for scores in (before, after))
        return TagAgreement(
            pictures=len(before),
            tags=int(given.sum()),
            other_tags=int((given != still_given).sum()),
            score_difference=float(np.abs(before - after).max()),
            mAP=reached,
            mAP_lost=None if reached is None or still_reached is None else reached - still_reached,
        )

    def _truth_of(self) -> Callable[[Mapping[str, Feature]], NDArray[np.bool_]]:
        places = TagPlaces(self._classifier.class_names)

        def truth_of(features: Mapping[str, Feature]) -> NDArray[np.bool_]:
            ids, names = ints_of(features, "image/class/label"), texts_of(features, "image/class/text")
            return places.row(ids, names)[:-1] > 0

        return truth_of
