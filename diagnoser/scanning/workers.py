"""Runs errands in several processes; what they find comes in the errands' order.

Ctrl-C ends a scan and loses nothing of what was found: each process that is reading gives what it
has, and that comes before the ``KeyboardInterrupt`` goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import FrameType

from diagnoser.model import Skipped
from diagnoser.scanning.errands import Errand, Found, Settings, run

# Seconds that workers have to hand over what they found so far.
_GRACE = 3.0
# Windows waits for 63 handles at most, and two are the pool's own (concurrent.futures says so).
_MOST_WORKERS = 61
_is_reading = False


def run_in_processes(
    errands: Sequence[Errand],
    settings: Settings,
    workers: int,
    meter: Callable[[int], None] | None = None,
) -> Iterator[tuple[Errand, list[Found]]]:
    """As :func:`~diagnoser.scanning.pool.run_all`; ``meter`` is told bytes per errand."""
    with ProcessPoolExecutor(min(workers, _MOST_WORKERS), initializer=_answer_interrupts) as pool:
        waiting = [pool.submit(_run, errand, settings) for errand in errands]
        done = 0
        try:
            for errand, future in zip(errands, waiting, strict=True):
                found = _result(errand, future)
                done += 1
                if meter is not None:
                    meter(errand.size)
                yield errand, found
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            _interrupt_workers()
            wait([f for f in waiting[done:] if not f.cancelled()], _GRACE)
            for errand, future in zip(errands[done:], waiting[done:], strict=True):
                if future.done() and not future.cancelled():
                    yield errand, _result(errand, future)
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()


def _result(errand: Errand, future: Future[list[Found]]) -> list[Found]:
    try:
        return future.result()
    except BrokenProcessPool:
        # The system ended a worker, as a rule for want of memory.
        return [Skipped(errand.path, "the process that read it was ended")]


def _interrupt_workers() -> None:
    """At a terminal they were told already; from elsewhere only this process was."""
    if os.name == "nt":
        return
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with contextlib.suppress(OSError):
                os.kill(child.pid, signal.SIGINT)


def _run(errand: Errand, settings: Settings) -> list[Found]:
    global _is_reading  # noqa: PLW0603  (a signal handler has no other way to know)
    _is_reading = True
    try:
        return run(errand, settings)
    except KeyboardInterrupt:
        return [Skipped(errand.path, "stopped by Ctrl-C")]
    finally:
        _is_reading = False


def _answer_interrupts() -> None:
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_: int, __: FrameType | None) -> None:
    """Once, and only while reading: whatever else a worker does is to hand over its result."""
    global _is_reading  # noqa: PLW0603
    if _is_reading:
        _is_reading = False
        raise KeyboardInterrupt
