"""A data set of coloured shapes and a detector so small that a test can train it in seconds."""

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import write_annotation
from records.build import build_records

WIDTH, HEIGHT = 128, 96
COLORS = {"disc": (220, 40, 40), "square": (40, 60, 220)}
# Half a megabyte of weights, two loops of ten steps, one evaluation in the middle and one at the end.
TINY_CONFIG = """\
# A detector for tests: it learns next to nothing, in seconds.
experiment: ssd_mobilenet_v1

task:
  model:
    input_size: [96, 96]
    backbone:
      depth_multiplier: 0.25
    batch_norm:
      momentum: 0.9
    head:
      num_layers: 4
    anchors:
      max_scale: 0.8
  losses:
    miner:
      iou_threshold: 1.0
  train_data:
    global_batch_size: 4
    augmentation:
      flip: 0.5
      ssd_crop: false
  validation_data:
    global_batch_size: 4

trainer:
  train_steps: 20
  steps_per_loop: 5
  summary_interval: 5
  validation_interval: 10
  checkpoint_interval: 5
  optimizer_config:
    learning_rate:
      type: cosine
      cosine:
        initial_learning_rate: 0.02
        decay_steps: 0
    warmup:
      type: linear
      linear:
        warmup_steps: 5
"""


def draw_shape(seed: int, label: str) -> tuple[Image.Image, Box]:
    """Draw one shape on plain paper and return the picture with the shape's exact box in pixels."""
    chance = random.Random(f"{label} {seed}")
    picture = Image.new("RGB", (WIDTH, HEIGHT), (230, 230, 220 + chance.randrange(30)))
    side = chance.randrange(36, 72)
    left, top = chance.randrange(WIDTH - side), chance.randrange(HEIGHT - side)
    draw = ImageDraw.Draw(picture)
    kind = draw.ellipse if label == "disc" else draw.rectangle
    kind((left, top, left + side - 1, top + side - 1), fill=COLORS[label])
    return picture, Box(left, top, left + side, top + side)


def add_shape(data_root: Path, label: str, split: str, stem: str, *, seed: int, labeled: bool = True) -> Path:
    """Write one picture with its LabelImg XML and return the path of the picture; ``labeled`` false: no box in it."""
    picture, box = draw_shape(seed, label)
    image_path = data_root / label / split / "images" / f"{stem}.jpg"
    image_path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(image_path, quality=95)
    objects = (LabeledObject(label, box),) if labeled else ()
    write_annotation(
        Annotation(image_path.name, WIDTH, HEIGHT, objects=objects), image_path.parent.parent / f"{stem}.xml"
    )
    return image_path


def make_shapes(
    data_root: Path, *, labels: Sequence[str] = ("disc", "square"), training: int = 4, verification: int = 2
) -> Path:
    """Write a data root with so many pictures a label and split."""
    for label in labels:
        for split, count, first in (("training", training, 0), ("verification", verification, 1000)):
            for index in range(count):
                add_shape(data_root, label, split, f"{label}_{split}_{index}", seed=first + index)
    return data_root


def make_records(root: Path, **counts: int) -> Path:
    """Write shapes below ``root/data`` and build ``root/records``; returns the records folder."""
    build_records(make_shapes(root / "data", **counts), root / "records", jobs=1)
    return root / "records"


def write_tiny_config(folder: Path, name: str = "tiny.yaml") -> Path:
    """Write the config of the small detector and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(TINY_CONFIG, encoding="utf-8")
    return path
