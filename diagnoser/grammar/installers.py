"""Errors that installers write into the log of Windows Installer, beside ordinary blocks.

::

    block = [ number ":" ] [ "MSIGEN:" ] error *( LF error )      ; outermost first
    error = "CommonError: code:" 1*DIGIT ", message:" [ text ] ", linetag:0" 16HEXDIG "h"

The code is the combined one in decimal; the line tag is written as an assembler writes numbers, a
leading 0 and a trailing h. ``MSIGEN:`` begins a chain. Blocks of the oldest labelled form stand in
the same logs and are read as such.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.forms import MAX_FRAMES, Framed
from diagnoser.grammar.syntax import refuse
from diagnoser.model import ErrorBlock, ErrorFrame, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "installer"
ANCHORS = ("CommonError: code:",)

_HIT = pattern(r"CommonError: code:\d")
_ERROR = pattern(
    r"(?P<head>MSIGEN:)?CommonError: code:(?P<code>\d{1,10})(?!\d)(?P<rest>.*)", re.ASCII
)
_MESSAGE = pattern(r", message:(?P<message>.*)")
_TAG = pattern(r", linetag:0?(?P<tag>[0-9A-Fa-f]{1,16})(?P<end>h?)\s*$")


def frame(page: Page) -> Iterator[Framed]:
    """The chains of a page in order."""
    end = 0
    for index in page.hits(_HIT):
        if index < end or (first := _ERROR.search(page.line(index))) is None:
            continue
        end = index + 1
        while end - index < MAX_FRAMES:
            below = _ERROR.search(page.line(end))
            if below is None or below["head"]:
                break
            end += 1
        is_failure = int(first["code"]) > 0
        yield Framed(index, end, page.cut(NAME, index, end) if is_failure else None)


def parse(block: RawBlock) -> ErrorBlock:
    """One chain. Raises ``BlockSyntaxError``."""
    frames: list[ErrorFrame] = []
    damage: list[str] = []
    for row, line in enumerate(block.text.split("\n")[:MAX_FRAMES]):
        found = _ERROR.search(line)
        if found is None or int(found["code"]) > 0xFFFFFFFF:
            raise refuse(block, "`CommonError: code:3113460, message:…, linetag:…h`", row)
        at = Location(block.at.source, block.at.line + row)
        frames.append(_frame(found, at, damage))
    return ErrorBlock(
        form=block.form,
        language=None,
        frames=tuple(frames),
        at=block.at,
        text=block.text,
        damage=tuple(damage),
    )


def _frame(found: re.Match[str], at: Location, damage: list[str]) -> ErrorFrame:
    packed, rest = int(found["code"]), found["rest"]
    tag = _TAG.search(rest)
    if tag is None or not tag["end"]:
        damage.append(f"{packed >> 16}/{packed & 0xFFFF}: cut off before the end of its line tag")
    message = _MESSAGE.match(rest[: tag.start()] if tag else rest)
    return ErrorFrame(
        module=packed >> 16,
        code=packed & 0xFFFF,
        line_info=f"0x{tag['tag']}" if tag and tag["end"] else None,
        fields=(),
        message=message["message"].strip() or None if message else None,
        at=at,
    )
