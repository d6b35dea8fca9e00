"""What stands in classification records, held against label map and config before the first step."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from collectors.errors import ConfigError, InputError
from labeling.label_map import LabelMap
from pipelines.classification.input_pipeline import LABEL, TEXT, features_of
from pipelines.classification.record_form import RecordForm, record_form, require_one_label
from records.classification_features import RAW
from records.classification_manifest import read_classification_manifest
from records.errors import ManifestError
from records.example_values import ints_of
from records.reading import read_features

_AT_ONCE, _FILES_AT_ONCE = 4096, 256
_SHOWN = 5


@dataclass(slots=True)
class RecordSurvey:
    """What stands in a set of records.

    Attributes:
        paths: Files, in the order of evaluation.
        num_examples: Pictures in all.
        counts: Number of pictures by class name; by ``#7`` where examples of id 7 have no name.
        form: How the pictures stand in them; ``None`` without any.
    """

    paths: list[Path]
    num_examples: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    form: RecordForm | None = None

    def count(self, label_map: LabelMap, name: str) -> int:
        """Return the number of pictures of a class, with those that have its id and no name."""
        return self.counts[name] + self.counts[f"#{label_map.ids[name]}"]

    def summary(self, label_map: LabelMap) -> dict[str, Any]:
        """Return ``files``, ``num_images`` and ``classes`` (pictures by class name), for ``data.json``."""
        return {
            "files": [str(path) for path in self.paths],
            "num_images": self.num_examples,
            "classes": {name: self.count(label_map, name) for name in label_map.names},
        }


def survey_records(paths: Sequence[Path], *, several_labels: bool = False) -> RecordSurvey:
    """Count the classes of records: as their manifest says, or by reading files that it does not know.

    Where a picture may have several labels (``several_labels``) all are read, and each label of a picture is counted.

    Raises:
        InputError: A file is damaged or cut, its examples are no pictures with one label, or they differ in form.
    """
    survey = RecordSurvey(list(paths))
    counts, known = (Counter[str](), set[Path]()) if several_labels else _counts_of_manifests(paths)
    survey.counts.update(counts)
    survey.num_examples = sum(counts.values())
    # A file without an example has no form; TFRecord knows no other empty file.
    holding = [path for path in paths if path.stat().st_size]
    if holding:
        survey.form = record_form(holding, several_labels=several_labels)
    for path in holding:
        if path not in known and survey.form:
            for names in _names_by_reading(path, survey.form, several_labels=several_labels):
                survey.counts.update(names)
                survey.num_examples += 1
    return survey


def classes_besides(paths: Sequence[Path], class_names: Mapping[int, str]) -> list[str]:
    """Return the classes of records, sorted, that are none of ``class_names``; ``#7`` is id 7 without a name.

    Raises:
        InputError: As `survey_records`.
    """
    known = {*class_names.values(), *(f"#{class_id}" for class_id in class_names)}
    return sorted(name for name, count in survey_records(paths).counts.items() if count and name not in known)


def _counts_of_manifests(paths: Sequence[Path]) -> tuple[Counter[str], set[Path]]:
    """Return the counts of whole records that a manifest beside them has as they are, and their files."""
    counts: Counter[str] = Counter()
    known: set[Path] = set()
    for folder in dict.fromkeys(path.parent for path in paths):
        try:
            manifest = read_classification_manifest(folder)
        except ManifestError:
            continue
        if manifest is None or manifest.content.get("multi_label"):
            continue
        for record in manifest.records:
            files = {folder / shard.file: shard.num_bytes for shard in record.shards}
            if all(path in paths and path.stat().st_size == size for path, size in files.items()):
                counts.update(dict(record.counts))
                known |= set(files)
    return counts, known


def _names_by_reading(path: Path, form: RecordForm, *, several_labels: bool) -> Iterator[set[str]]:
    """Yield the classes of each picture."""
    wanted = features_of(form, several_labels=several_labels)
    # Drawings are small and many, picture files the other way round.
    batches = tf.data.TFRecordDataset([str(path)]).batch(_AT_ONCE if form.is_raw else _FILES_AT_ONCE)
    parsed = batches.map(lambda batch: tf.io.parse_example(batch, wanted))
    try:
        for number, features in enumerate(parsed):
            if form.is_raw:
                _check_lengths(features[RAW].numpy(), number * _AT_ONCE, form, path)
            if several_labels:
                rows = zip(features[LABEL].to_list(), features[TEXT].to_list(), strict=True)
                yield from (_names(*row) for row in rows)
            else:
                pairs = zip(features[LABEL].numpy().tolist(), features[TEXT].numpy().tolist(), strict=True)
                yield from (_names([label], [text]) for label, text in pairs)
    except tf.errors.OpError as error:
        for features in read_features(path):  # it says which example, and what is wrong with it
            if not several_labels and LABEL in features:
                require_one_label(len(ints_of(features, LABEL)), path)
        reason = error.message.partition("\n")[0]
        raise InputError(f"cannot be read as classification records ({reason})", where=str(path), fix=_FIX) from error


def _names(labels: Sequence[int], texts: Sequence[bytes]) -> set[str]:
    named = [text.decode("utf-8", "replace") for text in texts] + [""] * len(labels)
    return {name or f"#{label}" for label, name in zip(labels, named, strict=False)}


def _check_lengths(raws: Any, first: int, form: RecordForm, path: Path) -> None:
    wanted = form.height * form.width
    for place, raw in enumerate(raws):
        if len(raw) != wanted:
            raise InputError(
                f"example {first + place} has {len(raw)} bytes, the first one {wanted} ({form.width}x{form.height})",
                where=str(path),
                fix=_FIX,
            )


_FIX = (
    "Build the records again: one --size, one label a picture (`tag_classifier` takes several). "
    "`tagbox records verify` shows what is wrong."
)


def check_surveys(
    training: RecordSurvey,
    verification: RecordSurvey,
    label_map: LabelMap,
    *,
    label_map_path: Path,
    input_size: Sequence[int],
    trains: bool,
    may_be_one: bool = False,
) -> list[str]:
    """Return remarks for the person; without ``trains`` the training records are of no interest.

    ``may_be_one``: there may be one class only, which pictures have or have not.

    Raises:
        ConfigError: A class of the records is not in the label map, or there is one class only to tell apart.
    """
    known = {*label_map.names, *(f"#{class_id}" for class_id, _ in label_map.items)}
    for survey in (training, verification):
        if strange := sorted(set(survey.counts) - known):
            raise ConfigError(
                f"the records have {listed('class', strange)}, which the label map {label_map_path} does not have",
                where=", ".join(str(path) for path in survey.paths[:3]),
                fix="Give the label map the records were built with, or build the records again.",
            )
    if len(label_map) == 1 and not may_be_one:
        raise ConfigError(
            f"there is one class only ({label_map.names[0]}): nothing to tell apart",
            where=str(label_map_path),
            fix="Build records of two classes or more.",
        )
    remarks = []
    if trains:
        remarks += _class_remarks(training, verification, label_map)
    if (form := training.form or verification.form) and form.is_raw and [form.height, form.width] != [*input_size]:
        height, width = input_size
        remarks.append(f"drawings of {form.width}x{form.height} are resized to the network's {width}x{height}")
    return remarks


def _class_remarks(training: RecordSurvey, verification: RecordSurvey, label_map: LabelMap) -> list[str]:
    lost, empty, unjudged = lacking_names(training, verification, label_map)
    remarks = []
    if lost:
        remarks.append(
            f"VERIFICATION HAS {listed('class', lost)} THAT TRAINING LACKS: nothing can be learned of "
            f"{'it, and each of its' if len(lost) == 1 else 'them, and each of their'} pictures counts as a mistake"
        )
    if empty:
        remarks.append(f"the label map has {listed('class', empty)} without a picture: nothing will be taken for them")
    if unjudged:
        remarks.append(f"{listed('class', unjudged)} without a verification picture: their accuracy is undefined")
    learned = {name: count for name in label_map.names if (count := training.count(label_map, name))}
    if learned and max(learned.values()) > 20 * min(learned.values()):
        rare = min(learned, key=lambda name: (learned[name], name))
        remarks.append(
            f"the classes are of very different size: {learned[rare]} to {max(learned.values())} training pictures "
            f"(fewest: {rare}); macro_top1 is the figure to look at"
        )
    return remarks


def lacking_names(
    training: RecordSurvey, verification: RecordSurvey, label_map: LabelMap
) -> tuple[list[str], list[str], list[str]]:
    """Return the names that only verification has, that neither has, and that only training has.

    Each in the order of the label map; without any verification picture of it the last are none.
    """
    names = label_map.names
    learned, judged = ({name for name in names if survey.count(label_map, name)} for survey in (training, verification))
    return (
        [name for name in names if name in judged - learned],
        [name for name in names if name not in judged | learned],
        [name for name in names if judged and name in learned - judged],
    )


def listed(noun: str, names: Sequence[str]) -> str:
    """Return the noun, in the plural where there are several, with the first names and how many more there are."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{noun if len(names) == 1 else plural} {', '.join(names[:_SHOWN])}{more}"
