"""A text as it reads once its encodings are undone, with the way back to where each letter stood.

What must not leave the machine may stand in a log URL-encoded, JSON-escaped, as HTML entities, in
full-width letters, with invisible characters inside, or broken over two lines. It is looked for in
the plain reading, and taken out of the original.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from diagnoser.deferral import pattern

MOST_LAYERS = 3
_MOST_TAILS = 4

_ENCODED = pattern(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<wide>(?:\\u[0-9A-Fa-f]{4})+)"
    r"|\\x(?P<byte>[0-9A-Fa-f]{2})"
    r"|\\(?P<sign>[\"'/\\nrt])"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos|nbsp|colon|period|commat"
    r"|hyphen|bsol|sol|lowbar|equals);)"
    r"|(?P<odd>[^\x00-\x7f])"
)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t"}
_INVISIBLE = pattern("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# A line break with what mail clients and log writers put around one.
_BREAK = pattern(r"[ \t]*(?:\r\n|\n|\r)[ \t>|]*")
_BASE64 = pattern(
    r"(?<![A-Za-z0-9+/_=-])"
    r"(?:[A-Za-z0-9+/_-]{16,76}(?:\r?\n[ \t>|]{0,8}[A-Za-z0-9+/_-]{1,76}){1,400}"
    r"|[A-Za-z0-9+/_-]{8,65536})={0,2}(?![A-Za-z0-9+/_=-])"
)


@dataclass(frozen=True, slots=True)
class View:
    """``text`` as it reads; letter ``i`` stood at ``starts[i]`` to ``ends[i]`` of the original."""

    text: str
    starts: array[int]
    ends: array[int]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where the letters from ``start`` to before ``end`` stood in the original."""
        return self.starts[start], self.ends[end - 1]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A run of base64 from ``start`` to ``end`` that hides readable ``text``."""

    start: int
    end: int
    text: str


def plain(text: str) -> View:
    """The text itself."""
    places = array("L", range(len(text) + 1))
    return View(text, places[:-1], places[1:])


def layers(text: str) -> list[View]:
    """The text with up to :data:`MOST_LAYERS` encodings undone, the innermost reading first."""
    found: list[View] = []
    view = plain(text)
    for _ in range(MOST_LAYERS):
        inner = _decoded(view)
        if inner.text == view.text:
            break
        found.insert(0, inner)
        view = inner
    return found


def joined(view: View) -> View | None:
    """The view without line breaks, or ``None`` if it has none."""
    if "\n" not in view.text and "\r" not in view.text:
        return None
    letters: list[str] = []
    starts, ends = array("L"), array("L")
    place = 0
    for match in (*_BREAK.finditer(view.text), None):
        stop = match.start() if match else len(view.text)
        letters.append(view.text[place:stop])
        starts += view.starts[place:stop]
        ends += view.ends[place:stop]
        place = match.end() if match else stop
    return View("".join(letters), starts, ends)


def hidden(text: str) -> Iterator[Hidden]:
    """Runs of base64 (RFC 4648 sections 4 and 5, wrapped or not) that decode to readable text."""
    for match in _BASE64.finditer(text):
        ends = [m.start() for m in re.finditer(r"\r?\n", match[0])][-_MOST_TAILS:]
        # The words behind the last line may look like one line more.
        for end in (len(match[0]), *reversed(ends)):
            readable = _unpacked(match[0][:end])
            if readable is not None:
                yield Hidden(match.start(), match.start() + end, readable)
                break


def _unpacked(run: str) -> str | None:
    body = re.sub(r"[\s>|]", "", run).rstrip("=").translate({45: "+", 95: "/"})
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return _readable(data)


def _readable(data: bytes) -> str | None:
    """Bytes as UTF-8 or UTF-16 text, if every character of it can be read."""
    wide = len(data) > 3 and len(data) % 2 == 0 and data[1::2].count(0) * 3 > len(data)
    try:
        text = data.decode("utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and all(c.isprintable() or c in "\r\n\t" for c in text) else None


def _decoded(view: View) -> View:
    text = view.text
    if text.isascii() and not ("%" in text or "\\" in text or "&" in text):
        return view
    letters: list[str] = []
    starts, ends = array("L"), array("L")
    place = 0
    for match in _ENCODED.finditer(text):
        first, last = match.span()
        letters.append(text[place:first])
        starts += view.starts[place:first]
        ends += view.ends[place:first]
        for letter, a, b in _letters(match):
            if not _INVISIBLE.fullmatch(letter):
                letters.append(letter)
                starts.append(view.starts[first + a])
                ends.append(view.ends[first + b - 1])
        place = last
    letters.append(text[place:])
    starts += view.starts[place:]
    ends += view.ends[place:]
    return View("".join(letters), starts, ends)


def _letters(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """The letters that one encoded run stands for, each with its place within the run."""
    whole = match[0]
    kind = match.lastgroup
    if kind == "percent":
        yield from _percent(whole)
    elif kind == "wide":
        data = b"".join(bytes.fromhex(whole[i + 2 : i + 6]) for i in range(0, len(whole), 6))
        place = 0
        for letter in data.decode("utf-16-be", "replace"):
            size = 12 if ord(letter) > 0xFFFF else 6
            yield letter, place, min(place + size, len(whole))
            place = min(place + size, len(whole) - 1)
    elif kind == "byte":
        yield chr(int(match["byte"], 16)), 0, len(whole)
    elif kind == "sign":
        yield _SIGNS.get(match["sign"], match["sign"]), 0, len(whole)
    elif kind == "entity":
        from html import unescape  # noqa: PLC0415  (its table of entities takes 2 ms to load)

        for letter in unescape(whole):
            yield letter, 0, len(whole)
    else:
        for letter in unicodedata.normalize("NFKC", whole):
            yield letter, 0, len(whole)


def _percent(run: str) -> Iterator[tuple[str, int, int]]:
    data = bytes.fromhex(run.replace("%", ""))
    place = 0
    # What is no UTF-8 is a letter of an old code page; its number does for comparing.
    for letter in data.decode("utf-8", "surrogateescape"):
        size = 1 if "\udc80" <= letter <= "\udcff" else len(letter.encode())
        yield letter, 3 * place, 3 * (place + size)
        place += size
