"""The log of the set-up program on Linux (``/var/log/trueimage-setup.log``).

::

    entry = stamp ":" text *( LF more )               ; 2023-06-22T09:46:15+0200:text
    stamp = date "T" time ( "+" / "-" ) 4DIGIT        ; no colon in the zone, no blank behind it

The log has neither levels nor codes: a failure is an entry that begins with a word for one, or in
which curl gives its error (``curl: (60) …``), which agents report as module 550.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import Framed
from diagnoser.grammar.moments import begins_entry, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "set-up"

_CURL = 550
_WORDS = ("error", "failed", "fatal", "cannot", "could not", "unable to")
_SPELLINGS = tuple(s for w in _WORDS for s in (w, w.capitalize(), w.upper()))
# Zones are whole, half or three quarters of an hour.
_MINUTES = ("00", "30", "45")
_CURL_SAYS = "curl: ("
ANCHORS = (
    _CURL_SAYS,
    *(f"{m}:{dash}{word}" for m, dash, word in product(_MINUTES, ("", "- "), _SPELLINGS)),
)

OWN_STAMP = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d(?:{'|'.join(_MINUTES)}):"
_WORD = rf"(?:- )?(?:{'|'.join(_SPELLINGS)})\b"
_ENTRY = pattern(
    rf"(?P<stamp>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d(?:{'|'.join(_MINUTES)})):"
    rf"(?P<text>(?={_WORD}|[^\n]*?curl: \(\d).*)",
    re.ASCII,
)
_HIT = pattern(rf"[+-]\d\d(?:{'|'.join(_MINUTES)}):{_WORD}|curl: \(\d", re.ASCII)
_CURL_ERROR = pattern(r"curl: \((\d{1,3})\) ?")
# Lines that an explanation below an entry may have.
_REACH = 20


def frame(page: Page) -> Iterator[Framed]:
    """The failures of a page in order."""
    end = 0
    for index in page.hits(_HIT):
        if index < end or _ENTRY.match(page.line(index)) is None:
            continue
        end = index + 1
        while end < min(len(page), index + _REACH):
            line = page.line(end)
            if not line or begins_entry(line):
                break
            end += 1
        yield Framed(index, end, page.cut(NAME, index, end))


def parse(block: RawBlock) -> ErrorBlock:
    """One entry. Raises ``BlockSyntaxError``."""
    first, _, rest = block.text.partition("\n")
    entry = _ENTRY.search(first)
    if entry is None:
        raise refuse(block, "`2023-06-22T09:46:15+0200:Failed …`")
    message = "\n".join([entry["text"], *(line.strip() for line in rest.split("\n") if line)])
    curl = _CURL_ERROR.search(entry["text"])
    frame = ErrorFrame(
        module=_CURL if curl else None,
        code=int(curl[1]) if curl else None,
        line_info=None,
        fields=(),
        message=message.removeprefix("- ").strip(),
        at=Location(block.at.source, block.at.line),
        symbol=None if curl else "set-up",
    )
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=(frame,),
        at=block.at,
        text=block.text,
        occurred_at=iso_time(entry["stamp"]),
    )
