"""Labelled blocks: three generations, any language, and everything that pasting does to them."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser import catalog
from diagnoser.catalog import LabelRow
from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import parse, read_blocks
from diagnoser.model import ErrorBlock, Location, RawBlock

ROWS = {row.language: row for row in catalog.labels()}
PROVEN = ["en", "ja", "de", "fr", "it", "nl", "ru", "pl", "es", "pt-BR"]
UNLISTED = LabelRow(
    language="none",
    heading=(),
    code=("Mã lỗi",),
    module=("Mô-đun",),
    line=("Dòng",),
    fields=("Trường",),
    message=("Thông báo",),
    source="invented",
    proven=False,
)
THAI = LabelRow(
    "none", (), ("รหัส",), ("โมดูล",), ("บรรทัด",), ("ฟิลด์",), ("ข้อความ",), "", proven=False
)
FIELDS = '{"address":"rs-us5-cloud.acronis.com","port":"8443","$module":"isk_bundle_vsa64_29633"}'
TEXT = "Could not perform SSL_write() call:"


def read(text: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(text, "paste")
    assert reading.faults == ()
    return reading.blocks


def one(text: str) -> ErrorBlock:
    (block,) = read(text)
    return block


def names(block: ErrorBlock) -> str:
    return " ".join(f.name for f in block.frames)


def middle(row: LabelRow, colon: str = ": ") -> str:
    words = (row.code, row.module, row.line, row.fields, row.message)
    values = ("307", "626", "0x50e61e3e2e723ba3", FIELDS, TEXT)
    return "\n".join(f"{w[0].capitalize()}{colon}{v}" for w, v in zip(words, values, strict=True))


def assert_is_ssl_write(block: ErrorBlock) -> None:
    (frame,) = block.frames
    assert (frame.module, frame.code, frame.line_info) == (626, 307, "0x50e61e3e2e723ba3")
    assert frame.value("address") == "rs-us5-cloud.acronis.com"
    assert frame.value("port") == "8443"
    assert frame.message == TEXT
    assert block.damage == ()


def test_the_proven_languages_are_marked_so() -> None:
    assert [r.language for r in catalog.labels() if r.proven] == PROVEN


@pytest.mark.parametrize("language", sorted(ROWS))
@pytest.mark.parametrize("colon", [":", ": ", " : ", "：", "\u00a0:\u00a0"])
def test_every_language_and_colon(language: str, colon: str) -> None:
    block = one(middle(ROWS[language], colon))
    assert_is_ssl_write(block)
    assert block.language == language


@pytest.mark.parametrize("row", [UNLISTED, THAI], ids=["latin", "thai"])
@pytest.mark.parametrize("prose", ["", "Something: happened\nbefore this"])
def test_words_that_nobody_listed_are_read_by_shape(row: LabelRow, prose: str) -> None:
    block = one(f"{prose}\n{middle(row)}")
    assert_is_ssl_write(block)
    assert block.language is None
    chain = one(f"{'-' * 24}\n{middle(row)}\n{'-' * 24}\n{middle(row)}")
    assert names(chain) == "626/307 626/307"


def test_shape_works_for_the_new_and_the_old_generation() -> None:
    assert names(one(f"Mã lỗi: 41025843\nTrường: {FIELDS}\nThông báo: x")) == "626/307"
    old = (
        "Mã lỗi: 8\nMô-đun: 1\nDòng: 4a8728dc8a1c950b\nTrường: Id : 7, $module : d_lxa64_2\nTin: x"
    )
    block = one(old)
    assert names(block) == "1/8"
    assert [f.value for f in block.root.fields] == ["7", "d_lxa64_2"]
    assert block.root.message == "x"


@pytest.mark.parametrize(
    "dress",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "\n".join("> " + line for line in t.split("\n")),
        lambda t: "\n".join(">> > " + line for line in t.split("\n")),
        lambda t: "\n".join("\t\u00a0  " + line + " \u00a0" for line in t.split("\n")),
        lambda t: t.replace("\n", "\n\n"),
        lambda t: "\ufeff" + t,
        lambda t: "\n".join("* " + line for line in t.split("\n")),
        lambda t: t.replace("307", "３０７").replace("626", "６２６"),
        lambda t: re.sub("^[^:]+", lambda m: m[0].upper(), t, flags=re.MULTILINE),
        lambda t: "Additional info:------------------------\n" + t,
        lambda t: "Additional information:-----------\n\n" + t + "\n" + "-" * 24 + "\n",
        lambda t: "Hello,\nthis is what I get:\n" + t + "\nRegards\nA. Example",
        lambda t: "MODULE\n626\nMESSAGE\nx\n" + "-" * 24 + "\n" + t + "\n\nRegards",
        lambda t: t + "\n\nbest regards\nError code: see below",
    ],
)
def test_what_pasting_does_changes_nothing(dress: object) -> None:
    assert callable(dress)
    assert_is_ssl_write(one(dress(middle(ROWS["en"]))))


ARTICLE = """\
使用方法
多くの場合、チェックしなければいけないポートはエラーメッセージに記載されています。
エラーコード: 307
モジュール: 626
行情報: 0x50e61e3e2e723ba3
フィールド: {"$file":"d:\\\\1737\\\\core\\
network\\\\lib\\\\ssl_connection.cpp","address":"rs-ca01-cloud.acronis.com","port":"8443"}
メッセージ: Could not perform SSL_write() call:
ネットワークのトレースを行うユーティリティ(Wireshark など)を使用する場合、
例えば: openssl s_client -showcerts -connect baas-fes-eu.acronis.com:44445
"""


def test_an_article_around_a_block_is_no_part_of_it() -> None:
    block = one(ARTICLE)
    assert names(block) == "626/307"
    assert block.at.line == 3
    assert block.root.value("address") == "rs-ca01-cloud.acronis.com"
    assert block.root.value("port") == "8443"
    assert block.root.value("$file") == r"d:\1737\core\network\lib\ssl_connection.cpp"
    assert block.root.message == "Could not perform SSL_write() call:"
    assert "Wireshark" not in block.text


@pytest.mark.parametrize(
    ("code", "module", "name"),
    [
        ("20250646", None, "309/22"),
        ("22", None, "0/22"),
        ("65520", "0", "0/65520"),
        ("65535", None, "0/65535"),
        ("65536", None, "1/0"),
        ("4294967295", None, "65535/65535"),
        ("20250646", "309", "309/22"),
        ("22", "", "0/22"),
    ],
)
def test_code_and_module(code: str, module: str | None, name: str) -> None:
    line = "" if module is None else f"Module: {module}\n"
    assert names(one(f"Error code: {code}\n{line}LineInfo: \nFields: \nMessage: x")) == name


def test_a_chain_needs_no_separators() -> None:
    text = "\n".join(
        f'Error code: {n}\nModule: 309\nFields: {{"n":"{n}"}}\nMessage: m{n}' for n in (1, 2, 3)
    )
    block = one(text)
    assert names(block) == "309/1 309/2 309/3"
    assert [f.message for f in block.frames] == ["m1", "m2", "m3"]
    assert [f.at.line for f in block.frames] == [1, 5, 9]


def test_messages_may_be_long_empty_or_missing() -> None:
    sep = "-" * 24
    text = f"""{sep}
Error code: 1
Module: 309
Message: Server stack trace:
   at System.Net.Send()

Reason: none
{sep}
Error code: 2
Module: 309
Message:\u00a0
{sep}
Error code: 3
Module: 309
{sep}
Error code: 4
Module: 309
Message:
on the next line
{sep}
"""
    block = one(text)
    assert [f.message for f in block.frames] == [
        "Server stack trace:\nat System.Net.Send()\n\nReason: none",
        "",
        None,
        "on the next line",
    ]


def test_two_errors_in_one_mail_are_two_blocks() -> None:
    sep = "-" * 24
    block = f"Additional info:\n{sep}\n{middle(ROWS['en'])}\n{sep}\n"
    assert len(read(block + block)) == 2
    assert len(read(f"{block}\nand on the other machine\n\n{block}")) == 2
    assert len(read(f"{sep}\n{middle(ROWS['en'])}\n{sep}\n\n{sep}\n{middle(ROWS['de'])}")) == 2
    prose = "\nThat was the first. Here comes another one, from another machine:\n"
    assert len(read(f"See:\n{middle(ROWS['en'])}\n\n{prose}\n{middle(ROWS['en'])}")) == 2


@pytest.mark.parametrize(
    ("end", "names_", "damage"),
    [
        ("Error code: 307", "0/307", "before the fields"),
        ("Error code: 307\nModule: 626", "626/307", "before the fields"),
        ("Error code: 307\nModule: 626\nLineInfo: 0x50e", "626/307", "before the fields"),
        ('Error code: 307\nModule: 626\nFields: {"address":"rs', "626/307", "value of 'address'"),
        ('Error code: 307\nModule: 626\nFields: {"a":"b"}', "626/307", "before the message"),
    ],
)
def test_a_cut_off_block_reads_as_far_as_it_goes(end: str, names_: str, damage: str) -> None:
    block = one(f"------------------------\nError code: 22\nModule: 309\nMessage: x\n{end}")
    assert names(block) == f"309/22 {names_}"
    assert damage in " ".join(block.damage)


@given(st.data())
@settings(max_examples=150)
def test_cut_anywhere_after_its_code_line_it_still_is_that_error(data: st.DataObject) -> None:
    text = middle(ROWS["en"])
    first = text.index("\n")
    end = data.draw(st.integers(first, len(text)))
    block = one(text[:end])
    assert len(block.frames) == 1
    assert block.root.code == 307
    address = block.root.value("address")
    assert address in (None, "rs-us5-cloud.acronis.com")
    assert block.root.value("port") in (None, "8443")
    if end < text.index("Message:"):
        assert block.damage


def test_machine_translated_and_msi_variants() -> None:
    back = f"Additional information:\nError code: 41025843\nField: {FIELDS}\nMessage: x"
    assert one(back).root.value("port") == "8443"
    msi = (
        "Error code: 13\nModule: 667\n"
        "LineInfo: a5695862aaf8e6f9, e:\\1\\core\\a.cpp, Core::A, 158\n"
        "Fields:  $module : msi_vs_s_1, path : C:\\a\nMessage: x"
    )
    assert one(msi).root.line_info == "a5695862aaf8e6f9"
    assert one(msi).root.value("$module") == "msi_vs_s_1"


def test_languages_may_mix_inside_a_block() -> None:
    text = f"Fehlercode: 307\nModule: 626\nLineInfo: 0x1\nChamps: {FIELDS}\nBericht: x"
    block = one(text)
    assert (names(block), block.language, block.root.message) == ("626/307", "de", "x")


def test_prose_below_a_code_line_is_no_module() -> None:
    block = one("Error code: 22\nDuration: 12\nAttempts: 3")
    assert names(block) == "0/22"
    assert block.damage


@pytest.mark.parametrize(
    ("text", "line", "column", "expected", "caret"),
    [
        (
            "\n  Error code: 22\n  Module: 30x9\nMessage: x",
            3,
            11,
            "a decimal number",
            "      Module: 30x9\n              ^",
        ),
        (
            "> Error code: 30x9\n> Module: 309",
            1,
            15,
            "a decimal number",
            "    > Error code: 30x9\n                  ^",
        ),
        (
            "Error code: 20250646\nModule: 310\nMessage: x",
            2,
            9,
            "a module number that agrees with the code, 309",
            "    Module: 310\n            ^",
        ),
        (
            "Error code: 9999999999\nModule: 1",
            1,
            13,
            "an error code up to 4294967295",
            "    Error code: 9999999999\n                ^",
        ),
        (
            "Error code: 1\nModule: 65536",
            2,
            9,
            "a module number up to 65535",
            "    Module: 65536\n            ^",
        ),
    ],
)
def test_a_wrong_number_is_a_fault_with_its_place(
    text: str, line: int, column: int, expected: str, caret: str
) -> None:
    reading = read_blocks(text, "agent.log")
    assert reading.blocks == ()
    (fault,) = reading.faults
    assert str(fault) == f"agent.log:{line}:{column}: expected {expected}"
    assert fault.render() == f"{fault}\n{caret}"
    assert fault.hint


def test_one_bad_block_does_not_lose_the_next() -> None:
    text = f"Error code: 1\nModule: 3x\n\nok:\n{middle(ROWS['en'])}"
    reading = read_blocks(text, "x")
    assert len(reading.faults) == 1
    assert [names(b) for b in reading.blocks] == ["626/307"]


def test_parse_refuses_a_block_that_goes_on_after_its_end() -> None:
    text = "Error code: 1\nModule: 2\nwhat is this"
    with pytest.raises(BlockSyntaxError) as caught:
        parse(RawBlock("labelled", text, Location("x", 10)))
    assert (caught.value.line, caught.value.column) == (12, 1)


# -- round trip ---------------------------------------------------------------------------------

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
PROSE = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
# Lines that are full of words look as if a mail client had wrapped them; such are put together.
SHORT = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=4), min_size=1, max_size=4
).map(" ".join)
LINES = st.one_of(st.lists(PROSE, min_size=1, max_size=1), st.lists(SHORT, min_size=2, max_size=3))
# Lines are read in NFC (a Mac pastes letters and accents apart), so values are written in it.
VALUE = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
    .map(lambda v: unicodedata.normalize("NFC", v))
    .filter(lambda v: not v.lstrip().startswith("{"))
)
LINK = st.tuples(
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(1, 2**64 - 1),
    st.dictionaries(WORD, VALUE, max_size=5),
    LINES,
)


def _json(fields: dict[str, str]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


@given(
    st.lists(LINK, min_size=1, max_size=5),
    st.sampled_from([*ROWS.values()]),
    st.sampled_from(["middle", "new"]),
    st.sampled_from([":", ": ", " : ", "："]),
    st.sampled_from(["", "Some prose: before it\n\n"]),
)
@settings(deadline=None)
def test_a_rendered_chain_reads_back(
    links: list[tuple[int, int, int, dict[str, str], list[str]]],
    row: LabelRow,
    generation: str,
    colon: str,
    prose: str,
) -> None:
    lines = [prose]
    for module, code, tag, fields, message in links:
        lines.append("-" * 24)
        if generation == "new":
            lines.append(f"{row.code[0]}{colon}{module << 16 | code}")
        else:
            lines.append(f"{row.code[0]}{colon}{code}")
            lines.append(f"{row.module[0]}{colon}{module}")
            lines.append(f"{row.line[0]}{colon}0x{tag:x}")
        lines.append(f"{row.fields[0]}{colon}{_json(fields)}")
        lines.append(f"{row.message[0]}{colon}" + "\n".join(message))
    block = one("\n".join(lines))
    assert block.language == row.language
    assert [(f.module, f.code) for f in block.frames] == [(m, c) for m, c, *_ in links]
    assert [{x.key: x.value for x in f.fields} for f in block.frames] == [x[3] for x in links]
    assert [f.message for f in block.frames] == ["\n".join(x[4]) for x in links]
    if generation == "middle":
        assert [f.line_info for f in block.frames] == [f"0x{x[2]:x}" for x in links]
    assert block.damage == ()


@given(st.lists(LINK, min_size=1, max_size=4), st.sampled_from([ROWS["en"], ROWS["ja"], THAI]))
@settings(deadline=None)
def test_the_old_generation_reads_back(
    links: list[tuple[int, int, int, dict[str, str], list[str]]], row: LabelRow
) -> None:
    lines = []
    for module, code, tag, fields, _ in links:
        plain = {k: "v" + "".join(c for c in v if c.isalnum()) for k, v in fields.items()}
        pairs = [f"{k} : {v}" for k, v in plain.items()] + ["$module : disk_bundle_lxa64_215"]
        lines += [
            "-" * 20,
            f"{row.code[0]}: {code}",
            f"{row.module[0]}: {module}",
            f"{row.line[0]}: {tag:016x}",
            f"{row.fields[0]}: {', '.join(pairs)}",
            f"{row.message[0]}: text",
        ]
    block = one("\n".join(lines))
    assert [(f.module, f.code) for f in block.frames] == [(m, c) for m, c, *_ in links]
    assert [len(f.fields) for f in block.frames] == [len(x[3]) + 1 for x in links]
    assert all(f.message == "text" for f in block.frames)
