"""``tagbox labels scenes``: drawings into labelled pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from labeling.scene_drawings import LoadedDrawings
    from labeling.scenes import SceneSummary

_NAMED_AT_MOST = 10


class _Size(click.ParamType[tuple[int, int]]):
    """``640x480``."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is not a size such as 640x480", param, ctx)
        return int(parts[0]), int(parts[1])


class _Range(click.ParamType[tuple[float, float]]):
    """``2-4``, or one number for both ends."""

    def __init__(self, kind: type[int] | type[float], example: str) -> None:
        self.name = "A-B"
        self._kind = kind
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            ends = [self._kind(part) for part in str(value).split("-")]
        except ValueError:
            ends = []
        if len(ends) not in {1, 2}:
            self.fail(f"{value!r} is not a range such as {self._example}", param, ctx)
        return ends[0], ends[-1]


class _Colours(click.ParamType[tuple[tuple[int, int, int], ...]]):
    """``#1e3e8c,#b8242c``."""

    name = "#RRGGBB,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[int, int, int], ...]:
        if isinstance(value, tuple):
            return value
        colours = []
        for text in str(value).split(","):
            digits = text.strip().removeprefix("#")
            try:
                red, green, blue = bytes.fromhex(digits)
            except ValueError:
                self.fail(f"{text!r} is not a colour such as #1e3e8c", param, ctx)
            colours.append((red, green, blue))
        return tuple(colours)


@click.command()
@click.argument("drawings", metavar="DRAWINGS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", "data_root", type=click.Path(path_type=Path, file_okay=False), default=Path("data"),
              show_default=True, help="The dataset root to write to.")  # fmt: skip
@click.option("--training", type=click.IntRange(0), default=100, show_default=True, help="Scenes a category.")
@click.option("--verification", type=click.IntRange(0), default=25, show_default=True, help="Scenes a category.")
@click.option("--seed", type=int, default=1, show_default=True, help="One seed, one dataset, byte for byte.")
@click.option("--size", type=_Size(), default="320x240", show_default=True, help="Size of the pictures.")
@click.option("--objects", type=_Range(int, "2-4"), default="2-4", show_default=True, help="Doodles a scene.")
@click.option("--scale", type=_Range(float, "0.25-0.55"), default="0.25-0.55", show_default=True,
              help="Longer side of a doodle, as a share of the picture's shorter side.")  # fmt: skip
@click.option("--max-overlap", type=float, default=0.05, show_default=True,
              help="Largest share of the smaller of two boxes that the other may cover.")  # fmt: skip
@click.option("--rotation", type=float, default=12.0, show_default=True, help="Largest turn to either side, degrees.")
@click.option("--mirror", type=float, default=0.5, show_default=True, help="Share of doodles flipped left to right.")
@click.option("--line-width", type=_Range(float, "2-4.5"), help="Pen width in pixels.  [default: from the size]")
@click.option("--colours", type=_Colours(), help="Ink colours.  [default: eight pens, on photographs chalk too]")
@click.option("--background", type=click.Choice(["paper", "plain"]), default="paper", show_default=True,
              help="What to draw on, without --photos.")  # fmt: skip
@click.option("--photos", type=click.Path(path_type=Path, file_okay=False), help="Draw on the pictures of this folder.")
@click.option("--clutter", multiple=True, metavar="CATEGORY", help="Draw this category without labels; repeat it.")
@click.option("--clutter-objects", type=_Range(int, "1-2"), default="1-2", show_default=True,
              help="Unlabelled doodles a scene.")  # fmt: skip
@click.option("--negatives", type=float, default=0.0, show_default=True, help="Share of scenes without any label.")
@click.option("--verification-share", type=float, default=0.2, show_default=True,
              help="Share of the drawings that only verification scenes use.")  # fmt: skip
@click.option("--quality", type=int, default=90, show_default=True, help="JPEG quality, 1 to 95.")
@click.option("--into", metavar="FOLDER", help="One class folder for all scenes instead of one a category.")
@click.option("--recognized-only", is_flag=True, help="Leave out drawings that QuickDraw did not recognise.")
@click.option("--limit", type=click.IntRange(1), help="The most drawings to take of a category.")
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one a core]")
@click.option("--overwrite", is_flag=True, help="Replace files that differ from what would be written.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@json_option
def scenes(
    drawings: tuple[Path, ...],
    data_root: Path,
    training: int,
    verification: int,
    seed: int,
    size: tuple[int, int],
    objects: tuple[int, int],
    scale: tuple[float, float],
    max_overlap: float,
    rotation: float,
    mirror: float,
    line_width: tuple[float, float] | None,
    colours: tuple[tuple[int, int, int], ...] | None,
    background: str,
    photos: Path | None,
    clutter: tuple[str, ...],
    clutter_objects: tuple[int, int],
    negatives: float,
    verification_share: float,
    quality: int,
    into: str | None,
    recognized_only: bool,
    limit: int | None,
    jobs: int | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Compose labelled pictures from DRAWINGS, QuickDraw's simplified .ndjson files or folders of them.

    Every scene holds several doodles, with the exact box of each, in DATA/<category>/{training,verification}: XML
    as LabelImg writes it, JPEG in images/. Run it again to go on after a stop: what is there and right stays.
    """
    from collectors.processes import num_cores
    from labeling.scene_backgrounds import find_photos
    from labeling.scene_drawings import load_drawings
    from labeling.scene_spec import SceneSpec
    from labeling.scenes import compose_scenes

    pictures, bad_pictures = find_photos(photos) if photos else ((), ())
    spec = SceneSpec(
        width=size[0],
        height=size[1],
        objects=objects,
        scale=scale,
        max_overlap=max_overlap,
        rotation_deg=rotation,
        mirror=mirror,
        line_width=line_width,
        colours=colours,
        background="photos" if photos else background,
        photos=pictures,
        clutter=clutter,
        clutter_objects=clutter_objects,
        negatives=negatives,
        verification_share=verification_share,
        jpeg_quality=quality,
    )
    loaded = load_drawings(drawings, recognized_only=recognized_only, limit=limit)
    _name_some("line", [f"{path}:{line.line}: {line.reason}" for path, line in loaded.refused])
    _name_some("photograph", [f"{photo.path}: {photo.reason}" for photo in bad_pictures])
    with progress("scenes") as report:
        summary = compose_scenes(
            loaded.by_category,
            data_root,
            spec=spec,
            training=training,
            verification=verification,
            seed=seed,
            jobs=jobs or num_cores(),
            single_folder=into,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=report,
        )
    if as_json:
        write_json(_as_json(summary, loaded, len(bad_pictures), data_root, dry_run))
    else:
        _write_account(summary)
    would = "would write" if dry_run else "wrote"
    say(f"{would} {summary.written} scenes to {data_root}; {summary.unchanged} were there, {summary.kept} kept")
    if summary.kept:
        _name_some("file", [f"{path}: differs from what this recipe makes" for path in summary.kept_files])
        say("they may hold corrections of yours, so they were left alone; --overwrite replaces them")
        return exit_codes.FINDINGS
    return exit_codes.DONE


def _name_some(noun: str, lines: list[str]) -> None:
    for line in lines[:_NAMED_AT_MOST]:
        say(f"{noun} skipped: {line}")
    if len(lines) > _NAMED_AT_MOST:
        say(f"... and {len(lines) - _NAMED_AT_MOST} more {noun}s")


def _write_account(summary: "SceneSummary") -> None:
    words = sorted({word for counts in summary.drawings.values() for word in counts})
    splits = list(summary.drawings)
    headings = ["category", *(f"{split} {what}" for split in splits for what in ("drawings", "labels"))]
    rows = [
        [
            word,
            *(str(counts[split].get(word, 0)) for split in splits for counts in (summary.drawings, summary.objects)),
        ]
        for word in words
    ]
    write_table(headings, rows, right=set(range(1, len(headings))))


def _as_json(
    summary: "SceneSummary", loaded: "LoadedDrawings", bad_pictures: int, data_root: Path, dry_run: bool
) -> dict[str, Any]:
    return {
        "data": str(data_root),
        "dry_run": dry_run,
        "written": summary.written,
        "unchanged": summary.unchanged,
        "kept": summary.kept,
        "kept_files": [str(path) for path in summary.kept_files],
        "objects": summary.objects,
        "drawings": summary.drawings,
        "refused_drawings": summary.refused_drawings,
        "refused_lines": [
            {"file": str(path), "line": line.line, "code": line.code, "reason": line.reason}
            for path, line in loaded.refused
        ],
        "left_out": loaded.left_out,
        "refused_photos": bad_pictures,
    }
