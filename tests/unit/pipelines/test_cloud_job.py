"""A CustomJob from a config and from ml-engine's cloud.yml: its fields, and what is refused."""

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from pipelines.cloud_job import Machines, custom_job, mounted, read_cloud_yml, write_job
from pipelines.cloud_job_fields import check_custom_job

# The file that the OD API's guide had people write.
OLD = """\
trainingInput:
  runtimeVersion: "1.0"
  scaleTier: CUSTOM
  masterType: standard_gpu
  workerCount: 5
  workerType: standard_gpu
  parameterServerCount: 3
  parameterServerType: standard
"""


def _job(**more):
    given = {
        "name": "raccoon", "image": "europe-docker.pkg.dev/project/repo/tagbox:1", "output": "gs://bucket/raccoon",
        "train_words": ["train", "ssd_mobilenet_v1"], "machines": Machines(),
    }  # fmt: skip
    return custom_job(**(given | more))


def _machines(tmp_path, text):
    path = tmp_path / "cloud.yml"
    path.write_text(text)
    return read_cloud_yml(path)


def test_the_old_guides_file_becomes_a_chief_and_five_workers(tmp_path):
    machines = _machines(tmp_path, OLD)
    job = _job(machines=machines)
    chief, workers = job["jobSpec"]["workerPoolSpecs"]
    assert (chief["replicaCount"], workers["replicaCount"]) == (1, 5)
    gpu = {"machineType": "n1-standard-8", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
    assert chief["machineSpec"] == workers["machineSpec"] == gpu
    assert chief["containerSpec"] == {
        "imageUri": "europe-docker.pkg.dev/project/repo/tagbox:1", "command": ["tagbox"],
        "args": ["train", "ssd_mobilenet_v1"],
    }  # fmt: skip
    notes = " ".join(machines.notes)
    for word in ("runtimeVersion", "parameterServerCount", "need no parameter servers", "K80"):
        assert word in notes


def test_a_job_of_one_machine_has_one_pool():
    job = _job(hours=1.5, service_account="a@b.iam", labels={"tool": "tagbox"})
    assert len(job["jobSpec"]["workerPoolSpecs"]) == 1
    assert job["jobSpec"]["scheduling"] == {"timeout": "5400s"}
    assert job["jobSpec"]["baseOutputDirectory"] == {"outputUriPrefix": "gs://bucket/raccoon"}
    assert check_custom_job(job) == []


@pytest.mark.parametrize(
    ("text", "chief", "workers"),
    [
        ("trainingInput: {scaleTier: BASIC}", "n1-standard-4", 0),
        ("trainingInput: {scaleTier: STANDARD_1}", "n1-highcpu-8", 4),
        ("trainingInput: {scaleTier: CUSTOM, masterType: n1-highmem-16}", "n1-highmem-16", 0),
        ("trainingInput: {masterType: complex_model_l, workerCount: '2'}", "n1-highcpu-32", 2),
        ("trainingInput: {}", "n1-standard-4", 0),
    ],
)
def test_scale_tiers_and_machines(tmp_path, text, chief, workers):
    machines = _machines(tmp_path, text)
    assert (machines.chief, machines.workers) == (chief, workers)
    assert check_custom_job(_job(machines=machines)) == []


def test_accelerators_and_region_of_an_old_file(tmp_path):
    text = (
        "trainingInput:\n  scaleTier: CUSTOM\n  region: us-central1\n  masterType: n1-standard-16\n"
        "  masterConfig: {acceleratorConfig: {count: 2, type: NVIDIA_TESLA_V100}}\n  anything: 1\n"
    )
    machines = _machines(tmp_path, text)
    assert (machines.accelerator, machines.accelerator_count, machines.region) == (
        "NVIDIA_TESLA_V100",
        2,
        "us-central1",
    )
    assert machines.notes == ("`anything` is not known and left out",)


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("trainingInput: {scaleTier: BASIC_TPU}", ConfigError, "no scaleTier `BASIC_TPU`"),
        ("trainingInput: {scaleTier: CUSTOM}", ConfigError, "without masterType"),
        ("trainingInput: {scaleTier: CUSTOM, masterType: huge}", ConfigError, "no machine `huge`"),
        ("trainingInput: {masterType: standard, workerCount: many}", ConfigError, "workerCount is 'many'"),
        ("trainingInput: {masterType: standard, workerCount: -1}", ConfigError, "workerCount is -1"),
        ("[1, 2]", ConfigError, "is no cloud.yml"),
        ("", ConfigError, "is no cloud.yml"),
        ("a: [", InputError, "cannot be read"),
    ],
)
def test_what_is_no_cloud_yml_is_refused_with_its_reason(tmp_path, text, kind, what):
    with pytest.raises(kind, match=re.escape(what)):
        _machines(tmp_path, text)


def test_a_missing_cloud_yml(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_cloud_yml(tmp_path / "cloud.yml")


@given(st.text(max_size=60))
def test_any_text_is_a_cloud_yml_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("yml") / "cloud.yml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises((ConfigError, InputError)):
        read_cloud_yml(path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"displayName": ""}, "displayName is ''"),
        ({"displayName": "x" * 129}, "at most 128"),
        ({"jobspec": {}}, "jobspec is no documented field"),
        ({"labels": {"Tool": "x"}}, "labels.Tool"),
        ({"jobSpec": {"workerPoolSpecs": []}}, "must be a list of 1 to 4"),
        ({"jobSpec": {"workerPoolSpecs": [{"replicaCount": 1}]}}, "machineSpec is missing"),
        ({"jobSpec": {"workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": 1}]}},
         "needs one of containerSpec and pythonPackageSpec"),
        ({"jobSpec": 3}, "jobSpec must be a group"),
    ],
)  # fmt: skip
def test_what_the_service_does_not_document_is_found(change, what):
    problems = check_custom_job(_job() | change)
    assert any(what in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (("machineSpec", "acceleratorType"), "NVIDIA_TESLA_K80", "must be one of"),
        (("machineSpec", "acceleratorCount"), 1, "needs acceleratorType and acceleratorCount"),
        (("replicaCount",), 2, "the first pool is the chief"),
        (("replicaCount",), True, "whole number"),
        (("diskSpec", "bootDiskSizeGb"), 10, "whole number from 100"),
        (("containerSpec", "imageUri"), "no image", "must be an image"),
        (("containerSpec", "args"), "train", "must be a list"),
    ],
)
def test_a_pool_that_is_wrong_is_found(path, value, what):
    job = _job()
    pool = job["jobSpec"]["workerPoolSpecs"][0]
    for name in path[:-1]:
        pool = pool[name]
    pool[path[-1]] = value
    assert any(what in problem for problem in check_custom_job(job)), check_custom_job(job)


def test_values_that_would_be_refused_name_themselves():
    with pytest.raises(ConfigError, match=r"imageUri is 'tagbox'.*must be an image"):
        _job(image="tagbox")
    with pytest.raises(ConfigError, match="no place in Cloud Storage"):
        _job(output="/home/me")
    with pytest.raises(ConfigError, match="serviceAccount"):
        _job(service_account="me")


@pytest.mark.parametrize("for_gcloud", [True, False])
def test_both_formats_say_the_same(for_gcloud):
    job = _job(machines=Machines(workers=2))
    texts = [write_job(job, as_json=as_json, for_gcloud=for_gcloud) for as_json in (True, False)]
    assert json.loads(texts[0]) == yaml.safe_load(texts[1]) == (job["jobSpec"] if for_gcloud else job)
    assert "&id" not in texts[1]  # no anchors


def test_a_bucket_is_where_the_service_mounts_it():
    assert mounted("gs://bucket/a/b") == "/gcs/bucket/a/b"
    assert mounted("records") == "records"
