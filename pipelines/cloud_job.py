"""A training as a Vertex AI CustomJob: the file that `gcloud` or the REST interface takes. Nothing is submitted."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from collectors.errors import ConfigError, InputError
from pipelines.cloud_job_fields import check_custom_job

_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/\S*)?")
_DEFAULT_MACHINE = "n1-standard-8"
_BOOT_DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
# ml-engine's own names of machines, in Compute Engine's; K80s are no longer offered, T4s take their place.
_MACHINES: dict[str, tuple[str, str, int]] = {
    "standard": ("n1-standard-4", "", 0),
    "large_model": ("n1-highmem-8", "", 0),
    "complex_model_s": ("n1-highcpu-8", "", 0),
    "complex_model_m": ("n1-highcpu-16", "", 0),
    "complex_model_l": ("n1-highcpu-32", "", 0),
    "standard_gpu": ("n1-standard-8", "NVIDIA_TESLA_T4", 1),
    "complex_model_m_gpu": ("n1-standard-16", "NVIDIA_TESLA_T4", 4),
    "complex_model_l_gpu": ("n1-standard-32", "NVIDIA_TESLA_T4", 4),
    "standard_p100": ("n1-standard-8", "NVIDIA_TESLA_P100", 1),
    "complex_model_m_p100": ("n1-standard-16", "NVIDIA_TESLA_P100", 4),
    "standard_v100": ("n1-standard-8", "NVIDIA_TESLA_V100", 1),
    "large_model_v100": ("n1-highmem-8", "NVIDIA_TESLA_V100", 1),
    "complex_model_m_v100": ("n1-standard-16", "NVIDIA_TESLA_V100", 4),
    "complex_model_l_v100": ("n1-standard-32", "NVIDIA_TESLA_V100", 8),
}
_RETIRED_GPUS = ("standard_gpu", "complex_model_m_gpu", "complex_model_l_gpu")
# Scale tiers as ml-engine documented them: master, workers, how many of them.
_TIERS: dict[str, tuple[str, str, int]] = {
    "BASIC": ("standard", "", 0),
    "BASIC_GPU": ("standard_gpu", "", 0),
    "STANDARD_1": ("complex_model_s", "complex_model_s", 4),
    "PREMIUM_1": ("complex_model_l", "complex_model_l", 19),
}
_UNDERSTOOD = ("scaleTier", "masterType", "workerType", "workerCount", "region", "masterConfig", "workerConfig")
_DROPPED = {
    "runtimeVersion": "the image decides the versions of TensorFlow and Python",
    "pythonVersion": "the image decides the versions of TensorFlow and Python",
    "parameterServerType": "workers train synchronously now and need no parameter servers",
    "parameterServerCount": "workers train synchronously now and need no parameter servers",
    "parameterServerConfig": "workers train synchronously now and need no parameter servers",
    "packageUris": "the image has the code",
    "pythonModule": "the job calls `tagbox train`",
    "args": "the job calls `tagbox train`",
    "jobDir": "--output says where the run folder goes",
}


@dataclass(frozen=True, slots=True)
class Machines:
    """What a job runs on.

    Attributes:
        chief: Compute Engine's name of the chief's machine.
        accelerator: Name of the chief's accelerator; empty for none.
        accelerator_count: How many of them.
        workers: Number of further machines.
        worker: The name of theirs.
        worker_accelerator: Name of their accelerator; empty for none.
        worker_accelerator_count: How many each has.
        region: Where, or empty.
        notes: What of an old file has no place in the new one, in sentences.
    """

    chief: str = _DEFAULT_MACHINE
    accelerator: str = ""
    accelerator_count: int = 0
    workers: int = 0
    worker: str = _DEFAULT_MACHINE
    worker_accelerator: str = ""
    worker_accelerator_count: int = 0
    region: str = ""
    notes: tuple[str, ...] = field(default=())


def read_cloud_yml(path: Path) -> Machines:
    """Read a ``cloud.yml`` of ml-engine (``gcloud ml-engine jobs submit training --config cloud.yml``).

    Raises:
        InputError: The file is missing or not YAML.
        ConfigError: It is not such a file, or names a machine that nobody knows.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(path), fix="Give the path of cloud.yml with --cloud-yml.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read ({str(error).splitlines()[0]})", where=str(path)) from error
    given = content.get("trainingInput") if isinstance(content, dict) else None
    if not isinstance(given, dict):
        fix = "It begins with `trainingInput:` and has keys such as scaleTier and masterType below it."
        raise ConfigError("is no cloud.yml of ml-engine", where=str(path), fix=fix)
    return _machines(given, str(path))


def _machines(given: Mapping[str, Any], where: str) -> Machines:
    notes = [f"`{key}` is left out: {_DROPPED[key]}" for key in given if key in _DROPPED]
    notes += [f"`{key}` is not known and left out" for key in given if key not in _DROPPED and key not in _UNDERSTOOD]
    tier = str(given.get("scaleTier", "CUSTOM" if "masterType" in given else "BASIC"))
    if tier in _TIERS:
        master, worker, count = _TIERS[tier]
    elif tier == "CUSTOM":
        master, worker, count = str(given.get("masterType", "")), str(given.get("workerType", "")), 0
        if not master:
            raise ConfigError("scaleTier CUSTOM without masterType", where=where, fix="Name a machine, or drop it.")
        try:
            count = int(given.get("workerCount", 0))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"workerCount is {given['workerCount']!r}", where=where, fix="It is a number.") from error
        if not 0 <= count <= 1000:
            raise ConfigError(f"workerCount is {count}", where=where, fix="It is at least 0.")
    else:
        fix = f"Known: CUSTOM, {', '.join(_TIERS)}."
        raise ConfigError(f"there is no scaleTier `{tier}` on Vertex AI", where=where, fix=fix)
    chief, accelerator, per_chief = _machine(master, given.get("masterConfig"), where)
    helper, helper_accelerator, per_helper = _machine(worker or master, given.get("workerConfig"), where)
    for name in dict.fromkeys((master, worker)):
        if name in _RETIRED_GPUS:
            notes.append(f"`{name}` had K80s, which are no longer offered: T4s take their place")
    region = str(given.get("region", ""))
    return Machines(chief, accelerator, per_chief, count, helper, helper_accelerator, per_helper, region, tuple(notes))


def _machine(name: str, config: Any, where: str) -> tuple[str, str, int]:
    machine, accelerator, count = _MACHINES.get(name, (name, "", 0))
    if name not in _MACHINES and not re.fullmatch(r"[a-z]\w*(-\w+)+", name):
        fix = f"Known: {', '.join(_MACHINES)}, and Compute Engine's own names."
        raise ConfigError(f"there is no machine `{name}`", where=where, fix=fix)
    given = (config or {}).get("acceleratorConfig") if isinstance(config, dict) else None
    if isinstance(given, dict):
        accelerator = str(given.get("type", "")).replace("-", "_").upper()
        count = int(str(given.get("count", 1))) if str(given.get("count", 1)).isdigit() else 0
    return machine, accelerator, count


def custom_job(
    *,
    name: str,
    image: str,
    output: str,
    train_words: Sequence[str],
    machines: Machines,
    labels: Mapping[str, str] | None = None,
    hours: float | None = None,
    service_account: str = "",
) -> dict[str, Any]:
    """Return a CustomJob as the REST interface of Vertex AI takes it.

    Args:
        name: What the job is called in the console.
        image: A container image with tagbox in it.
        output: ``gs://bucket/folder`` of what the job leaves; the run folder is ``run`` in it.
        train_words: What follows ``tagbox`` in the container.
        machines: What to run on; the first worker pool is the chief, the second has the workers.
        labels: Put on the job.
        hours: The service stops the job after this time.
        service_account: Who the job runs as; empty: the service's own.

    Raises:
        ConfigError: A value is none that the service documents; all of them are named.
    """
    if not _BUCKET.fullmatch(output):
        fix = "Write it as gs://bucket/folder."
        raise ConfigError(f"`{output}` is no place in Cloud Storage", where="--output", fix=fix)
    container = {"imageUri": image, "command": ["tagbox"], "args": list(train_words)}
    pools = [_pool(machines.chief, machines.accelerator, machines.accelerator_count, 1, container)]
    if machines.workers:
        count = machines.worker_accelerator_count
        pools.append(_pool(machines.worker, machines.worker_accelerator, count, machines.workers, container))
    spec: dict[str, Any] = {"workerPoolSpecs": pools, "baseOutputDirectory": {"outputUriPrefix": output}}
    if hours is not None:
        spec["scheduling"] = {"timeout": f"{round(hours * 3600)}s"}
    if service_account:
        spec["serviceAccount"] = service_account
    job: dict[str, Any] = {"displayName": name, "jobSpec": spec}
    if labels:
        job["labels"] = dict(labels)
    problems = check_custom_job(job)
    if problems:
        raise ConfigError("the job would be refused: " + "; ".join(problems), fix="Correct the options named.")
    return job


def _pool(
    machine: str, accelerator: str, accelerator_count: int, replicas: int, container: Mapping[str, Any]
) -> dict[str, Any]:
    spec: dict[str, Any] = {"machineType": machine}
    if accelerator:
        spec |= {"acceleratorType": accelerator, "acceleratorCount": accelerator_count}
    return {
        "machineSpec": spec,
        "replicaCount": replicas,
        "diskSpec": dict(_BOOT_DISK),
        "containerSpec": {name: list(value) if isinstance(value, list) else value for name, value in container.items()},
    }


def mounted(place: str) -> str:
    """Return where a job sees ``gs://bucket/path``: Vertex AI mounts every bucket below ``/gcs``."""
    return f"/gcs/{place.removeprefix('gs://')}" if place.startswith("gs://") else place


def write_job(job: Mapping[str, Any], *, as_json: bool, for_gcloud: bool) -> str:
    """Return the file's text.

    Args:
        job: What `custom_job` gives.
        as_json: JSON; YAML otherwise.
        for_gcloud: Only the ``jobSpec``, which is what ``gcloud ai custom-jobs create --config`` takes.
    """
    content = job["jobSpec"] if for_gcloud else dict(job)
    if as_json:
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return str(yaml.dump(content, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120))


class _PlainDumper(yaml.SafeDumper):
    """Writes what stands twice twice: references are valid YAML that people and some readers stumble over."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
