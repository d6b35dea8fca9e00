"""``tagbox records drawings``: classification records of millions of drawings."""

from pathlib import Path
from typing import Any

import click

from records.plan import SPLITS
from scripts import exit_codes
from scripts.classification_output import print_classification_report, progress_of_phases
from scripts.options import json_option

_PATH = click.Path(path_type=Path)
_OLDER_FLAGS = ("src", "train_dst", "eval_dst")


@click.command()
@click.argument("source", metavar="[SRC]", type=_PATH, required=False)
@click.option("--out", type=_PATH, help="Folder of the records.  [default: records]")
@click.option("--class", "labels", multiple=True, metavar="NAME", help="Only this class; repeat it for more.")
@click.option("--train-size", "--train_size", type=click.IntRange(min=0), help="Drawings of each class for training.")
@click.option("--eval-size", "--eval_size", type=click.IntRange(min=0), help="Drawings of each class for verification.")
@click.option(
    "--eval-share", type=click.FloatRange(0, 1), help="Without sizes: share for verification.  [default: 0.1]"
)
@click.option("--size", "side", type=int, metavar="PX", help="Width and height.  [default: of the bitmaps, else 28]")
@click.option(
    "--line-width", type=float, default=16.0, show_default=True, help="Pen width of strokes; the canvas is 256 wide."
)
@click.option("--padding", type=float, default=16.0, show_default=True, help="Border around the canvas of strokes.")
@click.option(
    "--encoding",
    type=click.Choice(["raw", "png", "jpeg"]),
    default="raw",
    show_default=True,
    help="A byte a pixel, or picture files as Model Garden's decoder reads them.",
)
@click.option("--strokes", is_flag=True, help="Keep the strokes one by one too, so that training can leave some out.")
@click.option("--label-map", type=_PATH, help="Use the ids of this label map.")
@click.option("--shards", type=click.IntRange(min=1), help="Files of each record.  [default: one for every 32 MB]")
@click.option("--salt", default="tagbox", show_default=True, help="Another one makes another choice and order.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many processes; the bytes do not depend on it.")
@click.option("--dry-run", is_flag=True, help="Read and plan; write nothing.")
@json_option
@click.option("--src", type=_PATH, help="With the flags of the older script: the folder of the drawings,")
@click.option("--train_dst", type=_PATH, help="the training record (a file or a folder),")
@click.option("--eval_dst", type=_PATH, help="and the verification record.")
def drawings(
    source: Path | None,
    out: Path | None,
    labels: tuple[str, ...],
    train_size: int | None,
    eval_size: int | None,
    eval_share: float | None,
    side: int | None,
    line_width: float,
    padding: float,
    encoding: str,
    strokes: bool,
    label_map: Path | None,
    shards: int | None,
    salt: str,
    jobs: int | None,
    dry_run: bool,
    as_json: bool,
    **older: Any,
) -> int:
    """Build one training and one verification record of the drawings in SRC, shuffled as a whole.

    SRC has one file a class (cat.npy, cat.ndjson, cat.bin), or one folder of pictures a class. Which drawing goes where
    follows from its content: the same again whatever is added, and never in both.

    Exit codes: 0 every drawing is accounted for, 5 some are refused, 6 a source cannot be used or has too few, 2 wrong
    usage.
    """
    from records.drawing_selection import SplitSizes
    from records.drawings import DrawingOptions, build_drawing_records
    from records.stroke_style import StrokeStyle

    src, targets = _places(source, out, older)
    if eval_share is not None and (train_size is not None or eval_size is not None):
        raise click.UsageError("--eval-share does not go with --train-size and --eval-size.")
    share = {} if eval_share is None else {"eval_share": eval_share}
    options = DrawingOptions(
        sizes=SplitSizes(train_size, eval_size, salt=salt, **share),
        side=side,
        style=StrokeStyle(line_width, padding),
        encoding=encoding,
        with_layers=strokes,
        labels=labels or None,
        num_shards=shards,
        label_map_path=label_map,
    )
    with progress_of_phases("read", "write") as (reading, writing):
        report = build_drawing_records(
            src, targets, options, progress=writing, index_progress=reading, jobs=jobs, dry_run=dry_run
        )
    print_classification_report(report, as_json=as_json, noun="drawings")
    return exit_codes.PARTLY_DONE if report.num_refused else exit_codes.DONE


def _places(source: Path | None, out: Path | None, older: dict[str, Any]) -> tuple[Path, dict[str, Path]]:
    """Return the source folder and the record file of each split, from either set of flags."""
    given = [name for name in _OLDER_FLAGS if older[name] is not None]
    if not given:
        if source is None:
            raise click.UsageError("Missing argument 'SRC', the folder of the drawings.")
        folder = out or Path("records")
        return source, {split: folder / f"drawings_{split}.record" for split in SPLITS}
    if source is not None and older["src"] is None:
        older["src"], source = source, None
    if source is not None or out is not None:
        raise click.UsageError(f"SRC and --out do not go with --{given[0]}: use either these or --src.")
    missing = [name for name in _OLDER_FLAGS if older[name] is None]
    if missing:
        raise click.UsageError(f"--{missing[0]} is missing: the flags of the older script go together.")
    targets = (older["train_dst"], older["eval_dst"])
    return older["src"], {split: _record_file(path, split) for split, path in zip(SPLITS, targets, strict=True)}


def _record_file(path: Path, split: str) -> Path:
    """A folder means a record of the usual name in it; anything without a suffix is taken for a folder."""
    return path / f"drawings_{split}.record" if path.is_dir() or not path.suffix else path
