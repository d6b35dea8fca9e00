"""Annotations as other programs and hands write them: whatever their style, a repair mends once and keeps the rest."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.dataset import LabelFile, Match
from labeling.image_frame import Frame
from labeling.image_probe import probe_bytes
from labeling.label_map import LabelMap
from labeling.pair_repair import DEFAULT_CODES, OPTIONAL_CODES, RepairOptions, plan_pair
from labeling.voc_reader import examine
from tests.unit.labeling.labeled_pictures import picture_bytes

_LABEL = LabelFile(Path("set/a.xml"), (Path("set/images/a.jpg"),), Match.STEM, "", "")
_PICTURES = {orientation: picture_bytes(orientation=orientation) for orientation in range(1, 9)}
_EDGES = ["0", "1", "5", "40", "64", "48", "63.5", "66", "-1", "-3", "1e1", "nan", "", "007", "+5", " 7 ", "x", "64.0"]
_BLANKS = ["", "\n\t", "\r\n    ", "\n", " ", "\t\t"]


def _element(chance: random.Random, tag: str, text: str) -> str:
    forms = [f"<{tag} >{text}</{tag} >", f'<{tag} a="1">{text}</{tag}>', f"<{tag}/>", f"<{tag}><!--c-->{text}</{tag}>"]
    form = chance.choice([*forms, f"<{tag}><![CDATA[{text}]]></{tag}>"])
    return chance.choice(_BLANKS) + (form if chance.random() < 0.05 else f"<{tag}>{text}</{tag}>")


def _some(chance: random.Random, parts: list[str], most: float = 0.85) -> str:
    kept = [part for part in parts if chance.random() < most]
    if chance.random() < 0.15:
        chance.shuffle(kept)
    return "".join(kept)


def _object(chance: random.Random) -> str:
    edges = [_element(chance, tag, chance.choice(_EDGES)) for tag in ("xmin", "ymin", "xmax", "ymax")]
    box = f"<bndbox>{_some(chance, edges, 0.99)}{chance.choice(_BLANKS)}</bndbox>"
    name = _element(chance, "name", chance.choice(["cat", "Cat", "dog ", "x", "猫", "a&amp;b"]))
    more = [
        _element(chance, "pose", "Left"),
        _element(chance, "truncated", chance.choice("01")),
        "<part><x>1</x></part>",
    ]
    return f"{chance.choice(_BLANKS)}<object>{name}{_some(chance, more, 0.5)}{box}</object>"


def _document(chance: random.Random) -> bytes:
    objects = [_object(chance) for _ in range(chance.randrange(4))]
    objects += objects[:1] if chance.random() < 0.3 else []
    sides = zip(("width", "height", "depth"), chance.choice([("64", "48", "3"), ("48", "64", "3"), ("0", "0", "1")]),
                strict=True)  # fmt: skip
    size = _some(chance, [_element(chance, tag, text) for tag, text in sides], 0.95)
    parts = [
        _element(chance, "folder", "f"), _element(chance, "filename", chance.choice(["a.jpg", "b.jpg", "a"])),
        _element(chance, "path", chance.choice([r"C:\x\a.jpg", "/abs/a.jpg", "images/a.jpg", ""])),
        chance.choice([f"<size>{size}</size>", "<size/>", "<size></size>", "<size>\n</size>"]), *objects,
    ]  # fmt: skip
    start = chance.choice(["", '<?xml version="1.0"?>\n', "<!-- x -->\n"])
    text = f"{start}<annotation>{_some(chance, parts)}{chance.choice(_BLANKS)}</annotation>{chance.choice(_BLANKS)}"
    return chance.choice([text.encode(), text.encode("utf-16"), text.encode("utf-8-sig")])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    chance=st.randoms(use_true_random=False), orientation=st.integers(1, 8), frame=st.sampled_from(Frame),
    codes=st.sampled_from([DEFAULT_CODES, DEFAULT_CODES | OPTIONAL_CODES, frozenset({"S01", "B02", "L04", "B08"})]),
    path_style=st.sampled_from(["relative", "blank"]),
)  # fmt: skip
def test_any_style_is_mended_once_and_no_box_goes_unnamed(
    chance: random.Random, orientation: int, frame: Frame, codes: frozenset[str], path_style: str
) -> None:
    options = RepairOptions(codes, path_style, LabelMap.from_names(["cat", "dog"]), assumed_frame=frame)
    content, picture = _document(chance), _PICTURES[orientation]
    repair = plan_pair(_LABEL, content, probe_bytes(picture), (), options)
    assert bool(repair.mended) is (repair.after != content or repair.make_image is not None)
    before, after = examine(content), examine(repair.after)
    assert len(after.problems) <= len(before.problems)
    if before.annotation is not None:
        assert after.annotation is not None
        removed = sum(one.what.startswith("removed") for one in repair.mended)
        assert len(after.annotation.objects) == len(before.annotation.objects) - removed
    turned = repair.make_image(picture) if repair.make_image is not None else picture
    again = plan_pair(_LABEL, repair.after, probe_bytes(turned), (), options)
    assert (again.mended, again.after) == ([], repair.after)


@pytest.mark.parametrize("size", ["<size></size>", "<size/>", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_new_size_is_written_in_the_encoding_of_the_file(size: str, encoding: str) -> None:
    box = "<bndbox><xmin>5</xmin><ymin>6</ymin><xmax>40</xmax><ymax>30</ymax></bndbox>"
    text = f"<annotation><filename>a.jpg</filename>{size}<object><name>猫</name>{box}</object></annotation>"
    repair = plan_pair(_LABEL, text.encode(encoding), probe_bytes(_PICTURES[1]), (), RepairOptions())
    after = examine(repair.after)
    assert after.problems == ()
    assert after.annotation is not None
    assert (after.annotation.width, after.annotation.height, after.annotation.objects[0].name) == (64, 48, "猫")
