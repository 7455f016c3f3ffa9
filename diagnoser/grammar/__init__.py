"""The grammar of record: frames a text into blocks and parses each with pyparsing.

A line framer finds candidates and cuts them out; pyparsing over a whole log would be some 400
times slower (measured). A candidate that opens like a block and breaks the grammar is reported as
a fault with its place; nothing that opens is lost in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter

from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import documents, headlines
from diagnoser.grammar.absence import explain_absence
from diagnoser.grammar.fields import parse_fields
from diagnoser.grammar.forms import CONTEXT, Form, Framed
from diagnoser.grammar.moments import begins_entry, moment_of
from diagnoser.grammar.places import Places
from diagnoser.grammar.repeats import Repeats
from diagnoser.grammar.roster import FORMS
from diagnoser.grammar.spacing import close_up
from diagnoser.grammar.undressing import plain, undress, unescape
from diagnoser.grammar.wrapping import Unwrapped, unwrap
from diagnoser.model import ErrorBlock, Location, RawBlock, Skipped
from diagnoser.reading.framing import Page

__all__ = [
    "CONTEXT",
    "FORMS",
    "Form",
    "Reading",
    "explain_absence",
    "last_opening",
    "parse",
    "parse_fields",
    "read_blocks",
]

_PARSERS = {form.name: form.parse for form in FORMS}
MAX_BLOCKS = 20_000
# Nobody pastes more by hand, and to read it again and again takes time.
_MOST_DRESSED = 1 << 18
_MOST_CUTS = 64
# So few lines with a blank one between may as well be paragraphs, if nobody wrapped them.
_PARAGRAPHS = 4
_GOES_ON = "its last line may be wrapped, and what follows was not read with it"
# An entry of a log farther above a block than so many characters says nothing of its time.
NEAR = 512


@dataclass(frozen=True, slots=True)
class Reading:
    """All errors of one text in its order, what was left out, and candidates that do not parse.

    ``moments`` says of each block when it was logged, as ISO 8601: by its own time, or by that of
    the entry that stands above it; ``None`` where there is neither.
    """

    blocks: tuple[ErrorBlock, ...]
    skipped: tuple[Skipped, ...]
    faults: tuple[BlockSyntaxError, ...]
    moments: tuple[str | None, ...]


def parse(block: RawBlock) -> ErrorBlock:
    """One framed block. Raises ``BlockSyntaxError`` and nothing else."""
    return _PARSERS[block.form](block)


def read_blocks(
    text: str, source: str, first_line: int = 1, *, may_be_wrapped: bool = True
) -> Reading:
    """Frames ``text`` and parses every block. Never raises.

    ``source`` is the name that locations show, ``first_line`` the line of it that ``text`` begins
    with. No program wraps its log, so a piece of one need not be asked whether it is
    ``may_be_wrapped``. Time is linear in the text; at most ``MAX_BLOCKS`` blocks are parsed, and
    more are listed as skipped.
    """
    if not may_be_wrapped:
        return _read(Unwrapped(text), source, first_line)
    whole, bare = unwrap(text), undress(text)
    reading = _read_whole(bare, source, first_line, whole) if bare is not text else None
    if reading is None or not reading.blocks:
        reading = _read_joined(text, whole, source, first_line)
    for reshape in (plain, unescape):
        # A letter that is not seen, a mark or an escape may hide half of a chain.
        if (other := reshape(bare)) is not bare:
            inner = _read_whole(other, source, first_line, whole)
            reading = inner if _told_by(inner) > _told_by(reading) else reading
    # Blanks that were put in make lines longer than they were cut at.
    is_longer = len(bare) > len(text)
    for unwrapped, is_surer in _reshaped(text, bare, whole):
        inner = _read(unwrapped, source, first_line)
        worth, least = _worth_of(inner), _worth_of(reading)
        is_chained = worth[0] == least[0] and worth[2] > least[2]
        is_better = worth > least or (is_surer and is_chained)
        if not inner.faults and (is_better or (worth == least and (is_longer or is_surer))):
            reading = inner
    return reading


def _reshaped(text: str, bare: str, whole: Unwrapped) -> Iterator[tuple[Unwrapped, bool]]:
    """What else the text may have been: wrapped when it was dressed already, or spaced out; and
    whether words that a line break parted are whole or known only there."""
    if len(text) > _MOST_DRESSED:
        return
    if whole.text is not text:
        for reshape in (undress, unescape):
            if (other := reshape(whole.text)) is not whole.text:
                yield replace(whole, text=other), False
    for spaced in _spaced(text, bare, whole):
        if (closed := close_up(spaced.text)) is not None:
            other, table = closed
            inner = unwrap(other)
            if inner.text is other and other.count("\n") < _PARAGRAPHS:
                continue
            places = [spaced.places[line] for line in table] if spaced.places else table
            is_surer = inner.text is not other or bool(inner.cuts)
            yield replace(inner, places=[places[at] for at in inner.places] or places), is_surer


def _spaced(text: str, bare: str, whole: Unwrapped) -> Iterator[Unwrapped]:
    """What may be spaced out: lines that were wrapped before, or, put together, since."""
    yield Unwrapped(bare)
    joined = whole if bare is text else unwrap(bare)
    if joined.text is not bare and not joined.cuts:
        yield joined


def _worth_of(reading: Reading) -> tuple[int, int, int]:
    """More is told with more links; where as many are, with less damage, and in longer chains."""
    damage = sum(len(block.damage) for block in reading.blocks)
    return _frames_of(reading), -damage, -len(reading.blocks)


def _told_by(reading: Reading) -> tuple[int, int]:
    fields = sum(len(frame.fields) for block in reading.blocks for frame in block.frames)
    return _frames_of(reading), fields


def _frames_of(reading: Reading) -> int:
    return sum(len(block.frames) for block in reading.blocks)


def _read_whole(text: str, source: str, first_line: int, dressed: Unwrapped) -> Reading:
    """What was made of another text: nothing, if anything of it does not parse.

    Where that text was ``dressed``, its lines were of other lengths.
    """
    unwrapped = unwrap(text)
    if dressed.cuts and not unwrapped.cuts and not unwrapped.places:
        unwrapped = replace(unwrapped, cuts=dressed.cuts)
    reading = _read_joined(text, unwrapped, source, first_line)
    return replace(reading, blocks=()) if reading.faults else reading


def _read_joined(text: str, unwrapped: Unwrapped, source: str, first_line: int) -> Reading:
    reading = _read(unwrapped, source, first_line)
    if reading.faults and unwrapped.text is not text:
        # A fault shows the line that it is in as the reader has it.
        reading = _read(Unwrapped(text), source, first_line)
    return reading


def _read(unwrapped: Unwrapped, source: str, first_line: int) -> Reading:
    page = Page(unwrapped.text, source)
    places = Places(unwrapped.places, first_line - 1)
    blocks: list[ErrorBlock] = []
    faults: list[BlockSyntaxError] = []
    skipped: list[Skipped] = []
    repeats = Repeats(parse)
    for count, raw in enumerate(_frames(page, skipped, first_line - 1, places)):
        if count == MAX_BLOCKS:
            reason = f"more than {MAX_BLOCKS} error blocks; the rest was not read"
            skipped.append(Skipped(str(places.at(raw.at)), reason))
            break
        try:
            blocks.append(repeats.parse(raw))
        except BlockSyntaxError as error:
            faults.append(error)
    kept = without_headlines(blocks)
    moments = tuple(_moments(page, kept, first_line - 1))
    if unwrapped.cuts or unwrapped.open_ends:
        kept = tuple(_with_cuts(block, unwrapped, first_line) for block in kept)
    if unwrapped.places:
        kept = tuple(places.block(block) for block in kept)
    return Reading(kept, tuple(skipped), tuple(faults), moments)


def _with_cuts(block: ErrorBlock, unwrapped: Unwrapped, first_line: int) -> ErrorBlock:
    first = block.at.line - first_line
    last = first + block.text.count("\n")
    found = (cut for line in range(first, last + 1) for cut in unwrapped.cuts.get(line, ()))
    cuts = tuple(islice(dict.fromkeys(found), _MOST_CUTS))
    damage = (*block.damage, _GOES_ON) if last in unwrapped.open_ends else block.damage
    return replace(block, cuts=cuts, damage=damage)


def last_opening(text: str) -> int | None:
    """The index of the line that the last block of ``text`` begins with, or of one above it that
    tells what it is; ``None`` where no block stands above it."""
    opened = [
        (b.at.line - 1, b.text.count("\n")) for b in _frames(Page(text, ""), [], 0, Places((), 0))
    ]
    if len(opened) < 2:
        return None
    (above, size), (last, _) = opened[-2:]
    return max(above + size + 1, last - CONTEXT) if above < last else None


def _moments(page: Page, blocks: Sequence[ErrorBlock], above: int) -> Iterator[str | None]:
    """When each block was logged. Blocks that follow each other belong to one entry."""
    past, moment = 0, None
    for block in blocks:
        first = block.at.line - 1 - above
        moment = block.occurred_at or _moment_above(page, first, past, moment)
        past = max(past, first + 1 + block.text.count("\n"))
        yield moment


def _moment_above(page: Page, first: int, past: int, last: str | None) -> str | None:
    """The time of the entry that line ``first`` stands in or below; ``last`` is that of what ends
    at line ``past``."""
    room = NEAR
    for index in range(first, min(first, past) - 1, -1):
        if begins_entry(line := page.line(index)):
            return moment_of(line)
        if index < first and (room := room - len(page.raw[index])) < 0:
            return None
    return last


def _frames(page: Page, skipped: list[Skipped], above: int, places: Places) -> list[RawBlock]:
    """The blocks of all forms in order; where they overlap, the one that begins first has it.

    ``above`` lines of the source stand above the page.
    """
    claims: list[tuple[int, int, Framed]] = sorted(
        ((f.first, rank, f) for rank, form in enumerate(FORMS) for f in form.frame(page)),
        key=itemgetter(0, 1),
    )
    found: list[RawBlock] = []
    end, owner = 0, -1
    for first, rank, framed in claims:
        block = framed.block
        if block is not None:
            block = replace(block, at=Location(block.at.source, block.at.line + above))
        if first < end and rank != owner:
            if block is not None and framed.end > end:
                reason = f"begins inside the {FORMS[owner].name} block above it"
                skipped.append(Skipped(str(places.at(block.at)), reason))
            continue
        end, owner = max(end, framed.end), rank
        if block is not None:
            found.append(block)
    return found


def without_headlines(blocks: Sequence[ErrorBlock]) -> tuple[ErrorBlock, ...]:
    """Drops a headline whose chain is spelt out further down: it is the same error. So does a
    document that gives only the combined code (the ``kbLink`` of an activity)."""
    kept: list[ErrorBlock] = []
    following: ErrorBlock | None = None
    for index, block in reversed(list(enumerate(blocks))):
        if not (block.form == headlines.NAME or documents.is_outline(block)):
            following = block
        else:
            above = blocks[index - 1] if index and documents.is_outline(block) else None
            if any(b is not None and _is_same_chain(block, b) for b in (following, above)):
                continue
        kept.append(block)
    return tuple(reversed(kept))


def _is_same_chain(headline: ErrorBlock, block: ErrorBlock) -> bool:
    short, long = sorted(
        ([f.packed for f in headline.frames], [f.packed for f in block.frames]), key=len
    )
    return long[: len(short)] == short
