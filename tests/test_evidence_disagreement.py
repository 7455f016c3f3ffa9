"""Several observations of one endpoint: what agrees is one, what contradicts itself is all told."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_cli import ARTICLE, closed_port, diagnoser

from diagnoser.diagnosis import judge, open_case
from diagnoser.evidence import join, read_report, read_transcripts
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Case,
    Diagnosis,
    Endpoint,
    Report,
    Role,
    Standing,
    Transport,
    Vantage,
)
from diagnoser.probing import Trust
from diagnoser.reading.encodings import decode
from diagnoser.reports import FORMATS, render

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 24, tzinfo=UTC)
PUBLIC = Trust(None, (FILES / "public-root.pem").read_bytes(), None)
HOST, PORT = "rs-us5-cloud.acronis.com", 8443
ERROR = Case(None, (Endpoint(HOST, PORT, Role.REGISTRATION, HOST, False, Transport.TLS),))
HEALTHY = "openssl-3.0-management13.txt"
FORTIGATE = """\
$ openssl s_client -connect rs-us5-cloud.acronis.com:8443
CONNECTED(00000003)
---
Certificate chain
 0 s:CN = rs-us5-cloud.acronis.com
   i:C = US, O = Fortinet, OU = Certificate Authority, CN = FGT60FTK20000000
---
Verify return code: 21 (unable to verify the first certificate)
"""


def text_of(name: str) -> str:
    return FORTIGATE if name == "fortigate" else decode((FILES / name).read_bytes())


def judged(*names: str, cases: tuple[Case, ...] = (ERROR,)) -> Diagnosis:
    """One file for each name."""
    found = [p for n in names for p in read_transcripts(text_of(n), n, AT, PUBLIC)]
    (case,) = join(cases, found)
    return judge(case)


def told(diagnosis: Diagnosis) -> tuple[str, Standing]:
    assert diagnosis.cause is not None
    return diagnosis.cause.rule, diagnosis.cause.finding.standing


def shown(diagnosis: Diagnosis, form: str = "text", language: str = "en") -> str:
    report = Report("0", AT, Vantage("m", "s", "t"), (diagnosis,))
    text = render(report, form, language)
    return " ".join(text.split()) if language == "en" else "".join(text.split())


FAULTS = {
    "openssl-3.0-refused.txt": "port-closed",
    "openssl-3.0-reset.txt": "handshake-blocked",
    "openssl-3.0-stalled.txt": "handshake-stalled",
    "openssl-3.0-plain.txt": "not-tls",
    "openssl-3.0-leaf-only.txt": "tls-intercepted",
    "fortigate": "tls-intercepted",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("apart", [True, False])
def test_a_healthy_run_hides_no_fault_whatever_the_order(
    fault: str, order: int, apart: bool
) -> None:
    names = [HEALTHY, fault][::order]
    if apart:
        diagnosis = judged(*names)
    else:
        text = "\n".join(map(text_of, names))
        (case,) = join((ERROR,), read_transcripts(text, "both.txt", AT, PUBLIC))
        diagnosis = judge(case)
    alone = judged(fault)
    assert told(diagnosis) == told(alone)
    assert told(diagnosis)[0] == FAULTS[fault]
    for form in ("text", "markdown", "html"):
        text = shown(diagnosis, form)
        assert "does not agree" in text
        assert "genuine and healthy" in text
    assert "一致しておらず" in shown(diagnosis, language="ja")
    assert "does not agree" not in shown(alone)


def test_three_runs_of_which_two_agree_are_two_and_the_third_is_listed() -> None:
    names = (HEALTHY, "openssl-3.0-refused.txt", "openssl-3.0-management12.txt")
    for order in itertools.permutations(names):
        diagnosis = judged(*order)
        assert told(diagnosis)[0] == "port-closed"
        assert len(diagnosis.case.probes) == 2
        (skipped,) = diagnosis.case.skipped
        assert skipped.source == f"{HOST}:{PORT}"
        assert "management1" in skipped.reason


@pytest.mark.parametrize("fault", ["openssl-3.0-reset.txt", "fortigate"])
def test_a_run_that_was_cut_short_hides_neither_of_two_that_disagree(fault: str) -> None:
    """It agrees with both, and so must not make one of them."""
    cut = f"$ openssl s_client -connect {HOST}:{PORT}\nCONNECTED(00000003)\n"
    texts = {HEALTHY: text_of(HEALTHY), fault: text_of(fault), "cut.txt": cut}
    for order in itertools.permutations(texts):
        found = [p for n in order for p in read_transcripts(texts[n], n, AT, PUBLIC)]
        (case,) = join((ERROR,), found)
        assert told(judge(case))[0] == FAULTS[fault], order
        assert len(case.probes) == 2


def test_what_is_only_assumed_to_be_about_it_still_speaks_against_the_error_s_words() -> None:
    """A TCP connection that opened, and was reset at the hello, is no closed port."""
    text = f"""\
Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {{"address":"{HOST}","port":"{PORT}"}}
Message: Could not perform SSL_write() call:
"""
    (block,) = read_blocks(text, "error.txt").blocks
    unnamed = text_of("openssl-3.0-reset.txt").split("\n", 1)[1]
    assert HOST not in unnamed
    (case,) = join((open_case(block),), read_transcripts(unnamed, "x.txt", AT, PUBLIC))
    diagnosis = judge(case)
    assert told(diagnosis) == ("handshake-blocked", Standing.SUSPECTED)
    assert "refused the connection" not in shown(diagnosis)


@pytest.mark.parametrize("second", [HEALTHY, "openssl-3.0-management12.txt", "cut", "narrow"])
def test_runs_that_agree_are_as_healthy_as_one(second: str) -> None:
    texts = {
        "cut": f"$ openssl s_client -connect {HOST}:{PORT}\nCONNECTED(00000003)\n",
        "narrow": text_of("openssl-3.0-version.txt").replace("s_client", "s_client -tls1_1", 1),
    }
    text = texts.get(second) or text_of(second)
    probes = [
        *read_transcripts(text, "second.txt", AT, PUBLIC),
        *read_transcripts(text_of(HEALTHY), "first.txt", AT, PUBLIC),
    ]
    (case,) = join((ERROR,), probes)
    diagnosis = judge(case)
    assert told(diagnosis) == ("endpoint-healthy", Standing.APPLIES)
    assert len(case.probes) == 1
    assert [s.reason.rpartition(": ")[0] for s in case.skipped] == [
        "another observation agrees and shows as much"
    ]
    assert "does not agree" not in shown(diagnosis)


def test_storage_with_and_without_the_agents_certificate_is_no_contradiction() -> None:
    refused = text_of("openssl-3.0-storage-refused.txt")
    taken = re.sub(r"[^\n]*SSL alert number[^\n]*\n", "", refused)
    taken = taken.replace("s_client", "s_client -cert agent.crt", 1)
    for texts in ((refused, taken), (taken, refused)):
        probes = [p for t in texts for p in read_transcripts(t, "x.txt", AT, PUBLIC)]
        (case,) = join((), probes)
        (probe,) = case.probes
        assert probe.tls is not None
        assert probe.tls.client_certificate_sent


def test_different_good_certificates_contradict_nothing() -> None:
    probes = read_transcripts(text_of(HEALTHY), "x.txt", AT, PUBLIC)
    (first,) = probes
    assert first.tls is not None
    leaf, *above = first.tls.received_chain
    tls = replace(first.tls, received_chain=(replace(leaf, sha256="0" * 64), *above))
    (case,) = join((ERROR,), (first, replace(first, tls=tls)))
    assert len(case.probes) == 2
    diagnosis = judge(case)
    assert told(diagnosis) == ("endpoint-healthy", Standing.APPLIES)
    assert "does not agree" not in shown(diagnosis)


def test_a_run_on_one_of_two_endpoints_does_not_make_both_healthy() -> None:
    other = Endpoint("eu2-cloud.acronis.com", 443, Role.MANAGEMENT, None, False, Transport.TLS)
    case = Case(None, (*ERROR.endpoints, other))
    probes = read_transcripts(text_of(HEALTHY), "x.txt", AT, PUBLIC)
    (joined,) = join((case,), probes)
    twice = Case(None, joined.endpoints, (*joined.probes, *joined.probes))
    assert judge(twice).cause is None


def test_a_saved_report_of_contradicting_runs_says_the_same_again() -> None:
    diagnosis = judged(HEALTHY, "openssl-3.0-refused.txt")
    report = Report("0", AT, Vantage("m", "s", "t"), (diagnosis,))
    (case,) = read_report(render(report, "json", "en"), "report.json")
    assert len(case.endpoints) == 1
    again = judge(case)
    assert again.verdicts == diagnosis.verdicts
    assert shown(again, "json") == shown(diagnosis, "json")


def unnamed(name: str) -> str:
    return re.sub(r"^\$ [^\n]*\n", "", text_of(name))


@pytest.mark.parametrize(
    ("name", "cause"), [("openssl-3.0-refused.txt", "port-closed"), ("openssl-3.0-dns.txt", "")]
)
def test_a_run_of_nobody_knows_whom_is_certain_of_nothing(name: str, cause: str) -> None:
    (case,) = join((ERROR,), read_transcripts(unnamed(name), "output3.txt", AT, PUBLIC))
    diagnosis = judge(case)
    assert told(diagnosis) == (cause or "name-lookup-failed", Standing.SUSPECTED)
    assert diagnosis.cause is not None
    assert "assumed_target" in {e.fact for e in diagnosis.cause.finding.evidence}
    for form in FORMATS:
        assert "output3.txt does not say which host it asked" in shown(diagnosis, form)
    assert "Nothing was tested" not in shown(diagnosis)
    assert "ホスト名がないため" in shown(diagnosis, language="ja")
    report = Report("0", AT, Vantage("m", "s", "t"), (diagnosis,))
    (again,) = read_report(render(report, "json", "en"), "report.json")
    assert judge(again).verdicts == diagnosis.verdicts


def test_a_named_run_is_worth_more_than_one_that_is_assumed() -> None:
    probes = [
        *read_transcripts(unnamed("openssl-3.0-refused.txt"), "a.txt", AT),
        *read_transcripts(text_of("openssl-3.0-refused.txt"), "b.txt", AT),
    ]
    for order in (probes, probes[::-1]):
        (case,) = join((ERROR,), order)
        assert told(judge(case)) == ("port-closed", Standing.APPLIES)
        (skipped,) = case.skipped
        assert "a.txt" in skipped.reason


def test_an_unnamed_run_whose_certificate_names_the_host_is_not_assumed() -> None:
    text = unnamed(HEALTHY)
    (case,) = join((ERROR,), read_transcripts(text, "output3.txt", AT, PUBLIC))
    assert told(judge(case)) == ("endpoint-healthy", Standing.APPLIES)


SAME_ENDPOINT = ARTICLE.replace("rs-ca01-cloud", "rs-us5-cloud")
OTHER_ERROR = """\
Error code: 12
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {"address":"rs-us5-cloud.acronis.com","$module":"isk_bundle_vsa64_26986","port":"8443"}
Message: Could not perform SSL_connect() call:
"""


def test_a_transcript_is_about_every_error_of_its_endpoint(tmp_path: Path) -> None:
    """None of them is probed: what failed elsewhere need not fail here."""
    (tmp_path / "one.txt").write_text(SAME_ENDPOINT, "utf-8")
    (tmp_path / "other.txt").write_text(OTHER_ERROR)
    output = tmp_path / "output.txt"
    output.write_text(FORTIGATE)
    holder, port = closed_port()
    with holder:
        led = "--connect-to", f"{HOST}:{PORT}:127.0.0.1:{port}"
        done = diagnoser("scan", str(tmp_path), "--format", "json", *led, expect=1)
    cases = json.loads(done.stdout)["cases"]
    assert len(cases) == 2
    for case in cases:
        assert case["cause"] == "tls-intercepted"
        assert [e["probe"]["origin"] for e in case["endpoints"]] == ["transcript"]


def test_a_probe_from_here_does_not_take_the_place_of_what_contradicts_it(tmp_path: Path) -> None:
    errors, output = tmp_path / "errors.txt", tmp_path / "output.txt"
    errors.write_text(SAME_ENDPOINT, "utf-8")
    output.write_text(FORTIGATE)
    holder, port = closed_port()
    with holder:
        led = "--again", "--connect-to", f"{HOST}:{PORT}:127.0.0.1:{port}"
        done = diagnoser("scan", str(errors), str(output), "--format", "json", *led, expect=1)
    (case,) = json.loads(done.stdout)["cases"]
    assert [e["probe"]["origin"] for e in case["endpoints"]] == ["transcript", "live"]
    standing = {v["rule"]: v["standing"] for v in case["verdicts"]}
    assert standing["tls-intercepted"] == standing["port-closed"] == "applies"
