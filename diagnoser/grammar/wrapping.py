"""Joins what mail clients, terminals and ``fold`` made of errors.

Where all lines of a text tell how it was wrapped (see ``widths``), it is put together as a whole,
and what is read in it gets back its places. Where they do not, only what is nothing without its
line is: a pipe block on one line, a flattened block, a session. How those were wrapped is told by
their own lines:

- some end with a blank: ``fold -s``, which cuts long words too;
- all but the last are of one length, and a number is cut at their end: a terminal;
- each could not have taken the first word of the next: a mail client, which ate the blanks.

Anything else is left as it is: half a host name would be another host.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.joints import joint, keeps_lines
from diagnoser.grammar.lexicon import LABELLED, NUMBER, Part, code_anchor, parts_of
from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.quotes import all_unquoted, unquoted
from diagnoser.grammar.sessions import is_whole
from diagnoser.grammar.strings import DOCUMENT, with_whole_strings
from diagnoser.grammar.widths import (
    HALF,
    NARROW,
    REST,
    WIDE,
    How,
    Width,
    cut_between,
    first_word,
    goes_on,
    may_go_on,
    opens,
    unwrapped,
    width_of,
)
from diagnoser.reading.framing import BLANKS, clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from diagnoser.model import Cut

_MOST_LINES = 60
_LONGEST_UNIT = 200
_MOST_UNITS = 500
_LARGEST = 1 << 20
_MOST_JOINED = 2000
_LONGEST_CODE_LINE = 1000
_NEAR = 12
# A bar behind the number, on its line or on the next but not first in it: one line holds the block.
_FOLDED = pattern(
    r"(?:[Ee]rror|[Ff]ehler)(?:[ \u00a0]|[ \u00a0]?\n[> \t]{0,16})0x[0-9a-fA-F]{1,8}"
    r"[^\n|]{0,500}(?:\n[> \t]{0,16}[^\n|\s>][^\n|]{0,500})?\|"
)
_MODULE_ENDS = pattern(r"\$module\s{0,2}:\s{0,2}[^\s|]+\s*\Z")
_CLIENT = pattern("cl#")
# A line of JSON that does not end as one.
_JSON_LINE = pattern(r'(?m)^[> \t]*\{"(?:time|level)":[^\n]*[^}\s][ \t]*$')


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A text with wrapped errors on one line again; mostly the text itself.

    ``cuts`` says of its lines (from 0) where in or below them a word may have been cut in two;
    ``places`` has the line of the original that each began at, ``open_ends`` the lines that may go
    on in the next.
    """

    text: str
    cuts: Mapping[int, tuple[Cut, ...]] = field(default_factory=dict)
    places: Sequence[int] = ()
    open_ends: frozenset[int] = frozenset()


def unwrap(text: str) -> Unwrapped:
    """``text`` put together as far as that is sure."""
    if len(text) > _LARGEST:
        return Unwrapped(text)
    lines, width = _measured(text.split("\n"))
    count, whole = len(lines), unwrapped(lines, width)
    cuts: dict[int, list[Cut]] = {}
    is_known = width.how in (How.CUT, How.FOLDED)
    has_documents = DOCUMENT.search(text) is not None
    if has_documents and not is_known:
        lines = with_whole_strings(lines)
    if any(pattern.search(text) for pattern, _ in _patterns()):
        _join_units(lines, width, cuts)
    open_ends: frozenset[int] = frozenset()
    if width.how is How.LEFT and NARROW <= width.columns <= WIDE:
        _note_cuts(lines, width.columns, cuts)
        open_ends = _open_ends(lines, width.columns)
    lines, places = _joined(lines, width, whole)
    if has_documents and is_known:
        # What is left are breaks that JSON does not allow, and quote marks.
        lines = with_whole_strings(lines)
    joined = "\n".join(lines)
    found: dict[int, list[Cut]] = {}
    for line, some in cuts.items():
        found.setdefault(bisect_right(places, line) - 1, []).extend(some)
    return Unwrapped(
        text if joined == text else joined,
        {line: tuple(some) for line, some in found.items()},
        places if len(places) < count else (),
        frozenset(bisect_right(places, line) - 1 for line in open_ends),
    )


def looks_wrapped(text: str) -> bool:
    """Whether lines of ``text`` were cut at a column, surely or where a word may go over."""
    if len(text) > _LARGEST:
        return False
    _, width = _measured(text.split("\n"))
    return width.how in (How.CUT, How.FOLDED) or bool(unwrap(text).cuts)


def _measured(lines: list[str]) -> tuple[list[str], Width]:
    """The lines and how they were wrapped: without what all begin with, if only so it is told."""
    width = width_of(lines)
    if width.how is How.LEFT:
        told = [line for line in lines if line.strip(BLANKS)] or [""]
        # What both ends of the alphabet begin with, all between begin with.
        ends = zip(min(told), max(told), strict=False)
        pairs = takewhile(lambda pair: pair[0] == pair[1] and pair[0] in " \t", ends)
        edge = "".join(letter for letter, _ in pairs)
        if edge:
            moved = [line.removeprefix(edge) for line in lines]
            found = width_of(moved)
            if found.how is not How.LEFT:
                return moved, found
    return lines, width


def _join_units(lines: list[str], width: Width, cuts: dict[int, list[Cut]]) -> None:
    """Joins the errors that stand on one line."""
    past = 0
    for first, parts in list(_units("\n".join(lines), lines)):
        if first < past:
            continue
        whole = rejoin(parts, width)
        if whole is None:
            continue
        lines[first : first + len(parts)] = [whole] + [""] * (len(parts) - 1)
        past = first + len(parts)
        # Lines of words are of several lengths.
        if width.how is How.LEFT and len({len(part) for part in parts[:-1]}) == 1:
            found = [
                cut for one, other in pairwise(parts)
                if len(one) == width.columns and (cut := cut_between(one, other)) is not None
            ]  # fmt: skip
            cuts.setdefault(first, []).extend(found)


def _units(text: str, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines that may have been one, by the first of them; of two that overlap the longer first."""
    tried = 0
    for first, is_piped in _openings(text, lines):
        end = _end(lines, first, is_piped=is_piped)
        if end - first > 1:
            yield first, [unquoted(line) for line in lines[first:end]]
            tried += 1
        if tried >= _MOST_UNITS:
            return


def _joined(lines: list[str], width: Width, alone: frozenset[int]) -> tuple[list[str], list[int]]:
    """The lines of a text of which it is sure how it was wrapped, as they were before, and the
    line that each begins at. To those that stand ``alone`` nothing is joined."""
    bare = all_unquoted(lines)
    measured = lines if width.quoted else bare
    found, places = [], []
    first, is_left = 0, False
    while first < len(lines):
        whole, last = [lines[first]], first
        line = bare[first]
        if not line.strip(BLANKS) or opens(line):
            is_left = width.how is How.FLOWED and keeps_lines(line)
        while not is_left and last < min(len(lines) - 1, first + _MOST_JOINED):
            if first in alone or last + 1 in alone:
                break
            following = bare[last + 1]
            between = joint(line, following, len(measured[last]), width)
            if between is None:
                break
            last += 1
            whole += [between, following]
            line = following
        found.append("".join(whole))
        places.append(first)
        first = last + 1
    return found, places


def _open_ends(lines: list[str], columns: int) -> frozenset[int]:
    bare = all_unquoted(lines)
    return frozenset(i for i in range(len(bare) - 1) if may_go_on(bare, i, columns))


def _note_cuts(lines: list[str], columns: int, cuts: dict[int, list[Cut]]) -> None:
    """Notes where lines of the greatest length may go on in the next."""
    bare = all_unquoted(lines)
    for index in range(len(bare) - 1):
        if len(bare[index]) == columns and goes_on(bare, index):
            cut = cut_between(bare[index], bare[index + 1])
            if cut is not None:
                cuts.setdefault(index, []).append(cut)


def rejoin(lines: list[str], width: Width | None = None) -> str | None:
    """Wrapped lines as the one that they were; ``None`` where they do not look wrapped.

    ``width`` is what is known of the text that they stand in.
    """
    *body, last = lines
    longest = max(map(len, body))
    if width is not None and width.how is How.CUT:
        return _glued(lines, width.columns)
    if not NARROW <= longest <= WIDE:
        return None
    if any(line.endswith(" ") for line in body):
        # What ends without one was cut in a word, and so is full.
        room = max(len(line.rstrip(" ")) for line in lines)
        full = all(
            len(one) + (len(first_word(other)) if one.endswith(" ") else 0) >= room
            for one, other in pairwise(lines)
        )
        return "".join(lines) if full else None
    if len({len(line) for line in body}) == 1 and len(last) <= longest:
        in_number = any(HALF.search(one) and REST.match(other) for one, other in pairwise(lines))
        if in_number:
            return "".join(lines)
    # A word that is too long for any line stands by itself.
    room = max((len(line) for line in lines if " " in line), default=0)
    if any(len(one) + 1 + len(first_word(other)) <= room for one, other in pairwise(lines)):
        return None
    joined, glued = " ".join(lines), "".join(lines)
    return glued if is_whole(glued) and not is_whole(joined) else joined


def _glued(lines: list[str], columns: int) -> str | None:
    """Lines that were cut at a column, the last of which may be any other text's first."""
    *body, last = lines
    if any(not 0 <= columns - len(line) <= 1 for line in body):
        return None
    dropped = (
        " " if len(one) < columns and not other.startswith(" ") else ""
        for one, other in pairwise(lines)
    )
    return "".join(one + blank for one, blank in zip(body, dropped, strict=True)) + last


def _openings(text: str, lines: list[str]) -> Iterator[tuple[int, bool]]:
    """Lines that may open a wrapped error, and whether it is a pipe block, in order."""
    found: dict[int, bool] = {}
    seen: set[int] = set()
    for shape, is_piped in _patterns():
        at = line = 0
        for match in islice(shape.finditer(text), _MOST_UNITS):
            line += text.count("\n", at, match.start())
            at = match.start()
            if line in seen:
                continue
            seen.add(line)
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
        (DOCUMENT, False),
        (_JSON_LINE, False),
    )


def _is_code_line(line: str) -> bool:
    """Whether the code stands on a line of its own, as in a labelled block."""
    if len(line) > _LONGEST_CODE_LINE:
        # Asked once for each of many labels in it, a line of megabytes would take minutes.
        return False
    found = LABELLED.fullmatch(clean_line(line))
    if found is None or Part.CODE not in parts_of(found["label"]):
        return False
    return not found["value"] or NUMBER.fullmatch(found["value"]) is not None


def _end(lines: list[str], first: int, *, is_piped: bool) -> int:
    """The index behind the last line that an error may have been wrapped to."""
    end = first + 1
    while end < min(len(lines), first + _LONGEST_UNIT):
        line = clean_line(lines[end])
        if not line.strip(BLANKS) or begins_entry(line):
            break
        if is_piped and "|" not in line and _MODULE_ENDS.search(lines[end - 1][-WIDE:]):
            break
        if not is_piped and _is_code_line(lines[end]):
            return first
        end += 1
    return end
