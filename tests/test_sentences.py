"""A message that was pasted without its block is an error where the catalogue knows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import diagnoser

from diagnoser.diagnosis import judge, open_case
from diagnoser.endpoints import derive, read_sentences
from diagnoser.model import ErrorBlock

TRACEBACK = """('POST', 'https://eu2-cloud.acronis.com/api/1/groups/self/storages')
Failed:
Traceback (most recent call last):
  File "/usr/bin/acronis-storage-registration", line 198, in <module>
    main(parser.parse_args()[0])
  File "/usr/lib64/python2.7/urllib2.py", line 1214, in do_open
    raise URLError(err)
URLError: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:618)>
"""
STORAGE = (
    "Error creating backup storage failed to check ABC address from 'https:// srv-ams.example:9877"
    "/api/1/accounts/', error code: '-1' (GET 'https:// srv-ams.example:9877/api/1/accounts?login=a'"
    ' failed: Get "https:// srv-ams.example:9877/api/1/accounts?login=a": tls: failed to verify'
    " certificate: x509: certificate is valid for localhost, SRV-AMS, not srv-ams.example)"
)


def one(text: str) -> ErrorBlock:
    (block,) = read_sentences(text, "x")
    return block


@pytest.mark.parametrize(
    ("text", "line", "causes"),
    [
        ("Failed to connect to the Agent Core service on this machine", 1, {"local-service-down"}),
        ("\n> Couldn't connect to host at localhost:43234\n", 2, {"local-service-down"}),
        ("• The cloud storage is temporarily unavailable", 1, {"server-side"}),
        ("Backup failed\nNetwork connection failed due to timeout.", 2, {"port-filtered"}),
        ("Hello,\nFailed to synchronize licenses.\nThanks", 2, {"licence-out-of-sync"}),
        ("ライセンスの同期に失敗しました", 1, {"licence-out-of-sync"}),
        ("SSL peer certificate or SSH\n> remote key was not OK", 1, {"tls-intercepted"}),
        ("Acronis agent: connect: connection refused", 1, {"port-closed"}),
        (TRACEBACK, 8, {"tls-intercepted", "root-not-trusted"}),
        (STORAGE, 1, {"name-mismatch"}),
    ],
)
def test_a_known_sentence_is_an_error(text: str, line: int, causes: set[str]) -> None:
    block = one(text)
    assert (block.root.module, block.root.at.line) == (None, line)
    assert block.damage
    judged = judge(open_case(block))
    told = {v.rule for v in judged.verdicts if v.finding.standing.value in ("applies", "suspected")}
    assert causes <= told


@pytest.mark.parametrize(
    "text",
    [
        "If you see 'Failed to connect to the Agent Core service on this machine', open port 8443.",
        "Acronis: if you see 'Failed to connect to the Agent Core service', open port 8443.",
        "We saw 'failed to connect to the Agent Core service on this machine' and restarted it.",
        "Failed to connect to the Agent Core service was fixed by restarting it",
        "Failed to connect to the Agent Core service: is it the network?",
        "「Failed to connect to the Agent Core service」と表示された場合はポートを開いてください",
    ],
)
def test_who_speaks_of_a_message_need_not_have_it(text: str) -> None:
    judged = judge(open_case(one(text)))
    standings = {v.rule: v.finding.standing.value for v in judged.verdicts}
    assert standings["local-service-down"] == "suspected"
    assert "applies" not in standings.values()


def test_what_another_program_says_of_itself_is_a_suspicion() -> None:
    said = "bind() to 0.0.0.0:80 failed (98: Address already in use)"
    for text, standing in (
        (f"nginx: [emerg] {said}", "suspected"),
        (f"error: {said}", "applies"),
        (f"mms: Acronis: {said}", "applies"),
    ):
        judged = judge(open_case(one(text)))
        standings = {v.rule: v.finding.standing.value for v in judged.verdicts}
        assert standings["local-port-taken"] == standing, text


def test_a_module_that_is_only_named_is_no_error() -> None:
    for text in (
        "The SnapAPI kernel module was built and loaded, but the agent fails to connect.",
        "Failed to download what is needed to build the SnapAPI kernel module: timed out",
        "The SnapAPI kernel module is not needed.",
    ):
        assert read_sentences(text, "x") == ()
    assert one("The SnapAPI kernel module is not loaded for the kernel").form == "sentence"
    assert one("- failed to load the SnapAPI kernel module.").form == "sentence"


def test_the_endpoint_of_a_sentence_is_found_around_it() -> None:
    assert [str(e) for e in derive(one(TRACEBACK)).endpoints] == ["eu2-cloud.acronis.com:443"]
    assert [str(e) for e in derive(one(STORAGE)).endpoints] == ["srv-ams.example:9877"]


def test_a_number_that_the_catalogue_has_is_the_error_s() -> None:
    text = '"Could not resolve host: accountsrv.service.consul; Unknown error" Error: 0x02260006.'
    assert one(text).root.name == "550/6"
    unknown = "The cloud storage is temporarily unavailable (0x12345678)"
    assert one(unknown).root.name == "message"


def test_sentences_that_differ_are_errors_each_once() -> None:
    text = "The cloud storage is temporarily unavailable\nFailed to synchronize licenses.\n" * 2
    assert [b.root.at.line for b in read_sentences(text, "x")] == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "connect to host: connection refused",
        "ssh: Could not resolve hostname h: Name or service not known",
        "curl: (60) SSL certificate problem: unable to get local issuer certificate",
        "Microsoft 365 license synchronization failed",
        "The cloud storage is temporarily unavailable\n" + "x\n" * 60,
        "The cloud storage is temporarily unavailable " + "x" * 4000,
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert read_sentences(text, "x") == ()


def test_a_sentence_is_read_where_it_is_pasted_and_not_in_a_folder(tmp_path: Path) -> None:
    text = "Failed to connect to the Agent Core service on this machine\n"
    (tmp_path / "note.txt").write_text(text)
    for arguments, given_text in (
        (("--offline",), text),
        (("--offline", "scan", str(tmp_path / "note.txt")), ""),
    ):
        assert (
            "local-service-down, diagnosed"
            in diagnoser(*arguments, "--lang", "en", given=given_text, expect=1).stdout
        )
    diagnoser("--offline", "scan", str(tmp_path), expect=65)
    japanese = diagnoser("--offline", "--lang", "ja", given=text, expect=1).stdout
    assert "メッセージだけが貼り付けられています" in japanese


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_sentences(text, "x")
    read_sentences(f"Acronis {text} connection refused", "x")
