"""Detections of any tool and the truth to judge them by, read from files."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from collectors.errors import ConfigError, InputError
from labeling.dataset import find_dataset
from labeling.errors import AnnotationError
from labeling.label_map import LabelMap, read_label_map
from labeling.voc import read_annotation
from pipelines.detection_record import DetectionRecord

_LABEL_MAP = "label_map.pbtxt"


@dataclass(slots=True)
class Truth:
    """Pictures with their boxes.

    Attributes:
        record: Pictures and boxes; no detections. Picture dicts have a ``file_name`` where one is known.
        class_names: Name of each class id.
        ids_are_given: Whether the class ids are those of a file, so that another file can speak of them.
        refused: What could not be read, with the reason.
    """

    record: DetectionRecord
    class_names: dict[int, str]
    ids_are_given: bool
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Judgeable:
    """Truth and detections of the same pictures, and what was left out.

    Attributes:
        record: What to evaluate.
        class_names: Name of each class id.
        refused: Label files that could not be read, with the reason.
        left_out: Detections of pictures that the truth does not have.
        example: The first such picture.
    """

    record: DetectionRecord
    class_names: dict[int, str]
    refused: list[str]
    left_out: int = 0
    example: str = ""


def read_detections(found: Path, truth: Path, label_map: Path | None = None) -> Judgeable:
    """Read a file of detections and the truth for it.

    Args:
        found: A COCO results file (a list of ``image_id``, ``category_id``, ``bbox``, ``score``), or a COCO data set
            whose annotations have a ``score``, as ``tagbox predict`` writes it. An ``image_id`` is a number of the
            truth's file, or a file name with or without its suffix; where the truth is a folder, a number is such a
            name. A ``category_id`` is a number, or a name.
        truth: A COCO file, or a folder of Pascal VOC XML. Of a data root with splits, only ``verification`` counts.
        label_map: What the numbers of classes mean; where a folder has a ``label_map.pbtxt``, that is it.

    Raises:
        InputError: A file is missing or damaged, or something in it is not what it should be: the first one is named.
        ConfigError: Nothing says what the numbers of classes mean.
    """
    judged = _read_folder(truth, label_map) if truth.is_dir() else _read_coco_truth(truth)
    if label_map is not None and not truth.is_dir():
        judged = _renamed(judged, read_label_map(label_map))
    content = _read_json(found)
    rows, images, names = _parts(content, found)
    result = Judgeable(judged.record, judged.class_names, judged.refused)
    finder = _PictureFinder(judged.record.images, by_number=not truth.is_dir())
    classes = _ClassFinder(judged, names, found, rows)
    for place, row in enumerate(rows, start=1):
        where = f"{found}, detection {place}"
        detection = _detection(row, where)
        said = images.get(row["image_id"], row["image_id"]) if images else row["image_id"]
        image_id = finder.find(said, is_name=bool(images))
        if image_id is None:
            result.left_out += 1
            result.example = result.example or str(said)
            continue
        judged.record.detections.append(
            {"image_id": image_id, "category_id": classes.find(row["category_id"], where), **detection}
        )
    if rows and result.left_out == len(rows):
        raise InputError(
            f"no detection is of a picture of the truth, the first one is of {result.example}",
            where=str(found),
            fix="image_id has to be the number of the picture in the truth, or its file name.",
        )
    result.class_names = judged.class_names
    return result


def _read_folder(folder: Path, label_map: Path | None) -> Truth:
    files = find_dataset(folder)
    has_verification = any(label.split == "verification" for label in files.labels)
    labels = [label for label in files.labels if not has_verification or label.split == "verification"]
    own_map = folder / _LABEL_MAP
    path = label_map or (own_map if own_map.is_file() else None)
    given = read_label_map(path) if path else None
    truth = Truth(DetectionRecord(), dict(given.items) if given else {}, given is not None)
    annotated = []
    for label in labels:
        try:
            annotated.append((label, read_annotation(label.xml_path)))
        except AnnotationError as error:
            truth.refused.append(str(error))
    names = {one.name for _, annotation in annotated for one in annotation.objects}
    known = (given or LabelMap(())).extended_with(sorted(names - set(truth.class_names.values())))
    truth.class_names = dict(known.items)
    for image_id, (label, annotation) in enumerate(annotated, start=1):
        path = label.image_paths[0] if label.image_paths else label.xml_path
        truth.record.images.append(
            {
                "id": image_id,
                "width": annotation.width,
                "height": annotation.height,
                "file_name": path.as_posix(),
                "xml": label.xml_path.as_posix(),
            }
        )
        for one in annotation.objects:
            bbox = [one.box.xmin, one.box.ymin, one.box.width, one.box.height]
            _require_box(bbox, f"{label.xml_path}:{one.line}")
            _add_truth(truth.record, image_id, known.ids[one.name], bbox, {"difficult": one.difficult})
    return truth


def _read_coco_truth(path: Path) -> Truth:
    content = _read_json(path)
    try:
        truth = Truth(DetectionRecord(), {int(one["id"]): str(one["name"]) for one in content["categories"]}, True)
        truth.record.images = [dict(image) for image in content["images"]]
        numbers = {image["id"] for image in truth.record.images}
        if len(numbers) < len(truth.record.images) or not all(type(number) is int for number in numbers):
            raise ValueError("ids of images must be whole numbers, each once")
        for place, row in enumerate(content["annotations"], start=1):
            where = f"{path}, annotation {place}"
            bbox = _require_box(row["bbox"], where)
            if row["image_id"] not in numbers:
                raise InputError(f"its image {row['image_id']!r} is not listed", where=where)
            extra = {**(row.get("attributes") or {}), **row}
            _add_truth(truth.record, row["image_id"], int(row["category_id"]), bbox, extra)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"not a COCO file of truth ({type(error).__name__}: {error})",
            where=str(path),
            fix="It needs images, annotations and categories.",
        ) from error
    return truth


def _add_truth(
    record: DetectionRecord, image_id: int, class_id: int, bbox: list[float], said: Mapping[str, Any]
) -> None:
    annotation = {
        "id": len(record.annotations) + 1, "image_id": image_id, "category_id": class_id, "bbox": bbox,
        "area": float(said.get("area", bbox[2] * bbox[3])), "iscrowd": int(said.get("iscrowd", 0)),
    }  # fmt: skip
    record.annotations.append(annotation | ({"difficult": 1} if said.get("difficult") else {}))


def _renamed(truth: Truth, label_map: LabelMap) -> Truth:
    """Let a label map say what the numbers of a COCO file mean."""
    truth.class_names |= dict(label_map.items)
    return truth


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=str(path)) from error


def _parts(content: Any, path: Path) -> tuple[list[Any], dict[Any, str], dict[Any, str]]:
    """Return the detections, and names of images and of classes where the file has them."""
    if isinstance(content, list):
        return content, {}, {}
    try:
        images = {image["id"]: str(image["file_name"]) for image in content["images"]}
        return list(content["annotations"]), images, {one["id"]: str(one["name"]) for one in content["categories"]}
    except (KeyError, TypeError) as error:
        raise InputError(
            f"not a file of detections ({type(error).__name__}: {error})",
            where=str(path),
            fix="Give a list of {image_id, category_id, bbox, score}: COCO's results.",
        ) from error


def _detection(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InputError(f"{row!r} is no detection", where=where, fix="COCO's results are a list of objects.")
    missing = [name for name in ("image_id", "category_id", "bbox", "score") if name not in row]
    if missing:
        raise InputError(f"has no {', '.join(missing)}", where=where, fix="COCO's results have all four.")
    bbox = _require_box(row["bbox"], where)
    for name in ("image_id", "category_id"):
        if isinstance(row[name], bool) or not isinstance(row[name], int | str):
            raise InputError(f"{name} is {row[name]!r}, neither a number nor a name", where=where)
    score = row["score"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError(f"the score is {score!r}, not a finite number", where=f"{where} (image {row['image_id']})")
    return {"bbox": bbox, "score": float(score)}


def _require_box(bbox: Any, where: str) -> list[float]:
    is_box = isinstance(bbox, list) and len(bbox) == 4
    numbers = is_box and all(isinstance(edge, int | float) and math.isfinite(edge) for edge in bbox)
    if not numbers or bbox[2] < 0 or bbox[3] < 0:
        raise InputError(f"the box {bbox!r} is not x, y, width, height in finite numbers", where=where)
    return [float(edge) for edge in bbox]


class _PictureFinder:
    """Finds a picture of the truth by its number, or by as much of its path as is needed."""

    def __init__(self, images: Sequence[Mapping[str, Any]], *, by_number: bool) -> None:
        self._numbers = {image["id"] for image in images} if by_number else set()
        self._by_stem: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for image in images:
            if name := image.get("file_name"):
                parts = _path_parts(str(name))
                self._by_stem[parts[-1]].append((parts, image["id"]))
        self._by_integer = {
            int(stem): stem for stem in self._by_stem if stem.isascii() and stem.isdigit()
        }  # 7 is 000007
        self._known: dict[Any, int | None] = {}

    def find(self, said: Any, *, is_name: bool) -> int | None:
        """Return the id of the picture, ``None`` where the truth has none.

        Raises:
            InputError: There are several.
        """
        if said not in self._known:
            self._known[said] = self._search(said, is_name)
        return self._known[said]

    def _search(self, said: Any, is_name: bool) -> int | None:
        if isinstance(said, int) and not is_name:
            if self._numbers:
                return said if said in self._numbers else None
            said = self._by_integer.get(said, str(said))
        wanted = _path_parts(str(said))
        found = self._by_stem.get(wanted[-1]) or self._by_stem.get(str(said), [])
        if len(found) > 1:
            shared = [_shared_end(wanted, parts) for parts, _ in found]
            found = [one for one, length in zip(found, shared, strict=True) if length == max(shared)]
        if len(found) > 1:
            raise InputError(
                f"the truth has {len(found)} pictures of this name", where=str(said), fix="Give more of the path."
            )
        return found[0][1] if found else None


def _path_parts(name: str) -> tuple[str, ...]:
    path = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
    suffix = path.suffix.lower()
    is_picture = suffix[1:].isalpha() and len(suffix) in {4, 5}
    return (*path.parts[:-1], path.stem if is_picture else path.name)


def _shared_end(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    length = 0
    for ours, theirs in zip(reversed(first), reversed(second), strict=False):
        if ours != theirs:
            break
        length += 1
    return length


class _ClassFinder:
    """Finds the class id of the truth for what a detection calls its class; new names become new classes."""

    def __init__(self, truth: Truth, names: Mapping[Any, str], path: Path, rows: Sequence[Any]) -> None:
        self._truth, self._names, self._path = truth, names, path
        self._ids = {name: class_id for class_id, name in truth.class_names.items()}
        said = {str(row.get("category_id")) for row in rows if isinstance(row, dict)}
        self._only = len(said) == 1 and len(truth.class_names) == 1

    def find(self, said: int | str, where: str) -> int:
        name = self._names.get(said, said)
        if isinstance(name, str):
            if name not in self._ids:
                self._ids[name] = max([0, *self._truth.class_names]) + 1
                self._truth.class_names[self._ids[name]] = name
            return self._ids[name]
        if self._truth.ids_are_given:
            return name
        if self._only:
            return next(iter(self._truth.class_names))
        raise ConfigError(
            f"nothing says which class {said} is",
            where=where,
            fix="Name the label map of the detector with --label-map.",
        )
