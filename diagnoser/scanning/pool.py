"""Runs errands, in this process or in several; what they find comes in the errands' order."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from diagnoser.model import Skipped
from diagnoser.scanning.errands import Errand, Found, Settings, run


def run_all(
    errands: Sequence[Errand],
    settings: Settings,
    jobs: int,
    meter: Callable[[int], None] | None = None,
) -> Iterator[tuple[Errand, list[Found]]]:
    """Every errand with what it found. ``meter`` is told bytes as they are read, or per errand
    where other processes read. A ``KeyboardInterrupt`` passes through; workers end with it."""
    if jobs < 2 or len(errands) < 2:
        for errand in errands:
            yield errand, run(errand, settings, meter)
        return
    with ProcessPoolExecutor(min(jobs, len(errands)), initializer=_end_at_once) as pool:
        waiting = [pool.submit(run, errand, settings) for errand in errands]
        try:
            for errand, future in zip(errands, waiting, strict=True):
                try:
                    found = future.result()
                except BrokenProcessPool:
                    # The system ended a worker, as a rule for want of memory.
                    found = [Skipped(errand.path, "the process that read it was ended")]
                if meter is not None:
                    meter(errand.size)
                yield errand, found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                with contextlib.suppress(OSError):
                    child.terminate()


def _end_at_once() -> None:
    """Ctrl-C goes to all processes of a terminal; a worker has nothing to say about it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
