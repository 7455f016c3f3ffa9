"""Distinguished names that stay recognisable when their owner's names have gone from them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from diagnoser import catalog
from diagnoser.model import Attribute, Name


def recognised(name: Name) -> tuple[object, object]:
    """Whom the catalogue sees in a distinguished name: a product, an expected issuer."""
    return catalog.interceptor(name), catalog.expected_issuer(name)


def with_vendor(old: Attribute, new: Attribute) -> Attribute:
    """The redacted attribute, with the word by which the catalogue knows its vendor."""
    if old == new:
        return new
    for pattern in _patterns(old.key):
        match = pattern.search(old.value)
        if match is None or not match[0] or pattern.search(new.value):
            continue
        front = f"{match[0]} {new.value}"
        return Attribute(new.key, front if match.start() == 0 else f"{new.value} {match[0]}")
    return new


def _patterns(key: str) -> Iterator[re.Pattern[str]]:
    for row in catalog.interceptors():
        yield from (pattern for keys, pattern in row.rules if key in keys)
    yield from (row.pattern for row in catalog.issuers() if row.attribute == key)
