"""Events of XML logs: what the console exports, and the logs of older agents.

::

    event = "<event" 1*( attribute ) ( "/>" / ">" text "</event>" )
    attribute = name "=" quoted                        ; id, type or level, time, message, code, …
    code  = 1*( digit / "," ) "(0x" hex ")" / number   ; module << 16 | code

A bar in the text is a line break there, so ``||`` is a break and the bar of a pipe block::

    <event id="3" type="Error" time="11/22/18 8:29:14 PM" message="Error 0x1350016: Failed.||
    line: 0x1" code="20,250,646(0x1350016)" module="309" Owner=""/>

No XML parser is used: an event is cut out by itself and only the five entities of XML and numbers
are resolved, so a document type has nothing to declare and a cut-off log reads up to its end.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar import piped
from diagnoser.grammar.entries import HIT
from diagnoser.grammar.forms import MAX_LINES, Framed
from diagnoser.grammar.moments import ENTRY, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "event"
ANCHORS = ("<event ",)

# An export of a chain with 64 causes has some 40,000 characters.
_LONGEST = 262_144
_MOST_ATTRIBUTES = 64
_TAG, _END_TAG = "<event ", "</event>"
_OPEN = pattern(rf"{_TAG}(?=[^<>]{{0,80}}=)")
# A value goes over a line end where somebody wrapped it, not into the next entry of a log.
_WRAP = rf"\n(?![ \t\r]{{0,80}}(?:\n|\Z)|\s{{0,8}}{ENTRY})"
_ATTRIBUTE = pattern(
    r"\s*(?P<name>[A-Za-z_][\w.-]{0,40})\s{0,4}=\s{0,4}"
    rf"""(?:"(?P<double>(?:[^"<\n]+|{_WRAP})*+)(?P<end>"?)"""
    rf"""|'(?P<single>(?:[^'<\n]+|{_WRAP})*+)(?P<close>'?))"""
)
_TEXT = pattern(rf"(?:[^<\n]+|{_WRAP})*+")
_CLOSE = pattern(r"\s*(?P<close>/?>)")
_CODE = pattern(r"[\d,.\u00a0\u202f']{1,14}\(0x(?P<hex>[0-9A-Fa-f]{1,8})\)|(?P<plain>.+)")
_NUMBER = pattern(r"0x[0-9A-Fa-f]{1,8}|\d{1,10}", re.ASCII)
_BARS = pattern(r"\|+")
_ENTITY = pattern(r"&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_UNEVENTFUL = {"information", "info", "success", "debug", "verbose"}
# What the frame itself holds, and consoles' "[None]".
_OWN = {"id", "message", "code", "module", "time", "line", "line_tag"}


def frame(page: Page) -> Iterator[Framed]:
    """The events of a page in order; those that report no failure come without a block."""
    past = 0
    for opening in _OPEN.finditer(page.text):
        start = opening.start()
        if start < past:
            continue
        first, _ = page.place(start)
        last = min(len(page), first + MAX_LINES) - 1
        event = _Event(page.text, start, page.offset(last) + len(page.raw[last]))
        past = max(opening.end(), event.end)
        last, _ = page.place(past - 1)
        block = None
        if event.is_failure:
            at = Location(page.source, first + 1)
            block = RawBlock(NAME, page.text[start:past], at)
        yield Framed(first, last + 1, block)


class _Event:
    """One event that begins at ``start`` of a text and goes no further than ``limit``."""

    def __init__(self, text: str, start: int, limit: int) -> None:
        limit = min(limit, start + _LONGEST)
        self.attributes: dict[str, str] = {}
        self.offsets: dict[str, int] = {}
        self.cut: str | None = None
        self.end = start + len(_TAG)
        for _ in range(_MOST_ATTRIBUTES):
            found = _ATTRIBUTE.match(text, self.end, limit)
            if found is None:
                break
            name, group = found["name"], "single" if found["double"] is None else "double"
            self._note(name, found[group], found.start(group))
            self.end = found.end()
            if not (found["end"] or found["close"]):
                self.cut = name
                return
        closed = _CLOSE.match(text, self.end, limit)
        if closed is None:
            self.cut = "event"
            return
        self.end = closed.end()
        if closed["close"] == ">" and "message" not in self.attributes:
            self._read_text(text, limit)

    def _read_text(self, text: str, limit: int) -> None:
        """The text between the tags of an event that has no message among its attributes."""
        found = _TEXT.match(text, self.end, limit)
        at, end = (self.end, self.end) if found is None else found.span()
        is_whole = text.startswith(_END_TAG, end)
        self._note("message", text[at:end].strip(), at)
        self.end = end + len(_END_TAG) if is_whole else end
        self.cut = None if is_whole else "message"

    def _note(self, name: str, value: str, offset: int) -> None:
        self.attributes.setdefault(name, _resolved(value))
        self.offsets.setdefault(name, offset)

    @property
    def message(self) -> str:
        """The text with its line breaks."""
        return _BARS.sub(_unbarred, self.attributes.get("message", ""))

    @property
    def packed(self) -> int | None:
        """The combined code; ``None`` where there is none or it was cut off."""
        found = _CODE.fullmatch(self.attributes.get("code", "").strip())
        if found is None or self.cut == "code":
            return None
        if found["hex"]:
            return int(found["hex"], 16)
        code = _number(found["plain"].replace(",", ""))
        module = _number(self.attributes.get("module", ""))
        if code is None or code > 0xFFFFFFFF:
            return None
        return code | module << 16 if module and module <= 0xFFFF and code <= 0xFFFF else code

    @property
    def named(self) -> int:
        """The number that the message names; 0 where it names none."""
        hit = HIT.search(self.message)
        return int(hit["packed"], 16) if hit else 0

    @property
    def is_failure(self) -> bool:
        """Neither told to be information nor code 0; a code that was cut off counts as one."""
        kind = self.attributes.get("type", self.attributes.get("level", ""))
        if kind.strip().lower() in _UNEVENTFUL or not self.attributes.get("message"):
            return False
        return bool(self.named or self.packed)


def _number(text: str) -> int | None:
    return int(text, 0 if text[:2] == "0x" else 10) if _NUMBER.fullmatch(text) else None


def _resolved(text: str) -> str:
    """``text`` with its entities replaced, once: what they stand for is never read again."""

    def character(match: re.Match[str]) -> str:
        if match[3]:
            return _NAMED[match[3]]
        number = int(match[1]) if match[1] else int(match[2], 16)
        is_character = 0x20 <= number < 0xD800 or 0xE000 <= number <= 0x10FFFF or number in (9, 10)
        return chr(number) if is_character else " "

    return _ENTITY.sub(character, text)


def _unbarred(bars: re.Match[str]) -> str:
    """Bars as breaks: ``|`` ends a line, ``||`` begins one with a bar, ``||||`` skips a cause."""
    pairs, single = divmod(len(bars[0]), 2)
    return "\n" * single + "\n|" * pairs


def parse(block: RawBlock) -> ErrorBlock:
    """One event. Raises ``BlockSyntaxError``."""
    if not block.text.startswith(_TAG):
        raise refuse(block, '`<event id="1" …`')
    event = _Event(block.text, 0, len(block.text))
    row = block.text.count("\n", 0, event.offsets.get("message", 0))
    message = Location(block.at.source, block.at.line + row)
    frames, language, damage = _chain(event, message)
    if not frames:
        raise refuse(block, "an event with a code or an error number in its message")
    if event.cut:
        where = "" if event.cut == "event" else f" inside {event.cut!r}"
        damage += (f"the event is cut off{where}",)
    own = tuple(
        Field(name, value, _place(block, event.offsets[name]), "event")
        for name, value in event.attributes.items()
        if name not in _OWN and value not in ("", "[None]") and name != event.cut
    )
    head = frames[0]
    tag = event.attributes.get("line", event.attributes.get("line_tag")) or None
    head = replace(head, fields=head.fields + own, line_info=head.line_info or tag)
    return ErrorBlock(
        form=block.form,
        language=language,
        frames=(head, *frames[1:]),
        at=block.at,
        text=block.text,
        damage=damage,
        occurred_at=iso_time(event.attributes.get("time", "")),
    )


def _place(block: RawBlock, offset: int) -> Location:
    return Location(block.at.source, block.at.line + block.text.count("\n", 0, offset))


def _chain(
    event: _Event, at: Location
) -> tuple[tuple[ErrorFrame, ...], str | None, tuple[str, ...]]:
    """The frames of the text, all on the line where it begins, else the code with the text."""
    text = event.message
    if (inner := piped.parse_within(text, NAME, at)) is not None:
        return inner.frames, inner.language, inner.damage
    packed = event.packed or event.named
    if not packed:
        return (), None, ()
    message = text.strip() or None
    return (ErrorFrame(packed >> 16, packed & 0xFFFF, None, (), message, at),), None, ()
