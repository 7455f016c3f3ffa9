"""Reports of this tool that were given back to it: the bundle holds the case, a page only shows it.

Read as a log, the error that a report quotes would be counted once more, with the tags or marks of
the report in its message.
"""

from __future__ import annotations

import json
from typing import BinaryIO

from diagnoser import catalog
from diagnoser.deferral import pattern

# What a report is left out with; the reader learns what to give instead.
RENDERED = (
    "a report of diagnoser to be read by people: to judge it again give its JSON"
    " (--format json) or the case bundle (--bundle)"
)
REPORT = "report.json"
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1 << 20
_LARGEST_REPORT = 64 << 20
_TITLE = pattern(r"<title>[^<]{1,300} – diagnoser</title>")
_VERDICT = pattern(
    r"(?:!!|!\?|OK|\?)  \S[^\n]*(?:\n    [^\n]*)?\[[^\]\n]{1,80}(?:\n {4}[^\]\n]*)?\]"
)
_HEADLINE = pattern(r"## [^\n]*\\\[[^\n]*\\\]\n")
# The first case of several, in their overview: it stands in the first lines.
_OVERVIEW = 2000
_ROW = pattern(r"(?m)^ {0,5}1  (?:!!|!\?|OK|\?) ")
_ITEM = pattern(r"(?m)^1\. (?:(?:!|&#33;)(?:!|&#33;|\?)|OK|\?) ")


def is_rendering(text: str) -> bool:
    """Whether ``text`` (or its beginning) is a report as HTML, Markdown or plain text."""
    text = text.lstrip("\ufeff\r\n ").replace("\r\n", "\n")
    if text.startswith("<!DOCTYPE html>"):
        return _TITLE.search(text, 0, 2000) is not None
    # The words of all languages take long to load: they are asked where the shape fits.
    if _VERDICT.match(text):
        return any(f"\n  {s['remedy']}\n" in text for s in _phrases())
    if text.startswith("## "):
        lists, tells = _ITEM.search(text) is not None, _HEADLINE.match(text) is not None
        return any(
            (lists and text.startswith(f"## {s['overview']}\n"))
            or (tells and f"\n### {s['remedy']}\n" in text)
            for s in _phrases()
        )
    return _ROW.search(text, 0, _OVERVIEW) is not None and any(
        text.startswith(f"{s['overview']}: ") for s in _phrases()
    )


def _phrases() -> list[dict[str, str]]:
    return [catalog.words(language).phrases for language in catalog.LANGUAGES]


def read_bundle(stream: BinaryIO) -> bytes | None:
    """The JSON report of a case bundle, known by its manifest; ``None`` for every other file.

    Never raises for bad contents.
    """
    from diagnoser.reading.zips import read_member  # noqa: PLC0415  (only packed files need it)

    manifest = read_member(stream, _MANIFEST, _LARGEST_MANIFEST)
    if manifest is None:
        return None
    try:
        tool = json.loads(manifest)["tool"]["name"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return read_member(stream, REPORT, _LARGEST_REPORT) if tool == "diagnoser" else None
