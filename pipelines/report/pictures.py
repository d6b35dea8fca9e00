"""Pictures of a report: drawn from records and from what an evaluation stored, as many as a page has room for."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pipelines.detection_record import DetectionRecord
from pipelines.report.blocks import Picture
from pipelines.report.run_files import RunFiles
from pipelines.samples import pick_pictures, write_samples, write_sheet
from records.errors import DamagedRecordError, ExampleError

_MIN_SCORE = 0.5
_BATCH_WIDTH_PX, _QUALITY = 900, 78


def sheet_of(files: RunFiles) -> Picture | None:
    """Draw training pictures with their truth into ``plots/dataset.jpg``; ``None`` where the records are gone."""
    path = files.run.path / "plots" / "dataset.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not write_sheet(files.records("task.train_data.input_path"), files.class_names, path):
            return None
    except (ExampleError, DamagedRecordError):
        return None  # what the records are today is not what this page is about
    return Picture(path.read_bytes(), "training pictures with their boxes", "Training pictures with their boxes.")


def first_batch_of(files: RunFiles) -> Picture | None:
    """Return the first batch of training as the network was given it; ``None`` of runs that did not draw it."""
    content = small_jpeg(files.run.training_batch_path, _BATCH_WIDTH_PX)
    if content is None:
        return None
    words = "The first batch as the network was given it: cropped, mirrored, put together."
    return Picture(content, "the first batch of training with its boxes", words)


def samples_of(files: RunFiles, *, limit: int) -> tuple[list[Picture], str]:
    """Draw verification pictures, truth and detections side by side, into ``samples/``.

    Returns:
        The pictures, spread evenly over the verification set, and in a sentence why there is none; empty when there is.
    """
    truth, detections = files.json("ground_truth.json"), files.json("detections.json")
    if not truth or detections is None:
        return [], "The run was not evaluated."
    record = DetectionRecord(truth["images"], truth["annotations"], detections)
    paths = files.records("task.validation_data.input_path")
    if not paths:
        return [], "The verification records are not where they were."
    every = files.value("task.validation_data.sample_1_of_n", 1)
    at_most = files.value("task.validation_data.max_examples", 0)
    try:
        picked = pick_pictures(paths, limit, every=every, at_most=at_most)
    except (ExampleError, DamagedRecordError) as error:
        return [], f"The verification records cannot be read: {error.what}."
    places = [one.place for one in picked]
    sizes = [(one["width"], one["height"]) for one in record.images]
    if not picked or max(places) >= len(sizes) or any(sizes[one.place] != one.image.size for one in picked):
        return [], "The verification records are not those of the evaluation any more." if picked else "There is none."
    min_score = files.results.get("best_threshold")
    written = write_samples(
        picked,
        record,
        files.class_names,
        files.run.path / "samples",
        min_score=_MIN_SCORE if min_score is None else min_score,
    )
    return [Picture(path.read_bytes(), f"{name}: truth left, detections right", name) for path, name in written], ""


def that_fit(pictures: Iterable[Picture], limit_bytes: int) -> list[Picture]:
    """Return the first pictures, as many as ``limit_bytes`` of the page hold."""
    fitting, size = [], 0
    for picture in pictures:
        size += picture.size_on_page
        if size > limit_bytes:
            break
        fitting.append(picture)
    return fitting


def small_jpeg(path: Path, width_px: int) -> bytes | None:
    """Return a picture file as a JPEG of at most this width; ``None`` where it is gone or no picture."""
    try:
        with Image.open(path) as image:
            image.thumbnail((width_px, 2 * width_px))
            stream = io.BytesIO()
            image.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    except (OSError, UnidentifiedImageError):
        return None
    return stream.getvalue()
