"""Bytes to text without being told the encoding; never fails.

Nothing published says in which encodings agents write their logs, and pastes come out of mail
clients and Windows consoles, so the encoding is detected: byte order mark, UTF-16 by the parity
of its NUL bytes, strict UTF-8, and then the ANSI code page under which most labels of labelled
blocks can be read.
"""

from __future__ import annotations

import codecs
from functools import cache

from diagnoser import catalog
from diagnoser.deferral import pattern

# UTF-32 LE begins with the mark of UTF-16 LE, so it is asked first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Windows' ANSI pages: Japanese, Korean, Chinese, Cyrillic, Central European, Turkish, Western.
PAGES = ("cp932", "cp949", "gbk", "big5", "cp1251", "cp1250", "cp1254", "cp1252")
_SAMPLE = 65536
# How a labelled block opens: words with a foreign letter, a colon (full-width as Japanese, Chinese
# and Taiwanese pages have it), a number and nothing else. So much of what follows is looked at.
_OPENING = pattern(
    rb"(?m)^(?=[\t -~]{0,60}[\x80-\xff])[^\n:\d]{1,80}(?::|\x81\x46|\xa3\xba|\xa1\x47)[ \t]{0,8}"
    rb"\d{1,10}[ \t]{0,8}\r?$"
)
_AROUND = 2048
_FEW = 4


def decode(data: bytes) -> str:
    r"""The text of ``data`` with ``\n`` line ends and without NULs; unreadable bytes are U+FFFD.

    A lone carriage return ends a line too: editors show it as one, and inside JSON a line break
    must be written as an escape, so no value can lose anything by it.
    """
    text = _decoded(data).replace("\0", "").removeprefix("\ufeff")
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    # The Ctrl-Z that ends an input in Windows ends none where it does not begin a line.
    return text.replace("\x1a\n", "\n").removesuffix("\x1a")


def wide_encoding(head: bytes) -> str | None:
    """The encoding of a text that begins with ``head``, if its letters are not single bytes there:
    UTF-16 or UTF-32, by its mark or by where its NULs stand."""
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if marked is not None:
        return None if marked == "utf-8" else marked
    return _utf16(head)


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if wide := _utf16(data):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if page := _page(data):
        return data.decode(page, "replace")
    text = data.decode("utf-8", "replace")
    # Mostly UTF-8 with some junk (a cut in mid-character, a foreign byte), or no UTF-8 at all.
    broken = text.count("\ufffd")
    foreign = sum(c > "\x7f" for c in text) - broken
    return text if foreign >= broken else data.decode("cp1252", "replace")


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: digits, blanks and line ends put NULs on one side of every pair."""
    sample = data[: _SAMPLE & ~1]
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    enough = max(2, len(sample) // 40)
    if second >= enough and second > 4 * first:
        return "utf-16-le"
    if first >= enough and first > 4 * second:
        return "utf-16-be"
    return None


@cache
def _anchors(page: str) -> tuple[tuple[bytes, int], ...]:
    """Localised labels as bytes of one code page, each with its weight: its foreign letters."""
    found: dict[bytes, int] = {}
    for row in catalog.labels():
        for label in (*row.code, *row.module, *row.line, *row.fields, *row.message, *row.heading):
            if label.isascii():
                continue
            for spelling in (label, label.capitalize()):
                try:
                    found[spelling.encode(page)] = sum(c > "\x7f" for c in label)
                except UnicodeEncodeError:
                    continue
    return tuple(found.items())


def _page(data: bytes) -> str | None:
    """By the labels at the beginning, or else by those of whatever opens like a block further on;
    where there are none, kana tell Japanese."""
    sample = data[:_SAMPLE]
    page = _page_of_labels(sample)
    if page is None and len(data) > _SAMPLE:
        page = _page_of_labels(_openings(data, _SAMPLE - _AROUND))
    return page or ("cp932" if _has_kana(sample) else None)


def _openings(data: bytes, since: int) -> bytes:
    found = bytearray()
    for match in _OPENING.finditer(data, since):
        found += data[match.start() : match.end() + _AROUND]
        if len(found) > _SAMPLE:
            break
    return bytes(found)


def _has_kana(sample: bytes) -> bool:
    """Whether it reads as Japanese without a fault, and one in ten of its letters is a kana: they
    begin with bytes that are marks of punctuation elsewhere."""
    try:
        text = codecs.getincrementaldecoder("cp932")().decode(sample)
    except UnicodeDecodeError:
        return False
    kana = sum("\u3041" <= c <= "\u30fe" for c in text)
    return kana >= _FEW and kana * 10 >= sum(c > "\x7f" for c in text)


def _page_of_labels(sample: bytes) -> str | None:
    def weight(page: str) -> int:
        return sum(n * sample.count(anchor) for anchor, n in _anchors(page))

    weights = {page: weight(page) for page in PAGES}
    best = max(weights, key=lambda page: weights[page])
    if weights[best]:
        # Western, Central European and Turkish pages agree on most labels: the plainest that
        # reads as many wins.
        return "cp1252" if weights["cp1252"] == weights[best] else best
    return None
