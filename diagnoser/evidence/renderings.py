"""Reports of this tool that were given back to it: the bundle holds the case, a page only shows it.

Read as a log, the error that a report quotes would be counted once more, with the tags or marks of
the report in its message.
"""

from __future__ import annotations

import json
import re
from typing import BinaryIO

from diagnoser import catalog
from diagnoser.reading.zips import read_member

# What a report is left out with; the reader learns what to give instead.
RENDERED = (
    "a report of diagnoser to be read by people: to judge it again give its JSON"
    " (--format json) or the case bundle (--bundle)"
)
REPORT = "report.json"
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1 << 20
_LARGEST_REPORT = 64 << 20
_TITLE = re.compile(r"<title>[^<]{1,300} – diagnoser</title>")
_VERDICT = re.compile(
    r"(?:!!|!\?|OK|\?)  \S[^\n]*(?:\n    [^\n]*)?\[[^\]\n]{1,80}(?:\n {4}[^\]\n]*)?\]"
)
_HEADLINE = re.compile(r"## [^\n]*\\\[[^\n]*\\\]\n")
# The first case of several, in their overview.
_ROW = re.compile(r"(?m)^ {0,5}1  (?:!!|!\?|OK|\?) ")
_ITEM = re.compile(r"(?m)^1\. (?:(?:!|&#33;)(?:!|&#33;|\?)|OK|\?) ")


def is_rendering(text: str) -> bool:
    """Whether ``text`` (or its beginning) is a report as HTML, Markdown or plain text."""
    text = text.lstrip("\ufeff\r\n ").replace("\r\n", "\n")
    if text.startswith("<!DOCTYPE html>"):
        return _TITLE.search(text, 0, 2000) is not None
    say = [catalog.words(language).phrases for language in catalog.LANGUAGES]
    if any(text.startswith(f"{s['overview']}: ") for s in say) and _ROW.search(text):
        return True
    if any(text.startswith(f"## {s['overview']}\n") for s in say) and _ITEM.search(text):
        return True
    steps = [s["remedy"] for s in say]
    if _VERDICT.match(text):
        return any(f"\n  {s}\n" in text for s in steps)
    return bool(_HEADLINE.match(text)) and any(f"\n### {s}\n" in text for s in steps)


def read_bundle(stream: BinaryIO) -> bytes | None:
    """The JSON report of a case bundle, known by its manifest; ``None`` for every other file.

    Never raises for bad contents.
    """
    manifest = read_member(stream, _MANIFEST, _LARGEST_MANIFEST)
    if manifest is None:
        return None
    try:
        tool = json.loads(manifest)["tool"]["name"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return read_member(stream, REPORT, _LARGEST_REPORT) if tool == "diagnoser" else None
