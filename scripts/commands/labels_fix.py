"""``tagbox labels fix``: mend what can be mended safely, show it first, take it back on request."""

import shlex
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.commands.repair_history import (
    finish_interrupted,
    history_options,
    own_label_map,
    show_history,
    undo_repair,
)
from scripts.options import codes_in, json_option
from scripts.output import progress, say, write_json

if TYPE_CHECKING:
    from labeling.pair_repair import LeftAlone, RepairOptions
    from labeling.repairs import RepairPlan

_DIRECTORY = click.Path(path_type=Path)
_NAMED_AT_MOST = 20


@click.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--apply", "is_applied", is_flag=True, help="Change the files. Without it nothing is written.")
@click.option("--only", multiple=True, metavar="CODES", help="Mend these codes only, such as S01,L or B.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Leave these codes alone.")
@click.option("--also", multiple=True, metavar="CODES", help="Mend these too: S03, X08, B13 have to be asked for.")
@click.option("--path", "path_style", type=click.Choice(["relative", "absolute", "blank"]), default="relative",
              show_default=True, help="What to write into a <path> that leads elsewhere.")  # fmt: skip
@click.option("--drawn-on", type=click.Choice(["stored", "turned"]),
              help="Which picture the boxes were drawn on where EXIF turns it and nothing proves it.")  # fmt: skip
@click.option("--label-map", "label_map_path", type=_DIRECTORY, help="Labels allowed. [default: DIR/label_map.pbtxt]")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads that read and decode. [default: one a processor]")
@history_options
@json_option
def fix(
    root: Path,
    is_applied: bool,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    also: tuple[str, ...],
    path_style: str,
    drawn_on: str | None,
    label_map_path: Path | None,
    class_names: tuple[str, ...],
    jobs: int | None,
    undo: str | None,
    is_listed: bool,
    as_json: bool,
) -> int:
    """Mend what can be mended safely.

    Shows every change as a diff; --apply makes them, with a backup in DIR/.tagbox/repairs that --undo gives back.
    Only the text that is wrong changes: the rest of each file stays as it is, byte for byte. What cannot be proven is
    left alone and named with the reason.

    Exit codes: 0 nothing to mend, or mended, 1 there is something to mend and --apply is not given, 5 some could not be
    mended (each is named), 6 no such folder or no XML in it. For a gate on every fault use: tagbox labels check
    """
    if is_listed:
        return show_history(root, as_json)
    if undo is not None:
        return undo_repair(root, undo, as_json)
    from labeling.repairs import apply_repairs, plan_repairs

    finish_interrupted(root, is_applied=is_applied)
    options = _options(root, only, ignore, also, path_style, drawn_on, label_map_path)
    with progress("checking") as advance:
        plan = plan_repairs(root, options, class_names=class_names or None, progress=advance, jobs=jobs)
    if not is_applied:
        _show(plan, as_json)
        return exit_codes.FINDINGS if plan.repairs else exit_codes.DONE
    with progress("mending") as advance:
        result = apply_repairs(plan, progress=advance)
    left = (*plan.left, *result.left)
    if as_json:
        repair = result.repair.id if result.repair is not None else None
        write_json(_as_json(plan, left) | {"repair": repair, "changed_in_between": list(result.changed_in_between)})
    elif result.repair is not None:
        for one in result.mended:
            click.echo(
                f"{one.code} {_place(one.path, one.object_index)}: {one.what}".encode("utf-8", "replace").decode()
            )
        click.echo(f"{result.repair.num_files} files changed; to take it back: tagbox labels fix "
                   f"{shlex.quote(str(root))} --undo {result.repair.id}")  # fmt: skip
    else:
        click.echo("nothing to mend")
    _say_left(left)
    for line in result.changed_in_between:
        say(f"error: {line}")
    return exit_codes.PARTLY_DONE if result.changed_in_between or result.left else exit_codes.DONE


def _options(
    root: Path,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    also: tuple[str, ...],
    path_style: str,
    drawn_on: str | None,
    label_map_path: Path | None,
) -> "RepairOptions":
    from labeling.image_frame import Frame
    from labeling.pair_repair import DEFAULT_CODES, OPTIONAL_CODES, RepairOptions

    repairable = DEFAULT_CODES | OPTIONAL_CODES
    asked = codes_in(also) | {code for code in codes_in(only) if code in OPTIONAL_CODES and code in _named(only)}
    if foreign := sorted((codes_in(also) | {code for code in codes_in(only) if code in _named(only)}) - repairable):
        known = ", ".join(sorted(repairable))
        raise ConfigError(f"{foreign[0]} has no repair", fix=f"These have one: {known}")
    codes = DEFAULT_CODES & codes_in(only) if only else DEFAULT_CODES
    jpegtran = which("jpegtran")
    return RepairOptions(
        codes=frozenset((codes | asked) - codes_in(ignore)),
        path_style=path_style,
        label_map=own_label_map(root, label_map_path),
        assumed_frame=Frame(drawn_on) if drawn_on else Frame.UNKNOWN,
        jpegtran=Path(jpegtran) if jpegtran else None,
    )


def _named(words: tuple[str, ...]) -> set[str]:
    """The codes that were written out, not meant by a letter."""
    return {part.strip().upper() for word in words for part in word.split(",")}


def _show(plan: "RepairPlan", as_json: bool) -> None:
    from labeling.repairs import diff_lines

    if as_json:
        write_json(_as_json(plan, plan.left))
        return
    for repair in plan.repairs:
        for line in diff_lines(repair, plan.root):
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            click.echo(click.style(line.encode("utf-8", "replace").decode(), fg=colour))
    _say_left(plan.left)
    if plan.repairs:
        counts = ", ".join(f"{code} {count}" for code, count in plan.counts().items())
        say(f"dry run: {len(plan.repairs)} of {plan.num_pairs} pairs would change ({counts}); nothing was written")
        for one in plan.mended:
            if one.what.startswith("removed"):
                say(f"a box would go: {_place(one.path, one.object_index)}: {one.code} {one.what}")
        say(f"to change them: tagbox labels fix {shlex.quote(str(plan.root))} --apply")
    else:
        click.echo("nothing to mend")


def _say_left(left: "tuple[LeftAlone, ...]") -> None:
    for one in left[:_NAMED_AT_MOST]:
        say(f"left alone: {_place(one.path, one.object_index)}: {one.code}: {one.reason}")
    if len(left) > _NAMED_AT_MOST:
        say(f"... and {len(left) - _NAMED_AT_MOST} more left alone; --json names them all")


def _place(path: Path, object_index: int | None) -> str:
    return f"{path} (object {object_index})" if object_index is not None else str(path)


def _as_json(plan: "RepairPlan", left: "tuple[LeftAlone, ...]") -> dict[str, object]:
    return {
        "root": str(plan.root),
        "pairs": plan.num_pairs,
        "changed": len(plan.repairs),
        "counts": plan.counts(),
        "mended": [
            {"code": one.code, "path": str(one.path), "object": one.object_index, "what": one.what}
            for one in plan.mended
        ],
        "left": [
            {"code": one.code, "path": str(one.path), "object": one.object_index, "reason": one.reason} for one in left
        ],
    }
