"""Which mentions may be half of what was written: somebody wrapped the text inside a word there.

A host is whole where what stands beyond it cannot go on with it: a port behind it and no digit
behind that; a name of an Acronis domain, and neither a dot, a hyphen nor a port behind it; the name
of a known data centre, and nothing before it that a name goes on behind.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.endpoints.hosts import read_address, straighten

if TYPE_CHECKING:
    from diagnoser.model import Cut, ErrorBlock

_GOES_ON = pattern(r"[.:@/\\_=-]")
_PARTS = frozenset({"cloud", "rs", "baas", "fes", "agents", "account", "abgw"})


def may_be_half(host: str, port: str, block: ErrorBlock) -> bool:
    """Whether a mention touches a place at which the text of ``block`` may be cut, and stands
    nowhere else in it."""
    text = straighten(host) if block.cuts else ""
    if not text or not any(_is_halved(text, port, *pair) for pair in _pairs(block.cuts)):
        return False
    wanted = re.escape(f"{text}:{port}" if port else text)
    whole = rf"(?<![\w.-]){wanted}(?![\w-]|\.\w)"
    return re.search(whole, _uncut(block.text, block.cuts), re.IGNORECASE) is None


@lru_cache(maxsize=8)
def _pairs(cuts: tuple[Cut, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((straighten(c.tail).lower(), straighten(c.head).lower()) for c in cuts)


@lru_cache(maxsize=8)
def _uncut(text: str, cuts: tuple[Cut, ...]) -> str:
    """The text without the words that may be cut."""
    rest = straighten(text)
    for tail, head in _pairs(cuts):
        halves = rf"{re.escape(tail)}(?:[\s>]*{re.escape(head)}|\s*\Z)"
        rest = re.sub(halves, "\0", rest, flags=re.IGNORECASE)
    return rest


def _is_halved(host: str, port: str, tail: str, head: str) -> bool:
    name = host.lower()
    if name in tail and (end := _behind(name, port, tail)) is not None:
        return not _is_whole_above(name, end, head)
    return head.startswith(name) and not _is_whole_below(name, tail)


def _behind(host: str, port: str, tail: str) -> str | None:
    """The port, with its colon, behind a mention that a line ends in; ``None`` if it ends in
    something else."""
    found = re.search(rf"(?<![\w.-]){re.escape(host)}(?::(\d{{0,7}}))?\Z", tail)
    if found is None:
        return None
    digits = found[1]
    return "" if digits is None else f":{digits}" if port.startswith(digits) else None


def _is_whole_above(host: str, port: str, head: str) -> bool:
    if port:
        return len(port) > 1 and not head[0].isdigit()
    return catalog.host_row(host) is not None and not _GOES_ON.match(head)


def _is_whole_below(host: str, tail: str) -> bool:
    if _GOES_ON.match(tail[-1]):
        return False
    if read_address(host) is not None:
        return not tail[-1].isdigit()
    label = host.partition(".")[0].split("-")
    return catalog.host_row(host) is not None and all(p in _PARTS or p in _centers() for p in label)


@cache
def _centers() -> frozenset[str]:
    return frozenset(row.id for row in catalog.data_centers())
