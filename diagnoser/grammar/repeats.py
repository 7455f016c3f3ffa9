"""A block that stands in a text many times is parsed once; of the others only the place differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagnoser.model import ErrorBlock, Location, RawBlock

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
            return _moved(known[1], raw.at.line - known[0])
        block = self._parse(raw)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = raw.at.line, block
        return block


def _moved(block: ErrorBlock, lines: int) -> ErrorBlock:
    def move(at: Location) -> Location:
        return replace(at, line=at.line + lines)

    frames = tuple(
        replace(f, at=move(f.at), fields=tuple(replace(x, at=move(x.at)) for x in f.fields))
        for f in block.frames
    )
    return replace(block, at=move(block.at), frames=frames)
