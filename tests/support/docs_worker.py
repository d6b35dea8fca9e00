"""A process that has TensorFlow imported already and runs ``tagbox`` commands in forks of itself.

Importing TensorFlow takes longer than a tiny training, and the pages have two hundred commands. Each fork runs
`scripts.cli.main` on the command's own words, in the command's own folder, as the installed script would.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INPUT_SIZE, DEPTH_MULTIPLIER = 96, 0.25


class WarmTagbox:
    """The caller's side: start it once, run any number of commands, close it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.docs_worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run ``tagbox`` with these words in ``cwd``."""
        code = self._ask({"words": words, "cwd": str(cwd)})
        output, errors = (cwd / f".{name}" for name in ("stdout", "stderr"))
        done = subprocess.CompletedProcess(words, code, output.read_text("utf-8"), errors.read_text("utf-8"))
        output.unlink()
        errors.unlink()
        return done

    def write_backbone(self, prefix: Path) -> None:
        """Write a checkpoint of a small MobileNet v1 under slim's names, random weights."""
        prefix.parent.mkdir(parents=True, exist_ok=True)
        if self._ask({"backbone": str(prefix), "cwd": str(prefix.parent)}) != 0:
            raise RuntimeError((prefix.parent / ".stderr").read_text("utf-8"))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)

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
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: dict[str, Any]) -> None:
    """Do one request in this fork and end it."""
    from scripts.cli import main

    os.chdir(request["cwd"])
    for number, name in ((0, os.devnull), (1, ".stdout"), (2, ".stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags, 0o644), number)
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
