"""Killed with SIGKILL at any moment and started again: the same files and the same ledger as if left alone."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.collecting import (
    command,
    comparable_ledger,
    differences,
    environment,
    is_finished,
    run,
    run_and_kill,
    tumblr_words,
    wait_for_images,
)
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings

_SETTINGS = WorldSettings(posts=160, width=400, height=300)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--limit", "90")], ids=["all", "limit"])
def test_six_kills_change_nothing(tmp_path: Path, more: tuple[str, ...]) -> None:
    chance = random.Random(5)
    with FakeTumblr(World(_SETTINGS, Faults.everything(0.02))) as fake:
        whole = run(tumblr_words(tmp_path / "whole", fake.url, *more), tmp_path)
        assert whole.returncode == 0, whole.stderr
    with FakeTumblr(World(_SETTINGS, Faults.everything(0.02)), port=int(fake.url.rsplit(":", 1)[1])) as fake:
        words = tumblr_words(tmp_path / "killed", fake.url, *more)
        num_kills = 0
        while num_kills < 6 and not is_finished(tmp_path / "killed"):
            num_kills += run_and_kill(words, tmp_path, after_s=chance.uniform(0.5, 0.9))
        assert num_kills >= 3
        if not is_finished(tmp_path / "killed"):
            last = run(words, tmp_path)
            assert last.returncode == 0, last.stderr
    assert differences(tmp_path / "whole", tmp_path / "killed") == []
    assert len(comparable_ledger(tmp_path / "killed")["media"]) > 90


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    with FakeTumblr(World(_SETTINGS, Faults(drip=0.5, drip_bytes_per_s=100_000.0))) as fake:
        words = tumblr_words(tmp_path / "data", fake.url)
        process = subprocess.Popen(
            command(*words), env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        wait_for_images(tmp_path / "data", 5)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, told = process.communicate(timeout=30)
        assert time.monotonic() - started < 10
        assert process.returncode == 130
        assert "finishing what is under way" in told
        assert "the same command goes on" in told
        states = {row[8] for row in comparable_ledger(tmp_path / "data")["media"]}
        assert "queued" not in states
        last = run(words, tmp_path)
        assert last.returncode == 0, last.stderr
        clean = run(tumblr_words(tmp_path / "whole", fake.url), tmp_path)
        assert clean.returncode == 0
    assert differences(tmp_path / "whole", tmp_path / "data") == []
