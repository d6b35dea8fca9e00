"""The album of mistakes: the worst cases as cropped pictures, and one file that lists them with their XML."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from collectors.errors import ConfigError, InputError
from collectors.files import atomic_writer, write_atomically
from labeling.annotations import Box
from labeling.drawing import TRUTH_COLOR, DrawnBox, draw_boxes, fitted_text, font_for
from pipelines.detection_record import DetectionRecord
from pipelines.error_kinds import JudgedDetections, judge_detections
from pipelines.label_suspects import Suspect, suspected_labels
from pipelines.metrics import named_classes
from pipelines.mistakes import Mistake, worst_mistakes
from pipelines.picture_origins import Pictures, find_data_root

INDEX = "mistakes.json"
DEFAULT_LIMIT = 5
_SUSPECTS_LISTED, _SUSPECTS_DRAWN = 1000, 4
_DETECTION_COLOR, _OTHER_COLOR = (230, 25, 75), (150, 190, 160)
_LONG_SIDE, _LARGEST_ZOOM, _MARGIN, _LEAST_MARGIN_PX = 420, 4.0, 0.5, 12.0
_WIDER_PX = 3


@dataclass(frozen=True, slots=True)
class Album:
    """Mistakes and suspects of an evaluation, before they are drawn.

    Attributes:
        min_score: Detections below were not looked at.
        mistakes: By class and kind, the worst first.
        suspects: The most suspicious first.
        num_drawn: How many suspects get a picture.
    """

    min_score: float
    mistakes: list[Mistake]
    suspects: list[Suspect]
    num_drawn: int = 0


def find_mistakes(
    record: DetectionRecord, class_names: Mapping[int, str], *, min_score: float, limit: int = DEFAULT_LIMIT
) -> Album:
    """Choose what to show of an evaluation.

    Args:
        record: Truth and detections.
        class_names: Name of each class id.
        min_score: Detections below are not looked at.
        limit: At most so many mistakes of each kind and class; four times as many suspects are drawn.
    """
    names = named_classes(record, class_names)
    judged: JudgedDetections = judge_detections(record, names)
    mistakes = worst_mistakes(judged, names, min_score=min_score, limit=limit)
    suspects = suspected_labels(judged, names, min_score=min_score)[:_SUSPECTS_LISTED]
    return Album(min_score, mistakes, suspects, _SUSPECTS_DRAWN * limit)


def write_album(
    album: Album, output: Path, record: DetectionRecord, pictures: Pictures, *, beside: Sequence[Path] = ()
) -> dict[str, Any]:
    """Draw the pictures of an album and write ``mistakes.json`` beside them; an older album gives way.

    Args:
        album: What to show.
        output: The folder, made where it is missing.
        record: What the album is of; its pictures have ``file_name`` and ``xml`` where they are known.
        pictures: Where the pictures are.
        beside: Record files whose pictures these are: the data root that their paths are relative to is looked for
            near them, see `pipelines.picture_origins.find_data_root`.

    Returns:
        The content of ``mistakes.json``.

    Raises:
        ConfigError: The folder has other things in it.
        InputError: The disk refuses.
    """
    _remove_older(output)
    names = _picture_names(album)
    wanted: dict[int, list[int]] = {}
    cases: list[Mistake | Suspect] = [*album.mistakes, *album.suspects[: album.num_drawn]]
    for number, case in enumerate(cases):
        if names[number]:
            wanted.setdefault(case.image_id, []).append(number)
    truth = _truth_by_picture(record, set(wanted))
    drawn: set[str] = set()
    for image_id, picture in pictures.show(wanted.keys()):
        for number in wanted.pop(image_id, ()):
            with atomic_writer(output / names[number]) as stream:
                draw_case(picture, cases[number], truth.get(image_id, ())).save(stream, "JPEG", quality=88)
            drawn.add(names[number])
    index = album_index(album, record, data_root=find_data_root(record.images, beside) if beside else None)
    _note_pictures(index, names, drawn)
    write_atomically(output / INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    return index


def album_index(album: Album, record: DetectionRecord, *, data_root: Path | None = None) -> dict[str, Any]:
    """Return what ``mistakes.json`` has, without the pictures.

    Args:
        album: The mistakes.
        record: What they are of; its pictures have ``file_name`` and ``xml`` where they are known.
        data_root: What those paths are relative to; ``None`` leaves them as they are.
    """
    images = {image["id"]: image for image in record.images}

    def place(image_id: int) -> dict[str, Any]:
        image = images[image_id]
        row = {"image_id": image_id, "width": image.get("width"), "height": image.get("height")}
        return row | {key: _below(data_root, image.get(name)) for key, name in (("image", "file_name"), ("xml", "xml"))}

    def marks(case: Mistake | Suspect) -> dict[str, Any]:
        return {
            "truth": case.truth and case.truth.as_json(),
            "detection": case.detection and case.detection.as_json(),
            "iou": case.iou,
        }

    return {
        "min_score": album.min_score,
        "data_root": None if data_root is None else data_root.as_posix(),
        "mistakes": [
            {"kind": str(one.kind), "class": one.class_name, "words": one.words}
            | {**place(one.image_id), **marks(one), "picture": None}
            for one in album.mistakes
        ],
        "suspects": [
            {"rank": rank, "score": one.score, "kind": str(one.kind), "class": one.class_name}
            | {"reason": one.reason, "fix": one.fix, **place(one.image_id), **marks(one), "picture": None}
            for rank, one in enumerate(album.suspects, start=1)
        ],
    }


def draw_case(picture: Image.Image, case: Mistake | Suspect, truth: Sequence[Box]) -> Image.Image:
    """Cut a case out of its picture and draw it: truth green, detection red, other boxes pale, words below.

    Args:
        picture: The whole picture.
        case: The mistake or the suspect.
        truth: Every box of the picture.
    """
    marked = [one.box for one in (case.truth, case.detection) if one is not None]
    left, top, right, bottom = _cut(marked, picture.size)
    zoom = min(_LARGEST_ZOOM, _LONG_SIDE / max(right - left, bottom - top))
    size = (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom)))
    cut = picture.resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))

    def moved(box: Box) -> Box:
        return Box(box.xmin - left, box.ymin - top, box.xmax - left, box.ymax - top).scaled(zoom, zoom)

    own = case.truth.box if case.truth else None
    boxes = [
        DrawnBox(moved(box), "", _OTHER_COLOR) for box in truth if box != own and _meets(box, left, top, right, bottom)
    ]
    if case.truth:
        # A little wider, so that a detection that fits exactly does not hide it.
        inner = moved(case.truth.box)
        outer = Box(inner.xmin - _WIDER_PX, inner.ymin - _WIDER_PX, inner.xmax + _WIDER_PX, inner.ymax + _WIDER_PX)
        boxes.append(DrawnBox(outer, "", TRUTH_COLOR))
    if case.detection:
        boxes.append(DrawnBox(moved(case.detection.box), "", _DETECTION_COLOR))
    return _with_words(draw_boxes(cut, boxes), case)


def _with_words(cut: Image.Image, case: Mistake | Suspect) -> Image.Image:
    lines = [
        (f"label: {case.truth.class_name}" if case.truth else "no label", (0, 130, 55)),
        (f"found: {case.detection.words()}" if case.detection else "not found", _DETECTION_COLOR),
    ]
    if case.iou is not None:
        lines.append((f"IoU {case.iou:.2f}", (90, 90, 90)))
    row_px, width = 18, max(160, cut.width)
    page = Image.new("RGB", (width, cut.height + row_px * len(lines) + 4), "white")
    page.paste(cut, ((width - cut.width) // 2, 0))
    draw = ImageDraw.Draw(page)
    for number, (text, color) in enumerate(lines):
        font = font_for(text, 13)
        draw.text((4, cut.height + 2 + row_px * number), fitted_text(text, font, width - 8), fill=color, font=font)
    return page


def _cut(boxes: Sequence[Box], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the part of a picture to show: the boxes with room around them, at least a pixel."""
    left, top = min(box.xmin for box in boxes), min(box.ymin for box in boxes)
    right, bottom = max(box.xmax for box in boxes), max(box.ymax for box in boxes)
    margin = max(_LEAST_MARGIN_PX, _MARGIN * max(right - left, bottom - top))
    width, height = size
    left, top = min(max(0.0, left - margin), width - 1), min(max(0.0, top - margin), height - 1)
    right, bottom = max(min(width, right + margin), left + 1), max(min(height, bottom + margin), top + 1)
    return left, top, right, bottom


def _meets(box: Box, left: float, top: float, right: float, bottom: float) -> bool:
    return box.xmin < right and box.xmax > left and box.ymin < bottom and box.ymax > top


def _truth_by_picture(record: DetectionRecord, wanted: set[int]) -> dict[int, list[Box]]:
    boxes: dict[int, list[Box]] = {}
    for row in record.annotations:
        if row["image_id"] in wanted:
            x, y, width, height = row["bbox"]
            boxes.setdefault(row["image_id"], []).append(Box(x, y, x + width, y + height))
    return boxes


def _picture_names(album: Album) -> list[str]:
    """Name the picture of every case after its class and kind; a suspect that is a mistake as well shares its own."""
    names, numbers = [], Counter[str]()
    by_case: dict[Any, str] = {}
    for one in album.mistakes:
        base = f"{_slug(one.class_name)}_{one.kind}"
        numbers[base.casefold()] += 1
        names.append(f"{base}_{numbers[base.casefold()]:02d}.jpg")
        by_case[_key(one)] = names[-1]
    for rank, suspect in enumerate(album.suspects[: album.num_drawn], start=1):
        names.append("" if _key(suspect) in by_case else f"suspect_{rank:02d}.jpg")
    return names


def _note_pictures(index: dict[str, Any], names: Sequence[str], drawn: set[str]) -> None:
    cases = [*index["mistakes"], *index["suspects"]]
    by_case = {}
    for case, name in zip(cases, names, strict=False):
        if name in drawn:
            case["picture"] = name
            by_case[_row_key(case)] = name
    for case in index["suspects"]:
        case["picture"] = case["picture"] or by_case.get(_row_key(case))


def _key(case: Mistake | Suspect) -> Any:
    return case.image_id, case.truth, case.detection


def _row_key(row: Mapping[str, Any]) -> str:
    return json.dumps([row["image_id"], row["truth"], row["detection"]])


def _slug(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name)[:40] or "class"


def _below(data_root: Path | None, name: str | None) -> str | None:
    if not name:
        return None
    return name if data_root is None else (data_root / name).as_posix()


def _remove_older(output: Path) -> None:
    """Remove the pictures of an older album.

    Raises:
        ConfigError: What is there is not an album.
    """
    if not output.is_dir():
        return
    older = output / INDEX
    if not older.is_file():
        if any(output.iterdir()):
            raise ConfigError(
                "this folder has files in it but is no album of mistakes",
                where=str(output),
                fix="Choose another folder.",
            )
        return
    try:
        content = json.loads(older.read_text(encoding="utf-8"))
        names = {row["picture"] for rows in (content["mistakes"], content["suspects"]) for row in rows}
        for name in names - {None}:
            if Path(name).name == name:
                (output / name).unlink(missing_ok=True)
    except (ValueError, KeyError, TypeError):
        return
    except OSError as error:
        raise InputError(f"cannot remove the older album: {error.strerror or error}", where=str(output)) from error
