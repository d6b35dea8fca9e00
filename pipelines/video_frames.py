"""The frames of films, for a detector that knows pictures only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from collectors.errors import InputError, MissingPartError

# A container tells how many frames there should be; some are a few off.
_WHOLE = 0.95


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a film.

    Attributes:
        video: The file.
        number: Which frame, from 0.
        seconds: When it is shown.
        image: The RGB picture; ``None`` when the film breaks off here.
        error: Why it breaks off.
    """

    video: Path
    number: int
    seconds: float
    image: Image.Image | None
    error: str = ""

    @property
    def name(self) -> Path:
        """The film and the number, where a picture has its path."""
        return Path(f"{self.video}:frame {self.number}")


class Video:
    """A film file; see `frames`.

    Args:
        path: The file.
        every: Take the first of so many frames.

    Attributes:
        num_frames: How many `frames` gives, as far as the file says.

    Raises:
        MissingPartError: OpenCV is not installed.
        InputError: The file cannot be read as a film.
    """

    def __init__(self, path: Path, *, every: int = 1) -> None:
        self.path = path
        self.every = every
        self._cv2 = _opencv(path)
        capture = self._open()
        is_readable = capture.isOpened() and capture.grab()
        self._total = max(round(capture.get(self._cv2.CAP_PROP_FRAME_COUNT)), 0)
        rate = capture.get(self._cv2.CAP_PROP_FPS)
        self._rate = rate if math.isfinite(rate) and rate > 0 else 0.0
        capture.release()
        if not is_readable:
            raise InputError("cannot be read as a film", where=str(path), fix="Convert it to MP4, or give its frames.")
        self.num_frames = -(-self._total // every)

    def frames(self) -> Iterator[Frame]:
        """Yield every so manieth frame, in order; a last one with an error where the film breaks off too early."""
        capture = self._open()
        try:
            number = 0
            while capture.grab():
                if number % self.every == 0:
                    is_whole, pixels = capture.retrieve()
                    if not is_whole:
                        break
                    image = Image.fromarray(self._cv2.cvtColor(pixels, self._cv2.COLOR_BGR2RGB))
                    yield Frame(self.path, number, self._time(number), image)
                number += 1
        finally:
            capture.release()
        if number < _WHOLE * self._total:
            error = f"the film breaks off here; it should have {self._total} frames"
            yield Frame(self.path, number, self._time(number), None, error)

    def _open(self) -> Any:
        # A name with a % or a number in it means a row of pictures to OpenCV's other readers.
        return self._cv2.VideoCapture(str(self.path), self._cv2.CAP_FFMPEG)

    def _time(self, number: int) -> float:
        return number / self._rate if self._rate else 0.0


def _opencv(path: Path) -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingPartError(
            "reading films needs OpenCV", where=str(path), fix="Install it: pip install opencv-python-headless"
        ) from error
    return cv2
