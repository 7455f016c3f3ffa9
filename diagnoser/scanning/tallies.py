"""Counts the sightings of one error: how many, when first and last, how many in each minute."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from diagnoser.grammar.moments import iso_time
from diagnoser.model import ErrorBlock, Sighting

# 2026-11-20T10:15, and of logs that go over months only the hours.
_MINUTE, _HOUR = 16, 13
_MOST_MINUTES = 20_000
_AT_ONCE = 256
_HYPHEN, _T = ord("-"), ord("T")
_STAMP = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[:.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    rb"|\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    rb"|\d{1,2}/\d{1,2}/\d{2,4},? \d{1,2}:\d\d:\d\d(?: |\xe2\x80\xaf)[AP]M"
)
# What every stamp holds, no farther than that from its beginning. It is found ten times as fast.
_CLOCK, _CLOCK_REACH = re.compile(rb":\d\d:\d\d"), 14


def stamp_of(data: bytes) -> bytes | None:
    """The first time that an entry of a log shows, to be given to :meth:`Tally.add`."""
    found = _STAMP.match(data)
    if found is None:
        clock = _CLOCK.search(data)
        if clock is None:
            return None
        found = _STAMP.search(data, max(0, clock.start() - _CLOCK_REACH))
    return None if found is None else _comparable(found[0])


def last_stamp_of(data: bytes) -> bytes | None:
    """The last time that ``data`` shows: that of the entry which a block below it belongs to."""
    for line in reversed(data.split(b"\n")):
        found = stamp_of(line)
        if found is not None:
            return found
    return None


def _comparable(stamp: bytes) -> bytes | None:
    """A stamp with year, month and day in front. Most have that; the rest is left for the end."""
    if stamp[4] == _HYPHEN:
        return stamp if stamp[10] == _T else stamp[:10] + b"T" + stamp[11:]
    return _in_order(stamp)


@lru_cache(maxsize=1024)
def _in_order(stamp: bytes) -> bytes | None:
    found = iso_time(stamp.decode("utf-8", "replace"))
    return None if found is None else found.encode()


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
            self._first = min(times if self._first is None else (self._first, *times))
            self._last = max(times if self._last is None else (self._last, *times))

    def _coarsen(self) -> None:
        if len(self._times) > _MOST_MINUTES and self._width != _HOUR:
            self._width = _HOUR
            coarse: Counter[bytes] = Counter()
            for at, count in self._times.items():
                coarse[at[:_HOUR]] += count
            self._times = coarse


def _written(stamp: bytes | None) -> str | None:
    return None if stamp is None else iso_time(stamp.decode())
