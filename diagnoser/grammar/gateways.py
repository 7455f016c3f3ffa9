"""Errors of the storage gateway and of the programs that share its library.

::

    line = *any "E:" number ": " path ":" line " (" function ")" SP text

What the number means is not published; it is kept as it stands and not taken for a code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import Framed
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Field, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "gateway"
ANCHORS = tuple(f"E:{digit}" for digit in range(10))

_LINE = pattern(
    r"(?<!\w)E:(?P<number>\d{1,10}): (?P<file>(?:[A-Za-z]:)?[\w./\\+~ -]{1,300}):(?P<line>\d{1,6})"
    r" \((?P<function>[^()\n]{1,200})\)(?P<text>[^\n]*)"
)
_STAMP = pattern(STAMP)


def frame(page: Page) -> Iterator[Framed]:
    """The errors of a page in order, one a line."""
    for index in page.hits(_LINE):
        yield Framed(index, index + 1, page.cut(NAME, index, index + 1))


def parse(block: RawBlock) -> ErrorBlock:
    """One line. Raises ``BlockSyntaxError``."""
    found = _LINE.search(block.text)
    if found is None:
        raise refuse(block, "`E:980323: K:/…/file.cpp:181 (Function) …`")
    before = " ".join(block.text[: found.start()].split())
    stamp = _STAMP.search(before)
    text = found["text"].strip()
    names = (("number", "number"), ("$file", "file"), ("$line", "line"), ("$func", "function"))
    frame = ErrorFrame(
        module=None,
        code=None,
        line_info=None,
        fields=tuple(Field(key, found[group], block.at) for key, group in names),
        message=text or None,
        at=block.at,
        symbol=f"gateway/{found['function']}",
    )
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=(frame,),
        at=block.at,
        text=block.text,
        damage=() if text else ("cut off before the text",),
        occurred_at=iso_time(stamp[0]) if stamp else None,
    )
