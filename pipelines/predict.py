"""Find objects in pictures with a trained run or an exported model."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from collectors.errors import InputError
from labeling.annotations import Box
from pipelines.detectors import Detector, Found
from pipelines.picture_sources import read_upright
from pipelines.video_frames import Frame

_USUAL_THRESHOLD = 0.5
BATCH = 8
# Batches in work, and pictures being read at a time.
_AHEAD, _READERS = 3, 2


@dataclass(frozen=True, slots=True)
class Detection:
    """One object found: its class, score in ``[0, 1]``, and box in pixels of the picture."""

    class_id: int
    name: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was found in one picture, best first.

    Attributes:
        path: The picture; of a frame, the film and its number.
        width: In pixels, as people see it.
        height: In pixels.
        detections: Best first.
        error: Why the picture could not be read.
        video: The film, of a frame.
        frame: The number of a frame, from 0.
        seconds: When the frame is shown.
    """

    path: Path
    width: int = 0
    height: int = 0
    detections: tuple[Detection, ...] = ()
    error: str = ""
    video: Path | None = None
    frame: int | None = None
    seconds: float | None = None


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

    def predict(self, pictures: Iterable[Path | Frame]) -> Iterator[tuple[Prediction, Image.Image | None]]:
        """Yield, for each picture in order, what was found and the picture (``None`` when it cannot be read).

        A picture with an EXIF orientation is turned first, so boxes are those of the picture as people see it. Pictures
        are read in threads, some batches ahead of the network.
        """
        with ThreadPoolExecutor(_READERS) as readers, ThreadPoolExecutor(self._detector.at_once) as network:
            coming = iter(pictures)
            waiting: deque[Future[_Batch]] = deque()
            while True:
                while len(waiting) < _AHEAD and (some := list(itertools.islice(coming, BATCH))):
                    reads = [readers.submit(self._read, picture) for picture in some]
                    waiting.append(network.submit(self._detect, reads))
                if not waiting:
                    return
                yield from waiting.popleft().result()

    def _detect(self, reads: "Sequence[Future[_Read]]") -> "_Batch":
        batch = [read.result() for read in reads]
        readable = [one.prepared for one in batch if one.image is not None]
        found = iter(self._detector.detect_prepared(readable) if readable else [])
        done: _Batch = []
        for one in batch:
            if one.image is None:
                done.append((dataclasses.replace(one.prediction, error=one.error), None))
            else:
                done.append((self._filled(one.prediction, one.image, next(found)), one.image))
        return done

    def _read(self, picture: Path | Frame) -> "_Read":
        if isinstance(picture, Frame):
            image = picture.image
            empty = Prediction(picture.name, video=picture.video, frame=picture.number, seconds=picture.seconds)
            if image is None:
                return _Read(empty, None, None, picture.error)
        else:
            empty = Prediction(picture)
            try:
                image = read_upright(picture)
            except InputError as error:
                return _Read(empty, None, None, error.what)
        return _Read(empty, image, self._detector.prepare(np.asarray(image, np.uint8)), "")

    def _filled(self, empty: Prediction, image: Image.Image, found: Found) -> Prediction:
        scale = np.asarray([image.height, image.width, image.height, image.width])
        detections = []
        for box, number, score in zip(found.boxes, found.classes, found.scores, strict=True):
            if score < self.min_score:
                break  # best first
            ymin, xmin, ymax, xmax = (box * scale).tolist()
            name = self.class_names.get(int(number), f"class {number}")
            detections.append(Detection(int(number), name, float(score), Box(xmin, ymin, xmax, ymax)))
        return dataclasses.replace(empty, width=image.width, height=image.height, detections=tuple(detections))


class _Read(NamedTuple):
    prediction: Prediction
    image: Image.Image | None
    prepared: Any
    error: str


_Batch = list[tuple[Prediction, Image.Image | None]]
