"""The tags of a picture: those whose probability reaches their threshold, or the likeliest ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.classification.classifier import Answer, best_answers


def found_tags(
    scores: NDArray[np.float32],
    class_names: Mapping[int, str],
    thresholds: NDArray[np.float64],
    *,
    top: int | None = None,
) -> list[tuple[Answer, ...]]:
    """Return the tags of each picture, likeliest first; there may be none.

    Args:
        scores: Probabilities ``(n, tags)``.
        class_names: Name of each class id, in the order of the outputs.
        thresholds: From which probability on each tag is given, ``(tags,)``.
        top: How many at most.

    Raises:
        InputError: A score is not a finite number.
    """
    least = dict(zip(class_names, thresholds.tolist(), strict=True))
    ranked = best_answers(scores, class_names, len(class_names))
    return [tuple(one for one in answers if one.score >= least[one.class_id])[:top] for answers in ranked]
