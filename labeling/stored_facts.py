"""What is known of a pair as plain JSON values, and back: lists in a fixed order, for they are read by thousands."""

from typing import TYPE_CHECKING, Any

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.image_probe import ImageFacts, ImageProblem
from labeling.near_duplicates import Look
from labeling.voc_reader import Problem, Reading

if TYPE_CHECKING:
    from labeling.pair_reading import PairFacts


class StoredFactsError(Exception):
    """The values are not what `facts_to_json` writes."""


def facts_to_json(facts: "PairFacts") -> list[Any]:
    """Return the facts as JSON values; ``facts_from_json`` of them is equal, lines included."""
    reading, image = facts.reading, facts.image
    problems = [[one.code, one.line, one.object_index, one.got, one.wanted] for one in reading.problems]
    return [
        facts.xml_sha256,
        None if reading.annotation is None else annotation_to_json(reading.annotation),
        None if image is None else _image_to_json(image),
        problems,
        list(reading.unknown_elements),
        [_object_to_json(labeled) for labeled in facts.salvaged],
    ]


def facts_from_json(values: list[Any]) -> "PairFacts":
    """Undo `facts_to_json`.

    Raises:
        StoredFactsError: The values are something else.
    """
    from labeling.pair_reading import PairFacts

    try:
        xml_sha256, annotation, image, problems, unknown, salvaged = values
        reading = Reading(
            None if annotation is None else annotation_from_json(annotation),
            tuple(Problem(*problem) for problem in problems),
            tuple(unknown),
        )
        salvaged_objects = tuple(_object_from_json(one) for one in salvaged)
        return PairFacts(reading, xml_sha256, None if image is None else image_from_json(image), salvaged_objects)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise StoredFactsError(str(error)) from error


def image_from_json(values: list[Any]) -> ImageFacts:
    """Return the facts of a picture from the values that `facts_to_json` has for it.

    Raises:
        StoredFactsError: The values are something else.
    """
    try:
        (size, sha256, kind, mode, width, height, orientation, problem, detail, foreign, frames, trailing, look) = (
            values
        )
        return ImageFacts(
            size,
            sha256,
            kind,
            mode,
            width,
            height,
            orientation,
            _PROBLEMS[problem],
            detail,
            foreign,
            frames,
            trailing,
            None if look is None else Look(look[0], look[1], bytes.fromhex(look[2])),
        )
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise StoredFactsError(str(error)) from error


_PROBLEMS = {problem.value: problem for problem in ImageProblem}


def _image_to_json(image: ImageFacts) -> list[Any]:
    look = image.look
    return [
        image.num_bytes,
        image.sha256,
        image.format,
        image.mode,
        image.width,
        image.height,
        image.orientation,
        image.problem.value,
        image.detail,
        image.foreign_to_tensorflow,
        image.num_frames,
        image.num_trailing,
        None if look is None else [look.phash, look.mirror_phash, look.colours.hex()],
    ]


def annotation_to_json(annotation: Annotation) -> list[Any]:
    """Return an annotation as JSON values; `annotation_from_json` of them is equal, lines included."""
    return [
        annotation.filename,
        annotation.width,
        annotation.height,
        annotation.depth,
        annotation.folder,
        annotation.path,
        annotation.database,
        annotation.segmented,
        annotation.verified,
        [_object_to_json(labeled) for labeled in annotation.objects],
        annotation.filename_line,
        annotation.size_line,
    ]


def annotation_from_json(values: list[Any]) -> Annotation:
    """Undo `annotation_to_json`.

    Raises:
        TypeError: The values are something else.
        ValueError: There are too many of them, or too few.
    """
    filename, width, height, depth, folder, path, database, segmented, verified, objects, *lines = values
    filename_line, size_line = lines
    return Annotation(
        filename,
        width,
        height,
        depth,
        folder,
        path,
        database,
        segmented,
        verified,
        tuple([_object_from_json(one) for one in objects]),
        filename_line,
        size_line,
    )


def _object_to_json(labeled: LabeledObject) -> list[Any]:
    box = labeled.box
    edges = [box.xmin, box.ymin, box.xmax, box.ymax]
    return [labeled.name, edges, labeled.pose, labeled.truncated, labeled.difficult, labeled.line]


def _object_from_json(values: list[Any]) -> LabeledObject:
    name, edges, pose, truncated, difficult, line = values
    return LabeledObject(name, Box(*edges), pose, truncated, difficult, line)
