"""The `tagbox` command as a function of this process, and as a process of its own."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# The package may be installed from another copy of the project: the one these tests stand in comes first.
PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from scripts.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one line that tells the error; fails when there is none, more than one, or a traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err, self.err
        return lines[0]


def tagbox_here(*words: object) -> Answer:
    """Run a command in this process, where TensorFlow is imported already."""
    from scripts.cli import main

    out, err = io.StringIO(), io.StringIO()
    code = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int)
    return Answer(code, out.getvalue(), err.getvalue())


def command_line(*words: object) -> list[str]:
    """Return the words that start the command as a process."""
    return [sys.executable, "-c", PROGRAM, str(REPOSITORY), *(str(word) for word in words)]


def tagbox_process(*words: object, cwd: Path, timeout: float = 120, **environment: str) -> Answer:
    """Run a command in a process of its own."""
    done = subprocess.run(
        command_line(*words), cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout,
        env=os.environ | {"PYTHONWARNINGS": "default"} | environment,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)
