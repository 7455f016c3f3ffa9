"""Whatever text comes in is a reading or one kind of error, in time linear in its length."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from grammar_anchors import is_anchored
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
        '<event type="Error" message="', '" code="20,250,646(0x1350016)"', "/>", "</event>", "&#x41;",
        '{"level":"error" ,"msg":"', '","error":"', '\\"debug\\":{\\"msg\\":\\"x: tls: y', "a: dial tcp: b",
        "level=err; message=", "(rc=1), http = {.httpCode = 500, .code = X}", "Failed.\n500\n",
        "x\n    Error: 0x1510008\n", '    $module = "a_vs_1"\n', "    F : d:/a.cpp(1)\n",
        "MSIGEN:CommonError: code:3113460, message:", ", linetag:0431AC2339A572BB6h",
        "2023-06-22T09:46:15+0200:", "Failed", "curl: (60) ", "[error] [U] : F()[1] ",
        "04.05.2020 11:27:51.141673 [0x1] [0x2] ", "E:1: K:/a.cpp:1 (F) x", "x (0x70020)",
        " Tag = 0x1D8EAB676A3F6ABF", "cl#1: TLS connect failed with error 'x'",
        "cl#1: failed to start a session with a gateway: -3 (x)", "Error code: 1 Module: 2 ",
    ]
)  # fmt: skip


def check(text: str) -> None:
    reading = read_blocks(text, "fuzz")
    assert isinstance(reading, Reading)
    lines = text.count("\n") + 1
    for block in reading.blocks:
        assert block.frames
        assert is_anchored(block), block
        for frame in block.frames:
            assert frame.symbol or (frame.module is not None and frame.code is not None)
            assert frame.packed is None or 0 <= frame.packed <= 0xFFFFFFFF
            assert not frame.message or frame.message.encode()
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
    "blanks in an unlisted label": ("", "a" + " " * 40 + "b: 5\nModule: 3x\n$module : x\n"),
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

# The forms that are read without pyparsing.
HOSTILE_LOGS = {
    "events": ("", '<event a="b" '),
    "events without end": ("<event ", 'a="b" '),
    "events in a value": ('<event message="', "x\n"),
    "bars in a value": ('<event type="Error" message="Error 0x1: x', "||"),
    "entities": ('<event type="Error" message="Error 0x1: x', "&#32;"),
    "event texts": ("<event a='1'>", "x\n"),
    "blanks in an event": ("<event a='1'", " "),
    "levels": ("", '"level":"error"'),
    "levels in lines": ("", '{"level":"error","msg":"x"}\n'),
    "documents in msg": ('{"level":"error","msg":"', '{\\"a\\":'),
    "texts in msg": ('{"level":"error"', ',"msg":"'),
    "go": ('{"level":"error","msg":"', ": tls"),
    "registrations": ("", "level=err; message=x\n"),
    "registrations in a line": ("", "level=err; message="),
    "answers": ("", "level=err; message=x\nFailed.\n500\n{\n"),
    "pairs": ("level=err; message=x http = {", ".a = b, "),
    "commands": ("", 'x\nError: 0x1\n$module = "a"\n'),
    "commands without detail": ("", "Error: 0x1\n"),
    "details of commands": ("x\nError: 0x1\n", "f : a(1)\n"),
    "places": ("x\nError: 0x1\n", "f : a("),
    "installer": ("", "MSIGEN:CommonError: code:1, message:"),
    "installer lines": ("", "CommonError: code:1, message:, linetag:0h\n"),
    "set-up": ("", "2023-06-22T09:46:15+0200:Failed\n"),
    "set-up in a line": ("2023-06-22T09:46:15+0200:Failed", " curl: (6"),
    "downloads": ("", "04.05.2020 11:27:51.141673 [0x1] [0x2] [error] [U] : "),
    "download levels": ("", "[error] ["),
    "gateways": ("", "E:1: a:1 (F"),
    "gateway paths": ("", "E:1: a"),
    "images": ("", "a (0x70020) Tag = 0x1\n"),
    "images in a line": ("", "a (0x70020) Tag = 0x1 "),
    "tags": ("", "Tag = 0x1 "),
    "texts of images": ("Tag = 0x1 ", "a (0x"),
    "sessions": ("", "cl#1: TLS connect failed with error '"),
    "session lines": ("", "cl#1: failed to start a session with a gateway: -3\n"),
    "flattened": ("", "Error code: 1 Module: 2 Fields: x Message: y "),
    "flattened objects": ("", 'Error code: 1 Module: 2 Fields: {"a":"'),
    "flattened codes": ("", "Error code: 1 Module: "),
    "flattened dashes": ("Error code: 1 Module: 2 Message: ", "-"),
}


@pytest.mark.parametrize("name", HOSTILE_LOGS)
def test_a_megabyte_of_hostile_log_costs_linear_time(name: str) -> None:
    start, unit = HOSTILE_LOGS[name]
    text = start + unit * (1_000_000 // len(unit))
    started = time.process_time()
    read_blocks(text, "hostile")
    assert time.process_time() - started < 8


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_linear_time(name: str) -> None:
    start, unit = HOSTILE[name]
    text = start + unit * (SIZE // len(unit))
    started = time.process_time()
    read_blocks(text, "hostile")
    explain_absence(text, "hostile")
    # Some 1 s of the slowest; a quadratic pattern takes minutes.
    assert time.process_time() - started < 8
