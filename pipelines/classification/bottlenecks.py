"""The bottlenecks of records: what a frozen base makes of every picture, out of the cache where it is known.

The records are read once. Pictures that are new are decoded in threads, a few batches ahead of the network.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from collectors.errors import InputError
from pipelines.classification import images
from pipelines.classification.bottleneck_cache import BottleneckCache
from pipelines.classification.record_form import RecordForm, record_form
from records.classification_features import ENCODED, RAW
from records.example_values import first_bytes, first_text, ints_of, texts_of
from records.reading import read_features

_BATCH = 32
# So many vectors at most are lost with a kill.
_FLUSH_EVERY = 256
# Changes when the same picture and the same weights begin to give other numbers.
_PREPROCESSING = "tagbox 1: bilinear with antialiasing"


@dataclass(frozen=True, slots=True)
class Bottlenecks:
    """The examples of some records, in their order.

    Attributes:
        vectors: float32 ``(n, width)``.
        labels: Class ids of each, one or several.
        texts: Class names of each; none where the record has none.
        num_computed: How many the network had to look at; the others were in the cache.
    """

    vectors: NDArray[np.float32]
    labels: tuple[tuple[int, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    num_computed: int


class Reading(NamedTuple):
    """How far `read_bottlenecks` is: examples read, and those of them that the network had to look at."""

    num_read: int
    num_computed: int


def open_cache(
    root: Path, model: tf_keras.Model, network: str, form: RecordForm, *, notice: Callable[[str], None]
) -> BottleneckCache:
    """Open the cache of a network as it is now.

    Args:
        root: Folder of caches.
        model: Has the layers ``backbone`` and ``bottleneck``; another weight in the base is another cache.
        network: Name of the network.
        form: How the pictures stand in the records.
        notice: Told of what was damaged.
    """
    about = {
        "network": network,
        "input": list(model.input_shape[1:]),
        "weights": _digest(model.get_layer("backbone")),
        "preprocessing": _PREPROCESSING,
        # The bytes of a picture file say how large it is, those of a drawing do not.
        "drawing": [form.height, form.width],
    }
    return BottleneckCache(root, about, int(model.get_layer("bottleneck").output_shape[-1]), notice=notice)


def read_bottlenecks(
    paths: Sequence[Path], cache: BottleneckCache, model: tf_keras.Model, *, several_labels: bool = False
) -> Generator[Reading, None, Bottlenecks]:
    """Find the bottleneck of every example of the records; compute and keep those that the cache has not.

    Whoever stops asking loses nothing: what was computed is on disk.

    Args:
        paths: Record files, in their order.
        cache: From `open_cache` with the same model.
        model: The network.
        several_labels: A picture may have more than one.

    Yields:
        How far it is, after every batch that had to be computed.

    Returns:
        The bottlenecks, the value of ``yield from``.

    Raises:
        InputError: A record is damaged, a picture in it cannot be decoded, or the disk refuses the cache.
    """
    form = record_form(paths, several_labels=several_labels)
    found = _Examples(paths, cache, form)
    base = tf_keras.Model(model.inputs, model.get_layer("bottleneck").output)
    embed = tf.function(lambda pictures: base(pictures, training=False))
    num_computed = 0
    try:
        for keys, pictures in _batches(found, form, model.input_shape[1:]):
            # Always one shape: no second trace for what is left over, and rows that do not depend on their company.
            full = np.zeros((_BATCH, *pictures.shape[1:]), np.float32)
            full[: len(pictures)] = pictures
            cache.add(keys, embed(full).numpy()[: len(keys)])
            num_computed += len(keys)
            if cache.num_waiting >= _FLUSH_EVERY:
                cache.flush()
            yield Reading(len(found.keys), num_computed)
    except tf.errors.OpError as error:
        raise found.error or _undecodable(paths, form, model.input_shape[-1], error) from error
    finally:
        # What is there is kept, whatever ended this.
        cache.flush()
    cache.compact()
    return Bottlenecks(cache.rows(found.keys), tuple(found.labels), tuple(found.texts), num_computed)


class _Examples:
    """Reads records once: keeps key and label of every example, gives out the pictures that are not in the cache."""

    def __init__(self, paths: Sequence[Path], cache: BottleneckCache, form: RecordForm) -> None:
        self._paths, self._cache = paths, cache
        self._picture = RAW if form.is_raw else ENCODED
        self.keys: list[bytes] = []
        self.labels: list[tuple[int, ...]] = []
        self.texts: list[tuple[str, ...]] = []
        self.error: InputError | None = None
        self._asked: set[bytes] = set()

    def unknown(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and bytes of each picture that is not in the cache, each once."""
        try:
            yield from self._unknown()
        except InputError as error:
            self.error = error  # TensorFlow makes an error of its own of it
            raise

    def _unknown(self) -> Iterator[tuple[bytes, bytes]]:
        for path in self._paths:
            for index, features in enumerate(read_features(path)):
                content = first_bytes(features, self._picture)
                if not content:
                    raise InputError(f"example {index} has no {self._picture}", where=str(path))
                key = hashlib.sha256(content).digest()
                is_new = key not in self._cache and key not in self._asked
                self._asked.add(key)
                self.keys.append(key)
                self.labels.append(ints_of(features, "image/class/label"))
                self.texts.append(tuple(texts_of(features, "image/class/text")))
                if is_new:
                    yield key, content


def _batches(
    found: _Examples, form: RecordForm, input_shape: tuple[int, int, int]
) -> Iterator[tuple[list[bytes], NDArray[np.float32]]]:
    def decode(key: Any, content: Any) -> tuple[Any, Any]:
        if form.is_raw:
            pictures = images.decode_raw(content[None], form.height, form.width)
        else:
            pictures = images.decode_encoded(content, input_shape[2])[None]
        return key, images.network_input(pictures, input_shape)[0]

    signature = (tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string))
    dataset = tf.data.Dataset.from_generator(found.unknown, output_signature=signature)
    dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(_BATCH).prefetch(2)
    for keys, pictures in dataset.as_numpy_iterator():
        yield list(keys), pictures


def _digest(base: tf_keras.Model) -> str:
    """Return the hex SHA-256 of the values of all weights."""
    digest = hashlib.sha256()
    for weight in base.weights:
        value = weight.numpy()
        digest.update(f"{value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _undecodable(paths: Sequence[Path], form: RecordForm, channels: int, error: tf.errors.OpError) -> InputError:
    """Find out which picture it was: the error of a pipeline does not say."""
    reason = str(error.message).partition("\n")[0].strip()[:120]
    for path in paths:
        for index, features in enumerate(read_features(path)):
            try:
                if not form.is_raw:
                    images.decode_encoded(tf.constant(first_bytes(features, ENCODED)), channels)
            except tf.errors.OpError:
                name = first_text(features, "tagbox/image_path")
                return InputError(
                    f"picture {index} ({name or 'without a name'}) cannot be decoded",
                    where=str(path),
                    fix="Mend or remove the picture, then build the records again.",
                )
    return InputError(f"the pictures cannot be read ({reason})", where=", ".join(map(str, paths[:3])))
