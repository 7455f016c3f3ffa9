"""Every form but the labelled one: exact frames of the samples, and what each form must survive."""

from __future__ import annotations

import pytest
from grammar_samples import FORMS_TABLE, OUTLINES, SAMPLES, Block, Frame

from diagnoser.endpoints import derive, recognise
from diagnoser.grammar import read_blocks
from diagnoser.model import ErrorBlock, ErrorFrame
from diagnoser.reading.encodings import decode


def sample(name: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(decode((SAMPLES / name).read_bytes()), name)
    assert reading.faults == ()
    assert reading.skipped == ()
    return reading.blocks


def read(text: str) -> tuple[ErrorBlock, ...]:
    reading = read_blocks(text, "x.log")
    assert reading.faults == ()
    return reading.blocks


def one(text: str) -> ErrorBlock:
    (block,) = read(text)
    return block


def names(block: ErrorBlock) -> str:
    return " ".join(f.name for f in block.frames)


def seen(frame: ErrorFrame) -> Frame:
    fields = {(f"{f.path}/{f.key}" if f.path else f.key): f.value for f in frame.fields}
    assert len(fields) == len(frame.fields)
    return Frame(frame.name, frame.at.line, frame.message, fields, frame.line_info)


@pytest.mark.parametrize("name", FORMS_TABLE)
def test_a_sample_reads_to_the_letter(name: str) -> None:
    blocks = [
        Block(
            b.form, b.at.line, tuple(map(seen, b.frames)), b.occurred_at, language=b.language
        )
        for b in sample(name)
    ]  # fmt: skip
    wanted = FORMS_TABLE[name]
    assert [(b.form, b.line, b.at, b.language) for b in blocks] == [
        (b.form, b.line, b.at, b.language) for b in wanted
    ]
    assert [b.frames for b in blocks] == [b.frames for b in wanted]
    for found, expected in zip(sample(name), wanted, strict=True):
        assert bool(found.damage) == bool(expected.damage)
        assert expected.damage in "; ".join(found.damage)


@pytest.mark.parametrize("name", OUTLINES)
def test_a_long_sample_reads_in_outline(name: str) -> None:
    (block,) = sample(name)
    assert names(block) == OUTLINES[name]
    assert block.damage == ()


def test_a_message_of_several_bars_and_repeated_keys_stay_apart() -> None:
    (block,) = sample("piped-message-lines-en.txt")
    said = "The service was restarted:\nProcess: mms.exe\nReason: unhandled exception"
    assert block.root.message == f"{said}\nError code: 14"
    functions = [f.value for f in block.root.fields if f.key == "function"]
    assert functions == ["ServiceHost::Run", "run_service"]


@pytest.mark.parametrize(
    ("name", "endpoint", "suspect"),
    [
        ("session-tls.log", "203.0.113.45:44445", "client-certificate-refused"),
        ("event-console-export.xml", "rs-us5-cloud.acronis.com:8443", "tls-intercepted"),
        ("json-line-aakore.log", "eu2-cloud.acronis.com:443", "tls-intercepted"),
        ("json-line-account-server.log", "account.acronis.com:443", "port-closed"),
        ("json-line-backup-manager.log", "us5-cloud.acronis.com:443", "name-not-found"),
        ("json-line-cut-off.log", "eu2-cloud.acronis.com:443", "tls-intercepted"),
        ("registration-unknown-ca.txt", "eu2-cloud.acronis.com:443", "tls-intercepted"),
        ("set-up-linux.log", "eu2-cloud.acronis.com:443", "root-not-trusted"),
        ("download-atp.log", "au-cloud.acronis.com:443", "port-filtered"),
        ("flattened-en.txt", "rs-us5-cloud.acronis.com:8443", "handshake-blocked"),
        ("piped-journald-en.txt", "eu2-cloud.acronis.com:443", "port-closed"),
        ("document-in-log-line.log", "eu2-cloud.acronis.com:443", "tls-intercepted"),
    ],
)
def test_the_endpoint_and_the_suspicion_are_found(name: str, endpoint: str, suspect: str) -> None:
    (block,) = sample(name)
    assert [str(e) for e in derive(block).endpoints] == [endpoint]
    nearest = [r for r in recognise(block) if not r.wrapper][-1]
    assert suspect in nearest.suspects


# -- storage client ------------------------------------------------------------------------------

STAMP = "2021-06-14T02:00:41:318+02:00 5120 E00000000: "
TLS = f"{STAMP}cl#4: TLS connect failed with error 'error:1416F086:SSL routines:x:y'"
SESSION = f"{STAMP}cl#4: failed to start a session with a gateway: -400 (SSL protocol error)"


def test_a_tls_failure_belongs_to_the_session_of_its_own_client_only() -> None:
    assert names(one(f"{TLS}\n{SESSION}")) == "667/400 OpenSSL/1416F086"
    other = SESSION.replace("cl#4", "cl#5")
    assert [names(b) for b in read(f"{TLS}\n{other}")] == ["OpenSSL/1416F086", "667/400"]
    assert [names(b) for b in read(f"{SESSION}\n{TLS}")] == ["667/400", "OpenSSL/1416F086"]


def test_other_lines_may_stand_between_a_tls_failure_and_its_session() -> None:
    """Several clients write into one log at a time."""
    info = STAMP.replace("E0000", "I0000") + "cl#4: the connection is being closed"
    assert [names(b) for b in read(f"{TLS}\n{info}\n{SESSION}")] == ["667/400 OpenSSL/1416F086"]
    at = "connected to 203.0.113.{}:44445, but failed"
    one_, two = (SESSION.replace("failed", at.format(n)) for n in (4, 5))
    other_tls, other = (t.replace("cl#4", "cl#5") for t in (TLS, two))
    for text in (
        f"{TLS}\n{other_tls}\n{one_}\n{other}",
        f"{TLS}\n{other_tls}\n{other}\n{one_}",
        f"{TLS}\n{info}\n{one_}\n{info}\n{other_tls}\n{info}\n{other}",
    ):
        blocks = read(text)
        assert [names(b) for b in blocks] == ["667/400 OpenSSL/1416F086"] * 2
        hosts = {"cl#4": "203.0.113.4", "cl#5": "203.0.113.5"}
        for block in blocks:
            fields = {f.key: f.value for f in block.frames[0].fields}
            assert fields["address"] == hosts[fields["client"]]
            assert block.frames[1].fields[0].value == fields["client"]
    error = STAMP + "Error 0x2720133: refused\n| port: 1"
    assert [names(b) for b in read(f"{TLS}\n{error}\n{SESSION}")] == [
        "667/400 OpenSSL/1416F086",
        "626/307",
    ]


def test_a_session_far_below_or_of_a_later_failure_is_another() -> None:
    assert [names(b) for b in read("\n".join([TLS, *[STAMP + "idle"] * 20, SESSION]))] == [
        "OpenSSL/1416F086",
        "667/400",
    ]
    assert [names(b) for b in read(f"{TLS}\n{TLS}\n{SESSION}")] == [
        "OpenSSL/1416F086",
        "667/400 OpenSSL/1416F086",
    ]


def test_a_gateway_may_have_an_ipv6_address() -> None:
    block = one(
        f"{STAMP}cl#1: connected to [2001:db8::7]:44445, but failed to start a session with a"
        " gateway: -13 (Peer did not respond)"
    )
    assert names(block) == "667/13"
    assert [str(e) for e in derive(block).endpoints] == ["[2001:db8::7]:44445"]


def test_a_tls_line_that_is_cut_off_says_so() -> None:
    assert one(TLS[:-6]).damage == ("cut off inside the TLS error",)


# -- XML -----------------------------------------------------------------------------------------


def event(**attributes: str) -> str:
    shown = {"type": "Error", "message": "x", "code": "20,250,646(0x1350016)"} | attributes
    return "<event " + " ".join(f'{k}="{v}"' for k, v in shown.items()) + "/>"


@pytest.mark.parametrize(
    ("code", "module", "name"),
    [
        ("20,250,682(0x135003A)", "309", "309/58"),
        ("20.250.682(0x135003A)", "309", "309/58"),
        ("20\u00a0250\u00a0682(0x135003a)", "309", "309/58"),
        ("58", "309", "309/58"),
        ("20250682", "309", "309/58"),
        ("0x135003A", "", "309/58"),
        ("65,520(0xFFF0)", "0", "0/65520"),
    ],
)
def test_the_code_of_an_event_in_its_spellings(code: str, module: str, name: str) -> None:
    assert names(one(event(code=code, module=module))) == name


@pytest.mark.parametrize(
    "text",
    [
        event(type="Information"),
        event(type="information", message="Error 0x1350016: no||line: 0x1"),
        event(code="0(0x0)"),
        event(code="0(0x0)", message="Error 0x0|| line: 0x0"),
        event(code="none"),
        event(message=""),
        "<event />",
        "<event x>",
        "an <event listener was added",
    ],
)
def test_what_is_no_failed_event(text: str) -> None:
    assert read(text) == ()


def test_no_entity_is_read_twice_and_none_is_declared() -> None:
    bomb = (
        '<!DOCTYPE log [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c SYSTEM "/etc/passwd">]>'
    )
    block = one(bomb + event(message="&b; &c; &amp;lt; &#32;&#x41;&#0;&#1114112; &quot;q&quot;"))
    assert block.root.message == '&b; &c; &lt;  A   "q"'


def test_an_event_may_be_wrapped_and_its_quotes_single() -> None:
    text = (
        "<event id='1'\n  type='Error' message='Failed\nto read'\n"
        "  code='20,250,646(0x1350016)'\n/>\nnext"
    )
    block = one(text)
    assert block.text == text.removesuffix("\nnext")
    assert block.root.message == "Failed\nto read"


def test_a_cut_off_event_does_not_swallow_the_next_entry() -> None:
    cut = '<event type="Error" code="20,250,646(0x1350016)" message="Failed to'
    both = read(f"{cut}\n{event(message='whole')}")
    assert [b.root.message for b in both] == ["Failed to", "whole"]
    assert both[0].damage == ("the event is cut off inside 'message'",)
    entry = '2018-08-16 22:04:16:969 1 E00030002: Error 0x30002: CannotBind "x"'
    assert [names(b) for b in read(f"{cut}\n{entry}")] == ["309/22", "3/2"]


def test_a_code_that_is_cut_off_is_no_code() -> None:
    assert read('<event type="Error" message="x" code="20,250') == ()
    block = one('<event type="Error" message="Error 0x30002: x" code="20,250')
    assert names(block) == "3/2"
    assert block.damage


# -- JSON lines ----------------------------------------------------------------------------------


def go(level: str = '"error"', message: str = "x", more: str = "") -> str:
    return f'{{"time":"2023-03-07T09:15:04Z","level":{level} ,"msg":"{message}"{more}}}'


@pytest.mark.parametrize("level", ['"error"', '"error"  ', ' "error"', '"fatal"', '"panic"'])
def test_levels_that_are_failures(level: str) -> None:
    assert one(go(level)).frames[0].message == "x"


@pytest.mark.parametrize("level", ['"info"', '"debug"', '"warning"', '"warn"'])
def test_levels_that_are_none(level: str) -> None:
    assert read(go(level, "Error 0x1350016: dial tcp: x", ',"origin":{"module":1,"code":2}')) == ()


@pytest.mark.parametrize(
    ("message", "symbol"),
    [
        ("a: dial tcp 203.0.113.1:443: i/o timeout", "Go/dial tcp"),
        ("a: dial tcp: lookup h.acronis.com on 192.0.2.1:53: no such host", "Go/lookup"),
        ("remote error: tls: bad certificate", "Go/tls"),
        ("a: proxyconnect tcp: dial tcp 192.0.2.1:3128: connect: refused", "Go/dial tcp"),
        ("Get: http: server gave HTTP response to HTTPS client", "Go/http"),
        ("a: context deadline exceeded", "Go/context deadline exceeded"),
        ("a: unexpected EOF", "Go/unexpected EOF"),
        ("cannot lookup user in this context", "error"),
    ],
)
def test_the_library_whose_error_it_is(message: str, symbol: str) -> None:
    assert one(go(message=message)).root.name == symbol


def test_a_line_of_a_journal_and_an_error_that_is_a_document() -> None:
    document = (
        r"{\"domain\":\"AGENT_CORE\",\"code\":\"GONE\",\"debug\":"
        r"{\"msg\":\"dial tcp: lookup eu.acronis.com: no such host\"}}"
    )
    more = f',"error":"{document}"'
    block = one(f"Mar 07 09:15:04 host aakore[12]: {go(message='a', more=more)}")
    assert names(block) == "AGENT_CORE/GONE Go/lookup"
    assert block.frames[0].module is None
    assert block.frames[0].packed is None


def test_a_pipe_block_in_a_message_is_the_cause() -> None:
    pipe = r"Error 0x1350016: Failed.\n| line: 0x1\n|\n| error 0x2720133: x\n| port: 8443\n| $module: a_vs_1"
    block = one(go(message=f"mms said: {pipe}"))
    assert names(block) == "error 309/22 626/307"
    assert block.root.value("port") == "8443"
    assert {f.at.line for f in block.frames} == {1}
    assert names(one(go(message="mms said: Error 0x0"))) == "error"


# -- register_agent ------------------------------------------------------------------------------


def test_a_registration_without_an_answer() -> None:
    first, second = read(
        "2022-12-01 15:02:00 level=err; message=no answer (rc=7)\n"
        "level=err; message=akk error: x, http = {.httpCode = 502, .domain = A, .co"
    )
    assert (first.occurred_at, first.root.name) == ("2022-12-01T15:02:00", "register_agent")
    assert first.root.value("rc") == "7"
    assert first.root.fields[1:] == ()
    assert second.root.value("httpCode") == "502"
    assert second.root.value("domain") is None
    assert second.damage == ("cut off inside http",)


def test_an_answer_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    text = decode((SAMPLES / "registration-unknown-ca.txt").read_bytes())
    block = one(text[: text.index("x509: cert")])
    assert names(block) == "AGENT_CORE/UNKNOWN_CA"
    assert "answer: " in block.damage[0]
    after = one(text + "C:\\>\n{}\n")
    assert after.text.endswith("\n}")


# -- acrocmd -------------------------------------------------------------------------------------


def test_indentation_and_the_message_may_be_lost() -> None:
    text = 'Error: 0x1510027\n$module = "abr11cli_lxa64_39376"\nF : d:/925/x.cpp(93)\nnext'
    block = one(text)
    assert (names(block), block.root.message) == ("337/39", None)
    assert block.root.value("$line") == "93"
    assert names(one(f"Parameter 'loc' is not defined.\n{text}")) == "337/39"


def test_a_second_command_is_a_second_error() -> None:
    link = 'Failed.\n    Error: 0x1510008\n    $module = "a_vs_1"\n'
    assert [names(b) for b in read(f"{link}host:~ # acrocmd x\n\n{link}")] == ["337/8", "337/8"]
    assert names(one(link + link)) == "337/8 337/8"


def test_a_command_that_is_cut_off_says_so() -> None:
    block = one('Failed.\n    Error: 0x1510008\n    $module = "acrocmd_lx')
    assert block.damage == ("cut off inside the value of '$module'",)
    assert block.root.fields == ()


@pytest.mark.parametrize(
    "text", ["Error: 0x80070005", "Error: 0x1\nsomething", 'Error: 0x0\n$module = "x_vs_1"']
)
def test_what_is_no_failed_command(text: str) -> None:
    assert read(text) == ()


# -- installer, set-up, downloader, gateway, True Image ---------------------------------------------


def test_each_chain_of_an_installer_begins_with_its_mark() -> None:
    error = "CommonError: code:3113460, message:, linetag:0431AC2339A572BB6h"
    assert [names(b) for b in read(f"1: MSIGEN:{error}\n1: MSIGEN:{error}\n{error}")] == [
        "47/33268",
        "47/33268 47/33268",
    ]
    block = one("1: MSIGEN:CommonError: code:65520, message:Fatal err")
    assert (names(block), block.root.message) == ("0/65520", "Fatal err")
    assert "cut off" in block.damage[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Error: package trueimage is not installed", "set-up"),
        ("- failed to load the SnapAPI kernel module.", "set-up"),
        ("Unable to connect", "set-up"),
        ("x: curl: (7) Failed to connect to h.acronis.com port 443: Connection refused", "550/7"),
    ],
)
def test_failures_of_set_up(text: str, name: str) -> None:
    block = one(f"2023-06-22T09:46:15+0530:{text}")
    assert (block.form, block.root.name) == ("set-up", name)
    assert block.occurred_at == "2023-06-22T09:46:15+05:30"


@pytest.mark.parametrize(
    "text",
    [
        "2023-06-22T09:46:15+0200:No errors, 0 failed.",
        "2023-06-22T09:46:15+0200: Failed",
        "x 12:00:Failed to do it",
        "curl: (6) Could not resolve host",
    ],
)
def test_what_is_no_failure_of_set_up(text: str) -> None:
    assert read(text) == ()


def test_a_download_without_its_place_or_text() -> None:
    head = "04.05.2020 11:27:51.141673 [0x1] [0x2] [error] [Unit] :"
    block = one(f"{head} plain text")
    assert (block.root.name, block.root.message) == ("Unit", "plain text")
    assert one(f"{head} ").damage


@pytest.mark.parametrize(
    "text",
    [
        "failed (0x70020)",
        "wFormatTag = 0x00FF;",
        "Tag = 0x03",
        "text (0x0) Tag = 0x1D8EAB676A3F6ABF",
    ],
)
def test_what_is_no_error_of_true_image(text: str) -> None:
    assert read(text) == ()


def test_true_image_writes_its_tag_beside_below_or_not_at_all() -> None:
    block = one(
        "Backup failed (0x640D)\nRead error (0x70001)\nTag = 0x1D8EAB676A3F6ABF\n"
        "[2010-01-02 03:04:05]"
    )
    assert names(block) == "0/25613 7/1"
    assert [f.line_info for f in block.frames] == [None, "0x1D8EAB676A3F6ABF"]
    line = one("A (0x101F4) Tag = 0x1 B is (not) good (0x70020) Tag = 0x2")
    assert [f.message for f in line.frames] == ["A", "B is (not) good"]


# -- flattened -----------------------------------------------------------------------------------

FIELDS = '{"address":"rs-us5-cloud.acronis.com","port":"8443"}'


@pytest.mark.parametrize(
    ("text", "wanted", "language"),
    [
        (f"Error code: 307 Module: 626 Fields: {FIELDS} Message: x", "626/307", "en"),
        (f"Fehlercode: 41025843 Felder: {FIELDS} Nachricht: x", "626/307", "de"),
        (f"エラーコード: 307 モジュール: 626 フィールド: {FIELDS} メッセージ: x", "626/307", "ja"),
        (
            f"Foutcode : 307 Module: 626 Regelinformatie: Velden: {FIELDS} Bericht: x",
            "626/307",
            "nl",
        ),
        (f"<td>Error code: 1 Module: 2 Message: Error code: 307 Module: 626 Fields: {FIELDS}",
         "2/1 626/307", "en"),
    ],
)  # fmt: skip
def test_flattened_in_any_language(text: str, wanted: str, language: str) -> None:
    block = one(text)
    assert (block.form, names(block), block.language) == ("flattened", wanted, language)
    assert block.root.value("port") == "8443"


@pytest.mark.parametrize(
    "text",
    [
        "The page says Error code: 5 Module: see below",
        "Error code: 5 and a Module: 3",
        "| Event 0x900001: Error code: 14",
        "Module: 3 Error code: 5",
    ],
)
def test_labels_in_a_sentence_are_no_block(text: str) -> None:
    assert read(text) == ()


# -- pipes ---------------------------------------------------------------------------------------

CHAIN = "2021-03-04T10:11:12:131+01:00 1 E00040014: Error 0x40014: a\n| line: 0x1\n| $module: b_vs_1\n|\n| error 0x29b0193: c\n| line: 0x2\n"


@pytest.mark.parametrize(
    ("end", "damage", "fields"),
    [
        ("| fesAddress: h.acronis.com:44445\n| $module: b_vs_1", "", 2),
        ("| fesAddress: h.acronis.com:44445\n| $module: b_vs_", "value of '$module'", 1),
        ("| path: a\n| fi", "inside a name: 'fi'", 1),
        ("| path: a\n| function:", "value of 'function'", 1),
        ("| address: h.acronis.com\n| port: 84", "at 'port', before $module", 1),
        ("| code: 0x80070005", "at 'code', before $module", 1),
    ],
)
def test_a_pipe_block_that_is_cut_off_says_where(end: str, damage: str, fields: int) -> None:
    block = one(CHAIN + end)
    assert bool(block.damage) == bool(damage)
    assert damage in "".join(block.damage)
    assert len(block.root.fields) == fields


# -- documents -----------------------------------------------------------------------------------

CONSOLE = (SAMPLES / "document-console.json").read_text(encoding="utf-8")
CONSOLE_CHAIN = "309/22 161/212 626/307"


def test_a_console_gives_the_chain_with_combined_codes() -> None:
    block = one(CONSOLE)
    assert (names(block), block.damage) == (CONSOLE_CHAIN, ())
    assert [f.message for f in block.frames] == [
        "TOL: Failed to execute the command. Backing up",
        "Failed to find archive 'srv-files'.",
        "Could not perform SSL_write() call: ",
    ]
    assert block.root.line_info == "0x50e61e3e2e723ba3"
    told = {f.key: f.value for f in block.root.fields}
    assert (told["address"], told["port"], told["$line"]) == (
        "rs-eu2-cloud.acronis.com", "8443", "158",
    )  # fmt: skip
    (endpoint,) = derive(block).endpoints
    assert str(endpoint) == "rs-eu2-cloud.acronis.com:8443"


def test_a_console_document_without_its_first_or_last_lines_keeps_the_chain() -> None:
    lines = CONSOLE.split("\n")
    below = next(n for n, x in enumerate(lines) if '"_src"' in x)
    headless = read("\n".join(lines[below:]))
    assert [(names(b), b.at.line) for b in headless] == [(CONSOLE_CHAIN, 1)]
    after = next(n for n, x in enumerate(lines) if '"cause_str"' in x)
    for cut in (lines[: after + 1], [*lines[:after], '            "cause_str": "Could not per']):
        block = one("\n".join(cut))
        assert (names(block), block.damage) == (CONSOLE_CHAIN, ("the document is cut off",))
        assert block.root.message == "Could not perform SSL_write() call: "
    # Texts stand behind the deeper links, so a cut in the chain takes those of the outer ones.
    inside = next(n for n, x in enumerate(lines) if '"text": "Could' in x)
    block = one("\n".join(lines[:inside]) + "\n\nThat is all I can paste here.\n")
    assert (names(block), block.root.message) == (CONSOLE_CHAIN, None)
    assert block.damage == ("the document is cut off",)


def test_the_link_of_an_activity_and_its_chain_are_one_error() -> None:
    link = '{"build": 20463, "serCode": "0x00A100D4+0x0000FFF0+0x80070032"}'
    chain = (
        '{"code": 10551508, "fields": {}, "suberror": {"code": 65520, "fields":'
        ' {"code": 2147942450}, "suberror": {}, "text": "The request is not supported"},'
        ' "text": "Failed to find archive."}'
    )
    for text in (f"kbLink\n\n{link}\n\norigin\n\n{chain}\n", f"{chain}\n\n{link}\n"):
        block = one(text)
        assert names(block) == "161/212 0/65520"
        assert [(f.key, f.value) for f in block.root.fields] == [("code", "2147942450")]
    alone = one(link)
    assert (names(alone), alone.root.value("code")) == ("161/212 0/65520", "0x80070032")
    assert alone.damage


@pytest.mark.parametrize("links", [20, 200])
def test_a_long_chain_in_a_document_keeps_what_it_can_hold(links: int) -> None:
    text = '{"code":0,"suberror":{}}'
    for number in range(links, 0, -1):
        text = f'{{"code":{number + (309 << 16)},"fields":{{}},"suberror":{text}}}'
    frames = one(text).frames
    assert [f.code for f in frames[:links]] == list(range(1, min(links, 64) + 1))


def test_what_only_looks_like_a_cut_off_document_is_none() -> None:
    for text in ('{"suberror": x', '{"a": [1, 2}, "suberror": {', '"suberror": {'):
        assert read_blocks(text, "x").blocks == ()


@pytest.mark.parametrize("tag", ['"0x1"', '"0x1, k:\\\\a.cpp:88, F"', '""', "null", '"here"'])
def test_documents_in_any_order_with_any_line_tag(tag: str) -> None:
    inner = '{"text":"late","fields":null,"code":28,"suberror":null,"module":550}'
    for members in (
        f'"module":583,"linetag":{tag},"code":1,"suberror":{inner}',
        f'"suberror":{inner},"code":"1","module":"583","linetag":{tag}',
    ):
        block = one(
            f'err {{"reason":"r","origin":{{{members}}},"serCode":"0x02470001+0x0226001c"}}'
        )
        assert names(block) == "583/1 550/28"
        assert block.frames[0].line_info == ("0x1" if "0x1" in tag else None)
        assert block.root.message == "late"
