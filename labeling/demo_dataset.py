"""The dataset of the demonstration: doodles tagbox draws itself, kept as ndjson, composed into labelled scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.doodles import draw_doodle
from collectors.files import write_atomically
from collectors.progress import Progress, no_progress
from collectors.quickdraw_formats import Drawing, format_simplified
from labeling.scene_drawings import is_for_verification
from labeling.scene_spec import SceneSpec
from labeling.scenes import SceneSummary, compose_scenes


@dataclass(frozen=True, slots=True)
class DemoDataset:
    """Where the demonstration's data lies, and what is in it."""

    data_root: Path
    drawings_root: Path
    num_drawings: int
    scenes: SceneSummary


def make_demo_dataset(
    root: Path,
    *,
    categories: Sequence[str],
    drawings_per_category: int,
    training_scenes: int,
    verification_scenes: int,
    seed: int,
    size: tuple[int, int] = (320, 240),
    spec: SceneSpec | None = None,
    jobs: int = 1,
    progress: Progress = no_progress,
) -> DemoDataset:
    """Draw doodles and compose a labelled dataset from them; running it again writes only what is not there.

    Args:
        root: Gets ``drawings/<category>.ndjson`` and ``data/<category>/{training,verification}/``.
        categories: Names out of `collectors.doodles.doodle_categories`.
        drawings_per_category: How many doodles to draw of each, and a few more where chance gives one split none;
            about a fifth are for verification only.
        training_scenes: Training scenes a category.
        verification_scenes: Verification scenes a category.
        seed: Decides every drawing and every scene.
        size: Width and height of the pictures in pixels; ignored when ``spec`` is given.
        spec: The recipe of the scenes; ``None`` takes the standard one.
        jobs: Processes that compose; the bytes do not depend on it.
        progress: Told of drawings first and of scenes after, counted together.

    Returns:
        Where everything lies, and the account of the scenes.

    Raises:
        ConfigError: A category that cannot be drawn, or a recipe that cannot.
        InputError: The disk refuses a file.
    """
    spec = spec or SceneSpec(width=size[0], height=size[1])
    total = (drawings_per_category + training_scenes + verification_scenes) * len(categories)
    drawings: dict[str, list[Drawing]] = {}
    for number, category in enumerate(categories):
        drawings[category] = _draw(category, drawings_per_category, seed, spec.verification_share)
        path = root / "drawings" / f"{category}.ndjson"
        content = b"".join(format_simplified(drawing) for drawing in drawings[category])
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)
        progress((number + 1) * drawings_per_category, total, f"drew {category}")
    drawn = len(categories) * drawings_per_category
    summary = compose_scenes(
        drawings,
        root / "data",
        spec=spec,
        training=training_scenes,
        verification=verification_scenes,
        seed=seed,
        jobs=jobs,
        overwrite=True,
        progress=lambda done, _total, note="": progress(drawn + done, total, note or "scenes"),
    )
    num_drawings = sum(len(pool) for pool in drawings.values())
    return DemoDataset(root / "data", root / "drawings", num_drawings, summary)


def _draw(category: str, count: int, seed: int, verification_share: float) -> list[Drawing]:
    """Draw ``count`` doodles, and on until training and verification have one each."""
    drawn: list[Drawing] = []
    dealt: set[bool] = set()
    while len(drawn) < count or len(dealt) < 2:
        drawn.append(draw_doodle(category, len(drawn), seed=seed))
        dealt.add(is_for_verification(drawn[-1].key_id, verification_share))
    return drawn
