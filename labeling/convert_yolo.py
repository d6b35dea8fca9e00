"""YOLO sets: ``data.yaml``, ``images/<split>/*``, ``labels/<split>/*.txt`` with class, centre and size as shares.

A picture with an empty text file is a negative; one without a text file is unlabelled and is not taken.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from collectors.errors import InputError
from labeling.annotations import Annotation, Box
from labeling.interchange import (
    Exchange,
    ExchangedPicture,
    Outputs,
    PictureFinder,
    bare_object,
    edge,
    size_of,
    split_of,
)


def export_yolo(pictures: Sequence[ExchangedPicture], names: Sequence[str]) -> Outputs:
    """Return the files of a YOLO set. Boxes are clipped to the picture, for its trainers refuse others.

    Args:
        pictures: What to write; stems are unique.
        names: Labels in the order of their numbers, from 0.
    """
    outputs: Outputs = {}
    numbers = {name: number for number, name in enumerate(names)}
    for picture in pictures:
        split = picture.split or "training"
        lines = [_line(numbers[one.name], one.box, picture.annotation) for one in picture.annotation.objects]
        outputs[f"labels/{split}/{picture.stem}.txt"] = "".join(lines).encode("ascii")
        outputs[f"images/{split}/{picture.name}"] = picture.source
    document: dict[str, Any] = {
        "train": "images/training",
        "val": "images/verification",
        "names": dict(enumerate(names)),
    }
    outputs["data.yaml"] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()
    return outputs


def losses_of_yolo(pictures: Sequence[ExchangedPicture]) -> dict[str, int]:
    """Count the boxes that would be clipped."""
    clipped = sum(
        _clipped(one.box, picture.annotation) != one.box for picture in pictures for one in picture.annotation.objects
    )
    return {"edges beyond the picture": clipped} if clipped else {}


def read_yolo(root: Path) -> Exchange:
    """Read a YOLO set.

    Raises:
        InputError: There is no list of names (``data.yaml``, ``*.yaml`` or ``classes.txt``), or no label file.
    """
    names = _names(root)
    finder, exchange = PictureFinder(root), Exchange(labels=names)
    texts = _texts(root)
    for path in texts:
        parts = path.relative_to(root).parts[:-1]
        near = [path.parent, path.parent / "images", path.parent.parent / "images"]
        near += (
            [root.joinpath(*("images" if part == "labels" else part for part in parts))] if "labels" in parts else []
        )
        source = finder.of_stem(path.stem, near=near)
        if source is None:
            if _holds_numbers(path):
                exchange.refuse(path, "its picture is not there, or there are several of that name")
            continue
        split = next((found for part in parts if (found := split_of(part))), "")
        try:
            content = _text_of(path)
            width, height = size_of(source, has_boxes=bool(content.strip()))
            objects = tuple(
                bare_object(name, box, width, height) for name, box in _objects(content, names, width, height)
            )
        except (InputError, ValueError) as error:
            exchange.refuse(path, error.what if isinstance(error, InputError) else str(error), source)
            continue
        annotation = Annotation(source.name, width, height, objects=objects)
        exchange.pictures.append(ExchangedPicture(source.name, split, annotation, source))
    if not texts:
        raise InputError("no YOLO labels here", where=str(root), fix="Give the folder that has labels/ and images/.")
    return exchange


def parse_line(line: str, names: Sequence[str], width: int, height: int) -> tuple[str, Box]:
    """Return label and box of one line.

    Raises:
        ValueError: It is no line of a box; the message says why.
    """
    words = line.split()
    if len(words) != 5:
        raise ValueError(f"{len(words)} numbers where a box has 5" + (" (an outline?)" if len(words) > 5 else ""))
    if not words[0].isdecimal() or int(words[0]) >= len(names):
        raise ValueError(f"class {words[0]}, but there are {len(names)} names")
    x, y, box_width, box_height = (float(word) for word in words[1:])
    if not all(map(math.isfinite, (x, y, box_width, box_height))):
        raise ValueError("a number that is not finite")
    left, top = (x - box_width / 2) * width, (y - box_height / 2) * height
    right, bottom = (x + box_width / 2) * width, (y + box_height / 2) * height
    return names[int(words[0])], Box(edge(left), edge(top), edge(right), edge(bottom))


def _texts(root: Path) -> list[Path]:
    """The label files: what lies in ``labels/`` where there is such a folder, else every text."""
    texts = [path for path in sorted(root.rglob("*.txt")) if path.name != "classes.txt"]
    return [path for path in texts if "labels" in path.relative_to(root).parts[:-1]] or texts


def _holds_numbers(path: Path) -> bool:
    """Whether a text without a picture is a label file, and not a list of paths or a README."""
    try:
        lines = [line for line in _text_of(path).splitlines() if line.strip()]
    except InputError:
        return False
    return not lines or any(line.split()[0].isdecimal() for line in lines)


def _text_of(path: Path) -> str:
    """The text of a file that may begin with a byte order mark.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("it is not UTF-8 text", where=str(path), fix="Save it as UTF-8.") from error


def _objects(content: str, names: Sequence[str], width: int, height: int) -> list[tuple[str, Box]]:
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                found.append(parse_line(line, names, width, height))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return found


def _line(number: int, box: Box, annotation: Annotation) -> str:
    inside, width, height = _clipped(box, annotation), annotation.width, annotation.height
    shares = (
        (inside.xmin + inside.xmax) / 2 / width,
        (inside.ymin + inside.ymax) / 2 / height,
        inside.width / width,
        inside.height / height,
    )
    return f"{number} " + " ".join(f"{share:.12g}" for share in shares) + "\n"


def _clipped(box: Box, annotation: Annotation) -> Box:
    return Box(
        min(max(box.xmin, 0), annotation.width),
        min(max(box.ymin, 0), annotation.height),
        min(max(box.xmax, 0), annotation.width),
        min(max(box.ymax, 0), annotation.height),
    )


def _names(root: Path) -> list[str]:
    for path in [root / "data.yaml", *sorted(root.glob("*.yaml")), *sorted(root.glob("*.yml"))]:
        if path.is_file():
            try:
                names = yaml.safe_load(_text_of(path))["names"]
                return (
                    [str(names[number]) for number in sorted(names)]
                    if isinstance(names, dict)
                    else list(map(str, names))
                )
            except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
                raise InputError(f"no list of names in it ({type(error).__name__})", where=str(path)) from error
    for path in sorted(root.rglob("classes.txt")):
        return [line.strip() for line in _text_of(path).splitlines() if line.strip()]
    raise InputError("neither data.yaml nor classes.txt is here", where=str(root), fix="YOLO labels are only numbers.")
