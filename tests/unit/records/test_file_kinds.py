"""What stands in a record's place is told by its first bytes."""

import gzip
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from records.file_kinds import HEAD_BYTES, other_kind
from records.reading import record_files_in
from records.tfrecord import has_frame_at_start, is_gzip, not_a_tfrecord, read_tfrecord, write_frames


def _framed(*payloads: bytes) -> bytes:
    stream = io.BytesIO()
    write_frames(stream, payloads)
    return stream.getvalue()


@given(st.binary(max_size=600))
def test_a_record_is_never_taken_for_something_else(payload):
    content = _framed(payload)
    assert has_frame_at_start(content[:HEAD_BYTES])
    assert not_a_tfrecord(content[:HEAD_BYTES]) is None
    assert not_a_tfrecord(gzip.compress(content)[:HEAD_BYTES]) is None


def test_a_record_whose_length_looks_like_gzip():
    length = struct.unpack("<H", b"\x1f\x8b")[0]
    content = _framed(bytes(length))
    assert content.startswith(b"\x1f\x8b")
    assert not is_gzip(content)
    assert has_frame_at_start(content)


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_get_an_answer(head):
    answer = other_kind(head)
    assert answer is None or answer.startswith("a")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "pointer of Git LFS"),
        (b"\xef\xbb\xbf<!doctype html><p>Not found</p>", "web page"),
        (b"<annotation>\n\t<folder>images</folder>", "an XML file"),
        (b'[{"image": "a.jpg"}, {"image": "b.jpg"}]', "a JSON file"),
        ("Müller, Grüße und viel mehr Text".encode(), "a text file"),
        (b"\x93NUMPY\x01\x00" + bytes(80), "a NumPy array"),
        (b"short", None),
        (b"", None),
        (bytes(100), None),
        (("x" + "ü" * 300).encode()[:HEAD_BYTES], "a text file"),  # cut inside a character
    ],
)
def test_kinds(head, words):
    assert (other_kind(head) or "None").find(words or "None") >= 0


def test_reading_says_what_it_is(tmp_path):
    path = tmp_path / "cat.record"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(InputError, match="no TFRecord but a pointer of Git LFS"):
        list(read_tfrecord(path))


def test_record_files_are_found_by_name_or_by_content(tmp_path):
    for name in ("b.record", "a.tfrecord-00000-of-00001", "train-00000-of-00002"):
        (tmp_path / name).write_bytes(_framed(b"x"))
    (tmp_path / "empty.record").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("these are no frames")
    (tmp_path / ".hidden.record").write_bytes(_framed(b"x"))
    (tmp_path / "c.record.tmp").write_bytes(_framed(b"x"))
    (tmp_path / "d.record").mkdir()
    names = [path.name for path in record_files_in(tmp_path)]
    assert names == ["a.tfrecord-00000-of-00001", "b.record", "empty.record", "train-00000-of-00002"]
    with pytest.raises(InputError, match="cannot read the folder"):
        record_files_in(tmp_path / "nowhere")
