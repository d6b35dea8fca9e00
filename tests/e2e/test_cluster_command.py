"""Two processes on this machine train what one trains."""

import socket

import pytest

from pipelines.run_directory import RunDirectory
from tests.support.tiny_training import make_records, write_tiny_config

# Fresh weights give batch normalisation next to no variance to divide by: a millionth more in the pictures changes
# gradients by a hundredth then. With a large epsilon rounding stays rounding; statistics of half a batch would show.
_OVERRIDES = (
    "trainer.train_steps=8", "trainer.steps_per_loop=1", "trainer.checkpoint_interval=4",
    "trainer.validation_interval=8",
    "task.model.batch_norm.epsilon=1.0",
)  # fmt: skip


def _free_ports(count):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


@pytest.mark.slow
@pytest.mark.tf
def test_two_workers_give_the_curve_of_one_process_and_go_on(warm, tmp_path):
    make_records(tmp_path)
    write_tiny_config(tmp_path)
    sets = [word for one in _OVERRIDES for word in ("--set", one)]

    def start(run, *words):
        return warm.start(["train", "tiny.yaml", "--run", run, *sets, *words], tmp_path)

    def finish(*started):
        done = [warm.finish(command) for command in started]
        for command in done:
            assert command.returncode == 0, command.stderr[-3000:]
        return [command.stderr for command in done]

    def pair(*words):
        workers = ",".join(f"127.0.0.1:{port}" for port in _free_ports(2))
        return [start("runs/two", "--workers", workers, "--task", task, *words) for task in (1, 0)]

    one = start("runs/one")
    _, second, chief = finish(one, *pair("--set", "trainer.train_steps=4", "--set", _decay(8)))
    assert "this is worker 0 of 2" in chief
    assert "this is worker 1 of 2" in second
    # The chief has the checkpoint; the other gets its weights over the network.
    _, chief = finish(*pair())
    assert "going on at step 4 of 8" in chief
    one, two = (RunDirectory(tmp_path / "runs" / name) for name in ("one", "two"))
    for name in ("loss", "classification_loss", "localization_loss", "learning_rate"):
        first, both = ([float(row[name]) for row in run.read_rows() if row["loss"]] for run in (one, two))
        assert len(first) == 8
        assert both == pytest.approx(first, rel=1e-4), name
    own = RunDirectory(two.path / "workers" / "1")
    assert [row["loss"] for row in own.read_rows() if row["loss"]] == [
        row["loss"] for row in two.read_rows() if int(row["step"]) > 4 and row["loss"]
    ]
    assert two.read_results()["num_images"] == one.read_results()["num_images"] == 4
    assert not (own.path / "checkpoints").exists()
    assert two.read_status()["state"] == "done"


def _decay(steps):
    return f"trainer.optimizer_config.learning_rate.cosine.decay_steps={steps}"
