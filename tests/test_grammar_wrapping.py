"""What stands on one line and was wrapped by a mail client, a terminal or ``fold`` reads the same."""

from __future__ import annotations

import textwrap
import time

import pytest
from corpus import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert "connected to 203.0.113.45:44445" in unwrap(text).text


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
    assert unwrap(text).text == text


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
    assert unwrap(text).text == text
    whole = '"a line that goes on over its end and then ends"'
    assert whole in unwrap(wrapped).text
    joined = unwrap(f"{wrapped}\n{text}").text
    assert whole in joined
    assert joined.endswith(f"\n\n{text}")


@pytest.mark.parametrize(
    "piece",
    [
        "cl#\n",
        '"origin"\n',
        '{"origin":"\n',
        "Error code:\n",
        "Error 0x1 a|\n",
        "x\n",
        "エラー コード: ",
    ],
)
def test_unwrapping_takes_linear_time(piece: str) -> None:
    begun = time.process_time()
    unwrap(piece * (900_000 // len(piece)))
    assert time.process_time() - begun < 4


# -- every sample at every width ----------------------------------------------------------------

EVERY = tuple(sorted(path.name for path in SAMPLES.iterdir() if path.suffix in {".txt", ".log"}))


def endpoints(text: str) -> set[tuple[str, int]]:
    blocks = read_blocks(text, "x").blocks
    return {(e.host, e.port) for block in blocks for e in derive(block).endpoints}


def stripped(line: str, width: int) -> list[str]:
    """As a terminal shows it and is copied from: without blanks at the ends of lines."""
    return [part.rstrip(" ") for part in hard(line, width)]


@pytest.mark.parametrize("name", EVERY)
@given(wrap=st.sampled_from([hard, stripped, folded, mailed]), width=st.integers(40, 140))
@settings(max_examples=6, deadline=None)
def test_wrapping_makes_no_endpoint_that_is_not_there(name: str, wrap: object, width: int) -> None:
    """It may lose one. Half a host, or another port, would open a firewall for nothing."""
    text = (SAMPLES / name).read_text("utf-8")
    assert endpoints(wrapped(text, wrap, width)) <= endpoints(text)


@pytest.mark.parametrize("name", EVERY)
def test_what_was_not_wrapped_is_left_as_it_is(name: str) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    assert unwrap(text).text == text
    assert not unwrap(text).cuts


@pytest.mark.parametrize(
    ("name", "wrap", "width"),
    [
        # Two lines that go on, and both are full.
        ("consul-en.txt", hard, 61),
        ("consul-en.txt", hard, 64),
        ("session-tls.log", hard, 95),
        # At the very end of a link.
        ("installer-common-error.log", hard, 73),
        # Inside a URL, its scheme, a host, or a name of a field.
        ("set-up-linux.log", hard, 66),
        ("set-up-linux.log", hard, 118),
        ("download-atp.log", hard, 140),
        ("json-line-cut-off.log", hard, 119),
        ("labelled-hu-shape.txt", hard, 63),
        # Before a blank, and before the bar of a line that had several.
        ("piped-one-line-en.txt", hard, 133),
        ("piped-en-ssl-write.txt", hard, 53),
        # Behind `Fields:`, and in words between bars.
        ("labelled-hu-shape.txt", mailed, 60),
        ("labelled-en-ssl-write.txt", folded, 72),
        ("licence-sync-en.txt", folded, 60),
        ("piped-en-ssl-write.txt", mailed, 50),
        ("piped-stripped-en.txt", hard, 55),
        ("dns-not-resolved-en.txt", mailed, 80),
        # After it was quoted.
        ("labelled-quoted-mail.txt", hard, 43),
        # JSON over lines, and lines with a blank in front.
        ("registration-unknown-ca.txt", mailed, 60),
        ("command-acrocmd.txt", hard, 42),
        # Less than an entry and its severity on one line makes no error of it.
        ("piped-info-only.log", mailed, 50),
        ("looks-like-errors.log", hard, 44),
    ],
)  # fmt: skip
def test_a_wrapped_text_reads_as_it_was(name: str, wrap: object, width: int) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    assert told(read_blocks(wrapped(text, wrap, width), "x").blocks) == told(
        read_blocks(text, "x").blocks
    )


def test_joined_lines_keep_their_places() -> None:
    """Where the whole text was cut: of the block, of its frames and fields, of its text."""
    text = (SAMPLES / "piped-en-ssl-write.txt").read_text("utf-8")
    lines = wrapped(text, hard, 60).split("\n")
    (block,) = read_blocks("\n".join(lines), "x", first_line=11).blocks
    placed = [block.at, *(f.at for f in block.frames)]
    assert all("rror 0x" in "".join(lines[at.line - 11 : at.line - 9]) for at in placed)
    (port,) = [f for f in block.root.fields if f.key == "port"]
    assert lines[port.at.line - 11] == "| port: 8443"
    assert block.text.split("\n")[port.at.line - block.at.line] == "| port: 8443"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Which of the two it was, nobody can tell.
        ("GET on https://srv.example.c", "om:8443/x failed", []),
        ("connect to 'srv.example.com:84", "43' failed", []),
        ("connect to 203.0.113.4", "5:8443 failed", []),
        ("it did not answer: us", "2-cloud.acronis.com:8443 at all", []),
        ("it did not answer: eu2-cloud.acronis.com", ":9443 at all", []),
        # A word can go on before none of these, or behind.
        ("this server does not answer:", "'eu2-cloud.acronis.com:9443'", ["eu2-cloud.acronis.com:9443"]),
        ("it cannot be reached, it is", "eu2-cloud.acronis.com:9443", ["eu2-cloud.acronis.com:9443"]),
        ("refused by 'eu2-cloud.acronis.com:9443'", "again", ["eu2-cloud.acronis.com:9443"]),
        ("refused by eu2-cloud.acronis.com:9443", "again", ["eu2-cloud.acronis.com:9443"]),
    ],
)  # fmt: skip
def test_half_a_name_is_no_endpoint(first: str, second: str, expected: list[str]) -> None:
    """The longest line of a text may have been cut, and may as well have been written so."""
    text = f"Error code: 307\nModule: 626\nMessage: Something went wrong, {first}\n{second}\n"
    (block,) = read_blocks(text, "x").blocks
    derivation = derive(block)
    assert [f"{e.host}:{e.port}" for e in derivation.endpoints] == expected
    assert bool(derivation.refused) is (not expected)


def test_a_line_that_may_go_on_below_its_block_is_told() -> None:
    text = (
        "04.05.2020 11:27:52.143656 [0x0000203e] [0x00007f3e97492700] [error] [ServerProxy] :"
        " DownloadPackage()[140] https://srv.example.c\nom/v1/index: Connection timed out\n"
    )
    (block,) = read_blocks(text, "x").blocks
    assert block.damage == ("its last line may be wrapped, and what follows was not read with it",)
    assert not derive(block).endpoints


@pytest.mark.parametrize("wrap", [hard, folded])
@pytest.mark.parametrize("quote", ["", "> "])
def test_a_document_of_a_console_says_what_it_said(wrap: object, quote: str) -> None:
    whole = (SAMPLES / "document-console.json").read_text("utf-8")

    def said(text: str) -> list[object]:
        (block,) = read_blocks(text, "x").blocks
        return [(f.message, [(e.key, e.value) for e in f.fields]) for f in block.frames]

    for width in (60, 80, 100):
        assert said(wrapped(whole, wrap, width, quote)) == said(whole)
