"""Closes a text up that a web form spaced out: a blank line between every two of its lines.

A line that was wrapped afterwards is several that stand together: few do, and each of them had no
room for the next word.
"""

from __future__ import annotations

from itertools import pairwise

from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.widths import NARROW, WIDE, first_word
from diagnoser.reading.framing import BLANKS, clean_line

_LARGEST = 1 << 20
_LEAST = 3
# Of so many lines one may have gone over the edge.
_ALONE = 3


def close_up(text: str) -> tuple[str, list[int]] | None:
    """``text`` with half of its blank lines, and the line, from 0, that each of the others was.

    ``None`` where lines stand together that nobody wrapped, where there are few, or where most
    begin an entry of a log: those are as whole with a blank line behind them.
    """
    if len(text) > _LARGEST:
        return None
    lines = text.split("\n")
    told = [index for index, line in enumerate(lines) if line.strip(BLANKS + ">")]
    together = [above for above, below in pairwise(told) if below - above < 2]
    if len(told) < _LEAST or not _are_wrapped(together, lines, len(told)):
        return None
    if 2 * sum(begins_entry(clean_line(lines[index])) for index in told) > len(told):
        return None
    kept = [told[0]]
    for above, below in pairwise(told):
        kept += [*range(above + 2, below, 2), below]
    return "\n".join(lines[index] for index in kept), kept


def _are_wrapped(together: list[int], lines: list[str], told: int) -> bool:
    """Whether the lines that have another directly below are few, and full."""
    if not together:
        return True
    columns = max(map(len, lines))
    return (
        NARROW <= columns <= WIDE
        and _ALONE * len(together) <= told
        and all(len(lines[i]) + 1 + len(first_word(lines[i + 1])) > columns for i in together)
    )
