"""Which workers there are: from words, from TF_CONFIG, from the config; and what a cluster cannot train."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from pipelines import cluster as clusters
from pipelines.cluster import Cluster
from pipelines.experiment import load_experiment
from pipelines.run_directory import RunDirectory
from tests.support.tiny_training import write_tiny_config

pytestmark = pytest.mark.tf

TWO = ("10.0.0.1:2222", "10.0.0.2:2222")


def test_addresses_and_a_number_make_a_cluster():
    cluster = clusters.cluster_of_addresses("10.0.0.1:2222, 10.0.0.2:2222", 1)
    assert cluster == Cluster(TWO, 1)
    assert (cluster.size, cluster.is_chief) == (2, False)
    assert clusters.cluster_of_addresses(",".join(TWO), 0).is_chief
    assert (Cluster().size, Cluster().is_chief) == (1, True)


@pytest.mark.parametrize(
    ("workers", "task", "what"),
    [
        ("10.0.0.1,10.0.0.2", 0, "`10.0.0.1` is not host:port"),
        ("a:99999,b:1", 0, "`a:99999` is not host:port"),
        ("a:0,b:1", 0, "`a:0` is not host:port"),
        ("a:1,a:1", 0, "an address stands twice"),
        ("a:1", 0, "at least two workers"),
        ("", 0, "at least two workers"),
        ("a:1,b:1", None, "needs a number of its own. Give --task 0 to --task 1"),
        ("a:1,b:1", 2, "there is no worker 2"),
        ("a:1,b:1", -1, "there is no worker -1"),
    ],
)
def test_words_that_make_no_cluster(workers, task, what):
    with pytest.raises(ConfigError) as caught:
        clusters.cluster_of_addresses(workers, task)
    assert what in str(caught.value)


def _tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (_tf_config({"worker": list(TWO)}, index=1), Cluster(TWO, 1)),
        # As Vertex AI sets it: the first pool is the chief.
        (_tf_config({"chief": [TWO[0]], "worker": [TWO[1]]}, "chief"), Cluster(TWO, 0)),
        (_tf_config({"chief": [TWO[0]], "worker": [TWO[1]]}), Cluster(TWO, 1)),
        (_tf_config({"chief": ["a:1"]}, "chief"), Cluster()),
        ({"TF_CONFIG": "{}"}, Cluster()),
        ({"TF_CONFIG": ""}, Cluster()),
        ({}, Cluster()),
    ],
)
def test_tf_config(environment, expected):
    assert clusters.environment_cluster(environment) == expected


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({"TF_CONFIG": "{"}, "cannot be read"),
        ({"TF_CONFIG": "[1]"}, "cannot be read"),
        (_tf_config({"worker": list(TWO), "ps": ["c:1"]}), "no `ps`"),
        (_tf_config({"worker": list(TWO)}, "evaluator"), "no `evaluator`"),
        (_tf_config({"worker": list(TWO)}, index=2), "there is no worker 2"),
    ],
)
def test_a_tf_config_that_is_none(environment, what):
    with pytest.raises(ConfigError, match="TF_CONFIG") as caught:
        clusters.environment_cluster(environment)
    assert what in str(caught.value)


@given(st.text(min_size=1))
def test_any_text_is_a_tf_config_or_refused(text):
    try:
        cluster = clusters.environment_cluster({"TF_CONFIG": text})
    except ConfigError:
        return
    assert cluster.size == 1 or 0 <= cluster.index < cluster.size


def test_a_config_names_its_workers_too(tmp_path):
    config = write_tiny_config(tmp_path)
    hosts = f"runtime.worker_hosts={','.join(TWO)}"
    assert clusters.configured_cluster(load_experiment(config)) == Cluster()
    assert clusters.configured_cluster(load_experiment(config, [hosts, "runtime.task_index=1"])) == Cluster(TWO, 1)
    with pytest.raises(ConfigError, match="needs a number of its own"):
        clusters.configured_cluster(load_experiment(config, [hosts]))


@pytest.mark.parametrize(
    ("cluster", "overrides", "what"),
    [
        (Cluster(), ["runtime.distribution_strategy=multi_worker_mirrored"], "no workers are named"),
        (Cluster(TWO, 0), ["runtime.distribution_strategy=mirrored"], "a cluster trains with multi_worker_mirrored"),
        (Cluster(TWO, 0), ["task.train_data.global_batch_size=5"], "Add --set task.train_data.global_batch_size=6"),
    ],
)
def test_what_a_cluster_cannot_train_is_refused(tmp_path, cluster, overrides, what):
    experiment = load_experiment(write_tiny_config(tmp_path), overrides)
    with pytest.raises(ConfigError) as caught:
        clusters.join(cluster, experiment)
    assert what in str(caught.value)


def test_only_the_chief_has_the_run_folder(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with clusters.own_folder(run, Cluster(TWO, 0)) as own:
        assert own is run
    with clusters.own_folder(run, Cluster(TWO, 1)) as own:
        (own.last_checkpoints).mkdir(parents=True)
        (own.path / "train.log").write_text("x")
    assert not (run.path / "workers/1/checkpoints").exists()
    assert (run.path / "workers/1/train.log").is_file()
    assert not run.is_started()  # the chief may come second
