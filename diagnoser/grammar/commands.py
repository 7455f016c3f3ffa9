"""What ``acrocmd`` and the other console tools print: a message, then where it comes from.

::

    block = 1*link                                     ; outermost first
    link  = message LF error *( module / place / pair )
    error = "Error: 0x" 1*8HEXDIG                      ; module << 16 | code; indented
    module= '$module = "' text '"'
    place = function " : " path "(" line ")"

An example::

    An error occurred while executing the command.
        Error: 0x1510008
        $module = "acrocmd_lxa64_39376"
        PrintPerformingResult : d:/925/enterprise/command_line/engine/impl/engine.cpp(65)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import MAX_FRAMES, MAX_LINES, Framed
from diagnoser.grammar.moments import STAMP, begins_entry, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock
from diagnoser.reading.framing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "command"
ANCHORS = ("Error: 0x",)
ABOVE = 1

_ERROR = pattern(r"Error: 0x(?P<packed>[0-9A-Fa-f]{1,8})")
_HIT = pattern(r"^[^\w\n]{0,40}Error: 0x[0-9A-Fa-f]{1,8}[ \t\r]*$", re.MULTILINE)
_PAIR = pattern(r"(?P<key>\$?\w{1,60}) = \"(?P<value>[^\"]*)(?P<end>\"?)")
_LINE_NUMBER = pattern(r"\d{1,6}", re.ASCII)
_STAMPED = pattern(rf"\[?{STAMP}\]?\s*(?:\d+\s+)?")
# Lines that a message may have below another link's place.
_MESSAGE_LINES = 4


def frame(page: Page) -> Iterator[Framed]:
    """The failures of console tools on a page in order."""
    end = 0
    for index in page.hits(_HIT):
        if index < end or not _is_detail(page.line(index + 1)):
            continue
        has_message = index > end and _is_message(page.line(index - 1))
        first = index - 1 if has_message else index
        end = _end(page, index)
        block = page.cut(NAME, first, end)
        yield Framed(first, end, block if _codes(block) else None)


def _codes(block: RawBlock) -> bool:
    found = (_ERROR.fullmatch(line) for line in clean(block.text).text.split("\n"))
    return any(int(f["packed"], 16) for f in found if f)


def _is_detail(line: str) -> bool:
    return _PAIR.fullmatch(line) is not None or _place(line) is not None


def _place(line: str) -> tuple[str, str, str] | None:
    """Function, file and line number of ``Function : path(line)``."""
    if not line.endswith(")"):
        return None
    function, colon, rest = line.partition(" : ")
    path, bracket, number = rest[:-1].rpartition("(")
    if not (function and colon and path and bracket and _LINE_NUMBER.fullmatch(number)):
        return None
    return function, path, number


def _is_message(line: str) -> bool:
    return bool(line) and not _is_detail(line) and not _ERROR.fullmatch(line)


def _end(page: Page, index: int) -> int:
    """Behind the details of the last link: each next link begins with its message."""
    at, limit = index, min(len(page), index + MAX_LINES)
    while True:
        at += 1
        while at < limit and _is_detail(page.line(at)):
            at += 1
        for step in range(1, _MESSAGE_LINES + 1):
            line = page.line(at + step - 1)
            if at + step >= limit or not _is_message(line) or begins_entry(line):
                return at
            if _ERROR.fullmatch(page.line(at + step)) and _is_detail(page.line(at + step + 1)):
                at += step
                break
        else:
            return at


def parse(block: RawBlock) -> ErrorBlock:
    """One failed command. Raises ``BlockSyntaxError``."""
    frames: list[ErrorFrame] = []
    damage: list[str] = []
    message: list[str] = []
    lines = clean(block.text).text.split("\n")
    rows = [i for i, line in enumerate(lines) if _ERROR.fullmatch(line)]
    if not rows:
        raise refuse(block, "`Error: 0x1510008` below a message")
    if len(rows) > MAX_FRAMES:
        damage.append(f"more than {MAX_FRAMES} causes; the rest was not read")
    start = 0
    for number, row in enumerate(rows[:MAX_FRAMES]):
        message = [line for line in lines[start:row] if line]
        stop = rows[number + 1] if number + 1 < len(rows) else len(lines)
        end = row + 1
        fields: list[Field] = []
        while end < stop and (found := _fields(lines[end], block.at, end, damage)) is not None:
            fields += found
            end += 1
        start = end
        said = "\n".join(message)
        frames.append(
            _link(lines[row], fields, said, Location(block.at.source, block.at.line + row))
        )
    stamp = _STAMPED.match(lines[0])
    return ErrorBlock(
        form=block.form,
        language=None,
        frames=tuple(frames),
        at=block.at,
        text=block.text,
        damage=tuple(damage),
        occurred_at=iso_time(stamp[0].lstrip("[")) if stamp else None,
    )


def _link(line: str, fields: list[Field], message: str, at: Location) -> ErrorFrame:
    found = _ERROR.fullmatch(line)
    packed = int(found["packed"], 16) if found else 0
    said = _STAMPED.sub("", message, count=1) if _STAMPED.match(message) else message
    return ErrorFrame(packed >> 16, packed & 0xFFFF, None, tuple(fields), said or None, at)


def _fields(line: str, at: Location, row: int, damage: list[str]) -> list[Field] | None:
    """What a detail line says, in the names that blocks have for it; ``None`` for another line."""
    here = Location(at.source, at.line + row)
    if (pair := _PAIR.fullmatch(line)) is not None:
        if not pair["end"]:
            damage.append(f"cut off inside the value of {pair['key']!r}")
            return []
        return [Field(pair["key"], pair["value"], here)]
    if (place := _place(line)) is not None:
        names = ("$func", "$file", "$line")
        return [Field(key, value, here) for key, value in zip(names, place, strict=True)]
    return None
