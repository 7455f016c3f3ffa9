"""Says why a text holds no error block: the most block-like place and what should stand there."""

from __future__ import annotations

import re

from diagnoser.deferral import pattern
from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar.lexicon import LABELLED, code_anchor
from diagnoser.grammar.wrapping import looks_wrapped
from diagnoser.reading.framing import BLANKS, Page, clean

_CARD = pattern(
    r"^[^\S\n]{0,8}(?:MODULE?|MODUL|MODULO|MÓDULO|МОДУЛЬ|モジュール)[^\S\n]{0,8}:?[^\S\n]{0,8}\n?\d{1,5}[^\S\n]{0,8}$",
    re.MULTILINE | re.IGNORECASE,
)
_NUMBER = pattern(r"(?<!\w)(?:error|fehler|code)\s{1,2}0x[0-9a-f]{1,8}", re.IGNORECASE)
_ANY = "an error block, which begins with a line such as `Error code: 307`"
_PASTE = (
    'paste the text under "Additional info" of the failed activity, from `Error code:` on,'
    " or give a log file: diagnoser scan FILE"
)
_UNWRAP = (
    "the text looks wrapped: paste it as it was logged, or give the log file: diagnoser scan FILE"
)


def explain_absence(text: str, source: str) -> BlockSyntaxError:
    """The error for a text in which no block opens; points at the place that comes closest."""
    page = Page(text, source)
    if not text.strip(BLANKS + "\n"):
        return _error(page, 0, 0, "an error block, found an empty text", _PASTE)
    paste = _UNWRAP if looks_wrapped(text) else _PASTE
    for index in page.hits(code_anchor()):
        found = LABELLED.fullmatch(page.line(index))
        raw = page.raw[index]
        if found is not None:
            column = clean(raw).shifts[0] + found.start("value")
            return _error(page, index, column, "a decimal error code after the label", paste)
    for index in page.hits(_CARD):
        hint = (
            "this looks like the activity card; open its details and copy the lines with colons"
            " below it (`Error code:`, `Module:`, …)"
        )
        return _error(page, index, 0, _ANY, hint)
    for shape in (code_anchor(), _NUMBER):
        if match := shape.search(text):
            index, column = page.place(match.start())
            return _error(page, index, column, _ANY, paste)
    return _error(page, 0, 0, _ANY, paste)


def _error(page: Page, index: int, column: int, expected: str, hint: str) -> BlockSyntaxError:
    return BlockSyntaxError(
        expected,
        source=page.source,
        line=index + 1,
        column=column + 1,
        text=page.raw[index],
        hint=hint,
    )
