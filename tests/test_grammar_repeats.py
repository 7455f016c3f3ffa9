"""A block that stands in a text many times is parsed once, and each has its own place."""

from __future__ import annotations

import pytest
from corpus import SAMPLES

from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import parse, read_blocks
from diagnoser.grammar.repeats import Repeats
from diagnoser.model import ErrorBlock, Location, RawBlock
from diagnoser.reading.encodings import decode

BLOCK = 'Error code: 307\nModule: 626\nFields: {"address":"eu2-cloud.acronis.com",\n"port":"1"}\n'


def test_the_same_block_is_parsed_once() -> None:
    asked: list[RawBlock] = []

    def count(raw: RawBlock) -> ErrorBlock:
        asked.append(raw)
        return parse(raw)

    repeats = Repeats(count)
    raws = [RawBlock("labelled", BLOCK, Location("x", line)) for line in (3, 11, 1)]
    assert [repeats.parse(raw) for raw in raws] == [parse(raw) for raw in raws]
    assert asked == raws[:1]
    other = RawBlock("labelled", BLOCK.replace("626", "627"), Location("x", 1))
    assert repeats.parse(other) == parse(other)


def test_what_does_not_parse_is_told_at_every_place() -> None:
    repeats = Repeats(parse)
    for line in (1, 7):
        raw = RawBlock("labelled", "Error code: 99999999999\nModule: 1\n", Location("x", line))
        with pytest.raises(BlockSyntaxError) as fault:
            repeats.parse(raw)
        assert fault.value.line == line


# The message of a block whose labels nobody listed goes on to the end of the text.
NAMES = {p.name for p in SAMPLES.iterdir() if p.suffix != ".md"} - {"labelled-hu-shape.txt"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_sample_that_repeats_reads_as_it_does_further_down(name: str) -> None:
    # What stands between keeps a chain from going on in the next.
    text = decode((SAMPLES / name).read_bytes()).strip() + "\n\nThat was it, and then again.\n\n"
    lines, once = text.count("\n"), read_blocks(text, "x", may_be_wrapped=False).blocks
    again = read_blocks(text * 3, "x", may_be_wrapped=False).blocks
    assert len(again) == 3 * len(once)
    for number in range(3):
        part = again[number * len(once) : (number + 1) * len(once)]
        below = read_blocks(text, "x", 1 + number * lines, may_be_wrapped=False).blocks
        assert [(b.frames, b.at, b.text) for b in part] == [(b.frames, b.at, b.text) for b in below]
