"""Closes a text up that a web form spaced out: a blank line between every two of its lines."""

from __future__ import annotations

from itertools import pairwise

from diagnoser.grammar.moments import begins_entry
from diagnoser.reading.framing import BLANKS, clean_line

_LARGEST = 1 << 20
_LEAST = 3


def close_up(text: str) -> tuple[str, list[int]] | None:
    """``text`` with half of its blank lines, and the line, from 0, that each of the others was.

    ``None`` where two lines stand together, where there are few, or where most begin an entry of
    a log: those are as whole with a blank line behind them.
    """
    if len(text) > _LARGEST:
        return None
    lines = text.split("\n")
    told = [index for index, line in enumerate(lines) if line.strip(BLANKS + ">")]
    if len(told) < _LEAST or any(below - above < 2 for above, below in pairwise(told)):
        return None
    if 2 * sum(begins_entry(clean_line(lines[index])) for index in told) > len(told):
        return None
    kept = [told[0]]
    for above, below in pairwise(told):
        kept += [*range(above + 2, below, 2), below]
    return "\n".join(lines[index] for index in kept), kept
