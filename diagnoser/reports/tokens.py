"""Tokens in place of names: the same value has the same token in every spelling and every case."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from diagnoser.composing import composed
from diagnoser.deferral import pattern
from diagnoser.reports.naming import (
    TOKEN,
    Kind,
    canonical_host,
    domain_of,
    is_common,
    names_host,
)
from diagnoser.reports.traces import kind_of_address, shapes

_NUMBERED = pattern(r"((?:[a-z]+-)+)(\d{1,7})")
# Shorter words stand in too many others; they are replaced only where the place tells. Each letter
# may be a level of the search pattern, and those have an end.
_SHORTEST, _LONGEST = 3, 100

# Japanese and Chinese put no blank between a name and the words around it.
_DENSE = "[\u3040-\u9fff\uac00-\ud7af\uff66-\uff9f]"
_BEGIN = rf"(?:(?<![^\W_])|(?<={_DENSE})|(?={_DENSE}))"
_END = rf"(?:(?![^\W_])|(?={_DENSE})|(?<={_DENSE}))"

Tree = dict[str, "Tree"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one token stands for, as it was first seen. It never goes into a report."""

    token: str
    value: str


class Ledger:
    """Gives out tokens and remembers them; ``taken`` are those that the input already holds."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._tokens: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._spellings: dict[str, str] = {}
        for token in taken:
            for prefix, number in _NUMBERED.findall(token):
                known = self._counts.get(prefix, 0)
                self._counts[prefix] = max(known, int(number))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All tokens given out, in their order."""
        return tuple(Entry(t, v) for t, v in self._values.items())

    @property
    def spellings(self) -> dict[str, str]:
        """What may be searched for in any text (folded), and the token that stands for it."""
        return self._spellings

    def token(self, kind: Kind, value: str) -> str:
        """The token for ``value``; ``kind`` counts only where its form does not tell."""
        if is_common(value):
            return value
        found = next(shapes(value), None)
        if found is not None and (found.start, found.end) == (0, len(value)):
            # ``h.mueller`` has the form of a host; a place that says whose name it is knows better.
            if not (kind is Kind.USER and found.kind is Kind.HOST):
                kind = Kind(found.kind)
            elif known := self._spellings.get(fold(value)):
                return known
        if kind is Kind.HOST:
            return self._host(value)
        if kind in (Kind.ADDRESS, Kind.PRIVATE_ADDRESS):
            return self._address(kind, value)
        if kind in (Kind.GUID, Kind.MAC):
            digits = re.sub(r"[^0-9a-f]", "", value.lower())
            return self._given(kind, f"{kind}:{digits}", value)
        token = self._given(kind, fold(value), value)
        self._note(value, token)
        return token

    def _host(self, value: str) -> str:
        """One token a label, so that a name, its domain and a wildcard keep what they share."""
        name = canonical_host(value)
        if not names_host(name, told=True):
            return value
        labels = name.split(".")
        if len(labels) == 1:
            # In ``SRV-7\\jane`` it was taken for a domain; a machine has that place as well.
            token = self._spellings.get(fold(name)) or self._given(Kind.HOST, fold(name), value)
            self._note(value, token)
            return token
        domain = domain_of(name)
        above = self._given(Kind.DOMAIN, f"domain:{domain}", domain, suffix=".redacted")
        self._note(domain, above)
        own = labels[: len(labels) - domain.count(".") - 1]
        token = ".".join([*(self._label(x) for x in own), above])
        if own:
            self._values.setdefault(token, value)
            self._note(value, token)
            self._note(name, token)
        return token

    def _label(self, label: str) -> str:
        if is_common(label):
            return label
        token = self._given(Kind.HOST, fold(label), label)
        # A machine is also called by the first label alone, but ``mail`` is also a word.
        if not label.isalpha():
            self._note(label, token)
        return token

    def _address(self, kind: Kind, value: str) -> str:
        address = ipaddress.ip_address(value)
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return self._given(kind_of_address(value) or kind, f"address:{address}", value)

    def _given(self, kind: Kind, key: str, value: str, suffix: str = "") -> str:
        known = self._tokens.get(key)
        if known is not None:
            return known
        prefix = f"{kind}-"
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        token = f"{prefix}{self._counts[prefix]}{suffix}"
        self._tokens[key] = token
        self._values.setdefault(token, value)
        return token

    def _note(self, value: str, token: str) -> None:
        """Let ``value`` be searched for wherever it stands, unless that would hit plain words."""
        key = fold(value)
        shortest = _SHORTEST if key.isascii() else _SHORTEST - 1
        if not shortest <= len(key) <= _LONGEST or (key.isdigit() and len(key) < 6):
            return
        if is_common(key):
            return
        self._spellings.setdefault(key, token)
        if "xn--" in key:
            try:
                self._spellings.setdefault(key.encode("ascii").decode("idna"), token)
            except UnicodeError:
                return


def fold(text: str) -> str:
    """The spelling in which names are compared: NFKC, no case, single blanks."""
    return " ".join(composed(text, "NFKC").casefold().split())


def tokens_in(text: str) -> list[str]:
    """Tokens of an earlier redaction that stand in ``text``."""
    return [m[0] for m in TOKEN.finditer(text)]


def searcher(spellings: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of the (folded) spellings as whole words; ``None`` for none.

    Built as a tree of common beginnings, so that its time does not grow with their number.
    """
    tree: Tree = {}
    for word in spellings:
        node = tree
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    if not tree:
        return None
    return re.compile(rf"{_BEGIN}{_alternatives(tree)}{_END}", re.IGNORECASE)


def _alternatives(tree: Tree) -> str:
    branches = [
        # Any run of blanks stands for one; a line may have ended there.
        (r"\s{0,8}" if letter == " " else re.escape(letter)) + _alternatives(below)
        for letter, below in tree.items()
        if letter
    ]
    if not branches:
        return ""
    if "" in tree:
        return f"(?:{'|'.join(branches)})?"
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
