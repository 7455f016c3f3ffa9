"""What stands on one line and was wrapped by a mail client, a terminal or ``fold`` reads the same."""

from __future__ import annotations

import textwrap
import time

import pytest
from corpus import SAMPLES

from diagnoser.endpoints import derive
from diagnoser.grammar import read_blocks
from diagnoser.grammar.wrapping import rejoin, unwrap
from diagnoser.model import ErrorBlock

ONE_LINERS = (
    "piped-one-line-en.txt",
    "piped-glued-en.txt",
    "piped-journald-en.txt",
    "flattened-en.txt",
    "session-tls.log",
    "document-dns.json",
    "document-in-log-line.log",
    "json-line-aakore.log",
)
WIDTHS = (60, 66, 72, 76, 78, 80)


def hard(line: str, width: int) -> list[str]:
    """As a terminal shows it."""
    return [line[i : i + width] for i in range(0, max(len(line), 1), width)]


def folded(line: str, width: int) -> list[str]:
    """As ``fold -s`` does: behind the last blank that fits, or within a long word."""
    found = []
    while len(line) > width:
        cut = line.rfind(" ", 0, width) + 1 or width
        found.append(line[:cut])
        line = line[cut:]
    return [*found, line]


def mailed(line: str, width: int) -> list[str]:
    """As a mail client does: at blanks, which it eats; long words stay whole."""
    return textwrap.wrap(
        line, width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    ) or [""]


def told(blocks: tuple[ErrorBlock, ...]) -> list[object]:
    return [
        ([f.name for f in b.frames], [str(e) for e in derive(b).endpoints], b.at.line > 0)
        for b in blocks
    ]


def wrapped(text: str, wrap: object, width: int, quote: str = "") -> str:
    assert callable(wrap)
    return "\n".join(quote + part for line in text.split("\n") for part in wrap(line, width))


@pytest.mark.parametrize("quote", ["", "> "])
@pytest.mark.parametrize("wrap", [hard, folded, mailed])
@pytest.mark.parametrize("name", ONE_LINERS)
def test_a_wrapped_line_reads_as_it_was(name: str, wrap: object, quote: str) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    whole = read_blocks(text, "x").blocks
    for width in WIDTHS:
        reading = read_blocks(wrapped(text, wrap, width, quote), "x")
        assert told(reading.blocks) == told(whole), (width, reading.faults)


@pytest.mark.parametrize(
    "name", ["labelled-ja-ssl-write.txt", "closed-port-en.txt", "licence-sync-en.txt"]
)
def test_a_hard_wrap_makes_no_other_endpoint(name: str) -> None:
    """Inside a name of a field, a number, or a host in the message."""
    text = (SAMPLES / name).read_text("utf-8")
    whole = told(read_blocks(text, "x").blocks)
    for width in range(40, 130):
        assert told(read_blocks(wrapped(text, hard, width), "x").blocks) == whole, width


def test_lines_keep_their_places() -> None:
    text = (SAMPLES / "piped-one-line-en.txt").read_text("utf-8")
    below = "Error code: 307\nModule: 626\nMessage: Could not perform SSL_write() call:\n"
    page = f"Hello,\n\n{wrapped(text, folded, 72)}\n\n{below}"
    found = [(b.form, b.at.line) for b in read_blocks(page, "x").blocks]
    assert found == [("piped", 3), ("labelled", page.split("\n").index("Error code: 307") + 1)]


def test_lines_of_one_length_are_no_terminal_where_another_goes_on_before_it() -> None:
    """Three lines of a mail are of 65 letters: glued, an address would be another word."""
    text = wrapped((SAMPLES / "session-tls.log").read_text("utf-8"), mailed, 66)
    assert "connected to 203.0.113.45:44445" in unwrap(text)


def test_a_number_is_never_read_in_halves() -> None:
    text = (SAMPLES / "piped-one-line-en.txt").read_text("utf-8")
    whole = told(read_blocks(text, "x").blocks)
    at = text.index("0x226001c")
    for width in range(at // 2 + 1, at // 2 + 5):
        assert told(read_blocks(wrapped(text, hard, width), "x").blocks) == whole


@pytest.mark.parametrize(
    "lines",
    [
        # Room for the next word was left: nobody wrapped it there.
        [
            "2026-11-20 10:15:14 the connection was refused by",
            "a",
            "server that nobody knows at all",
        ],
        ["short", "and short"],
        ["x" * 300, "y"],
    ],
)
def test_what_does_not_look_wrapped_is_left(lines: list[str]) -> None:
    assert rejoin(lines) is None


@pytest.mark.parametrize(
    "text",
    [
        # Three alike are one block that repeats, not three full lines.
        "Error code: 307\nModule: 626\nMessage: This server could not be reached at all: it is\n"
        "us5-cloud.acronis.com\n\n\n" * 3,
        "Error 0x2720133: refused\n| line: 0x1\n| host: a | b\n| $module: x\n",
        "2026-11-20T10:15:14 cl#1: connected\n2026-11-20T10:15:15 cl#1: closed\n",
        '{\n  "origin": {\n    "code": 1\n  }\n}\n',
        '{"level":"error","msg":"cut off\n2026-11-20T10:15:14 x: {"origin":{"code":1}}\n',
        # A line that is cut off does not swallow the beginning of the next.
        '{"origin":{"code":1}}\n{"level":"error","msg":"cut off\n{"level":"info","msg":"x"}\n',
    ],
)
def test_what_was_not_wrapped_is_not_joined(text: str) -> None:
    assert unwrap(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Error 0x1 a|\n" + "$module:" * 100_000 + " x\nfoo bar",
        "Error 0x1 a|\n" + "$module:" + "x" * 800_000 + " x\nfoo bar",
        '{"origin":1,"a":"' + '\\"' * 400_000,
        '{"origin":1,"a":"' + '\\\\"' * 300_000,
        "cl#" * 300_000,
        '"origin"' * 100_000,
    ],
    ids=range(6),
)
def test_a_hostile_line_is_read_to_its_end(text: str) -> None:
    """With a pattern that goes back over what it has seen, some take minutes."""
    wrapped = '{"origin": 1,\n"message": "a line that goes on over its end \nand then ends"}\n'
    assert unwrap(text) == text
    assert unwrap(f"{wrapped}\n{text}") == f"{unwrap(wrapped)}\n{text}"
    assert unwrap(wrapped) != wrapped


@pytest.mark.parametrize(
    "piece", ["cl#\n", '"origin"\n', '{"origin":"\n', "Error code:\n", "Error 0x1 a|\n", "x\n"]
)
def test_unwrapping_takes_linear_time(piece: str) -> None:
    begun = time.process_time()
    unwrap(piece * (900_000 // len(piece)))
    assert time.process_time() - begun < 4
