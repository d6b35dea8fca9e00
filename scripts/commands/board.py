"""``tagbox board``: TensorBoard on a folder of runs."""

import subprocess
from pathlib import Path

import click

from collectors.errors import InputError
from scripts import exit_codes
from scripts.board_process import DEFAULT_PORT, board_command, board_environment, require_tensorboard
from scripts.output import say


@click.command()
@click.argument("runs_dir", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="Port on this machine; 0 picks a free one.")
@click.option("--host", default="localhost", show_default=True, help="Address to listen on.")
def board(runs_dir: Path, port: int, host: str) -> int:
    """Open TensorBoard on the runs in DIR (default: runs); Ctrl-C ends it."""
    require_tensorboard()
    if not runs_dir.is_dir():
        raise InputError("no such folder", where=str(runs_dir), fix="Train something first, or name the folder.")
    if next(runs_dir.rglob("events.out.tfevents.*"), None) is None:
        raise InputError(
            "no run is in there yet", where=str(runs_dir), fix="Train something first: tagbox train CONFIG"
        )
    say(f"TensorBoard on {runs_dir}; Ctrl-C ends it")
    try:
        code = subprocess.run(  # noqa: S603 - our own words
            board_command(runs_dir, port, host), check=False, env=board_environment()
        ).returncode
    except KeyboardInterrupt:
        code = 0
    if code:
        raise InputError(f"TensorBoard ended with code {code}", fix=f"Is port {port} taken? Try --port 0.")
    return exit_codes.DONE
