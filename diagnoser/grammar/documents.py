"""REST error documents pasted alone or standing in a line of a log: compact or pretty JSON.

::

    document = "{" … "origin" ":" link … [ "serCode" ":" string ] … "}"
             / "{" … "_src" ":" link … "}"  /  link
    link     = see grammar.embedded

JSON has its grammar of record in :mod:`json`; here is only where a document begins and what in it
makes an error chain. The documents of consoles are long, and a form cuts them off: what is whole
up to there is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar.embedded import MAX_INNER, causes_of, leaves
from diagnoser.grammar.forms import MAX_FRAMES, MAX_LINES, Framed
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.values import Members, read_json, read_prefix
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "document"
# The first has "origin", every link "suberror"; one that is cut off may have lost either.
ANCHORS = ('"serCode"', '"suberror"', '"origin"')
_MARK = pattern(r'"(?:origin|serCode|suberror)"\s{0,8}:')
_LINK = pattern(r'"(?:module|suberror)"\s{0,8}:')
_BRACE = pattern(r'\{(?=\s{0,8}")')
_STAMP = pattern(rf"\s{{0,8}}\[?(?P<stamp>{STAMP})")
_WRAP = pattern(r"[\s>]+")
_TERM = pattern(r"0x([0-9a-fA-F]{1,8})")
_TOKEN = pattern(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)
_CLOSED_BY = {"{": "}", "[": "]"}
# A string that does not end, or a value; and not words, which are no JSON.
_BEGUN = pattern(
    r'\s*(?::\s*)?(?:"(?:[^"\\]|\\.)*\\?|-?[\d.]+|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?)?\s*',
    re.DOTALL,
)
_DEEPEST = 256
_CUT_OFF = "the document is cut off"
_OUTLINE = "only the combined code was pasted: fields and messages are missing"
_HINT = 'paste the whole JSON document, from its first "{" to its last "}"'
# A page of hostile braces must not be decoded from each of them: so many, and one more for every
# thousand characters, each over no more than the longest document.
_MAX_FAILURES = 500
_LONGEST = 1_048_576
ABOVE = 60
_STATUS = 0x80000000


def frame(page: Page) -> Iterator[Framed]:
    """The REST error documents of a page in order."""
    past = 0
    failed: set[int] = set()
    closed: set[int] = set()
    for mark in _MARK.finditer(page.text):
        if mark.start() < past:
            continue
        for start in _openings(page, mark.start()):
            if start in failed or start < past:
                continue
            if len(failed) >= _MAX_FAILURES + mark.start() // 1000:
                break
            document, length = _document_at(page.text, start)
            end = start + length
            if end <= mark.start():
                failed.add(start)
                if length:
                    closed.add(start)
                continue
            past = end
            if _chain(document, Location(page.source, 1)):
                yield _framed(page, start, end)
            break
        else:
            cut = _cut_off(page, mark.start(), past, closed)
            cut = cut or _headless(page, mark.start(), past, failed)
            if cut is not None:
                past = cut[1]
                yield _framed(page, *cut)


def _document_at(text: str, start: int) -> tuple[object, int]:
    """What begins at ``start``, and its length; ``(None, 0)`` for what ends nowhere near."""
    if len(text) - start > _LONGEST:
        return read_prefix(text[start : start + _LONGEST])
    # Nothing is copied: thousands of documents may stand in one text.
    document, end = read_prefix(text, start)
    return document, end - start if end else 0


def _framed(page: Page, start: int, end: int) -> Framed:
    first, _ = page.place(start)
    last, _ = page.place(end - 1)
    # The stamp of a log line belongs to its document.
    begin = page.offset(first)
    if not _STAMP.match(page.text, begin, min(start, begin + 40)):
        begin = start
    block = RawBlock(NAME, page.text[begin:end], Location(page.source, first + 1))
    return Framed(first, last + 1, block)


def _openings(page: Page, mark: int) -> Iterator[int]:
    """Braces that may open the document around ``mark``, the nearest line first, leftmost first."""
    index, column = page.place(mark)
    begin = max(0, column - 4096)
    braces = islice(_BRACE.finditer(page.raw[index][begin : column + 1]), 8)
    shift = page.offset(index) + begin
    yield from (shift + brace.start() for brace in braces)
    for above in range(index, max(-1, index - ABOVE), -1):
        text = page.raw[above]
        if text.lstrip().startswith("{"):
            yield page.offset(above) + len(text) - len(text.lstrip())


def _cut_off(page: Page, mark: int, past: int, closed: set[int]) -> tuple[int, int] | None:
    """A document that ends too early: its line begins with a brace and names a module.

    What begins at one of ``closed`` ended above the mark.
    """
    index, _ = page.place(mark)
    for above in range(index, max(-1, index - ABOVE), -1):
        start = page.offset(above)
        if start < past or start in closed:
            return None
        if page.raw[above].lstrip().startswith("{"):
            end = index
            while end + 1 < min(len(page), index + MAX_LINES) and page.raw[end + 1].strip():
                end += 1
            stop = page.offset(end) + len(page.raw[end])
            return (start, stop) if _LINK.search(page.text, start, stop) else None
    return None


def _headless(page: Page, mark: int, past: int, failed: set[int]) -> tuple[int, int] | None:
    """The innermost object around ``mark`` of a document whose first lines were not copied."""
    index, _ = page.place(mark)
    for above in range(index, max(-1, index - ABOVE), -1):
        line = page.raw[above].rstrip()
        start = page.offset(above) + len(line) - 1
        if start < past or len(failed) >= _MAX_FAILURES + mark // 1000:
            return None
        if not line.endswith("{") or start in failed or start > mark:
            continue
        document, length = _document_at(page.text, start)
        if start + length > mark and _chain(document, Location(page.source, 1)):
            return start, start + length
        failed.add(start)
    return None


def parse(block: RawBlock) -> ErrorBlock:
    """One document. Raises ``BlockSyntaxError``."""
    stamp = _STAMP.match(block.text)
    document = _document(block.text) if stamp else read_json(block.text)
    damage: list[str] = []
    if document is None and (whole := _up_to_the_cut(block.text)) is not None:
        document = read_json(whole)
        damage.append(_CUT_OFF)
    if not isinstance(document, Members):
        raise _refusal(block)
    frames = _chain(document, block.at)
    if frames and all(f.message is None and f.line_info is None for f in frames):
        damage.append(_OUTLINE)
    if not frames:
        raise _error(block, '"origin" with "module" and "code"', 0)
    return ErrorBlock(
        form=block.form,
        language=None,
        frames=frames,
        at=block.at,
        text=block.text,
        occurred_at=iso_time(stamp["stamp"]) if stamp else None,
        damage=tuple(damage),
    )


def is_outline(block: ErrorBlock) -> bool:
    """Whether a document gave the combined code of its chain and nothing of the links."""
    return block.form == NAME and _OUTLINE in block.damage


def _up_to_the_cut(text: str) -> str | None:
    """A document that breaks off, closed behind its last whole member; ``None`` if it does not."""
    opened: list[str] = []
    kept: tuple[int, list[str]] | None = None
    read = 0
    for token in _TOKEN.finditer(text):
        mark, read = token[0], token.end()
        if mark in _CLOSED_BY:
            opened.append(_CLOSED_BY[mark])
            kept = (token.end(), opened[:])
        elif mark in "}]":
            if not opened or opened.pop() != mark:
                return None
            kept = (token.end(), opened[:])
        elif mark == ",":
            kept = (token.start(), opened[:])
        if len(opened) > _DEEPEST:
            return None
    # What stands behind the cut must be the beginning of one member, or nothing.
    if not opened or kept is None or not _BEGUN.fullmatch(text, max(read, kept[0])):
        return None
    return text[: kept[0]] + "".join(reversed(kept[1]))


def _document(text: str) -> object:
    """The document that ends a log line."""
    for brace in islice(_BRACE.finditer(text), 8):
        document, length = read_prefix(text[brace.start() :])
        if brace.start() + length == len(text):
            return document
    return None


def _chain(document: object, at: Location) -> tuple[ErrorFrame, ...]:
    if not isinstance(document, Members):
        return ()
    return tuple(causes_of(document, "", at)) or _by_terms(document, at)


def _by_terms(document: Members, at: Location) -> tuple[ErrorFrame, ...]:
    """The chain of a document that gives only the combined code."""
    combined = document.get("serCode")
    if not isinstance(combined, str):
        return ()
    fields = tuple(leaves(document, "", at))[:MAX_INNER]
    # There is no blank in it: somebody wrapped the line, maybe inside a number.
    terms = [int(t, 16) for t in _TERM.findall(_WRAP.sub("", combined))[:MAX_FRAMES]]
    # The last term may be a Windows status, as in a headline: a field of the link before it.
    status = terms.pop() if len(terms) > 1 and terms[-1] >= _STATUS else None
    frames = [
        ErrorFrame(t >> 16, t & 0xFFFF, None, () if i else fields, None, at)
        for i, t in enumerate(terms)
    ]
    if status is not None:
        told = Field("code", f"0x{status:08x}", at)
        frames[-1] = replace(frames[-1], fields=(*frames[-1].fields, told))
    return tuple(frames)


def _refusal(block: RawBlock) -> BlockSyntaxError:
    try:
        json.loads(block.text, parse_int=str)
    except json.JSONDecodeError as error:
        return _error(block, "well-formed JSON", error.pos)
    except (ValueError, RecursionError):
        return _error(block, "JSON that is not nested without end", 0)
    return _error(block, "a JSON object", 0)


def _error(block: RawBlock, expected: str, offset: int) -> BlockSyntaxError:
    row = block.text.count("\n", 0, offset)
    return BlockSyntaxError(
        expected,
        source=block.at.source,
        line=block.at.line + row,
        column=offset - block.text.rfind("\n", 0, offset),
        text=block.text.split("\n")[row],
        hint=_HINT,
    )
