"""Finds the few places of a stream that may hold an error, at the speed of memory.

One Aho-Corasick automaton looks for the anchors of all forms. Around each hit an *island* is cut:
the entry of the log that the hit stands in. Everything else is never decoded. Memory is constant,
one chunk and the longest island, whatever the size of the file or of its lines.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from diagnoser.reading.automaton import MAX_ANCHORS, Anchor, Automaton
from diagnoser.reading.lines import LineCounter

# Measured: 1 MiB fits the second-level cache; 4 MiB is a tenth slower.
CHUNK = 1 << 20
# The longest island, and how far above a hit its line is looked for. An island that is longer
# belongs to a text without any time stamps and is parted above its last block, or where its hits
# lie farthest apart.
REACH = 128 << 10
ABOVE = 16 << 10
_LINES_BELOW = 60
# How far behind the beginning of its entry an anchor stands that is looked for there.
_NEAR = 256
# How many lines below an anchor that spans entries the other one stands.
_SPAN = 8
# The entry above a block without a time of its own is looked for in so many bytes.
BEFORE = 512
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
_LONGEST_HEAD = 64
_BELOW = re.compile(rb"(?:[^\n]*+\n){%d}" % _LINES_BELOW)
# From a hit on, an entry of a usual length and the head of the next.
_REST = re.compile(rb"[^\n]*+\n(?:(?!%b)[^\n]*+\n){0,%d}+(?=%b)" % (_HEAD, _LINES_BELOW - 1, _HEAD))
CONTINUED = b"| \t>"
_BARS = re.compile(rb"(?:[ \t>]{0,8}\|[^\n]*(?:\n|\Z))*+")


class Island(NamedTuple):
    """The bytes around one or more hits; ``offset`` counts from the start of the stream.

    ``line`` is the number of its first line, from 1, where lines are counted. ``before`` is the
    end of what stands above an island that does not begin with a time. ``is_closed`` says that
    the island is one entry: it ends where the next begins, whatever that says.
    """

    offset: int
    data: bytes
    line: int | None = None
    before: bytes = b""
    is_closed: bool = False


# Where the entry ends that begins at an offset of the buffer, if it need not be cut out: who asks
# for islands knows it already. The last argument is the end of what may be looked at.
Recognise = Callable[[bytearray, int, int], int | None]
# Where the last block in some bytes begins, with what stands above it; ``None``: not known.
Part = Callable[[bytes], int | None]


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
        self._few, self._every, self._own = Automaton(few), Automaton(every), own
        self._longest = max(self._few.longest, self._every.longest)

    def locate(
        self,
        stream: BinaryIO,
        limit: int | None = None,
        *,
        within: bool = False,
        counting: bool = True,
        recognise: Recognise | None = None,
        last_block: Part | None = None,
    ) -> Iterator[Island | Mark]:
        """What the first ``limit`` bytes of ``stream`` hold; islands come in order.

        ``within`` says that the stream begins in the middle of a large text. ``counting`` lines
        doubles the time of a file that is read again as cheaply. The stream's own errors pass
        through. Every island is at most ``REACH`` + ``ABOVE`` long; of entries that ``recognise``
        takes there is none. What is longer is parted where ``last_block`` says.
        """
        window = _Window(limit, LineCounter() if counting else None)
        pending: list[tuple[int, Anchor]] = []
        marked: list[tuple[int, Anchor]] = []
        thorough = 0 if within else THOROUGH
        while not window.at_end:
            begun = window.base + window.filled
            since = max(0, window.filled - self._longest)
            fresh = window.fill(stream)
            if begun == 0 and self._is_own(window):
                thorough = sys.maxsize
            automaton = self._every if begun < thorough else self._few
            # What ends in the part searched before was found then.
            found = automaton.search(window.view(since), since, fresh)
            marked += [hit for hit in found if hit[1].mark is not None]
            while marked and _has_line(window, marked[0][0]):
                at, anchor = marked.pop(0)
                yield _mark(window, at, anchor.mark or "")
            pending += [hit for hit in found if hit[1].mark is None]
            if pending:
                border = window.filled if window.at_end else window.filled - REACH
                pending = yield from _cut(window, pending, border, recognise, last_block)
            window.drop(
                min((hits[0][0] for hits in (pending, marked) if hits), default=window.filled)
            )
            pending, marked = (
                [(at - window.dropped, anchor) for at, anchor in hits] if window.dropped else hits
                for hits in (pending, marked)
            )

    def _is_own(self, window: _Window) -> bool:
        end = min(window.filled, _FIRST)
        return self._own is not None and self._own.search(window.buffer, 0, end) is not None


def _cut(
    window: _Window,
    hits: list[tuple[int, Anchor]],
    border: int,
    recognise: Recognise | None,
    last_block: Part | None,
) -> Generator[Island, None, list[tuple[int, Anchor]]]:
    """Islands of the hits before ``border``; returns the hits that are left."""
    buffer, filled = window.buffer, window.filled
    head, index, count, done = HEAD.match, 0, len(hits), window.done
    while index < count and (at := hits[index][0]) < border:
        if at < done:
            index += 1
            continue
        floor = max(done, at - ABOVE)
        top = buffer.rfind(b"\n", max(floor - 1, 0), at) + 1
        if top and recognise is not None and (end := recognise(buffer, top, filled)) is not None:
            window.done = done = end
            index += 1
            continue
        top = top or floor
        before = b""
        if head(buffer, top, filled) is None:
            top = _climb(buffer, top, hits[index][1].above, floor)
            before = bytes(buffer[max(0, top - BEFORE) : top])
        rest = _REST.match(buffer, at, min(filled, top + REACH))
        beyond = None if rest is None else _beyond(hits, index, rest.end())
        is_closed = rest is not None and beyond is not None
        if rest is None or beyond is None:
            done, index = _extent(buffer, hits, index, top, filled, last_block)
        else:
            done, index = rest.end(), beyond
        window.done = done
        data = bytes(buffer[top:done])
        yield Island(window.base + top, data, window.line(top), before, is_closed)
    return hits[index:]


def _beyond(hits: list[tuple[int, Anchor]], index: int, end: int) -> int | None:
    """The first hit from ``end`` on; ``None`` where one before it may go on in the next entry."""
    for number in range(index, len(hits)):
        at, anchor = hits[number]
        if at >= end:
            return number
        if anchor.spans:
            return None
    return len(hits)


def _extent(
    buffer: bytearray,
    hits: list[tuple[int, Anchor]],
    index: int,
    top: int,
    filled: int,
    last_block: Part | None,
) -> tuple[int, int]:
    """Where the island from ``top`` with the hit at ``index`` ends, and the first hit beyond it."""
    cap = top + REACH
    end, own = _reach(buffer, hits, index, filled, cap)
    index += len(own)
    if end > cap:
        floor = buffer.rfind(b"\n", top, cap - REACH // 4) + 1 or cap - REACH // 4
        at = None if last_block is None else last_block(bytes(buffer[floor:cap]))
        end = _part(buffer, own, top, cap) if at is None else floor + at
        while index and hits[index - 1][0] >= end:
            index -= 1
    return end, index


def _reach(
    buffer: bytearray, hits: list[tuple[int, Anchor]], index: int, filled: int, cap: int
) -> tuple[int, list[int]]:
    """Where the island of the hit at ``index`` ends, and all the hits that lie in it; beyond
    ``cap``, some place there.

    Looked for below the last hit so far, not below each: of a thousand in a text without any time,
    each would search as far as an island may reach.
    """
    looked, anchor = hits[index]
    end, settled = _end_of(buffer, hits, index, filled)
    own, opened, number = [looked], looked, index
    while True:
        while (index := index + 1) < len(hits) and hits[index][0] < end:
            at, anchor = hits[index]
            own.append(at)
            if anchor.spans and _opens(buffer, at):
                opened, number = at, index
        if not settled and index < len(hits) and _is_near(buffer, end, hits[index][0], cap):
            end = hits[index][0] + 1
            index -= 1
            continue
        index -= 1
        if end > cap:
            return end, own
        last = opened if settled else own[-1]
        if last <= looked or (not settled and end - last >= ABOVE):
            return end, own
        below, settled = _end_of(buffer, hits, number if last == opened else index, filled)
        looked, end = last, max(end, below)


def _is_near(buffer: bytearray, end: int, at: int, cap: int) -> bool:
    """Whether a hit some lines below an island may be the next link of a chain whose message is
    long: nothing begins an entry between."""
    if at > cap or buffer.count(b"\n", end, at) > _LINES_BELOW:
        return False
    return _NEXT.search(buffer, max(0, end - 1), at) is None


def _end_of(
    buffer: bytearray, hits: list[tuple[int, Anchor]], index: int, filled: int
) -> tuple[int, bool]:
    """Where what belongs to the hit at ``index`` ends: if it spans entries, below the hit of
    another kind that closes it and those that were opened meanwhile."""
    at, anchor = hits[index]
    if not anchor.spans:
        return _end_below(buffer, at, filled, spans=False)
    closed, opened, last = None, 1, at
    for other, following in hits[index + 1 : index + 1 + 2 * _SPAN]:
        if opened == 0 or buffer.count(b"\n", last, other) > _SPAN:
            break
        if following.spans:
            opened, last = opened + 1, other
        else:
            opened, closed = opened - 1, other
    return _end_below(buffer, at if closed is None else closed, filled, spans=closed is None)


def _has_line(window: _Window, at: int) -> bool:
    """Whether the line of a mark is in memory to its end, or as far as it is read."""
    seen = window.filled - at
    return window.at_end or seen >= ABOVE or window.buffer.find(b"\n", at, window.filled) >= 0


def _mark(window: _Window, at: int, name: str) -> Mark:
    floor, cap = max(0, at - ABOVE), min(window.filled, at + ABOVE)
    top = window.buffer.rfind(b"\n", floor, at) + 1 or floor
    end = window.buffer.find(b"\n", at, cap)
    line = bytes(window.buffer[top : end if end >= 0 else cap])
    return Mark(window.base + top, name, line)


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
    continues = line < len(buffer) and buffer[line] in CONTINUED
    while count > 0 and line > floor:
        above = buffer.rfind(b"\n", floor, line - 1) + 1 or floor
        if HEAD.match(buffer, above, line) is not None:
            return above if continues else line
        continues = continues and buffer[above] in CONTINUED
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
    below = _BELOW.match(buffer, at, cap)
    # An entry farther down ends nothing, so it is not looked for.
    end = cap if below is None else min(cap, below.end() + _LONGEST_HEAD)
    stop = _NEXT.search(buffer, at, end)
    if spans and stop is not None:
        stop = _NEXT.search(buffer, stop.end(), end)
    if stop is not None:
        return stop.end(), True
    if below is None:
        return cap, False
    bars = _BARS.match(buffer, below.end(), cap)
    return (bars.end() if bars is not None else below.end()), False


def _part(buffer: bytearray, hits: list[int], top: int, cap: int) -> int:
    """Where to part an island that is too long: above the hit that lies farthest below another."""
    floor = top + REACH // 2
    late = [(b - a, b) for a, b in pairwise(hits) if floor < b <= cap]
    if not late:
        return cap
    first = max(late)[1]
    line = buffer.rfind(b"\n", floor, first) + 1 or first
    return max(_climb(buffer, line, 2, floor), floor)
