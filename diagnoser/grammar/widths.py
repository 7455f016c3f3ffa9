"""How a whole text was wrapped, told by all its lines; ``joints`` puts them together again.

A line *goes on* where the next is no beginning of anything: no entry, label, bar or separator.

- *Cut*: lines that go on are as long as the longest, letter by letter, as terminals do it. Several
  different ones are no accident, nor is one that ends inside a number, a host or a JSON string.
- *Folded*: lines that go on end with a blank and had no room for the next word (``fold -s``); a
  word that is longer than a line is cut.
- *Flowed*: lines that go on had no room for the next word, and the blank is gone (mail clients).

Where a text may be cut and that is not sure, its lines are left, and the two halves of what may
have been one word are kept as a :class:`~diagnoser.model.Cut`: nobody may take one for the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from diagnoser.deferral import pattern
from diagnoser.grammar.lexicon import LABELLED, SEPARATOR, parts_of
from diagnoser.grammar.moments import begins_entry
from diagnoser.grammar.quotes import all_unquoted
from diagnoser.model import Cut
from diagnoser.reading.framing import BLANKS, clean_line

# Narrower is no page, wider is no line that anybody wraps.
NARROW, WIDE = 40, 250
# Words leave up to so much of the last columns empty.
_LEAST = NARROW - 10
# So many different lines of the greatest length are no accident; two, if no other line goes on.
_SURE, _NEARLY = 3, 2
_DIGITS = pattern(r"\d+")
_WORD = pattern(r"\S*")
_LAST = pattern(r"\S*\Z")
_OPENS = pattern(
    r"\||<event |<log |(?:[Ee]rror|[Ff]ehler)[ \u00a0]0x|\d: MSIGEN:|CommonError: code:"
)
# A number that no mail client takes apart, and what follows.
HALF = pattern(r"(?:0x|error:)[0-9a-fA-F]{0,15}\Z")
_ZERO, _HEX = pattern(r"(?<![\w.])0\Z"), pattern(r"x[0-9a-fA-F]{1,16}\b")
REST = pattern(r"(?=[a-fA-F]{0,15}\d)[0-9a-fA-F]{1,16}(?!\w)|[0-9a-fA-F]{1,8}(?!\w)(?=[:,)|]|\Z)")
_HOSTS = pattern(r"[\w.-]{1,200}\.acronis\.(?:com|cloud)(?![\w-])")
_FILE = pattern(r"(?<![A-Za-z])[A-Za-z]:[/\\][^\s:]{1,200}\.\w{1,4}:\d")
_MAY_GO_ON, _MAY_COME = pattern(r"[\w.:/@\[%-]\Z"), pattern(r"[\w.:/@\[%-]")
_HOST_LIKE = pattern("[.:]")
_SCHEME = pattern(r"\bhttps?://\w", re.IGNORECASE)
_HOST_GOES_ON = pattern(r"[.:-]?\w")
_OPEN_URL = pattern(r"://[\w-]{0,60}\Z")
_MARK = pattern(r'\\.|"')
PAIR = pattern(r"\s*[$\w][\w $-]{0,30}:\s")
_SHOWN = 253
SEEN = 200


class How(Enum):
    """What was done to the lines of a text."""

    LEFT = "left"
    CUT = "cut"
    FOLDED = "folded"
    FLOWED = "flowed"


@dataclass(frozen=True, slots=True)
class Width:
    """How a text was wrapped, and the greatest length of a line. ``LEFT``: that is not sure.

    ``quoted`` says that the marks of a mail that answers count.
    """

    how: How
    columns: int
    quoted: bool = False


def first_word(line: str) -> str:
    """What a line begins with up to a blank; nothing where that is a blank."""
    found = _WORD.match(line)
    return found[0] if found else ""


def cut_between(line: str, following: str) -> Cut | None:
    """What may be a host or an address that goes over the end of a line; ``None`` where it is
    sure that a word ends there."""
    last = _LAST.search(line[-_SHOWN:])
    tail, head = last[0] if last else "", first_word(following[:_SHOWN])
    if not (_MAY_GO_ON.search(tail) and _MAY_COME.match(head) and _HOST_LIKE.search(tail + head)):
        return None
    return None if tail[-1] == "." and head[0].isupper() else Cut(tail, head)


def may_go_on(lines: list[str], index: int, columns: int) -> bool:
    """Whether a line had no room for the next word, and rather ends in the midst of something
    than as its writer wanted."""
    line, following = lines[index].rstrip(BLANKS), lines[index + 1].lstrip(BLANKS)
    return (
        len(line) >= NARROW
        and goes_on(lines, index)
        and len(line) + 1 + len(first_word(following)) > columns
        and line[-1] not in ".!?\"'\u3002)}>;"
        and not following[0].isupper()
    )


def width_of(lines: list[str]) -> Width:
    """How ``lines`` were wrapped: before somebody quoted them, or after.

    What nobody wrapped may stand beside it: where all lines do not tell how, those without it do.
    """
    found = _found_in(lines)
    if found.how is How.LEFT:
        rest = _without_whole(lines)
        if rest is not None:
            return _found_in(rest)
    return found


def _without_whole(lines: list[str]) -> list[str] | None:
    """``lines`` with nothing in place of what nobody wrapped: lines that are wider than any, and
    paragraphs of one line that is longer than the lines of all others. ``None`` if there are none,
    or nothing else."""
    bare = [line.strip(BLANKS) for line in all_unquoted(lines)]
    edged = ["", *bare, ""]
    alone = [not above and not below for above, below in zip(edged, edged[2:], strict=False)]
    longest = max(
        (len(line) for line, by_itself in zip(lines, alone, strict=True)
         if not by_itself and len(line) <= WIDE),
        default=0,
    )  # fmt: skip
    most = [longest if by_itself else WIDE for by_itself in alone]
    rest = [line if len(line) <= room else "" for line, room in zip(lines, most, strict=True)]
    return rest if longest >= _LEAST and rest != lines else None


def _found_in(lines: list[str]) -> Width:
    bare = all_unquoted(lines)
    found = _width_of(bare, bare)
    if found.how is not How.CUT and bare != lines:
        quoted = _width_of(lines, bare)
        if quoted.how is How.CUT:
            return Width(quoted.how, quoted.columns, quoted=True)
    return found


def _width_of(lines: list[str], bare: list[str]) -> Width:
    columns = max(map(len, lines))
    on = [i for i in range(len(lines) - 1) if goes_on(bare, i) or _breaks(bare, i)]
    if _LEAST <= columns <= WIDE and _is_folded(bare, on):
        return Width(How.FOLDED, columns)
    full = _full(lines, bare, columns, on) if NARROW <= columns <= WIDE else []
    different = {_DIGITS.sub("0", lines[i]) for i in full}
    # A terminal may drop a blank at the end of a line.
    short = [i for i in on if len(lines[i]) < columns - 1 and not PAIR.match(bare[i + 1])]
    if (
        (len(different) >= _NEARLY and not short)
        or (len(different) >= _SURE and not _are_flowed(bare, on))
        or any(_is_cut(bare[i], bare[i + 1]) for i in full)
    ):
        return Width(How.CUT, columns)
    if _are_flowed(bare, on):
        return Width(How.FLOWED, _room(bare))
    return Width(How.LEFT, columns)


def _full(lines: list[str], bare: list[str], columns: int, on: list[int]) -> list[int]:
    """Lines of the greatest length that go on, and those that one of these goes on in."""
    going, full = set(on), list[int]()
    for i in range(len(lines) - 1):
        is_next = bool(full) and full[-1] == i - 1 and bare[i + 1].strip(BLANKS) != ""
        if len(lines[i]) == columns and (i in going or is_next):
            full.append(i)
    return full


def _breaks(lines: list[str], index: int) -> bool:
    """Whether a line begins with the blank that the one above it was cut before."""
    line, following = lines[index], lines[index + 1]
    return following[:1] == " " and bool(following[1:2].strip()) and line[:1].strip() != ""


def goes_on(lines: list[str], index: int) -> bool:
    """Whether the line below the one at ``index`` is the beginning of nothing."""
    following = lines[index + 1]
    return bool(following.strip(BLANKS)) and not opens(following) and not is_indented(following)


def is_indented(line: str) -> bool:
    """Whether a line is set in, as what goes on is not."""
    return line[:1] == "\t" or line[:2] == "  "


def unwrapped(lines: list[str], width: Width) -> frozenset[int]:
    """The lines that nobody wrapped; a word that is too long for any line is none."""
    if width.how is How.LEFT:
        return frozenset()
    measured = lines if width.quoted else all_unquoted(lines)
    is_flowed = width.how is How.FLOWED
    return frozenset(
        i
        for i, line in enumerate(measured)
        if len(line) > width.columns and not (is_flowed and " " not in line.strip(BLANKS))
    )


def _is_folded(lines: list[str], on: list[int]) -> bool:
    width = max(len(line.rstrip(" ")) for line in lines)
    blank = [i for i in on if lines[i].endswith(" ")]
    longest = max(map(len, lines))
    # A word is cut where it is alone in its line.
    full = [lines[i] for i in on if len(lines[i]) == longest and not lines[i].endswith(" ")]
    return (
        bool(blank)
        and all(len(lines[i]) + len(first_word(lines[i + 1])) >= width for i in blank)
        and not any(" " in line for line in full)
    )


def _room(lines: list[str]) -> int:
    """The greatest length of a line of words: one that is too long for any stands by itself."""
    return max((len(line) for line in lines if " " in line.strip(" ")), default=0)


def _are_flowed(lines: list[str], on: list[int]) -> bool:
    """Whether lines that go on were full of words, and few to the very column; those that were
    not may end a paragraph."""
    room = _room(lines)
    if not _LEAST <= room <= WIDE:
        return False
    on = [i for i in on if " " in lines[i] or len(lines[i]) > NARROW]
    full = [i for i in on if len(lines[i]) + 1 + len(first_word(lines[i + 1])) > room]
    ends = [i for i in sorted(set(on) - set(full)) if not PAIR.match(lines[i + 1])]
    different = {_DIGITS.sub("0", lines[i]) for i in full if " " in lines[i]}
    return (
        len(different) >= _SURE
        and len(full) >= 2 * len(ends)
        and 2 * sum(len(lines[i]) == room for i in full) <= len(full)
    )


def _is_cut(line: str, following: str) -> bool:
    """Whether a word surely goes over the end of a line."""
    if HALF.search(line[-20:]) and REST.match(following):
        return True
    if _ZERO.search(line[-2:]) and _HEX.match(following):
        return True
    last = _LAST.search(line[-_SHOWN:])
    tail, head = last[0] if last else "", first_word(following[:_SHOWN])
    if not tail or not head:
        return False
    if _OPEN_URL.search(tail) and _HOST_GOES_ON.match(following):
        return True
    word, at = tail + head, len(tail)
    hosts = (f for f in _HOSTS.finditer(word) if "." in tail[f.start() :])
    if any(
        f.start() < at < f.end() for f in (*hosts, *_FILE.finditer(word), *_SCHEME.finditer(word))
    ):
        return True
    return _ends_in_string(line, head)


def _ends_in_string(line: str, head: str) -> bool:
    """Whether an object of JSON that begins in the line is cut inside a name or a word."""
    at = line.find('{"')
    if at < 0:
        return False
    quotes = [mark.start() for mark in _MARK.finditer(line, at) if mark[0] == '"']
    return len(quotes) % 2 == 1 and '"' in head and " " not in line[quotes[-1] :]


def opens(line: str) -> bool:
    """Whether something begins with a line: an entry, a part of a block, a bar, a separator."""
    return _opens(line[:SEEN])


# Every line is asked several times, and the lines of a large text are much alike.
@lru_cache(maxsize=1 << 14)
def _opens(line: str) -> bool:
    bare = clean_line(line)
    if begins_entry(bare) or _OPENS.match(bare) or SEPARATOR.fullmatch(bare):
        return True
    found = LABELLED.match(bare)
    return found is not None and bool(parts_of(found["label"]))
