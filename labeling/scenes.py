"""A labelled dataset from drawings: scenes with exact boxes, as LabelImg-style XML beside JPEG pictures.

Scene number ``index`` of a class and split is a pure function of the drawings, the recipe and the seed, so the bytes
do not depend on how many processes compose, and running again after a kill finishes the job. Training and
verification scenes share no drawing: a hash of a drawing's ``key_id`` alone decides where it may appear, whatever the
seed and whatever else is in the set.
"""

import hashlib
import io
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically
from collectors.progress import Progress, no_progress
from collectors.quickdraw_formats import Drawing
from labeling.annotations import Annotation
from labeling.scene_composition import Scene, compose_scene
from labeling.scene_spec import SceneSpec
from labeling.voc import format_annotation

SPLITS = ("training", "verification")

_CHUNK = 8  # Scenes a process composes between two reports.


@dataclass(frozen=True, slots=True)
class SceneSummary:
    """What became of the scenes asked for: ``written + unchanged + kept`` is their number.

    Attributes:
        written: Scenes of which a file was written.
        unchanged: Scenes that lay there already, byte for byte.
        kept: Paths of XML files or pictures that differ from what the recipe makes and were left alone.
        objects: Labelled doodles by split and category.
        drawings: Drawings that may appear, by split and category.
    """

    written: int
    unchanged: int
    kept: tuple[str, ...]
    objects: dict[str, dict[str, int]]
    drawings: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class _Job:
    """Everything a process needs to compose any scene of the set."""

    drawings: Mapping[str, Mapping[str, Sequence[Drawing]]]
    categories: tuple[str, ...]
    data_root: Path
    spec: SceneSpec
    seed: int
    overwrite: bool
    single_folder: str | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _Ask:
    """One scene to compose."""

    split: str
    category: str
    index: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of one scene."""

    split: str
    outcome: str
    kept: tuple[str, ...]
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
    overwrite: bool = False,
    single_folder: str | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> SceneSummary:
    """Write ``data_root/<category>/{training,verification}/*.xml`` and ``images/*.jpg``.

    A scene belongs to the folder of one category, its main one, which is sure to be in it; every other doodle of a
    labelled category in it is labelled as well.

    Args:
        drawings: Drawings by category. The labelled categories are all but ``spec.clutter``.
        data_root: The dataset root; made when missing.
        spec: The recipe.
        training: Training scenes a category.
        verification: Verification scenes a category.
        seed: Another seed makes other scenes from the same drawings.
        jobs: Processes; the bytes do not depend on it.
        overwrite: Replace files that differ from what the recipe makes; otherwise they are kept and named.
        single_folder: Put all scenes into one folder of this name instead of one a category.
        dry_run: Count and name as usual, write nothing.
        progress: Told of every few scenes.

    Returns:
        The account.

    Raises:
        ConfigError: No labelled category, a name that cannot be a folder, a negative number of scenes.
        InputError: A category has no drawing for a split, a photograph cannot be read, the disk refuses a file.
    """
    if training < 0 or verification < 0 or jobs < 1:
        raise ConfigError("the numbers of scenes must not be negative, and jobs at least 1", where="scenes")
    categories = tuple(sorted(set(drawings) - set(spec.clutter)))
    if not categories:
        raise ConfigError("no category is left to label", where="scenes", fix="Give drawings that are not clutter.")
    for name in [*categories, *([] if single_folder is None else [single_folder])]:
        _check_folder_name(name)
    missing = sorted(set(spec.clutter) - set(drawings))
    if missing:
        raise ConfigError(f"there are no drawings of the clutter category {missing[0]!r}", where="scenes")
    counts = {"training": training, "verification": verification}
    split = {name: _drawings_of(drawings, name, spec.verification_share) for name in SPLITS if counts[name]}
    job = _Job(split, categories, data_root, spec, seed, overwrite, single_folder, dry_run)
    asks = [_Ask(name, category, i) for name in SPLITS for category in categories for i in range(counts[name])]
    objects: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    outcomes: Counter[str] = Counter()
    kept: list[str] = []
    for done, answer in enumerate(_answers(job, asks, jobs), start=1):
        outcomes[answer.outcome] += 1
        kept += answer.kept
        objects[answer.split].update(answer.labels)
        progress(done, len(asks))
    return SceneSummary(
        written=outcomes["written"],
        unchanged=outcomes["unchanged"],
        kept=tuple(sorted(kept)),
        objects={name: dict(sorted(counter.items())) for name, counter in objects.items()},
        drawings={name: {word: len(pool) for word, pool in sorted(split.get(name, {}).items())} for name in SPLITS},
    )


def is_for_verification(key_id: str, share: float) -> bool:
    """Say whether a drawing may appear in verification scenes only; depends on nothing but its id."""
    digest = hashlib.sha256(f"tagbox split {key_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * (1 << 64)


def _drawings_of(drawings: Mapping[str, Sequence[Drawing]], split: str, share: float) -> dict[str, list[Drawing]]:
    """Return the drawings one split may use, each once, in an order that no file order decides."""
    chosen: dict[str, list[Drawing]] = {}
    for category, pool in drawings.items():
        unique = {d.key_id: d for d in pool if is_for_verification(d.key_id, share) == (split == "verification")}
        if not unique:
            raise InputError(
                f"none of the {len(pool)} drawings of {category!r} falls to {split}",
                where="scenes",
                fix="Give more drawings of it, or change the verification share.",
            )
        chosen[category] = [unique[key] for key in sorted(unique)]
    return chosen


def _check_folder_name(name: str) -> None:
    if not name or name.strip(" .") != name or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name):
        raise ConfigError(f"the category {name!r} cannot be the name of a folder", where="scenes")


def _answers(job: _Job, asks: Sequence[_Ask], jobs: int) -> Iterator[_Answer]:
    if jobs == 1 or len(asks) <= _CHUNK:
        for ask in asks:
            yield _do(job, ask)
        return
    # Fresh processes: a forked child of a program with threads (TensorFlow's) can hang.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(job,))
    try:
        waiting: list[Future[list[_Answer]]] = [
            pool.submit(_do_chunk, asks[start : start + _CHUNK]) for start in range(0, len(asks), _CHUNK)
        ]
        for future in as_completed(waiting):
            yield from future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_job_of_this_process: list[_Job] = []


def _start(job: _Job) -> None:
    # Ctrl-C reaches the whole group; the parent decides, the children finish the scene in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _job_of_this_process[:] = [job]


def _do_chunk(asks: Sequence[_Ask]) -> list[_Answer]:
    return [_do(_job_of_this_process[0], ask) for ask in asks]


def _do(job: _Job, ask: _Ask) -> _Answer:
    seed = hashlib.sha256(f"tagbox scene {job.seed} {ask.split} {ask.category} {ask.index}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    main = None if rng.random() < job.spec.negatives else ask.category
    scene = compose_scene(job.spec, job.drawings[ask.split], categories=job.categories, main=main, rng=rng)
    folder = job.data_root / (job.single_folder or ask.category) / ask.split
    stem = f"{ask.category.replace(' ', '_')}_{ask.split}_{ask.index:05d}"
    labels = tuple(item.name for item in scene.objects)
    outcomes = [
        _put(job, folder / "images" / f"{stem}.jpg", _jpeg(scene, job.spec.jpeg_quality)),
        _put(job, folder / f"{stem}.xml", _xml(scene, f"{stem}.jpg")),
    ]
    kept = tuple(path for outcome, path in outcomes if outcome == "kept")
    outcome = "kept" if kept else "written" if any(name == "written" for name, _ in outcomes) else "unchanged"
    return _Answer(ask.split, outcome, kept, labels)


def _put(job: _Job, path: Path, content: bytes) -> tuple[str, str]:
    try:
        present: bytes | None = path.read_bytes()
    except FileNotFoundError:
        present = None
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path), fix="Check the dataset folder.") from error
    if present == content:
        return "unchanged", str(path)
    if present is not None and not job.overwrite:
        return "kept", str(path)
    if not job.dry_run:
        write_atomically(path, content)
    return "written", str(path)


def _jpeg(scene: Scene, quality: int) -> bytes:
    stream = io.BytesIO()
    # Thin coloured lines fray when the colour channels are halved (4:2:0).
    Image.fromarray(scene.image).save(stream, "JPEG", quality=quality, subsampling="4:4:4")
    return stream.getvalue()


def _xml(scene: Scene, filename: str) -> bytes:
    height, width, depth = scene.image.shape
    annotation = Annotation(filename=filename, width=width, height=height, depth=depth, objects=scene.objects)
    text = format_annotation(annotation)
    return text.encode() if isinstance(text, str) else text
