"""A block is found by its anchors, and reads the same wherever it stands in a log."""

from __future__ import annotations

from dataclasses import replace

import pytest
from grammar_anchors import BY_NAME, first_anchor, is_anchored
from grammar_samples import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.grammar import CONTEXT, FORMS, read_blocks
from diagnoser.model import ErrorBlock, Location
from diagnoser.reading.encodings import decode

TEXTS = {p.name: decode(p.read_bytes()) for p in sorted(SAMPLES.iterdir()) if p.name != "README.md"}
WITH_BLOCKS = [name for name, text in TEXTS.items() if read_blocks(text, name).blocks]
# What is pasted shows by the emptiness around it where it ends; what is logged needs none.
PASTED = {"labelled", "headline", "flattened", "image", "document"}
LOGGED = [n for n in WITH_BLOCKS if read_blocks(TEXTS[n], n).blocks[0].form not in PASTED]

NOISE = st.sampled_from(
    [
        "2018-08-16T22:04:16:412-03:00 10060 I00000000: DataStore: baas-fes-eu2.acronis.com",
        '2018-08-16 22:04:16:412 140574684256000 W00000000: Retrying, attempt = 3: "x"',
        '{"time":"2023-03-07T09:15:02.114+01:00","level":"info"  ,"msg":"agent {registered}"}',
        '{"level":"debug","time":"2025-02-17T19:29:23.3565527+01:00","msg":"opened","pid":1}',
        '<event id="1" type="Information" message="Started|| line: 0x0" code="0(0x0)"/>',
        "04.05.2020 11:27:51.141673 [0x0000203e] [0x00007f3e96e8f700] [debug] [U] : F()[1] x",
        "MSI (s) (9C:70) [13:37:13:557]: Invoking remote custom action. DLL: C:\\x.tmp,",
        "2023-06-22T09:46:15+0200:Dependencies check finished OK.",
        "Nov 19 21:14:04 backup01 acronis_mms[1187]: Command finished: 0x1 | none",
        "level=info; message=ready (rc=0)",
    ]
)  # fmt: skip


def read(text: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(text, "x")
    assert reading.faults == ()
    return reading.blocks


def moved(block: ErrorBlock, lines: int) -> ErrorBlock:
    def down(at: Location) -> Location:
        return Location(at.source, at.line + lines)

    frames = tuple(
        replace(f, at=down(f.at), fields=tuple(replace(x, at=down(x.at)) for x in f.fields))
        for f in block.frames
    )
    return replace(block, at=down(block.at), frames=frames)


def test_every_form_has_anchors_and_the_rarer_ones_are_not_too_short() -> None:
    for form in FORMS:
        assert form.anchors or form.name == "flattened"
        assert all(len(a) >= 3 and "\n" not in a for a in form.anchors), form.name
        assert 0 <= form.above <= 60


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_every_sample_is_found_by_an_anchor_near_its_top(name: str) -> None:
    for block in read(TEXTS[name]):
        assert is_anchored(block), (block.form, first_anchor(block))


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_a_block_reads_from_a_few_lines_above_its_anchor(name: str) -> None:
    text = ("an unrelated line\n" * 80) + "\n" * CONTEXT + TEXTS[name]
    for block in read(text):
        above = first_anchor(block)
        assert above is not None
        first = block.at.line - 1 + above - BY_NAME[block.form].above - CONTEXT
        lines = text.split("\n")[max(0, first) :]
        found = [moved(b, max(0, first)) for b in read("\n".join(lines))]
        assert block in found


@given(st.sampled_from(WITH_BLOCKS), st.lists(NOISE, max_size=12), st.lists(NOISE, max_size=12))
@settings(max_examples=300, deadline=None)
def test_lines_before_and_after_change_nothing(
    name: str, before: list[str], after: list[str]
) -> None:
    gap = [""] * CONTEXT
    text = "\n".join([*before, *gap, TEXTS[name].rstrip("\n"), *gap, *after])
    alone = read(TEXTS[name].rstrip("\n"))
    assert read(text) == tuple(moved(b, len(before) + CONTEXT) for b in alone)


@given(st.sampled_from(LOGGED), st.lists(NOISE, max_size=12), st.lists(NOISE, max_size=12))
@settings(max_examples=300, deadline=None)
def test_entries_of_a_log_need_no_gap(name: str, before: list[str], after: list[str]) -> None:
    text = "\n".join([*before, TEXTS[name].rstrip("\n"), *after])
    alone = read(TEXTS[name].rstrip("\n"))
    assert read(text) == tuple(moved(b, len(before)) for b in alone)
