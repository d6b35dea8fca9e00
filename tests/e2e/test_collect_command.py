"""The collect commands as people run them: in a process of their own, against a local Tumblr."""

import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.ledger_schema import LEDGER_PATH, SCHEMA_VERSION
from tests.support.collecting import KEY, command, environment, kept_files, outcomes, run, tumblr_words, wait_for_images
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings
from tests.support.fake_tumblr.api_routes import ApiSettings


@pytest.fixture
def fake() -> Iterator[FakeTumblr]:
    world = World(WorldSettings(posts=40, width=320, height=240), Faults(blurry=0.1, gone_404=0.1, constant_500=0.05))
    with FakeTumblr(world, api=ApiSettings(key=KEY)) as server:
        yield server


def test_from_a_tag_to_attribution(fake: FakeTumblr, tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run(tumblr_words(data, fake.url, "--json"), tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    truth = fake.world.truth()
    assert report["kept"] == list(truth.values()).count("kept") > 20
    assert sum(report["refused"].values()) == len(truth) - report["kept"]
    assert outcomes(data) == truth

    status = json.loads(run(["status", "--data", str(data), "--json"], tmp_path).stdout)
    assert status["states"] == {"kept": report["kept"], "refused": len(truth) - report["kept"]}
    assert status["queries"][0]["tag"] == "pose"
    assert status["spending"]["api_calls"] == len(fake.api_requests)
    assert status["spending"]["media_bytes"] == report["bytes"]
    shown = run(["status", "--data", str(data)], tmp_path)
    assert "http_404" in shown.stdout
    assert "worth a retry" in shown.stdout

    again = run(["retry", "--data", str(data), "--back-off", "0.01", "--json"], tmp_path)
    assert json.loads(again.stdout)["refused"] == {"http_500": status["refusals"]["http_500"]["pictures"]}
    gate = run(["regate", "--data", str(data), "--quality", "min_sharpness=0", "--json"], tmp_path)
    assert json.loads(gate.stdout)["newly_kept"] == report["refused"]["blurry"]
    credit = run(["attribution", "--data", str(data)], tmp_path)
    assert credit.stdout.splitlines() == [str(data / "ATTRIBUTION.csv"), str(data / "ATTRIBUTION.md")]
    post = fake.world.posts[0].post_id
    gone = run(["forget", post, "--data", str(data)], tmp_path)
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.splitlines()
    assert not any((data / name).exists() for name in gone.stdout.splitlines())
    # The thresholds of regate are remembered.
    fake.world.add_posts(20, seed=9)
    assert run(tumblr_words(data, fake.url), tmp_path).returncode == 0
    assert "blurry" not in outcomes(data).values()


def test_the_key_stands_nowhere(fake: FakeTumblr, tmp_path: Path) -> None:
    data = tmp_path / "data"
    told = ""
    for words in (
        tumblr_words(data, fake.url),
        tumblr_words(data, "http://127.0.0.1:1"),
        ["status", "--data", str(data)],
        ["attribution", "--data", str(data)],
    ):
        done = run(words, tmp_path)
        told += done.stdout + done.stderr
    debug = subprocess.run(
        [*command()[:-1], "--debug", *command()[-1:], *tumblr_words(data, "http://127.0.0.1:1")],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert debug.returncode == 4
    told += debug.stderr
    assert "Traceback" in told
    assert KEY not in told
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_no_key_says_how_to_get_one(fake: FakeTumblr, tmp_path: Path) -> None:
    done = run(tumblr_words(tmp_path / "data", fake.url), tmp_path, TUMBLR_CONSUMER_KEY="")
    assert done.returncode == 3
    assert "https://www.tumblr.com/oauth/apps" in done.stderr
    assert "fake_tumblr" in done.stderr
    assert fake.journal == []
    assert not (tmp_path / "data").exists()


def test_a_key_from_a_file_that_only_we_can_read(fake: FakeTumblr, tmp_path: Path) -> None:
    path = tmp_path / "config" / "tagbox" / "tumblr.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"consumer_key": KEY, "contact": "file@example.org"}), encoding="utf-8")
    words = tumblr_words(tmp_path / "data", fake.url, "--limit", "2")
    path.chmod(0o644)
    done = run(words, tmp_path, TUMBLR_CONSUMER_KEY="")
    assert done.returncode == 3
    assert "chmod 600" in done.stderr
    path.chmod(0o600)
    done = run(words, tmp_path, TUMBLR_CONSUMER_KEY="", TUMBLR_CONTACT="")
    assert done.returncode == 0, done.stderr
    assert "file@example.org" in fake.journal[0].headers["user-agent"]
    path.write_text(f'{{"consumer_key": "{KEY}"', encoding="utf-8")
    done = run(words, tmp_path, TUMBLR_CONSUMER_KEY="")
    assert done.returncode == 3
    assert KEY not in done.stderr


def test_a_refused_key(fake: FakeTumblr, tmp_path: Path) -> None:
    done = run(tumblr_words(tmp_path / "data", fake.url), tmp_path, TUMBLR_CONSUMER_KEY="not-this-one")
    assert done.returncode == 3
    assert "Tumblr refused the API key (401" in done.stderr
    assert "not-this-one" not in done.stderr


def test_a_tag_nobody_uses(fake: FakeTumblr, tmp_path: Path) -> None:
    words = ["nobody uses this" if word == "pose" and place == 1 else word
             for place, word in enumerate(tumblr_words(tmp_path / "data", fake.url))]  # fmt: skip
    done = run(words, tmp_path)
    assert done.returncode == 1
    assert "no post was found for #nobody uses this" in done.stderr


@pytest.mark.parametrize(
    ("state", "words"), [("gone", "no such blog"), ("private", "private or blocked"), ("dashboard_only", "logged-in")]
)
def test_a_blog_that_cannot_be_read(fake: FakeTumblr, tmp_path: Path, state: str, words: str) -> None:
    fake.api_settings.blogs["shy"] = state
    done = run(tumblr_words(tmp_path / "data", fake.url, "--blog", "shy"), tmp_path)
    assert done.returncode == 4
    assert words in done.stderr
    assert "#pose of shy" in done.stderr
    blog = fake.world.posts[0].blog
    done = run(
        tumblr_words(tmp_path / "data", fake.url, "--blog", "shy", "--blog", f"https://{blog}.tumblr.com"), tmp_path
    )
    assert done.returncode == 5
    assert kept_files(tmp_path / "data")


def test_a_quota_spent_for_hours_ends_with_the_time_to_come_back(fake: FakeTumblr, tmp_path: Path) -> None:
    fake.api_settings.per_day = 2
    done = run(tumblr_words(tmp_path / "data", fake.url), tmp_path)
    assert done.returncode == 4
    assert "the daily quota of the key is spent; the next call is possible at 20" in done.stderr
    assert len(fake.api_requests) == 2
    fake.api_settings.per_day = 1000
    done = run(tumblr_words(tmp_path / "data", fake.url), tmp_path)
    assert done.returncode == 0
    assert outcomes(tmp_path / "data") == fake.world.truth()


def test_waiting_is_shown_with_its_end(fake: FakeTumblr, tmp_path: Path) -> None:
    fake.api_settings.per_hour, fake.api_settings.hour_s = 1, 8.0
    done = run(tumblr_words(tmp_path / "data", fake.url, "--budget-calls", "2"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "waiting until " in done.stderr
    assert "the hourly quota of the key is spent" in done.stderr


def test_two_collectors_on_one_root(fake: FakeTumblr, tmp_path: Path) -> None:
    for picture in fake.world.pictures.values():
        picture.passing = "drip"
    fake.world.faults.drip_bytes_per_s = 8_000
    data = tmp_path / "data"
    first = subprocess.Popen(
        command(*tumblr_words(data, fake.url)), env=environment(tmp_path), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for_images(data, 1)
    second = run(tumblr_words(data, fake.url), tmp_path)
    assert second.returncode == 6
    assert f"another collector is at work here (process {first.pid}" in second.stderr
    status = run(["status", "--data", str(data), "--json"], tmp_path)  # looking is always allowed
    assert json.loads(status.stdout)["collector_at_work"] is True
    fake.world.faults.drip_bytes_per_s = 10**9
    third = run(tumblr_words(data, fake.url, "--wait"), tmp_path)
    assert third.returncode == 0, third.stderr
    assert "waiting for another collector" in third.stderr
    assert first.wait(60) == 0
    assert outcomes(data) == fake.world.truth()


def test_a_ledger_of_a_newer_version(fake: FakeTumblr, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / ".tagbox").mkdir(parents=True)
    connection = sqlite3.connect(data / LEDGER_PATH)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for words in (tumblr_words(data, fake.url), ["status", "--data", str(data)], ["regate", "--data", str(data)]):
        done = run(words, tmp_path)
        assert done.returncode == 6
        assert "a newer tagbox wrote this ledger" in done.stderr
    assert fake.journal == []


def _small_disk() -> None:
    """No file may grow beyond 200 kB: what a full disk looks like to a writer."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


@pytest.mark.skipif(os.name != "posix", reason="file size limits are a POSIX thing")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    # Pictures of 300 kB and more do not fit, the ledger does.
    world = World(WorldSettings(posts=8, width=1280, height=1000), Faults())
    with FakeTumblr(world) as fake:
        data = tmp_path / "data"
        done = subprocess.run(
            command(*tumblr_words(data, fake.url)), env=environment(tmp_path), capture_output=True, text=True,
            preexec_fn=_small_disk, check=False,
        )  # fmt: skip
        assert done.returncode == 6, done.stderr
        assert "cannot write" in done.stderr
        assert "run the same command again; nothing is lost" in done.stderr
        assert "Traceback" not in done.stderr
        done = run(tumblr_words(data, fake.url), tmp_path)
        assert done.returncode == 0, done.stderr
        assert outcomes(data) == world.truth()


def test_a_plan_costs_nothing(fake: FakeTumblr, tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run(tumblr_words(data, fake.url, "--limit", "2000", "--plan"), tmp_path, TUMBLR_CONSUMER_KEY="")
    assert done.returncode == 0, done.stderr
    for word in ("calls", "fetch", "time", "disk", "usual figures of photo tags"):
        assert word in done.stdout
    assert fake.journal == []
    assert not data.exists()
    run(tumblr_words(data, fake.url), tmp_path)
    calls = len(fake.journal)
    plan = json.loads(run(tumblr_words(data, fake.url, "--limit", "2000", "--plan", "--json"), tmp_path).stdout)
    assert plan["basis"].startswith("this dataset so far")
    assert plan["already_kept"] + plan["kept"] == 2000
    assert len(fake.journal) == calls


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no tag and no blog"),
        (["  #  "], "a tag or blog is empty"),
        (["pose", "--class", "a/b"], "cannot be the name of a folder"),
        (["pose", "--before", "yesterday"], "not a date"),
        (["pose", "--after", "2025-02-01", "--before", "2025-01-01"], "--after must lie before --before"),
        (["pose", "--quality", "min_side"], "expected NAME=NUMBER"),
        (["pose", "--quality", "sharpness=3"], "no quality threshold is called sharpness"),
        (["pose", "--plan"], "a plan needs --limit"),
        (["pose", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(tmp_path: Path, words: list[str], told: str) -> None:
    more = [] if "--class" in words else ["--class", "pose"]
    done = run(["tumblr", *words, *more, "--data", str(tmp_path / "data"), "--host", "http://127.0.0.1:1"], tmp_path)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr


def test_commands_without_a_ledger_say_so(tmp_path: Path) -> None:
    for words in (["status"], ["retry"], ["regate"], ["forget", "somebody"], ["attribution"]):
        done = run([*words, "--data", str(tmp_path / "none")], tmp_path)
        assert done.returncode == 6
        assert "there is no ledger here" in done.stderr
    assert not (tmp_path / "none").exists()


def test_help_does_not_import_tensorflow(tmp_path: Path) -> None:
    code = "import sys\nfrom scripts.cli import main\ntry:\n    main(['collect', 'tumblr', '--help'])\nfinally:\n    " \
           "assert not {'tensorflow', 'PIL', 'requests', 'pytumblr'} & set(sys.modules)\n"  # fmt: skip
    done = subprocess.run(
        [command()[0], "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--limit" in done.stdout


def test_the_local_tumblr_is_a_tool_of_its_own(tmp_path: Path) -> None:
    words = [command()[0], "-u", "-m", "tests.support.fake_tumblr", "--port", "0", "--posts", "30"]
    with subprocess.Popen(words, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "30 posts" in server.stdout.readline()
        url = server.stdout.readline().split()[-1]
        try:
            done = run(tumblr_words(tmp_path / "data", url, "--limit", "5"), tmp_path, TUMBLR_CONSUMER_KEY="any")
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    assert len(kept_files(tmp_path / "data")) == 5
