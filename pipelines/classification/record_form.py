"""How the pictures stand in classification records: bytes of pixels, or picture files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from records.classification_features import ENCODED, RAW
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
    """

    is_raw: bool
    height: int = 0
    width: int = 0


def record_form(paths: Sequence[Path], *, several_labels: bool = False) -> RecordForm:
    """Look at the first example of each file; ``several_labels`` allows a picture more than one.

    Raises:
        InputError: A file is damaged, its examples are no pictures with a label, or files differ in form.
    """
    forms: dict[RecordForm, Path] = {}
    for path in paths:
        for features in read_features(path):
            forms.setdefault(_form_of(features, path, several_labels=several_labels), path)
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
    return next(iter(forms))


def _form_of(features: Mapping[str, Feature], path: Path, *, several_labels: bool) -> RecordForm:
    label, raw = features.get("image/class/label"), features.get(RAW)
    if not isinstance(label, Int64List) or not (isinstance(raw, BytesList) or ENCODED in features):
        if "image/object/class/label" in features:
            what = "has boxes (a detector's record), but no label of a whole picture"
        else:
            what = f"has no image/class/label with {RAW} or {ENCODED}"
        raise InputError(what, where=str(path), fix=_FIX)
    if len(label.values) > 1 and not several_labels:
        raise InputError(
            "has several labels a picture; this classifier gives each picture one",
            where=str(path),
            fix="Train `tag_classifier` with them, or build the records without --multi-label.",
        )
    if not isinstance(raw, BytesList):
        return RecordForm(is_raw=False)
    height, width = (first_int(features, f"image/{side}") for side in ("height", "width"))
    if len(raw.values) != 1 or len(raw.values[0]) != height * width:
        raise InputError(f"{RAW} is not image/height x image/width ({height} x {width}) bytes", where=str(path))
    return RecordForm(is_raw=True, height=height, width=width)


def _in_words(form: RecordForm) -> str:
    return f"drawings of {form.width}x{form.height} bytes" if form.is_raw else "picture files"
