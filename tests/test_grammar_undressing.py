"""What mail, chat, tickets and web pages put around an error does not change what is read of it."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable

import pytest
from grammar_samples import SAMPLES
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.endpoints import derive
from diagnoser.grammar import read_blocks
from diagnoser.grammar.undressing import plain, undress, unescape
from diagnoser.model import ErrorBlock
from diagnoser.reading.encodings import decode

NAMES = (
    "labelled-en-ssl-write.txt",
    "labelled-new-de.txt",
    "labelled-fr-dns.txt",
    "labelled-ru-gateway.txt",
    "licence-sync-en.txt",
    "storage-refused-en.txt",
    "piped-en-ssl-write.txt",
    "document-console.json",
)
Dress = Callable[[str], str]


def _lines(dress: Dress) -> Dress:
    return lambda text: "\n".join(map(dress, text.split("\n")))


DRESSES: dict[str, Dress] = {
    "page": _lines(lambda x: f"<p>{html.escape(x)}</p>"),
    "breaks": lambda t: f"<div>{html.escape(t)}</div>".replace("\n", "<br />\n"),
    "entities": lambda t: html.escape(t, quote=True),
    "quoted": _lines(lambda x: f"> > {x}"),
    "bullets": _lines(lambda x: f"- {x}"),
    "stars": _lines(lambda x: f"* {x}"),
    "table": _lines(lambda x: f"| {x} |"),
    "fence": lambda t: f"It says\n```text\n{t.strip()}\n```\nWhat is it?\n",
}
LABELLED = [n for n in NAMES if n.startswith(("labelled", "licence", "storage"))]


def read(text: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(text, "x")
    assert reading.faults == ()
    return reading.blocks


def seen(block: ErrorBlock) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """Names, words of messages, and fields, but for what blanks do inside of them."""
    return [
        (f.name, (f.message or "").split(), [(x.key, " ".join(x.value.split())) for x in f.fields])
        for f in block.frames
    ]


def told(block: ErrorBlock) -> list[str]:
    return [str(e) for e in derive(block).endpoints]


# Where there are but a few entities they may be the text's own.
PAIRS = [
    (dress, name)
    for dress in DRESSES
    for name in NAMES
    if dress != "entities" or html.escape(decode((SAMPLES / name).read_bytes())).count("&") >= 4
]


@pytest.mark.parametrize(("dress", "name"), PAIRS)
def test_a_dressed_error_reads_as_the_bare_one(dress: str, name: str) -> None:
    text = decode((SAMPLES / name).read_bytes())
    (bare,) = read(text)
    (found,) = read(DRESSES[dress](text))
    assert seen(found) == seen(bare)
    assert told(found) == told(bare)
    above = 2 if dress == "fence" else 0
    assert found.at.line == bare.at.line + above - (text[: len(text) - len(text.lstrip())]).count(
        "\n"
    ) * (dress == "fence")


def curved(opening: str, closing: str) -> Dress:
    """As a word processor does: by what stands in front."""
    single = {"“": "‘", "”": "’", "„": "‚"}

    def dress(text: str) -> str:
        for straight, first, last in (
            ('"', opening, closing),
            ("'", single.get(opening[0], "‘"), single.get(closing[-1], "’")),
        ):
            text = re.sub(rf"(?m)(^|[\s(\[{{<:,=]){straight}", rf"\1{first}", text)
            text = text.replace(straight, last)
        return text

    return dress


CURVED: dict[str, Dress] = {
    "english": curved("“", "”"),
    "german": curved("„", "“"),
    "french": curved("«\u00a0", "\u00a0»"),
    "swedish": curved("”", "”"),
    "quoted": lambda t: _lines(lambda x: f"> {x}")(curved("“", "”")(t)),
    "page": lambda t: DRESSES["page"](curved("“", "”")(t)),
}


# Other forms than the labelled one have tags and bars of their own.
CURVED_PAIRS = [
    (name, dress)
    for name in sorted(p.name for p in SAMPLES.iterdir() if p.suffix != ".md")
    for dress in CURVED
    if dress != "page" or name in LABELLED
]


@pytest.mark.parametrize(("name", "dress"), CURVED_PAIRS)
def test_quotes_that_a_word_processor_curved_are_straight_again(name: str, dress: str) -> None:
    text = decode((SAMPLES / name).read_bytes())
    whole, found = read_blocks(text, "x").blocks, read_blocks(CURVED[dress](text), "x").blocks
    assert [told(b) for b in found] == [told(b) for b in whole]
    assert [[(f.name, [x.key for x in f.fields]) for f in b.frames] for b in found] == [
        [(f.name, [x.key for x in f.fields]) for f in b.frames] for b in whole
    ]


def test_curved_quotes_that_were_always_there_stay() -> None:
    text = 'Error code: 307\nModule: 626\nFields: {"a":"x {“x”:“y”}","b":"‘1’"}\nMessage: L’agent “c”\n'
    (block,) = read(text)
    assert [f.value for f in block.root.fields] == ["x {“x”:“y”}", "‘1’"]
    assert block.root.message == "L’agent “c”"
    (sentence,) = read("Error code: 307\nModule: 626\nMessage: « a », “b”\n")
    assert sentence.root.message == "« a », “b”"


@pytest.mark.parametrize("name", LABELLED)
def test_an_error_whose_line_breaks_were_eaten_is_read(name: str) -> None:
    text = decode((SAMPLES / name).read_bytes())
    (bare,) = read(text)
    glued = "".join(line.strip() for line in text.split("\n"))
    for dressed in (
        glued,
        f'{{"id": 7, "details": {json.dumps(text)}, "state": "open"}}',
        "".join(f"<p>{html.escape(x)}</p>" for x in text.split("\n")),
    ):
        (found,) = read(dressed)
        assert [f.name for f in found.frames] == [f.name for f in bare.frames]
        assert found.at.line == 1
        assert told(found) == told(bare)
    assert " ".join(found.root.message or "") == " ".join(bare.root.message or "")


@pytest.mark.parametrize("name", ["labelled-en-ssl-write.txt", "labelled-fr-dns.txt"])
@pytest.mark.parametrize("tail", ["", "\r\nThis is all that the form took.\r\n"])
def test_a_string_that_was_cut_off_is_read_as_far_as_it_is_whole(name: str, tail: str) -> None:
    text = decode((SAMPLES / name).read_bytes()).strip()
    (bare,) = read(text)
    names, hosts = [f.name for f in bare.frames], {e.host for e in derive(bare).endpoints}
    document = f'{{"id": 7, "details": {json.dumps(text)}'
    whole = 0
    for at in range(document.index("Module"), len(document)):
        blocks = read(document[:at] + tail)
        found = [f.name for b in blocks for f in b.frames]
        assert found == names[: len(found)], document[at - 40 : at]
        assert {e.host for b in blocks for e in derive(b).endpoints} <= hosts, document[
            at - 40 : at
        ]
        whole += found == names
    assert whole > 100


def test_a_cell_of_a_table_of_tickets_is_read() -> None:
    text = decode((SAMPLES / "labelled-en-ssl-write.txt").read_bytes()).strip()
    (bare,) = read(text)
    doubled = text.replace('"', '""')
    (found,) = read(f'4711,"{doubled}",open\n')
    assert seen(found) == seen(bare)


def test_bold_labels_and_letters_that_nobody_sees() -> None:
    text = decode((SAMPLES / "storage-refused-en.txt").read_bytes())
    (bare,) = read(text)
    for label in ("Error code:", "Module:", "LineInfo:", "Fields:", "Message:"):
        text = text.replace(label, f"**{label}**")
    (found,) = read(text)
    assert seen(found) == seen(bare)
    spaced = decode((SAMPLES / "document-console.json").read_bytes()).replace(" ", "\u00a0")
    assert [f.name for f in read(spaced)[0].frames] == ["309/22", "161/212", "626/307"]
    hidden = text.replace("**", "").replace("Error code:", "Er\u00adror\u200b code:")
    assert [f.name for f in read(hidden)[0].frames] == [f.name for f in bare.frames]


def test_values_keep_their_blanks_and_signs_where_nothing_is_dressed() -> None:
    text = (
        'Error code: 307\nModule: 626\nFields: {"a":"x\u00a0y","b":"&lt;br&gt;","c":"- 1"}\n'
        "Message: a **b** c\n"
    )
    (block,) = read(text.replace("**b**", "b"))
    assert [f.value for f in block.root.fields] == ["x\u00a0y", "&lt;br&gt;", "- 1"]


@pytest.mark.parametrize(
    "text",
    [
        decode((SAMPLES / n).read_bytes())
        for n in ("event-console-export.xml", "event-native.xml", "piped-en-ssl-write.txt")
    ],
)
def test_what_has_tags_and_bars_of_its_own_is_left_alone(text: str) -> None:
    assert undress(text) is text


@given(st.text(alphabet='<>pbr/ "*|-`\n\\n&quot;{}:Error code1Module', max_size=300))
def test_lines_keep_their_number(text: str) -> None:
    for reshape in (undress, plain, unescape):
        assert reshape(text).count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "piece",
    [
        "<br>",
        "<p ",
        '"\\\\n',
        "**a",
        "- a\n",
        "|\n",
        "Error code: 1Module:",
        '{""a"',
        "```\n",
        "a=“",
        "{“a”:“",
    ],
)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    for reshape in (undress, plain, unescape):
        reshape(text)
    assert time.perf_counter() - began < 5


def test_an_error_beside_a_table_keeps_its_quotes() -> None:
    plain = (
        "Error code: 307\nModule: 626\n"
        'Fields: {"$module":"x","address":"us5-cloud.acronis.com","port":"443"}\n'
        "Message: m\n"
    )
    cell = plain.replace("us5", "eu2").replace('"', '""')
    for text in (f'1,"{cell}",b\n\n{plain}', f'{plain}\n1,"{cell}",b\n'):
        frames = [f for b in read_blocks(text, "x").blocks for f in b.frames]
        assert [f.name for f in frames] == ["626/307", "626/307"]
        hosts = {f.value("address") for f in frames}
        assert hosts == {"eu2-cloud.acronis.com", "us5-cloud.acronis.com"}
