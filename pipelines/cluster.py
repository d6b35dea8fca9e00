"""Several machines that train one detector: TensorFlow's collective operations, and what a cluster must agree on."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from official.common import distribute_utils

from collectors.errors import ConfigError
from collectors.files import write_atomically
from pipelines.checkpoint_files import checkpoints_in, keep_sound_ones
from pipelines.experiment import Experiment
from pipelines.run_directory import WORKERS, RunDirectory

_CHECKPOINT_FILES = (".data-00000-of-00001", ".index")
STRATEGY = "multi_worker_mirrored"
_KEY = "runtime.distribution_strategy"
_ADDRESS = re.compile(r"[^\s:,]+:\d{1,5}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """This process's place among the workers of a training.

    Attributes:
        workers: Addresses ``host:port`` of all, the chief first; one entry or none: not a cluster.
        index: Which of them this process is, from 0.
    """

    workers: tuple[str, ...] = ()
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Tell whether this worker writes the run folder."""
        return self.index == 0

    @property
    def size(self) -> int:
        """Number of workers, at least 1."""
        return max(1, len(self.workers))


def cluster_of_addresses(workers: str, task: int | None) -> Cluster:
    """Read ``host:port,host:port`` and the number of this worker.

    Raises:
        ConfigError: An address or the number is not one.
    """
    addresses = tuple(part.strip() for part in workers.split(",") if part.strip())
    for address in addresses:
        if not _ADDRESS.fullmatch(address) or not 0 < int(address.rpartition(":")[2]) < 65536:
            raise ConfigError(f"`{address}` is not host:port", where="--workers", fix="Write it as 10.0.0.1:2222.")
    if len(set(addresses)) != len(addresses):
        raise ConfigError("an address stands twice", where="--workers", fix="Each worker needs a port of its own.")
    if len(addresses) < 2:
        raise ConfigError("a cluster has at least two workers", where="--workers", fix="Leave --workers out.")
    if task is None or not 0 <= task < len(addresses):
        raise ConfigError(
            "this process needs a number of its own" if task is None else f"there is no worker {task}",
            where="--task",
            fix=f"Give --task 0 to --task {len(addresses) - 1}, another on each machine; 0 writes the run folder.",
        )
    return Cluster(addresses, task)


def cluster_of_tf_config(text: str) -> Cluster:
    """Read TensorFlow's ``TF_CONFIG``, which cloud services set; a cluster of one is none.

    Raises:
        ConfigError: It is not what TensorFlow documents, or it names parameter servers.
    """
    try:
        content = json.loads(text)
        places = content.get("cluster", {})
        kind, index = content.get("task", {}).get("type", "worker"), int(content.get("task", {}).get("index", 0))
        chiefs, workers = list(places.get("chief", ())), list(places.get("worker", ()))
        addresses = tuple(str(address) for address in (*chiefs, *workers))
    except (ValueError, TypeError, AttributeError) as error:
        fix = 'Write it as {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}.'
        raise ConfigError(f"cannot be read ({error})", where="TF_CONFIG", fix=fix) from error
    if len(addresses) < 2:
        return Cluster()
    if places.get("ps") or kind not in ("chief", "worker"):
        raise ConfigError(
            f"a training has a chief and workers, no `{'ps' if places.get('ps') else kind}`",
            where="TF_CONFIG",
            fix="Drop parameter servers and evaluators; tagbox eval RUN --follow evaluates in a process of its own.",
        )
    place = index + (len(chiefs) if kind == "worker" else 0)
    if not 0 <= place < len(addresses):
        raise ConfigError(f"there is no {kind} {index}", where="TF_CONFIG", fix="Correct the task's index.")
    return Cluster(addresses, place)


def configured_cluster(experiment: Experiment) -> Cluster:
    """Return the cluster that ``runtime.worker_hosts`` and ``runtime.task_index`` of a config name, if any."""
    runtime = experiment.params.runtime
    if not runtime.worker_hosts:
        return Cluster()
    return cluster_of_addresses(runtime.worker_hosts, runtime.task_index if runtime.task_index >= 0 else None)


def join(cluster: Cluster, experiment: Experiment) -> None:
    """Fit the experiment to the cluster, and tell TensorFlow of it; comes before any operation of TensorFlow.

    Raises:
        ConfigError: The strategy or the batch size of the config does not fit.
    """
    chosen = experiment.params.runtime.distribution_strategy
    if cluster.size == 1:
        if chosen == STRATEGY:
            raise ConfigError(
                f"`{_KEY}` is {STRATEGY}, and no workers are named",
                where=experiment.origins.get(_KEY, ""),
                fix="Start every worker with --workers host:port,host:port --task N, or set TF_CONFIG.",
            )
        return
    if chosen not in ("off", STRATEGY):
        raise ConfigError(
            f"`{_KEY}` is {chosen}, and a cluster trains with {STRATEGY}",
            where=experiment.origins.get(_KEY, ""),
            fix=f"Add --set {_KEY}={STRATEGY}.",
        )
    batch = experiment.params.task.train_data.global_batch_size
    if batch % cluster.size:
        key = "task.train_data.global_batch_size"
        raise ConfigError(
            f"`{key}` is {batch}, which {cluster.size} workers cannot share evenly",
            where=experiment.origins.get(key, ""),
            fix=f"Add --set {key}={-(-batch // cluster.size) * cluster.size}.",
        )
    # The batch of an evaluation is for one worker: each goes over every picture, so there is nothing to gather.
    evaluation = experiment.params.task.validation_data
    evaluation.global_batch_size = -(-evaluation.global_batch_size // cluster.size) * cluster.size
    experiment.set(_KEY, STRATEGY, "--workers")
    distribute_utils.configure_cluster(",".join(cluster.workers), cluster.index)


@contextlib.contextmanager
def own_folder(run: RunDirectory, cluster: Cluster) -> Iterator[RunDirectory]:
    """Yield the run folder for the chief, and for the others a folder ``workers/N`` in it with their log.

    Every worker has to take part in saving; what the others save is thrown away.
    """
    if cluster.is_chief:
        yield run
        return
    own = RunDirectory(run.path / WORKERS / str(cluster.index))
    shutil.rmtree(own.path, ignore_errors=True)
    own.path.mkdir(parents=True)
    try:
        yield own
    finally:
        shutil.rmtree(own.path / "checkpoints", ignore_errors=True)


def any_of_all(strategy: tf.distribute.Strategy, is_so: bool) -> bool:
    """Tell every worker whether one of them says yes; all of them must ask."""
    return is_so if not _is_cluster(strategy) else _sum(strategy, int(is_so)) > 0


def leave_together(strategy: tf.distribute.Strategy, *, is_chief: bool) -> None:
    """Let the chief end only when every worker has done its part; all of them must call it, after their last work."""
    try:
        any_of_all(strategy, False)
    except tf.errors.OpError:
        # The chief has everyone's word by now and may be gone before this worker has its answer.
        if is_chief:
            raise


def of_chief(strategy: tf.distribute.Strategy, number: int, *, is_chief: bool) -> int:
    """Tell every worker the chief's number; all of them must ask."""
    return number if not _is_cluster(strategy) else _sum(strategy, number if is_chief else 0)


def take_state_of_chief(strategy: tf.distribute.Strategy, run: RunDirectory, step: int, *, is_chief: bool) -> None:
    """Give every worker the chief's checkpoint of a step, and the figures of its best one.

    Only the chief need have what a run goes on from. The files and not the values are sent, so that all workers restore
    alike and agree on what is better: each must do the same collective operations.
    """
    if not _is_cluster(strategy) or not step:
        return
    last = run.last_checkpoints
    prefix = next((prefix for number, prefix in checkpoints_in(last) if number == step), last / f"ckpt-{step}")
    for suffix in _CHECKPOINT_FILES:
        _send_file(strategy, prefix.with_name(prefix.name + suffix), is_chief=is_chief)
    _send_file(strategy, run.best_checkpoints / "info.json", is_chief=is_chief)
    if not is_chief:
        keep_sound_ones(last, lambda _: None)


def _send_file(strategy: tf.distribute.Strategy, path: Path, *, is_chief: bool) -> None:
    content = path.read_bytes() if is_chief and path.is_file() else b""
    size = of_chief(strategy, len(content), is_chief=is_chief)
    if not size:
        return
    words = np.zeros(-(-size // 4), np.int32)  # collectives have no bytes
    words.view(np.uint8)[: len(content)] = np.frombuffer(content, np.uint8)
    received = _reduced(strategy, tf.constant(words)).numpy().tobytes()[:size]
    if not is_chief:
        write_atomically(path, received)


def _is_cluster(strategy: tf.distribute.Strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _sum(strategy: tf.distribute.Strategy, number: int) -> int:
    return int(_reduced(strategy, tf.constant(number, tf.int64)).numpy())


def _reduced(strategy: tf.distribute.Strategy, value: Any) -> Any:
    replicas = strategy.extended.worker_devices
    # One replica of each worker speaks for it; the others add nothing.
    values = strategy.experimental_distribute_values_from_function(
        lambda context: value if context.replica_id_in_sync_group % len(replicas) == 0 else tf.zeros_like(value)
    )
    return strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)


def environment_cluster(environment: Mapping[str, str]) -> Cluster:
    """Return the cluster that ``TF_CONFIG`` names in an environment, if any."""
    text = environment.get("TF_CONFIG", "").strip()
    return cluster_of_tf_config(text) if text and text != "{}" else Cluster()
