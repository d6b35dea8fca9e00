from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import RemoteError
from collectors.rate_limits import CallWindow, QuotaSpentError, RateScheduler, StoppedError


class _Clock:
    """Time that passes only while somebody waits; stands in for the machine's clock and its waiting."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


def _scheduler(clock: _Clock, *windows: CallWindow, **changes: object) -> RateScheduler:
    return RateScheduler(windows or [CallWindow(1_000, 60.0)], clock=clock, stop=clock, **changes)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.floats(0.5, 30)), min_size=1, max_size=3),
    st.lists(st.floats(0, 8), min_size=1, max_size=40),
)
def test_no_window_is_ever_passed(limits: list[tuple[int, float]], pauses: list[float]) -> None:
    clock = _Clock()
    windows = [CallWindow(calls, seconds) for calls, seconds in limits]
    pace = _scheduler(clock, *windows, max_wait_s=1e9)
    times = []
    for pause in pauses:
        clock.now += pause
        pace.acquire()
        times.append(clock.now)
    for window in windows:
        for start in times:
            assert sum(start <= at < start + window.seconds for at in times) <= window.calls
    assert pace.calls == len(pauses)


def test_calls_of_an_earlier_process_count() -> None:
    clock = _Clock()
    pace = _scheduler(clock, CallWindow(2, 60.0), earlier=[950.0, 990.0])
    pace.acquire()
    assert clock.now == pytest.approx(1_010.25)


def test_a_spent_quota_waits_for_its_reset_and_says_until_when() -> None:
    clock, told = _Clock(), []
    pace = _scheduler(clock, on_wait=lambda until, reason: told.append((until, reason)))
    pace.observe(
        {"X-Ratelimit-Perhour-Limit": "1000", "X-Ratelimit-Perhour-Remaining": "0", "X-Ratelimit-Perhour-Reset": "753"}
    )
    pace.acquire()
    assert clock.now == pytest.approx(1_754.0)
    assert told == [(1_754.0, "the hourly quota of the key is spent")]


def test_a_daily_quota_ends_the_run_with_the_time_to_come_back() -> None:
    pace = _scheduler(_Clock())
    pace.observe({"X-Ratelimit-Perday-Remaining": "0", "X-Ratelimit-Perday-Reset": "76341"})
    with pytest.raises(QuotaSpentError, match=r"the daily quota .* possible at 1970") as caught:
        pace.acquire()
    assert caught.value.resume_at == pytest.approx(1_000 + 76_342)


@pytest.mark.parametrize("reset", ["-5", "0", "soon", "nan", "1e999"])
def test_an_odd_reset_does_not_stop_us(reset: str) -> None:
    clock = _Clock()
    pace = _scheduler(clock)
    pace.observe({"X-Ratelimit-Perhour-Remaining": "0", "X-Ratelimit-Perhour-Reset": reset})
    pace.acquire()
    assert clock.now < 1_002


def test_a_burst_refusal_waits_about_a_minute_and_longer_each_time_in_a_row() -> None:
    clock = _Clock()
    pace = _scheduler(clock)
    quota_left = {"X-Ratelimit-Perhour-Remaining": "610", "X-Ratelimit-Perhour-Reset": "753"}
    for expected in (60, 120, 240):
        before = clock.now
        pace.refused(quota_left, is_burst=True)
        pace.acquire()
        assert expected <= clock.now - before <= expected * 1.25
    pace.succeeded()
    before = clock.now
    pace.refused(quota_left, is_burst=True)
    pace.acquire()
    assert clock.now - before <= 75


def test_bursts_without_end_give_up() -> None:
    pace = _scheduler(_Clock(), burst_wait_s=1.0)
    for _ in range(6):
        pace.refused({}, is_burst=True)
    with pytest.raises(RemoteError, match="too fast for this address"):
        pace.refused({}, is_burst=True)


def test_a_stop_ends_the_wait() -> None:
    stop = Event()
    pace = RateScheduler([CallWindow(1, 1_000.0)], stop=stop)
    pace.acquire()
    stop.set()
    with pytest.raises(StoppedError):
        pace.acquire()
