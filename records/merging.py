"""One example for a picture that stands in several class folders, with the boxes of all of them.

Labelled once for cats and once for dogs, the same photograph teaches each record that the other animal is not there.
Merged it teaches both. Equal are pictures of the same bytes, and those of the same pixels in another file.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from collectors.errors import InputError
from labeling.checks.overlap import NEAR_IOU
from records.features import ExampleObject, ExampleSource, OtherSource

Candidate = tuple[ExampleSource, int]


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """Two folders contradict each other about one picture; a sentence for a person."""

    image_path: str
    message: str


@dataclass(slots=True)
class Merged:
    """What came of merging.

    Attributes:
        examples: One for each picture, with the size of its file in bytes.
        num_merged: Pictures that went into the example of another.
        num_repeated: Boxes that another folder had as well; they stand in the example once.
        conflicts: What a person should look at. Everything is in the examples all the same.
    """

    examples: list[Candidate]
    num_merged: int = 0
    num_repeated: int = 0
    conflicts: list[MergeConflict] = dataclasses.field(default_factory=list)


def merge_candidates(candidates: Iterable[Candidate], looks: Mapping[str, int], data_root: Path) -> Merged:
    """Merge the candidates of one split.

    Args:
        candidates: Of all class folders, in any order.
        looks: By SHA-256 of a picture, a number that is the same for equal pixels; none where nothing is known.
        data_root: Where their pictures lie. Those that could have equal pixels are decoded.

    Raises:
        InputError: A picture cannot be read.
    """
    ordered = sorted(candidates, key=lambda item: (item[0].image_path, item[0].xml_path))
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in ordered:
        groups[candidate[0].image_sha256].append(candidate)
    merged = Merged([])
    for group in _joined_by_pixels(list(groups.values()), looks, data_root):
        merged.examples.append(_merge(group, merged) if len(group) > 1 else group[0])
    return merged


def _joined_by_pixels(
    groups: list[list[Candidate]], looks: Mapping[str, int], data_root: Path
) -> Iterator[list[Candidate]]:
    """Join groups whose pictures have the same pixels, where they are of several class folders."""
    by_look: dict[tuple[int, int, int | None], list[list[Candidate]]] = defaultdict(list)
    for group in groups:
        example = group[0][0]
        by_look[example.width, example.height, looks.get(example.image_sha256)].append(group)
    for alike in by_look.values():
        folders = {example.class_folder for group in alike for example, _ in group}
        if len(alike) == 1 or len(folders) == 1:
            yield from alike
            continue
        by_pixels: dict[bytes, list[Candidate]] = defaultdict(list)
        for group in alike:
            by_pixels[_pixels(data_root / group[0][0].image_path)] += group
        yield from (sorted(group, key=lambda item: item[0].image_path) for group in by_pixels.values())


def _pixels(path: Path) -> bytes:
    try:
        with Image.open(path) as image:
            return hashlib.sha256(f"{image.size}".encode() + image.convert("RGB").tobytes()).digest()
    except OSError as error:
        raise InputError(f"cannot read the picture: {error.strerror or error}", where=str(path)) from error


def _merge(group: Sequence[Candidate], merged: Merged) -> Candidate:
    (first, num_bytes), *rest = group
    objects: list[tuple[ExampleObject, ExampleSource]] = [(item, first) for item in first.objects]
    for example, _ in rest:
        for item in example.objects:
            same = _already_there(item, example, objects, first.image_path, merged)
            if same is None:
                objects.append((item, example))
            elif item.text == example.class_folder and objects[same][0].text != objects[same][1].class_folder:
                objects[same] = (item, example)  # who labels a class in its own folder looks closest
    merged.num_merged += len(rest)
    return (
        dataclasses.replace(
            first,
            objects=tuple(item for item, _ in objects),
            post_urls=tuple(sorted({url for example, _ in group for url in example.post_urls})),
            others=tuple(
                OtherSource(example.image_path, example.xml_path, example.xml_sha256, example.class_folder)
                for example, _ in rest
            ),
        ),
        num_bytes,
    )


def _already_there(
    item: ExampleObject,
    example: ExampleSource,
    objects: Sequence[tuple[ExampleObject, ExampleSource]],
    image_path: str,
    merged: Merged,
) -> int | None:
    """Return the index of the object that is this one, drawn in another folder; note contradictions."""
    for index, (other, source) in enumerate(objects):
        if source is example or item.box.iou(other.box) <= NEAR_IOU:
            continue
        if item.text == other.text:
            merged.num_repeated += 1
            if (item.difficult, item.truncated) != (other.difficult, other.truncated):
                message = f"{item.text!r} has other flags in {example.xml_path} than in {source.xml_path}"
                merged.conflicts.append(MergeConflict(image_path, message))
            return index
        message = f"{source.xml_path} says {other.text!r} where {example.xml_path} says {item.text!r}"
        merged.conflicts.append(MergeConflict(image_path, message))
    return None
