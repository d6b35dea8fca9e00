"""Options that the collect commands share, and what they become."""

import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from collectors.errors import ConfigError
from scripts.options import Command

if TYPE_CHECKING:
    from collectors.downloader import DownloadSettings
    from collectors.ledger import Ledger
    from collectors.tumblr import CollectOptions

PATIENCE_S = 86_400.0
_DIRECTORY = click.Path(path_type=Path, file_okay=False)


def data_option(command: Command) -> Command:
    """Add ``--data DIR``."""
    return click.option(
        "--data", "data_dir", type=_DIRECTORY, default=Path("data"), show_default=True, help="The dataset root."
    )(command)


def records_dirs_option(command: Command) -> Command:
    """Add ``--records DIR``, which can be given several times."""
    return click.option(
        "--records", "records_dirs", type=_DIRECTORY, multiple=True, default=(Path("records"),), show_default=True,
        help="Folders with built records.",
    )(command)  # fmt: skip


def wait_option(command: Command) -> Command:
    """Add ``--wait``."""
    return click.option("--wait", is_flag=True, help="Stand in line when another collector works on the root.")(command)


def quality_option(command: Command) -> Command:
    """Add ``--quality NAME=VALUE``."""
    return click.option(
        "--quality", multiple=True, metavar="NAME=VALUE",
        help="Change a threshold of the quality gate: min_side, max_aspect, min_sharpness, min_brightness, "
        "min_contrast, min_entropy, max_text_likeness.",
    )(command)  # fmt: skip


def transfer_options(command: Command) -> Command:
    """Add what decides about fetching and judging pictures."""
    options = [
        click.option("--animated", type=click.Choice(["refuse", "first-frame"]), default="refuse", show_default=True,
                     help="What to do with animations."),
        click.option("--per-host", type=click.IntRange(1, 32), default=6, show_default=True,
                     help="Transfers at a time from one host."),
        click.option("--threads", type=click.IntRange(1, 128), default=12, show_default=True,
                     help="Threads that fetch and decode."),
        click.option("--deadline", type=click.FloatRange(1), default=90.0, show_default=True, metavar="SECONDS",
                     help="Longest time for one picture."),
        click.option("--max-bytes", type=click.IntRange(1), default=30_000_000, show_default=True,
                     help="Largest download."),
        click.option("--max-pixels", type=click.IntRange(1), default=60_000_000, show_default=True,
                     help="Largest width times height."),
        click.option("--back-off", type=click.FloatRange(0), default=1.0, show_default=True, metavar="SECONDS",
                     help="First pause after a failure; it doubles."),
        click.option("--nsfw", type=click.Choice(["skip", "keep", "only"]), default="skip", show_default=True,
                     help="Posts marked as not safe for work."),
        click.option("--nsfw-unknown", type=click.Choice(["keep", "skip"]), default="keep", show_default=True,
                     help="Posts not marked either way (most)."),
        click.option("--ignore", "ignored", multiple=True, type=click.Choice(["robots", "robots-tag", "opt-out"]),
                     help="Do not honour this signal. You answer for it."),
        click.option("--external", is_flag=True, help="Also take pictures that do not lie with Tumblr."),
        click.option("--contact", default="", metavar="TEXT",
                     help="Mail or page for the User-Agent. [default: $TUMBLR_CONTACT]"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def quality_changes(words: tuple[str, ...]) -> dict[str, float]:
    """Read ``NAME=VALUE`` words.

    Raises:
        ConfigError: A word has no ``=`` or no number.
    """
    changes = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(
                f"--quality {word}: expected NAME=NUMBER", fix="For example: --quality min_side=200"
            ) from None
    return changes


def download_settings(choices: dict[str, Any], *, host: str = "") -> "DownloadSettings":
    """Build the settings of the downloader from the options."""
    from collectors.downloader import DownloadSettings

    return DownloadSettings(
        per_host=choices["per_host"],
        back_off_s=choices["back_off"],
        deadline_s=choices["deadline"],
        max_bytes=choices["max_bytes"],
        proxy=proxy_for(host or "https://64.media.tumblr.com"),
    )


def options_from(ledger: "Ledger", choices: dict[str, Any], **more: Any) -> "CollectOptions":
    """Build the options of a session; thresholds start from those remembered in the ledger.

    Raises:
        ConfigError: A threshold is not known or not a number.
    """
    from collectors.consent import ConsentPolicy
    from collectors.image_files import ImageLimits
    from collectors.image_quality import QualityThresholds
    from collectors.tumblr import CollectOptions

    changes = (ledger.setting("quality") or {}) | quality_changes(choices["quality"])
    ignored = choices["ignored"]
    return CollectOptions(
        num_threads=choices["threads"],
        policy=ConsentPolicy(
            honour_robots="robots" not in ignored,
            honour_robots_tag="robots-tag" not in ignored,
            honour_opt_out="opt-out" not in ignored,
            nsfw=choices["nsfw"],
            nsfw_unknown=choices["nsfw_unknown"],
            take_external=choices["external"],
        ),
        image_limits=ImageLimits(
            max_bytes=choices["max_bytes"],
            max_pixels=choices["max_pixels"],
            first_frame=choices["animated"] == "first-frame",
        ),
        thresholds=QualityThresholds().with_changes(changes),
        download=download_settings(choices, host=choices.get("host") or ""),
        **more,
    )


def proxy_for(url: str) -> str:
    """Return the proxy that the environment names for a URL, or an empty text."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")


def contact_of(choices: dict[str, Any], fallback: str = "") -> str:
    """Return whom the User-Agent names: the option, the environment, the file with the key."""
    return choices["contact"] or os.environ.get("TUMBLR_CONTACT", "") or fallback


@contextmanager
def stop_event() -> Iterator[Event]:
    """Turn the first Ctrl-C or SIGTERM into a set event; the second one ends at once, which is safe too."""
    stop = Event()

    def on_signal(_number: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("\nfinishing what is under way and saving; press Ctrl-C again to drop it", err=True)

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def describe_bytes(num: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> describe_bytes(1_500_000)
        '1.5 MB'
    """
    value = float(num)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def describe_seconds(seconds: float) -> str:
    """Write a duration for people.

    Example:
        >>> describe_seconds(5400)
        '1 h 30 min'
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours / 24:.1f} days"
