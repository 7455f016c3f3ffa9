"""The one place where a failure of pyparsing becomes ours, in our words and with our place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyparsing as pp

from diagnoser.errors import BlockSyntaxError
from diagnoser.model import Location, RawBlock

if TYPE_CHECKING:
    from diagnoser.reading.framing import Cleaned

HINT = "paste the whole error, from its first `Error code:` line (or its translation) to its end"


def token(pattern: str, name: str, flags: int = re.IGNORECASE) -> pp.ParserElement:
    """One coarse token, named in the reader's words; blanks and line ends count."""
    return pp.Regex(pattern, flags=flags).leave_whitespace().set_name(name)


def run(grammar: pp.ParserElement, cleaned: Cleaned, block: RawBlock) -> pp.ParseResults:
    """``grammar`` over all of ``cleaned``; raises ``BlockSyntaxError`` with the block's place."""
    try:
        return grammar.parse_string(cleaned.text, parse_all=True)
    except pp.ParseBaseException as error:
        expected = error.msg.removeprefix("Expected ")
        raise refusal(expected, error.loc, cleaned, block) from None


def refusal(expected: str, offset: int, cleaned: Cleaned, block: RawBlock) -> BlockSyntaxError:
    """The error for a character offset of the cleaned text."""
    before = cleaned.text[:offset]
    row = before.count("\n")
    column = offset - (before.rfind("\n") + 1)
    return BlockSyntaxError(
        expected,
        source=block.at.source,
        line=block.at.line + row,
        column=cleaned.shifts[row] + column + 1,
        text=block.text.split("\n")[row],
        hint=HINT,
    )


def refuse(block: RawBlock, expected: str, row: int = 0) -> BlockSyntaxError:
    """The error for one line of a block, where no grammar told a column."""
    return BlockSyntaxError(
        expected,
        source=block.at.source,
        line=block.at.line + row,
        column=1,
        text=block.text.split("\n")[row],
        hint="paste the whole entry, from its first line to its last",
    )


def place(text: str, offset: int, at: Location) -> Location:
    """The location of a character offset in a block's cleaned text."""
    return Location(at.source, at.line + text.count("\n", 0, offset))
