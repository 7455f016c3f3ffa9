"""Takes off what mail, chat, tickets and web pages put around an error: markup, bullets, quotes.

Every line stays the line that it was, so that places below are right:

- HTML (a saved page or mail): tags become blanks, entities the letters they stand for;
- Markdown: fences, bold labels, and bullets or bars that nearly all lines begin with; the marks of
  quoted mail where the form itself does not know them;
- the curved quotes that a word processor makes of those of JSON;
- a cell of a CSV file, whose quotes are doubled;
- a string of JSON, whose line feeds are escaped, also one that was cut off;
- labels that stand directly behind a value, because a web form ate the line breaks.

Only a text whose dress is plain to see is touched, and of what was undressed only a reading without
a fault is kept: see :func:`diagnoser.grammar.read_blocks`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.lexicon import BLANK, COLON, DASHES, Part, words
from diagnoser.grammar.quotes import unquoted
from diagnoser.grammar.typography import has_curved_structure, straighten

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 1 << 20
_TAGS = (
    "a|b|body|br|code|div|em|font|h[1-6]|head|html|i|li|meta|ol|p|pre|span|strong|table|tbody|td"
)
_TAG = pattern(
    rf"</?(?:{_TAGS}|th|thead|tr|u|ul)(?:\s[^<>]{{0,500}}|/)?\s{{0,4}}/?>", re.IGNORECASE
)
# Tags that follow each other.
_RUN = pattern(rf"(?:{_TAG.pattern})+", re.IGNORECASE)
_ENTITY = pattern(r"&(?:quot|lt|gt|amp|nbsp|apos|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
# Logs whose own form has tags and entities.
_XML_LOG = pattern(r"<(?:log|event)\s")
_FENCE = pattern(r"(?m)^([>\s]{0,8})(?:`{3,}\w{0,20}|~{3,}\w{0,20})[ \t\r]*$")
_BOLD = pattern(r"\*\*([^*\n]{1,60}?)\*\*|(?<![*\w])\*([^*\n]{1,40}:)\*(?!\w)")
_BULLET = pattern(r"^[ \t>\u00a0]{0,12}[-–*•·][ \u00a0]")
_CELL = pattern(r'\{\s{0,16}""[$\w]')
# The fields of an error that is in no cell.
_PLAIN = pattern(r'(?<!")\{"(?!")[$\w]')
# Where a cell begins, or ends with the bare cells behind it.
_CELL_EDGE = pattern(r'(^|[,;])"(?=[^"\s])|(?<!")"(?!")[ \t\r]*(?:[,;][^"\n]*|$)')
_INSIDE = pattern(r'(?:[^"\\\n]|\\.)*+')
# Up to an escape that is not whole.
_WHOLE_LETTERS = pattern(r"(?:[^\\]|\\[^u]|\\u[0-9a-fA-F]{4})*+")
_FEED = pattern(r"\\r?\\n|\\n")
_RULE = "-" * 24
# What the eye does not see, and a blank that is none.
_INVISIBLE = pattern("[\u200b\u200e\u200f\u2060\ufeff\u00ad\u202a-\u202e]")


def undress(text: str) -> str:
    """``text`` without its dress; mostly ``text`` itself. Never raises; lines keep their number."""
    if len(text) > _LARGEST:
        return text
    bare = straighten(text) if has_curved_structure(text) else text
    bare = _FENCE.sub(rf"\1{_RULE}", _without_html(bare))
    bare = _without_bullets(_BOLD.sub(lambda m: m[1] or m[2], bare))
    if _CELL.search(bare) or _quoted().search(bare):
        bare = "\n".join(map(_without_cell, bare.split("\n")))
    bare = _with_blanks(bare)
    return text if bare == text else bare


def plain(text: str) -> str:
    """``text`` with plain blanks and quotes, and without quote marks and letters that nobody sees:
    values change with it, so it is for what cannot be read otherwise."""
    if len(text) > _LARGEST:
        return text
    seen = _INVISIBLE.sub("", text).split("\n")
    bare = straighten("\n".join(map(unquoted, seen)).replace("\u00a0", " "))
    return text if bare == text else bare


def unescape(text: str) -> str:
    """``text`` with strings of JSON that hold a whole error as what they say, on their line."""
    if len(text) > _LARGEST or len(_FEED.findall(text)) < 2:
        return text
    return _with_blanks("".join(_parts(text)))


def _parts(text: str) -> Iterator[str]:
    """The text and what its strings say. A quote that nothing closes is passed over at once."""
    past = at = 0
    while (quote := text.find('"', at)) >= 0:
        inside = _INSIDE.match(text, quote + 1)
        end = inside.end() if inside else quote + 1
        at = end + 1
        if len(_FEED.findall(text, quote, end)) > 1:
            is_closed = text.startswith('"', end)
            yield text[past:quote]
            yield _said(text[quote:at]) if is_closed else _begun(text[quote:end])
            past = at if is_closed else end + text.startswith("\\", end)
    yield text[past:]


def _said(literal: str) -> str:
    try:
        said = json.loads(literal)
    except ValueError:
        return literal
    return f" {_RULE} | {' '.join(str(said).split())} {_RULE} "


def _begun(literal: str) -> str:
    """What a string said before it was cut off. Its last word may be half of a number or a host,
    and is left out, but for fields: those tell by themselves what of them is whole."""
    whole = _WHOLE_LETTERS.match(literal.rstrip("\r"))
    closed = f'{whole[0]}"' if whole else literal
    if (said := _said(closed)) == closed:
        return literal
    before, _, word = said.removesuffix(f" {_RULE} ").rpartition(" ")
    is_of_fields = word.startswith("{") or '":' in word
    return f"{before} {word if is_of_fields else '…'}"


def _without_html(text: str) -> str:
    if _XML_LOG.search(text):
        return text
    is_page = sum(1 for _ in islice(_TAG.finditer(text), 2)) == 2
    is_escaped = sum(1 for _ in islice(_ENTITY.finditer(text), 4)) == 4
    if is_page:
        text = _RUN.sub(_without_tags, text)
    if is_page or is_escaped:
        from html import unescape  # noqa: PLC0415  (its table of entities takes 2 ms to load)

        text = _ENTITY.sub(lambda m: unescape(m[0]).replace("\n", " "), text)
    return text


def _without_cell(line: str) -> str:
    """A line of a cell; beside a table there may stand an error as it is. The cells before one
    that begins with an error are no part of it."""
    if (edge := _cell_of_error().search(line)) is not None:
        line = line[edge.end() :]
    return line if _PLAIN.search(line) else _CELL_EDGE.sub(r"\1", line).replace('""', '"')


def _without_tags(run: re.Match[str]) -> str:
    """A blank, but none where a line begins or ends: how long a line is tells if it was wrapped."""
    text, (first, end) = run.string, run.span()
    if first == 0 or end == len(text) or text[first - 1] == "\n" or text[end] in "\r\n":
        return "\n" * run[0].count("\n")
    return " " + "\n" * run[0].count("\n")


def _without_bullets(text: str) -> str:
    """Bullets or the bars of a table, if four of five lines begin with the same."""
    lines = text.split("\n")
    for _ in range(3):
        told = [line for line in lines if line.strip()]
        marks = [m[0].strip(" \t\u00a0")[:1] for line in told if (m := _BULLET.match(line))]
        bars = sum(line.lstrip().startswith("|") and line.rstrip().endswith("|") for line in told)
        most = max(set(marks), key=marks.count, default="")
        if len(told) < 3 or max(marks.count(most) if most else 0, bars) * 5 < len(told) * 4:
            break
        if bars * 5 >= len(told) * 4:
            lines = [re.sub(r"^\s{0,12}\|\s?|\s?\|\s*$", "", line) for line in lines]
        else:
            lines = [_BULLET.sub("", line) for line in lines]
    return "\n".join(lines)


@cache
def _cell_of_error() -> re.Pattern[str]:
    return pattern(rf'[,;]"(?={words(Part.CODE)}{BLANK}{COLON})', re.IGNORECASE)


@cache
def _quoted() -> re.Pattern[str]:
    """A quote before an error: a cell without quotes inside, or marks that somebody put around it.
    A string of JSON, whose line feeds are escaped, is none."""
    code = rf"{words(Part.CODE)}{BLANK}{COLON}{BLANK}\d"
    return pattern(
        rf'^"(?=(?:{code}|(?:error|fehler)[ \u00a0]0x)(?![^\n]*\\[nr]))',
        re.IGNORECASE | re.MULTILINE,
    )


@cache
def _glued() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A code directly followed by the next label, and every place in such a line that wants a
    blank."""
    parts = [Part.MODULE, Part.LINE, Part.FIELDS, Part.MESSAGE]
    labels = "|".join(f"{words(p)}{BLANK}{COLON}" for p in parts)
    code = f"{words(Part.CODE)}{BLANK}{COLON}"
    opening = pattern(rf"{code}{BLANK}\d{{1,10}}(?={labels})", re.IGNORECASE)
    place = pattern(rf"(?<=\S)(?={labels}|{code})|(?<=\w)(?={DASHES})", re.IGNORECASE)
    return opening, place


def _blank(place: re.Match[str]) -> str:
    """A blank before a label; it begins with no small letter as ``errormessage:`` in a value."""
    following = place.string[place.end() : place.end() + 1]
    return "" if following.islower() else " "


def _with_blanks(text: str) -> str:
    opening, place = _glued()
    if opening.search(text) is None:
        return text
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if len(line) < 200_000 and opening.search(line):
            lines[index] = re.sub(rf"({DASHES})", r" \1 ", place.sub(_blank, line))
    return "\n".join(lines)
