"""Finds the few places of a stream that may hold an error, at the speed of memory.

One Aho-Corasick automaton (``ahocorasick_rs``) looks for the anchors of all forms; around each hit
an *island* is cut, and everything else is never decoded. Memory is constant: a buffer of one chunk
and the longest island, whatever the size of the file or of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import ahocorasick_rs

CHUNK = 1 << 20
# The longest island, and how much text above a hit belongs to it.
REACH = 128 << 10
ABOVE = 16 << 10
_LINES_BELOW = 40
_LONGEST_ANCHOR = 128
_STAMPED = rb"\[?\d{4}-\d\d-\d\d[T ]\d\d:"
_STOP = re.compile(rb"\n(?=" + _STAMPED + rb")")
_BARS = re.compile(rb"(?:[ \t>]{0,8}\|[^\n]*(?:\n|\Z))*+")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Bytes that occur in every block of some form, and the lines above them that it may have."""

    text: bytes
    above: int = 4


@dataclass(frozen=True, slots=True)
class Island:
    """Bytes around one or more anchors; ``offset`` counts from the start of the stream."""

    offset: int
    data: bytes


class Locator:
    """The automaton of some anchors and the shapes that can be cut out exactly.

    ``shapes`` is tried at the beginning of the line of a hit: where it fits, the island is what it
    matches and needs no surroundings.
    """

    def __init__(self, anchors: tuple[Anchor, ...], shapes: re.Pattern[bytes]) -> None:
        self._automaton = ahocorasick_rs.BytesAhoCorasick(
            [a.text for a in anchors], matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
        )
        self._above = [a.above for a in anchors]
        self._shapes = shapes

    def islands(
        self, stream: BinaryIO, *, start: int = 0, end: int | None = None, lead: int = 0
    ) -> Iterator[Island]:
        """The islands of a stream whose first hit lies in ``start`` … ``end``, in order.

        ``lead`` is how many bytes before ``start`` the stream begins: a block that opens there is
        not cut in two. Never yields more than ``REACH`` + ``ABOVE`` bytes at once.
        """
        buffer = bytearray(REACH + 2 * ABOVE + CHUNK)
        view = memoryview(buffer)
        base, filled, done = start - lead, 0, 0
        pending: list[tuple[int, int]] = []
        at_end = False
        while not at_end:
            fresh = filled
            # readinto may give less than a chunk (a pipe): fill up, for searching has a cost.
            while filled < fresh + CHUNK:
                count = _fill(stream, view[filled : fresh + CHUNK])
                if not count:
                    at_end = True
                    break
                filled += count
            since = max(0, fresh - _LONGEST_ANCHOR)
            hits = self._automaton.find_matches_as_indexes(view[since:filled])
            pending += [(since + s, i) for i, s, e in hits if since + e > fresh]
            limit = filled if at_end else filled - REACH
            if end is not None:
                limit_of_range = end - base
                if filled - REACH > limit_of_range:
                    limit, at_end = min(limit, limit_of_range), True
                else:
                    limit = min(limit, limit_of_range)
            if pending:
                bounds = (limit, done, start)
                done, rest = yield from self._cut(buffer, filled, pending, bounds, base)
                pending = pending[rest:]
            keep = max(min(pending[0][0] if pending else filled, filled) - ABOVE, 0)
            if keep:
                buffer[: filled - keep] = buffer[keep:filled]
                pending = [(s - keep, i) for s, i in pending]
                base, filled, done = base + keep, filled - keep, max(0, done - keep)

    def _cut(
        self,
        buffer: bytearray,
        filled: int,
        hits: list[tuple[int, int]],
        bounds: tuple[int, int, int],
        base: int,
    ) -> Generator[Island, None, tuple[int, int]]:
        """Islands of the hits below the limit; returns where the last ends and how many hits
        are dealt with."""
        limit, done, start = bounds
        match = self._shapes.match
        index = 0
        while index < len(hits):
            at, kind = hits[index]
            if at >= limit:
                break
            index += 1
            if at < done:
                continue
            floor = max(done, at - ABOVE)
            line = buffer.rfind(b"\n", floor, at) + 1 or floor
            found = match(buffer, line, filled)
            if found is not None and found.end() > at:
                first, last = line, found.end()
            else:
                first = _lines_above(buffer, line, self._above[kind], floor)
                last = _end_below(buffer, at, filled)
                while index < len(hits) and hits[index][0] < last:
                    below = _end_below(buffer, hits[index][0], filled)
                    last = min(max(last, below), first + REACH)
                    index += 1
            done = last
            if base + at >= start:
                yield Island(base + first, bytes(buffer[first:last]))
        return done, index


def _fill(stream: BinaryIO, room: memoryview) -> int:
    return stream.readinto(room) or 0  # type: ignore[attr-defined]


def _lines_above(buffer: bytearray, line: int, count: int, floor: int) -> int:
    for _ in range(count):
        if line <= floor:
            return floor
        above = buffer.rfind(b"\n", floor, line - 1) + 1 or floor
        line = above
    return line


def _end_below(buffer: bytearray, at: int, filled: int) -> int:
    """The end of the text that a block may have below a hit: the next entry of the log, or some
    lines, and all bars that follow."""
    cap = min(filled, at + REACH // 2)
    stop = _STOP.search(buffer, at, cap)
    if stop is not None:
        cap = stop.end()
    line = at
    for _ in range(_LINES_BELOW):
        line = buffer.find(b"\n", line, cap) + 1
        if not line:
            return cap
    bars = _BARS.match(buffer, line, cap)
    return bars.end() if bars is not None else line
