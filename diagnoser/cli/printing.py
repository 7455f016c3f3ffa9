"""A report on stdout, whatever letters stdout takes.

A console of Windows takes all of them. A pipe or a file gets the letters of a code page there, and
PowerShell reads them with another one: JSON and HTML have a spelling in ASCII that loses nothing,
and the lines and dots of a text are drawn with what every page has in the same place.
"""

from __future__ import annotations

import codecs
import errno
import os
import sys
from typing import TextIO

from diagnoser.errors import OutputError
from diagnoser.reports.wording import words_for

_DRAWN = str.maketrans(
    {
        "─": "-", "·": "-", "–": "-", "—": "-", "…": "...", "→": "->", "×": "x", "✗": "x",
        "≥": ">=", "≤": "<=", "’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ",
    }
)  # fmt: skip
_JSON = ("json", "ndjson")
# What people read as it stands, and no program.
READ_AS_TEXT = ("text", "markdown")


def put(text: str, form: str) -> None:
    """Write ``text``, a report of this format, to stdout.

    Raises ``BrokenPipeError`` if nobody reads on, ``OutputError`` if it cannot be written.
    """
    out = sys.stdout
    try:
        out.write(text if _shows_all(out, form) else plain(text, form))
        out.flush()
    except OSError as error:
        # A pipe that was closed is EINVAL to the C library of Windows.
        if error.errno in (errno.EPIPE, errno.EINVAL):
            raise BrokenPipeError(errno.EPIPE, "stdout was closed") from error
        raise OutputError(
            f"stdout could not be written: {error.strerror or type(error).__name__}",
            hint="write the report to a file with --output",
        ) from error


def _shows_all(stream: TextIO, form: str) -> bool:
    if form in READ_AS_TEXT and os.name == "nt" and stream.isatty():
        return not draws_wide(os.device_encoding(stream.fileno()))
    return takes_all(stream)


def draws_wide(page: str | None) -> bool:
    """Whether a console of this code page gives lines and dots two columns: East Asian ones do, as
    the fonts of these pages have them so wide (UAX 11, "ambiguous")."""
    return page in ("cp932", "cp936", "cp949", "cp950")


def takes_all(stream: TextIO) -> bool:
    """Whether a stream takes every letter."""
    return _codec(stream).startswith("utf-")


def plain(text: str, form: str) -> str:
    """``text`` of one format in letters that every code page has, as far as that loses nothing."""
    if form in _JSON:
        # Outside strings JSON is ASCII: an escape can only be inside one (RFC 8259 section 7).
        return "".join(c if c.isascii() else _escaped(c) for c in text)
    if form == "html":
        return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
    return text.translate(_DRAWN)


def writable(language: str, stream: TextIO) -> str:
    """``language``, or English where the stream has no letters for it."""
    if takes_all(stream):
        return language
    sample = "".join(w.title for w in words_for(language).causes.values())
    try:
        sample.translate(_DRAWN).encode(_codec(stream))
    except UnicodeEncodeError:
        return "en"
    return language


def _codec(stream: TextIO) -> str:
    try:
        return codecs.lookup(stream.encoding or "utf-8").name
    except LookupError:
        return "utf-8"


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    pairs = (units[i : i + 2] for i in range(0, len(units), 2))
    return "".join(f"\\u{int.from_bytes(p):04x}" for p in pairs)
