"""The examples that records of a labelled folder would hold, without records: to judge a detector on the folder itself.

The checks, the numbers and the bytes are those of a build, so the figures are, too. What a build leaves to its user is
decided for a judgement: every picture that a conversion would let in is converted, and boxes of classes that the
detector does not know ask for nothing.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ConfigError
from collectors.processes import num_cores
from collectors.progress import Progress, no_progress
from labeling.annotations import Annotation
from labeling.dataset import DatasetFiles, ImageFile, find_dataset
from labeling.errors import AnnotationError
from labeling.image_probe import probe_image
from labeling.label_map import LabelMap
from labeling.voc import read_annotation
from records.candidates import NOT_AN_EXAMPLE, CheckTally, Selection, examine_class
from records.detection_encoding import encode_detection
from records.errors import ExampleError
from records.features import FORMATS, ExampleSource
from records.picture_conversion import KINDS, plan_conversion
from records.plan import Refusal
from records.shard import read_picture

_VERIFICATION = "verification"


@dataclass(slots=True)
class LabelledExamples:
    """The labelled pictures of a folder.

    Attributes:
        folder: Where they lie; paths are relative to it.
        sources: What becomes an example.
        refused: What cannot, with the reason.
        unknown: Boxes left out because their class is not in the label map, by class.
        num_without_xml: Pictures without XML that are left out, because nobody said what is in them.
    """

    folder: Path
    sources: list[ExampleSource] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    num_without_xml: int = 0

    def encoded(self) -> Iterator[bytes]:
        """Yield each as a ``tf.train.Example``; its picture is read now.

        Raises:
            InputError: A picture has changed or gone since the folder was read.
        """
        for source in self.sources:
            yield b"".join(encode_detection(source, read_picture(source, self._read, str(self.folder))))

    def _read(self, image_path: str) -> bytes:
        return (self.folder / image_path).read_bytes()


def read_labelled_examples(
    folder: Path,
    label_map: LabelMap,
    *,
    empty_without_xml: bool = False,
    progress: Progress = no_progress,
    jobs: int | None = None,
) -> LabelledExamples:
    """Read and check every labelled picture of a folder.

    Args:
        folder: A data root, a class folder, or any folder with XML in it. Of splits only ``verification`` counts where
            it has labels.
        label_map: The classes that count.
        empty_without_xml: Take pictures without XML as pictures without objects.
        progress: Told of every picture.
        jobs: Threads that check; ``None`` for one a processor.

    Returns:
        Examples in the order of records built from the folder: by the id of their class folder, then by path.

    Raises:
        DatasetError: The folder is missing, or has no XML.
    """
    files = find_dataset(folder)
    splits = sorted({label.split for label in files.labels})
    if _VERIFICATION in splits:
        splits = [_VERIFICATION]
    names = _label_names(files, splits)
    everything = label_map.extended_with(sorted(names - set(label_map.names)))
    selection = Selection(everything, transcode=frozenset(KINDS))
    found = examine_class(
        files, selection, CheckTally(), progress=progress, jobs=jobs or num_cores(), cache=None, splits=splits
    )
    examples = LabelledExamples(folder)
    sources = [source for split in splits for source, _ in found[split].examples]
    examples.refused = [refusal for split in splits for refusal in found[split].refused]
    without_xml = [image for image in files.unlabeled if image.split in splits]
    if empty_without_xml:
        for image in without_xml:
            _add_empty(image, folder, sources, examples.refused)
    else:
        examples.num_without_xml = len(without_xml)
    for source in sources:
        examples.unknown.update(item.text for item in source.objects if item.text not in label_map)
    last = label_map.max_id + 1
    sources.sort(
        key=lambda one: (label_map.ids.get(one.class_folder, last), one.class_folder, one.split, one.image_path)
    )
    examples.sources = [
        dataclasses.replace(
            source, source_id=number, objects=tuple(item for item in source.objects if item.text in label_map)
        )
        for number, source in enumerate(sources, start=1)
    ]
    return examples


def require_known_classes(examples: LabelledExamples, label_map: LabelMap) -> None:
    """Refuse a folder that speaks of other things than the detector.

    Raises:
        ConfigError: It has boxes, and not one is of a class of the label map.
    """
    if not examples.unknown or any(source.objects for source in examples.sources):
        return
    there, known = (", ".join(names) for names in (sorted(examples.unknown), label_map.names))
    raise ConfigError(
        f"none of its labels is a class of the run: it has {there}; the run has {known}",
        where=str(examples.folder),
        fix="Rename the labels (tagbox labels fix), or take a folder with these classes.",
    )


def _label_names(files: DatasetFiles, splits: list[str]) -> set[str]:
    """Return the class names of all XML that can be read; what cannot is refused later."""
    names: set[str] = set()
    for label in files.labels:
        if label.split in splits:
            try:
                names.update(item.name for item in read_annotation(label.xml_path).objects)
            except AnnotationError:
                continue
    return names


def _add_empty(image: ImageFile, folder: Path, sources: list[ExampleSource], refused: list[Refusal]) -> None:
    facts = probe_image(image.path)
    name = Path(os.path.relpath(image.path, folder)).as_posix()
    try:
        if facts.problem:
            raise ExampleError(f"the picture is {facts.problem}")
        empty = Annotation(image.path.name, facts.width, facts.height)
        made = plan_conversion(facts, empty, KINDS.keys(), image.path.read_bytes)
        if made.format not in FORMATS:
            raise ExampleError(f"a picture of format {made.format!r} cannot be evaluated; save it as JPEG or PNG")
    except ExampleError as error:
        refused.append(Refusal(name, NOT_AN_EXAMPLE, error.what))
        return
    sources.append(
        ExampleSource(
            source_id=0,
            image_path=name,
            xml_path="",
            image_sha256=facts.sha256,
            xml_sha256="",
            width=made.width,
            height=made.height,
            format=made.format,
            class_folder=image.class_name,
            split=image.split,
            transcoding=made.recipe,
        )
    )
