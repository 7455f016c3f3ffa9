"""Gives what was read in a part of a text, or in one whose lines were joined, the lines that it has
in the original."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diagnoser.model import ErrorBlock, Location


class Places:
    """``table`` has the line, from 0, at which each line of the joined text began.

    ``above`` lines of the source stand above the text.
    """

    def __init__(self, table: Sequence[int], above: int) -> None:
        self._table, self._above = table, above

    def at(self, place: Location) -> Location:
        """A place in the joined text as one of the original."""
        index = place.line - 1 - self._above
        if not 0 <= index < len(self._table):
            return place
        return replace(place, line=self._table[index] + 1 + self._above)

    def block(self, block: ErrorBlock) -> ErrorBlock:
        """A block with all its places; its text gets as many lines as it had."""
        first = block.at.line - 1 - self._above
        lines = block.text.split("\n")
        joined = self._table[first : first + len(lines)]
        gaps = [b - a for a, b in pairwise(joined)]
        text = "".join(
            line + "\n" * gap for line, gap in zip(lines, [*gaps, 0], strict=False)
        )  # fmt: skip
        return replace(_placed(block, self.at), text=text)


def moved(block: ErrorBlock, lines: int) -> ErrorBlock:
    """``block`` as it reads so many lines further down."""
    return _placed(block, lambda at: replace(at, line=at.line + lines))


def _placed(block: ErrorBlock, move: Callable[[Location], Location]) -> ErrorBlock:
    frames = tuple(
        replace(f, at=move(f.at), fields=tuple(replace(x, at=move(x.at)) for x in f.fields))
        for f in block.frames
    )
    return replace(block, at=move(block.at), frames=frames)
