"""The strings of wrapped JSON documents, which may not go over lines, made whole again."""

from __future__ import annotations

import re
from itertools import islice

from diagnoser.deferral import pattern
from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.quotes import unquoted
from diagnoser.reading.framing import clean_line

_MOST_LINES = 60
_MOST_DOCUMENTS = 500
# What stands in every document that holds an error.
DOCUMENT = pattern(r'"(?:origin|serCode|suberror)"')
# A string of JSON that goes over lines, which none may.
_STRING = pattern(
    r'(?<!\\)"(?:[^"\\\n]|\\.){0,2000}(?:\n(?:[^"\\\n]|\\.){0,2000}){0,40}"', re.DOTALL
)


def with_whole_strings(lines: list[str]) -> list[str]:
    """``lines`` without quote marks before JSON documents, and with the line breaks inside their
    strings behind them, so that lines stay. A document begins a line and ends above a blank one
    or the next entry."""
    text, lines, past = "\n".join(lines), [*lines], 0
    for match in islice(DOCUMENT.finditer(text), _MOST_DOCUMENTS):
        hit = text.count("\n", 0, match.start())
        if hit < past:
            continue
        first = hit
        while first > max(past, hit - _MOST_LINES) and not (
            _opens_object(lines[first]) or begins_entry(clean_line(lines[first]))
        ):
            first -= 1
        past = hit + 1
        while past < min(len(lines), hit + 2 * _MOST_LINES):
            following = clean_line(lines[past])
            if not following or begins_entry(following):
                break
            past += 1
        if _opens_object(lines[first]):
            document = [unquoted(line) for line in lines[first:past]]
            lines[first:past] = _joined(document).split("\n")
    return lines


def _opens_object(line: str) -> bool:
    return unquoted(line).lstrip().startswith("{")


def _joined(lines: list[str]) -> str:
    text, width = "\n".join(lines), max(map(len, lines))

    def whole(match: re.Match[str]) -> str:
        first, *rest = match[0].split("\n")
        length = match.start() - (text.rfind("\n", 0, match.start()) + 1) + len(first)
        for line in rest:
            cut = first.endswith(" ") or length == width
            first += unquoted(line) if cut else f" {unquoted(line)}"
            length = len(line)
        return first + "\n" * len(rest)

    return _STRING.sub(whole, text)
