"""Finds any of some strings in bytes at the speed of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import ahocorasick_rs

# Beyond 32 patterns the vector search takes steps of half the size, and two searches for half of
# them each are faster (0.21 s a GiB against 0.32); beyond 64 there is none, and the automaton is
# 15 to 25 times slower (measured).
MAX_ANCHORS = 64
_AT_ONCE = 32
# The vector search compares the first bytes, four at most and no more than the shortest has.
_FULL = 4


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


def are_few(anchors: Sequence[Anchor]) -> bool:
    """Whether a vector search takes them; those that it would be slow with stand by themselves."""
    return sum(len(a.text) >= _FULL for a in anchors) <= MAX_ANCHORS


class Automaton:
    """Aho-Corasick automata that give the anchors themselves, in the order of their places.

    Anchors of less than four bytes are looked for by themselves, those that begin alike together:
    beside longer ones the vector search falls to a third of its speed (measured). Where one anchor
    lies over another of a different group, both are found.
    """

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        few = are_few(anchors)
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
            for group in (_groups(anchors) if few else [anchors])
        ]
        self.longest = max((len(a.text) for a in anchors), default=1)

    def search(self, view: memoryview, base: int, beyond: int) -> list[tuple[int, Anchor]]:
        """Where the anchors stand that end beyond an offset, in order. ``base`` is that of the
        view."""
        found: list[tuple[int, Anchor]] = []
        parts = 0
        beyond -= base
        for anchors, inner in self._groups:
            if hits := inner.find_matches_as_indexes(view):
                parts += 1
                found += [(base + at, anchors[kind]) for kind, at, end in hits if end > beyond]
        if parts > 1:
            found.sort(key=itemgetter(0))
        return found


def _groups(anchors: Sequence[Anchor]) -> Iterator[Sequence[Anchor]]:
    """Few anchors as the vector search is fastest with them."""
    short: dict[bytes, list[Anchor]] = {}
    long = sorted((a for a in anchors if len(a.text) >= _FULL), key=lambda a: a.text)
    for anchor in anchors:
        if len(anchor.text) < _FULL:
            short.setdefault(anchor.text[:1], []).append(anchor)
    yield from short.values()
    # What begins alike stays together: the search tells apart by the first bytes.
    size = -(-len(long) // -(-len(long) // _AT_ONCE)) if long else 1
    yield from (long[at : at + size] for at in range(0, len(long), size))
