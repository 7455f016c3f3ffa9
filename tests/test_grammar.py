"""Every sample reads as the table says; forms do not steal each other's lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from grammar_samples import FORMS_TABLE, OUTLINES

from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import FORMS, explain_absence, parse, read_blocks
from diagnoser.model import ErrorBlock, Location, RawBlock
from diagnoser.reading.encodings import decode

SAMPLES = Path(__file__).parents[1] / "sample_logs"

# name: form, language, frames, fields that must be there (frame, key, value)
TABLE: dict[str, tuple[str, str | None, str, list[tuple[int, str, str]]]] = {
    "labelled-en-ssl-write.txt": (
        "labelled",
        "en",
        "307/41 626/307",
        [(1, "address", "rs-us5-cloud.acronis.com"), (1, "port", "8443"), (1, "$line", "158")],
    ),
    "labelled-ja-ssl-write.txt": (
        "labelled",
        "ja",
        "626/307",
        [
            (0, "address", "rs-eu2-cloud.acronis.com"),
            (0, "port", "8443"),
            (0, "$file", r"e:\1903\core\network\astorage\reg_server\lib\ssl_connection.cpp"),
        ],
    ),
    "labelled-old-en.txt": (
        "labelled",
        "en",
        "667/13",
        [
            (0, "fesAddress", "baas-fes-us2.acronis.com:44445"),
            (0, "path", "/1/srv-files, full"),
            (0, "$module", "disk_bundle_vsa64_215"),
        ],
    ),
    "labelled-old-ja.txt": ("labelled", "ja", "1/8 7/16", [(0, "パーティションID", "219")]),
    "labelled-new-de.txt": (
        "labelled",
        "de",
        "309/22 667/403",
        [(0, "IsReturnCode", "1"), (1, "fesAddress", "baas-fes-eu4.acronis.com:44445")],
    ),
    "labelled-fr-dns.txt": (
        "labelled",
        "fr",
        "583/1 550/6",
        [(0, "host", "eu4-cloud.acronis.com"), (0, "port", "443")],
    ),
    "labelled-it-timeout.txt": ("labelled", "it", "583/1 550/28", [(0, "port", "8443")]),
    "labelled-nl-vss.txt": ("labelled", "nl", "149/1285 0/65520", [(1, "code", "2147942405")]),
    "labelled-ru-gateway.txt": (
        "labelled",
        "ru",
        "625/1 626/307",
        [(1, "address", "rs-ru3-cloud.acronis.com")],
    ),
    "labelled-pl-credentials.txt": ("labelled", "pl", "309/22 100/2", []),
    "labelled-es-certificate.txt": (
        "labelled",
        "es",
        "4/20 667/403",
        [(1, "fesAddress", "baas-fes-us5.acronis.com:44445")],
    ),
    "labelled-pt-connect.txt": (
        "labelled",
        "pt-BR",
        "307/41 3/1085",
        [(1, "address", "br01-cloud.acronis.com")],
    ),
    "labelled-hu-shape.txt": (
        "labelled",
        None,
        "626/307",
        [(0, "address", "rs-eu4-cloud.acronis.com"), (0, "port", "8443")],
    ),
    "labelled-ko-shape.txt": (
        "labelled",
        None,
        "626/307",
        [(0, "address", "rs-kr01-cloud.acronis.com"), (0, "port", "8443")],
    ),
    "labelled-quoted-mail.txt": (
        "labelled",
        "en",
        "583/1 550/35",
        [(0, "host", "us5-cloud.acronis.com"), (0, "port", "443")],
    ),
    "labelled-cut-off.txt": (
        "labelled",
        "en",
        "309/22 667/13",
        [(1, "fesAddress", "baas-fes-eu2.acronis.com:44445")],
    ),
    "labelled-bare-quotes-en.txt": (
        "labelled",
        "en",
        "583/23",
        [
            (0, "reason", 'server said "no such tenant" and\nclosed the connection'),
            (0, "port", "443"),
        ],
    ),
    "licence-sync-en.txt": (
        "labelled",
        "en",
        "309/22 657/18",
        [(1, "host", "eu2-cloud.acronis.com"), (1, "port", "443")],
    ),
    "storage-refused-en.txt": (
        "labelled",
        "en",
        "309/22 4/20 667/403",
        [(2, "fesAddress", "baas-fes-eu2.acronis.com:44445")],
    ),
    "dns-not-resolved-en.txt": (
        "labelled",
        "en",
        "583/1 550/6",
        [(0, "host", "eu2-cloud.acronis.com"), (0, "httpStatus", "502")],
    ),
    "timeout-550-28-en.txt": (
        "labelled",
        "en",
        "583/1 550/28",
        [(0, "host", "us5-cloud.acronis.com")],
    ),
    "http-503-en.txt": ("labelled", "en", "657/18", [(0, "httpStatus", "503")]),
    "consul-en.txt": ("labelled", "en", "657/18 550/6", [(0, "httpStatus", "500")]),
    "port-taken-en.txt": (
        "labelled",
        "en",
        "3/2 660/13",
        [(1, "Address", "127.0.0.1"), (1, "Port", "43234")],
    ),
    "not-network-vss-en.txt": (
        "labelled",
        "en",
        "309/22 149/1285 0/65520",
        [(2, "code", "2147754758")],
    ),
    "quota-657-30-en.txt": ("labelled", "en", "309/22 657/30", []),
    "credentials-100-2-en.txt": ("labelled", "en", "100/2", [(0, "account", "backup@example.com")]),
    "closed-port-en.txt": (
        "labelled",
        "en",
        "307/41 3/1085",
        [(1, "address", "us5-cloud.acronis.com"), (1, "port", "8443")],
    ),
    "piped-en-ssl-write.txt": (
        "piped",
        "en",
        "309/22 626/307",
        [
            (0, "IsReturnCode", "0x1"),
            (1, "address", "rs-us5-cloud.acronis.com"),
            (1, "port", "8443"),
            (1, "function", "AStorage::RegServer::SslConnection::Execute"),
            (1, "function", "ssl_write"),
        ],
    ),
    "piped-one-line-en.txt": (
        "piped",
        "en",
        "583/1 550/28",
        [(0, "host", "us5-cloud.acronis.com"), (0, "port", "0x1bb")],
    ),
    "piped-de-storage.txt": (
        "piped",
        "de",
        "4/20 667/403",
        [(1, "fesAddress", "baas-fes-eu4.acronis.com:44445")],
    ),
    "piped-es-vss.txt": ("piped", "es", "149/1285 0/65520", [(1, "code", "0x80070005")]),
    "piped-no-bars.txt": (
        "piped",
        "en",
        "100/2 626/307",
        [(1, "address", "rs-us5-cloud.acronis.com"), (1, "port", "8443")],
    ),
    "document-dns.json": (
        "document",
        None,
        "583/1 550/6",
        [(0, "host", "us5-cloud.acronis.com"), (0, "port", "443")],
    ),
    "headline-en.txt": ("headline", "en", "309/22 0/65520", [(1, "code", "0x80070005")]),
}
NO_BLOCK = {"card-only-en.txt", "piped-info-only.log", "looks-like-errors.log"}


def read(name: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(decode((SAMPLES / name).read_bytes()), name)
    assert reading.faults == ()
    assert reading.skipped == ()
    return reading.blocks


def names(block: ErrorBlock) -> str:
    return " ".join(f.name for f in block.frames)


def test_every_sample_is_in_the_table_and_in_the_index() -> None:
    files = {p.name for p in SAMPLES.iterdir()} - {"README.md"}
    assert files == TABLE.keys() | FORMS_TABLE.keys() | OUTLINES.keys() | NO_BLOCK
    index = (SAMPLES / "README.md").read_text("utf-8")
    assert not [n for n in sorted(files) if f"`{n}`" not in index]
    assert {f.sample for f in FORMS} <= files


@pytest.mark.parametrize("name", TABLE)
def test_a_sample_reads_as_one_error(name: str) -> None:
    form, language, frames, fields = TABLE[name]
    (block,) = read(name)
    assert (block.form, block.language, names(block)) == (form, language, frames)
    for index, key, value in fields:
        assert (key, value) in [(f.key, f.value) for f in block.frames[index].fields]
    text = (SAMPLES / name).read_text("utf-8").split("\n")
    for frame in block.frames:
        assert text[frame.at.line - 1]
        for field in frame.fields:
            if not field.path and field.key.isascii():
                assert field.key in text[field.at.line - 1] or block.language in ("de", "es")


@pytest.mark.parametrize("name", sorted(NO_BLOCK))
def test_a_sample_without_failure_reads_as_none(name: str) -> None:
    assert read(name) == ()


@pytest.mark.parametrize("name", TABLE)
def test_damage_is_told_where_there_is_some_and_only_there(name: str) -> None:
    (block,) = read(name)
    assert bool(block.damage) == (name in {"labelled-cut-off.txt", "headline-en.txt"})


def test_all_samples_in_one_text_are_all_found() -> None:
    text = "\n\nThe next one came a day later.\n\n".join(
        (SAMPLES / n).read_text("utf-8") for n in TABLE
    )
    found = read_blocks(text, "all")
    assert found.faults == ()
    assert [names(b) for b in found.blocks] == [frames for _, _, frames, _ in TABLE.values()]


PIPE = """2018-08-16 22:04:16:969 10060 E00950505: Error 0x950505: An attempt has failed.
| trace level: error
| line: 0x1
| Event 0x900001: Error code: 14
| | line: 0x2
| $module: disk_bundle_vsa64_10330
|
| error 0x30002: Crash:
| Module: x
Error code: 14
| Reason: y
| line: 0x3
| httpBody: {"origin":{"module":550,"code":28,"text":"late"}}
|
| error 0x10424
2018-08-16 22:04:17:000 10060 E00030002: Error 0x30002: CannotBind
| line: 0x3
"""


def test_a_pipe_block_keeps_its_lines() -> None:
    first, second = read_blocks(PIPE, "mms.0.log").blocks
    assert names(first) == "149/1285 3/2 550/28 1/1060"
    assert first.frames[0].line_info == "0x1"
    assert ("event", "line", "0x2") in [(f.path, f.key, f.value) for f in first.frames[0].fields]
    assert first.frames[1].message == "Crash:\nModule: x\nError code: 14\nReason: y"
    assert first.frames[3].message is None
    assert first.occurred_at == "2018-08-16T22:04:16.969"
    assert (names(second), second.at.line) == ("3/2", 16)


def test_fields_before_module_are_no_message() -> None:
    (block,) = read_blocks(
        "| error 0x2720133: Could not\n| address: h.acronis.com\n| $module: x_vsa64_1", "log"
    ).blocks
    assert block.frames[0].message == "Could not"
    assert [f.key for f in block.frames[0].fields] == ["address", "$module"]
    assert "middle" in block.damage[0]


def test_one_line_may_hold_two_chains() -> None:
    details = "Details: 01234567-89ab-cdef-0123-456789abcdef: "
    text = f"x: {details}Error 0x1350016: A | line: 0x1 {details}Error 0x30002: B | line: 0x2"
    assert [names(b) for b in read_blocks(text, "log").blocks] == ["309/22", "3/2"]


@pytest.mark.parametrize(
    "text",
    [
        "Windows Update stopped with error 0x80070005: access denied",
        "Error 0x80070005: access denied",
        "Error 0x0: \n| line: 0x0",
        'retries: 3\noptions: {"a":1}',
        "port: 8443\nhost: x\n",
        "Error code: see below\nModule: none",
        "Fehlercode 0x80070005",
        "sum = 0x10+0x20",
        # Addresses, ranges and numbers of Windows.
        "Faulting module 0x77a10000+0x0003e2b4",
        "Faulting module error at 0x77a10000+0x0003e2b4",
        "BIOS range 0x00001000+0x0009f000",
        "BIOS range error 0x00001000+0x0009f000",
        "reserved 0x00990000+0x00120000 by the kernel",
        "Code: 0x00000139",
        "Error code: 0x00000139",
        "at ntdll+0x01330029+0x0003043D",
        '{"serCode": 1}',
        '{"origin": "https://example.com"}',
        "MODULE\n309\nMESSAGE\nx",
        "",
        "\n\n",
    ],
)
def test_what_is_no_error_gives_no_block(text: str) -> None:
    reading = read_blocks(text, "x")
    assert not reading.blocks
    assert not reading.faults
    assert isinstance(explain_absence(text, "x"), BlockSyntaxError)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("CODE 0x01330029+0x0003043D", "307/41 3/1085"),
        ("CODE0x01330029+0x0003043D\nDATE", "307/41 3/1085"),
        ("Fehlercode 0x02720133", "626/307"),
        ("Fehler 0x01350016+0x0000FFF0+0x80070005", "309/22 0/65520"),
        ("0x01990001+0x02720133", "409/1 626/307"),
        ("the console shows 0x01350016+0x02720133 today", "309/22 626/307"),
        ("Failed: 0x01990001+0x02720133 today", "409/1 626/307"),
        ("エラーコード：0x02720133", "626/307"),
        ("Code d'erreur 0x01350016+0x00010424+0x000003F8", "309/22 1/1060 0/1016"),
    ],
)
def test_headlines(text: str, frames: str) -> None:
    (block,) = read_blocks(text, "x").blocks
    assert (block.form, names(block)) == ("headline", frames)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("Error 0x640002: The credentials are incorrect.", "100/2"),
        ("Dear all,\n\nError 0x26a001a: Random bytes generation failed\n\nThanks", "618/26"),
        ("Registration: Error 0x3043d: Failed to connect to h.acronis.com:8443", "3/1085"),
    ],
)
def test_one_line_with_a_number_that_the_catalogue_has_is_an_error(text: str, frame: str) -> None:
    (block,) = read_blocks(text, "x").blocks
    assert (block.form, names(block)) == ("piped", frame)
    assert block.root.message


@pytest.mark.parametrize(
    "text",
    [
        "Error 0xa1006e: Failed to validate archive 'a'.",
        "Error 0x80070005: Access is denied",
        "Error 0x640002",
        "Error 0x640002:",
        "see Error 0x640002: it is about credentials",
    ],
)
def test_other_lines_with_a_number_are_not(text: str) -> None:
    assert read_blocks(text, "x").blocks == ()


BLOCKS = (
    "Error code: 41\nModule: 307\nMessage: a\n----------\nError code: 1085\nModule: 3\nMessage:"
)


def test_a_headline_is_the_error_spelt_out_below_it() -> None:
    same = read_blocks(f"Error code 0x01330029+0x0003043D\n{BLOCKS}", "x").blocks
    assert [b.form for b in same] == ["labelled"]
    other = read_blocks(f"Error code 0x01330029+0x00030002\n{BLOCKS}", "x").blocks
    assert [b.form for b in other] == ["headline", "labelled"]


def test_a_document_in_a_log_line_is_found_compact() -> None:
    line = 'x err returned: {"serCode":"0x0247","origin":{"code":36044828,"text":"late"}} end'
    (block,) = read_blocks(f"a\n{line}\n", "log").blocks
    assert (block.form, names(block), block.at.line) == ("document", "550/28", 2)
    assert block.root.message == "late"


def test_a_document_with_only_the_combined_code() -> None:
    (block,) = read_blocks('{"serCode":"0x02470001+0x226001c","reason":"r"}', "x").blocks
    assert names(block) == "583/1 550/28"
    assert block.frames[0].value("reason") == "r"


def test_a_document_that_is_cut_off_is_a_fault_with_its_place() -> None:
    reading = read_blocks('\n{"origin":{"module":550,"code":28,\n "text": oops', "x.json")
    assert reading.blocks == ()
    (fault,) = reading.faults
    assert (fault.line, fault.column) == (3, 10)
    assert fault.render().split("\n")[1:] == ['     "text": oops', "             ^"]


def test_parse_refuses_with_one_error_only() -> None:
    for form in FORMS:
        for text in ("", "x", "Error code", "{", "|", "Error code: ²", "{}", "[]", '"a"', "null"):
            with pytest.raises(BlockSyntaxError):
                parse(RawBlock(form.name, text, Location("x", 1)))


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, 1, "found an empty text"),
        ("hello\nworld", 1, 1, "an error block"),
        ("hello\n > Error code: see below", 2, 16, "a decimal error code after the label"),
        ("DATE\nMODULE\n309\nMESSAGE", 2, 1, "an error block"),
        ("it says error 0x80070005 there", 1, 9, "an error block"),
    ],
)
def test_absence_points_at_the_nearest_thing(
    text: str, line: int, column: int, expected: str
) -> None:
    error = explain_absence(text, "paste")
    assert (error.line, error.column) == (line, column)
    assert expected in error.expected
    assert error.hint


def test_a_block_without_its_first_line_has_no_number_made_up() -> None:
    text = (
        'Module: 626\nFields: {"$module":"x","address":"us5-cloud.acronis.com","port":"443"}\n'
        "Message: m\n"
    )
    for above in ("", "x: Error code: 307\n"):
        (block,) = read_blocks(above + text, "x").blocks
        assert (block.root.module, block.root.code, block.root.name) == (626, None, "626/?")
        assert block.root.value("address") == "us5-cloud.acronis.com"
        assert block.damage
    # Behind a quote it is read.
    assert read_blocks('"Error code: 307\n' + text, "x").blocks[0].root.name == "626/307"
