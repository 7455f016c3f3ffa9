"""How wide text is: East Asian wide characters take two columns (UAX 11)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """How text is set: ``width`` in columns; ``verbose`` lists what else is only counted."""

    width: int = WIDTH
    verbose: bool = False


def columns(text: str) -> int:
    """The columns ``text`` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def shorten(text: str, room: int) -> str:
    """``text`` in at most ``room`` columns; what is cut off is marked by an ellipsis."""
    if columns(text) <= room:
        return text
    kept = ""
    for c in text:
        if columns(kept) + columns(c) > room - 1:
            break
        kept += c
    return kept.rstrip() + "…"
