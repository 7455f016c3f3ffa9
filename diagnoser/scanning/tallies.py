"""Counts the sightings of one error: how many, when first and last, how many in each minute."""

from __future__ import annotations

import re
from collections.abc import Iterable

from diagnoser.grammar.moments import iso_time
from diagnoser.model import ErrorBlock, Sighting

# 2026-11-20T10:15, and of logs that go over months only the hours.
_MINUTE, _HOUR = 16, 13
_MOST_MINUTES = 20_000
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
        found = _STAMP.search(line)
        if found is not None:
            return _comparable(found[0])
    return None


def _comparable(stamp: bytes) -> bytes | None:
    """A stamp with year, month and day in front. Most have that; the rest is left for the end."""
    if stamp[4] == _HYPHEN:
        return stamp if stamp[10] == _T else stamp[:10] + b"T" + stamp[11:]
    found = iso_time(stamp.decode("utf-8", "replace"))
    return None if found is None else found.encode()


class Tally:
    """One error and its count so far."""

    __slots__ = ("_times", "_width", "block", "count", "first", "last")

    def __init__(self, block: ErrorBlock) -> None:
        self.block = block
        self.count = 0
        self.first: bytes | None = None
        self.last: bytes | None = None
        self._times: dict[bytes, int] = {}
        self._width = _MINUTE

    def add(self, at: bytes | None) -> None:
        """One more of it, at a time if that is known."""
        self.count += 1
        if at is None:
            return
        if self.first is None or at < self.first:
            self.first = at
        if self.last is None or at > self.last:
            self.last = at
        self._put(at, 1)

    def absorb(self, other: Sighting) -> None:
        """The same error seen elsewhere."""
        self.count += other.count
        for seen in (other.first_seen, other.last_seen):
            if seen is not None:
                at = seen.encode()
                self.first = at if self.first is None else min(self.first, at)
                self.last = at if self.last is None else max(self.last, at)
        for minute, count in other.times:
            self._put(minute.encode(), count)

    def sighting(self) -> Sighting:
        """The count as it stands."""
        times = tuple((at.decode(), count) for at, count in sorted(self._times.items()))
        return Sighting(self.block, self.count, _written(self.first), _written(self.last), times)

    def _put(self, at: bytes, count: int) -> None:
        slot = at[: self._width]
        self._times[slot] = self._times.get(slot, 0) + count
        if len(self._times) > _MOST_MINUTES and self._width != _HOUR:
            self._width = _HOUR
            self._times = _coarsened(self._times.items())


def _written(stamp: bytes | None) -> str | None:
    return None if stamp is None else iso_time(stamp.decode())


def _coarsened(times: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for at, count in times:
        found[at[:_HOUR]] = found.get(at[:_HOUR], 0) + count
    return found
