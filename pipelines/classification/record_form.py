"""How the pictures stand in classification records: bytes of pixels, or picture files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectors.errors import InputError
from records.classification_features import ENCODED, RAW, STROKE_LAYERS
from records.example import BytesList, Feature, Int64List
from records.example_values import first_int
from records.reading import read_features

_FIX = "Build classification records with: tagbox records drawings SRC, or tagbox records folder SRC."


@dataclass(frozen=True, slots=True)
class RecordForm:
    """What every example of a set of records has.

    Attributes:
        is_raw: A byte a pixel under ``image/raw``, all of one size; otherwise a picture file under ``image/encoded``.
        height: Rows of a raw picture; 0 for picture files, which may differ.
        width: Columns of a raw picture; 0 for picture files.
        has_strokes: Also the strokes of each drawing, one by one. Records with and without can be read together.
    """

    is_raw: bool
    height: int = 0
    width: int = 0
    has_strokes: bool = field(default=False, compare=False)


def record_form(paths: Sequence[Path], *, several_labels: bool = False) -> RecordForm:
    """Look at the first example of each file; ``several_labels`` allows a picture more than one.

    Raises:
        InputError: A file is damaged, its examples are no pictures with a label, or files differ in form.
    """
    forms: dict[RecordForm, Path] = {}
    have_strokes = True
    for path in paths:
        for features in read_features(path):
            form = _form_of(features, path, several_labels=several_labels)
            forms.setdefault(form, path)
            have_strokes &= form.has_strokes
            break
    if not forms:
        raise InputError("the records hold no picture", where=", ".join(map(str, paths[:3])), fix=_FIX)
    if len(forms) > 1:
        (first, first_path), (second, second_path), *_ = forms.items()
        raise InputError(
            f"{first_path.name} holds {_in_words(first)}, {second_path.name} {_in_words(second)}",
            where=str(second_path),
            fix="Build the records together, with one --encoding and one --size.",
        )
    return replace(next(iter(forms)), has_strokes=have_strokes)


def require_one_label(count: int, path: Path) -> None:
    """Refuse an example of several labels or none.

    Raises:
        InputError: It has another number than one.
    """
    if count != 1:
        raise InputError(
            f"has pictures of {'several labels' if count else 'no label'}; this classifier gives each picture one",
            where=str(path),
            fix="Train `tag_classifier` with them, or build the records without --multi-label.",
        )


def require_strokes(form: RecordForm | None, paths: Sequence[Path], chance: float) -> None:
    """Refuse stroke dropout of records that do not have the strokes.

    Args:
        form: Of the training records; ``None``: there are none.
        paths: Their files.
        chance: ``augmentation.stroke_dropout``; 0 asks for nothing.

    Raises:
        InputError: The records have no strokes.
    """
    if chance and form and not form.has_strokes:
        raise InputError(
            f"stroke_dropout is {chance:g}, and the records hold drawings without their strokes one by one"
            if form.is_raw
            else f"stroke_dropout is {chance:g}, and the records hold picture files, which have no strokes",
            where=", ".join(map(str, paths[:3])),
            fix="Build them from .ndjson or .bin files with: tagbox records drawings SRC --strokes, or set "
            "task.train_data.augmentation.stroke_dropout=0.",
        )


def _form_of(features: Mapping[str, Feature], path: Path, *, several_labels: bool) -> RecordForm:
    label, raw = features.get("image/class/label"), features.get(RAW)
    if not isinstance(label, Int64List) or not (isinstance(raw, BytesList) or ENCODED in features):
        if "image/object/class/label" in features:
            what = "has boxes (a detector's record), but no label of a whole picture"
        else:
            what = f"has no image/class/label with {RAW} or {ENCODED}"
        raise InputError(what, where=str(path), fix=_FIX)
    if not several_labels:
        require_one_label(len(label.values), path)
    if not isinstance(raw, BytesList):
        return RecordForm(is_raw=False)
    height, width = (first_int(features, f"image/{side}") for side in ("height", "width"))
    if len(raw.values) != 1 or len(raw.values[0]) != height * width:
        raise InputError(f"{RAW} is not image/height x image/width ({height} x {width}) bytes", where=str(path))
    return RecordForm(is_raw=True, height=height, width=width, has_strokes=STROKE_LAYERS in features)


def _in_words(form: RecordForm) -> str:
    return f"drawings of {form.width}x{form.height} bytes" if form.is_raw else "picture files"
