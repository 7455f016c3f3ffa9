"""The words of labelled blocks: what a label names, in which language, and patterns of them."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import cache

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.reading.framing import BLANKS

BLANK = f"[{re.escape(BLANKS)}]{{0,8}}"
COLONS = ":：﹕"
COLON = f"[{COLONS}]"
# Any label at all: short, and without the marks that only occur in values.
LABEL = r"""[^\s\d:：﹕|{}\[\]"'<>=][^:：﹕|{}\[\]"<>=\n]{0,47}?"""
# Long rows of hyphens, dashes or box lines; 24 or 20 in the product, 11 where people retype them.
DASHES = r"[-_=‐-―−─━]{8,}"


class Part(StrEnum):
    """What a label introduces."""

    HEADING = "heading"
    CODE = "code"
    MODULE = "module"
    LINE = "line"
    FIELDS = "fields"
    MESSAGE = "message"


def spelling(label: str) -> str:
    """``label`` as the catalogue spells it: composed, lower case, single blanks, plain quotes."""
    plain = unicodedata.normalize("NFKC", label).casefold()
    return " ".join(plain.replace("’", "'").replace("´", "'").split())


@cache
def _parts() -> dict[str, frozenset[Part]]:
    found: dict[str, set[Part]] = {}
    for row in catalog.labels():
        for part in Part:
            for label in getattr(row, part):
                found.setdefault(spelling(label), set()).add(part)
    return {label: frozenset(parts) for label, parts in found.items()}


def parts_of(label: str) -> frozenset[Part]:
    """What ``label`` introduces in some known language; empty if nobody listed it."""
    return _parts().get(spelling(label), frozenset())


@cache
def _languages() -> dict[str, str]:
    return {spelling(label): row.language for row in catalog.labels() for label in row.code}


def language_of(code_label: str) -> str | None:
    """The language whose word for "error code" this is: those words differ in all languages."""
    return _languages().get(spelling(code_label))


@cache
def words(part: Part) -> str:
    """A regular expression for all known labels of ``part``; needs ``re.IGNORECASE``."""
    labels = sorted((s for s, parts in _parts().items() if part in parts), key=len, reverse=True)
    return "(?:" + "|".join(map(flexible, labels)) + ")"


def flexible(label: str) -> str:
    """A regular expression for one label, whatever its blanks and quotes are.

    Each run of blanks is one: several that could trade blanks would take time without end.
    """
    plain = re.escape(" ".join(label.split()))
    return plain.replace(r"\ ", r"\s{1,48}").replace("'", "['’´`]")


@cache
def code_anchor() -> re.Pattern[str]:
    """A known code label with its colon, anywhere."""
    return pattern(words(Part.CODE) + BLANK + COLON, re.IGNORECASE)


LABELLED = pattern(rf"(?P<label>{LABEL}){BLANK}{COLON}{BLANK}(?P<value>.*)", re.DOTALL)
SEPARATOR = pattern(rf"(?:[^-:：\n]{{1,60}}{COLON}?{BLANK})?{DASHES}")
HEX = pattern(r"(?:0x)?[0-9a-f]{1,16}", re.IGNORECASE)
NUMBER = pattern(r"\d{1,10}")


@cache
def heading() -> re.Pattern[str]:
    """A heading line, whole, with or without its colon."""
    return pattern(rf"{words(Part.HEADING)}{BLANK}{COLON}?{BLANK}(?:{DASHES})?", re.IGNORECASE)
