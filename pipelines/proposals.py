"""What a detector found, as LabelImg XML for a person to mend: the way back into labeling."""

import enum
from pathlib import Path

from labeling.annotations import PROPOSAL_MARK, Annotation, Box, LabeledObject, is_proposal
from labeling.errors import AnnotationError
from labeling.voc import read_annotation, write_annotation
from pipelines.predict import Prediction


class ProposalFate(enum.StrEnum):
    """What became of the proposals for one picture."""

    WRITTEN = "written"
    NOTHING_FOUND = "nothing found"
    LABELLED = "labelled by a person"


def write_proposal(prediction: Prediction, *, origin: str) -> tuple[ProposalFate, Path]:
    """Write the XML of one picture, marked as a proposal, where LabelImg looks for it.

    A picture in a folder ``images`` has its XML beside that folder, any other picture beside itself. A file that a
    person saved, or that cannot be read, is never touched; an older proposal is replaced. `labels check` refuses
    proposals (X13) until they are saved in LabelImg.

    Args:
        prediction: What was found; boxes are rounded to whole pixels within the picture.
        origin: What found it, for example the name of the run; put behind the mark.

    Returns:
        What was done, and the path of the XML.

    Raises:
        AnnotationError: The name of the picture or a class cannot stand in XML.
        InputError: The disk refuses.
    """
    picture = prediction.path
    if (taken := labels_of(picture)) is not None:
        return ProposalFate.LABELLED, taken
    path = _places(picture)[0]
    objects = tuple(
        LabeledObject(found.name, box)
        for found in prediction.detections
        if (box := _whole(found.box, prediction.width, prediction.height)) is not None
    )
    if not objects:
        if path.exists():
            path.unlink()  # an older proposal
        return ProposalFate.NOTHING_FOUND, path
    annotation = Annotation(
        picture.name,
        prediction.width,
        prediction.height,
        folder=picture.parent.name,
        path=str(picture.resolve()),
        database=f"{PROPOSAL_MARK} of {origin}",
        objects=objects,
    )
    write_annotation(annotation, path)
    return ProposalFate.WRITTEN, path


def labels_of(picture: Path) -> Path | None:
    """Return the XML that a person saved for a picture, or that cannot be read; ``None``: nobody has labelled it."""
    return next((path for path in _places(picture) if path.exists() and not _may_be_replaced(path)), None)


def _places(picture: Path) -> tuple[Path, ...]:
    folder = picture.parent.parent if picture.parent.name == "images" else picture.parent
    return tuple(dict.fromkeys((folder / f"{picture.stem}.xml", picture.with_suffix(".xml"))))


def _may_be_replaced(path: Path) -> bool:
    try:
        return is_proposal(read_annotation(path))
    except AnnotationError:
        return False


def _whole(box: Box, width: int, height: int) -> Box | None:
    left, top = max(round(box.xmin), 0), max(round(box.ymin), 0)
    right, bottom = min(round(box.xmax), width), min(round(box.ymax), height)
    return Box(left, top, right, bottom) if left < right and top < bottom else None
