"""``tagbox labels audit``: leaks between the splits, and pictures that are half-labelled in two classes."""

import functools
import shlex
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
    from collections.abc import Callable, Iterator

    from labeling.audit import AuditReport
    from labeling.file_changes import Change
    from labeling.labelled_pictures import LabelledSet

    _Wanted = tuple[str, str, Callable[[], list[Change]]]  # files, a note, what makes the changes

_DIRECTORY = click.Path(path_type=Path)


@click.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--suggest-moves", is_flag=True, help="Say which pairs to move to mend the leaks.")
@click.option("--to", "target", type=click.Choice(["verification", "training"]), default="verification",
              show_default=True, help="Where leaking pictures are to go.")  # fmt: skip
@click.option("--merge", is_flag=True, help="Give half-labelled copies the objects of each other.")
@click.option("--apply", "is_applied", is_flag=True, help="Carry out --suggest-moves and --merge.")
@click.option("--by-blog", is_flag=True, help="Pictures of one blog in both splits are leaks, too.")
@click.option("--label-map", "label_map_path", type=_DIRECTORY, help="Labels allowed. [default: DIR/label_map.pbtxt]")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads that read and decode. [default: one a processor]")
@history_options
@json_option
def audit(
    root: Path,
    suggest_moves: bool,
    target: str,
    merge: bool,
    is_applied: bool,
    by_blog: bool,
    label_map_path: Path | None,
    class_names: tuple[str, ...],
    jobs: int | None,
    undo: str | None,
    is_listed: bool,
    as_json: bool,
) -> int:
    """Find pictures that lie in both splits, and pictures half-labelled in two class folders.

    Compares bytes, looks (saved again, resized, mirrored) and posts, across splits and classes. A photograph in cat/
    and dog/ with only its cats and only its dogs labelled teaches both classes to overlook the other.

    Exit codes: 0 clean, or mended, 1 leaks, half-labelled pictures or a verification set that changed since the last
    split, 5 some could not be mended, 6 no such folder.
    """
    if is_listed:
        return show_history(root, as_json)
    if undo is not None:
        return undo_repair(root, undo, as_json)
    from labeling.audit import audit_labels
    from labeling.check_cache import CheckCache
    from labeling.labelled_pictures import look_at_labels
    from labeling.provenance import blogs_by_picture, posts_by_picture
    from labeling.repair_log import dataset_root_of

    finish_interrupted(root, is_applied=is_applied)
    data_root = dataset_root_of(root)
    label_map = own_label_map(root, label_map_path)

    def look() -> "tuple[LabelledSet, AuditReport]":
        with progress("looking") as advance:
            labelled = look_at_labels(
                root,
                label_map=label_map,
                class_names=class_names or None,
                progress=advance,
                jobs=jobs,
                cache=CheckCache(root) if root.is_dir() else None,
            )
        blogs = blogs_by_picture(data_root) if by_blog else None
        return labelled, audit_labels(labelled, posts=posts_by_picture(data_root), blogs=blogs, to=target)

    labelled, report = look()
    repair_ids: list[str] = []
    failed: list[str] = []
    # One after the other: a file that was moved is merged where it lies then.
    if is_applied and suggest_moves and report.moves:
        _apply(labelled, _moves(report), repair_ids, failed)
    if is_applied and merge and report.half_labelled:
        _apply(labelled, _merges(look()[1] if repair_ids else report), repair_ids, failed)
    if as_json:
        write_json(_as_json(report) | {"repairs": repair_ids, "failed": failed})
    else:
        _show(report, suggest_moves=suggest_moves)
    for line in failed:
        say(f"error: {line}")
    if is_applied:
        for repair_id in reversed(repair_ids):
            say(f"to take it back: tagbox labels audit {shlex.quote(str(root))} --undo {repair_id}")
        return exit_codes.PARTLY_DONE if failed else exit_codes.DONE
    if report.half_labelled and not merge:
        say(f"to give the copies each other's objects: tagbox labels audit {shlex.quote(str(root))} --merge --apply")
    if report.verification_changes:
        say(f"to take verification as it is now: tagbox labels split {shlex.quote(str(root))} --apply")
    is_clean = not (report.leaks or report.half_labelled or report.verification_changes)
    return exit_codes.DONE if is_clean else exit_codes.FINDINGS


def _moves(report: "AuditReport") -> "Iterator[_Wanted]":
    from labeling.audit import move_changes

    for move in report.moves:
        path = str(move.picture.label.xml_path)
        yield path, f"{path} to {move.split}: {move.reason}", functools.partial(move_changes, move)


def _merges(report: "AuditReport") -> "Iterator[_Wanted]":
    from labeling.audit import merge_changes

    for half in report.half_labelled:
        names = _names(half.copies)
        yield names, f"objects merged: {names}", functools.partial(merge_changes, half)


def _apply(
    labelled: "LabelledSet",
    wanted: "Iterator[_Wanted]",
    repair_ids: list[str],
    failed: list[str],
) -> None:
    """Carry out changes as one repair; its id, and what could not be done, are added to the lists."""
    from labeling.repair_log import RepairLog, dataset_root_of
    from labeling.xml_edit import NotEditableError

    draft = RepairLog(dataset_root_of(labelled.root)).begin("audit")
    try:
        for names, note, changes_of in wanted:
            try:
                reason = draft.add(changes_of(), [note])
            except (NotEditableError, OSError) as error:
                reason = str(error)
            failed += [f"{names}: {reason}"] if reason else []
    except BaseException:
        draft.discard()
        raise
    if not len(draft):
        draft.discard()
        return
    with progress("mending") as advance:
        repair, left = draft.apply(advance)
    repair_ids.append(repair.id)
    failed += left


def _show(report: "AuditReport", *, suggest_moves: bool) -> None:
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for (class_name, split, content), count in report.counts.items():
        rows.setdefault((class_name, split), {})[content.value] = count
    kinds = ["boxes", "verified empty", "negative", "unlabelled"]
    table = [[*key, *(str(counts.get(kind, 0)) for kind in kinds)] for key, counts in sorted(rows.items())]
    write_table(["class", "split", *kinds], table, right={2, 3, 4, 5})
    for leak in report.leaks:
        detail = f" ({leak.detail})" if leak.detail else ""
        click.echo(f"leak: {leak.bond}{detail}: " + _names([*leak.verification, *leak.training]))
    for half in report.half_labelled:
        lacks = sum(map(len, half.missing))
        detail = "" if half.bond.value == "the same bytes" else f" ({half.bond}, so not merged: draw them by hand)"
        click.echo(f"half-labelled: {_names(half.copies)}: {lacks} objects stand in one of them only{detail}")
    for line in report.verification_changes:
        click.echo(f"verification changed since the last split: {line}")
    if suggest_moves:
        for move in report.moves:
            click.echo(f"move {move.picture.label.xml_path} and its picture to {move.split}/: {move.reason}")
    click.echo(f"{len(report.leaks)} leaks, {len(report.half_labelled)} half-labelled pictures")


def _names(pictures: Any) -> str:
    return ", ".join(str(one.image_path) for one in pictures)


def _as_json(report: "AuditReport") -> dict[str, Any]:
    return {
        "counts": [
            {"class": name, "split": split, "content": content.value, "pictures": count}
            for (name, split, content), count in sorted(report.counts.items())
        ],
        "leaks": [
            {"bond": leak.bond.value, "detail": leak.detail,
             "training": [str(one.image_path) for one in leak.training],
             "verification": [str(one.image_path) for one in leak.verification]}
            for leak in report.leaks
        ],
        "half_labelled": [
            {"bond": half.bond.value, "pictures": [str(one.image_path) for one in half.copies],
             "missing": [[{"from": str(half.copies[other].label.xml_path), "object": index + 1}
                          for other, index in missing] for missing in half.missing]}
            for half in report.half_labelled
        ],
        "moves": [
            {"xml": str(move.picture.label.xml_path), "to": move.split, "reason": move.reason} for move in report.moves
        ],
        "verification_changes": list(report.verification_changes),
    }  # fmt: skip
