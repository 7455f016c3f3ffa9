"""A transcript that does not say whom it asked: sentences say so, the JSON contract stays."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diagnoser.diagnosis import judge
from diagnoser.evidence import join, read_report, read_transcripts
from diagnoser.model import Report, Vantage
from diagnoser.reading.encodings import decode
from diagnoser.reports import render

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 24, tzinfo=UTC)
SAID = {"en": "host the transcript does not name", "ja": "トランスクリプトに名前のないホスト"}
NAMES = ("stalled", "fortinet", "refused", "reset", "management12", "storage-refused", "dns")


def report_of(name: str, *, command: str = "") -> Report:
    text = decode((FILES / f"openssl-3.0-{name}.txt").read_bytes())
    text = command + re.sub(r"^\$ [^\n]*\n", "", text)
    cases = join((), read_transcripts(text, "output3.txt", AT))
    assert cases
    return Report("0", AT, Vantage("m", "s", "t"), tuple(map(judge, cases)))


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_holds_the_stand_in(name: str, language: str, form: str) -> None:
    shown = render(report_of(name), form, language)
    flat = " ".join(shown.split()) if language == "en" else "".join(shown.split())
    assert SAID[language] in flat
    assert "unknown-host" not in shown
    assert not re.search(r"TCP (?:port|ポート)? ?0\b", shown)
    assert "openssl s_client" in shown
    assert re.search(r"-connect HOST:(?:PORT|44445|8443)", shown)


@pytest.mark.parametrize("language", SAID)
def test_the_json_report_keeps_the_contract(language: str) -> None:
    document = json.loads(render(report_of("fortinet"), "json", language))
    (case,) = document["cases"]
    (endpoint,) = case["endpoints"]
    assert (endpoint["host"], endpoint["port"]) == ("unknown-host.invalid", 44445)
    assert SAID[language] in case["summary"]
    (again,) = read_report(json.dumps(document), "report.json")
    cause = judge(again).cause
    assert cause is not None
    assert cause.rule == case["cause"]


def test_a_sentence_begins_with_a_capital() -> None:
    shown = render(report_of("refused"), "text", "en")
    assert "A host the transcript does not name refused the connection" in " ".join(shown.split())


def test_a_known_host_whose_port_is_not_told_has_no_port_0() -> None:
    report = report_of("stalled", command="Connecting to 203.0.113.7\n")
    for form in ("text", "markdown", "html"):
        shown = render(report, form, "en")
        assert "203.0.113.7" in shown
        assert "203.0.113.7:0" not in shown


BROKEN = re.compile(r"TCP port unknown|The name a host|nslookup a host|ポート ?不明")


@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize("name", NAMES)
def test_no_step_sends_anybody_to_a_host_that_nobody_knows(name: str, language: str) -> None:
    (case,) = json.loads(render(report_of(name), "json", language))["cases"]
    text = "\n".join([case["summary"], *case["remedy"]])
    assert not BROKEN.search(text)
    assert not any(SAID[language] in step for step in case["remedy"])
    assert "-connect HOST:PORT > FILE 2>&1" in case["remedy"][0]


def test_a_port_that_is_not_told_leaves_a_sentence() -> None:
    (case,) = json.loads(render(report_of("refused"), "json", "en"))["cases"]
    assert case["summary"].startswith(
        "A host the transcript does not name refused the connection on TCP port (number not told):"
    )
    (case,) = json.loads(render(report_of("refused"), "json", "ja"))["cases"]
    assert "TCP ポート (番号不明)" in case["summary"]
