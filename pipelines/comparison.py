"""Several runs of detectors side by side: figures with intervals, and whether a difference is more than chance."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from pipelines import matches as matching
from pipelines.bootstrap import Interval, draws, interval
from pipelines.coco_matching import coco_evaluation
from pipelines.detection_record import DetectionRecord
from pipelines.paired_comparison import compare_with_first, other_pictures, p_value
from pipelines.run_directory import RunDirectory

FloatArray = npt.NDArray[np.float64]

_IOU_50 = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What a run has more than the first one, on the same pictures.

    ``p_ap`` and ``p_ap50`` are the share of random exchanges of the two runs' detections, picture by picture, that
    give a difference at least as large: the chance to see it if the runs were equally good.
    """

    AP: Interval
    AP50: Interval
    p_ap: float | None
    p_ap50: float | None


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of a comparison.

    Attributes:
        name: The run's folder, as short as it is clear.
        step: Step of the checkpoint that was judged.
        num_images: Verification pictures.
        AP: COCO's figure with its interval.
        AP50: The same at IoU 0.5.
        difference: To the first run; ``None`` for the first, and where ``not_comparable`` says why.
        not_comparable: Why this run cannot be tested against the first; empty when it can.
    """

    name: str
    step: int | None
    num_images: int
    AP: Interval
    AP50: Interval
    difference: Difference | None = None
    not_comparable: str = ""


@dataclass(frozen=True, eq=False)
class _Judged:
    name: str
    step: int | None
    truth: dict[str, Any]
    classes: dict[int, matching.ClassMatches]
    image_ids: tuple[int, ...]


def compare(
    runs: Sequence[RunDirectory], *, resamples: int = 1000, seed: int = 0, progress: Progress = no_progress
) -> list[ComparedRun]:
    """Compare runs by the detections that their evaluations left behind; nothing is evaluated again.

    Intervals come from a bootstrap over the pictures. The first run is what the others are compared with.

    Args:
        runs: Evaluated runs, at least one, each once.
        resamples: How often pictures are drawn; the smallest p-value that can be shown is ``1 / (resamples + 1)``.
        seed: Another seed, other draws; the same seed, the same table.
        progress: Told after each run.

    Raises:
        InputError: A run was not evaluated.
        ConfigError: A run stands twice, or there are no runs.
    """
    return compare_with_first(runs, _judge, lambda one, first: _compared(one, first, resamples, seed), progress)


def _judge(run: RunDirectory, name: str) -> _Judged:
    run.require()
    truth, detections = (_read(run, f"{part}.json") for part in ("ground_truth", "detections"))
    try:
        class_names = {int(category["id"]): str(category["name"]) for category in truth["categories"]}
        record = DetectionRecord(truth["images"], truth["annotations"], detections)
        evaluation = coco_evaluation(record, class_names)
        image_ids = tuple(sorted(int(image["id"]) for image in truth["images"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"is not what an evaluation writes ({error!r})",
            where=str(run.path / "ground_truth.json"),
            fix=f"Evaluate the run again: tagbox eval {run.path}",
        ) from error
    classes = matching.class_matches(evaluation) if evaluation else {}
    return _Judged(name, (run.read_results() or {}).get("step"), truth, classes, image_ids)


def _read(run: RunDirectory, name: str) -> Any:
    path = run.path / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = "this run was not evaluated" if isinstance(error, FileNotFoundError) else f"cannot read ({error})"
        raise InputError(reason, where=str(path), fix=f"Evaluate it: tagbox eval {run.path}") from error


def _compared(one: _Judged, first: _Judged, resamples: int, seed: int) -> ComparedRun:
    weights = draws(len(one.image_ids), resamples, seed)
    own = _figures(one, weights)
    headline = ComparedRun(
        one.name, one.step, len(one.image_ids), AP=interval(own.mean(axis=1)), AP50=interval(own[:, _IOU_50])
    )
    if one is first:
        return headline
    if reason := _why_not(one, first):
        return ComparedRun(one.name, one.step, headline.num_images, headline.AP, headline.AP50, None, reason)
    delta = own - _figures(first, weights)
    chance = _exchanged(one, first, resamples, seed)
    difference = Difference(
        AP=interval(delta.mean(axis=1)),
        AP50=interval(delta[:, _IOU_50]),
        p_ap=p_value(delta[0].mean(), chance.mean(axis=1)),
        p_ap50=p_value(delta[0, _IOU_50], chance[:, _IOU_50]),
    )
    return ComparedRun(one.name, one.step, headline.num_images, headline.AP, headline.AP50, difference)


def _figures(judged: _Judged, weights: npt.NDArray[np.int64]) -> FloatArray:
    return matching.resampled_precision(list(judged.classes.values()), weights)


def _why_not(one: _Judged, first: _Judged) -> str:
    if reason := other_pictures(one.image_ids, first.image_ids, first.name):
        return reason

    def boxes(judged: _Judged) -> list[Any]:
        names = {category["id"]: category["name"] for category in judged.truth["categories"]}
        rows = ((box["image_id"], names[box["category_id"]], *box["bbox"]) for box in judged.truth["annotations"])
        return sorted((image, name, *(round(float(edge), 1) for edge in edges)) for image, name, *edges in rows)

    if sorted(one.classes) != sorted(first.classes) or boxes(one) != boxes(first):
        return f"the boxes or classes to find are not those of {first.name}"
    return ""


def _exchanged(one: _Judged, first: _Judged, resamples: int, seed: int) -> FloatArray:
    """Return differences of AP, one column an IoU, after exchanging the two runs' detections in random pictures."""
    swaps = np.random.default_rng((seed, 1)).integers(0, 2, (resamples, len(one.image_ids)))
    shape = (resamples, 10)
    ours, theirs = [], []
    for class_id, own in one.classes.items():
        if not own.truths.any():
            continue
        pool, is_firsts = matching.pooled(own, first.classes[class_id])
        swapped = swaps[:, pool.pictures]
        taken = np.where(is_firsts, swapped, 1 - swapped)
        truths = np.full(resamples, own.truths.sum())
        ours.append(matching.weighted_precision(pool, taken, truths))
        theirs.append(matching.weighted_precision(pool, 1 - taken, truths))
    return matching.mean_of_defined(ours, shape) - matching.mean_of_defined(theirs, shape)
