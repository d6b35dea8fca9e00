"""``tagbox records``: the group of the commands that build, judge and show TFRecords."""

import click

from scripts.commands.records_build import build
from scripts.commands.records_card import card
from scripts.commands.records_diff import diff
from scripts.commands.records_drawings import drawings
from scripts.commands.records_folder import folder
from scripts.commands.records_show import show
from scripts.commands.records_verify import verify


@click.group()
def records() -> None:
    """Build, verify, compare, show and describe TFRecords."""


for _command in (build, drawings, folder, verify, diff, show, card):
    records.add_command(_command)
