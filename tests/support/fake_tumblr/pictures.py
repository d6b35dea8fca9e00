"""The pictures of the local Tumblr, drawn when they are asked for, the same every time."""

import io
import random
import struct
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

BOMB_SIDE = 40_000


@dataclass(frozen=True)
class Recipe:
    """How a picture is made.

    Attributes:
        master: Number of the motif; two pictures with the same master are copies of one another.
        look: good, tiny, extreme, blank, dark, blurry or screenshot.
        form: jpg, png, gif, webp, animated or bomb.
        copy: "" for the motif itself, smaller_copy or mirrored for a copy of it.
    """

    seed: int
    master: int
    width: int
    height: int
    look: str = "good"
    form: str = "jpg"
    copy: str = ""


@lru_cache(maxsize=6_000)
def picture_bytes(recipe: Recipe) -> bytes:
    """Draw and encode a picture."""
    if recipe.form == "bomb":
        return _bomb()
    if recipe.copy == "smaller_copy":
        motif = replace(recipe, copy="", width=recipe.width * 5 // 3, height=recipe.height * 5 // 3)
        image = _draw(motif).resize((recipe.width, recipe.height), Image.Resampling.LANCZOS)
    else:
        image = _draw(recipe)
    stream = io.BytesIO()
    if recipe.form == "jpg":
        image.save(stream, "JPEG", quality=72 if recipe.copy == "smaller_copy" else 85)
    elif recipe.form == "png":
        image.save(stream, "PNG")
    elif recipe.form == "gif":
        image.quantize(64, dither=Image.Dither.NONE).save(stream, "GIF")
    elif recipe.form == "webp":
        image.save(stream, "WEBP", quality=90)
    else:
        frames = [image.quantize(32), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).quantize(32)]
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return stream.getvalue()


def scaled(recipe: Recipe, width: int, height: int) -> Recipe:
    """The recipe of a smaller rendition that fits into a box; never enlarges."""
    scale = min(1.0, width / recipe.width, height / recipe.height)
    return replace(recipe, width=max(1, round(recipe.width * scale)), height=max(1, round(recipe.height * scale)))


def _draw(recipe: Recipe) -> Image.Image:
    size = (recipe.width, recipe.height)
    random_numbers = np.random.default_rng((recipe.seed, recipe.master))
    if recipe.look == "blank":
        tone = int(random_numbers.integers(60, 250))
        return Image.new("RGB", size, (tone, tone, tone))
    if recipe.look == "screenshot":
        return _screenshot(size, recipe.seed * 100_003 + recipe.master)
    # A coarse pattern that a perceptual hash sees, under a fine grain that makes it sharp (and about 60 kB at 640x480).
    coarse = random_numbers.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    if recipe.look == "blurry":
        return image.filter(ImageFilter.GaussianBlur(3))
    grain = np.repeat(np.repeat(_grain(recipe.seed, recipe.master), 2, axis=0), 2, axis=1)
    height, width = recipe.height, recipe.width
    tiles = (height // grain.shape[0] + 1, width // grain.shape[1] + 1, 1)
    pixels = np.asarray(image, np.int16) + np.tile(grain, tiles)[:height, :width]
    if recipe.look == "dark":
        pixels = pixels // 5
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if recipe.copy == "mirrored" else image


@lru_cache(maxsize=8)
def _grains(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-14, 15, (4, 160, 160, 1)).astype(np.int16)


def _grain(seed: int, master: int) -> np.ndarray:
    return _grains(seed)[master % 4]


def _screenshot(size: tuple[int, int], seed: int) -> Image.Image:
    words = random.Random(seed)
    image = Image.new("RGB", size, (250, 250, 250))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(18)
    y = 14
    while y < size[1] - 24:
        line = " ".join(
            "".join(words.choice("abcdefghiklmnoprstu") for _ in range(words.randint(2, 9))) for _ in range(9)
        )
        draw.text((16, y), line, fill=(25, 25, 25), font=font)
        y += 30
    return image


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """A PNG of a few hundred kilobytes that unpacks into gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + BOMB_SIDE // 8) * 200, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
