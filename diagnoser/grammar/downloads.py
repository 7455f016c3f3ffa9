"""Lines of atp-downloader, which fetches protection definitions.

::

    line = stamp SP "[0x" process "]" SP "[0x" thread "]" SP "[" level "]" SP "[" unit "]" " : "
           function "()[" number "]" SP text            ; the place is often written twice
    stamp= DD "." MM "." YYYY SP time "." microseconds

Only the levels error and fatal are failures: failed requests are retried at level debug.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import Framed
from diagnoser.grammar.moments import iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Field, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "download"
_FAILED = tuple(s for w in ("error", "fatal", "critical") for s in (w, w.capitalize(), w.upper()))
ANCHORS = tuple(f"[{word}] [" for word in _FAILED)

_LINE = pattern(
    r"(?P<stamp>\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d\.\d{1,6}) \[0x[0-9a-fA-F]{1,16}\]"
    r" \[0x[0-9a-fA-F]{1,16}\] \[(?P<level>\w{1,12})\] \[(?P<unit>[^\[\]]{1,60})\] :\s?(?P<text>.*)"
)
_PLACE = pattern(r"(?P<function>[\w:~]{1,120})\(\)\[(?P<line>\d{1,6})\]\s?")
_HIT = pattern("|".join(re.escape(a) for a in ANCHORS))


def frame(page: Page) -> Iterator[Framed]:
    """The failures of a page in order."""
    for index in page.hits(_HIT):
        found = _LINE.search(page.line(index))
        if found is not None and found["level"] in _FAILED:
            yield Framed(index, index + 1, page.cut(NAME, index, index + 1))


def parse(block: RawBlock) -> ErrorBlock:
    """One line. Raises ``BlockSyntaxError``."""
    found = _LINE.search(block.text)
    if found is None:
        raise refuse(block, "`04.05.2020 11:27:51.141673 [0x…] [0x…] [error] [Unit] : …`")
    text, unit = found["text"].strip(), found["unit"]
    fields = [Field("unit", unit, block.at)]
    place = _PLACE.match(text)
    if place is not None:
        text = text[place.end() :]
        text = text.removeprefix(place[0])
        fields += [Field("$func", place["function"], block.at)]
        fields += [Field("$line", place["line"], block.at)]
    frame = ErrorFrame(
        module=None,
        code=None,
        line_info=None,
        fields=tuple(fields),
        message=text.strip() or None,
        at=block.at,
        symbol=f"{unit}/{place['function']}" if place else unit,
    )
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=(frame,),
        at=block.at,
        text=block.text,
        damage=() if text.strip() else ("cut off before the text",),
        occurred_at=iso_time(found["stamp"]),
    )
