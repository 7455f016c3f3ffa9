"""What a form of error is: a framer that cuts blocks out of a page and a parser for one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.model import ErrorBlock, RawBlock
    from diagnoser.reading.framing import Page


@dataclass(frozen=True, slots=True)
class Framed:
    """Lines ``first`` up to ``end`` (indices from 0) that belong to one form.

    ``block`` is ``None`` for lines that have the form but report no failure: another form must
    not find errors in them either.
    """

    first: int
    end: int
    block: RawBlock | None


class Framer(Protocol):
    """Finds the blocks of one form, in order, in time linear in the page."""

    def __call__(self, page: Page, /) -> Iterator[Framed]:
        """Yield the claims on the page's lines."""


class Parser(Protocol):
    """Reads one block; raises ``BlockSyntaxError`` and nothing else."""

    def __call__(self, block: RawBlock, /) -> ErrorBlock:
        """Return the chain."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form: ``opens`` says in words what its first line looks like, ``sample`` names a file in
    ``sample_logs/``.

    Every block of the form holds at least one of ``anchors`` (letter for letter) within its first
    lines, and at most ``above`` lines of it stand above the first anchor: by them a block is found
    in gigabytes. A block with one of ``spans`` may end in one of the next ``SPAN``
    entries of the log, with another of its anchors. Rare strings
    make good anchors; one that ordinary lines hold makes a scan slow. The labels of the catalogue
    are anchors of labelled and flattened blocks, and of headlines. A framer looks at no more than
    ``CONTEXT`` lines above a block and ``REACH`` below it.

    Only a few anchors can be looked for in large texts. A log whose entries all begin with
    ``own_stamp`` (a pattern that no other log's match) is searched for every one to its end.
    """

    name: str
    opens: str
    frame: Framer
    parse: Parser
    sample: str
    anchors: tuple[str, ...] = ()
    above: int = 4
    spans: tuple[str, ...] = ()
    own_stamp: str | None = None


# How far beyond its block a framer may look, so that a piece of a log frames like the whole.
CONTEXT = 4
REACH = 120
# How many entries may stand between the parts of a block that spans several, and the last of them.
SPAN = 8
# Bounds of one block. The longest chain seen has 9 links and some 120 lines.
MAX_LINES = 1200
MAX_FRAMES = 64
