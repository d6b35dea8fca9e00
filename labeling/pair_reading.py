"""Reading the files of a data set, several at once: each XML taken apart, each labelled picture decoded to its end."""

import hashlib
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from collectors.progress import Progress
from labeling.annotations import LabeledObject
from labeling.check_cache import CheckCache, Signature
from labeling.dataset import LabelFile
from labeling.image_probe import ImageFacts, probe_bytes, unreadable
from labeling.salvage import salvage
from labeling.voc_reader import MAX_BYTES, Problem, Reading, examine

# Pairs a task: handing one pair at a time to a thread costs as much as reading its XML.
_BATCH = 16


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What one pair is: everything that needs a file opened.

    Attributes:
        reading: What the reader made of the XML.
        xml_sha256: Hex digest of the XML's bytes; empty when it could not be read.
        image: What the picture is; ``None`` when there is none, or more than one.
        salvaged: Objects that can still be read of an XML that is cut off.
    """

    reading: Reading
    xml_sha256: str
    image: ImageFacts | None
    salvaged: tuple[LabeledObject, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    facts: PairFacts
    xml_signature: Signature | None
    image_signature: Signature | None


def read_pairs(
    labels: Sequence[LabelFile],
    *,
    progress: Progress,
    jobs: int,
    with_looks: bool = False,
    cache: CheckCache | None = None,
) -> list[PairFacts]:
    """Read and decode every pair, in the order given; what the cache knows of unchanged files is not read again.

    Args:
        labels: The pairs.
        progress: Called after each pair.
        jobs: Threads. Decoding runs outside Python's lock.
        with_looks: Describe what the pictures look like, too.
        cache: Asked before a file is read, and told afterwards; saving it is up to the caller.
    """
    total = len(labels)
    found: list[PairFacts | None] = [None] * total
    missing = []
    done = 0
    progress(0, total)
    for index, label in enumerate(labels):
        facts = cache.recall(label, with_looks) if cache is not None else None
        if facts is None:
            missing.append(index)
        else:
            found[index] = facts
            done += 1
            progress(done, total)
    for index, read in _read_all(labels, missing, jobs, with_looks, cache):
        found[index] = read.facts
        if cache is not None:
            cache.remember(labels[index], read.facts, read.xml_signature, read.image_signature, with_looks)
        done += 1
        progress(done, total)
    return [facts for facts in found if facts is not None]


def _read_all(
    labels: Sequence[LabelFile], missing: list[int], jobs: int, with_looks: bool, cache: CheckCache | None
) -> Iterator[tuple[int, _Read]]:
    def read_batch(batch: list[int]) -> list[tuple[int, _Read]]:
        return [(index, _read(labels[index], with_looks, cache)) for index in batch]

    size = max(1, min(_BATCH, len(missing) // (4 * jobs)))
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]
    # Pillow tells of large pictures by a warning; here they become findings.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if jobs == 1 or len(missing) < 2:
            for batch in batches:
                yield from read_batch(batch)
            return
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            try:
                for answers in pool.map(read_batch, batches):
                    yield from answers
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _read(label: LabelFile, with_look: bool, cache: CheckCache | None) -> _Read:
    image, image_signature = None, None
    if len(label.image_paths) == 1:
        image, image_signature = _read_image(label.image_paths[0], with_look, cache)
    try:
        content, xml_signature = _content_of(label.xml_path, MAX_BYTES + 1)
    except OSError as error:
        problem = Problem("X12", None, None, error.strerror or str(error), "a readable file")
        return _Read(PairFacts(Reading(None, (problem,)), "", image), None, image_signature)
    reading = examine(content)
    is_broken = reading.annotation is None and reading.problems[0].code == "X01"
    facts = PairFacts(
        reading, hashlib.sha256(content).hexdigest(), image, salvaged=salvage(content) if is_broken else ()
    )
    return _Read(facts, xml_signature, image_signature)


def _read_image(path: Path, with_look: bool, cache: CheckCache | None) -> tuple[ImageFacts, Signature | None]:
    try:
        content, signature = _content_of(path, -1)
    except OSError as error:
        return unreadable(error), None
    digest = hashlib.sha256(content).hexdigest()
    known = cache.picture(digest, with_look) if cache is not None else None
    return known or probe_bytes(content, digest=digest, with_look=with_look), signature


def _content_of(path: Path, limit: int) -> tuple[bytes, Signature | None]:
    """Read a file, with the signature it had before: a change while it is read makes the next run read it again."""
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - twice as fast as Path.open on small files
        signature = Signature.of(os.fstat(stream.fileno()), time.time_ns())
        content = stream.readall() if limit < 0 else _at_most(stream.fileno(), limit)
    return content, signature


def _at_most(descriptor: int, limit: int) -> bytes:
    parts = []
    while limit and (part := os.read(descriptor, limit)):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
