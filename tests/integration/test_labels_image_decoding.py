"""What we call usable, TensorFlow must load, and the other way round: its decoder is the oracle of `probe_bytes`."""

import io
import random
import warnings
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from labeling.image_probe import ImageProblem, probe_bytes
from tests.unit.labeling.labeled_pictures import picture_bytes

pytestmark = pytest.mark.tf

_KINDS = [
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("MPO", "RGB"),
    ("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "1"),
    ("BMP", "RGB"), ("BMP", "L"), ("BMP", "P"), ("BMP", "1"),
    ("GIF", "P"), ("WEBP", "RGB"), ("TIFF", "RGB"),
]  # fmt: skip


def _tensorflow_loads(content: bytes) -> "np.ndarray | None":
    """Decode as the trainer does: three channels, no time axis."""
    import tensorflow as tf

    try:
        pixels = tf.io.decode_image(content, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    return pixels if pixels.ndim == 3 else None


def _is_usable(content: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts = probe_bytes(content)
    return facts.problem is ImageProblem.NONE and not facts.foreign_to_tensorflow


@pytest.mark.parametrize(("kind", "mode"), _KINDS)
def test_kinds_of_pictures(kind: str, mode: str) -> None:
    content = picture_bytes(kind, mode=mode)
    pixels = _tensorflow_loads(content)
    if (kind, mode) == ("BMP", "P"):
        with Image.open(io.BytesIO(content)) as image:
            assert pixels is not None
            assert np.array_equal(pixels[..., 0], np.asarray(image)), "it takes palette indices for grey levels"
        assert not _is_usable(content)
    else:
        assert _is_usable(content) is (pixels is not None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_damaged_pictures(kind: str) -> None:
    generator = random.Random(20)
    whole = picture_bytes(kind, seed=3)
    agreed: Counter[bool] = Counter()
    for _ in range(250):
        content = bytearray(whole)
        at = generator.randrange(2, len(content))
        match generator.randrange(4):
            case 0:
                content[at] ^= 1 << generator.randrange(8)
            case 1:
                del content[at:]
            case 2:
                del content[at : at + generator.randrange(1, 20)]
            case _:
                content[at : at + 20] = bytes(len(content[at : at + 20]))
        usable = _is_usable(bytes(content))
        assert usable is (_tensorflow_loads(bytes(content)) is not None), (at, bytes(content).hex())
        agreed[usable] += 1
    assert agreed[False] > 50
