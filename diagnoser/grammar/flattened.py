"""Labelled blocks on one line: what web forms and chat windows make of a pasted error.

::

    Error code: 307 Module: 626 LineInfo: 0x50e… Fields: {"address":…} Message: Could not perform…

The labels are the listed ones and stand in their order; the line is unfolded at them, read by the
grammar of labelled blocks, and everything is placed back on the line it came from.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import labelled
from diagnoser.grammar.forms import MAX_FRAMES, Framed
from diagnoser.grammar.lexicon import BLANK, COLON, COLONS, DASHES, Part, code_anchor, words
from diagnoser.grammar.syntax import refuse
from diagnoser.grammar.values import Members, read_prefix
from diagnoser.model import ErrorBlock, ErrorFrame, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "flattened"
_BLANKS = pattern(r"\s*")


@cache
def _labels() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """A code with the label that follows it; the label of fields or message; what ends a text."""

    def label(part: Part) -> str:
        return f"{words(part)}{BLANK}{COLON}"

    parts = "|".join(label(p) for p in (Part.MODULE, Part.LINE, Part.FIELDS, Part.MESSAGE))
    code = rf"{label(Part.CODE)}{BLANK}\d{{1,10}}\s{{1,8}}(?={parts})"
    head = pattern(
        rf"(?P<code>{code})(?P<module>{label(Part.MODULE)}{BLANK}(?:\d{{1,5}}(?!\d))?\s{{0,8}})?"
        rf"(?P<line>{label(Part.LINE)}{BLANK}(?:(?:0x)?[0-9a-f]{{1,16}}(?![0-9a-z]))?\s{{0,8}})?",
        re.IGNORECASE,
    )
    text = pattern(
        rf"(?P<fields>{label(Part.FIELDS)})|(?P<message>{label(Part.MESSAGE)})", re.IGNORECASE
    )
    stop = pattern(rf"(?<!\w)(?P<dashes>{DASHES})|(?<!\w)(?={code})", re.IGNORECASE)
    return head, text, stop


def frame(page: Page) -> Iterator[Framed]:
    """The flattened blocks of a page in order, one a line."""
    for index in page.hits(code_anchor()):
        text = page.raw[index]
        # The usual line has one label; the patterns of all languages are long.
        labels = sum(map(text.count, COLONS))
        if labels > 1 and _next_link(text, 0) is not None:
            yield Framed(index, index + 1, page.cut(NAME, index, index + 1))


def _next_link(text: str, at: int) -> re.Match[str] | None:
    """The next code with a module's number, fields or a message behind it."""
    head, texts, _ = _labels()
    for link in head.finditer(text, at):
        if (link["module"] and link["module"].rstrip()[-1].isdigit()) or texts.match(
            text, link.end()
        ):
            return link
    return None


def _unfold(text: str) -> str:
    """The parts of all links, each on a line of its own; what stands above them is left out."""
    _, texts, stop = _labels()
    lines: list[str] = []
    at = 0
    for _ in range(MAX_FRAMES):
        if (link := _next_link(text, at)) is None:
            break
        if lines:
            lines.append("-" * 24)
        lines += [link[name].strip() for name in ("code", "module", "line") if link[name]]
        at = link.end()
        is_fields = False
        while (label := texts.match(text, at)) is not None:
            is_fields = label["fields"] is not None
            end = _end(text, label.end(), texts if is_fields else stop, stop)
            lines.append(text[at:end].strip())
            at = end
            if not is_fields:
                break
    return "\n".join(lines)


def _end(text: str, at: int, label: re.Pattern[str], stop: re.Pattern[str]) -> int:
    """Where the value that begins at ``at`` ends: an object with its brace, others at a label."""
    begin = _past_blanks(text, at)
    value, end = read_prefix(text, begin)
    if isinstance(value, Members):
        return _past_blanks(text, end)
    ends = [m.start() for m in (label.search(text, at), stop.search(text, at)) if m]
    return min(ends, default=len(text))


def _past_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def parse(block: RawBlock) -> ErrorBlock:
    """One line. Raises ``BlockSyntaxError``."""
    unfolded = _unfold(block.text)
    try:
        found = labelled.parse(RawBlock(NAME, unfolded, Location(block.at.source, 1)))
    except BlockSyntaxError as error:
        raise refuse(block, error.expected) from None
    return replace(
        found,
        form=block.form,
        frames=tuple(_placed(f, block.at) for f in found.frames),
        at=block.at,
        text=block.text,
    )


def _placed(frame: ErrorFrame, at: Location) -> ErrorFrame:
    return replace(frame, at=at, fields=tuple(replace(f, at=at) for f in frame.fields))
