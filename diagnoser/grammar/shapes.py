"""Recognises labelled blocks by the shape of their lines, whatever the words in them are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.lexicon import LABELLED, NUMBER, Part, parts_of, spelling

if TYPE_CHECKING:
    from diagnoser.reading.framing import Page

ANCHOR = "$module"
# Three parts above the fields with two blank lines each, and fields that wrap before $module.
ABOVE = 12
FIELD_SHAPE = pattern(r"""[{,]\s?["'](?:\$|\w{1,40}["']\s?:)|\$module\b""")
_TAG = pattern(r"(?:0x)?[0-9a-fA-F]{8,16}")
_MODULE_KEY = pattern(r"\$module\b")


def opening_label(page: Page, index: int) -> str | None:
    """The code label of a block that opens here, spelt as the catalogue does, or ``None``."""
    line = LABELLED.fullmatch(page.line(index))
    if line is None:
        return None
    label, value = line["label"], line["value"]
    number = NUMBER.fullmatch(value) is not None
    if Part.CODE in parts_of(label):
        if number or (value[:1].isdigit() and _is_followed_by_part(page, index)):
            return spelling(label)
        return None
    return spelling(label) if number and has_shape(page, index, alone=True) else None


def _is_followed_by_part(page: Page, index: int) -> bool:
    """Whether the next line is another part of a block: then a bad number is an error to report."""
    below = LABELLED.fullmatch(page.line(_next_text(page, index + 1)))
    return below is not None and bool(
        parts_of(below["label"]) & {Part.MODULE, Part.LINE, Part.FIELDS}
    )


def has_shape(page: Page, index: int, *, alone: bool = False) -> bool:
    """Whether module, line info and fields may follow a code line whose words nobody listed.

    A configuration file has ``retries: 3`` above ``options: {…}`` too, so either ``$module`` is
    there, or both a number and a line tag are. Where the shape ``alone`` makes the block, only
    ``$module`` does: without it nothing in a log of gigabytes would point there.
    """
    has_module = has_tag = False
    at = _next_text(page, index + 1)
    for _ in range(3):
        line = LABELLED.fullmatch(page.line(at))
        if line is None:
            return False
        value = line["value"]
        if is_module(value) and not has_module and not has_tag:
            has_module = True
        elif (_TAG.fullmatch(value) or not value) and not has_tag:
            has_tag = bool(value)
        else:
            return _has_fields(page, at, value, certain=has_module and has_tag and not alone)
        at = _next_text(page, at + 1)
    line = LABELLED.fullmatch(page.line(at))
    return line is not None and _has_fields(page, at, line["value"], certain=has_tag and not alone)


def _has_fields(page: Page, at: int, value: str, *, certain: bool) -> bool:
    if certain:
        return value.startswith("{") or FIELD_SHAPE.search(value) is not None
    near = "\n".join([value[:4096], *(page.line(at + i)[:4096] for i in range(1, 4))])
    return _MODULE_KEY.search(near) is not None


def is_module(value: str) -> bool:
    """Whether a value can be a module number."""
    return len(value) <= 5 and NUMBER.fullmatch(value) is not None


def _next_text(page: Page, index: int) -> int:
    """The next line that is not blank, at most three lines on."""
    for at in range(index, index + 3):
        if page.line(at):
            return at
    return index
