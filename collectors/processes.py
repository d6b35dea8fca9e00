"""Worker processes that neither hang nor shout: fresh ones, deaf to Ctrl-C, their death reported in one line."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from collectors.errors import InputError


def num_cores() -> int:
    """Return how many cores this process may use, which in a container is fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def process_pool(
    workers: int, *, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of freshly started processes; tasks that have not begun are dropped when the block ends.

    Fresh, because a forked child of a program with threads (TensorFlow's) can hang.

    Args:
        workers: How many processes, at least 1.
        initializer: Called in each process before its first task.
        initargs: What it is given.

    Raises:
        InputError: A process was killed from outside.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=initializer, initargs=initargs)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, perhaps for lack of memory", fix="Run the same command again with --jobs 1."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def submit_all(
    pool: ProcessPoolExecutor, calls: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]
) -> list[Future[Any]]:
    """Submit ``(function, arguments)`` pairs, holding Ctrl-C back while the processes start.

    A signal mask is inherited, so the workers never see Ctrl-C: they finish what they have in hand, this process
    decides, and no traceback of theirs reaches the terminal.
    """
    with _interrupts_held_back():
        return [pool.submit(function, *arguments) for function, arguments in calls]


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
