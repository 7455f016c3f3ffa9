"""Errors of True Image and its relatives: a sentence, the combined code, a line tag.

::

    block = 1*link                                        ; outermost first, a line each or in one
    link  = text " (0x" 1*8HEXDIG ")" [ tag ]
    tag   = [ LF ] "Tag = 0x" 1*16HEXDIG

At least one link has its tag: ``(0x70020)`` alone may be anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import MAX_FRAMES, Framed
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Location, RawBlock
from diagnoser.reading.framing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "image"
ANCHORS = ("Tag = 0x",)
ABOVE = 4

_CODE = r"\(0x(?P<packed>[0-9A-Fa-f]{1,8})\)\.?"
_TAGGED = r"Tag = 0x(?P<tag>[0-9A-Fa-f]{1,16})\b"
_LINK = pattern(rf"{_CODE}(?:\s{{0,4}}{_TAGGED})?")
_HIT = pattern(r"\bTag = 0x[0-9A-Fa-f]")
_STAMPED = pattern(rf"\[?(?P<stamp>{STAMP})\]?:?\s*")
_ENDS = pattern(r"(?:\(0x[0-9A-Fa-f]{1,8}\)\.?|\bTag = 0x[0-9A-Fa-f]{1,16})\s*$")


def frame(page: Page) -> Iterator[Framed]:
    """The errors of a page in order."""
    end = 0
    for index in page.hits(_HIT):
        if index < end:
            continue
        first = index
        while first > max(end, index - ABOVE) and _is_link(page.line(first - 1)):
            first -= 1
        below = index + 1
        while below - index < MAX_FRAMES and _is_link(page.line(below)):
            below += 1
        block = page.cut(NAME, first, below)
        if _links(block.text):
            end = below
            yield Framed(first, below, block)


def _is_link(line: str) -> bool:
    return _ENDS.search(line[-60:]) is not None


def _links(text: str) -> list[re.Match[str]]:
    """The links with a code that is not 0; none where no link has a tag."""
    found = [m for m in _LINK.finditer(clean(text).text) if int(m["packed"], 16)]
    return found[:MAX_FRAMES] if any(m["tag"] for m in found) else []


def parse(block: RawBlock) -> ErrorBlock:
    """One error. Raises ``BlockSyntaxError``."""
    cleaned = clean(block.text).text
    links = _links(block.text)
    if not links:
        raise refuse(block, "`text (0x70020) Tag = 0x…`")
    stamp = _STAMPED.match(cleaned)
    frames = []
    begin = stamp.end() if stamp else 0
    for link in links:
        text = cleaned[begin : link.start()].rpartition("\n")[2]
        begin = link.end()
        packed = int(link["packed"], 16)
        row = cleaned.count("\n", 0, link.start())
        frames.append(
            ErrorFrame(
                module=packed >> 16,
                code=packed & 0xFFFF,
                line_info=f"0x{link['tag']}" if link["tag"] else None,
                fields=(),
                message=text.strip() or None,
                at=Location(block.at.source, block.at.line + row),
            )
        )
    return ErrorBlock(
        form=block.form,
        language=None,
        frames=tuple(frames),
        at=block.at,
        text=block.text,
        occurred_at=iso_time(stamp["stamp"]) if stamp else None,
    )
