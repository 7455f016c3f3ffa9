"""Whatever text comes in is a reading or one kind of error, in time linear in its length."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import FORMS, Reading, explain_absence, parse, read_blocks
from diagnoser.model import Location, RawBlock
from diagnoser.reading.encodings import decode

SAMPLES = [
    decode(p.read_bytes())
    for p in sorted((Path(__file__).parents[2] / "sample_logs").iterdir())
    if p.suffix != ".md"
]
PIECES = st.sampled_from(
    [
        "Error code: 307\n", "Error code: ", "Module: 626\n", "LineInfo: 0x1\n", "Fields: ",
        "Message: ",
        "エラーコード：３０７\n", "Xx: 5\n", "Yy: 6\n", "Zz: 0x12345678\n", 'Ff: {"$module":"x"}\n',
        "------------------------\n", "Additional info:", "\n", " ", "\u00a0", "> ", "| ", "|\n",
        '{"a":"b","', '"}', "{", "}", '"', "\\", "'", ":", ",", "a : b, ", '{"origin":{"module":1,',
        '"code":2}}', '"serCode":"0x1+0x2"', "Error 0x1350016: ", "error 0x10424", "line: 0x1\n",
        "$module: x\n", "2018-08-16T22:04:16:969-03:00 1 E01350016: ", "0x01350016+0x00A100D4",
        "CODE 0x01350016\n", "trace level: error\n", "Details: ", "e\u0301", "\0", "\ud7ff", "²",
    ]
)  # fmt: skip


def check(text: str) -> None:
    reading = read_blocks(text, "fuzz")
    assert isinstance(reading, Reading)
    lines = text.count("\n") + 1
    for block in reading.blocks:
        assert block.frames
        for frame in block.frames:
            assert 0 <= frame.module <= 0xFFFF
            assert 0 <= frame.code <= 0xFFFF
            assert block.at.line <= frame.at.line <= lines
            assert all(1 <= f.at.line <= lines for f in frame.fields)
            for field in frame.fields:
                field.value.encode()
    for fault in [*reading.faults, explain_absence(text, "fuzz")]:
        assert 1 <= fault.line <= lines
        assert fault.text == text.split("\n")[fault.line - 1]
        assert 1 <= fault.column <= len(fault.text) + 1
        assert fault.render()
        assert fault.hint


def check_parsers(text: str) -> None:
    for form in FORMS:
        with contextlib.suppress(BlockSyntaxError):
            assert parse(RawBlock(form.name, text, Location("fuzz", 1))).frames


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)
    check_parsers(text)


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=600, deadline=None)
def test_pieces_of_blocks_in_any_order_are_read_or_refused(text: str) -> None:
    check(text)
    check_parsers(text)


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_samples_are_read_or_refused(sample: str, data: st.DataObject) -> None:
    text = sample
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 20)))
        text = text[:at] + data.draw(st.one_of(st.text(max_size=5), PIECES)) + text[end:]
    check(text)


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(decode(data))


SIZE = 200_000
HOSTILE = {
    "code lines": ("", "Error code: 1\n"),
    "code lines with module": ("", "Error code: 1\nModule: 2\nMessage: x\n"),
    "code labels in one line": ("", "Error code: 1 "),
    "bare labels": ("", "Error code:"),
    "colons": ("", ":"),
    "shape": ("", "a: 1\nb: 2\nc: 0x12345678\n"),
    "dashes": ("x", "-"),
    "dashes apart": ("", "a-"),
    "separators": ("", "-----------\n"),
    "codes and separators": ("", "Error code: 1\n-----------\n"),
    "message without end": ("Error code: 1\nMessage: x\n", "a\n\n"),
    "quotes": ("Error code: 1\nFields: {", '"'),
    "backslashes": ('Error code: 1\nFields: {"a":"', "\\"),
    "commas": ('Error code: 1\nFields: {"a":"', '",'),
    "braces": ("Error code: 1\nFields: ", "{"),
    "brackets": ('Error code: 1\nFields: {"a":', "["),
    "unescaped documents": ("Error code: 1\nFields: {", '"a":"{"b'),
    "wrapped fields": ('Error code: 1\nFields: {"$module":"', "a\n"),
    "closed fields": ('Error code: 1\nFields: {"a":"x"}\n', '"}\n'),
    "old fields": ("Error code: 1\nFields: ", "a b : c, "),
    "nested documents": ('Error code: 1\nFields: {"httpBody":"', '{\\"a\\":'),
    "blanks": ("Error code: 1", " "),
    "blanks before colon": ("Error code", " "),
    "pipe heads": ("", "Error 0x10001: x\n"),
    "pipe heads in one line": ("", "Error 0x1: "),
    "causes": ("", "| error 0x10001: x\n"),
    "causes in one line": ("", "error 0x10001: | "),
    "bars": ("Error 0x10001: x\n", "|"),
    "bar lines": ("Error 0x10001: x\n", "| a: b\n"),
    "details": ("", "Details: Error 0x10001: x | "),
    "no bars": ("", "Error 0x10001: x\nline: 0x1\n"),
    "entries": ("", "2018-08-16T22:04:16:969-03:00 10060 E00950505: Error 0x950505: x\n"),
    "origins": ("", '"origin":'),
    "open documents": ("", '{"origin":1,'),
    "open documents by line": ("", '{"origin":[\n'),
    "documents in a list": ('{"a":[', '{"origin":{"module":1,"code":2}},'),
    "terms": ("", "0x00010001+"),
    "headlines": ("", "Error code 0x00010001+0x00010001\n"),
    "mail quotes": ("", "> "),
    "combining marks": ("Error code: 1\nMessage: ", "e\u0301"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_linear_time(name: str) -> None:
    start, unit = HOSTILE[name]
    text = start + unit * (SIZE // len(unit))
    started = time.process_time()
    read_blocks(text, "hostile")
    explain_absence(text, "hostile")
    # Some 1 s of the slowest; a quadratic pattern takes minutes.
    assert time.process_time() - started < 8
