"""Which boxes of a record the anchors of a config can learn, seen through TFM's decoder and the matcher of training.

A trainer never complains of a box that it cannot learn. Matching gives every box its best anchor by force, so nearly
every box is answered for by some anchor; but where the overlap is slight (a box of a few pixels), the anchor must learn
an offset of many times its own size, and where two boxes have the same best anchor, only one of them gets it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from official.core import task_factory
from official.vision.dataloaders import tf_example_decoder

from collectors.errors import ConfigError
from collectors.progress import Progress, no_progress
from pipelines.detection import matcher
from pipelines.experiment import Experiment
from records.verify_findings import RecordFinding

_SURROUNDINGS = re.compile(r"^(\{\{.*?\}\}\s*)?(Error in user-defined function .*?iterator: [\w:\[\]]+: )?")
_LINEAGE = {
    "tagbox/xml_path": tf.io.VarLenFeature(tf.string),
    "image/filename": tf.io.VarLenFeature(tf.string),
    "image/object/class/text": tf.io.VarLenFeature(tf.string),
}


@dataclass(frozen=True, slots=True)
class BoxCoverage:
    """How the anchors meet one box.

    Attributes:
        file: The record file.
        example: Which example of it, from 0.
        box: Which box of the example, from 1.
        label: Class id.
        text: Class name; empty when the record has none.
        xml_path: The XML it comes from, below the data root; the picture's name where the record does not tell.
        width_px: At the network's input.
        height_px: At the network's input.
        best_iou: With any anchor, in ``[0, 1]``.
        num_anchors: How many anchors answer for it in training; 0 when none does.
        left_out: Why it takes no part in training; empty when it does.
    """

    file: Path
    example: int
    box: int
    label: int
    text: str
    xml_path: str
    width_px: float
    height_px: float
    best_iou: float
    num_anchors: int
    left_out: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "file": str(self.file),
            "example": self.example,
            "box": self.box,
            "label": self.label,
            "text": self.text,
            "xml": self.xml_path,
            "width_px": round(self.width_px, 2),
            "height_px": round(self.height_px, 2),
            "best_iou": round(self.best_iou, 4),
            "anchors": self.num_anchors,
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What `check_anchor_coverage` found.

    Attributes:
        input_size: Height and width of the network's input in pixels.
        num_anchors: Anchors of the config.
        matched_threshold: An anchor answers for a box from this IoU on, and by force below it.
        num_examples: Examples decoded.
        num_boxes: Boxes in them.
        num_forced: Boxes that take part, whose best anchor lies under the threshold.
        unlearnable: Boxes that no anchor can learn, in the order of the records.
        findings: The same as findings, with what TFM's decoder refuses.
    """

    input_size: tuple[int, int]
    num_anchors: int
    matched_threshold: float
    num_examples: int
    num_boxes: int
    num_forced: int
    unlearnable: tuple[BoxCoverage, ...]
    findings: tuple[RecordFinding, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object, without the findings."""
        return {
            "input_size": list(self.input_size),
            "anchors": self.num_anchors,
            "matched_threshold": self.matched_threshold,
            "examples": self.num_examples,
            "boxes": self.num_boxes,
            "forced": self.num_forced,
            "unlearnable": [box.as_json() for box in self.unlearnable],
        }


def check_anchor_coverage(
    paths: Sequence[Path], experiment: Experiment, *, min_iou: float = 0.2, progress: Progress = no_progress
) -> CoverageReport:
    """Decode every example with TFM's own decoder and match its boxes as training does, without augmentation.

    Args:
        paths: Record files, sound as files.
        experiment: A detector with anchors; changed: ``num_classes`` 0 becomes 1.
        min_iou: A box whose best anchor overlaps it less counts as one that no anchor can learn.
        progress: Told of every example.

    Raises:
        ConfigError: The experiment has no anchors.
    """
    task_config = experiment.params.task
    if not hasattr(task_config, "losses") or not hasattr(getattr(task_config, "model", None), "anchors"):
        raise ConfigError(
            f"the experiment {experiment.name} has no anchors", where="--config", fix="Name the config of a detector."
        )
    if not task_config.model.num_classes:
        experiment.set("task.model.num_classes", 1, "--deep")
    anchors = task_factory.get_task(task_config).build_model().anchors
    look = _Look(experiment, anchors)
    unlearnable: list[BoxCoverage] = []
    findings: list[RecordFinding] = []
    num_examples = num_boxes = num_forced = 0
    for path in paths:
        for seen in look.examples(path):
            if isinstance(seen, RecordFinding):
                findings.append(seen)
                continue
            num_examples += 1
            num_boxes += len(seen)
            for box in seen:
                num_forced += not box.left_out and box.best_iou < task_config.losses.matched_threshold
                if finding := _judge(box, min_iou, look.input_size):
                    unlearnable.append(box)
                    findings.append(finding)
            progress(num_examples, None)
    return CoverageReport(
        input_size=look.input_size,
        num_anchors=len(anchors),
        matched_threshold=task_config.losses.matched_threshold,
        num_examples=num_examples,
        num_boxes=num_boxes,
        num_forced=num_forced,
        unlearnable=tuple(unlearnable),
        findings=tuple(findings),
    )


def _judge(box: BoxCoverage, min_iou: float, input_size: tuple[int, int]) -> RecordFinding | None:
    height, width = input_size
    words = (
        f"box {box.box} of {box.xml_path or 'an unknown XML'}, {box.text or f'class {box.label}'}, "
        f"{box.width_px:.1f} x {box.height_px:.1f} px of {width} x {height}: best IoU {box.best_iou:.3f}"
    )
    if box.left_out:
        return RecordFinding("V33", box.file, box.example, f"{words}; {box.left_out}")
    if not box.num_anchors:
        return RecordFinding("V31", box.file, box.example, f"{words}; its best anchor answers for another box")
    if box.best_iou < min_iou:
        return RecordFinding("V32", box.file, box.example, f"{words}, under {min_iou:g}")
    return None


class _Look:
    """Reads record files through TFM's decoder and matches what is in them."""

    def __init__(self, experiment: Experiment, anchors: Any) -> None:
        task = experiment.params.task
        height, width = task.model.input_size
        self.input_size = (int(height), int(width))
        self._losses = task.losses
        self._max_boxes = int(task.train_data.max_boxes)
        self._anchors = tf.constant(anchors)
        self._decode = tf_example_decoder.TfExampleDecoder().decode

    def examples(self, path: Path) -> Iterator[list[BoxCoverage] | RecordFinding]:
        """Yield the boxes of every example, or what the decoder has against it."""
        dataset = tf.data.TFRecordDataset(str(path)).map(self._match, num_parallel_calls=tf.data.AUTOTUNE)
        iterator = iter(dataset)
        index = -1
        while True:
            index += 1
            try:
                seen = next(iterator)
            except StopIteration:
                return
            except tf.errors.DataLossError as error:
                yield RecordFinding("V30", path, index, f"TensorFlow cannot read on: {_cause(error)}")
                return
            except tf.errors.OpError as error:
                yield RecordFinding("V30", path, index, f"Model Garden's decoder: {_cause(error)}")
                continue
            yield self._rows(path, index, {key: value.numpy() for key, value in seen.items()})

    def _match(self, serialized: Any) -> dict[str, Any]:
        decoded = self._decode(serialized)
        lineage = tf.io.parse_single_example(serialized, _LINEAGE)
        boxes = decoded["groundtruth_boxes"]
        classes = tf.cast(decoded["groundtruth_classes"], tf.int32)
        crowd = decoded["groundtruth_is_crowd"]
        takes_part = tf.logical_and(classes > 0, tf.logical_not(crowd))
        takes_part = tf.logical_and(takes_part, tf.cumsum(tf.cast(takes_part, tf.int32)) <= self._max_boxes)
        # A row of padding, as the loss has it: a picture without boxes has no row to match.
        padded = tf.pad(boxes, [[0, 1], [0, 0]])[None]
        valid = tf.pad(takes_part, [[0, 1]])[None]
        matches = matcher.match(
            padded,
            valid,
            self._anchors,
            matched_threshold=self._losses.matched_threshold,
            unmatched_threshold=self._losses.unmatched_threshold,
            last_box_wins=self._losses.last_box_wins,
        )
        answers = tf.boolean_mask(matches.row[0], matches.positive[0])
        counts = tf.math.bincount(answers, minlength=tf.shape(padded)[1], maxlength=tf.shape(padded)[1])
        return {
            "boxes": boxes,
            "classes": classes,
            "crowd": crowd,
            "takes_part": takes_part,
            "best_iou": tf.reduce_max(matcher.pairwise_iou(padded, self._anchors)[0], axis=-1)[:-1],
            "num_anchors": counts[:-1],
            "xml": lineage["tagbox/xml_path"].values,
            "filename": lineage["image/filename"].values,
            "texts": lineage["image/object/class/text"].values,
        }

    def _rows(self, path: Path, index: int, seen: dict[str, Any]) -> list[BoxCoverage]:
        height, width = self.input_size
        texts = [text.decode(errors="replace") for text in seen["texts"]]
        names = [name.decode(errors="replace") for name in (*seen["xml"], *seen["filename"])]
        rows = []
        for row, (ymin, xmin, ymax, xmax) in enumerate(seen["boxes"].tolist()):
            label = int(seen["classes"][row])
            left_out = ""
            if not seen["takes_part"][row]:
                is_crowd, is_class = bool(seen["crowd"][row]), label > 0
                left_out = (
                    "it is marked as a crowd"
                    if is_crowd
                    else f"it is past task.train_data.max_boxes ({self._max_boxes})"
                    if is_class
                    else f"its class id is {label}, which is no class"
                )
            rows.append(
                BoxCoverage(
                    file=path,
                    example=index,
                    box=row + 1,
                    label=label,
                    text=texts[row] if row < len(texts) else "",
                    xml_path=names[0] if names else "",
                    width_px=(xmax - xmin) * width,
                    height_px=(ymax - ymin) * height,
                    best_iou=float(seen["best_iou"][row]),
                    num_anchors=int(seen["num_anchors"][row]),
                    left_out=left_out,
                )
            )
        return rows


def _cause(error: Exception) -> str:
    """Return what an operation said, without the nodes and iterators it stands in."""
    text = str(getattr(error, "message", error)).strip().partition("\n")[0]
    return _SURROUNDINGS.sub("", text)[:200]
