"""When the next API call may go out: one scheduler for everything a process asks of Tumblr.

Tumblr limits an address (300 calls a minute) and a key (1,000 an hour, 5,000 a day), and answers 429 for both. The
key's quota is told in headers; the address's is not, so it is kept by counting.
"""

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from collectors.errors import RemoteError

# A window as the server sees it can be shorter than as we see it: requests take unequal time to arrive.
_ARRIVAL_SLACK_S = 0.25
_MAX_BURSTS_IN_A_ROW = 6
_TOLD_FROM_S = 5.0


@dataclass(frozen=True, slots=True)
class CallWindow:
    """At most ``calls`` API calls in any ``seconds``."""

    calls: int
    seconds: float


# One call a second on average is a fifth of what an address may do; hour and day are Tumblr's own for a key.
DEFAULT_WINDOWS = (CallWindow(60, 60.0), CallWindow(1_000, 3_600.0), CallWindow(5_000, 86_400.0))

OnWait = Callable[[float, str], None]
"""Called when waiting begins, with the Unix time of its end and the reason in a few words."""


class QuotaSpentError(RemoteError):
    """The quota returns later than we are willing to wait.

    Attributes:
        resume_at: Unix time from which calls are possible again.
    """

    def __init__(self, reason: str, resume_at: float) -> None:
        moment = datetime.fromtimestamp(resume_at).astimezone().strftime("%Y-%m-%d %H:%M")
        super().__init__(
            f"{reason}; the next call is possible at {moment}",
            fix="Everything is saved: run the same command again after that.",
        )
        self.resume_at = resume_at


class StoppedError(Exception):
    """The wait was cut short because the work is being stopped."""


class RateScheduler:
    """Lets API calls through at a pace that no limit forbids.

    Args:
        windows: The limits to keep.
        earlier: Unix times of calls already made, oldest first.
        max_wait_s: Longest single wait; beyond it `QuotaSpentError` is raised.
        burst_wait_s: Pause after a 429 of the address limit, before jitter; it doubles with every one in a row.
        on_wait: Told about waits of more than five seconds.
        on_call: Told the Unix time of a call before it goes out.
        stop: When set, waiting ends with `StoppedError`.
        seed: Of the jitter.
    """

    def __init__(
        self,
        windows: Sequence[CallWindow] = DEFAULT_WINDOWS,
        *,
        earlier: Sequence[float] = (),
        max_wait_s: float = 3_600.0,
        burst_wait_s: float = 60.0,
        on_wait: OnWait | None = None,
        on_call: Callable[[float], None] | None = None,
        stop: Event | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.windows = tuple(windows)
        self.max_wait_s = max_wait_s
        self.calls = 0
        self.bursts = 0
        self.quota: dict[str, tuple[int, int]] = {}
        self._times = sorted(earlier)
        self._burst_wait_s = burst_wait_s
        self._bursts_in_a_row = 0
        self._on_wait = on_wait
        self._on_call = on_call
        self._stop = stop or Event()
        self._random = random.Random(seed)
        self._clock = clock
        self._blocked_until = 0.0
        self._blocked_by = ""

    def acquire(self) -> None:
        """Wait until a call may go out, and count it.

        Raises:
            QuotaSpentError: The wait would be longer than ``max_wait_s``.
            StoppedError: ``stop`` was set.
        """
        while True:
            now = self._clock()
            ready, reason = self._next_slot(now)
            if ready <= now:
                break
            self._wait(ready - now, reason)
        if self._stop.is_set():
            raise StoppedError
        if self._on_call is not None:
            self._on_call(now)
        self._times.append(now)
        self.calls += 1
        longest = max((window.seconds for window in self.windows), default=0.0) + 1
        del self._times[: bisect_right(self._times, now - longest)]

    def observe(self, headers: Mapping[str, str]) -> None:
        """Read the quota headers of an answer; a quota at 0 blocks until its reset. No header changes nothing."""
        now = self._clock()
        for name, words in (("Perhour", "the hourly quota"), ("Perday", "the daily quota")):
            limit = _whole(headers.get(f"X-Ratelimit-{name}-Limit"))
            remaining = _whole(headers.get(f"X-Ratelimit-{name}-Remaining"))
            reset = _whole(headers.get(f"X-Ratelimit-{name}-Reset"))
            if remaining is None:
                continue
            self.quota[name.lower()] = (remaining, limit or 0)
            if remaining <= 0 and reset is not None and reset > 0:
                self._block(now + reset + 1, f"{words} of the key is spent")

    def succeeded(self) -> None:
        """Note that a call was answered, which ends a row of bursts."""
        self._bursts_in_a_row = 0

    def refused(self, headers: Mapping[str, str], *, is_burst: bool) -> None:
        """Note a 429 and block accordingly.

        Raises:
            RemoteError: Too many burst refusals in a row: the address itself seems to be unwelcome.
        """
        self.observe(headers)
        now = self._clock()
        if not is_burst:
            if self._blocked_until <= now:  # no header told when: an hour's quota refills within the hour
                self._block(now + self._burst_wait_s, "the quota of the key is spent")
            return
        self.bursts += 1
        self._bursts_in_a_row += 1
        if self._bursts_in_a_row > _MAX_BURSTS_IN_A_ROW:
            raise RemoteError(
                f"Tumblr refused {self._bursts_in_a_row} calls in a row as too fast for this address",
                fix="Wait an hour or use another network, then run the same command again; everything is saved.",
            )
        pause = self._burst_wait_s * 2 ** (self._bursts_in_a_row - 1) * self._random.uniform(1.0, 1.25)
        self._block(now + pause, "too many calls from this address (burst limit)")

    def pause(self, seconds: float, reason: str) -> None:
        """Hold back the next call for a while, after a failure."""
        self._block(self._clock() + seconds, reason)

    def _block(self, until: float, reason: str) -> None:
        if until > self._blocked_until:
            self._blocked_until, self._blocked_by = until, reason

    def _next_slot(self, now: float) -> tuple[float, str]:
        ready, reason = now, ""
        if self._blocked_until > now:
            ready, reason = self._blocked_until, self._blocked_by
        for window in self.windows:
            if window.calls <= len(self._times):
                free = self._times[-window.calls] + window.seconds + _ARRIVAL_SLACK_S
                if free > ready:
                    ready, reason = free, f"{window.calls} calls in {_duration(window.seconds)} is the pace set"
        return ready, reason

    def _wait(self, seconds: float, reason: str) -> None:
        if seconds > self.max_wait_s:
            raise QuotaSpentError(reason, self._clock() + seconds)
        if seconds > _TOLD_FROM_S and self._on_wait is not None:
            self._on_wait(self._clock() + seconds, reason)
        if self._stop.wait(seconds):
            raise StoppedError


def _whole(text: str | None) -> int | None:
    try:
        return int(float(text)) if text is not None else None
    except (ValueError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"a {name}".replace("a hour", "an hour") if seconds == size else f"{seconds / size:g} {name}s"
    return f"{seconds:g} s"
