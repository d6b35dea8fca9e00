"""A process that has TensorFlow imported already and runs ``tagbox`` commands in forks of itself.

Importing TensorFlow takes longer than a tiny training, and the pages have two hundred commands. Each fork is a process
as any other, runs `scripts.cli.main` on the command's own words, in the command's own folder, as the installed script
would.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INPUT_SIZE, DEPTH_MULTIPLIER = 96, 0.25


@dataclass(frozen=True, slots=True)
class StartedCommand:
    """A command at work: its process, its words, its folder."""

    pid: int
    words: list[str]
    cwd: Path


class WarmTagbox:
    """The caller's side: start it once, run any number of commands, close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm_tagbox"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run ``tagbox`` with these words in ``cwd``."""
        return self.finish(self.start(words, cwd))

    def start(self, words: list[str], cwd: Path) -> StartedCommand:
        """Start ``tagbox`` with these words in ``cwd``; `finish` waits for it, and may come after further starts."""
        return StartedCommand(self._ask({"words": words, "cwd": str(cwd)}), words, cwd)

    def finish(self, command: StartedCommand) -> subprocess.CompletedProcess[str]:
        """Wait for the end of a command."""
        code = self._ask({"wait": command.pid})
        output, errors = (command.cwd / f".{name}.{command.pid}" for name in ("stdout", "stderr"))
        done = subprocess.CompletedProcess(command.words, code, output.read_text("utf-8"), errors.read_text("utf-8"))
        output.unlink()
        errors.unlink()
        return done

    def write_backbone(self, prefix: Path) -> None:
        """Write a checkpoint of a small MobileNet v1 under slim's names, random weights."""
        prefix.parent.mkdir(parents=True, exist_ok=True)
        pid = self._ask({"backbone": str(prefix), "cwd": str(prefix.parent)})
        if self._ask({"wait": pid}) != 0:
            raise RuntimeError((prefix.parent / f".stderr.{pid}").read_text("utf-8"))

    def close(self) -> None:
        """End the process, and commands that have not ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:  # it waits for a command
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the commands has died")
        return int(answer)


def _serve() -> None:
    from scripts.options import quieten_tensorflow

    quieten_tensorflow()
    # No operation runs here: forks are safe as long as TensorFlow has no threads of its own.
    for folder in ("scripts", "pipelines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    # What is imported stays for good: no collection in a fork goes through it, and its pages stay shared.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                _run(request)
        print(answer, flush=True)


def _run(request: dict[str, Any]) -> None:
    """Do one request in this fork and end it."""
    from scripts.cli import main

    os.chdir(request["cwd"])
    for number, name in ((0, os.devnull), (1, ".stdout"), (2, ".stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name if number == 0 else f"{name}.{os.getpid()}", flags, 0o644), number)
    code = 1
    try:
        if "backbone" in request:
            _write_backbone(request["backbone"])
            code = 0
        else:
            os.environ["TAGBOX_WEIGHTS_CACHE"] = "weights_cache"
            sys.argv = ["tagbox", *request["words"]]
            main(request["words"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except BaseException:  # noqa: BLE001 - this process is a fork: nothing may escape into its parent's loop
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _write_backbone(prefix: str) -> None:
    import tensorflow as tf

    from pipelines.detection.ssd_config import SSDBackbone, SSDModel
    from pipelines.detection.ssd_model import build_ssd_model
    from pipelines.weights.slim_names import backbone_variables

    config = SSDModel(input_size=[INPUT_SIZE] * 2, backbone=SSDBackbone(depth_multiplier=DEPTH_MULTIPLIER))
    variables = backbone_variables(build_ssd_model(config, num_classes=1))
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.convert_to_tensor(variable) for variable in variables.values()],
    )


if __name__ == "__main__":
    _serve()
