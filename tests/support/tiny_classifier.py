"""Drawings of shapes as 28x28 bitmaps, and a classifier so small that a test can train it in seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from records.drawing_selection import SplitSizes
from records.drawings import DrawingOptions, build_drawing_records
from records.plan import SPLITS

SHAPES = ("disc", "cross", "square", "stripe")
TINY_CLASSIFIER = """\
# A classifier for tests: it learns shapes in seconds.
experiment: cnn_classifier

task:
  model:
    network:
      type: cnn
      cnn:
        filters: [6, 8]
        dense: [24, 16]
        dropout: 0.1
  train_data:
    global_batch_size: 16
    augmentation:
      shift: 0.1
  validation_data:
    global_batch_size: 16

trainer:
  train_steps: 40
  steps_per_loop: 10
  summary_interval: 10
  validation_interval: 20
  checkpoint_interval: 10
  optimizer_config:
    learning_rate:
      type: cosine
      cosine:
        initial_learning_rate: 0.01
        decay_steps: 0
"""


def draw_shape(label: str, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one shape of ink (255) on nothing (0), ``(784,)``."""
    image = Image.new("L", (56, 56))
    draw = ImageDraw.Draw(image)
    left, top = chance.integers(2, 14, 2).tolist()
    side = int(chance.integers(26, 38))
    box = (left, top, left + side, top + side)
    if label == "disc":
        draw.ellipse(box, outline=255, width=4)
    elif label == "square":
        draw.rectangle(box, outline=255, width=4)
    elif label == "cross":
        draw.line(box, fill=255, width=4)
        draw.line((left, top + side, left + side, top), fill=255, width=4)
    else:
        draw.line(
            (left, top + side // 2, left + side, top + side // 2 + int(chance.integers(-4, 5))), fill=255, width=4
        )
    return np.asarray(image.resize((28, 28), Image.Resampling.BOX)).reshape(-1)


def write_bitmaps(folder: Path, labels: Sequence[str] = SHAPES, count: int = 60) -> Path:
    """Write ``<label>.npy`` of so many drawings a label, each one different."""
    folder.mkdir(parents=True, exist_ok=True)
    for label in labels:
        chance = np.random.default_rng(list(label.encode()))
        np.save(folder / f"{label}.npy", np.stack([draw_shape(label, chance) for _ in range(count)]))
    return folder


def build_drawings(source: Path, out: Path, *, train_size: int = 40, eval_size: int = 15, **options: object) -> Path:
    """Build classification records and return their folder."""
    targets = {split: out / f"drawings_{split}.record" for split in SPLITS}
    sizes = SplitSizes(train_size, eval_size)
    build_drawing_records(source, targets, DrawingOptions(sizes=sizes, **options), jobs=1)  # type: ignore[arg-type]
    return out


def write_tiny_classifier(folder: Path, name: str = "shapes.yaml") -> Path:
    """Write the config of the small classifier and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(TINY_CLASSIFIER, encoding="utf-8")
    return path
