"""Building shards on Apache Beam: ``Create(names of shards) | Reshuffle | build``.

Beam carries only names. What a shard is made of stands as JSON beside where it is to be written, what came of it too,
so the graph stays small, any runner will do, and a shard that is built twice is the same file twice. Workers need this
project and two folders: the pictures, to read, and the records folder, to write. Either is a path or a URL of Beam's
file systems, and the machine that starts the build may know them by other names.

Apache Beam is an extra and is imported when it is asked for.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import ConfigError, InputError, MissingPartError
from collectors.files import atomic_writer
from collectors.progress import Progress
from records.errors import ExampleError, PictureChangedError
from records.manifest_json import example_from_json, example_to_json, shard_from_json, shard_to_json
from records.plan import ShardPlan
from records.shard import ShardSummary, stream_shard, write_shard
from records.staging import FOLDER_NAME, ShardJob
from records.worker_files import (
    exists,
    is_url,
    join,
    make_folder,
    opened_for_reading,
    opened_for_writing,
    read,
    remove,
    rename,
    write,
)

# Beam's default runner looks for a program to fetch from the net first; this one is in the package.
_DEFAULT_RUNNER = "--runner=FnApiRunner"
_PLAN, _DONE, _FAILED = ".plan.json", ".done.json", ".failed.json"
_BLOCK_BYTES = 1 << 20


def require_beam() -> None:
    """Import Apache Beam.

    Raises:
        MissingPartError: It is not installed.
    """
    before = logging.root.manager.disable
    # While it is imported it warns of every cloud whose client is not installed.
    logging.disable(logging.WARNING)
    try:
        import apache_beam
        import apache_beam.io.filesystems  # noqa: F401
    except ImportError as error:
        raise MissingPartError(
            "Apache Beam is not installed", fix="Install the extra: pip install '.[beam]' -c constraints.txt"
        ) from error
    finally:
        logging.disable(before)


@dataclass(frozen=True, slots=True)
class BeamEngine:
    """Apache Beam; see `records.staging.Engine`.

    Attributes:
        arguments: Pipeline options as Beam's command line has them, such as ``--runner=FlinkRunner``.
        worker_data: The data root as the workers see it, a path or URL; ``None``: as here.
        worker_out: The records folder as they see it. When it is another one than here, shards are fetched from it.
    """

    arguments: tuple[str, ...] = ()
    worker_data: str | None = None
    worker_out: str | None = None

    def run(
        self, jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
    ) -> Iterator[tuple[str, ShardSummary]]:
        """Write every shard.

        Raises:
            MissingPartError: Beam is not installed.
            ConfigError: Beam does not take the arguments.
            InputError: A shard cannot be built, or the pipeline failed. What is finished stays.
        """
        require_beam()
        data = self.worker_data or str(data_root.resolve())
        folder = join(self.worker_out or str(staging.parent.resolve()), FOLDER_NAME)
        make_folder(folder)
        missing = [job for job in jobs if _summary_of(folder, job) is None]
        for name, shard in missing:
            write(join(folder, name + _PLAN), json.dumps(_plan_to_json(shard)).encode())
        if missing:
            self._run_pipeline([job.name for job in missing], data, folder)
        done, total = 0, sum(len(job.shard.examples) for job in jobs)
        for job in jobs:
            summary = _summary_of(folder, job)
            if summary is None:
                raise _failure_of(folder, job)
            _fetch(folder, job.name, staging, summary)
            yield job.name, summary
            done += len(job.shard.examples)
            progress(done, total)

    def _run_pipeline(self, names: Sequence[str], data: str, folder: str) -> None:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        has_runner = any(argument.startswith("--runner") for argument in self.arguments)
        arguments = [*self.arguments, *([] if has_runner else [_DEFAULT_RUNNER])]
        try:
            options = PipelineOptions(arguments)
            options.get_all_options()
        except SystemExit as error:  # Beam reads them as a command line of its own
            raise ConfigError(f"Beam does not take {' '.join(self.arguments)}", fix="See --beam-arg.") from error
        try:
            with beam.Pipeline(options=options) as pipeline:
                _ = (
                    pipeline
                    | "shards" >> beam.Create(names)
                    | "spread" >> beam.Reshuffle()
                    | "build" >> beam.Map(functools.partial(build_named_shard, data_root=data, folder=folder))
                )
        except Exception as error:
            logging.getLogger(__name__).debug("the pipeline failed", exc_info=error)
            raise InputError(
                f"the Beam pipeline failed: {_last_line(error)}",
                fix="Run the same command again: shards that are finished are not built again.",
            ) from error


def build_named_shard(name: str, *, data_root: str, folder: str) -> str:
    """Build one shard on a worker and leave a note of it; a shard that is there already is built once more.

    Args:
        name: Of the shard in the staging folder.
        data_root: The pictures, a path or URL.
        folder: The staging folder, a path or URL.

    Returns:
        The name.

    Raises:
        InputError: A picture cannot be read, or a file cannot be written; another try may help.
    """
    shard = _plan_from_json(json.loads(read(join(folder, name + _PLAN))))
    target = join(folder, name)
    try:
        if is_url(target) or is_url(data_root):
            summary = _stream_to(target, shard, data_root)
        else:
            summary = write_shard(shard, data_root=Path(data_root), path=_private(Path(target)))
            _private(Path(target)).replace(target)
    except (PictureChangedError, ExampleError) as error:
        # Trying again would not help, so the pipeline need not fail four times over it.
        place = error.where.removeprefix(data_root).lstrip("/")
        write(join(folder, name + _FAILED), json.dumps({"what": error.what, "path": place}).encode())
        return name
    write(join(folder, name + _DONE), json.dumps(shard_to_json(summary)).encode())
    return name


def _stream_to(target: str, shard: ShardPlan, data_root: str) -> ShardSummary:
    def read_picture(image_path: str) -> bytes:
        return read(join(data_root, image_path))

    # A name of its own: a runner may start a second try while the first is still writing.
    temporary = f"{target}.{uuid.uuid4().hex}.tmp"
    try:
        with opened_for_writing(temporary) as stream:
            summary = stream_shard(shard, stream, read_picture, where=data_root)
        rename(temporary, target)
    except OSError as error:
        raise InputError(f"cannot write: {error}", where=target) from error
    return summary


def _plan_to_json(shard: ShardPlan) -> dict[str, Any]:
    return {
        "file": shard.file,
        "fingerprint": shard.fingerprint,
        "picture_bytes": shard.picture_bytes,
        "split": shard.examples[0].split,
        "examples": [example_to_json(example, 0, "") for example in shard.examples],
    }


def _plan_from_json(value: dict[str, Any]) -> ShardPlan:
    examples = tuple(example_from_json(one, class_name="", split=str(value["split"])) for one in value["examples"])
    shard = ShardPlan(str(value["file"]), examples, int(value["picture_bytes"]))
    if shard.fingerprint != value["fingerprint"]:
        raise InputError(
            f"the plan of {shard.file} reads differently here: the worker has another version of tagbox or of Pillow",
            fix="Give the workers the same version as the machine that starts the build.",
        )
    return shard


def _summary_of(folder: str, job: ShardJob) -> ShardSummary | None:
    """Read what a worker left behind; ``None`` when the shard is not there."""
    try:
        summary = shard_from_json(json.loads(read(join(folder, job.name + _DONE))))
        same = summary.fingerprint == job.shard.fingerprint
        return summary if same and exists(join(folder, job.name)) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _failure_of(folder: str, job: ShardJob) -> InputError:
    try:
        note = json.loads(read(join(folder, job.name + _FAILED)))
        remove(join(folder, job.name + _FAILED))
        fix = "Let nothing write into the data folder, then run the same command again."
        return InputError(str(note["what"]), where=str(note["path"]), fix=fix)
    except (OSError, ValueError, KeyError, TypeError):
        return InputError("the pipeline ended without it", where=join(folder, job.name), fix="Run it again.")


def _fetch(folder: str, name: str, staging: Path, summary: ShardSummary) -> None:
    """Bring a shard here unless the staging folder is the one that the worker wrote into."""
    target = staging / name
    if target.exists() and target.stat().st_size == summary.num_bytes:
        return
    digest = hashlib.sha256()
    with atomic_writer(target) as stream, opened_for_reading(join(folder, name)) as source:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            stream.write(block)
    if digest.hexdigest() != summary.sha256:
        target.unlink()
        raise InputError("the shard changed on its way here", where=join(folder, name), fix="Run it again.")
    for suffix in ("", _PLAN, _DONE):
        with contextlib.suppress(OSError):
            remove(join(folder, name + suffix))


def _private(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}")


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
