"""TensorBoard as a process beside a command."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collectors.errors import MissingPartError

DEFAULT_PORT = 6006
_STOP_TIMEOUT_S = 10


def require_tensorboard() -> None:
    """Check that TensorBoard is there.

    Raises:
        MissingPartError: It is not.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingPartError("TensorBoard is not installed", fix="Install it again with: make setup")


def board_command(folder: Path, port: int, host: str) -> list[str]:
    """Return the words that start TensorBoard on a folder of runs."""
    words = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", str(port), "--host", host]
    return [*words, "--load_fast=false"]


def board_environment() -> dict[str, str]:
    """Return this environment for TensorBoard: 2.20 imports pkg_resources, whose warning is nobody's business."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


@contextmanager
def board_beside(folder: Path) -> Iterator[str]:
    """Run TensorBoard on a folder while the block runs; yields its address.

    Ctrl-C does not reach it: the command it stands beside saves first, and then stops it.
    """
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - our own words
        board_command(folder, port, "localhost"),
        env=board_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://localhost:{port}/"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return TensorBoard's usual port where it is free, and another free one where it is not."""
    for port in (DEFAULT_PORT, 0):
        try:
            with socket.create_server(("localhost", port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    return 0
