"""The bytes of ``tf.train.Example``, written and read without TensorFlow.

An example maps a key to one list: of bytes, of 32-bit floats, or of 64-bit integers. On the wire (protocol buffers)

    Example  = 1: Features            Features = repeated 1: entry {1: key, 2: Feature}
    Feature  = one of 1: BytesList, 2: FloatList, 3: Int64List, or none of them
    lists    = repeated 1: value; floats and integers packed into one field

`encode_example` writes keys in the order of their UTF-8 bytes, which is what TensorFlow's deterministic serialisation
does, so equal features give equal bytes. `decode_example` reads what any protocol buffer writer may send (unpacked
lists, unknown fields, a key twice) and refuses everything else with `ExampleError`.
"""

import functools
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from records.errors import ExampleError

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_UINT64 = 1 << 64
_MAX_VARINT_BYTES = 10
_MAX_FIELD_NUMBER = (1 << 29) - 1
# Copying less than this costs less than handing it on by itself.
_PASSED_ON_BYTES = 4096
# One byte covers every tag of this message: field number << 3 | wire type.
_TAG_1, _TAG_2 = b"\x0a", b"\x12"
_ONE_BYTE = [bytes((value,)) for value in range(0x80)]
_KIND_TAGS = {"BytesList": b"\x0a", "FloatList": b"\x12", "Int64List": b"\x1a"}


@dataclass(frozen=True, slots=True)
class BytesList:
    """Byte strings of any content and number, also none."""

    values: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class FloatList:
    """Numbers kept with 32 bits, also NaN and infinities; what was read back is the rounded value."""

    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Int64List:
    """Whole numbers from -2^63 to 2^63 - 1."""

    values: tuple[int, ...] = ()


# None is a key whose feature says nothing, not even what kind of list it is; parsers take it for a missing key.
Feature = BytesList | FloatList | Int64List | None


def encode_example(features: Mapping[str, Feature]) -> bytes:
    r"""Write features as the bytes of a ``tf.train.Example``.

    Args:
        features: Lists by key, in any order. An empty mapping gives ``b"\n\x00"``, an example without features.

    Returns:
        The same bytes for the same features, always.

    Raises:
        ExampleError: A value does not fit its list (an integer past 64 bits, a float past 32, a key that is not
            valid Unicode).
    """
    return b"".join(encode_example_pieces(features))


def encode_entries(features: Mapping[str, Feature]) -> bytes:
    """Write features as `encode_example` does, without the head of the whole; no features give no bytes.

    Raises:
        ExampleError: See `encode_example`.
    """
    return b"".join(_entries(features)[0])


def encode_example_pieces(features: Mapping[str, Feature]) -> list[bytes]:
    """Write features as `encode_example` does, in pieces: a picture among them is passed on, not copied.

    Raises:
        ExampleError: See `encode_example`.
    """
    entries, total = _entries(features)
    return _joined_but_for_large([_TAG_1, _varint(total), *entries])


def whole_example(entries: Sequence[bytes]) -> list[bytes]:
    """Put entries that are encoded already into one example, in pieces as `encode_example_pieces` gives them.

    Args:
        entries: What `bytes_entry`, `ints_entry` and `floats_entry` gave or parts of it, in the order of the keys'
            bytes.
    """
    return _joined_but_for_large([_TAG_1, _varint(sum(map(len, entries))), *entries])


def bytes_entry(key: bytes, *values: bytes) -> bytes:
    """Write one key with a `BytesList` as `encode_example` does."""
    if len(values) == 1:
        return bytes_entry_head(key, len(values[0])) + values[0]
    content = b"".join([_TAG_1 + _varint(len(value)) + value for value in values])
    return _entry(key, _KIND_TAGS["BytesList"], content)


@functools.lru_cache(maxsize=4096)
def bytes_entry_head(key: bytes, length: int) -> bytes:
    """Write all of one key with a `BytesList` of one value that stands before the value.

    Args:
        key: UTF-8.
        length: Of the value, in bytes.
    """
    # From the inside out: lengths come first in this format.
    listed = _TAG_1 + _varint(length)
    feature = _KIND_TAGS["BytesList"] + _varint(len(listed) + length) + listed
    entry = _delimited(_TAG_1, key) + _TAG_2 + _varint(len(feature) + length) + feature
    return _TAG_1 + _varint(len(entry) + length) + entry


def ints_entry(key: bytes, values: Sequence[int]) -> bytes:
    """Write one key with an `Int64List` as `encode_example` does.

    Raises:
        ExampleError: A value is past 64 bits.
    """
    try:
        return _entry(key, _KIND_TAGS["Int64List"], _packed(b"".join([_int64(value) for value in values])))
    except OverflowError as error:
        raise ExampleError(f"the values of {key.decode()} do not fit an Int64List: {error}") from error


def floats_entry(key: bytes, values: Sequence[float]) -> bytes:
    """Write one key with a `FloatList` as `encode_example` does.

    Raises:
        ExampleError: A value is past 32 bits.
    """
    try:
        return _floats_head(key, len(values)) + struct.pack(f"<{len(values)}f", *values)
    except (OverflowError, struct.error) as error:
        raise ExampleError(f"the values of {key.decode()} do not fit a FloatList: {error}") from error


@functools.lru_cache(maxsize=4096)
def _floats_head(key: bytes, count: int) -> bytes:
    packed = _packed(bytes(4 * count))
    whole = _entry(key, _KIND_TAGS["FloatList"], packed)
    return whole[: len(whole) - 4 * count]


def _entry(key: bytes, kind: bytes, content: bytes) -> bytes:
    feature = kind + _varint(len(content)) + content
    entry = _delimited(_TAG_1, key) + _TAG_2 + _varint(len(feature)) + feature
    return _TAG_1 + _varint(len(entry)) + entry


def _entries(features: Mapping[str, Feature]) -> tuple[list[bytes], int]:
    """Return the entries of the map in pieces, and how many bytes they have together."""
    entries: list[bytes] = []
    total = 0
    for key, head in _in_byte_order(tuple(features)):
        content, length = _encode_feature(key, features[key])
        # Lengths come first in this format, so what is inside is measured before what is around it is written.
        size = _varint(length)
        entry_length = len(head) + 1 + len(size) + length
        around = _varint(entry_length)
        entries += (_TAG_1, around, head, _TAG_2, size, *content)
        total += 1 + len(around) + entry_length
    return entries, total


def _joined_but_for_large(parts: Sequence[bytes]) -> list[bytes]:
    pieces: list[bytes] = []
    start = 0
    for index, part in enumerate(parts):
        if len(part) >= _PASSED_ON_BYTES:
            pieces += (b"".join(parts[start:index]), part)
            start = index + 1
    return [*pieces, b"".join(parts[start:])]


def split_at_bytes(data: bytes, key: str) -> tuple[bytes, bytes, bytes] | None:
    """Take the one value of a key out of an example without reading the other keys.

    Args:
        data: One whole example.
        key: The key of a `BytesList`.

    Returns:
        The entries before it, the value, and the entries after it, the first and the last as `encode_entries` writes
        them; ``None`` where the bytes are not laid out as `encode_example` does, the key has not exactly one value,
        or is absent.
    """
    name = key.encode()
    try:
        start, end = _enter(data, 0, _TAG_1, len(data))
        if end != len(data):
            return None
        position = start
        while position < end:
            entry, entry_end = _enter(data, position, _TAG_1, end)
            key_start, key_end = _enter(data, entry, _TAG_1, entry_end)
            if data[key_start:key_end] != name:
                position = entry_end
                continue
            feature, feature_end = _enter(data, key_end, _TAG_2, entry_end)
            values, values_end = _enter(data, feature, _KIND_TAGS["BytesList"], entry_end)
            value, value_end = _enter(data, values, _TAG_1, entry_end)
            if not feature_end == values_end == value_end == entry_end:
                return None
            return data[start:position], data[value:value_end], data[value_end:]
    except ExampleError:
        return None
    return None


def _enter(data: bytes, position: int, tag: bytes, limit: int) -> tuple[int, int]:
    """Read the head of a field that is due; returns where its content begins and ends."""
    if data[position : position + 1] != tag:
        raise ExampleError("another field was due")
    length, start = _read_varint(data, position + 1)
    if start + length > limit:
        raise ExampleError(f"a field of {length} bytes runs past the end")
    return start, start + length


def decode_example(data: bytes) -> dict[str, Feature]:
    """Read the bytes of a ``tf.train.Example``.

    Args:
        data: One whole example, as one record of a TFRecord file holds it. Empty bytes are an example without
            features, as protocol buffers have it.

    Returns:
        Lists by key, in the order of the file; a key that stands twice keeps its last value.

    Raises:
        ExampleError: The bytes are cut, or are something else.
    """
    features: dict[str, Feature] = {}
    for number, features_data in _delimited_fields(data, "Example"):
        if number != 1:
            continue
        for entry_number, entry in _delimited_fields(features_data, "Features"):
            if entry_number == 1:
                key, feature = _decode_entry(entry)
                features[key] = feature
    return features


@functools.lru_cache(maxsize=64)
def _in_byte_order(keys: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return the keys in the order of their bytes, each with its field of a map entry; the same keys come often."""
    try:
        ordered = sorted((key.encode(), key) for key in keys)
    except UnicodeEncodeError as error:
        raise ExampleError(f"a key is not valid Unicode: {error.object!r}") from error
    return tuple((key, _delimited(_TAG_1, encoded)) for encoded, key in ordered)


def _encode_feature(key: str, feature: Feature) -> tuple[list[bytes], int]:
    """Return a Feature in pieces, and how many bytes they have together."""
    if feature is None:
        return [], 0
    pieces: list[bytes] = []
    length = 0
    try:
        if isinstance(feature, BytesList):
            for value in feature.values:
                size = _varint(len(value))
                pieces += (_TAG_1, size, value)
                length += 1 + len(size) + len(value)
        else:
            if isinstance(feature, FloatList):
                content = _packed(struct.pack(f"<{len(feature.values)}f", *feature.values))
            else:
                content = _packed(b"".join([_int64(value) for value in feature.values]))
            pieces.append(content)
            length = len(content)
    except (OverflowError, struct.error, TypeError, ValueError) as error:
        raise ExampleError(f"the values of {key} do not fit a {type(feature).__name__}: {error}") from error
    size = _varint(length)
    return [_KIND_TAGS[type(feature).__name__], size, *pieces], 1 + len(size) + length


def _packed(content: bytes) -> bytes:
    return _delimited(_TAG_1, content) if content else b""


def _delimited(tag: bytes, content: bytes) -> bytes:
    return b"".join((tag, _varint(len(content)), content))


def _int64(value: int) -> bytes:
    if not _INT64_MIN <= value <= _INT64_MAX:
        raise OverflowError(f"{value} is past 64 bits")
    return _varint(value % _UINT64)


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _decode_entry(data: bytes) -> tuple[str, Feature]:
    key, feature = "", None
    for number, content in _delimited_fields(data, "map entry"):
        if number == 1:
            try:
                key = content.decode()
            except UnicodeDecodeError as error:
                raise ExampleError(f"a key is not UTF-8: {content!r}") from error
        elif number == 2:
            feature = _merge(feature, _decode_feature(content))
        else:
            # Protocol buffers' own runtimes disagree here: some drop the whole entry, some only the field.
            raise ExampleError(f"a map entry has a field {number} besides its key and value")
    return key, feature


def _decode_feature(data: bytes) -> Feature:
    feature: Feature = None
    for number, content in _delimited_fields(data, "Feature"):
        if number == 1:
            feature = _merge(feature, BytesList(tuple(v for n, v in _delimited_fields(content, "BytesList") if n == 1)))
        elif number == 2:
            feature = _merge(feature, FloatList(tuple(_decode_floats(content))))
        elif number == 3:
            feature = _merge(feature, Int64List(tuple(_decode_ints(content))))
    return feature


def _merge(old: Feature, new: Feature) -> Feature:
    """Join two sightings of one message field as protocol buffers do: lists of one kind add up, else the last wins."""
    if isinstance(old, BytesList) and isinstance(new, BytesList):
        return BytesList(old.values + new.values)
    if isinstance(old, FloatList) and isinstance(new, FloatList):
        return FloatList(old.values + new.values)
    if isinstance(old, Int64List) and isinstance(new, Int64List):
        return Int64List(old.values + new.values)
    return old if new is None else new


def _decode_floats(data: bytes) -> Iterable[float]:
    position = 0
    while position < len(data):
        number, wire_type, position = _read_tag(data, position)
        if number != 1:
            position = _skip(data, position, wire_type)
        elif wire_type == _DELIMITED:
            content, position = _read_delimited(data, position)
            if len(content) % 4:
                raise ExampleError(f"a packed FloatList has {len(content)} bytes, not a multiple of 4")
            yield from struct.unpack(f"<{len(content) // 4}f", content)
        elif wire_type == _FIXED32:
            end = _skip(data, position, wire_type)
            yield from struct.unpack_from("<f", data, position)
            position = end
        else:
            raise ExampleError(f"a FloatList value has wire type {wire_type}")


def _decode_ints(data: bytes) -> Iterable[int]:
    position = 0
    while position < len(data):
        number, wire_type, position = _read_tag(data, position)
        if number != 1:
            position = _skip(data, position, wire_type)
        elif wire_type == _DELIMITED:
            content, position = _read_delimited(data, position)
            inner = 0
            while inner < len(content):
                value, inner = _read_varint(content, inner)
                yield _signed(value)
        elif wire_type == _VARINT:
            value, position = _read_varint(data, position)
            yield _signed(value)
        else:
            raise ExampleError(f"an Int64List value has wire type {wire_type}")


def _signed(value: int) -> int:
    return value - _UINT64 if value > _INT64_MAX else value


def _delimited_fields(data: bytes, message: str) -> Iterable[tuple[int, bytes]]:
    """Walk the fields of a message whose known fields (1 to 3) are all length-delimited; others are passed over."""
    position = 0
    while position < len(data):
        number, wire_type, position = _read_tag(data, position)
        if wire_type == _DELIMITED:
            content, position = _read_delimited(data, position)
            yield number, content
        elif number <= 3:
            raise ExampleError(f"field {number} of {message} has wire type {wire_type}")
        else:
            position = _skip(data, position, wire_type)


def _read_tag(data: bytes, position: int) -> tuple[int, int, int]:
    tag, position = _read_varint(data, position)
    number = tag >> 3
    if not 1 <= number <= _MAX_FIELD_NUMBER:
        raise ExampleError(f"field number {number} is out of range")
    return number, tag & 7, position


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(position, min(position + _MAX_VARINT_BYTES, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value % _UINT64, index + 1
        shift += 7
    raise ExampleError(
        "a number runs past the end" if len(data) - position < _MAX_VARINT_BYTES else "a number is too long"
    )


def _read_delimited(data: bytes, position: int) -> tuple[bytes, int]:
    length, position = _read_varint(data, position)
    end = position + length
    if end > len(data):
        raise ExampleError(f"a field of {length} bytes runs past the end")
    return data[position:end], end


def _skip(data: bytes, position: int, wire_type: int) -> int:
    if wire_type == _VARINT:
        return _read_varint(data, position)[1]
    if wire_type == _DELIMITED:
        return _read_delimited(data, position)[1]
    if wire_type not in {_FIXED32, _FIXED64}:
        raise ExampleError(f"wire type {wire_type} is not in use")
    end = position + (4 if wire_type == _FIXED32 else 8)
    if end > len(data):
        raise ExampleError("a number runs past the end")
    return end
