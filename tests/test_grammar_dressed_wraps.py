"""What was wrapped and dressed, in either order, or spaced out, reads as the bare text."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable

import pytest
from corpus import SAMPLES
from test_grammar_wrapping import (
    EVERY,
    endpoints,
    folded,
    hard,
    mailed,
    stripped,
    told,
    wrapped,
)

from diagnoser.endpoints import derive, recognise
from diagnoser.grammar import explain_absence, read_blocks
from diagnoser.grammar.spacing import close_up
from diagnoser.grammar.wrapping import unwrap

NAMES = (
    "labelled-en-ssl-write.txt",
    "labelled-fr-dns.txt",
    "licence-sync-en.txt",
    "closed-port-en.txt",
    "piped-one-line-en.txt",
)
Change = Callable[[str], str]
NOTE = "I copied this from the console and asked our provider, who sees nothing in his own logs. "


def cut(text: str) -> str:
    return wrapped(text, hard, 80)


def spaced(text: str) -> str:
    return text.replace("\n", "\n\n")


def marked(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>\n") + "<br>"


def paragraphs(text: str) -> str:
    return "\n".join(f"<p>{html.escape(line)}</p>" for line in text.split("\n"))


def glued(text: str) -> str:
    return "".join(line.strip() for line in text.split("\n"))


def indented(text: str) -> str:
    return "\n".join(f"\t    {line}" for line in text.split("\n"))


CHANGES: dict[str, Change] = {
    "cut, then HTML": lambda t: marked(cut(t)),
    "cut, then paragraphs": lambda t: paragraphs(cut(t)),
    "HTML, then cut": lambda t: cut(marked(t)),
    "glued, then cut": lambda t: cut(glued(t)),
    "spaced out": spaced,
    "cut, then spaced out": lambda t: spaced(cut(t)),
    "mailed, then spaced out": lambda t: spaced(wrapped(t, mailed, 72)),
    "folded, then spaced out": lambda t: spaced(wrapped(t, folded, 72)),
    "cut, then indented": lambda t: indented(cut(t)),
    "cut at 100 below a long line": lambda t: f"{NOTE * 4}\n\n{wrapped(t, hard, 100)}",
    "cut at 132 at a long line": lambda t: f"{NOTE * 4}\n{wrapped(t, hard, 132)}",
}


# What stands on one line has no line breaks to be eaten.
PAIRS = [
    (change, name)
    for change in CHANGES
    for name in NAMES
    if "glued" not in change or name.startswith(("labelled", "licence", "closed"))
]


@pytest.mark.parametrize(("change", "name"), PAIRS)
def test_a_wrapped_and_dressed_error_reads_as_the_bare_one(change: str, name: str) -> None:
    text = (SAMPLES / name).read_text("utf-8").strip()
    reading = read_blocks(CHANGES[change](text), "x")
    assert told(reading.blocks) == told(read_blocks(text, "x").blocks)
    assert reading.faults == ()


def test_half_of_a_word_stays_half_when_blanks_were_put_in() -> None:
    text = (
        'Error code: 18Module: 657LineInfo: 0x57D76ED4D7C6DB91Fields: {"$module":"ams_cor\n'
        "e_protection_addon_lxa64_5193\"}Message: HTTP error: GET on 'http://accountsrv.se\n"
        "rvice.consul/api/1/users/122841/' failed with code 500."
    )
    (block,) = read_blocks(text, "x").blocks
    assert derive(block).endpoints == ()
    assert "service.consul" in (block.root.message or "")


def test_half_of_a_host_below_a_line_that_nobody_wrapped_is_no_endpoint() -> None:
    block = (
        "Error code: 307\nModule: 626\nMessage: Something went wrong, GET on https://srv.example.c\n"
        "om:8443/x failed\n"
    )
    for text in (f"{NOTE * 4}\n\n{block}", f"{NOTE * 4}\n{block}"):
        (found,) = read_blocks(text, "x").blocks
        assert derive(found).endpoints == ()


def test_a_module_below_a_lost_line_is_no_code() -> None:
    block = (
        "Module: 555\nLineInfo: 616cda42bf9dd4dc, main.cpp, CheckADInstalled, 33\n"
        "Fields: $module : custom_actions_ab_vsa64_s_13400\nMessage: It is not installed."
    )
    (headless,) = read_blocks(block, "x").blocks
    assert (headless.root.name, bool(headless.damage)) == ("555/?", True)
    for quoted in (f'"Error code: 301\n{block}"', f'4711;\n"Error code: 301\n{block}";open\n'):
        (found,) = read_blocks(quoted, "x").blocks
        assert found.root.name == "555/301"
    escaped = json.dumps(f"Error code: 301\n{block}")
    assert [b.root.name for b in read_blocks(escaped, "x").blocks] == ["555/301"]


@pytest.mark.parametrize("at", range(20, 60))
def test_a_combined_code_is_never_read_in_halves(at: int) -> None:
    code = "0x015D06B1+0x00070021+0x0010C448+0x0000FFF0+0x80070032"
    text = '{\n  "build": 20463,\n  "serCode": "' + code + '",\n  "version": "15.0"\n}\n'
    (whole,) = read_blocks(text, "x").blocks
    for gap in ("\n", "\n\n", "\n> "):
        halves = text.replace(code, code[:at] + gap + code[at:])
        found = [[f.name for f in b.frames] for b in read_blocks(halves, "x").blocks]
        assert found in ([], [[f.name for f in whole.frames]])


def test_a_sentence_that_goes_over_lines_is_recognised() -> None:
    text = (
        "Error code: 3116\nModule: 91\nMessage: It tried to send the request, and then the underlying"
        "{}connection was closed{}unexpectedly\n"
    )
    one, two = (read_blocks(text.format(gap, gap), "x").blocks[0] for gap in (" ", "\n"))
    assert [r.key for r in recognise(two)] == [r.key for r in recognise(one)] == ["dotnet-closed"]


# Three lines with a blank one between may be three errors as well.
SPACED = tuple(name for name in EVERY if name != "image-corrupted.txt")


@pytest.mark.parametrize("name", SPACED)
@pytest.mark.parametrize("is_wrapped_first", [True, False])
def test_a_text_that_was_spaced_out_and_wrapped_loses_nothing_in_silence(
    name: str, is_wrapped_first: bool
) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    whole = read_blocks(text, "x").blocks
    for wrap in (hard, stripped, folded, mailed):
        for width in (72, 76, 100):
            one = wrapped(spaced(text), wrap, width)
            other = spaced(wrapped(text, wrap, width))
            reading = read_blocks(other if is_wrapped_first else one, "x")
            # Without any block it is said why there is none.
            is_said = not reading.blocks or bool(reading.faults or reading.skipped)
            is_said = is_said or any(b.damage for b in reading.blocks)
            chains = [[f.name for f in b.frames] for b in reading.blocks]
            assert is_said or chains == [[f.name for f in b.frames] for b in whole], (wrap, width)
            found = {(e.host, e.port) for b in reading.blocks for e in derive(b).endpoints}
            assert found <= endpoints(text), (wrap, width)


def test_places_are_those_of_a_text_that_was_spaced_out_and_then_wrapped() -> None:
    text = wrapped(spaced((SAMPLES / "command-acrocmd.txt").read_text("utf-8")), mailed, 72)
    (block,) = read_blocks(text, "x", first_line=11).blocks
    lines = text.split("\n")
    assert ["rror: 0x" in "".join(lines[f.at.line - 11 :][:5]) for f in block.frames] == [True] * 3
    (address,) = [f for f in block.frames[1].fields if f.key == "address"]
    assert "address" in lines[address.at.line - 11]


def test_lines_that_stand_together_and_had_room_are_no_text_that_was_spaced_out() -> None:
    block = "Error code: 307\n\nModule: 626\n\nMessage: refused\nby the host\n\nand more\n\nx"
    assert close_up(block) is None
    full = block.replace("refused", "refused by the host that everybody here asks for licences")
    assert close_up(full) is not None


def test_places_are_those_of_the_spaced_text() -> None:
    text = spaced((SAMPLES / "piped-en-ssl-write.txt").read_text("utf-8").strip())
    (block,) = read_blocks(text, "x", first_line=11).blocks
    lines = text.split("\n")
    (port,) = [f for f in block.root.fields if f.key == "port"]
    assert "port" in lines[port.at.line - 11]
    assert all("rror 0x" in lines[f.at.line - 11] for f in block.frames)


@pytest.mark.parametrize(
    "text",
    [
        "a\n\nb",
        "a\nb\n\nc\n\nd\n\ne\n\nf",
        "".join(f"2026-11-20T10:15:1{i} x: refused\n\n" for i in range(9)),
    ],
)
def test_paragraphs_and_entries_are_not_closed_up(text: str) -> None:
    assert close_up(text) is None


def test_three_errors_on_a_line_each_are_no_chain() -> None:
    one = "Error 0x{}: refused | line: 0x1 | $module: x_vsa64_1"
    text = "\n\n".join(one.format(n) for n in ("2720133", "2720134", "2720135"))
    assert [len(b.frames) for b in read_blocks(text, "x").blocks] == [1, 1, 1]


def test_lines_that_nobody_wrapped_are_left_beside_those_that_were() -> None:
    text = (SAMPLES / "labelled-en-ssl-write.txt").read_text("utf-8").strip()
    for page in (f"{NOTE * 4}\n\n{cut(text)}\n\n{NOTE * 4}", f"{NOTE * 4}\n{cut(text)}"):
        joined = unwrap(page).text.split("\n")
        assert joined[0] == NOTE * 4
        assert "\n".join(joined).count(NOTE * 4) == page.count(NOTE * 4)


def test_of_a_wrapped_text_without_an_error_it_is_said_that_it_is_wrapped() -> None:
    log = " ".join(f"{i:x}7 https://srv{i}.example.com:8443/v1/things/{i}" for i in range(40))
    wrong = explain_absence(f"Error code: many\n{wrapped(log, hard, 72)}", "x")
    assert wrong.hint is not None
    assert "looks wrapped" in wrong.hint
    right = explain_absence("Error code: many\nand no more", "x")
    assert right.hint is not None
    assert "looks wrapped" not in right.hint


@pytest.mark.parametrize(
    "piece",
    [
        "Error code: 22\n\nModule: 309\n\n",
        '"Error code: x\n',
        "<b>\n",
        "x" * 70 + "\n" + "y" * 300,
        '{"serCode": "0x01350016\n>"}\n',
        f"    {'z' * 76}\n",
    ],
)
def test_reading_in_another_shape_takes_linear_time(piece: str) -> None:
    def spent(size: int) -> float:
        begun = time.process_time()
        read_blocks(piece * (size // len(piece)), "x")
        return time.process_time() - begun

    short, long = spent(100_000), spent(400_000)
    assert long < 8 * short + 1
