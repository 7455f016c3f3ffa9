"""Cuts labelled blocks out of a page: where a chain begins, and where it ends.

A block opens at a line ``label: integer`` whose label is a known word for "error code", or, by its
shape alone, when the lines below it look like module, line info and fields. It ends where the
order of its parts does; see :func:`_walk`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import CONTEXT, MAX_FRAMES, MAX_LINES, REACH, Framed
from diagnoser.grammar.lexicon import (
    BLANK,
    COLON,
    HEX,
    LABELLED,
    NUMBER,
    SEPARATOR,
    Part,
    code_anchor,
    heading,
    parts_of,
    spelling,
)
from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.shapes import ANCHOR, FIELD_SHAPE, has_shape, is_module, opening_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "labelled"
_OPENING = pattern(rf"{COLON}{BLANK}\d{{1,10}}{BLANK}$", re.MULTILINE)
# Lines that a message may wrap to in a text that does not frame its blocks.
_WRAPPED = 4


def frame(page: Page) -> Iterator[Framed]:
    """The labelled blocks of a page in order."""
    end = 0
    previous = -1
    for index in merge(page.hits(_OPENING), page.hits(code_anchor())):
        if index < end or index == previous:
            continue
        previous = index
        label = opening_label(page, index)
        if label is None:
            continue
        below = _Walk(page, label).end(index)
        block = page.cut(NAME, index, below)
        if Part.CODE in parts_of(label) or ANCHOR in block.text:
            end = below
            yield Framed(index, end, block)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Follows one chain down the page. ``code_label`` is the word its first line uses."""

    page: Page
    code_label: str

    def end(self, start: int) -> int:
        """The index behind the last line of the block that opens at ``start``."""
        at, frames = start, 0
        is_framed = self._is_framed(start)
        limit = min(len(self.page), start + MAX_LINES)
        while True:
            frames += 1
            at = self._frame_end(at, limit, is_framed=is_framed)
            following = self._after_separator(at, limit)
            if following is None or frames == MAX_FRAMES:
                return at
            is_framed = is_framed or following > at
            at = following

    def _after_separator(self, at: int, limit: int) -> int | None:
        """The code line of the next link: at once, after blank lines, or after one separator."""
        seen = False
        while at < limit:
            line = self.page.line(at)
            if self.is_code(line):
                return at
            # Two separators in a row: the closing one of this chain, the opening one of another.
            if line and (seen or not SEPARATOR.fullmatch(line) or heading().fullmatch(line)):
                return None
            seen = seen or bool(line)
            at += 1
        return None

    def _is_framed(self, start: int) -> bool:
        """Whether the paste shows where blocks end: a separator or a heading above, or nothing."""
        for at in range(start - 1, max(-1, start - CONTEXT - 1), -1):
            line = self.page.line(at)
            if line:
                return bool(SEPARATOR.fullmatch(line) or heading().fullmatch(line))
        return True

    def is_code(self, line: str) -> bool:
        """Whether a new link begins here."""
        found = LABELLED.fullmatch(line)
        if found is None or not NUMBER.fullmatch(found["value"]):
            return False
        label = found["label"]
        return spelling(label) == self.code_label or Part.CODE in parts_of(label)

    def _frame_end(self, at: int, limit: int, *, is_framed: bool) -> int:
        """Code line, then module, line info, fields and message in this order, each optional."""
        by_shape = has_shape(self.page, at)
        end = at + 1
        rank = 0
        at = end
        while at < limit:
            line = self.page.line(at)
            if not line:
                at += 1
                continue
            if at > end + 2:
                return end
            if SEPARATOR.fullmatch(line) or self.is_code(line):
                return end
            part = self._part(line, rank, by_shape=by_shape, is_next=at == end)
            if part is None:
                return end
            if part is Part.MESSAGE:
                return self._message_end(at, limit, is_framed=is_framed)
            if part is Part.FIELDS:
                end = at = self._fields_end(at, limit)
                rank = 3
            else:
                rank = 1 if part is Part.MODULE else 2
                end = at = at + 1
        return end

    def _part(self, line: str, rank: int, *, by_shape: bool, is_next: bool) -> Part | None:
        """What a line is, by label or by shape, if it may stand after ``rank`` parts."""
        found = LABELLED.fullmatch(line)
        if found is None:
            return None
        known, value = parts_of(found["label"]), found["value"]
        if Part.MESSAGE in known or (rank == 3 and is_next and not known):
            return Part.MESSAGE
        if rank < 3 and (Part.FIELDS in known or FIELD_SHAPE.search(value[:512])):
            return Part.FIELDS
        if rank == 0 and (Part.MODULE in known or (by_shape and not known and is_module(value))):
            return Part.MODULE
        if rank < 2 and (Part.LINE in known or (by_shape and (not value or HEX.fullmatch(value)))):
            return Part.LINE
        return None

    def _landmark(self, line: str) -> bool:
        return bool(SEPARATOR.fullmatch(line)) or self.is_code(line)

    def _fields_end(self, start: int, limit: int) -> int:
        """Fields run to the message label; without one, to the brace that ends a line.

        Pairs without braces end with their line, unless a comma says that they go on.
        """
        limit = min(limit, start + REACH)
        is_object = "{" in self.page.line(start)[:120]
        closed: int | None = None
        blank: int | None = None
        for at in range(start, limit):
            line = self.page.line(at)
            if not line:
                blank = at if blank is None else blank
                continue
            if (
                at > start
                and (step := self._fields_break(line, is_closed=closed is not None)) is not None
            ):
                ends = (at,) if step is Part.MESSAGE else (closed, blank, at)
                return next(end for end in ends if end is not None)
            if line.endswith("}") if is_object else not line.endswith(","):
                closed, blank = at + 1, None
        return next(end for end in (closed, blank, limit) if end is not None)

    def _fields_break(self, line: str, *, is_closed: bool) -> Part | None:
        """What begins with this line if it is not the fields that go on."""
        found = LABELLED.fullmatch(line)
        if found is not None and Part.MESSAGE in parts_of(found["label"]):
            return Part.MESSAGE
        if begins_entry(line):
            return Part.CODE
        # Behind a closing brace only the rest of a string or object goes on.
        goes_on = not is_closed or (found is None and line[0] in "\"',}]{\\")
        return None if goes_on and not self._landmark(line) else Part.CODE

    def _message_end(self, start: int, limit: int, *, is_framed: bool) -> int:
        """A message runs to the next landmark, if only its own lines can stand before that.

        Without one it ends with its paragraph; in a text that does not frame its blocks (an
        article, a mail) it ends with its line, for what follows is the writer's own prose.
        """
        blank: int | None = None
        paragraphs = 0
        was_blank = False
        for at in range(start + 1, min(limit, start + REACH)):
            line = self.page.line(at)
            if not line:
                blank = at if blank is None else blank
                was_blank = True
                continue
            if self._landmark(line):
                is_separator = not self.is_code(line)
                if paragraphs and (not is_separator or was_blank):
                    return blank if blank is not None and is_framed else start + 1
                is_ours = (
                    is_framed
                    or was_blank
                    or (is_separator and self._after_separator(at, limit) is not None)
                    or at <= start + _WRAPPED
                )
                return at if is_ours else start + 1
            if heading().fullmatch(line) or begins_entry(line):
                break
            paragraphs += was_blank
            was_blank = False
        else:
            at = min(limit, start + REACH)
        if not is_framed:
            return start + 1
        return blank if blank is not None else at
