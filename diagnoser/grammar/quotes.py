"""The marks that a mail puts before the lines that it answers."""

from __future__ import annotations

from diagnoser.deferral import pattern

_QUOTE = pattern(r"[> \t\u00a0]*>[ \u00a0]?")


def unquoted(line: str) -> str:
    """A line without the marks of a mail that answers."""
    quote = _QUOTE.match(line)
    return line[quote.end() :] if quote else line


def all_unquoted(lines: list[str]) -> list[str]:
    """Lines without the marks of a mail; one alone may be the rest of a line of XML."""
    marked = [False, *(_QUOTE.match(line) is not None for line in lines), False]
    return [
        unquoted(line) if here and (above or below) else line
        for line, above, here, below in zip(lines, marked, marked[1:], marked[2:], strict=False)
    ]
