"""Counts the sightings of one error: how many, when first and last, how many in each minute."""

from __future__ import annotations

from collections import Counter

from diagnoser.grammar.moments import iso_time
from diagnoser.model import ErrorBlock, Sighting
from diagnoser.scanning.stamps import span

# 2026-11-20T10:15, and of logs that go over months only the hours.
_MINUTE, _HOUR = 16, 13
_MOST_MINUTES = 20_000
_AT_ONCE = 256


class Tally:
    """One error and its count so far."""

    __slots__ = ("_first", "_fresh", "_last", "_times", "_width", "block", "count")

    def __init__(self, block: ErrorBlock) -> None:
        self.block = block
        self.count = 0
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._times: Counter[bytes] = Counter()
        self._width = _MINUTE
        # Times that are not counted yet: counting many at once takes a fifth of the time.
        self._fresh: list[bytes] = []

    def add(self, at: bytes | None) -> None:
        """One more of it, at a time if that is known."""
        self.count += 1
        if at is not None:
            self._fresh.append(at)
            if len(self._fresh) >= _AT_ONCE:
                self._settle()

    def absorb(self, other: Sighting) -> None:
        """The same error seen elsewhere."""
        self.count += other.count
        self._span([at.encode() for at in (other.first_seen, other.last_seen) if at is not None])
        for minute, count in other.times:
            self._times[minute.encode()[: self._width]] += count
        self._coarsen()

    def sighting(self) -> Sighting:
        """The count as it stands."""
        self._settle()
        times = tuple((at.decode(), count) for at, count in sorted(self._times.items()))
        return Sighting(self.block, self.count, _written(self._first), _written(self._last), times)

    def _settle(self) -> None:
        width = self._width
        self._span(self._fresh)
        self._times.update([at[:width] for at in self._fresh])
        self._fresh = []
        self._coarsen()

    def _span(self, times: list[bytes]) -> None:
        if times:
            first, last = span(times)
            self._first = first if self._first is None else span((self._first, first))[0]
            self._last = last if self._last is None else span((self._last, last))[1]

    def _coarsen(self) -> None:
        if len(self._times) > _MOST_MINUTES and self._width != _HOUR:
            self._width = _HOUR
            coarse: Counter[bytes] = Counter()
            for at, count in self._times.items():
                coarse[at[:_HOUR]] += count
            self._times = coarse


def _written(stamp: bytes | None) -> str | None:
    return None if stamp is None else iso_time(stamp.decode())
