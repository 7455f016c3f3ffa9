"""Where the part of a log begins and ends that belongs to a hit: the entry that it stands in.

Everything here looks at bytes in memory from one place to another. Where nothing begins an entry,
some lines above and below are taken, bars as far as they go; what is longer than any entry is
parted above its last block, or where its hits lie farthest apart.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from diagnoser.deferral import pattern
from diagnoser.reading.automaton import Anchor

# The longest island, and how far above a hit its line is looked for.
REACH = 128 << 10
ABOVE = 16 << 10
# How many lines below an anchor that spans entries the other one stands.
SPAN = 8
# The entry above a block without a time of its own is looked for in so many bytes.
BEFORE = 512
_LINES_BELOW = 60
# How far behind the beginning of its entry an anchor stands that is looked for there.
_NEAR = 256

# How an entry of a log begins: ISO 8601, 16.08.2018 22:04, a syslog stamp, a JSON line, an event.
_HEAD = (
    rb"(?:\xef\xbb\xbf)?(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:|\d\d\.\d\d\.\d{4} \d\d:"
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\{\"|[ \t]{0,16}<event )"
)
HEAD = pattern(_HEAD)
_NEXT = pattern(rb"\n(?=" + _HEAD + rb")")
_LONGEST_HEAD = 64
_BELOW = pattern(rb"(?:[^\n]*+\n){%d}" % _LINES_BELOW)
# From a hit on, an entry of a usual length and the head of the next.
REST = pattern(rb"[^\n]*+\n(?:(?!%b)[^\n]*+\n){0,%d}+(?=%b)" % (_HEAD, _LINES_BELOW - 1, _HEAD))
CONTINUED = b"| \t>"
_BARS = pattern(rb"(?:[ \t>]{0,8}\|[^\n]*(?:\n|\Z))*+")

# Where the last block in some bytes begins, with what stands above it; ``None``: not known.
Part = Callable[[bytes], int | None]


def climb(buffer: bytearray, line: int, count: int, floor: int) -> int:
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


def lines_above(buffer: bytearray, hits: list[tuple[int, Anchor]], index: int, filled: int) -> int:
    """How many lines above the line of a hit its island may begin: of a document the first hit is
    often a word that other forms have on their first line, and one below it knows better."""
    at, anchor = hits[index]
    most, cap = anchor.above, min(filled, at + ABOVE)
    stop = _NEXT.search(buffer, at, cap)
    end = cap if stop is None else stop.start()
    for number in range(index + 1, len(hits)):
        other, following = hits[number]
        if other >= end:
            break
        if following.above > most:
            most = max(most, following.above - buffer.count(b"\n", at, other))
    return most


def beyond(hits: list[tuple[int, Anchor]], index: int, end: int) -> int | None:
    """The first hit from ``end`` on; ``None`` where one before it may go on in the next entry."""
    for number in range(index, len(hits)):
        at, anchor = hits[number]
        if at >= end:
            return number
        if anchor.spans:
            return None
    return len(hits)


def extent(
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
    for other, following in hits[index + 1 : index + 1 + 2 * SPAN]:
        if opened == 0 or buffer.count(b"\n", last, other) > SPAN:
            break
        if following.spans:
            opened, last = opened + 1, other
        else:
            opened, closed = opened - 1, other
    return _end_below(buffer, at if closed is None else closed, filled, spans=closed is None)


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


def _opens(buffer: bytearray, at: int) -> bool:
    """Whether a hit stands near the head of an entry, on its first line."""
    line = buffer.rfind(b"\n", max(0, at - _NEAR), at) + 1
    return line > 0 and HEAD.match(buffer, line, at) is not None


def _part(buffer: bytearray, hits: list[int], top: int, cap: int) -> int:
    """Where to part an island that is too long: above the hit that lies farthest below another."""
    floor = top + REACH // 2
    late = [(b - a, b) for a, b in pairwise(hits) if floor < b <= cap]
    if not late:
        return cap
    first = max(late)[1]
    line = buffer.rfind(b"\n", floor, first) + 1 or first
    return max(climb(buffer, line, 2, floor), floor)
