"""What the locator looks for: the anchors of all forms, in all encodings of their letters.

The words come from the label table and the forms' own lists, so a new language or form is found
in logs as soon as it is in its table.
"""

from __future__ import annotations

import re
from functools import cache

from diagnoser import catalog
from diagnoser.grammar.forms import Form
from diagnoser.reading.encodings import PAGES
from diagnoser.reading.locating import Anchor

_STAMPED = rb"\d{4}-\d\d-\d\d[T ]\d\d:"
_EOL = rb"[ \t]{0,8}\r?(?:\n|\Z)"
_LABEL = rb"[^\n:{}|\"<>\d][^\n:{}|\"<>]{0,47}:"
_LINK = (
    _LABEL + rb"[ ]?\d{1,10}" + _EOL
    + rb"(?:" + _LABEL + rb"[ ]?(?:\d{1,5})?" + _EOL + rb")?"
    + rb"(?:" + _LABEL + rb"[ ]?(?:0x)?[0-9A-Fa-f]{0,16}" + _EOL + rb")?"
    + _LABEL + rb"[ ]?\{[^\n]*\}" + _EOL
    + _LABEL + rb"[^\n]*(?:\n|\Z)"
)  # fmt: skip
_RULE = rb"-{8,40}\r?(?:\n|\Z)"
# Blocks that can be cut out exactly, as they end where another entry of the log begins.
SHAPES = re.compile(
    rb"(?:"
    rb"(?=" + _STAMPED + rb")[^\n]*(?:\n|\Z)(?:\|[^\n]*(?:\n|\Z))*+"
    rb"|" + _LINK + rb"(?:" + _RULE + _LINK + rb")*+(?:" + _RULE + rb")?"
    rb'|\{"[^\n]*\}' + _EOL + rb'|[ \t]{0,16}<event [^\n]*>' + _EOL + rb")"
    rb"(?=" + _STAMPED + rb'|\{"|[ \t]{0,16}<event |\Z)'
)
_MAX = 100


@cache
def anchors(forms: tuple[Form, ...]) -> tuple[Anchor, ...]:
    """The anchors of ``forms`` and of the labels, each once, as bytes of every encoding."""
    found: dict[bytes, Anchor] = {}
    for form in forms:
        for text in form.anchors:
            found.setdefault(text.encode(), Anchor(text.encode(), form.above))
    for row in catalog.labels():
        for label in row.code:
            for spelling in {label, label.capitalize(), label.title(), label.upper()}:
                for data in _encodings(spelling):
                    found.setdefault(data[:_MAX], Anchor(data[:_MAX]))
    return tuple(found.values())


def _encodings(text: str) -> set[bytes]:
    found = {text.encode()}
    if not text.isascii():
        for page in PAGES:
            try:
                found.add(text.encode(page))
            except UnicodeEncodeError:
                continue
    return found
