"""Measures of a picture and the gate they have to pass, kept apart so that new thresholds need no new download.

All measures but size and aspect are taken on a gray copy whose longest side is 256 px, so that they mean the same for
every picture. The defaults were set on photographs labelled for detection: see tests/unit/collectors.
"""

import json
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from collectors.errors import ConfigError
from collectors.refusals import Refusal

_THUMBNAIL_PX = 256
_BLOCK_PX = 8


@dataclass(frozen=True, slots=True)
class QualityMetrics:
    """What is measured of a picture.

    Attributes:
        width: Pixels.
        height: Pixels.
        sharpness: Standard deviation of the Laplacian of the gray copy, gray levels, over the most detailed quarter of
            its 8x8 blocks: a sharp subject before a soft background is sharp.
        brightness: 99th percentile of the gray copy, ``[0, 255]``.
        contrast: Difference of the 99th and the 1st percentile, ``[0, 255]``.
        entropy: Of the gray levels, bits, ``[0, 8]``.
        text_likeness: How much it looks like a picture of text, ``[0, 1]``.
    """

    width: int
    height: int
    sharpness: float
    brightness: float
    contrast: float
    entropy: float
    text_likeness: float

    def to_json(self) -> str:
        """Write as a JSON object, numbers rounded to four places."""
        return json.dumps({name: round(getattr(self, name), 4) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> "QualityMetrics":
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class QualityThresholds:
    """What a picture has to reach; every field is an option ``--quality name=value``.

    Attributes:
        min_side: Shortest side, px. A detector sees 300 px; the smallest photographs people label have 128.
        max_aspect: Longest side over shortest.
        min_sharpness: See `QualityMetrics.sharpness`.
        min_brightness: See `QualityMetrics.brightness`; below, the picture is dark.
        min_contrast: See `QualityMetrics.contrast`; below, it is blank.
        min_entropy: See `QualityMetrics.entropy`; below, it is blank.
        max_text_likeness: See `QualityMetrics.text_likeness`.
    """

    min_side: float = 128
    max_aspect: float = 4.0
    min_sharpness: float = 7.0
    min_brightness: float = 60.0
    min_contrast: float = 20.0
    min_entropy: float = 1.0
    max_text_likeness: float = 0.1

    def with_changes(self, changes: dict[str, float]) -> "QualityThresholds":
        """Return a copy with some thresholds replaced.

        Raises:
            ConfigError: A name is not a threshold, or a value is negative.
        """
        names = [field.name for field in fields(self)]
        for name, value in changes.items():
            if name not in names:
                raise ConfigError(f"no quality threshold is called {name}", fix=f"There are: {', '.join(names)}.")
            if not value >= 0:
                raise ConfigError(f"the quality threshold {name} must be 0 or more, not {value}")
        return replace(self, **changes)


def measure(image: Image.Image, gray_image: Image.Image | None = None) -> QualityMetrics:
    """Measure a decoded picture of any mode and size.

    Args:
        image: The picture.
        gray_image: The same in mode ``L``, where the caller has it already.
    """
    gray_image = gray_image or (image if image.mode == "L" else image.convert("L"))
    scale = _THUMBNAIL_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Smaller pictures are judged as they are: enlarging would make every one of them look blurred.
    if scale < 1:
        gray_image = gray_image.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    counts = np.asarray(gray_image.histogram(), dtype=np.int64)[:256]
    gray = np.asarray(gray_image, dtype=np.float32)
    below = np.cumsum(counts) / counts.sum()
    low, high = (float(np.searchsorted(below, share)) for share in (0.01, 0.99))
    return QualityMetrics(
        width=image.width,
        height=image.height,
        sharpness=_sharpness(gray),
        brightness=high,
        contrast=high - low,
        entropy=_entropy(counts),
        text_likeness=_text_likeness(gray, counts, image),
    )


def judge(metrics: QualityMetrics, thresholds: QualityThresholds) -> Refusal | None:
    """Say why a picture does not pass the gate, or ``None`` when it does. The first reason found is the one given."""
    short, long = sorted((metrics.width, metrics.height))
    size = f"{metrics.width}x{metrics.height}"
    if short < thresholds.min_side:
        return Refusal("too_small", f"{size}: the short side is under {thresholds.min_side:g} px (min_side)")
    if long > thresholds.max_aspect * short:
        return Refusal("extreme_aspect", f"{size}: longer than {thresholds.max_aspect:g} to 1 (max_aspect)")
    if metrics.contrast < thresholds.min_contrast or metrics.entropy < thresholds.min_entropy:
        return Refusal(
            "blank",
            f"contrast {metrics.contrast:.0f}, entropy {metrics.entropy:.1f} bits: nothing to see "
            f"(min_contrast {thresholds.min_contrast:g}, min_entropy {thresholds.min_entropy:g})",
        )
    if metrics.brightness < thresholds.min_brightness:
        return Refusal(
            "dark", f"brightest parts at {metrics.brightness:.0f} of 255 (min_brightness {thresholds.min_brightness:g})"
        )
    if metrics.text_likeness > thresholds.max_text_likeness:
        return Refusal(
            "text_screenshot",
            f"text likeness {metrics.text_likeness:.2f} (max_text_likeness {thresholds.max_text_likeness:g})",
        )
    if metrics.sharpness < thresholds.min_sharpness:
        return Refusal("blurry", f"sharpness {metrics.sharpness:.1f} (min_sharpness {thresholds.min_sharpness:g})")
    return None


QUALITY_CODES = ("too_small", "extreme_aspect", "blank", "dark", "text_screenshot", "blurry")

_Gray = npt.NDArray[np.float32]


def _blocks(values: _Gray) -> _Gray:
    """Cut into 8x8 blocks, shape ``(n, 64)``; the rest at the right and bottom edge is left out."""
    rows, columns = values.shape[0] // _BLOCK_PX, values.shape[1] // _BLOCK_PX
    cut = values[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    return cut.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).swapaxes(1, 2).reshape(rows * columns, _BLOCK_PX**2)


def _sharpness(gray: _Gray) -> float:
    if min(gray.shape) < _BLOCK_PX + 2:
        return 0.0
    centre = gray[1:-1, 1:-1]
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * centre
    deviations = np.sort(_blocks(laplacian).std(axis=1))
    return float(deviations[-max(1, len(deviations) // 4) :].mean())


def _entropy(counts: npt.NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _text_likeness(gray: _Gray, counts: npt.NDArray[np.int64], image: Image.Image) -> float:
    """Score rows of thin strokes on an even ground of little colour.

    Three shares in [0, 1] are multiplied, because a drawing, a night sky or a studio shot has one or two of them:
    ground (most pixels within 12 levels of the commonest tone), strokes (of the rest, most lie near that ground),
    and rows (lines of text alternate with empty lines).
    """
    if min(gray.shape) < 4 * _BLOCK_PX:
        return 0.0
    mode = int(np.convolve(counts, np.ones(9), "same").argmax())
    is_ground = np.abs(gray - mode) <= 12
    ground = float(is_ground.mean())
    if not 0.5 < ground < 0.995:
        return 0.0
    # A stroke is thin: ground lies within three pixels to its left and right.
    ink = ~is_ground
    near = np.zeros_like(ink)
    for step in (1, 2, 3):
        left, right = np.zeros_like(ink), np.zeros_like(ink)
        left[:, step:], right[:, :-step] = is_ground[:, :-step], is_ground[:, step:]
        near |= left & right
    thin = float((ink & near).sum() / max(1, ink.sum()))
    row_ink = ink.mean(axis=1)
    is_line = row_ink > 0.02
    changes = int(np.count_nonzero(is_line[1:] != is_line[:-1]))
    rows = min(1.0, changes / 10)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    colour = np.asarray(rgb.resize((64, 64), Image.Resampling.BOX), dtype=np.float32)
    spread = float((colour.max(axis=2) - colour.min(axis=2)).mean())
    pale = 1.0 if spread < 20 else max(0.0, 1 - (spread - 20) / 40)
    return min(1.0, (ground - 0.5) / 0.2) * thin * rows * pale
