"""A block that stands in a text many times is parsed once; of the others only the place differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnoser.grammar.places import moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagnoser.model import ErrorBlock, RawBlock

# What is remembered of one text; the same block comes again soon or hardly ever.
_MOST = 512


class Repeats:
    """The blocks of one text that ``parse`` has read, by what they say."""

    def __init__(self, parse: Callable[[RawBlock], ErrorBlock]) -> None:
        self._parse = parse
        self._known: dict[tuple[str, str], tuple[int, ErrorBlock]] = {}

    def parse(self, raw: RawBlock) -> ErrorBlock:
        """One block. What ``parse`` raises passes through."""
        key = raw.form, raw.text
        known = self._known.get(key)
        if known is not None:
            return moved(known[1], raw.at.line - known[0])
        block = self._parse(raw)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = raw.at.line, block
        return block
