"""Find objects in pictures with a trained run or an exported model."""

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from collectors.errors import ConfigError, InputError
from labeling.annotations import Box
from pipelines.detectors import Detector, Found

_USUAL_THRESHOLD = 0.5
_BATCH, _AHEAD, _READERS = 8, 3, 2
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


@dataclass(frozen=True, slots=True)
class Detection:
    """One object found: its class, score in ``[0, 1]``, and box in pixels of the picture."""

    class_id: int
    name: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was found in one picture, best first; ``error`` says why a picture could not be read."""

    path: Path
    width: int = 0
    height: int = 0
    detections: tuple[Detection, ...] = ()
    error: str = ""


class Predictor:
    """A detector, ready for any number of pictures.

    Args:
        detector: A run or a model file.
        min_score: Detections below are left out; ``None`` takes the threshold with the best F1 of the run's last
            evaluation, or 0.5 where there was none.

    Attributes:
        class_names: Name of each class id.
    """

    def __init__(self, detector: Detector, *, min_score: float | None = None) -> None:
        self._detector = detector
        self.class_names = detector.metadata.class_names
        best = detector.metadata.best_threshold
        self.min_score = min_score if min_score is not None else _USUAL_THRESHOLD if best is None else best

    def predict(self, paths: Sequence[Path]) -> Iterator[tuple[Prediction, Image.Image | None]]:
        """Yield, for each path in order, what was found and the picture (``None`` when it cannot be read).

        A picture with an EXIF orientation is turned first, so boxes are those of the picture as people see it. Pictures
        are read in threads, some batches ahead of the network.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            waiting: deque[Future[_Read]] = deque()
            coming = iter(paths)
            while True:
                for path in itertools.islice(coming, _AHEAD * _BATCH - len(waiting)):
                    waiting.append(readers.submit(self._read, path))
                batch = [waiting.popleft().result() for _ in range(min(_BATCH, len(waiting)))]
                if not batch:
                    return
                readable = [one.prepared for one in batch if one.image is not None]
                found = iter(self._detector.detect_prepared(readable) if readable else [])
                for one in batch:
                    if one.image is None:
                        yield Prediction(one.path, error=one.error), None
                    else:
                        yield self._prediction(one.path, one.image, next(found)), one.image

    def _read(self, path: Path) -> "_Read":
        try:
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except Exception as error:  # noqa: BLE001 - Pillow's readers raise nearly anything on damaged bytes
            reason = " ".join(str(error).split()) or type(error).__name__
            return _Read(path, None, None, f"cannot be read as a picture ({reason})")
        return _Read(path, image, self._detector.prepare(np.asarray(image, np.uint8)), "")

    def predict_image(self, image: Image.Image, path: Path = Path()) -> Prediction:
        """Find objects in one RGB picture."""
        return self._prediction(path, image, self._detector.detect(np.asarray(image, np.uint8)))

    def _prediction(self, path: Path, image: Image.Image, found: Found) -> Prediction:
        scale = np.asarray([image.height, image.width, image.height, image.width])
        detections = []
        for box, number, score in zip(found.boxes, found.classes, found.scores, strict=True):
            if score < self.min_score:
                break  # best first
            ymin, xmin, ymax, xmax = (box * scale).tolist()
            name = self.class_names.get(int(number), f"class {number}")
            detections.append(Detection(int(number), name, float(score), Box(xmin, ymin, xmax, ymax)))
        return Prediction(path, image.width, image.height, tuple(detections))


class _Read(NamedTuple):
    path: Path
    image: Image.Image | None
    prepared: Any
    error: str


def find_pictures(sources: Sequence[Path]) -> list[Path]:
    """Return the pictures that files and folders name, folders searched to any depth, sorted within each, each once.

    Raises:
        InputError: A source does not exist, or there is no picture at all.
    """
    pictures: list[Path] = []
    for source in sources:
        if source.is_dir():
            inside = (path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
            pictures += sorted(inside)
        elif source.is_file():
            pictures.append(source)
        else:
            raise InputError("no such file or folder", where=str(source), fix="Give pictures or folders of pictures.")
    if not pictures:
        where = ", ".join(str(source) for source in sources)
        raise InputError("no picture is there", where=where, fix=f"Looked for {', '.join(IMAGE_SUFFIXES)}.")
    return list(dict.fromkeys(pictures))


def name_drawings(pictures: Sequence[Path], output: Path) -> dict[Path, Path]:
    """Name the drawing of each picture after it; of pictures with one stem the later ones get a number as well.

    Args:
        pictures: Each once.
        output: The folder of the drawings.

    Returns:
        A JPEG in ``output`` for each picture, no two the same, also where case makes no difference.

    Raises:
        ConfigError: A drawing would be written over one of the pictures.
    """
    sources = {picture.resolve() for picture in pictures}
    taken: set[str] = set()
    drawings = {}
    for picture in pictures:
        name, number = picture.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{picture.stem}_{number}"
        taken.add(name.casefold())
        drawings[picture] = output / f"{name}.jpg"
        if drawings[picture].resolve() in sources:
            raise ConfigError(
                "a drawing would be written over this picture",
                where=str(drawings[picture]),
                fix="Choose another folder with --output.",
            )
    return drawings
