"""Lines: a text cut at line feeds, freed of what mail and web pages put around a line.

Nothing here knows a form of error. Framers ask a :class:`Page` for the few lines that a pattern
hits and look at those; the rest of a log is never touched by the grammar.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from diagnoser.composing import composed
from diagnoser.model import Location, RawBlock

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

# Blanks as pasted text has them: no-break, ideographic and zero-width ones, direction marks.
BLANKS = " \t\r\f\v\u00a0\u2007\u202f\u3000\u200b\u200e\u200f\ufeff"
_EDGE = BLANKS + ">*•"


def clean_line(line: str) -> str:
    """``line`` without indentation, trailing blanks, quote marks and bullets; in NFC."""
    bare = line.lstrip(_EDGE).rstrip(BLANKS)
    return composed(bare)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The lines of a block, cleaned; ``shifts`` are the columns that each lost on its left."""

    text: str
    shifts: tuple[int, ...]


def clean(text: str) -> Cleaned:
    """Every line of ``text`` cleaned; the number of lines stays."""
    lines = text.split("\n")
    shifts = tuple(len(line) - len(line.lstrip(_EDGE)) for line in lines)
    return Cleaned("\n".join(map(clean_line, lines)), shifts)


@dataclass(frozen=True)
class Page:
    """A whole text by lines. Indices count from 0, the lines of a :class:`Location` from 1."""

    text: str
    source: str

    @cached_property
    def raw(self) -> list[str]:
        """The lines as they stand."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.raw[:-1])]

    def __len__(self) -> int:
        return len(self.raw)

    def line(self, index: int) -> str:
        """One line, cleaned; past the end it is empty."""
        return clean_line(self.raw[index]) if index < len(self.raw) else ""

    def hits(self, pattern: re.Pattern[str]) -> Iterator[int]:
        """Indices of the lines in which a match of ``pattern`` begins, ascending, each once."""
        last = -1
        for match in pattern.finditer(self.text):
            index = bisect_right(self._starts, match.start()) - 1
            if index != last:
                yield index
                last = index

    def place(self, offset: int) -> tuple[int, int]:
        """Index of the line, and column from 0, of a character offset."""
        index = bisect_right(self._starts, offset) - 1
        return index, offset - self._starts[index]

    def offset(self, index: int) -> int:
        """The character offset at which a line begins."""
        return self._starts[index]

    def cut(self, form: str, first: int, end: int) -> RawBlock:
        """Lines ``first`` up to, not including, ``end`` as a block of ``form``."""
        text = "\n".join(self.raw[first:end])
        return RawBlock(form, text, Location(self.source, first + 1))
