"""s_client transcripts of all ages: real ones of 3.0, and the layouts of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser import evidence
from diagnoser.diagnosis import judge
from diagnoser.evidence import Kind, detect, join, read_transcripts
from diagnoser.evidence.names import read_name
from diagnoser.evidence.numbers import decode_openssl, verify_code
from diagnoser.evidence.statements import _names_of_path, _verify_errors
from diagnoser.evidence.targets import UNKNOWN_HOST
from diagnoser.model import (
    Case,
    Condition,
    Diagnosis,
    Endpoint,
    Origin,
    ProbeResult,
    Report,
    Role,
    Stage,
    Standing,
    Vantage,
)
from diagnoser.probing import Trust
from diagnoser.reading.encodings import decode
from diagnoser.reports import render

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 24, tzinfo=UTC)
PUBLIC = Trust(None, (FILES / "public-root.pem").read_bytes(), None)


def text_of(name: str) -> str:
    return decode((FILES / name).read_bytes())


def probes_of(name: str, trust: Trust | None = PUBLIC) -> tuple[ProbeResult, ...]:
    return read_transcripts(text_of(name), name, AT, trust)


def judged(text: str, trust: Trust | None = PUBLIC) -> tuple[Diagnosis, ...]:
    return tuple(judge(c) for c in join((), read_transcripts(text, "output3.txt", AT, trust)))


def told(diagnosis: Diagnosis) -> tuple[str, Standing | None]:
    cause = diagnosis.cause
    return (cause.rule, cause.finding.standing) if cause else ("none", None)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("openssl-0.9.8-management.txt", "protocol-too-old"),
        ("openssl-1.0.2-windows.txt", "endpoint-healthy"),
        ("openssl-1.1.1-management.txt", "endpoint-healthy"),
        ("openssl-3.0-management12.txt", "endpoint-healthy"),
        ("openssl-3.0-management13.txt", "endpoint-healthy"),
        ("libressl-4-management.txt", "endpoint-healthy"),
        ("flattened-whole.txt", "endpoint-healthy"),
        ("openssl-3.0-fortinet.txt", "tls-intercepted"),
        ("openssl-3.2-storage-cut.txt", "tls-intercepted"),
        ("openssl-3.0-leaf-only.txt", "tls-intercepted"),
        ("openssl-3.0-storage-refused.txt", "endpoint-healthy"),
        ("openssl-3.0-storage13.txt", "endpoint-healthy"),
        ("openssl-3.0-refused.txt", "port-closed"),
        ("openssl-3.5-windows-refused.txt", "port-closed"),
        ("openssl-3.0-dns.txt", "name-lookup-failed"),
        ("openssl-3.0-plain.txt", "not-tls"),
        ("libressl-4-plain.txt", "not-tls"),
        ("openssl-3.0-reset.txt", "handshake-blocked"),
        ("openssl-3.0-closed.txt", "handshake-blocked"),
        ("openssl-3.0-stalled.txt", "handshake-stalled"),
        ("openssl-3.0-version.txt", "protocol-too-old"),
    ],
)
def test_each_transcript_reaches_its_cause(name: str, cause: str) -> None:
    (diagnosis,) = judged(text_of(name))
    assert told(diagnosis)[0] == cause


@pytest.mark.parametrize("name", sorted(p.name for p in FILES.glob("*.txt")))
def test_every_transcript_is_detected_and_names_its_endpoint(name: str) -> None:
    if name == "empty.txt":
        assert detect(b"") is None
        return
    assert detect((FILES / name).read_bytes()) is Kind.TRANSCRIPT
    for probe in probes_of(name):
        assert probe.origin is Origin.TRANSCRIPT
        assert name in probe.vantage
        expected = UNKNOWN_HOST if "stdout-only" in name else ".acronis.com"
        assert probe.endpoint.host.endswith(expected)


def test_the_good_chain_of_the_article_is_not_accused_for_its_code_19() -> None:
    flat = (
        "openssl.exe s_client -showcerts -connect eu-cloud.acronis.com:443 CONNECTED(00000168) "
        'depth=2 C = US, O = "GoDaddy.com, Inc.", CN = Root G2 verify error:num=19:self signed '
        "certificate in certificate chain --- Certificate chain 0 s:OU = Domain Control Validated, "
        'CN = *.acronis.com i:C = US, O = "GoDaddy.com, Inc.", OU = http://certs.example/repo/, '
        "CN = Secure CA -----BEGIN CERTIFICATE----- MIIF <.....> Ojx -----END CERTIFICATE----- "
        '1 s:C = US, O = "GoDaddy.com, Inc.", CN = Root G2 i:C = US, O = "GoDaddy.com, Inc.", '
        "CN = Root G2 -----BEGIN CERTIFICATE----- MIID <.....> hz1 -----END CERTIFICATE----- ---"
    )
    (diagnosis,) = judged(flat)
    assert told(diagnosis) == ("endpoint-healthy", Standing.SUSPECTED)
    (probe,) = diagnosis.case.probes
    assert str(probe.endpoint) == "eu-cloud.acronis.com:443"
    assert probe.tls is not None
    assert [c.subject.first("CN") for c in probe.tls.received_chain] == ["*.acronis.com", "Root G2"]
    leaf = probe.tls.received_chain[0]
    assert leaf.issuer.first("OU") == "http://certs.example/repo/"
    assert leaf.issuer.first("O") == "GoDaddy.com, Inc."
    named = [v.code for v in probe.tls.verify_errors]
    assert (named, probe.tls.verify) == ([19], ())


def test_the_invalid_certificate_of_the_article_names_fortinet_and_the_storage() -> None:
    flat = (
        'Certificate chain 0 s:C = "CH ", L = Schaffhausen, O = Acronis, OU = AcronisStorage, '
        "CN = Front End Server i:C = US, ST = California, L = Sunnyvale, O = Fortinet, "
        "OU = Certificate Authority, CN = FG100E4Q17000001, emailAddress = support@fortinet.com "
        '-----BEGIN CERTIFICATE----- --- Server certificate subject=C = "CH ", O = Acronis'
    )
    (diagnosis,) = judged(flat)
    assert told(diagnosis) == ("tls-intercepted", Standing.APPLIES)
    verdict = diagnosis.cause
    assert verdict is not None
    assert any("Fortinet" in e.value for e in verdict.finding.evidence if e.fact == "interceptor")
    (probe,) = diagnosis.case.probes
    assert (probe.endpoint.host, probe.endpoint.port) == (UNKNOWN_HOST, 44445)
    assert probe.endpoint.role is Role.STORAGE
    assert probe.tls is not None
    assert probe.tls.received_chain[0].subject.first("C") == "CH "


def test_several_runs_in_one_file_stay_apart() -> None:
    conditions = [
        [s.condition for s in p.stages if s.stage in (Stage.CONNECT, Stage.HANDSHAKE)]
        for p in probes_of("several-runs.txt")
    ]
    assert conditions == [
        [Condition.CONNECTION_REFUSED, Condition.NOT_REACHED],
        [Condition.MET, Condition.MET],
        [Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED],
        [Condition.MET, Condition.HANDSHAKE_TIMED_OUT],
    ]


def test_return_code_0_without_a_certificate_is_no_success() -> None:
    (probe,) = probes_of("openssl-3.0-reset.txt")
    assert probe.stage(Stage.VERIFY).condition is Condition.NOT_REACHED
    assert probe.tls is not None
    assert probe.tls.verify == ()


def test_return_code_0_with_an_interceptors_root_installed_is_interception() -> None:
    trusted = text_of("openssl-3.2-storage-cut.txt")
    trusted = trusted.replace(
        "verify error:num=19:self-signed certificate in certificate chain\n", ""
    )
    trusted = trusted.replace(
        "code: 19 (self-signed certificate in certificate chain)", "code: 0 (ok)"
    )
    (diagnosis,) = judged(trusted)
    assert told(diagnosis) == ("intercepted-and-trusted-here", Standing.APPLIES)


def test_a_stores_code_is_believed_only_where_it_says_more_than_no_root() -> None:
    text = text_of("openssl-3.0-management12.txt")
    (probe,) = read_transcripts(text, "x", AT, None)
    assert probe.tls is not None
    assert probe.tls.verify == ()
    expired = text.replace("verify error:num=20:unable to get local issuer certificate\n", "")
    expired = expired.replace(
        "code: 20 (unable to get local issuer certificate)", "code: 10 (certificate has expired)"
    )
    (probe,) = read_transcripts(expired, "x", AT, None)
    assert probe.tls is not None
    assert [v.code for v in probe.tls.verify] == [10]


PASTES: dict[str, Callable[[str], bytes]] = {
    "crlf": lambda t: t.replace("\n", "\r\n").encode(),
    "utf-16-powershell": lambda t: t.replace("\n", "\r\n").encode("utf-16"),
    "utf-8-sig": lambda t: t.encode("utf-8-sig"),
    "quoted-mail": lambda t: "".join(f"> {line}\n" for line in t.split("\n")).encode(),
    "one-line": lambda t: t.replace("\n", " ").encode(),
    "prompt": lambda t: ("C:\\Users\\a>" + t.removeprefix("$ ") + "^C\nC:\\Users\\a>").encode(),
}


@pytest.mark.parametrize("paste", PASTES)
@pytest.mark.parametrize(
    "name", ["openssl-3.0-management12.txt", "openssl-3.0-fortinet.txt", "openssl-3.0-refused.txt"]
)
def test_what_pasting_does_to_a_transcript_changes_no_verdict(name: str, paste: str) -> None:
    text = decode(PASTES[paste](text_of(name)))
    (plain,), (pasted,) = judged(text_of(name)), judged(text)
    assert told(pasted) == told(plain)
    (before,), (after,) = plain.case.probes, pasted.case.probes
    assert after.endpoint == before.endpoint
    chains = [
        tuple(c.sha256 for c in p.tls.received_chain) if p.tls else () for p in (before, after)
    ]
    assert chains[0] == chains[1]


def test_secrets_never_come_in() -> None:
    text = text_of("openssl-3.0-management12.txt")
    key = text.partition("Master-Key: ")[2].split("\n")[0]
    assert len(key) == 96
    diagnoses = judged(text)
    report = Report("0", AT, Vantage("m", "s", "t"), diagnoses)
    shown = render(report, "json", "en")
    assert key not in shown
    assert key not in repr(diagnoses)
    assert json.loads(shown)["cases"][0]["endpoints"][0]["probe"]["origin"] == "transcript"


def test_an_empty_file_is_inconclusive_and_says_what_to_run() -> None:
    fault = evidence.explain_emptiness("output3.txt")
    assert "inconclusive" in str(fault)
    assert fault.hint is not None
    assert "2>&1" in fault.hint


def test_a_command_without_output_is_no_run() -> None:
    assert read_transcripts("openssl s_client -connect eu-cloud.acronis.com:443\n", "x", AT) == ()


def test_evidence_without_a_host_is_joined_to_the_only_endpoint_it_can_mean() -> None:
    endpoint = probes_of("openssl-3.0-storage-refused.txt")[0].endpoint
    case = Case(block=None, endpoints=(endpoint,))
    (joined,) = join((case,), probes_of("openssl-3.0-storage-stdout-only.txt"))
    assert [p.endpoint for p in joined.probes] == [endpoint]
    other = Endpoint(
        "rs-us5-cloud.acronis.com", 8443, Role.REGISTRATION, None, False, endpoint.transport
    )
    apart = join((Case(None, (other,)),), probes_of("openssl-3.0-storage-stdout-only.txt"))
    assert len(apart) == 2


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "/C=US/OU=http://a.example/b//CN=x y",
            [("C", "US"), ("OU", "http://a.example/b/"), ("CN", "x y")],
        ),
        ('C = "CH ", O = "a, Inc.", CN = b', [("C", "CH "), ("O", "a, Inc."), ("CN", "b")]),
        ("C=CH , O=a, Inc., CN=b", [("C", "CH "), ("O", "a, Inc."), ("CN", "b")]),
        ("O=a + CN=b, 1.2.3.4=c", [("O", "a"), ("CN", "b"), ("1.2.3.4", "c")]),
        (
            "/CN=\\xE6\\x97\\xA5/emailAddress=a@b.example",
            [("CN", "日"), ("emailAddress", "a@b.example")],
        ),
        ('CN = "say \\"hi\\""', [("CN", 'say "hi"')]),
    ],
)
def test_names_in_three_notations(text: str, values: list[tuple[str, str]]) -> None:
    name = read_name(text)
    assert name is not None
    assert [(a.key, a.value) for a in name.attributes] == values


def test_numbers_that_were_given_away_anew_are_told_by_their_text() -> None:
    assert verify_code(24, "invalid CA certificate") == 79
    assert verify_code(69, "CA signature digest algorithm too weak") == 68
    assert verify_code(19, "anything") == 19


@pytest.mark.parametrize(
    ("code", "field", "value"),
    [
        ("0A000410", "alert", 40),
        ("1407742E", "alert", 70),
        ("8000274D", "system", 10061),
        ("0200274C", "system", 10060),
        ("0200206F", "system", 111),
        ("0A000126", "reason", 294),
        ("140770FC", "reason", 252),
    ],
)
def test_openssl_codes_of_every_generation(code: str, field: str, value: int) -> None:
    decoded = decode_openssl(code)
    assert decoded is not None
    assert getattr(decoded, field) == value


WORDS = st.sampled_from(
    [
        "CONNECTED(00000003)", "Certificate chain", " 0 s:", "   i:", "C = US, CN = x", "/CN=x",
        "verify error:num=19:", "depth=1 ", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
        "MIIB", "<.....>", "Server certificate", "subject=", "issuer=", "---", "\n", "error:0A000410:",
        "connect:errno=111", "openssl s_client -connect ", "a.acronis.com:443", "\x02", "\x03", "=",
        "Verify return code: 0 (ok)", "New, (NONE), Cipher is (NONE)", "SSL alert number 40",
        "Acceptable client certificate CA names", "HTTP CONNECT failed: 407", "Start Time: 99999999999",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=60))
def test_no_text_breaks_the_reader(parts: list[str]) -> None:
    for probe in read_transcripts(" ".join(parts), "x", AT, PUBLIC):
        assert probe.endpoint.host
        judge(Case(None, (probe.endpoint,), (probe,)))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_transcript_cut_or_bitten_anywhere_breaks_nothing(data: st.DataObject) -> None:
    text = text_of("several-runs.txt")
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    for diagnosis in judged(text[:first] + text[last:]):
        assert diagnosis.verdicts


@given(st.text(max_size=300))
def test_no_name_breaks_the_grammar(text: str) -> None:
    read_name(text)
    read_name("/CN=" + text)
    read_name("C = " + text)
    read_name("C=" + text)


BLANKS = " " * 900_000


@pytest.mark.parametrize(
    "text",
    [f"depth=0 CN = a{BLANKS}", f"verify error:num=19:x{BLANKS}", f"depth=0 CN = a {BLANKS}x",
     f"depth=0 CN = a{' ' * 4000}x\n" * 20, f"verify error:num=19:x{' ' * 4000}x\n" * 20,
     "depth=0 CN = a\n" + "\n" * 900_000, "depth=0 CN = a\n" * 70_000],
    ids=range(7),
)  # fmt: skip
def test_blanks_are_read_to_their_end(text: str) -> None:
    """Looked behind from each of them, these took minutes."""
    whole = text_of("openssl-3.0-refused.txt")
    assert read_transcripts(f"{whole}\n{text}", "x", AT)[0].endpoint.host


@pytest.mark.parametrize("blanks", ["", " ", " " * 300])
def test_blanks_behind_a_name_are_no_part_of_it(blanks: str) -> None:
    text = f"depth=1 CN = b{blanks}\ndepth=0 CN = a{blanks}\nverify error:num=18:why{blanks}\n"
    assert list(_verify_errors(text)) == [(18, "why", 0)]
    assert {d: str(n) for d, n in _names_of_path(text).items()} == {0: "CN=a", 1: "CN=b"}


def test_a_megabyte_of_anchors_takes_no_time() -> None:
    text = "Certificate chain\n 0 s:C = US, CN = x\n" * 25_000
    begun = datetime.now(UTC)
    read_transcripts(text, "x", AT)
    assert (datetime.now(UTC) - begun).total_seconds() < 20


def test_an_end_without_goodbye_after_a_whole_handshake_is_no_cut() -> None:
    """OpenSSL 3 prints an error for it, as if the handshake had failed (measured)."""
    late = (
        "40A7:error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading:ssl/x.c:317:\n"
    )
    text = decode((FILES / "openssl-3.0-management13.txt").read_bytes()) + late
    (probe,) = read_transcripts(text, "x.txt", AT, PUBLIC)
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.MET
