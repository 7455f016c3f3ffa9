"""What a reader sees: every format tells the verdict, hides secrets, and cannot be attacked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from casebook import make_case
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from diagnoser.diagnosis import judge, open_case
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Case,
    Diagnosis,
    ErrorBlock,
    ErrorFrame,
    Field,
    Location,
    Report,
    Skipped,
    Transport,
    Vantage,
)
from diagnoser.reports import FORMATS, render
from diagnoser.reports.cleaning import clean
from diagnoser.reports.markdown import escape
from diagnoser.reports.measuring import WIDTH, columns
from diagnoser.reports.wording import tell, words_for
from diagnoser.visible import visible

CLOSED: dict[str, Any] = {
    "endpoint": "rs-us5-cloud.acronis.com:8443",
    "stages": {"connect": ["connection-refused", 111]},
}


def report(*diagnoses: Diagnosis, skipped: tuple[Skipped, ...] = ()) -> Report:
    return Report(
        "0.0.0",
        datetime(2026, 11, 23, 19, 40, tzinfo=UTC),
        Vantage("machine", "Linux", "system store"),
        diagnoses,
        skipped,
    )


def block(message: str, *fields: Field) -> Case:
    at = Location("error.txt", 1)
    frame = ErrorFrame(626, 307, None, fields, message, at)
    return Case(ErrorBlock("labelled", "en", (frame,), at, message))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_format_tells_cause_endpoint_and_next_step(form: str, language: str) -> None:
    shown = render(report(judge(make_case(CLOSED))), form, language)
    assert "port-closed" in shown
    assert "rs-us5-cloud.acronis.com" in shown
    assert "openssl s_client -showcerts -connect rs-us5-cloud.acronis.com:8443" in shown


def test_the_json_contract_holds() -> None:
    document = json.loads(render(report(judge(make_case(CLOSED))), "json", "en"))
    assert list(document) == ["schema", "tool", "generated_at", "vantage", "cases", "skipped"]
    assert document["schema"] == 1
    assert document["generated_at"] == "2026-11-23T19:40:00Z"
    case = document["cases"][0]
    assert list(case) == [
        "id", "count", "first_seen", "last_seen", "times", "surroundings", "block", "endpoints",
        "symptom", "cause", "candidates", "category", "standing", "summary", "remedy", "reproduce",
        "verdicts",
    ]  # fmt: skip
    assert (case["cause"], case["category"], case["standing"]) == (
        "port-closed",
        "closed-port",
        "applies",
    )
    assert case["block"]["frames"][0]["packed"] == "0x02720133"
    probe = case["endpoints"][0]["probe"]
    assert [s["stage"] for s in probe["stages"]] == [
        "resolve", "connect", "tunnel", "handshake", "verify",
    ]  # fmt: skip
    assert probe["stages"][1] == {
        "stage": "connect",
        "condition": "connection-refused",
        "detail": "",
        "seconds": 0.001,
        "error": 111,
    }


def test_json_without_a_case_is_still_json() -> None:
    document = json.loads(render(report(), "json", "en"))
    assert document["cases"] == []


@pytest.mark.parametrize(
    ("language", "called", "issued"),
    [
        ("en", "an inspection product that calls itself 'Contoso Web Filter CA'", "was issued by"),
        ("ja", "「Contoso Web Filter CA」と名乗る検査製品", "証明書の発行者"),
    ],
)
def test_a_product_known_by_its_wording_is_called_what_it_calls_itself(
    language: str, called: str, issued: str
) -> None:
    filtered = {"like": "company", "leaf": {"issuer": {"CN": "Contoso Web Filter CA"}}}
    for minted in (True, False):
        case = make_case(filtered | {"minted": minted})
        shown = json.loads(render(report(judge(case)), "json", language))["cases"][0]
        assert shown["cause"] == "tls-intercepted"
        assert f"{issued}: CN=Contoso Web Filter CA" in shown["summary"]
        assert any(called in step for step in shown["remedy"])
        assert "Any product" not in json.dumps(shown)
        assert (called in shown["summary"]) is minted, "a suspicion names the issuer only"


@pytest.mark.parametrize(
    ("minted", "told"),
    [
        (True, "a certificate was issued for it"),
        (False, "answered with a certificate for another name"),
        ("refused", "fatal TLS alert"),
    ],
)
def test_a_certificate_for_a_nonsense_name_is_no_success(minted: object, told: str) -> None:
    shown = render(report(judge(make_case({"like": "company", "minted": minted}))), "html", "en")
    assert f".invalid → {told}" in shown


def test_a_suspicion_of_the_words_alone_tells_no_issuer() -> None:
    case = make_case({"probed": False, "suspects": ["tls-intercepted"]})
    shown = json.loads(render(report(judge(case)), "json", "en"))["cases"][0]
    assert shown["summary"].endswith("but it is not proven.")


def test_an_undecided_case_has_no_cause_and_says_so() -> None:
    document = json.loads(render(report(judge(make_case({"probed": False}))), "json", "en"))
    case = document["cases"][0]
    assert case["cause"] is None
    assert (case["category"], case["standing"]) == ("unknown", "undecided")


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_left_out_is_listed_with_its_reason(form: str) -> None:
    if form == "ndjson":
        pytest.skip("one object a case, and nothing else")
    shown = render(report(skipped=(Skipped("core.dmp", "not a text file"),)), form, "en")
    assert "core.dmp" in shown
    assert "not a text file" in shown


@pytest.mark.parametrize("form", FORMATS)
@given(
    text=st.text(
        st.characters(codec=None, categories=("Cc", "Cf", "Cs", "Lu", "Zl", "Zp")), max_size=60
    )
)
def test_no_control_character_reaches_a_reader(form: str, text: str) -> None:
    at = Location("error.txt\x1b[2J", 1)
    case = block(text, Field(text, text, at))
    shown = render(report(judge(case), skipped=(Skipped(text, text),)), form, "en")
    assert visible(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    "secret",
    [
        "password=Hunter2Hunter2",
        '"password":"Hunter2Hunter2"',
        '\\"password\\":\\"Hunter2Hunter2\\"',
        "Password: Hunter2Hunter2",
        "パスワード：Hunter2Hunter2",
        "https://user:Hunter2Hunter2@proxy.lan:3128/",
        "https://user:p@Hunter2Hunter2@proxy.lan:3128/",
        "Authorization: Bearer Hunter2Hunter2",
        "Proxy-Authorization: Basic Hunter2Hunter2",
        "register_agent.exe -o register --token Hunter2Hunter2",
        "msp_port_checker -u=a -p=Hunter2Hunter2",
        "--http-proxy-password=Hunter2Hunter2",
        "-----BEGIN EC PRIVATE KEY-----\nHunter2Hunter2\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nHunter2Hunter2",
        "Master-Key: Hunter2Hunter2",
        "eyJHunter2Hunter2.eyJHunter2Hunter2.Hunter2Hunter2",
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_secrets_reach_no_report(secret: str, form: str) -> None:
    at = Location("error.txt", 2)
    case = block(
        f"before {secret} after", Field("cmd", secret, at), Field("Password", "Hunter2Hunter2", at)
    )
    shown = render(report(judge(case)), form, "en")
    assert "Hunter2" not in shown
    assert "after" in shown or "BEGIN" in secret


def test_cleaning_keeps_what_the_diagnosis_rests_on() -> None:
    text = 'Post https://eu2-cloud.acronis.com:8443/api: {"address":"rs-eu2","port":"8443"}'
    assert clean(report(judge(block(text)))).diagnoses[0].case.block.text == text  # type: ignore[union-attr]


@given(st.text(max_size=80))
def test_markdown_from_input_cannot_format_link_or_embed(text: str) -> None:
    shown = escape(visible(text))
    assert "\n" not in shown
    for sign in "<>`":
        assert sign not in shown.replace("\\`", "")
    assert "://" not in shown
    assert not shown.startswith(("- ", "+ ", "="))


def test_markdown_tables_images_and_html_are_dead() -> None:
    shown = escape("![x](http://evil/a.png) <img src=x> | a | @team #1 [l](u) **b** ~~s~~")
    assert "![" not in shown
    assert "](" not in shown.replace("\\](", "")
    assert "<img" not in shown
    assert "@team" not in shown
    assert "**" not in shown


@pytest.mark.parametrize(
    "evil",
    [
        "</details><img src=x>", "@team and @org/team", "GH-1 #1 org/repo#1", "[x](http://e.vil)",
        "| a | b |\n|---|---|", "```\nout", "$\\href{x}{y}$", "1. one\n2. two", "1) one", "- - x",
        "[^1]: note", "<!-- x", "{code}x{code}", "# head", "> quote", "    code", "---", "+ plus",
        "http://e.vil www.e.vil", "~~~", "&lt;b&gt;", "==x==", "a\\", "*a*_b_",
    ],
)  # fmt: skip
def test_hostile_text_is_plain_text_in_markdown(evil: str) -> None:
    """As a message, a file name and a left-out source: the page has the same elements as ever."""

    def elements(text: str) -> list[str]:
        case = replace(block(f"{text} end"), skipped=(Skipped(text, text),))
        found = report(judge(case), skipped=(Skipped(text, text),))
        shown = render(found, "markdown", "en")
        assert "@team" not in shown
        assert "://" not in shown
        page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        return re.findall(r"</?[a-z][^>]*>", page.render(shown))

    assert elements(evil) == elements("innocent")


def test_markdown_fits_the_smallest_comment_field() -> None:
    """A Jira comment holds 32,767 characters; further cases are named, then counted."""
    many = [block(f"message number {n} " + "long " * 200) for n in range(300)]
    shown = render(report(*map(judge, many)), "markdown", "en")
    assert len(shown) < 32_767
    assert "Further cases" in shown
    assert ": 29" in shown or ": 28" in shown
    assert shown.rstrip().endswith("diagnoser 0.0.0")


def test_every_case_is_one_object_of_the_elastic_common_schema() -> None:
    refused, other = judge(make_case(CLOSED)), judge(make_case({"like": "fortinet"}))
    lines = render(report(refused, other), "ndjson", "en").splitlines()
    first, second = (json.loads(x) for x in lines)
    assert first["@timestamp"] == "2026-11-23T19:40:00Z"
    assert first["ecs"] == {"version": "8.17.0"}
    event = first["event"]
    assert (event["kind"], event["category"], event["outcome"]) == ("alert", ["network"], "failure")
    assert first["destination"]["domain"] == "rs-us5-cloud.acronis.com"
    assert first["destination"]["port"] == 8443
    assert first["error"] == {"code": "626/307", "message": "message", "type": "connection-refused"}
    assert first["rule"]["id"] == "port-closed"
    assert first["diagnoser"]["standing"] == "applies"
    assert "tls" not in first
    tls = second["tls"]
    assert (tls["version"], tls["version_protocol"], tls["established"]) == ("1.3", "tls", True)
    assert "O=Fortinet" in tls["server"]["issuer"]
    assert tls["server"]["not_after"].endswith("Z")
    assert "null" not in lines[0]


def test_a_healthy_case_is_no_alert() -> None:
    shown = json.loads(render(report(judge(make_case({"like": "genuine"}))), "ndjson", "en"))
    assert (shown["event"]["kind"], shown["event"]["outcome"]) == ("event", "success")
    assert render(report(), "ndjson", "en") == ""


def test_text_fits_the_terminal_in_both_languages() -> None:
    long = block("x" * 20 + " word" * 60)
    for language in ("en", "ja"):
        shown = render(report(judge(make_case(CLOSED)), judge(long)), "text", language)
        wide = [x for x in shown.splitlines() if columns(x) > WIDTH and "openssl" not in x]
        assert wide == []


@pytest.mark.parametrize(
    ("language", "told", "step"),
    [
        ("en", "the error reads as if the agent had reached the host", "Run this on the failing"),
        ("ja", "エージェントはそのホストに到達していた", "エラーが発生したマシンで実行"),
    ],
)
def test_a_name_that_only_this_machine_does_not_find_is_told_as_such(
    language: str, told: str, step: str
) -> None:
    message = "SSL certificate problem: unable to get local issuer certificate"
    text = f"Error code: 60\nModule: 550\nFields: {{}}\nMessage: {message}, https://x.acronis.com/y"
    case = make_case({"text": text, "stages": {"resolve": ["name-not-found", -2]}})
    wording = tell(judge(case), report(), words_for(language))
    assert told in wording.summary
    assert wording.remedy[0].startswith(step)
    # Where the error itself may be that name, it is told as ever.
    same = judge(make_case({"stages": {"resolve": ["name-not-found", -2]}}))
    assert told not in tell(same, report(), words_for(language)).summary


def test_an_error_without_an_endpoint_opens_no_firewall() -> None:
    text = "Error code: 7\nModule: 900\nMessage: could not connect to server: Connection refused\n"
    (block,) = read_blocks(text, "error.txt").blocks
    diagnosis = judge(open_case(block))
    assert diagnosis.cause is not None
    assert (diagnosis.cause.rule, diagnosis.case.endpoints) == ("port-closed", ())
    for language in ("en", "ja"):
        shown = render(report(diagnosis), "text", language)
        assert "unknown" not in shown
        assert "7770" not in shown
        assert "check --data-center" in " ".join(shown.split())


def test_a_fault_of_the_network_beside_another_cause_is_told() -> None:
    """Who reads that no firewall helps must not miss that the port is closed as well."""
    found = {"suspects": ["not-network"], "proven": True}
    closed = judge(make_case({"stages": {"connect": "connection-refused"}, **found}))
    shown = json.loads(render(report(closed), "json", "en"))["cases"][0]
    assert shown["cause"] == "not-network"
    assert "a fault of the network was seen (Port closed)" in shown["summary"]
    healthy = judge(make_case({"like": "genuine", **found}))
    assert "fault of the network" not in render(report(healthy), "text", "en")


@pytest.mark.parametrize(
    ("system", "shown"),
    [
        ("Windows 2022", "Test-NetConnection 203.0.113.4 -Port 9877"),
        ("Linux 6.1", "nc -vz 203.0.113.4 9877"),
        ("Darwin 25.0", "nc -vz 203.0.113.4 9877"),
    ],
)
def test_a_port_without_tls_is_tested_with_what_the_system_has(system: str, shown: str) -> None:
    case = make_case(CLOSED)
    plain = replace(case.endpoints[0], host="203.0.113.4", port=9877, transport=Transport.TCP)
    diagnosis = judge(replace(case, endpoints=(plain,), probes=()))
    made = replace(report(diagnosis), vantage=Vantage("m", system, "t"))
    assert tell(diagnosis, made, words_for("en")).reproduce == (shown,)
