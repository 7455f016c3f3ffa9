"""Cuts pipe blocks out of a page: entries of service logs and what people copy of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.catalog import known_codes
from diagnoser.deferral import pattern
from diagnoser.grammar.forms import MAX_LINES, Framed
from diagnoser.grammar.moments import STAMP, begins_entry
from diagnoser.model import Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "piped"

_ENTRY = pattern(rf"{STAMP}\s+\d+\s+(?P<severity>[IWE])[0-9A-Fa-f]{{8}}:\s?")
# What may stand between the word and its number; a web page makes it a no-break space.
_GAPS = (" ", "  ", "\u00a0")
ANCHORS = tuple(f"{word}{gap}0x" for word in ("rror", "ehler") for gap in _GAPS)
ERROR = (
    rf"(?:[Ee]rror|[Ff]ehler)(?:{'|'.join(_GAPS)})0x(?P<packed>[0-9a-fA-F]{{1,8}})(?![0-9a-zA-Z])"
)
HIT = pattern(rf"(?<![\w.]){ERROR}")
# Standard fields: English, German and Spanish agents. Only these end a message; $module stands
# last and so cannot tell a message from the fields before it.
_LEADING = (
    r"trace level|channel|line info|line|file|function"
    r"|linea|línea|archivo|funcion|función"
    r"|Ablaufverfolgungsebene|Channel|Kanal|Zeile|Datei|Funktion"
)
LEADING = rf"(?:{_LEADING})\s{{0,2}}:"
KNOWN = rf"(?:{_LEADING}|\$module)\s{{0,2}}:"
PAIR = r"[$\w][\w .$()/-]{0,60}?\s{0,2}:(?!//)"
_KNOWN = pattern(KNOWN)
# Lines that a message, or a path, may be wrapped to.
_WRAPPED = 3
_PAIR = pattern(PAIR)
# Where another chain begins in one line: "… Details: <GUID>: Error 0x…"
_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}:\s?"
_DETAILS = pattern(rf"(?:\bDetails:\s?(?:{_GUID})?|{_GUID})(?=(?:Error|Fehler) 0x)")


def frame(page: Page) -> Iterator[Framed]:
    """The pipe blocks of a page in order; lines of informational entries come without a block."""
    end = 0
    for index in page.hits(HIT):
        if index < end:
            continue
        line = page.line(index)
        hit = HIT.search(line)
        if hit is None or not _is_head(line, hit.start()):
            continue
        entry = _ENTRY.match(line)
        below = _end(page, index + 1)
        is_alone = entry is None and below == index + 1 and "|" not in line[hit.end() :]
        if is_alone and not _is_whole(line, hit):
            continue
        end = below
        if (entry and entry["severity"] == "I") or int(hit["packed"], 16) == 0:
            yield Framed(index, end, None)
            continue
        yield from _chains(page, index, end)


def _is_head(line: str, at: int) -> bool:
    """Whether an error may begin here: first in its line, or behind a bar, colon or bracket."""
    before = line[:at].rstrip()
    return not before or before[-1] in "|:]"


def _is_whole(line: str, hit: re.Match[str]) -> bool:
    """Whether a line alone is an error, as alerts and articles quote it: an agent's own number that
    the catalogue has, and its message. Other programs write ``Error 0x…`` too."""
    said = line[hit.end() :].lstrip()
    return said.startswith(":") and len(said) > 1 and int(hit["packed"], 16) in known_codes()


def _chains(page: Page, index: int, end: int) -> Iterator[Framed]:
    block = page.cut(NAME, index, end)
    first, newline, rest = block.text.partition("\n")
    hit = HIT.search(first)
    cuts = [m for m in _DETAILS.finditer(first) if hit is not None and m.end() > hit.start()]
    starts = [0, *(m.end() for m in cuts)]
    stops = [*(m.start() for m in cuts), len(first)]
    for start, stop in zip(starts, stops, strict=True):
        text = first[start:stop]
        if stop == len(first):
            text += newline + rest
        yield Framed(index, end, RawBlock(NAME, text, Location(page.source, index + 1)))


def _end(page: Page, at: int) -> int:
    """The index behind the last line of the block whose head stands just above ``at``."""
    limit = min(len(page), at + MAX_LINES)
    start = at
    has_bars = _lines_to_bar(page, at) is not None
    belongs = _belongs_with_bars if has_bars else _belongs_bare
    while at < limit and (step := belongs(page, at, is_first=at == start)):
        at += step
    return min(at, limit)


def _belongs_with_bars(page: Page, at: int, *, is_first: bool) -> int:
    """How many lines from ``at`` go on with the block: bars, and what was wrapped between bars."""
    del is_first
    count = _lines_to_bar(page, at)
    return 0 if count is None else count + 1


def _lines_to_bar(page: Page, at: int) -> int | None:
    """How many lines something was wrapped to that ends above a bar; ``None`` where none comes."""
    for count in range(_WRAPPED + 1):
        line = page.line(at + count)
        if line.startswith("|"):
            return count
        if not line or begins_entry(line) or HIT.match(line):
            return None
    return None


def _belongs_bare(page: Page, at: int, *, is_first: bool) -> int:
    """The same where a web form or console ate the bars: standard fields, causes, pairs.

    A cause is written small there; ``Error`` begins another chain.
    """
    line = page.line(at)
    if not line:
        for skip in (1, 2):
            following = page.line(at + skip)
            if following:
                is_cause = HIT.match(following) and not following.startswith("Error ")
                return skip if _KNOWN.match(following) or is_cause else 0
        return 0
    if begins_entry(line) or line.startswith("Error "):
        return 0
    if _KNOWN.match(line) or (HIT.match(line) and _KNOWN.match(page.line(at + 1))):
        return 1
    if is_first:
        # The message may go on below its first line; a standard field must come soon.
        near = (page.line(at + i) for i in range(1, 4))
        return 1 if any(_KNOWN.match(n) for n in near) else 0
    return 1 if _PAIR.match(line) or HIT.match(line) else 0
