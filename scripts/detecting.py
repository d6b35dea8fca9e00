"""``tagbox predict`` with a detector: the objects in pictures and films."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:  # pipelines are imported when a command runs
    from pipelines.predict import Prediction, Predictor
    from pipelines.video_frames import Frame, Video


def find_objects(
    open_detector: Callable[[], Any],
    sources: Sequence[Path],
    *,
    min_score: float | None,
    every: int,
    unlabeled: bool,
    form: str,
    output: Path | None,
    voc: bool,
) -> int:
    """Print what a detector finds in pictures; return the exit code.

    Args:
        open_detector: Gives the `pipelines.detectors.Detector`, asked when it is known that there are pictures.
        sources: Pictures, folders, patterns, films.
        min_score: Detections below are left out; ``None``: the detector's own threshold.
        every: Take each Nth frame of a film.
        unlabeled: Take only pictures for which nobody has saved an XML.
        form: ``table``, ``json``, ``csv`` or ``coco``.
        output: Folder of drawn pictures.
        voc: Write XML beside the pictures as proposals.
    """
    from pipelines.picture_sources import find_pictures, is_video, name_drawings
    from pipelines.proposals import labels_of
    from pipelines.video_frames import Video

    pictures = find_pictures(sources)
    videos = {path: Video(path, every=every) for path in pictures if is_video(path)}
    if voc and videos:
        raise ConfigError(
            "--voc needs pictures; a frame of a film is no file", where=str(next(iter(videos))),
            fix="Take the frames out first: ffmpeg -i FILM frame_%05d.jpg",
        )  # fmt: skip
    if unlabeled:
        num_found = len(pictures)
        pictures = [picture for picture in pictures if labels_of(picture) is None]
        say(f"{len(pictures)} of {num_found} pictures are not labelled")
    total = len(pictures) - len(videos) + sum(video.num_frames for video in videos.values())
    drawings = name_drawings(pictures, output) if output is not None else {}
    detector = open_detector()
    from pipelines.predict import Predictor

    predictor = Predictor(detector, min_score=min_score)
    proposals = _Proposals(f"{detector.metadata.run} step {detector.metadata.step}") if voc else None
    predictions, unreadable = [], 0
    with progress("predicting") as advance:
        found = predictor.predict(_pictures_and_frames(pictures, videos))
        for done, (prediction, image) in enumerate(found, start=1):
            predictions.append(prediction)
            if image is None:
                unreadable += 1
                say(f"error: {prediction.path}: {prediction.error}")
            else:
                _draw(prediction, image, drawings)
                if proposals:
                    proposals.write(prediction)
            advance(done, max(done, total))
    _print(predictor, predictions, form)
    num_objects = sum(len(prediction.detections) for prediction in predictions)
    say(
        f"{num_objects} objects in {len(predictions) - unreadable} pictures"
        + (f", {unreadable} not read" if unreadable else "")
    )
    if output is not None:
        say(f"drawn pictures are in {output}")
    if proposals:
        proposals.say_account()
    return exit_codes.PARTLY_DONE if unreadable else exit_codes.DONE


class _Proposals:
    """Writes detections as XML that a person is to look at, and counts what became of them."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._fates: Counter[Any] = Counter()

    def write(self, prediction: "Prediction") -> None:
        from pipelines.proposals import ProposalFate, write_proposal

        fate, path = write_proposal(prediction, origin=self._origin)
        self._fates[fate] += 1
        if fate is ProposalFate.LABELLED:
            say(f"note: {path} was saved by a person, or cannot be read; it is left as it is")

    def say_account(self) -> None:
        from pipelines.proposals import ProposalFate

        fates = self._fates
        say(
            f"{fates[ProposalFate.WRITTEN]} proposals written, {fates[ProposalFate.NOTHING_FOUND]} pictures without "
            f"any, {fates[ProposalFate.LABELLED]} left to the person who labelled them; `tagbox labels check` refuses "
            "proposals (X13) until they are saved in LabelImg"
        )


def _pictures_and_frames(pictures: Sequence[Path], videos: "dict[Path, Video]") -> "Iterator[Path | Frame]":
    for path in pictures:
        if path in videos:
            yield from videos[path].frames()
        else:
            yield path


def _draw(prediction: "Prediction", image: Any, drawings: dict[Path, Path]) -> None:
    """Draw the boxes where ``drawings`` says; pictures and films that it does not have are not drawn."""
    from collectors.files import atomic_writer
    from labeling.drawing import detected_box, draw_boxes

    if prediction.video in drawings:
        path = drawings[prediction.video] / f"frame_{prediction.frame:06d}.jpg"
    elif prediction.path in drawings:
        path = drawings[prediction.path]
    else:
        return
    boxes = [detected_box(found.box, found.name, found.score) for found in prediction.detections]
    with atomic_writer(path) as stream:
        draw_boxes(image, boxes).save(stream, "JPEG", quality=92)


def _print(predictor: "Predictor", predictions: "Sequence[Prediction]", form: str) -> None:
    from pipelines.prediction_formats import as_coco, as_csv, as_dict

    if form == "json":
        write_json([as_dict(prediction) for prediction in predictions])
    elif form == "csv":
        click.echo(as_csv(predictions), nl=False)
    elif form == "coco":
        write_json(as_coco(predictions, predictor.class_names))
    else:
        rows = [row for prediction in predictions for row in _rows(prediction)]
        write_table(["picture", "class", "score", "xmin", "ymin", "xmax", "ymax"], rows, right={2, 3, 4, 5, 6})


def _rows(prediction: "Prediction") -> list[list[str]]:
    return [
        [str(prediction.path), found.name, f"{found.score:.3f}"]
        + [f"{edge:.0f}" for edge in (found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax)]
        for found in prediction.detections
    ]
