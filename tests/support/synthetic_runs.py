"""Run folders without a training: made-up detections, judged and written down by what judges and writes real ones."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.detection_analysis import results_of
from pipelines.detection_record import DetectionRecord, coco_dataset
from pipelines.mistake_album import find_mistakes, write_album
from pipelines.picture_origins import RecordPictures
from pipelines.run_directory import RunDirectory
from records.example import BytesList, Feature, FloatList, Int64List, encode_example
from tests.support.od_api_records import write_records
from tests.support.random_detections import random_record

_CONFIG = """\
experiment: ssd_mobilenet_v1
task:
  init_checkpoint: weights.npz
  train_data:
    input_path: [{records}]  # --records records
    global_batch_size: 8  # ssd_mobilenet_v1.yaml:22
  validation_data:
    input_path: [{records}]  # --records records
"""
_ANCHORS = {
    "iou": 0.5, "num_boxes": 40, "num_matched": 30, "input_size": [300, 300], "anchor_sides_px": [30, 285],
    "sizes": [
        {"low_px": 10.0, "high_px": 20.0, "num_boxes": 12, "num_matched": 2},
        {"low_px": 20.0, "high_px": 40.0, "num_boxes": 28, "num_matched": 28},
    ],
}  # fmt: skip


def noisy_pictures(count: int, seed: int = 0) -> list[bytes]:
    """Return JPEGs of 640x480 that are as hard to compress as photographs."""
    chance, pictures = np.random.default_rng(seed), []
    for _ in range(count):
        coarse = Image.fromarray(chance.integers(0, 255, (48, 64, 3), np.uint8)).resize((640, 480))
        grain = np.asarray(coarse, np.float64) + chance.normal(0, 8, (480, 640, 1))
        stream = io.BytesIO()
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=80)
        pictures.append(stream.getvalue())
    return pictures


def write_run(
    folder: Path,
    names: Mapping[int, str],
    *,
    num_images: int,
    record: DetectionRecord | None = None,
    steps: int = 1000,
    pictures: bool = True,
) -> RunDirectory:
    """Write the folder of a run that was trained and evaluated.

    Args:
        folder: Made.
        names: Name of each class id, from 1.
        num_images: Verification pictures.
        record: What was found; made up where it is not given.
        steps: Length of its curves.
        pictures: Also write the records, and the album of mistakes; without, the records were moved.
    """
    run = RunDirectory(folder)
    folder.mkdir(parents=True)
    record = record or random_record(
        1, num_images=num_images, num_classes=len(names), truths=2, detections=8, scores_tell=True
    )
    records = folder.parent / f"{folder.name}.record"
    for place, image in enumerate(record.images):
        image |= {"file_name": f"{place}.jpg", "xml": f"data/{place} <&>.xml", "place": place}
    run.config_path.write_text(_CONFIG.format(records=json.dumps(str(records))), encoding="utf-8")
    items = (f"item {{ id: {number} name: {json.dumps(name)} }}\n" for number, name in names.items())
    run.label_map_path.write_text("".join(items), encoding="utf-8")
    run.write_environment(["/somewhere/bin/tagbox", "train", "ssd_mobilenet_v1", "--run", "runs/a b"])
    account = {"loaded": ["a", "b"], "missing": ["c"], "mismatched": []}
    (folder / "weights.json").write_text(json.dumps(account), encoding="utf-8")
    run.write_status("done", step=steps, total_steps=steps)
    rows = ["step,loss,classification_loss,localization_loss,learning_rate,steps_per_second,AP,AP50"]
    for step in range(10, steps + 1, 10):
        rows.append(f"{step},{60 / step:.4f},{40 / step:.4f},{20 / step:.4f},0.01,2.5,,")
        if step % 200 == 0:
            rows.append(f"{step},,,,,,{step / steps / 2},{step / steps / 1.5}")
    (folder / "results.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    results = results_of(record, names)
    run.write_results({**results, "step": steps, "checkpoint": "best", "evaluation_s": 12.5})
    (folder / "ground_truth.json").write_text(json.dumps(coco_dataset(record, names)), encoding="utf-8")
    (folder / "detections.json").write_text(json.dumps(record.detections), encoding="utf-8")
    counts = {name: number for number, name in names.items()}
    split = {"files": [str(records)], "num_images": num_images, "num_boxes": sum(counts.values()), "classes": counts}
    run.write_data({"training": split, "verification": split, "anchors": _ANCHORS})
    if pictures and record.images:
        encoded = noisy_pictures(6)
        write_records(records, (_example(image, record, encoded[at % 6]) for at, image in enumerate(record.images)))
        album = find_mistakes(record, names, min_score=results["confusion"]["min_score"])
        write_album(album, folder / "mistakes", record, RecordPictures(record.images, [records]))
    return run


def _example(image: Mapping[str, object], record: DetectionRecord, encoded: bytes) -> bytes:
    boxes = [one for one in record.annotations if one["image_id"] == image["id"]]
    edges = np.asarray([one["bbox"] for one in boxes], np.float64).reshape(-1, 4)
    edges[:, 2:] += edges[:, :2]
    features: dict[str, Feature] = {
        "image/height": Int64List((480,)),
        "image/width": Int64List((640,)),
        "image/filename": BytesList((str(image["file_name"]).encode(),)),
        "image/encoded": BytesList((encoded,)),
        "image/object/class/label": Int64List(tuple(one["category_id"] for one in boxes)),
    }
    for column, (key, side) in enumerate((("xmin", 640), ("ymin", 480), ("xmax", 640), ("ymax", 480))):
        features[f"image/object/bbox/{key}"] = FloatList(tuple((edges[:, column] / side).clip(0, 1).tolist()))
    return encode_example(features)
