"""Finds the few places of a stream that may hold an error, at the speed of memory.

One Aho-Corasick automaton looks for the anchors of all forms. Around each hit an *island* is cut:
the entry of the log that the hit stands in. Everything else is never decoded. Memory is constant,
one chunk and the longest island, whatever the size of the file or of its lines.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import BinaryIO, NamedTuple

import ahocorasick_rs

# Measured: 1 MiB fits the second-level cache; 4 MiB is a tenth slower.
CHUNK = 1 << 20
# The longest island, and how far above a hit its line is looked for. An island that is longer
# belongs to a text without any time stamps and is parted where its hits lie farthest apart.
REACH = 128 << 10
ABOVE = 16 << 10
_LINES_BELOW = 60
# How far behind the beginning of its entry an anchor stands that is looked for there.
_NEAR = 256
# The entry above a block without a time of its own is looked for in so many bytes.
_BEFORE = 512
# Beyond 64 patterns the automaton loses its vector search and is 15 to 25 times slower (measured).
MAX_ANCHORS = 64
# The vector search compares the first bytes, four at most and no more than the shortest has.
_FULL = 4
# How much of the beginning of a text is searched for any number of anchors.
THOROUGH = 4 << 20
# In how much of a text its own way of beginning an entry must show.
_FIRST = 64 << 10

# How an entry of a log begins: ISO 8601, 16.08.2018 22:04, a syslog stamp, a JSON line, an event.
_HEAD = (
    rb"(?:\xef\xbb\xbf)?(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:|\d\d\.\d\d\.\d{4} \d\d:"
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\{\"|[ \t]{0,16}<event )"
)
HEAD = re.compile(_HEAD)
_NEXT = re.compile(rb"\n(?=" + _HEAD + rb")")
_CONTINUED = b"| \t>"
_BARS = re.compile(rb"(?:[ \t>]{0,8}\|[^\n]*(?:\n|\Z))*+")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Bytes that a block of some form holds, and how many of its lines may stand above them.

    With a ``mark`` it is no error that they announce, but something that the reader of the whole
    wants to know of (a transcript, a proxy setting): hits come as :class:`Mark`. A block with an
    anchor that ``spans`` may go on in the next entry.
    """

    text: bytes
    above: int = 4
    mark: str | None = None
    spans: bool = False


class Island(NamedTuple):
    """The bytes around one or more hits; ``offset`` counts from the start of the stream.

    ``line`` is the number of its first line, from 1, where lines are counted. ``before`` is the
    end of what stands above an island that does not begin with a time.
    """

    offset: int
    data: bytes
    line: int | None = None
    before: bytes = b""


@dataclass(frozen=True, slots=True)
class Mark:
    """A line with a marked anchor."""

    offset: int
    name: str
    line: bytes


class Locator:
    """The automata of some anchors; it may be used for any number of streams, one at a time.

    ``every`` is looked for in the first ``THOROUGH`` bytes of a text, ``few`` in what follows;
    where ``own`` matches in the first bytes of a stream, ``every`` to its end.
    """

    def __init__(
        self,
        few: Sequence[Anchor],
        every: Sequence[Anchor],
        own: re.Pattern[bytes] | None = None,
    ) -> None:
        """Raises ``ValueError`` where ``few`` are more than ``MAX_ANCHORS``."""
        if len(few) > MAX_ANCHORS:
            raise ValueError(f"{len(few)} anchors: more than {MAX_ANCHORS} are slow")
        self._few, self._every, self._own = _Automaton(few), _Automaton(every), own
        self._longest = max(self._few.longest, self._every.longest)

    def locate(
        self,
        stream: BinaryIO,
        limit: int | None = None,
        *,
        within: bool = False,
        counting: bool = True,
    ) -> Iterator[Island | Mark]:
        """What the first ``limit`` bytes of ``stream`` hold; islands come in order.

        ``within`` says that the stream begins in the middle of a large text. ``counting`` lines
        doubles the time of a file that is read again as cheaply. The stream's own errors pass
        through. Every island is at most ``REACH`` + ``ABOVE`` long.
        """
        window = _Window(limit, LineCounter() if counting else None)
        pending: list[tuple[int, Anchor]] = []
        thorough = 0 if within else THOROUGH
        while not window.at_end:
            begun = window.base + window.filled
            since = max(0, window.filled - self._longest)
            fresh = window.fill(stream)
            if begun == 0 and self._is_own(window):
                thorough = sys.maxsize
            automaton = self._every if begun < thorough else self._few
            for start, end, anchor in automaton.search(window.view(since)):
                # What ends in the part searched before was found then.
                if since + end <= fresh:
                    continue
                if anchor.mark is None:
                    pending.append((since + start, anchor))
                else:
                    yield _mark(window, since + start, anchor.mark)
            if pending:
                border = window.filled if window.at_end else window.filled - REACH
                pending = yield from _cut(window, pending, border)
            window.drop(pending[0][0] if pending else window.filled)
            if pending and window.dropped:
                pending = [(at - window.dropped, anchor) for at, anchor in pending]

    def _is_own(self, window: _Window) -> bool:
        end = min(window.filled, _FIRST)
        return self._own is not None and self._own.search(window.buffer, 0, end) is not None


class _Automaton:
    """Aho-Corasick automata that give the anchors themselves, in the order of their places.

    Anchors of less than four bytes are looked for by themselves, those that begin alike together:
    beside longer ones the vector search falls to a third of its speed (measured).
    """

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        few = len(anchors) <= MAX_ANCHORS
        groups: dict[bytes, list[Anchor]] = {}
        for anchor in anchors:
            short = few and len(anchor.text) < _FULL
            groups.setdefault(anchor.text[:1] if short else b"", []).append(anchor)
        # Where there is no vector search, the largest table is the fastest: 640 MB/s.
        kind = None if few else ahocorasick_rs.Implementation.DFA
        self._groups = [
            (
                tuple(group),
                ahocorasick_rs.BytesAhoCorasick(
                    [a.text for a in group],
                    matchkind=ahocorasick_rs.MatchKind.LeftmostLongest,
                    implementation=kind,
                ),
            )
            for group in groups.values()
        ]
        self.longest = max((len(a.text) for a in anchors), default=1)

    def search(self, view: memoryview) -> Iterable[tuple[int, int, Anchor]]:
        found: list[tuple[int, int, Anchor]] = []
        parts = 0
        for anchors, inner in self._groups:
            if hits := inner.find_matches_as_indexes(view):
                parts += 1
                found += [(start, end, anchors[kind]) for kind, start, end in hits]
        if parts > 1:
            found.sort(key=itemgetter(0))
        return found


def _cut(
    window: _Window, hits: list[tuple[int, Anchor]], border: int
) -> Generator[Island, None, list[tuple[int, Anchor]]]:
    """Islands of the hits before ``border``; returns the hits that are left."""
    buffer, filled = window.buffer, window.filled
    head, index, count = HEAD.match, 0, len(hits)
    while index < count and hits[index][0] < border:
        at, anchor = hits[index]
        index += 1
        if at < window.done:
            continue
        floor = max(window.done, at - ABOVE)
        top = buffer.rfind(b"\n", floor, at) + 1 or floor
        headed = head(buffer, top, filled) is not None
        if not headed:
            top = _climb(buffer, top, anchor.above, floor)
        cap = top + REACH
        end, own = _extent(buffer, hits, index - 1, filled)
        index += len(own) - 1
        if end > cap:
            end = _part(buffer, own, top, cap)
            while index and hits[index - 1][0] >= end:
                index -= 1
        window.done = end
        before = b"" if headed else bytes(buffer[max(0, top - _BEFORE) : top])
        yield Island(window.base + top, bytes(buffer[top:end]), window.line(top), before)
    return hits[index:]


def _extent(
    buffer: bytearray, hits: list[tuple[int, Anchor]], index: int, filled: int
) -> tuple[int, list[int]]:
    """Where the island of the hit at ``index`` ends, and all the hits that lie in it.

    Looked for below the last hit so far, not below each: of a thousand in a text without any time,
    each would search as far as an island may reach.
    """
    looked, anchor = hits[index]
    end, settled = _end_below(buffer, looked, filled, spans=anchor.spans)
    own, opened = [looked], looked
    while True:
        while (index := index + 1) < len(hits) and hits[index][0] < end:
            at, anchor = hits[index]
            own.append(at)
            if anchor.spans and _opens(buffer, at):
                opened = at
        index -= 1
        last = opened if settled else own[-1]
        if last <= looked or (not settled and end - last >= ABOVE):
            return end, own
        below, settled = _end_below(buffer, last, filled, spans=last == opened)
        looked, end = last, max(end, below)


def _mark(window: _Window, at: int, name: str) -> Mark:
    floor, cap = max(0, at - ABOVE), min(window.filled, at + ABOVE)
    top = window.buffer.rfind(b"\n", floor, at) + 1 or floor
    end = window.buffer.find(b"\n", at, cap)
    line = bytes(window.buffer[top : end if end >= 0 else cap])
    return Mark(window.base + top, name, line)


class LineCounter:
    """Counts lines as an editor does: a line feed, a return, or both end one (so does CR CR LF)."""

    def __init__(self) -> None:
        self._ends = 0
        self._last = b""

    @property
    def line(self) -> int:
        """The number, from 1, of the line that the next byte belongs to."""
        return self._ends + 1 + (self._last[-1:] == b"\r")

    def feed(self, data: bytes) -> None:
        """Count the ends in the next bytes of the text."""
        data = self._last + data
        # What ends in returns may go on with a line feed.
        kept = data[-2:] if data[-2:] == b"\r\r" else data[-1:] if data[-1:] == b"\r" else b""
        data, self._last = data[: len(data) - len(kept)], kept
        self._ends += data.count(b"\n")
        if returns := data.count(b"\r"):
            self._ends += returns - data.count(b"\r\n") - data.count(b"\r\r\n")


class _Window:
    """The part of a stream that is in memory. ``base`` is the offset of its first byte; what lies
    before ``done`` belongs to an island already."""

    def __init__(self, limit: int | None, counter: LineCounter | None) -> None:
        self._counter, self._counted = counter, 0
        self.buffer = bytearray(2 * (REACH + ABOVE) + 2 * CHUNK)
        self.base = self.filled = self.done = self.dropped = 0
        self.at_end = False
        self._left = limit
        self._view = memoryview(self.buffer)

    def view(self, since: int) -> memoryview:
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
            self._counter.feed(bytes(self._view[self._counted : at]))
            self._counted = at
        return self._counter.line

    def drop(self, first: int) -> None:
        """Forget what lies before the surroundings of ``first``."""
        keep = max(min(first, self.filled) - ABOVE, 0)
        self.dropped = keep
        if keep:
            self.line(keep)
            self._counted -= keep
            size = self.filled - keep
            self._view[:size] = self._view[keep : self.filled]
            self.base, self.filled, self.done = self.base + keep, size, max(0, self.done - keep)


def _climb(buffer: bytearray, line: int, count: int, floor: int) -> int:
    """The line where the entry begins: some lines up, not past the head of an entry.

    The head itself belongs to the block only where the lines below continue it (bars, indents);
    above a labelled block it is another message.
    """
    continues = line < len(buffer) and buffer[line] in _CONTINUED
    while count > 0 and line > floor:
        above = buffer.rfind(b"\n", floor, line - 1) + 1 or floor
        if HEAD.match(buffer, above, line) is not None:
            return above if continues else line
        continues = continues and buffer[above] in _CONTINUED
        line, count = above, count - 1
    return line


def _opens(buffer: bytearray, at: int) -> bool:
    """Whether a hit stands near the head of an entry, on its first line."""
    line = buffer.rfind(b"\n", max(0, at - _NEAR), at) + 1
    return line > 0 and HEAD.match(buffer, line, at) is not None


def _end_below(buffer: bytearray, at: int, filled: int, *, spans: bool) -> tuple[int, bool]:
    """Where the text that may belong to a hit ends: at the next entry (with ``spans``, the one
    after it), or after some lines and all the bars that follow; and whether it is an entry that
    ends it."""
    cap = min(filled, at + REACH)
    stop = _NEXT.search(buffer, at, cap)
    if spans and stop is not None:
        stop = _NEXT.search(buffer, stop.end(), cap)
    if stop is not None:
        cap = stop.end()
    if buffer.count(b"\n", at, cap) <= _LINES_BELOW:
        return cap, stop is not None
    line = at
    for _ in range(_LINES_BELOW):
        line = buffer.find(b"\n", line, cap) + 1
    bars = _BARS.match(buffer, line, cap)
    return (bars.end() if bars is not None else line), False


def _part(buffer: bytearray, hits: list[int], top: int, cap: int) -> int:
    """Where to part an island that is too long: above the hit that lies farthest below another."""
    floor = top + REACH // 2
    late = [(b - a, b) for a, b in pairwise(hits) if floor < b <= cap]
    if not late:
        return cap
    first = max(late)[1]
    line = buffer.rfind(b"\n", floor, first) + 1 or first
    return max(_climb(buffer, line, 2, floor), floor)
