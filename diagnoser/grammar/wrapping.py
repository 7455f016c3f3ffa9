"""Joins what mail clients, terminals and ``fold`` made of errors that stand on one line.

A pipe block on one line, a flattened block and a line of a session are nothing without their line.
Where such a line was wrapped it is put together again, and the lines that it was wrapped to are
left empty, so that every place below stays. How it was wrapped is told by all its lines:

- some end with a blank: ``fold -s``, which cuts long words too;
- all but the last are of one length, and no line of the text goes on before that: a terminal;
- each could not have taken the first word of the next: a mail client, which ate the blanks.

Anything else is left as it is: half a host name would be another host.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from diagnoser.grammar.lexicon import LABELLED, NUMBER, SEPARATOR, Part, code_anchor, parts_of
from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.sessions import is_whole
from diagnoser.reading.framing import BLANKS, clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_LINES = 60
_MOST_UNITS = 500
_LARGEST = 1 << 20
_NEAR = 12
# Narrower is no page, wider is no line that anybody wraps.
_NARROW, _WIDE = 40, 250
_LONG_PARTS = frozenset({Part.FIELDS, Part.MESSAGE})
# So many different lines of the greatest length are no accident.
_FULL = 3
_QUOTE = re.compile(r"[> \t\u00a0]*>[ \u00a0]?")
# A bar behind the number, on its line or on the next but not first in it: one line holds the block.
_FOLDED = re.compile(
    r"(?:[Ee]rror|[Ff]ehler)(?:[ \u00a0]|[ \u00a0]?\n[> \t]{0,16})0x[0-9a-fA-F]{1,8}"
    r"[^\n|]{0,500}(?:\n[> \t]{0,16}[^\n|\s>][^\n|]{0,500})?\|"
)
_MODULE_ENDS = re.compile(r"\$module\s{0,2}:\s{0,2}\S+\s*\Z")
_CLIENT = re.compile("cl#")
# A number that no mail client takes apart.
_HALF, _REST = re.compile(r"0x[0-9a-fA-F]{0,7}\Z"), re.compile(r"[0-9a-fA-F]{1,8}(?![\w])")
_DOCUMENT = re.compile(r'"(?:origin|serCode)"')
# A line of JSON that does not end as one.
_JSON_LINE = re.compile(r'(?m)^[> \t]*\{"(?:time|level)":[^\n]*[^}\s][ \t]*$')
# A string of JSON that goes over lines, which none may.
_STRING = re.compile(
    r'(?<!\\)"(?:[^"\\\n]|\\.){0,2000}(?:\n(?:[^"\\\n]|\\.){0,2000}){0,40}"', re.DOTALL
)
_WORD = re.compile(r"\S*")


def unwrap(text: str) -> str:
    """``text`` with wrapped errors on one line again; mostly ``text`` itself."""
    if len(text) > _LARGEST or not any(pattern.search(text) for pattern, _ in _patterns()):
        return text
    lines = (_with_whole_strings(text) if _DOCUMENT.search(text) else text).split("\n")
    found = list(_units("\n".join(lines), lines))
    width = _terminal(lines)
    # A line that goes on before it is full was wrapped at a blank, and so were the others.
    if any(len(part) < (width or 0) for _, parts in found for part in parts[:-1]):
        width = None
    past = 0
    for first, parts in found:
        if first < past:
            continue
        whole = rejoin(parts, width)
        if whole is not None:
            lines[first : first + len(parts)] = [whole] + [""] * (len(parts) - 1)
            past = first + len(parts)
    if width is not None:
        _join_parts(lines, width)
    joined = "\n".join(lines)
    return text if joined == text else joined


def _units(text: str, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines that may have been one, by the first of them; of two that overlap the longer first."""
    tried = 0
    for first, is_piped in _openings(text, lines):
        end = _end(lines, first, is_piped=is_piped)
        if end - first > 1:
            yield first, [_unquoted(line) for line in lines[first:end]]
            tried += 1
        if tried >= _MOST_UNITS:
            return


def _terminal(lines: list[str]) -> int | None:
    """The width that a whole text was wrapped to, letter by letter, if that is sure."""
    bare = {_unquoted(line) for line in lines}
    width = max(map(len, bare))
    full = sum(len(line) == width for line in bare)
    return width if _NARROW <= width <= _WIDE and full >= _FULL else None


def _join_parts(lines: list[str], width: int) -> None:
    """Joins the fields and messages of labelled blocks: half of a host name in them would be
    another host."""
    past = 0
    for first in range(len(lines)):
        bare = [_unquoted(lines[first])]
        if first < past or len(bare[0]) != width or not _part_of(bare[0]) & _LONG_PARTS:
            continue
        past = first + 1
        while past < len(lines) and len(bare[-1]) == width:
            following = _unquoted(lines[past])
            if not following.strip() or _part_of(following) or SEPARATOR.fullmatch(following):
                break
            bare.append(following)
            past += 1
        lines[first:past] = ["".join(bare)] + [""] * (len(bare) - 1)


def _part_of(line: str) -> frozenset[Part]:
    """What a line begins with the label of."""
    found = LABELLED.fullmatch(clean_line(line))
    return parts_of(found["label"]) if found is not None else frozenset()


def _with_whole_strings(text: str) -> str:
    """Without quote marks before JSON documents, and with the line breaks inside their strings
    behind them, so that lines stay. A document begins a line and ends above a blank one
    or the next entry."""
    lines, past = text.split("\n"), 0
    for match in islice(_DOCUMENT.finditer(text), _MOST_UNITS):
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
            document = [_unquoted(line) for line in lines[first:past]]
            lines[first:past] = _joined_strings(document).split("\n")
    return "\n".join(lines)


def _opens_object(line: str) -> bool:
    return _unquoted(line).lstrip().startswith("{")


def _joined_strings(lines: list[str]) -> str:
    text, width = "\n".join(lines), max(map(len, lines))

    def whole(match: re.Match[str]) -> str:
        first, *rest = match[0].split("\n")
        length = match.start() - (text.rfind("\n", 0, match.start()) + 1) + len(first)
        for line in rest:
            cut = first.endswith(" ") or length == width
            first += _unquoted(line) if cut else f" {_unquoted(line)}"
            length = len(line)
        return first + "\n" * len(rest)

    return _STRING.sub(whole, text)


def rejoin(lines: list[str], terminal: int | None = None) -> str | None:
    """Wrapped lines as the one that they were; ``None`` where they do not look wrapped.

    ``terminal`` is the width that the whole text was surely wrapped to, letter by letter.
    """
    *body, last = lines
    longest = max(map(len, body))
    if not _NARROW <= longest <= _WIDE:
        return None
    if any(line.endswith(" ") for line in body):
        # What ends without one was cut in a word, and so is full.
        width = max(len(line.rstrip(" ")) for line in lines)
        full = all(
            len(one) + (len(_first_word(other)) if one.endswith(" ") else 0) >= width
            for one, other in pairwise(lines)
        )
        return "".join(lines) if full else None
    if len({len(line) for line in body}) == 1 and len(last) <= longest:
        in_number = any(_HALF.search(one) and _REST.match(other) for one, other in pairwise(lines))
        if in_number or longest == terminal:
            return "".join(lines)
    # A word that is too long for any line stands by itself.
    width = max((len(line) for line in lines if " " in line), default=0)
    if any(len(one) + 1 + len(_first_word(other)) <= width for one, other in pairwise(lines)):
        return None
    joined, glued = " ".join(lines), "".join(lines)
    return glued if is_whole(glued) and not is_whole(joined) else joined


def _first_word(line: str) -> str:
    found = _WORD.match(line)
    return found[0] if found else ""


def _unquoted(line: str) -> str:
    quote = _QUOTE.match(line)
    return line[quote.end() :] if quote else line


def _openings(text: str, lines: list[str]) -> Iterator[tuple[int, bool]]:
    """Lines that may open a wrapped error, and whether it is a pipe block, in order."""
    found: dict[int, bool] = {}
    for pattern, is_piped in _patterns():
        at = line = 0
        for match in islice(pattern.finditer(text), _MOST_UNITS):
            line += text.count("\n", at, match.start())
            at = match.start()
            if is_piped or not _is_code_line(lines[line]):
                found.setdefault(_entry_above(lines, line), is_piped)
                found.setdefault(line, is_piped)
    return iter(sorted(found.items()))


def _entry_above(lines: list[str], line: int) -> int:
    """The line at which the entry or paragraph begins that ``line`` was wrapped from."""
    top = line
    for above in range(line, max(-1, line - _NEAR), -1):
        bare = clean_line(lines[above])
        if not bare or _is_code_line(bare):
            break
        top = above
        if begins_entry(bare):
            break
    return top


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], bool], ...]:
    return (
        (_FOLDED, True),
        (_CLIENT, False),
        (code_anchor(), False),
        (_DOCUMENT, False),
        (_JSON_LINE, False),
    )


def _is_code_line(line: str) -> bool:
    """Whether the code stands on a line of its own, as in a labelled block."""
    found = LABELLED.fullmatch(clean_line(line))
    if found is None or Part.CODE not in parts_of(found["label"]):
        return False
    return not found["value"] or NUMBER.fullmatch(found["value"]) is not None


def _end(lines: list[str], first: int, *, is_piped: bool) -> int:
    """The index behind the last line that an error may have been wrapped to."""
    end = first + 1
    while end < min(len(lines), first + _MOST_LINES):
        line = clean_line(lines[end])
        if not line.strip(BLANKS) or begins_entry(line):
            break
        if is_piped and "|" not in line and _MODULE_ENDS.search(lines[end - 1][-_WIDE:]):
            break
        if not is_piped and _is_code_line(lines[end]):
            return first
        end += 1
    return end
