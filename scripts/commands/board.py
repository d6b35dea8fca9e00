"""``tagbox board``: TensorBoard on a folder of runs."""

import os
import subprocess
import sys
from pathlib import Path

import click

from collectors.errors import InputError, MissingPartError
from scripts import exit_codes
from scripts.output import say


@click.command()
@click.argument("runs_dir", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--port", default=6006, show_default=True, help="Port on this machine; 0 picks a free one.")
@click.option("--host", default="localhost", show_default=True, help="Address to listen on.")
def board(runs_dir: Path, port: int, host: str) -> int:
    """Open TensorBoard on the runs in DIR (default: runs); Ctrl-C ends it."""
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise MissingPartError("TensorBoard is not installed", fix="Install it again with: make setup")
    if not runs_dir.is_dir():
        raise InputError("no such folder", where=str(runs_dir), fix="Train something first, or name the folder.")
    if next(runs_dir.rglob("events.out.tfevents.*"), None) is None:
        raise InputError(
            "no run is in there yet", where=str(runs_dir), fix="Train something first: tagbox train CONFIG"
        )
    say(f"TensorBoard on {runs_dir}; Ctrl-C ends it")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs_dir), "--port", str(port), "--host", host]
    # TensorBoard 2.20 imports pkg_resources, which warns of its own end; that is not the user's business.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    try:
        code = subprocess.run([*command, "--load_fast=false"], check=False, env=quiet).returncode  # noqa: S603 - our own words
    except KeyboardInterrupt:
        code = 0
    if code:
        raise InputError(f"TensorBoard ended with code {code}", fix=f"Is port {port} taken? Try --port 0.")
    return exit_codes.DONE
