"""Runs errands, in this process or in several; what they find comes in the errands' order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from diagnoser.scanning.errands import Errand, Found, Settings, run
from diagnoser.scanning.surveying import Survey


def run_all(
    errands: Sequence[Errand],
    settings: Settings,
    jobs: int,
    meter: Callable[[int], None] | None = None,
) -> Iterator[tuple[Errand, list[Found]]]:
    """Every errand with what it found. ``meter`` is told bytes as they are read, or per errand
    where other processes read. Ends early after a survey that was interrupted."""
    if jobs < 2 or len(errands) < 2:
        for errand in errands:
            found = run(errand, settings, meter)
            yield errand, found
            if any(isinstance(f, Survey) and f.interrupted for f in found):
                return
        return
    # Where one process reads, what starts others need not load.
    from diagnoser.scanning.workers import run_in_processes  # noqa: PLC0415

    yield from run_in_processes(errands, settings, min(jobs, len(errands)), meter)
