"""Running the collector in tests, in this process or one of its own, and comparing what it leaves behind."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from collectors.consent import ConsentPolicy
from collectors.downloader import DownloadSettings
from collectors.http_client import api_session, user_agent
from collectors.ledger import Query, open_ledger
from collectors.ledger_lock import exclusive
from collectors.ledger_schema import LEDGER_PATH
from collectors.rate_limits import CallWindow, RateScheduler
from collectors.tumblr import CollectOptions, SessionReport, TumblrSession
from collectors.tumblr_api import TumblrApi

_ROOT = Path(__file__).resolve().parents[2]
KEY = "a-secret-key-that-must-not-show"


def options(**changes: Any) -> CollectOptions:
    """Options with short pauses."""
    quick = CollectOptions(download=DownloadSettings(back_off_s=0.02), policy=ConsentPolicy())
    return replace(quick, **changes)


def scheduler(**changes: Any) -> RateScheduler:
    """A scheduler that hardly waits."""
    return RateScheduler(**{"windows": [CallWindow(100_000, 60.0)], "burst_wait_s": 0.05, **changes})


def collect_here(
    data: Path,
    url: str,
    *queries: Query,
    wanted: CollectOptions | None = None,
    pace: RateScheduler | None = None,
    key: str = KEY,
    stop: Event | None = None,
) -> SessionReport:
    """Run a session in this process; by default for the tag ``pose``."""
    agent = user_agent("tests@example.org")
    pace = pace or scheduler()
    with exclusive(data):
        ledger = open_ledger(data)
        try:
            api = TumblrApi(key, api_session(agent), pace, host=url, back_off_s=0.02)
            session = TumblrSession(
                ledger, api, queries or [Query("pose", "pose")], wanted or options(), agent=agent,
                stop=stop or Event(), num_calls=lambda: pace.calls,
            )  # fmt: skip
            return session.run()
        finally:
            ledger.close()


def environment(home: Path, **changes: str) -> dict[str, str]:
    """An environment with a key and a contact, and a home of its own."""
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR")}
    return {
        **keep,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PYTHONPATH": str(_ROOT),
        "TUMBLR_CONSUMER_KEY": KEY,
        "TUMBLR_CONTACT": "tests@example.org",
        "COLUMNS": "160",
        **changes,
    }


def command(*words: str) -> list[str]:
    """The words that run tagbox from this checkout."""
    return [sys.executable, "-W", "error", "-c", "from scripts.cli import main; main()", "collect", *words]


def tumblr_words(data: Path, url: str, *more: str) -> list[str]:
    """``collect tumblr pose`` against a local server, with short pauses."""
    return [
        "tumblr", "pose", "--class", "pose", "--data", str(data), "--host", url, "--back-off", "0.05",
        "--burst-wait", "0.2", "--calls-per-minute", "100000", "--calls-per-hour", "100000",
        "--calls-per-day", "900000", *more,
    ]  # fmt: skip


def run(words: list[str], home: Path, *, timeout: float = 240, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a collect command to its end."""
    return subprocess.run(
        command(*words), env=environment(home, **changes), capture_output=True, text=True, timeout=timeout, check=False
    )


def run_and_kill(words: list[str], home: Path, *, after_s: float) -> bool:
    """Start a collect command and kill it with SIGKILL; returns whether it was still at work."""
    process = subprocess.Popen(
        command(*words), env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def is_finished(data: Path) -> bool:
    """Tell whether the last session came to its end: what runs after that is a new one, which looks for new posts."""
    if not (data / LEDGER_PATH).is_file():
        return False
    ledger = open_ledger(data, create=False)
    try:
        notes = [row["note"] for row in ledger.connection.execute("SELECT note FROM walks")]
    finally:
        ledger.close()
    return bool(notes) and not any(notes)


def wait_for_images(data: Path, num: int, *, class_name: str = "pose", timeout: float = 60) -> None:
    """Wait until a class folder holds so many pictures."""
    folder = data / class_name / "unlabeled" / "images"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if folder.is_dir() and sum(1 for _ in folder.iterdir()) >= num:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {num} pictures in {folder} after {timeout} s")


def outcomes(data: Path) -> dict[str, str]:
    """Media key -> ``kept`` or the code of its refusal, as the truth of the local Tumblr has it.

    Pictures that do not lie with Tumblr go by the number in their URL, like in the truth.
    """
    ledger = open_ledger(data, create=False)
    try:
        rows = ledger.connection.execute("SELECT media_key, state, code FROM media").fetchall()
    finally:
        ledger.close()
    found = {}
    for row in rows:
        match = re.search(r"/elsewhere/(\d+)\.", row["media_key"])
        found[f"external-{match[1]}" if match else row["media_key"]] = row["code"] or row["state"]
    return found


def kept_files(data: Path) -> dict[str, str]:
    """File below the dataset root -> SHA-256, for every file but the ledger's own."""
    return {
        path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file() and not path.name.startswith(("ledger.sqlite", "lock.sqlite", "collector.txt"))
    }


# What may differ between a run that was left alone and one that was killed: clocks, and what was spent on the way.
_VOLATILE = ("attempts", "bytes", "fetched_at", "seen_at", "http_status")


def comparable_ledger(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table of the ledger without clocks and costs, row by row."""
    ledger = open_ledger(data, create=False)
    tables = {}
    try:
        for table in ("queries", "walks", "gaps", "posts", "post_queries", "media", "sightings", "tombstones"):
            columns = [row["name"] for row in ledger.connection.execute(f"PRAGMA table_info({table})")]
            wanted = [name for name in columns if name not in _VOLATILE]
            if table == "walks":
                wanted = [name for name in wanted if name not in ("pages", "idle_pages", "empty_pages")]
            rows = ledger.connection.execute(f"SELECT {', '.join(wanted)} FROM {table} ORDER BY 1, 2")
            tables[table] = [tuple(row) for row in rows]
    finally:
        ledger.close()
    return tables


def differences(first: Path, second: Path) -> list[str]:
    """What two dataset roots do not have in common; ``[]`` when they are the same."""
    files = kept_files(first), kept_files(second)
    found = [
        f"file {name}: {files[0].get(name)} {files[1].get(name)}"
        for name in sorted(set(files[0]) | set(files[1]))
        if files[0].get(name) != files[1].get(name)
    ]
    tables = comparable_ledger(first), comparable_ledger(second)
    for table, rows in tables[0].items():
        if rows != tables[1][table]:
            odd = [pair for pair in zip(rows, tables[1][table], strict=False) if pair[0] != pair[1]][:3]
            found.append(f"table {table}: {len(rows)} and {len(tables[1][table])} rows, for example {odd}")
    return found
