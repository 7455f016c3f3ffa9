"""The part of a stream that is in memory: one chunk, and what an island may need of before."""

from __future__ import annotations

from typing import BinaryIO

from diagnoser.reading import islands
from diagnoser.reading.lines import LineCounter

# Half of a second-level cache: a chunk that fills it is as fast where its pages lie well in it, and
# up to a third slower where they do not (measured); a quarter is slower everywhere.
CHUNK = 1 << 19


class Window:
    """The part of a stream that is in memory. ``base`` is the offset of its first byte; what lies
    before ``done`` belongs to an island already."""

    def __init__(self, limit: int | None, counter: LineCounter | None) -> None:
        self._counter, self._counted = counter, 0
        self.buffer = bytearray(2 * (islands.REACH + islands.ABOVE) + 2 * CHUNK)
        self.base = self.filled = self.done = self.dropped = 0
        self.at_end = False
        self._left = limit
        self._view = memoryview(self.buffer)

    def view(self, since: int) -> memoryview:
        """What is in memory from ``since`` on."""
        return self._view[since : self.filled]

    def fill(self, stream: BinaryIO) -> int:
        """One more chunk; returns where it begins. A pipe may give less at a time."""
        fresh, end = self.filled, self.filled + CHUNK
        if self._left is not None:
            end = min(end, self.filled + self._left)
        while self.filled < end:
            count: int = stream.readinto(self._view[self.filled : end])  # type: ignore[attr-defined]
            if not count:
                self.at_end = True
                break
            self.filled += count
        if self._left is not None:
            self._left -= self.filled - fresh
            self.at_end = self.at_end or self._left == 0
        return fresh

    def line(self, at: int) -> int | None:
        """The number of the line that begins at ``at``; asked for in ascending order."""
        if self._counter is None:
            return None
        if at > self._counted:
            self._counter.feed(self.buffer, self._counted, at)
            self._counted = at
        return self._counter.line

    def drop(self, first: int) -> None:
        """Forget what lies before the surroundings of ``first``."""
        keep = max(min(first, self.filled) - islands.ABOVE, 0)
        self.dropped = keep
        if keep:
            self.line(keep)
            self._counted -= keep
            size = self.filled - keep
            self._view[:size] = self._view[keep : self.filled]
            self.base, self.filled, self.done = self.base + keep, size, max(0, self.done - keep)
