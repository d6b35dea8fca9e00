"""A labelled dataset from drawings: scenes with exact boxes, as LabelImg-style XML beside JPEG pictures.

Scene number ``index`` of a class and split is a pure function of the drawings, the recipe and the seed, so the bytes
do not depend on how many processes compose, and running again after a kill finishes the job. Training and
verification scenes share no drawing; see `labeling.scene_drawings`.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically
from collectors.processes import process_pool, submit_all
from collectors.progress import Progress, no_progress
from collectors.quickdraw_formats import Drawing
from labeling.annotations import Annotation
from labeling.dataset import SPLITS
from labeling.label_map import LabelMap, read_label_map, write_label_map
from labeling.scene_composition import Scene, compose_scene
from labeling.scene_drawings import ScenePool, pool_drawings
from labeling.scene_spec import SceneSpec
from labeling.voc import format_annotation

_CHUNK = 8  # Scenes composed between two reports.
_WORTH_A_PROCESS = 100  # A process takes a second to start, in which another composes this many.
_WRITERS = 4  # Waiting for the disk costs no processor: several files are flushed at once.


@dataclass(frozen=True, slots=True)
class SceneSummary:
    """What became of the scenes asked for: ``written + unchanged + kept`` is their number.

    Attributes:
        written: Scenes of which a file was written (or would be, in a dry run).
        unchanged: Scenes that lay there already, byte for byte.
        kept: Scenes of which a file differs from what the recipe makes and was left alone.
        kept_files: Those files, sorted.
        objects: Labelled doodles by split and category.
        drawings: Drawings in use, by split and category.
        refused_drawings: Drawings not in use, by category and code (``duplicate``, ``no-extent``).
    """

    written: int
    unchanged: int
    kept: int
    kept_files: tuple[Path, ...]
    objects: dict[str, dict[str, int]]
    drawings: dict[str, dict[str, int]]
    refused_drawings: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class _Job:
    """Everything a process needs to compose any scene of the set."""

    pool: ScenePool
    categories: tuple[str, ...]
    data_root: Path
    spec: SceneSpec
    seed: int
    single_folder: str | None
    overwrite: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _Order:
    """One scene to compose."""

    split: str
    category: str
    index: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one scene: ``written``, ``unchanged`` or ``kept``."""

    split: str
    state: str
    kept_files: tuple[Path, ...]
    labels: tuple[str, ...]


def compose_scenes(
    drawings: Mapping[str, Sequence[Drawing]],
    data_root: Path,
    *,
    spec: SceneSpec,
    training: int,
    verification: int,
    seed: int,
    jobs: int = 1,
    single_folder: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> SceneSummary:
    """Write ``data_root/<category>/{training,verification}/*.xml`` and ``images/*.jpg``.

    A scene belongs to the folder of one category, its main one, which is sure to be in it; every other doodle of a
    labelled category in it is labelled as well. ``data_root/label_map.pbtxt`` is extended with all of them.

    Args:
        drawings: Drawings by category. The labelled categories are all but ``spec.clutter``.
        data_root: The dataset root; made when missing.
        spec: The recipe.
        training: Training scenes a category.
        verification: Verification scenes a category.
        seed: Another seed makes other scenes from the same drawings.
        jobs: Processes; the bytes do not depend on it.
        single_folder: Put all scenes into one class folder of this name instead of one a category.
        overwrite: Replace files that differ from what the recipe makes; otherwise they are kept and named, for they
            may hold somebody's corrections.
        dry_run: Compose, compare and count as usual, write nothing.
        progress: Told of every few scenes.

    Returns:
        The account.

    Raises:
        ConfigError: No labelled category, a name that cannot be a folder, a negative number of scenes.
        InputError: A category has no drawing for a split, a photograph cannot be read, the disk refuses a file.
    """
    if training < 0 or verification < 0 or jobs < 1:
        raise ConfigError("the numbers of scenes must not be negative, and jobs at least 1", where="scenes")
    categories = _labelled_categories(drawings, spec, single_folder)
    counts = {"training": training, "verification": verification}
    pool = pool_drawings(drawings, spec.verification_share, [split for split in SPLITS if counts[split]])
    job = _Job(pool, categories, data_root, spec, seed, single_folder, overwrite, dry_run)
    orders = [_Order(split, category, i) for split in SPLITS for category in categories for i in range(counts[split])]
    if orders and not dry_run:
        _extend_label_map(data_root / "label_map.pbtxt", categories)
    objects: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    states: Counter[str] = Counter()
    kept_files: list[Path] = []
    done = 0
    for outcomes in _outcomes(job, orders, jobs):
        for outcome in outcomes:
            states[outcome.state] += 1
            kept_files += outcome.kept_files
            objects[outcome.split].update(outcome.labels)
        done += len(outcomes)
        progress(done, len(orders))
    return SceneSummary(
        written=states["written"],
        unchanged=states["unchanged"],
        kept=states["kept"],
        kept_files=tuple(sorted(kept_files)),
        objects={split: dict(sorted(counter.items())) for split, counter in objects.items()},
        drawings=pool.counts(),
        refused_drawings=pool.refused,
    )


def _labelled_categories(
    drawings: Mapping[str, Sequence[Drawing]], spec: SceneSpec, single_folder: str | None
) -> tuple[str, ...]:
    missing = sorted(set(spec.clutter) - set(drawings))
    if missing:
        raise ConfigError(f"there are no drawings of the clutter category {missing[0]!r}", where="scenes")
    categories = tuple(sorted(set(drawings) - set(spec.clutter)))
    if not categories:
        raise ConfigError("no category is left to label", where="scenes", fix="Give drawings that are not clutter.")
    stems: dict[str, str] = {}
    for name in [*categories, *([] if single_folder is None else [single_folder])]:
        if not name or name.strip(" .") != name or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name):
            raise ConfigError(f"{name!r} cannot be the name of a folder", where="scenes", fix="Rename the category.")
    for name in categories:
        other = stems.setdefault(_stem(name).casefold(), name)
        if other != name:
            raise ConfigError(f"{other!r} and {name!r} would share file names", where="scenes", fix="Rename one.")
    return categories


def _extend_label_map(path: Path, categories: Sequence[str]) -> None:
    label_map = read_label_map(path) if path.exists() else LabelMap()
    extended = label_map.extended_with(categories)
    if extended != label_map:
        write_label_map(extended, path)


def _outcomes(job: _Job, orders: Sequence[_Order], jobs: int) -> Iterator[list[_Outcome]]:
    chunks = [orders[start : start + _CHUNK] for start in range(0, len(orders), _CHUNK)]
    jobs = min(jobs, len(orders) // _WORTH_A_PROCESS)
    if jobs <= 1:
        for chunk in chunks:
            yield _compose_chunk(job, chunk)
        return
    with process_pool(jobs, initializer=_start, initargs=(job,)) as pool:
        for future in as_completed(submit_all(pool, ((_compose_chunk_of_this_process, (chunk,)) for chunk in chunks))):
            yield future.result()


_jobs_of_this_process: list[_Job] = []


def _start(job: _Job) -> None:
    _jobs_of_this_process[:] = [job]


def _compose_chunk_of_this_process(orders: Sequence[_Order]) -> list[_Outcome]:
    return _compose_chunk(_jobs_of_this_process[0], orders)


def _compose_chunk(job: _Job, orders: Sequence[_Order]) -> list[_Outcome]:
    with ThreadPoolExecutor(_WRITERS) as writers:
        return [waiting.result() for waiting in [writers.submit(_store, job, o, _compose(job, o)) for o in orders]]


def _compose(job: _Job, order: _Order) -> Scene:
    name = f"tagbox scene {job.seed} {order.split} {order.category} {order.index}"
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big"))
    main = None if rng.random() < job.spec.negatives else order.category
    return compose_scene(job.spec, job.pool.drawings[order.split], categories=job.categories, main=main, rng=rng)


def _stem(category: str) -> str:
    return category.replace(" ", "_")


def _store(job: _Job, order: _Order, scene: Scene) -> _Outcome:
    folder = job.data_root / (job.single_folder or order.category) / order.split
    stem = f"{_stem(order.category)}_{order.split}_{order.index:05d}"
    # The picture first: an XML file says that its picture is there.
    image_path, xml_path = folder / "images" / f"{stem}.jpg", folder / f"{stem}.xml"
    states = [
        _put(job, image_path, _jpeg(scene, job.spec.jpeg_quality)),
        _put(job, xml_path, _xml(scene, image_path.name)),
    ]
    kept = tuple(path for path, state in zip((image_path, xml_path), states, strict=True) if state == "kept")
    state = "kept" if kept else "written" if "written" in states else "unchanged"
    return _Outcome(order.split, state, kept, tuple(item.name for item in scene.objects))


def _put(job: _Job, path: Path, content: bytes) -> str:
    try:
        present = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise InputError(
            f"cannot read: {error.strerror or error}", where=str(path), fix="Check the dataset folder."
        ) from error
    if present == content:
        return "unchanged"
    if present is not None and not job.overwrite:
        return "kept"
    if not job.dry_run:
        write_atomically(path, content)
    return "written"


def _jpeg(scene: Scene, quality: int) -> bytes:
    stream = io.BytesIO()
    # Thin coloured lines fray when the colour channels are halved (4:2:0).
    scene.image.save(stream, "JPEG", quality=quality, subsampling="4:4:4")
    return stream.getvalue()


def _xml(scene: Scene, filename: str) -> bytes:
    width, height = scene.image.size
    return format_annotation(Annotation(filename=filename, width=width, height=height, objects=scene.objects))
