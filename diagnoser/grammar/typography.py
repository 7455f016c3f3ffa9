"""Straight quotes again, where a word processor, a mail client or a chat made curved ones of them.

JSON knows straight ones only, so where a curved one stands as JSON or XML has quotes, all of them
were straight once. A line that still has straight ones was not changed: what is curved in it is its
own. So are the angled quotes of a sentence in French or Russian.
"""

from __future__ import annotations

from diagnoser.deferral import pattern

_DOUBLE, _SINGLE = "“”„‟", "‘’‚‛"
_ANY = f"{_DOUBLE}{_SINGLE}«»"
_GAP = "[ \u00a0\u202f]{0,2}"
_STRUCTURE = pattern(
    rf"\{{{_GAP}[{_ANY}]{_GAP}[$\w]|[{_ANY}]{_GAP}:{_GAP}(?:[{_ANY}\d{{\[-]|true|false|null)"
    rf"|\w{_GAP}=[ ]?[{_ANY}][^=\n]{{1,200}}[{_ANY}]"
)
_MEMBER = pattern(rf"{_STRUCTURE.pattern}|»{_GAP}:")
_ANGLED = pattern("«[\u00a0\u202f]?|[\u00a0\u202f]?»")
_STRAIGHT = str.maketrans(dict.fromkeys(_DOUBLE, '"') | dict.fromkeys(_SINGLE, "'"))


def has_curved_structure(text: str) -> bool:
    """Whether curved quotes stand where JSON or XML has straight ones."""
    if text.isascii():
        return False
    return any('"' not in line and _STRUCTURE.search(line) for line in text.split("\n"))


def straighten(text: str) -> str:
    """``text`` with straight quotes in all lines that have none."""
    return "\n".join(line if '"' in line else _straight(line) for line in text.split("\n"))


def _straight(line: str) -> str:
    if _MEMBER.search(line):
        line = _ANGLED.sub('"', line)
    return line.translate(_STRAIGHT)
