"""The repair of one XML file with its picture: what is wrong with it that can be mended safely, and how."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from labeling.annotation_edits import extras_of, only_child, write_box, write_filename, write_flag, write_size
from labeling.annotations import Annotation
from labeling.box_repairs import ObjectRepairs
from labeling.checks import check_pair
from labeling.checks.box import fault_of
from labeling.checks.subject import Subject
from labeling.dataset import LabelFile, Match
from labeling.encoding_salvage import salvage_encoding
from labeling.file_changes import Change, Move, Remove, Write
from labeling.findings import Finding
from labeling.image_frame import Frame, fits, judge_frame, turn_box, turn_pixels
from labeling.image_probe import ImageFacts, ImageProblem, probe_bytes
from labeling.label_map import LabelMap
from labeling.transcoding import NotTranscodableError, suffix_for, transcode
from labeling.voc_reader import Reading, examine
from labeling.xml_edit import NotEditableError, XmlEditor, can_hold

DEFAULT_CODES = frozenset(
    {"X04", "X11", "L03", "L04", "L06", "I03", "I04", "I05", "S01", "S02", "S05", "B02", "B03", "B04", "B08", "C02"}
)
"""Codes that are mended unless asked otherwise: nothing is guessed, and nothing that a person drew is lost."""

OPTIONAL_CODES = frozenset({"S03", "X08", "B13"})
"""Codes that are mended when asked for: they change numbers that may be meant as they are."""

_SUFFIX_OF = {"jpeg": ".jpg", "png": ".png", "bmp": ".bmp"}


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """What to mend and how.

    Attributes:
        codes: Codes to mend, out of `DEFAULT_CODES` and `OPTIONAL_CODES`.
        path_style: What ``<path>`` gets: ``relative`` to the XML, ``absolute`` on this machine, or ``blank``.
        label_map: For C02; ``None`` leaves labels alone.
        assumed_frame: Where nothing proves which way up the boxes were drawn: what the person who labelled knows.
        jpegtran: The program that turns JPEGs without loss, if there is one.
    """

    codes: frozenset[str] = DEFAULT_CODES
    path_style: str = "relative"
    label_map: LabelMap | None = None
    assumed_frame: Frame = Frame.UNKNOWN
    jpegtran: Path | None = None


@dataclass(frozen=True, slots=True)
class Mended:
    """One thing that is mended: its code, the file, the object (from 1) and a clause that says what is done."""

    code: str
    path: Path
    object_index: int | None
    what: str


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """One finding that has a repair, which does not apply here; ``reason`` says why."""

    code: str
    path: Path
    object_index: int | None
    reason: str


@dataclass(slots=True)
class PairRepair:
    """What is done to one XML file and its picture.

    Attributes:
        label: The two files.
        before: Bytes of the XML.
        after: Its new bytes; equal to ``before`` when they stay.
        xml_target: Its new path; the old one when it stays.
        image_path: The picture, when there is exactly one that can be used.
        image_target: Its new path; the old one when it stays.
        make_image: Makes its new bytes from the old ones; ``None`` when they stay.
        image_sha256: Hash of the picture's bytes now.
        mended: What is mended.
        left: What is not, and why.
    """

    label: LabelFile
    before: bytes
    after: bytes
    xml_target: Path
    image_path: Path | None = None
    image_target: Path | None = None
    make_image: Callable[[bytes], bytes] | None = None
    image_sha256: str = ""
    mended: list[Mended] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)

    def changes(self) -> list[Change]:
        """Return the changes to files, the picture first; its new pixels are made here.

        Raises:
            NotTranscodableError: The new picture cannot be made, or does not decode; nothing is to be changed then.
            OSError: The picture cannot be read any more.
        """
        found: list[Change] = []
        if self.image_path is not None and self.image_target is not None:
            found += self._image_changes(self.image_path, self.image_target)
        xml_path, expected = self.label.xml_path, sha256(self.before).hexdigest()
        if self.xml_target == xml_path:
            found += [Write(xml_path, self.after, expected)] if self.after != self.before else []
        elif self.after == self.before:
            found.append(Move(xml_path, self.xml_target, expected))
        else:
            found += [Write(self.xml_target, self.after, ""), Remove(xml_path, expected)]
        return found

    def _image_changes(self, path: Path, target: Path) -> Iterator[Change]:
        if self.make_image is None:
            if target != path:
                yield Move(path, target, self.image_sha256)
            return
        content = self.make_image(path.read_bytes())
        facts = probe_bytes(content)
        if facts.problem is not ImageProblem.NONE or facts.orientation != 1:
            raise NotTranscodableError(f"the new picture would not decode: {facts.detail}")
        if target == path:
            yield Write(path, content, self.image_sha256)
        else:
            yield Write(target, content, "")
            yield Remove(path, self.image_sha256)


def plan_pair(
    label: LabelFile, content: bytes, image: ImageFacts | None, rivals: tuple[Path, ...], options: RepairOptions
) -> PairRepair:
    """Work out what can be mended about one XML file and its picture; nothing is written.

    Args:
        label: Where both lie.
        content: Bytes of the XML.
        image: The picture's facts; ``None`` when there is none or more than one.
        rivals: Other XML files of the same picture; with any, the picture and names are left alone.
        options: What to mend.
    """
    return _Planner(label, content, image, rivals, options).plan()


class _Planner:
    """Works through one pair; each step sees what the steps before it changed."""

    def __init__(
        self,
        label: LabelFile,
        content: bytes,
        image: ImageFacts | None,
        rivals: tuple[Path, ...],
        options: RepairOptions,
    ) -> None:
        self._options = options
        self._repair = PairRepair(label, content, content, label.xml_path)
        self._rivals = rivals
        reading = self._readable(examine(content))
        self._subject = Subject(label, reading, image, options.label_map, rivals)
        self._found: dict[str, Finding] = {}
        for finding in check_pair(self._subject):
            self._found.setdefault(finding.code, finding)
        decoded = self._subject.decoded
        self._size = (decoded.width, decoded.height) if decoded is not None else None
        self._turned_from: tuple[int, tuple[int, int]] | None = None
        self._is_size_right = False

    def plan(self) -> PairRepair:
        self._rename_xml()
        if self._subject.decoded is not None and self._subject.image_path is not None:
            self._repair.image_path = self._repair.image_target = self._subject.image_path
            self._repair.image_sha256 = self._subject.decoded.sha256
            self._rename_or_transcode(self._subject.decoded, self._subject.image_path)
            self._turn(self._subject.decoded)
        annotation = self._subject.annotation
        if annotation is not None and not self._subject.reading.problems and "X05" not in self._found:
            try:
                editor = XmlEditor(self._repair.after)
                self._edit(editor, annotation)
                self._repair.after = editor.result()
            except NotEditableError as error:
                self._give_up(str(error))
        return self._repair

    def _readable(self, reading: Reading) -> Reading:
        """Take the text encoding right where names on disk prove it; see `salvage_encoding`."""
        if not self._is_wanted("X04") or not any(problem.code == "X04" for problem in reading.problems):
            return reading
        names = [path.name for path in self._repair.label.image_paths]
        labels = self._options.label_map.names if self._options.label_map is not None else ()
        salvaged = salvage_encoding(self._repair.before, names, labels)
        if salvaged is None:
            self._leave("X04", "no encoding is proven by the picture's name or by a label")
            return reading
        self._repair.after, encoding = salvaged
        self._mend("X04", f"text read as {encoding} and written as UTF-8")
        return examine(self._repair.after)

    def _rename_xml(self) -> None:
        label = self._repair.label
        code = {Match.DOUBLE_SUFFIX: "X11", Match.LOOSE: "L06"}.get(label.match, "")
        image_path = self._subject.image_path
        if not self._is_found(code) or image_path is None:
            return
        target = label.xml_path.with_name(image_path.stem + ".xml")
        if self._rivals:
            self._leave(code, f"{self._rivals[0].name} labels the same picture")
        elif target.exists() and not target.samefile(label.xml_path):
            self._leave(code, f"{target.name} is there already")
        else:
            self._repair.xml_target = target
            self._mend(code, f"renamed to {target.name}")

    def _rename_or_transcode(self, image: ImageFacts, path: Path) -> None:
        if image.foreign_to_tensorflow:
            if self._is_found("I04") and self._is_free_to_change("I04", path):
                self._transcode(image, path)
        elif self._is_found("I03") and self._is_free_to_change("I03", path):
            target = path.with_suffix(_SUFFIX_OF[image.format])
            if target.exists():
                self._leave("I03", f"{target.name} is there already")
                return
            self._repair.image_target = target
            self._mend("I03", f"{path.name} renamed to {target.name}", path)

    def _transcode(self, image: ImageFacts, path: Path) -> None:
        turn = False
        if image.orientation != 1:
            frame, evidence = self._frame(image)
            if frame is Frame.UNKNOWN:
                self._leave("I04", f"it also has an EXIF orientation, and {evidence}")
                return
            turn = frame is Frame.TURNED
        try:
            target = path.with_suffix(suffix_for(path.read_bytes()))
        except (NotTranscodableError, OSError) as error:
            self._leave("I04", str(error))
            return
        if target != path and target.exists():
            self._leave("I04", f"{target.name} is there already")
            return
        self._repair.image_target = target
        self._repair.make_image = lambda content: transcode(content, turn=turn)
        if turn and image.orientation >= 5:
            self._size = (image.height, image.width)
        self._mend("I04", f"{image.foreign_to_tensorflow} {path.name} written as {target.name}", path)

    def _turn(self, image: ImageFacts) -> None:
        """Turn the pixels for good where the frame of the boxes is proven."""
        annotation = self._subject.annotation
        if image.orientation == 1 or self._repair.make_image is not None or annotation is None:
            return
        code = "S02" if "S02" in self._found else "I05"
        if not self._is_wanted(code) or self._subject.reading.problems or image.foreign_to_tensorflow:
            return
        path = self._subject.image_path
        if path is None or not self._is_free_to_change(code, path):
            return
        frame, evidence = self._frame(image)
        if frame is Frame.UNKNOWN:
            self._leave(code, evidence)
            return
        jpegtran = self._options.jpegtran
        self._repair.make_image = lambda content: turn_pixels(content, jpegtran).content
        stored = (image.width, image.height)
        if image.orientation >= 5:
            self._size = stored[::-1]
        if frame is Frame.STORED:
            self._turned_from = (image.orientation, stored)
        boxes = "boxes turned with them" if self._turned_from and annotation.objects else "boxes are right as they are"
        self._mend(code, f"pixels turned for good (EXIF orientation {image.orientation}: {evidence}); {boxes}", path)

    def _frame(self, image: ImageFacts) -> tuple[Frame, str]:
        annotation = self._subject.annotation
        if annotation is None:
            return Frame.UNKNOWN, "the XML cannot be read"
        drafts = ObjectRepairs.of(annotation)
        drafts.swap_corners()
        # Boxes that are no boxes prove nothing, and may be gone after this repair.
        sound = [draft.box for draft in drafts.objects if fault_of(draft.box, None) == ""]
        if drafts.objects and not sound:
            return self._options.assumed_frame, "no box is sound enough to tell"
        verdict = judge_frame(
            (annotation.width, annotation.height),
            (image.width, image.height),
            image.orientation,
            sound,
        )
        if verdict.frame is Frame.UNKNOWN and self._options.assumed_frame is not Frame.UNKNOWN:
            return self._options.assumed_frame, f"{verdict.evidence}; taken as {self._options.assumed_frame}"
        return verdict.frame, verdict.evidence

    def _edit(self, editor: XmlEditor, annotation: Annotation) -> None:
        self._edit_names(editor, annotation)
        scale = self._edit_size(editor, annotation)
        repairs = self._mended_objects(editor, annotation, scale)
        elements = editor.root.find_all("object")
        for draft in repairs.objects:
            element, old = elements[draft.index], annotation.objects[draft.index]
            for code, words in zip(draft.codes, draft.words, strict=True):
                self._mend(code, words, index=draft.index)
            if draft.is_dropped:
                editor.remove(element)
                continue
            if draft.name != old.name:
                editor.set_text(only_child(element, "name"), draft.name)
            if draft.truncated != old.truncated:
                write_flag(editor, element, "truncated", draft.truncated)
            write_box(editor, element, old.box, draft.box)
        for code, index, reason in repairs.left:
            self._leave(code, reason, index=index)

    def _mended_objects(self, editor: XmlEditor, annotation: Annotation, scale: tuple[float, float]) -> ObjectRepairs:
        repairs = ObjectRepairs.of(annotation)
        if self._is_wanted("C02") and self._options.label_map is not None:
            repairs.respell(self._options.label_map)
        if self._is_wanted("B02"):
            repairs.swap_corners()
        for draft in repairs.objects:
            if self._turned_from is not None:
                orientation, stored = self._turned_from
                draft.box = turn_box(draft.box, orientation, *stored)
            elif scale != (1.0, 1.0):
                draft.box = draft.box.scaled(*scale)
        if self._is_wanted("X08"):
            repairs.round_edges()
        frame = self._frame_after(annotation)
        if self._is_wanted("B04") and frame is not None:
            repairs.clip(frame)
        if self._is_wanted("B08"):
            extras = [extras_of(editor, element) for element in editor.root.find_all("object")]
            repairs.drop_repeated(annotation.objects, extras)
        if self._is_wanted("B03"):
            repairs.drop_without_area()
        if self._is_wanted("B13") and frame is not None:
            repairs.mark_truncated(frame)
        return repairs

    def _frame_after(self, annotation: Annotation) -> tuple[int, int] | None:
        """Width and height that the boxes are in once this repair is done; ``None`` when nobody knows."""
        if self._is_size_right:
            return self._size
        said = (annotation.width, annotation.height)
        return said if min(said) > 0 else None

    def _edit_names(self, editor: XmlEditor, annotation: Annotation) -> None:
        image = self._repair.image_target or self._subject.image_path
        if image is None:
            return
        if not can_hold(str(image)):
            for code in ("L03", "L04"):
                if self._is_found(code):
                    self._leave(code, "the name holds a character that XML cannot hold")
            return
        was_renamed = image != self._subject.image_path
        words: dict[str, list[str]] = {"L03": [], "L04": []}
        if was_renamed or self._is_found("L03"):
            write_filename(editor, image.name)
            if not was_renamed:
                words["L03"].append(f"<filename> {annotation.filename!r} becomes {image.name!r}")
        path, folder = editor.root.find("path"), editor.root.find("folder")
        if path is not None and self._is_found("L04"):
            new = self._path_text(image)
            editor.set_text(path, new)
            words["L04"].append(f"<path> {annotation.path!r} becomes {new!r}")
        elif path is not None and was_renamed and (annotation.path or "").endswith(self._old_name):
            editor.set_text(path, (annotation.path or "").removesuffix(self._old_name) + image.name)
        name = image.absolute().parent.name
        code = next((code for code in ("L04", "L03") if self._is_found(code)), "")
        if folder is not None and code and annotation.folder not in ("", name):
            editor.set_text(folder, name)
            words[code].append(f"<folder> {annotation.folder!r} becomes {name!r}")
        for one, clauses in words.items():
            if clauses:
                self._mend(one, ", ".join(clauses))

    @property
    def _old_name(self) -> str:
        return self._subject.image_path.name if self._subject.image_path is not None else ""

    def _path_text(self, image: Path) -> str:
        if self._options.path_style == "blank":
            return ""
        if self._options.path_style == "absolute":
            return str(image.resolve())
        return Path(os.path.relpath(image.absolute(), self._repair.xml_target.absolute().parent)).as_posix()

    def _edit_size(self, editor: XmlEditor, annotation: Annotation) -> tuple[float, float]:
        """Make ``<size>`` that of the picture where that is right; returns the factors for the boxes."""
        image, size = self._subject.decoded, self._size
        said, factors = (annotation.width, annotation.height), (1.0, 1.0)
        if image is None or size is None:
            return factors
        code = next((code for code in ("S01", "S02", "S03", "S04") if code in self._found), "")
        if code and said != size:
            if not self._is_wanted(code):
                return factors
            if reason := self._size_doubt(code, annotation, image):
                self._leave(code, reason)
                return factors
            if code == "S03":
                factors = (size[0] / said[0], size[1] / said[1])
            words = ", and the boxes with it" if code == "S03" else ", as the picture is"
            self._mend(code, f"<size> {said[0]}x{said[1]} becomes {size[0]}x{size[1]}{words}")
        self._is_size_right = True
        depth = int(self._found["S05"].wanted) if "S05" in self._found else annotation.depth
        write_size(editor, annotation, size, depth=depth, fix_depth=self._is_found("S05"))
        if self._is_found("S05"):
            self._mend("S05", f"<depth> {annotation.depth} becomes {depth}")
        return factors

    def _size_doubt(self, code: str, annotation: Annotation, image: ImageFacts) -> str:
        """Why the picture's size must not simply be written, or ""."""
        if self._repair.make_image is not None:
            return ""
        boxes = [one.box for one in annotation.objects]
        if code == "S01" and image.orientation >= 5 and boxes:
            frame, evidence = self._frame(image)
            if frame is not Frame.STORED:
                return evidence if frame is Frame.UNKNOWN else "the picture would have to be turned as well (I05)"
        if code == "S02":
            if image.orientation != 1:
                return "the picture has to be turned for that"
            said = (annotation.width, annotation.height)
            if not (all(fits(box, said[::-1]) for box in boxes) and not all(fits(box, said) for box in boxes)):
                return "nothing proves whether only the numbers are swapped or the picture was turned"
        if code == "S03" and image.orientation != 1:
            return "the picture also has an EXIF orientation"
        return ""

    def _is_wanted(self, code: str) -> bool:
        return code in self._options.codes

    def _is_found(self, *codes: str) -> bool:
        return any(code in self._found and self._is_wanted(code) for code in codes)

    def _is_free_to_change(self, code: str, path: Path) -> bool:
        if self._rivals:
            self._leave(code, f"{self._rivals[0]} labels the same picture", path=path)
        elif path.is_symlink():
            self._leave(code, "the picture is a symbolic link", path=path)
        return not self._rivals and not path.is_symlink()

    def _mend(self, code: str, what: str, path: Path | None = None, index: int | None = None) -> None:
        place = None if index is None else index + 1
        self._repair.mended.append(Mended(code, path or self._repair.label.xml_path, place, what))

    def _leave(self, code: str, reason: str, path: Path | None = None, index: int | None = None) -> None:
        place = None if index is None else index + 1
        self._repair.left.append(LeftAlone(code, path or self._repair.label.xml_path, place, reason))

    def _give_up(self, reason: str) -> None:
        """Leave the whole pair as it is."""
        repair = self._repair
        codes = sorted({one.code for one in repair.mended} | {code for code in self._found if self._is_wanted(code)})
        repair.after, repair.xml_target = repair.before, repair.label.xml_path
        repair.image_target, repair.make_image = repair.image_path, None
        repair.mended.clear()
        repair.left = [LeftAlone(code, repair.label.xml_path, None, reason) for code in codes]
