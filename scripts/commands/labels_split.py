"""``tagbox labels split``: move labelled pictures from unlabeled/ into training/ and verification/."""

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes
from scripts.commands.repair_history import (
    finish_interrupted,
    history_options,
    own_label_map,
    show_history,
    undo_repair,
)
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from labeling.splits import HeldBack, SplitPlan

_DIRECTORY = click.Path(path_type=Path)
_NAMED_AT_MOST = 20


@click.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--apply", "is_applied", is_flag=True, help="Move the files. Without it nothing is moved.")
@click.option("--verification", "share", type=click.FloatRange(0, 0.9),
              help="Share of pictures for verification. [default: that of the last split, 0.1 at first]")  # fmt: skip
@click.option("--freeze", "is_frozen", is_flag=True, help="Add nothing to verification.")
@click.option("--by-blog", is_flag=True, help="Keep pictures of one blog in one split, too.")
@click.option("--with-negatives", is_flag=True, help="Take pictures without objects that nobody verified, too.")
@click.option("--salt", help="Any word; another word makes another split. [default: that of the last split]")
@click.option("--label-map", "label_map_path", type=_DIRECTORY, help="Labels allowed. [default: DIR/label_map.pbtxt]")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads that read and decode. [default: one a processor]")
@history_options
@json_option
def split(
    root: Path,
    is_applied: bool,
    share: float | None,
    is_frozen: bool,
    by_blog: bool,
    with_negatives: bool,
    salt: str | None,
    label_map_path: Path | None,
    class_names: tuple[str, ...],
    jobs: int | None,
    undo: str | None,
    is_listed: bool,
    as_json: bool,
) -> int:
    """Move labelled pictures from unlabeled/ into training/ and verification/.

    Copies, look-alikes (mirrored ones too) and pictures of one post stay together. Pictures that are placed already
    never move, and what resembles them follows them. Verification gets its share of every class, label, size of box and
    of the negatives. Run it again whenever more is labelled.

    Exit codes: 0 done, or shown, 5 some labelled pictures were held back (each is named with the reason), 6 no such
    folder or nothing labelled in it.
    """
    if is_listed:
        return show_history(root, as_json)
    if undo is not None:
        return undo_repair(root, undo, as_json)
    from labeling.check_cache import CheckCache
    from labeling.labelled_pictures import look_at_labels
    from labeling.provenance import blogs_by_picture, posts_by_picture
    from labeling.repair_log import dataset_root_of
    from labeling.splits import DEFAULT_SALT, DEFAULT_SHARE, SplitOptions, apply_split, plan_split, read_split_record

    finish_interrupted(root, is_applied=is_applied)
    with progress("looking") as advance:
        labelled = look_at_labels(
            root,
            label_map=own_label_map(root, label_map_path),
            class_names=class_names or None,
            progress=advance,
            jobs=jobs,
            cache=CheckCache(root) if root.is_dir() else None,
        )
    data_root = dataset_root_of(root)
    record = read_split_record(root)
    last_salt = record["salt"] if record is not None else DEFAULT_SALT
    if record is not None and salt not in (None, last_salt):
        say(f"the last split had the salt {last_salt!r}; pictures placed then stay where they are")
    if share is None:
        share = record["share"] if record is not None else DEFAULT_SHARE
    options = SplitOptions(share, salt or last_salt, is_frozen, with_negatives)
    blogs = blogs_by_picture(data_root) if by_blog else None
    plan = plan_split(labelled, options, posts=posts_by_picture(data_root), blogs=blogs)
    for line in plan.verification_changes:
        say(f"verification changed since the last split: {line}")
    held, repair_id = plan.held, None
    if is_applied:
        with progress("moving") as advance:
            repair, blocked = apply_split(plan, advance)
        held, repair_id = (*held, *blocked), repair.id if repair is not None else None
    if as_json:
        write_json(_as_json(plan, held) | {"repair": repair_id, "dry_run": not is_applied})
    else:
        _show(plan, held)
    if repair_id is not None:
        say(f"to take it back: tagbox labels split {shlex.quote(str(root))} --undo {repair_id}")
    elif plan.assignments:
        say("dry run: nothing was moved; to move them add --apply")
    if plan.verification_changes:
        say("verification is written down as it is now" if repair_id is not None else
            "look at the changes; --apply writes verification down as it is now")  # fmt: skip
    return exit_codes.PARTLY_DONE if held and is_applied else exit_codes.DONE


def _show(plan: "SplitPlan", held: "tuple[HeldBack, ...]") -> None:
    if not plan.assignments:
        click.echo("nothing to move")
    else:
        rows = [
            ["/".join(one.stratum[1:]), one.stratum[0], str(one.total - one.verification), str(one.verification),
             f"{one.verification / one.total:.0%}" if one.total else "-"]
            for one in sorted(plan.balance, key=lambda one: one.stratum[1:])
        ]  # fmt: skip
        write_table(["class", "what", "training", "verification", "share"], rows, right={2, 3, 4})
        counts = Counter(one.split for one in plan.assignments)
        click.echo(
            f"{len(plan.assignments)} labelled pictures in {plan.num_groups} groups: {counts['training']} to training, "
            f"{counts['verification']} to verification"
        )
    for one in plan.assignments:
        if one.split == "verification":
            say(f"to verification: {one.picture.label.xml_path} ({one.reason})")
    for kept in held[:_NAMED_AT_MOST]:
        say(f"held back: {kept.path}: {kept.code}: {kept.reason}")
    if len(held) > _NAMED_AT_MOST:
        say(f"... and {len(held) - _NAMED_AT_MOST} more held back; --json names them all")
    if plan.num_unlabelled:
        say(f"{plan.num_unlabelled} pictures in unlabeled/ have no XML yet")


def _as_json(plan: "SplitPlan", held: "tuple[HeldBack, ...]") -> dict[str, Any]:
    return {
        "root": str(plan.root),
        "salt": plan.options.salt,
        "share": plan.options.share,
        "groups": plan.num_groups,
        "moves": [
            {"xml": str(one.picture.label.xml_path), "class": one.picture.class_name, "split": one.split,
             "reason": one.reason}
            for one in plan.assignments
        ],
        "held": [{"xml": str(one.path), "code": one.code, "reason": one.reason} for one in held],
        "unlabelled": plan.num_unlabelled,
        "verification_changes": list(plan.verification_changes),
        "balance": [
            {"stratum": list(one.stratum), "total": one.total, "verification": one.verification,
             "target": round(one.target, 3)}
            for one in plan.balance
        ],
    }  # fmt: skip
