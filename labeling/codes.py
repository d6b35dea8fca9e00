"""The stable codes of everything a check can find; a code is never used again for something else.

The letter says what it is about: X the XML file, L the link between XML and picture, I the picture, S ``<size>``,
B a box, C the label (class), D the data set as a whole.
"""

import difflib
from dataclasses import dataclass

from labeling.findings import Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Code:
    """One code.

    Attributes:
        name: For example ``B03``.
        severity: How bad it usually is; a check may say otherwise for one finding.
        title: What is wrong, a clause.
        action: What to do about it, one sentence.
    """

    name: str
    severity: Severity
    title: str
    action: str

    @property
    def has_repair(self) -> bool:
        """Whether ``tagbox labels fix`` knows how to mend it, by default or when asked for this code."""
        return self.name in REPAIRABLE


_TABLE = (
    Code("X01", _E, "the XML cannot be parsed", "Restore the file, or draw its boxes again in LabelImg."),
    Code("X02", _E, "a DOCTYPE or entity in the XML", "Remove the DOCTYPE; annotations never need one."),
    Code("X03", _E, "not an annotation", "Replace it by a Pascal VOC annotation, or move it out of the folder."),
    Code("X04", _E, "wrong text encoding", "Save the file as UTF-8."),
    Code("X05", _E, "the XML is too large", "Check what it is: an annotation of a thousand objects has 300 kB."),
    Code("X06", _E, "an element is missing or there twice", "Write the element once, or draw the box again."),
    Code("X07", _E, "not a number", "Write a number, or draw the box again."),
    Code(
        "X08",
        _I,
        "box edges that are not whole numbers",
        "Nothing to do: they are kept, but LabelImg cuts them off when it saves.",
    ),
    Code("X09", _I, "elements LabelImg does not know", "Nothing to do: they are kept in the file but not used."),
    Code(
        "X10", _E, "the XML is empty", "Draw its boxes again; LabelImg leaves an empty file when it dies while saving."
    ),
    Code("X11", _W, "the name ends in .xml.xml", "Rename it to end in one .xml, or LabelImg will not find it."),
    Code("X12", _E, "the XML cannot be read", "Give yourself permission to read it, or mend the link."),
    Code("X13", _E, "boxes that a detector proposed", "Open the file in LabelImg, mend the boxes and save it."),
    Code(
        "L01", _E, "no picture for this XML", "Put the picture of the same stem beside it or in images/, or remove it."
    ),
    Code(
        "L02", _W, "a picture without XML", "Label it in LabelImg (no object: press Space to verify it), or remove it."
    ),
    Code("L03", _W, "<filename> names another file", "Write the picture's name; training goes by the stem of the XML."),
    Code("L04", _I, "<path> leads elsewhere", "Nothing to do: the picture is found by the stem of the XML."),
    Code(
        "L05", _E, "several pictures have the stem of this XML", "Keep the one that was labelled and rename the others."
    ),
    Code(
        "L06", _W, "the names differ in case or accents' spelling", "Rename the XML to the exact stem of the picture."
    ),
    Code(
        "L07",
        _W,
        "a link that leads out of the data root",
        "Copy the file into the folder, or the set is not whole when it is moved.",
    ),
    Code(
        "L08",
        _W,
        "labels of another format beside the XML",
        "Remove or convert them: LabelImg may open and save those instead of the XML.",
    ),
    Code("L09", _W, "XML outside training/ and verification/", "Move it with its picture into one of the two."),
    Code("L10", _E, "several XML files label one picture", "Keep the right XML and remove the other."),
    Code(
        "L11",
        _I,
        "labelled pictures wait in unlabeled/",
        "Move them to training/ or verification/ when they are ready.",
    ),
    Code("I01", _E, "the picture cannot be decoded", "Fetch or export it again, or remove it with its XML."),
    Code("I02", _E, "the picture is cut off", "Fetch it again, or remove it with its XML."),
    Code("I03", _W, "the suffix does not fit the content", "Rename the picture; training goes by the content."),
    Code("I04", _E, "a format the trainer's loader cannot take", "Convert it to JPEG or PNG under the same stem."),
    Code(
        "I05", _E, "an EXIF orientation that the trainer ignores", "Turn the pixels for good and check the boxes again."
    ),
    Code(
        "I06", _E, "a picture of several frames", "Save the frame that was labelled as JPEG or PNG under the same stem."
    ),
    Code("I07", _I, "not plain RGB", "Nothing to do: the trainer converts it to RGB."),
    Code("I08", _E, "the picture is too large or a speck", "Make it smaller and label it again."),
    Code("I09", _I, "bytes after the end of the picture", "Nothing to do: decoders leave them out."),
    Code("I10", _E, "text saved under a picture's name", "Fetch the picture again: this is an answer of the server."),
    Code("I11", _E, "the picture cannot be read", "Give yourself permission to read it, or mend the link."),
    Code("S01", _E, "<size> is missing or zero", "Write the picture's width and height into <size>."),
    Code("S02", _E, "<size> is that of the turned picture", "Turn the pixels for good, or label the picture again."),
    Code(
        "S03",
        _E,
        "<size> is a scaled size of the picture",
        "Scale <size> and boxes alike, or put the old picture back.",
    ),
    Code(
        "S04", _E, "<size> is not the picture's size", "Check that the picture was not replaced, then label it again."
    ),
    Code("S05", _I, "<depth> does not fit the picture", "Nothing to do: training does not use it."),
    Code("B01", _E, "a box edge is not a finite number", "Draw the box again."),
    Code("B02", _E, "the corners of a box are swapped", "Swap its minimum and maximum, or draw it again."),
    Code("B03", _E, "a box without area", "Remove the box or draw it again; LabelImg keeps a box from a stray click."),
    Code(
        "B04", _W, "a box reaches a little beyond the picture", "Nothing to do: it is clipped when records are built."
    ),
    Code(
        "B05", _E, "a box reaches beyond the picture", "Check that the picture is the one labelled, then draw it again."
    ),
    Code("B06", _E, "a box lies outside the picture", "Remove the box or draw it again."),
    Code(
        "B07",
        _W,
        "a box too small to learn",
        "Remove it, or label larger pictures: at 300 pixels nothing is left of it.",
    ),
    Code("B08", _W, "the same box twice", "Remove one of the two."),
    Code("B09", _W, "nearly the same box twice", "Remove one of the two, unless there really are two objects."),
    Code("B10", _E, "one box with two labels", "Remove the wrong one of the two."),
    Code("B11", _I, "a box over the whole picture", "Look whether it is meant; such a box teaches no place."),
    Code(
        "B12",
        _W,
        "a box much longer than wide",
        "Look whether it is a slip of the mouse; no anchor of the model has that shape.",
    ),
    Code("B13", _I, "truncated does not fit the box", "Nothing to do: training does not use it."),
    Code("B14", _I, "a box of unusual size for its label", "Look whether it is drawn right."),
    Code("B15", _I, "a box inside another of the same label", "Look whether both are meant."),
    Code(
        "B16",
        _I,
        "boxes that look like inclusive pixels counted from 1",
        "If so, take 1 from every xmin and ymin, or the boxes are a pixel short.",
    ),
    Code("C01", _E, "a label that is not in the label map", "Correct the label, or add it to the label map."),
    Code("C02", _E, "a label that differs in case or blanks only", "Write it exactly as the label map does."),
    Code("C03", _I, "the label is not that of the class folder", "Correct it if it is a slip; else nothing to do."),
    Code("C04", _E, "an empty label", "Give the object its label in LabelImg."),
    Code("C05", _E, "the label map is broken", "Give each label one id from 1 on; never reuse or renumber an id."),
    Code(
        "C06",
        _E,
        "a label in verification that training does not have",
        "Put pictures of it into training/, or correct the label.",
    ),
    Code(
        "C07", _W, "a label with few boxes", "Label more of it, or leave it out: a detector needs a hundred and more."
    ),
    Code(
        "C08", _I, "labels of very different number", "Nothing to do, but expect the rare ones to be found less well."
    ),
    Code("C09", _I, "a label beyond ASCII", "Nothing to do here; some other tools strip or refuse such labels."),
    Code(
        "D01", _E, "the same picture in training and verification", "Keep it in one of the two, or the score flatters."
    ),
    Code(
        "D02",
        _W,
        "nearly the same picture in training and verification",
        "Keep both in one of the two, or the score flatters.",
    ),
    Code(
        "D03", _W, "pictures of one post in training and verification", "Keep all pictures of a post in one of the two."
    ),
    Code("D04", _E, "the same picture with different labels", "Keep the right one and remove the other."),
    Code(
        "D05",
        _I,
        "no pictures without objects",
        "Add some that show what is mistaken for the object; save them with Verify Image.",
    ),
    Code("D06", _I, "only a part is verified", "Go through the rest in LabelImg with Verify Image (space)."),
    Code(
        "D07",
        _I,
        "an unusual share of verification pictures",
        "About a tenth to a fifth of a class in verification/ is usual.",
    ),
    Code(
        "D08",
        _W,
        "a file that was left over while saving",
        "Remove it, after a look whether the file without .tmp is whole.",
    ),
    Code("D09", _W, "no verification pictures", "Put about a tenth of the labelled pictures into verification/."),
    Code("D10", _E, "no training pictures", "Put labelled pictures into training/."),
    Code("D11", _E, "a class folder without labels", "Label pictures into training/ and verification/, or remove it."),
    Code("D12", _W, "the same picture twice", "Remove one of the two with its XML."),
)

CODES: dict[str, Code] = {code.name: code for code in _TABLE}
"""Every code by name, in the order in which checks run."""


REPAIRABLE = frozenset(
    {"X04", "X08", "X11", "L03", "L04", "L06", "I03", "I04", "I05", "S01", "S02", "S03", "S05"}
    | {"B02", "B03", "B04", "B08", "B13", "C02"}
)
"""Codes that can be mended without drawing anew."""


def expand_codes(words: list[str]) -> frozenset[str]:
    """Return the codes meant by names and by letters (``B`` stands for every code of boxes).

    Raises:
        ValueError: A word is neither; the message names the nearest code.
    """
    chosen: set[str] = set()
    for word in words:
        name = word.strip().upper()
        matching = {code for code in CODES if code == name or (len(name) == 1 and code.startswith(name))}
        if not matching:
            near = difflib.get_close_matches(name, CODES, n=1, cutoff=0.5)
            raise ValueError(f"there is no code {word!r}" + (f"; do you mean {near[0]}?" if near else ""))
        chosen |= matching
    return frozenset(chosen)
