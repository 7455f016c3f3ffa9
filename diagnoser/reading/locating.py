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
from typing import BinaryIO, NamedTuple

from diagnoser.reading import islands
from diagnoser.reading.automaton import MAX_ANCHORS, Anchor, Automaton, are_few
from diagnoser.reading.islands import HEAD, REST, Part
from diagnoser.reading.lines import LineCounter
from diagnoser.reading.window import Window

# How much of the beginning of a text is searched for any number of anchors.
THOROUGH = 4 << 20
# In how much of a text its own way of beginning an entry must show.
_FIRST = 64 << 10


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
        """Raises ``ValueError`` where ``few`` are too many for the vector search."""
        if not are_few(few):
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
        window = Window(limit, LineCounter() if counting else None)
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
                border = window.filled if window.at_end else window.filled - islands.REACH
                pending = yield from _cut(window, pending, border, recognise, last_block)
            window.drop(
                min((hits[0][0] for hits in (pending, marked) if hits), default=window.filled)
            )
            pending, marked = (
                [(at - window.dropped, anchor) for at, anchor in hits] if window.dropped else hits
                for hits in (pending, marked)
            )

    def _is_own(self, window: Window) -> bool:
        end = min(window.filled, _FIRST)
        return self._own is not None and self._own.search(window.buffer, 0, end) is not None


def _cut(
    window: Window,
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
        floor = max(done, at - islands.ABOVE)
        top = buffer.rfind(b"\n", max(floor - 1, 0), at) + 1
        if top and recognise is not None and (end := recognise(buffer, top, filled)) is not None:
            window.done = done = end
            index += 1
            continue
        top = top or floor
        before = b""
        if head(buffer, top, filled) is None:
            above = islands.lines_above(buffer, hits, index, filled)
            top = islands.climb(buffer, top, above, floor)
            before = bytes(buffer[max(0, top - islands.BEFORE) : top])
        rest = REST.match(buffer, at, min(filled, top + islands.REACH))
        beyond = None if rest is None else islands.beyond(hits, index, rest.end())
        is_closed = rest is not None and beyond is not None
        if rest is None or beyond is None:
            done, index = islands.extent(buffer, hits, index, top, filled, last_block)
        else:
            done, index = rest.end(), beyond
        window.done = done
        data = bytes(buffer[top:done])
        yield Island(window.base + top, data, window.line(top), before, is_closed)
    return hits[index:]


def _has_line(window: Window, at: int) -> bool:
    """Whether the line of a mark is in memory to its end, or as far as it is read."""
    seen = window.filled - at
    return (
        window.at_end or seen >= islands.ABOVE or window.buffer.find(b"\n", at, window.filled) >= 0
    )


def _mark(window: Window, at: int, name: str) -> Mark:
    floor, cap = max(0, at - islands.ABOVE), min(window.filled, at + islands.ABOVE)
    top = window.buffer.rfind(b"\n", floor, at) + 1 or floor
    end = window.buffer.find(b"\n", at, cap)
    line = bytes(window.buffer[top : end if end >= 0 else cap])
    return Mark(window.base + top, name, line)
