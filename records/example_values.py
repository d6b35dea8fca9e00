"""Values of an example by their key, where nobody knows yet that they are there and of the right kind."""

from collections.abc import Mapping
from typing import Any

from records.example import BytesList, Feature, Int64List


def values_of(features: Mapping[str, Feature], key: str) -> tuple[Any, ...]:
    """Return all values of a key, of whatever kind; none where it is missing."""
    feature = features.get(key)
    return () if feature is None else feature.values


def texts_of(features: Mapping[str, Feature], key: str) -> list[str]:
    """Return all values of a key as text, damaged UTF-8 replaced; none where it is missing or holds numbers."""
    feature = features.get(key)
    return [value.decode(errors="replace") for value in feature.values] if isinstance(feature, BytesList) else []


def ints_of(features: Mapping[str, Feature], key: str) -> tuple[int, ...]:
    """Return all values of a key; none where it is missing or holds anything but whole numbers."""
    feature = features.get(key)
    return feature.values if isinstance(feature, Int64List) else ()


def first_bytes(features: Mapping[str, Feature], key: str) -> bytes:
    """Return the first value of a key; nothing where it is missing, empty or holds numbers."""
    feature = features.get(key)
    return feature.values[0] if isinstance(feature, BytesList) and feature.values else b""


def first_text(features: Mapping[str, Feature], key: str) -> str:
    """Return the first value of a key as `texts_of` does; empty where there is none."""
    return first_bytes(features, key).decode(errors="replace")


def first_int(features: Mapping[str, Feature], key: str) -> int:
    """Return the first value of a key; 0 where it is missing, empty or holds no whole numbers."""
    return next(iter(ints_of(features, key)), 0)
