"""The bytes of tf.train.Example, against protocol buffers' own implementation and by themselves."""

import math
import struct

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from records.errors import ExampleError
from records.example import (
    BytesList,
    Feature,
    FloatList,
    Int64List,
    decode_example,
    encode_entries,
    encode_example,
    split_at_bytes,
)

_INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
_FLOAT32 = st.floats(width=32, allow_nan=False)
_FEATURE = st.one_of(
    st.none(),
    st.builds(BytesList, st.lists(st.binary(max_size=40), max_size=5).map(tuple)),
    st.builds(FloatList, st.lists(_FLOAT32, max_size=5).map(tuple)),
    st.builds(Int64List, st.lists(_INT64, max_size=5).map(tuple)),
)
_FEATURES = st.dictionaries(st.text(max_size=12), _FEATURE, max_size=6)


def _protobuf_example():
    """The message class of tf.train.Example, made from its published definition by protocol buffers' own runtime."""
    file = descriptor_pb2.FileDescriptorProto(name="example_oracle.proto", package="oracle", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        message = file.message_type.add(name=name)
        message.field.add(name="value", number=1, label=field.LABEL_REPEATED, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        feature.field.add(
            name=f"{name[:-4].lower()}_list", number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE,
            type_name=f".oracle.{name}", oneof_index=0,
        )  # fmt: skip
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
    entry.field.add(name="key", number=1, label=field.LABEL_OPTIONAL, type=field.TYPE_STRING)
    entry.field.add(
        name="value", number=2, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE, type_name=".oracle.Feature"
    )
    features.field.add(
        name="feature", number=1, label=field.LABEL_REPEATED, type=field.TYPE_MESSAGE,
        type_name=".oracle.Features.FeatureEntry",
    )  # fmt: skip
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE, type_name=".oracle.Features"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("oracle.Example"))


_Example = _protobuf_example()


def _to_protobuf(features: dict[str, Feature]):
    example = _Example()
    example.features.SetInParent()
    for key, feature in features.items():
        target = example.features.feature[key]
        match feature:
            case BytesList(values):
                target.bytes_list.SetInParent()
                target.bytes_list.value.extend(values)
            case FloatList(values):
                target.float_list.SetInParent()
                target.float_list.value.extend(values)
            case Int64List(values):
                target.int64_list.SetInParent()
                target.int64_list.value.extend(values)
    return example


def _from_protobuf(example) -> dict[str, Feature]:
    kinds = {"bytes_list": BytesList, "float_list": FloatList, "int64_list": Int64List}
    result: dict[str, Feature] = {}
    for key, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        result[key] = kinds[kind](tuple(getattr(feature, kind).value)) if kind else None
    return result


@given(_FEATURES)
def test_round_trip(features):
    assert decode_example(encode_example(features)) == features


@given(_FEATURES.filter(lambda features: not any(a != b and b.startswith(a) for a in features for b in features)))
def test_bytes_equal_protobufs_deterministic_serialisation(features):
    # Python's protocol buffers put a key behind those that it begins; C++ and we put it before them.
    assert encode_example(features) == _to_protobuf(features).SerializeToString(deterministic=True)


@given(_FEATURES)
def test_reads_what_protobuf_wrote(features):
    assert decode_example(_to_protobuf(features).SerializeToString()) == features


@given(_FEATURES)
def test_the_order_of_the_keys_given_does_not_matter(features):
    assert encode_example(dict(reversed(features.items()))) == encode_example(features)


@given(_FEATURES, st.text(max_size=12), st.binary(max_size=300))
def test_a_value_is_taken_out_between_the_entries_around_it(features, key, value):
    data = encode_example({**features, key: BytesList((value,))})
    before = {other: feature for other, feature in features.items() if other.encode() < key.encode()}
    after = {other: feature for other, feature in features.items() if other.encode() > key.encode()}
    assert split_at_bytes(data, key) == (encode_entries(before), value, encode_entries(after))


@given(_FEATURES, st.text(max_size=12), st.data())
def test_nothing_is_taken_out_of_what_has_not_exactly_one_value_there(features, key, data):
    feature = features.get(key)
    if not (isinstance(feature, BytesList) and len(feature.values) == 1):
        assert split_at_bytes(encode_example(features), key) is None
    content = bytearray(encode_example({**features, key: BytesList((b"value",))}))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(content)
    if (parts := split_at_bytes(damaged, key)) is not None:
        # Whatever was taken for the value is what a parser takes for it, unless a later entry has the same key.
        try:
            read = decode_example(damaged)
        except ExampleError:
            return
        assert read[key] == BytesList((parts[1],)) or key in decode_example(
            b"\x0a" + bytes((len(parts[2]),)) + parts[2]
        )


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_protobuf_reads_them_or_refused(data):
    try:
        features = decode_example(data)
    except ExampleError:
        return
    theirs = _from_protobuf(_Example.FromString(data))
    assert repr(dict(sorted(features.items()))) == repr(dict(sorted(theirs.items())))


@given(_FEATURES, st.data())
def test_a_changed_or_cut_example_is_read_as_protobuf_reads_it_or_refused(features, data):
    whole = bytearray(encode_example(features))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    broken = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        ours = decode_example(broken)
    except ExampleError:
        return
    try:
        theirs = _from_protobuf(_Example.FromString(broken))
    except DecodeError as error:
        raise AssertionError("protocol buffers refuse what was accepted") from error
    assert repr(dict(sorted(ours.items()))) == repr(dict(sorted(theirs.items())))


def test_known_bytes():
    # Worked out by hand from the wire format: 0a = field 1, 12 = field 2, 1a = field 3, length-delimited.
    expected = bytes.fromhex("0a0d0a0b0a016112061a040a029601")
    assert encode_example({"a": Int64List((150,))}) == expected


def test_unpacked_lists_and_unknown_fields_are_read():
    unknown = b"\x78\x01" + b"\x7d\x00\x00\x00\x00" + b"\x79" + b"\x00" * 8 + b"\x7a\x01x"
    floats = b"\x0d" + struct.pack("<f", 0.5) + unknown + b"\x0d" + struct.pack("<f", -2.0)
    ints = b"\x08\x03" + unknown + b"\x08" + b"\xff" * 9 + b"\x01"

    def entry(key: bytes, feature: bytes) -> bytes:
        content = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(feature)]) + feature
        return b"\x0a" + bytes([len(content)]) + content

    entries = entry(b"f", b"\x12" + bytes([len(floats)]) + floats) + entry(b"i", b"\x1a" + bytes([len(ints)]) + ints)
    data = b"\x0a" + bytes([len(entries)]) + entries + unknown
    assert decode_example(data) == {"f": FloatList((0.5, -2.0)), "i": Int64List((3, -1))}
    assert _from_protobuf(_Example.FromString(data)) == decode_example(data)


def test_no_bytes_are_an_example_without_features():
    assert decode_example(b"") == {}
    assert decode_example(encode_example({})) == {}


def test_nan_and_infinities_survive():
    values = decode_example(encode_example({"x": FloatList((math.nan, math.inf, -math.inf))}))["x"].values
    assert math.isnan(values[0])
    assert values[1:] == (math.inf, -math.inf)


@pytest.mark.parametrize(
    ("features", "word"),
    [
        ({"k": Int64List((2**63,))}, "past 64 bits"),
        ({"k": FloatList((1e39,))}, "too large"),
        ({"k": Int64List(("one",))}, "do not fit"),
        ({"\ud800": Int64List((1,))}, "not valid Unicode"),
    ],
)
def test_values_that_fit_no_list_are_refused(features, word):
    with pytest.raises(ExampleError, match=word):
        encode_example(features)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x05\x0a",  # a field runs past the end
        b"\x80" * 11,  # a number that never ends
        b"\x00\x01",  # field number 0
        b"\x0b",  # a group, out of use
        b"\x0d\x00\x00\x00\x00",  # Features as a fixed32
        b"\x0a\x07\x0a\x05\x0a\x03\xff\xfe\xfd",  # a key that is not UTF-8
        b"<!DOCTYPE html><html>",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
    ],
)
def test_other_bytes_are_refused(data):
    with pytest.raises(ExampleError):
        decode_example(data)


@pytest.mark.tf
def test_tensorflow_reads_and_writes_the_same_bytes():
    import tensorflow as tf

    features = {
        "bytes": BytesList((b"", b"\x00\xff", "ä".encode())),
        "float": FloatList((0.0, -0.0, 0.5, 3.4e38)),
        "int": Int64List((0, -1, 2**63 - 1, -(2**63), 300)),
        "empty bytes": BytesList(),
        "empty float": FloatList(),
        "empty int": Int64List(),
        "nothing": None,
        "日本": Int64List((1,)),
    }
    features["float"] = decode_example(encode_example(features))["float"]
    ours = encode_example(features)
    theirs = tf.train.Example.FromString(ours)
    assert theirs.SerializeToString(deterministic=True) == ours
    assert _from_protobuf(theirs) == features
    assert decode_example(theirs.SerializeToString()) == features
    parsed = tf.io.parse_single_example(
        ours, {"int": tf.io.VarLenFeature(tf.int64), "float": tf.io.VarLenFeature(tf.float32)}
    )
    assert tuple(parsed["int"].values.numpy().tolist()) == features["int"].values
    assert tuple(parsed["float"].values.numpy().tolist()) == features["float"].values
