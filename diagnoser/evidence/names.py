"""Distinguished names as ``openssl s_client`` has printed them over the years.

Three notations: slashes (up to 1.0.2, and LibreSSL): ``/C=US/O=x``; quoted (1.1 to 3.1):
``C = US, O = "x, Inc."``; bare (from 3.2 on): ``C=US, O=x, Inc.``, where a comma inside a value can
be told from a separator only by what follows it. Blanks at the end of a value belong to it: the
country of Acronis' storage certificate is ``"CH "``.
"""

from __future__ import annotations

import re
from functools import cache

import pyparsing as pp

from diagnoser.deferral import pattern
from diagnoser.model import Attribute, Name

# Short names of OpenSSL's objects.txt that occur in subjects and issuers; others print as numbers.
KEYS = (
    "C|ST|S|L|O|OU|CN|DC|SN|GN|UID|dnQualifier|emailAddress|serialNumber|title|street|postalCode|"
    "businessCategory|organizationIdentifier|unstructuredName|unstructuredAddress|description|"
    "jurisdictionC|jurisdictionST|jurisdictionL|jurisdictionCountryName|"
    "jurisdictionStateOrProvinceName|jurisdictionLocalityName|pseudonym|initials|"
    "generationQualifier|name|userId|Email|E"
)
_KEY = rf"(?:{KEYS}|(?:OID\.)?\d+(?:\.\d+)+)(?=\s?=)"
LONGEST = 8192
_SPELLINGS = {"S": "ST", "E": "emailAddress", "Email": "emailAddress"}

_NEXT_SLASH = rf"(?=/{_KEY}=|\Z)"
# More blanks than these are looked behind from each of them, which takes their square.
_NEXT_COMMA = rf"(?=\s{{0,80}}[,+]\s{{0,80}}{_KEY}\s?=|\s{{0,80}}\Z)"
_NEXT_BARE = rf"(?=, {_KEY}=| \+ {_KEY}=|\Z)"


def _attribute(tokens: pp.ParseResults) -> Attribute:
    key = str(tokens[0]).removeprefix("OID.")
    return Attribute(_SPELLINGS.get(key, key), _unescaped(str(tokens[1])))


def _grammar(separator: str, equals: str, value: pp.ParserElement) -> pp.ParserElement:
    pair = pp.Regex(_KEY) + pp.Suppress(pp.Regex(equals)) + value
    pair.leave_whitespace()
    pair.set_parse_action(_attribute)
    gap = pp.Suppress(pp.Regex(separator)).leave_whitespace()
    return (pair + pp.ZeroOrMore(gap + pair)).leave_whitespace()


@cache
def _slashed() -> pp.ParserElement:
    value = pp.Regex(rf".*?{_NEXT_SLASH}", re.DOTALL)
    return pp.Suppress("/").leave_whitespace() + _grammar("/", "=", value)


@cache
def _quoted() -> pp.ParserElement:
    inside = pp.Regex(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
    inside.set_parse_action(lambda t: str(t[0])[1:-1])
    value = inside | pp.Regex(rf".*?{_NEXT_COMMA}", re.DOTALL)
    return _grammar(r"\s*[,+]\s*", r"\s*=\s*", value)


@cache
def _bare() -> pp.ParserElement:
    return _grammar(r", | \+ ", "=", pp.Regex(rf".*?{_NEXT_BARE}", re.DOTALL))


def read_name(text: str) -> Name | None:
    """The name that ``text`` spells in any of the three notations, or ``None``. Never raises."""
    bare = text.strip("\r\n\t ")
    # A blank at the end belongs to a bare value, unless it is the only thing on the line.
    kept = text.strip("\r\n\t").lstrip(" ")
    if not bare or len(text) > LONGEST:
        return None
    if bare.startswith("/"):
        return _read(_slashed(), bare)
    if re.match(rf"{_KEY} = ?", bare):
        return _read(_quoted(), bare)
    return _read(_bare(), kept)


def is_slashed(text: str) -> bool:
    """Whether the notation is that of OpenSSL up to 1.0.2 and of LibreSSL."""
    return text.lstrip().startswith("/")


def _read(grammar: pp.ParserElement, text: str) -> Name | None:
    try:
        found = grammar.parse_string(text, parse_all=False)
    except (pp.ParseBaseException, RecursionError):
        return None
    attributes = tuple(a for a in found if isinstance(a, Attribute))
    return Name(attributes) if attributes else None


_ESCAPE = pattern(r"(?:\\x?[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)


def _unescaped(value: str) -> str:
    r"""``\C3\A9`` and ``\xC3\xA9`` are bytes of UTF-8, ``\,`` is a comma."""

    def plain(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        digits = match[0].replace("\\x", "").replace("\\", "")
        return bytes.fromhex(digits).decode("utf-8", "replace")

    return _ESCAPE.sub(plain, value) if "\\" in value else value
