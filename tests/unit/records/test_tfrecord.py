"""The TFRecord framing, against TensorFlow's and by itself."""

import gzip
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from records.errors import DamagedRecordError
from records.tfrecord import FRAME_OVERHEAD_BYTES, masked_crc32c, read_frames, read_tfrecord, write_frames

_PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=5)


def _written(payloads: list[bytes]) -> bytes:
    stream = io.BytesIO()
    assert write_frames(stream, payloads) == len(payloads)
    return stream.getvalue()


def _read(data: bytes) -> list[bytes]:
    return [frame.payload for frame in read_frames(io.BytesIO(data), path="x.record")]


@given(_PAYLOADS)
def test_round_trip_with_the_offset_of_every_frame(payloads):
    data = _written(payloads)
    frames = list(read_frames(io.BytesIO(data), path="x.record"))
    assert [frame.payload for frame in frames] == payloads
    offset = 0
    for frame in frames:
        assert frame.offset == offset
        offset += len(frame.payload) + FRAME_OVERHEAD_BYTES
    assert offset == len(data)


@given(_PAYLOADS, st.data())
def test_any_changed_byte_is_found_in_its_frame(payloads, data):
    whole = bytearray(_written(payloads))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedRecordError) as caught:
        _read(bytes(whole))
    starts = [frame.offset for frame in read_frames(io.BytesIO(_written(payloads)), path="")]
    assert caught.value.offset == max(start for start in starts if start <= position)


@given(_PAYLOADS, st.data())
def test_any_cut_inside_a_frame_is_found(payloads, data):
    whole = _written(payloads)
    boundaries = {frame.offset for frame in read_frames(io.BytesIO(whole), path="")}
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda place: place not in boundaries))
    with pytest.raises(DamagedRecordError, match="ends inside"):
        _read(whole[:cut])


@given(st.binary(min_size=1, max_size=80))
def test_other_bytes_are_refused_and_never_crash_the_reader(data):
    with pytest.raises(DamagedRecordError):
        _read(data)


def test_no_bytes_are_no_records():
    assert _read(b"") == []


def test_frames_before_the_damage_are_given():
    data = _written([b"first", b"second"])[:-1]
    frames = read_frames(io.BytesIO(data), path="x.record")
    assert next(frames).payload == b"first"
    with pytest.raises(DamagedRecordError, match=r"x\.record: byte 21: the file ends inside a record of 6 bytes"):
        next(frames)


def test_a_forged_length_does_not_ask_for_the_memory():
    length = struct.pack("<Q", 1 << 62)
    data = length + struct.pack("<I", masked_crc32c(length)) + b"little"
    with pytest.raises(DamagedRecordError, match="ends inside"):
        _read(data)


def test_crc_of_the_standard_check_value():
    # CRC-32C of "123456789" is e3069283; the mask is a rotation by 15 and an addition.
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % (1 << 32)


def test_a_gzip_file_is_unpacked(tmp_path):
    path = tmp_path / "x.record"
    path.write_bytes(gzip.compress(_written([b"a", b"bc"])))
    assert [frame.payload for frame in read_tfrecord(path)] == [b"a", b"bc"]


@pytest.mark.parametrize("change", ["cut", "flip"])
def test_a_damaged_gzip_file_is_refused(tmp_path, change):
    packed = bytearray(gzip.compress(_written([b"a" * 100, bytes(range(256)) * 4])))
    if change == "cut":
        del packed[-20:]
    else:
        packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "x.record"
    path.write_bytes(packed)
    with pytest.raises(DamagedRecordError):
        list(read_tfrecord(path))


def test_a_record_whose_length_looks_like_gzip_is_read_as_it_is(tmp_path):
    payload = bytes(0x8B1F)
    path = tmp_path / "x.record"
    path.write_bytes(_written([payload]))
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert [frame.payload for frame in read_tfrecord(path)] == [payload]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.record: cannot read the record: No such file"):
        list(read_tfrecord(tmp_path / "none.record"))


def test_a_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        list(read_tfrecord(tmp_path))


@pytest.mark.tf
def test_tensorflow_writes_the_same_bytes_and_reads_ours(tmp_path):
    import tensorflow as tf

    payloads = [b"", b"a", bytes(range(256)) * 300]
    theirs = tmp_path / "theirs.record"
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for payload in payloads:
            writer.write(payload)
    assert theirs.read_bytes() == _written(payloads)
    ours = tmp_path / "ours.record"
    ours.write_bytes(_written(payloads))
    assert [item.numpy() for item in tf.data.TFRecordDataset(str(ours))] == payloads
    assert [frame.payload for frame in read_tfrecord(theirs)] == payloads
