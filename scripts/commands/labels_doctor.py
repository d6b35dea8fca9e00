"""``tagbox labels doctor``: whether LabelImg works here, and the command that opens a class folder."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.commands.repair_history import own_label_map
from scripts.options import json_option
from scripts.output import say, write_json

if TYPE_CHECKING:
    from labeling.labelimg_doctor import Opening

_DIRECTORY = click.Path(path_type=Path)


@click.command()
@click.argument("root", metavar="[DIR]", type=_DIRECTORY, required=False)
@click.option("--write-classes", is_flag=True, help="Write DIR/predefined_classes.txt from the label map.")
@click.option("--label-map", "label_map_path", type=_DIRECTORY, help="Labels. [default: DIR/label_map.pbtxt]")
@json_option
def doctor(root: Path | None, write_classes: bool, label_map_path: Path | None, as_json: bool) -> int:
    """Say whether LabelImg works here, and how to open the folders of DIR in it.

    Finds LabelImg and its living successors on the PATH and in this environment, asks the Python behind each for its
    version, and prints the exact command for each folder: pictures, list of labels, folder of the XML.

    Exit codes: 0 a program that works was found, 1 none, 6 no such folder.
    """
    from labeling.labelimg_doctor import CLASSES_FILE, HEIRS, find_installations, openings_of
    from labeling.labelimg_doctor import write_classes as write_list

    folders = [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]
    found = find_installations(folders, Path(sys.executable))
    sound = [one for one in found if not one.problem]
    # Of the others it is not known what they take on the command line.
    relatives = [one for one in sound if one.package.lower() in ("labelimg", "labelimgplusplus")]
    program = str(relatives[0].command) if relatives else HEIRS[0][0]
    openings: tuple[Opening, ...] = ()
    if root is None and write_classes:
        raise ConfigError(
            "no folder is given to write the list into", fix="Try: tagbox labels doctor DIR --write-classes"
        )
    if root is not None:
        classes_file = root / CLASSES_FILE
        label_map = own_label_map(root, label_map_path)
        if write_classes and label_map is not None:
            changed = write_list(label_map, classes_file)
            say(f"{classes_file}: {'written' if changed else 'is as the label map'}")
        elif write_classes:
            say(f"no label map: {classes_file} is not written; write {root / 'label_map.pbtxt'} first")
        openings = openings_of(root, program, classes_file)
        if not classes_file.is_file():
            say(f"{classes_file} is missing: LabelImg would offer dog, person, cat...; write it with --write-classes")
    if as_json:
        write_json(
            {
                "installations": [
                    {"command": str(one.command), "package": one.package, "version": one.version,
                     "python": ".".join(map(str, one.python)), "problem": one.problem}
                    for one in found
                ],
                "openings": [
                    {"class": one.class_name, "folder": str(one.folder), "command": list(one.command),
                     "pictures": one.num_pictures, "labelled": one.num_labelled}
                    for one in openings
                ],
            }
        )  # fmt: skip
        return exit_codes.DONE if sound else exit_codes.FINDINGS
    for one in found:
        what = f"{one.package} {one.version} on Python {'.'.join(map(str, one.python))}" if one.package else "unknown"
        click.echo(f"{one.command}: {what}: {one.problem or 'nothing known against it'}")
    if not sound:
        names = ", ".join(name for name, _ in HEIRS)
        click.echo("no LabelImg that works was found" if found else "LabelImg is not installed")
        click.echo(
            f"install a living successor, such as {names}, into an environment of its own: pipx install {HEIRS[0][1]}"
        )
        click.echo("or LabelImg itself with Python 3.9: uvx --python 3.9 labelImg")
    for opening in openings:
        click.echo(f"{opening.folder}: {opening.num_labelled} of {opening.num_pictures} pictures labelled")
        click.echo(f"    {shlex.join(opening.command)}")
    if openings:
        say("in LabelImg: View > Auto Save mode, PascalVOC as format; the space bar verifies a picture without objects")
    return exit_codes.DONE if sound else exit_codes.FINDINGS
