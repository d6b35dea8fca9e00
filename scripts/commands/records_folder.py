"""``tagbox records folder``: classification records of pictures whose folder or tag is the label."""

from pathlib import Path

import click

from scripts import exit_codes
from scripts.classification_output import print_classification_report, progress_of_phases
from scripts.options import json_option

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="[SRC]", type=_PATH, default=Path("data"))
@click.option("--out", type=_PATH, default=Path("records"), show_default=True, help="Folder of the records.")
@click.option("--class", "labels", multiple=True, metavar="NAME", help="Only this label folder; repeat it for more.")
@click.option("--multi-label", is_flag=True, help="Several labels a picture: all its folders, and its tags.")
@click.option("--tag", "tags", multiple=True, metavar="NAME", help="With --multi-label: a label without a folder.")
@click.option("--only-tags", is_flag=True, help="Folders are no labels, only each --tag; pictures may have none.")
@click.option(
    "--eval-share", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share for verification."
)
@click.option(
    "--split-by",
    type=click.Choice(["look", "name"]),
    default="look",
    show_default=True,
    help="What keeps pictures in one split: their look and post, or the hash of the name (as retrain.py).",
)
@click.option(
    "--name-prefix", default="", metavar="TEXT", help="With name: hashed before the path; retrain.py had IMAGE_DIR/."
)
@click.option("--max-side", type=click.IntRange(min=8), metavar="PX", help="Shrink larger pictures to this side.")
@click.option("--label-map", type=_PATH, help="Use the ids of this label map.")
@click.option("--salt", default="tagbox", show_default=True, help="Another one makes another split and order.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many processes; the bytes do not depend on it.")
@click.option("--dry-run", is_flag=True, help="Check and plan; write nothing.")
@json_option
def folder(
    source: Path,
    out: Path,
    labels: tuple[str, ...],
    multi_label: bool,
    tags: tuple[str, ...],
    only_tags: bool,
    eval_share: float,
    split_by: str,
    name_prefix: str,
    max_side: int | None,
    label_map: Path | None,
    salt: str,
    jobs: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build one training and one verification record of the pictures in SRC, one folder a label.

    SRC (default: data) is a folder of label folders, or a data root as the collectors make it: there pictures in
    training/ and verification/ stay where they are, and those in unlabeled/ are shared out.

    Exit codes: 0 every picture is in, 5 some are refused, 6 nothing can be used, 2 wrong usage.
    """
    from records.picture_folder import FolderOptions, build_folder_records

    options = FolderOptions(
        labels=labels or None,
        multi_label=multi_label,
        tags=tags,
        only_tags=only_tags,
        eval_share=eval_share,
        max_side=max_side,
        salt=salt,
        label_map_path=label_map,
        split_by=split_by,
        name_prefix=name_prefix,
    )
    with progress_of_phases("check", "write") as (checking, writing):
        report = build_folder_records(
            source, out, options, progress=writing, check_progress=checking, jobs=jobs, dry_run=dry_run
        )
    print_classification_report(report, as_json=as_json, noun="pictures")
    return exit_codes.PARTLY_DONE if report.num_refused else exit_codes.DONE
