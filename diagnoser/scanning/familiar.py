"""Entries that were read before, told by their bytes where they stand, without a copy.

A log that fails goes on failing: the same entry stands in it ten thousand times, with another
time and another GUID. What such an entry is made of is kept as a tree of its constant segments;
between two of them there is a hole, in which a GUID or a time may stand. An entry that goes
through the tree to a leaf, and ends where the next one begins, is the one that was read before.

Invariant: whatever is recognised here would have been cut at the same two places, and would have
had the same bytes outside its holes, as the entry that was learned.
"""

from __future__ import annotations

import re

from diagnoser.reading import islands
from diagnoser.reading.islands import BEFORE, CONTINUED
from diagnoser.reading.locating import Island
from diagnoser.scanning.bounds import Bound
from diagnoser.scanning.masking import HOLE, holes, is_event
from diagnoser.scanning.stamps import HEAD, comparable, stamp_of
from diagnoser.scanning.tallies import Tally

# By so many bytes a tree is chosen; an entry with a hole in them is not learned.
_ROOT = 16
_LONGEST = 8 << 10
# Bounds of memory and time: entries in all, and lengths of segments that one place is tried with.
_MOST = 4_000
_MOST_LENGTHS = 12
_BEGINS = islands.HEAD.match


class _Node:
    """What may follow: for every length of a segment, the segments of that length."""

    __slots__ = ("lengths",)

    def __init__(self) -> None:
        self.lengths: list[tuple[int, dict[bytes, _Node | tuple[Tally, ...]]]] = []

    def of_length(self, size: int) -> dict[bytes, _Node | tuple[Tally, ...]] | None:
        for length, table in self.lengths:
            if length == size:
                return table
        if len(self.lengths) >= _MOST_LENGTHS:
            return None
        self.lengths.append((size, {}))
        return self.lengths[-1][1]


class Familiar:
    """The entries of one text that were read before.

    ``since`` is the beginning of the time that is asked for; ``earlier`` counts the errors before.
    """

    def __init__(self, since: Bound | None = None) -> None:
        self.earlier = 0
        self._since = since
        self._count = 0
        # Entries that begin with their own time, and blocks below an entry.
        self._headed: dict[bytes, _Node] = {}
        self._headless: dict[bytes, _Node] = {}

    def learn(self, island: Island, tallies: tuple[Tally, ...]) -> None:
        """An entry that was read and will be met again; one that nothing safe can be said of is
        left to be read as before."""
        data = island.data
        if not island.is_closed or self._count >= _MOST or len(data) > _LONGEST:
            return
        head = HEAD.match(data)
        if head is not None:
            if head.lastindex is None:
                return
            roots, body = self._headed, data[head.end() :]
        elif _BEGINS(data) is None and stamp_of(data) is None and data[0] not in CONTINUED:
            roots, body = self._headless, data
        else:
            return
        if is_event(body):
            return
        segments, last = [], 0
        for start, end in holes(body):
            segments.append(body[last:start])
            last = end
        segments.append(body[last:])
        if len(segments[0]) >= _ROOT and all(segments):
            node = roots.setdefault(segments[0][:_ROOT], _Node())
            self._count += _grow(node, segments, tallies)

    def end_of(self, buffer: bytearray, top: int, filled: int) -> int | None:
        """Where the entry ends whose first line begins at ``top``, if it is a familiar one. It is
        counted then."""
        head = HEAD.match(buffer, top, filled)
        if head is not None:
            node = self._headed.get(bytes(buffer[(at := head.end()) : at + _ROOT]))
            if node is None:
                return None
        else:
            node = self._headless.get(bytes(buffer[(at := top) : top + _ROOT]))
            if node is None or (head := _head_above(buffer, top)) is None:
                return None
        if head.lastindex is None:
            return None
        found: _Node | tuple[Tally, ...] = node
        while isinstance(found, _Node):
            for size, table in found.lengths:
                known = table.get(bytes(buffer[at : at + size]))
                if known is not None:
                    at += size
                    break
            else:
                return None
            if isinstance(known, _Node):
                hole = HOLE.match(buffer, at, filled)
                if hole is None:
                    return None
                at = hole.end()
            found = known
        if _BEGINS(buffer, at, filled) is None:
            return None
        self._tell(found, comparable(head[head.lastindex]))
        return at

    def _tell(self, tallies: tuple[Tally, ...], at: bytes | None) -> None:
        if self._since is not None and at is not None and self._since.is_after(at):
            self.earlier += len(tallies)
            return
        for tally in tallies:
            tally.add(at)


def _head_above(buffer: bytearray, top: int) -> re.Match[bytes] | None:
    """The head of the entry that the line above ``top`` is, if the block is no part of it."""
    line = buffer.rfind(b"\n", max(0, top - BEFORE), max(0, top - 1)) + 1
    return HEAD.match(buffer, line, top) if line else None


def _grow(node: _Node, segments: list[bytes], tallies: tuple[Tally, ...]) -> bool:
    """Add a way through the tree; false where there is no room, or another entry is in the way."""
    for segment in segments[:-1]:
        table = node.of_length(len(segment))
        if table is None:
            return False
        following = table.setdefault(segment, _Node())
        if not isinstance(following, _Node):
            return False
        node = following
    table = node.of_length(len(segments[-1]))
    return table is not None and table.setdefault(segments[-1], tallies) is tallies
