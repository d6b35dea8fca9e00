"""The documented fields of a Vertex AI CustomJob, and what is wrong with one that does not keep to them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_Check = Callable[[Any, str], Iterator[str]]
_ACCELERATORS = (
    "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB", "NVIDIA_L4", "NVIDIA_H100_80GB", "NVIDIA_H100_MEGA_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200",
    "TPU_V2", "TPU_V3",
)  # fmt: skip
_STRATEGIES = ("STANDARD", "ON_DEMAND", "SPOT", "FLEX_START")
_MAX_POOLS = 4  # chief, workers, parameter servers, evaluators
_MAX_NAME = 128


def check_custom_job(job: Mapping[str, Any]) -> list[str]:
    """Return what the service would refuse in a CustomJob, one sentence a problem; none: it keeps to the fields.

    Args:
        job: As the REST interface takes it: ``displayName``, ``jobSpec``, ``labels``...
    """
    problems = list(_object(_JOB, required=("displayName", "jobSpec"))(job, ""))
    pools = job.get("jobSpec", {}).get("workerPoolSpecs") if isinstance(job.get("jobSpec"), Mapping) else None
    if isinstance(pools, list) and pools and not problems:
        if pools[0].get("replicaCount") != 1:
            problems.append("jobSpec.workerPoolSpecs[0].replicaCount must be 1: the first pool is the chief")
        for index, pool in enumerate(pools):
            place = f"jobSpec.workerPoolSpecs[{index}]"
            if pool and ("containerSpec" in pool) == ("pythonPackageSpec" in pool):
                problems.append(f"{place} needs one of containerSpec and pythonPackageSpec")
            machine = pool.get("machineSpec", {})
            if ("acceleratorType" in machine) != ("acceleratorCount" in machine):
                problems.append(f"{place}.machineSpec needs acceleratorType and acceleratorCount, or neither")
    return problems


def _object(fields: Mapping[str, _Check], *, required: tuple[str, ...] = ()) -> _Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place or 'the job'} must be a group of fields"
            return
        for name in required:
            if name not in value:
                yield f"{_below(place, name)} is missing"
        for name, inner in value.items():
            if name not in fields:
                yield f"{_below(place, str(name))} is no documented field"
            else:
                yield from fields[name](inner, _below(place, name))

    return check


def _list(of: _Check, *, at_most: int = 100_000, at_least: int = 0) -> _Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, list) or not at_least <= len(value) <= at_most:
            yield f"{place} must be a list of {at_least} to {at_most}"
            return
        for index, item in enumerate(value):
            yield from of(item, f"{place}[{index}]")

    return check


def _text(pattern: str = r"(?s).+", says: str = "text") -> _Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            yield f"{place} is {value!r}: it must be {says}"

    return check


def _number(least: int, most: int = 2**31 - 1) -> _Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            yield f"{place} is {value!r}: it must be a whole number from {least}"

    return check


def _one_of(*names: str) -> _Check:
    def check(value: Any, place: str) -> Iterator[str]:
        if value not in names:
            yield f"{place} is {value!r}: it must be one of {', '.join(names)}"

    return check


def _flag(value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{place} is {value!r}: it must be true or false"


def _labels(value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place} must be a group of fields"
        return
    for name, text in value.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", str(name)) or not re.fullmatch(r"[a-z0-9_-]{0,63}", str(text)):
            yield f"{place}.{name} is {text!r}: names and values are lower-case letters, digits, - and _, at most 63"


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


_ENV = _object({"name": _text(), "value": _text(r"(?s).*")}, required=("name", "value"))
_MACHINE = _object(
    {
        "machineType": _text(r"[a-z]\w*(-\w+)+", "a machine such as n1-standard-8"),
        "acceleratorType": _one_of(*_ACCELERATORS),
        "acceleratorCount": _number(1, 16),
        "tpuTopology": _text(),
        "reservationAffinity": _object(
            {"reservationAffinityType": _text(), "key": _text(), "values": _list(_text())},
            required=("reservationAffinityType",),
        ),
    },
    required=("machineType",),
)
_POOL = _object(
    {
        "machineSpec": _MACHINE,
        "replicaCount": _number(1),
        "diskSpec": _object({"bootDiskType": _text(r"pd-[a-z]+|hyperdisk-[a-z]+", "a disk such as pd-ssd"),
                             "bootDiskSizeGb": _number(100, 64000)}),
        "nfsMounts": _list(_object({"server": _text(), "path": _text(), "mountPoint": _text()})),
        "containerSpec": _object(
            {"imageUri": _text(r"[^\s:/]+(:\d+)?(/[^\s]+)+", "an image such as registry/project/tagbox"),
             "command": _list(_text()), "args": _list(_text()), "env": _list(_ENV)},
            required=("imageUri",),
        ),
        "pythonPackageSpec": _object(
            {"executorImageUri": _text(), "packageUris": _list(_text(r"gs://.+", "a place in Cloud Storage")),
             "pythonModule": _text(), "args": _list(_text()), "env": _list(_ENV)},
            required=("executorImageUri", "packageUris", "pythonModule"),
        ),
    },
    required=("machineSpec", "replicaCount"),
)  # fmt: skip
_SPEC = _object(
    {
        "workerPoolSpecs": _list(_POOL, at_least=1, at_most=_MAX_POOLS),
        "scheduling": _object(
            {"timeout": _text(r"\d+(\.\d{1,9})?s", "seconds such as 3600s"), "restartJobOnWorkerRestart": _flag,
             "strategy": _one_of(*_STRATEGIES), "disableRetries": _flag,
             "maxWaitDuration": _text(r"\d+(\.\d{1,9})?s", "seconds such as 3600s")}
        ),
        "serviceAccount": _text(r"[^@\s]+@[^@\s]+", "the address of an account"),
        "network": _text(r"projects/[^/]+/global/networks/[^/]+", "projects/NUMBER/global/networks/NAME"),
        "reservedIpRanges": _list(_text()),
        "baseOutputDirectory": _object(
            {"outputUriPrefix": _text(r"gs://.+", "a place in Cloud Storage")}, required=("outputUriPrefix",)
        ),
        "protectedArtifactLocationId": _text(),
        "tensorboard": _text(r"projects/[^/]+/locations/[^/]+/tensorboards/[^/]+",
                             "projects/P/locations/REGION/tensorboards/ID"),
        "enableWebAccess": _flag,
        "enableDashboardAccess": _flag,
        "experiment": _text(),
        "experimentRun": _text(),
        "models": _list(_text()),
        "persistentResourceId": _text(),
    },
    required=("workerPoolSpecs",),
)  # fmt: skip
_JOB: dict[str, _Check] = {
    "displayName": _text(rf"(?s).{{1,{_MAX_NAME}}}", f"a name of at most {_MAX_NAME} characters"),
    "jobSpec": _SPEC,
    "labels": _labels,
    "encryptionSpec": _object({"kmsKeyName": _text()}, required=("kmsKeyName",)),
}
