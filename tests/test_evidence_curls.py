"""What ``curl -v`` says. The files are of curl 7.88 against servers in a network of their own; the
texts of other versions and of Windows are from its sources and from published issues."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_cli import diagnoser

from diagnoser.diagnosis import judge, open_case
from diagnoser.evidence import Kind, detect, join, read_curls
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Category,
    Condition,
    Diagnosis,
    ProbeResult,
    Report,
    Stage,
    Standing,
    Vantage,
)
from diagnoser.reports import render

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 30, tzinfo=UTC)
OPEN = ("none", None)
APPLIES, SUSPECTED = Standing.APPLIES, Standing.SUSPECTED


def text_of(name: str) -> str:
    return (FILES / f"curl-7.88-{name}.txt").read_text("utf-8")


def probes_of(text: str) -> tuple[ProbeResult, ...]:
    return read_curls(text, "curl.txt", AT)


def judged(text: str, *, error: str = "") -> Diagnosis:
    cases = [open_case(b) for b in read_blocks(error, "error.txt").blocks]
    (case,) = join(cases, probes_of(text))
    return judge(case)


def told(diagnosis: Diagnosis) -> tuple[str, Standing | None]:
    cause = diagnosis.cause
    return (cause.rule, cause.finding.standing) if cause else OPEN


def shown(diagnosis: Diagnosis, language: str = "en") -> str:
    report = Report("0", AT, Vantage("m", "s", "t"), (diagnosis,))
    return (" " if language == "en" else "").join(render(report, "text", language).split())


CAUSES = {
    "refused": ("port-closed", APPLIES),
    "timeout": ("port-filtered", APPLIES),
    "unreachable": ("network-unreachable", APPLIES),
    "dns": ("name-lookup-failed", APPLIES),
    "reset": ("handshake-blocked", SUSPECTED),
    "closed": ("handshake-blocked", SUSPECTED),
    "stalled": ("handshake-stalled", SUSPECTED),
    "plain": ("not-tls", APPLIES),
    "trusted": ("intercepted-and-trusted-here", APPLIES),
    "insecure": ("tls-intercepted", APPLIES),
    "genuine": ("endpoint-healthy", SUSPECTED),
    "name": ("name-mismatch", SUSPECTED),
    "storage": ("tls-intercepted", APPLIES),
    "proxy-login": ("proxy-authentication-required", APPLIES),
    "proxy-forbids": ("proxy-refused", APPLIES),
    "proxy-closed": ("proxy-unreachable", APPLIES),
    "proxy-unknown": ("proxy-unreachable", APPLIES),
    # Who issued it is not in the text, however well known the number is.
    "untrusted": OPEN,
    "storage-untrusted": OPEN,
    "storage12": OPEN,
    "proxy-through": OPEN,
    # One second proves no filter; without -v only that no connection opened is told.
    "impatient": OPEN,
    "silent": ("port-closed", SUSPECTED),
    # Asked for the name of another host.
    "led": OPEN,
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_run_of_curl_is_judged_as_a_handshake_of_our_own(name: str) -> None:
    text = text_of(name)
    assert detect(text.encode()) is Kind.TRANSCRIPT
    assert told(judged(text)) == CAUSES[name]


@pytest.mark.parametrize("name", [n for n in CAUSES if n not in ("silent", "led")])
@pytest.mark.parametrize("paste", ["crlf", "quoted", "traced", "indented"])
def test_it_is_read_as_it_is_pasted(name: str, paste: str) -> None:
    text = text_of(name)
    if paste == "crlf":
        text = text.replace("\n", "\r\n")
    elif paste == "quoted":
        text = re.sub(r"(?m)^", "> ", text)
    elif paste == "traced":
        text = re.sub(r"(?m)^(?=[*<>{}] )", "20:22:17.123456 ", text)
    else:
        text = re.sub(r"(?m)^", "    ", text)
    assert told(judged(text)) == CAUSES[name]


def test_what_each_stage_showed() -> None:
    (probe,) = probes_of(text_of("insecure"))
    assert str(probe.endpoint) == "eu2-cloud.acronis.com:443"
    assert [(a.address, a.condition) for a in probe.addresses] == [("203.0.113.7", Condition.MET)]
    assert probe.tls is not None
    leaf = probe.tls.end_entity
    assert leaf is not None
    assert str(leaf.subject) == "CN=eu2-cloud.acronis.com"
    assert str(leaf.issuer).startswith("C=US, ST=California, L=Sunnyvale, O=Fortinet, OU=")
    assert leaf.not_after is not None
    assert probe.tls.version == "TLSv1.3"
    assert probe.tls.client_certificate_requested is False
    assert [v.code for v in probe.tls.verify] == [19]
    (storage,) = probes_of(text_of("storage"))
    assert storage.tls is not None
    assert storage.tls.client_certificate_requested is True
    assert storage.stage(Stage.HANDSHAKE).error == 116


def test_a_refused_certificate_whose_issuer_is_not_shown_is_said_to_be_open() -> None:
    for language, sentence in (
        ("en", "who issued it is not in the text"),
        ("ja", "発行元は文中にありません"),
    ):
        diagnosis = judged(text_of("untrusted"))
        assert sentence in shown(diagnosis, language)
        assert "openssl" in shown(diagnosis, language)
    assert "Acronis' own CA" in shown(judged(text_of("storage-untrusted")))


def test_no_login_of_a_proxy_is_told() -> None:
    text = shown(judged(text_of("proxy-login")))
    assert "proxy.example.org:3128" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "options", ["--proxy-user bob:secret -x", "-x", "--proxy", "--proxy-insecure --proxy"]
)
def test_a_proxy_is_no_option_that_begins_with_its_name(options: str) -> None:
    text = text_of("proxy-login").replace("curl ", f"curl {options} proxy.example.com:8080 ", 1)
    (probe,) = probes_of(text)
    assert probe.proxy == "proxy.example.com:8080"


@pytest.mark.parametrize(
    "option",
    ["--socks5 10.0.0.9:1080", "-vx 10.0.0.9:1080", "--preproxy socks5h://10.0.0.9:1080", ""],
)
def test_what_refuses_on_the_way_is_the_proxy(option: str) -> None:
    text = f"""\
$ curl {option} https://eu2-cloud.acronis.com:8443/
*   Trying 10.0.0.9:1080...
* connect to 10.0.0.9 port 1080 failed: Connection refused
* Failed to connect to 10.0.0.9 port 1080 after 0 ms: Connection refused
curl: (7) Failed to connect to 10.0.0.9 port 1080 after 0 ms: Connection refused
"""
    diagnosis = judged(text)
    assert told(diagnosis) == ("proxy-unreachable", APPLIES)
    assert [p.proxy for p in diagnosis.case.probes] == ["10.0.0.9:1080"]


def test_roots_that_the_command_names_are_not_the_machines() -> None:
    for text in (
        text_of("trusted").replace("curl ", "curl --cacert corp.pem ", 1),
        text_of("trusted").replace("/etc/ssl/certs", "/home/a"),
    ):
        assert told(judged(text)) == ("tls-intercepted", APPLIES)
        assert "whose roots accepted" in shown(judged(text))
    # Without the command the roots that it names itself tell.
    without = re.sub(r"^\$ [^\n]*\n", "", text_of("trusted"))
    assert told(judged(without))[0] == "intercepted-and-trusted-here"


@pytest.mark.parametrize("option", ["--tls-max 1.1", "--tlsv1.3", "--ciphers AES128-SHA"])
def test_who_narrows_his_own_hello_learns_nothing(option: str) -> None:
    text = text_of("reset").replace("curl ", f"curl {option} ", 1)
    assert told(judged(text)) == OPEN


def test_every_run_of_a_text_is_one_observation() -> None:
    names = ("refused", "insecure", "genuine", "proxy-forbids", "timeout", "dns")
    whole = "\n".join(text_of(n) for n in names)
    bare = "\n".join(re.sub(r"^\$ [^\n]*\n", "", text_of(n)) for n in names)
    for text in (whole, bare):
        found = [str(p.endpoint) for p in probes_of(text)]
        assert found == [
            "eu2-cloud.acronis.com:7770",
            "eu2-cloud.acronis.com:443",
            "eu2-cloud.acronis.com:8443",
            "eu2-cloud.acronis.com:8443",
            "eu2-cloud.acronis.com:8005",
            "nothing.acronis.com:443",
        ]


ERROR = """\
Error code: 307
Module: 626
Fields: {"$module":"isk_bundle_vsa64_26986","address":"eu2-cloud.acronis.com","port":"7770"}
Message: Could not perform SSL_write() call:
"""


def test_it_is_joined_to_the_error_beside_it(tmp_path: Path) -> None:
    diagnosis = judged(text_of("refused"), error=ERROR)
    assert diagnosis.case.block is not None
    assert told(diagnosis) == ("port-closed", APPLIES)
    (tmp_path / "both.txt").write_text(ERROR + "\n" + text_of("refused"))
    done = diagnoser("scan", "--offline", str(tmp_path / "both.txt"), expect=1)
    assert "[port-closed, diagnosed]" in done.stdout
    assert "Overview" not in done.stdout


# --- texts of other versions and systems --------------------------------------------------------

WINDOWS = """\
C:\\> curl.exe -v https://eu2-cloud.acronis.com:8443/
* Host eu2-cloud.acronis.com:8443 was resolved.
* IPv6: (none)
* IPv4: 203.0.113.7
*   Trying 203.0.113.7:8443...
* Connected to eu2-cloud.acronis.com (203.0.113.7) port 8443
* schannel: disabled automatic use of client certificate
* ALPN: curl offers http/1.1
{told}
* closing connection #0
curl: ({code}) {said}
"""
FAILED_CONNECT = """\
* Host eu2-cloud.acronis.com:8443 was resolved.
* IPv6: 2001:db8::7
* IPv4: 203.0.113.7
*   Trying [2001:db8::7]:8443...
* Immediate connect fail for 2001:db8::7: Network is unreachable
*   Trying 203.0.113.7:8443...
* connect to 203.0.113.7 port 8443 from 10.0.0.5 port 50312 failed: {reason}
* Failed to connect to eu2-cloud.acronis.com port 8443 after 21043 ms: Could not connect to server
* closing connection #0
curl: (7) Failed to connect to eu2-cloud.acronis.com port 8443 after 21043 ms: Could not connect
"""
OLD = """\
* About to connect() to eu2-cloud.acronis.com port 8443 (#0)
*   Trying 203.0.113.7... {end}
* couldn't connect to host
* Closing connection #0
curl: (7) couldn't connect to host
"""


def on_windows(code: int, said: str) -> str:
    return WINDOWS.format(told=f"* {said}", code=code, said=said)


UNTRUSTED = "schannel: SEC_E_UNTRUSTED_ROOT (0x80090325) - 信頼されていない機関によって"


@pytest.mark.parametrize(
    ("code", "said", "cause", "verify"),
    [
        (60, UNTRUSTED, OPEN, 27),
        (77, f"schannel: next InitializeSecurityContext failed: {UNTRUSTED[10:]}", OPEN, 27),
        (60, "schannel: SNI or certificate check failed: SEC_E_WRONG_PRINCIPAL (0x80090322) - x",
         ("name-mismatch", SUSPECTED), 62),
        (60, "schannel: next InitializeSecurityContext failed: SEC_E_CERT_EXPIRED (0x80090328)",
         ("certificate-expired", SUSPECTED), 10),
        (35, "schannel: next InitializeSecurityContext failed: CRYPT_E_REVOKED (0x80092010) - x",
         ("certificate-revoked", SUSPECTED), 23),
        (35, "schannel: next InitializeSecurityContext failed: CRYPT_E_NO_REVOCATION_CHECK "
         "(0x80092012) - The revocation function was unable", OPEN, None),
        (35, "schannel: next InitializeSecurityContext failed: Unknown error (0x80092013)",
         OPEN, None),
        (35, "schannel: failed to receive handshake, SSL/TLS connection failed",
         ("handshake-blocked", SUSPECTED), None),
        (35, "Recv failure: Connection was reset", ("handshake-blocked", SUSPECTED), None),
    ],
)  # fmt: skip
def test_schannel_is_read_by_its_numbers(
    code: int, said: str, cause: tuple[str, Standing | None], verify: int | None
) -> None:
    diagnosis = judged(on_windows(code, said))
    assert told(diagnosis) == cause
    (probe,) = diagnosis.case.probes
    assert probe.tls is not None
    assert [v.code for v in probe.tls.verify] == ([] if verify is None else [verify])
    assert str(probe.endpoint) == "eu2-cloud.acronis.com:8443"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Connection refused", ("port-closed", APPLIES)),
        ("Connection timed out", ("port-filtered", APPLIES)),
        ("Timed out", ("port-filtered", APPLIES)),
        ("Operation timed out", ("port-filtered", APPLIES)),
        # The address that answered tells more than the family that this machine does not have.
        ("No route to host", ("network-unreachable", APPLIES)),
        ("Verbindungsaufbau abgelehnt", ("network-unreachable", APPLIES)),
    ],
)
def test_a_connection_that_failed(reason: str, cause: tuple[str, Standing]) -> None:
    (probe,) = probes_of(FAILED_CONNECT.format(reason=reason))
    assert str(probe.endpoint) == "eu2-cloud.acronis.com:8443"
    assert told(judged(FAILED_CONNECT.format(reason=reason)))[0] in (cause[0], "none")
    if reason != "Verbindungsaufbau abgelehnt":
        assert told(judged(FAILED_CONNECT.format(reason=reason))) == cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (OLD.format(end="Connection refused"), ("port-closed", SUSPECTED)),
        (text_of("reset").replace("Recv failure: Connection reset by peer", "Unknown SSL protocol"
         " error in connection to x:443").replace("OpenSSL SSL_connect", "x"), OPEN),
        (re.sub(r"SSL_ERROR_SYSCALL in", "SSL_ERROR_SYSCALL, errno 104 in", text_of("closed")),
         ("handshake-blocked", SUSPECTED)),
        (text_of("proxy-login").replace("CONNECT tunnel failed, response 407",
         "Received HTTP code 407 from proxy after CONNECT"),
         ("proxy-authentication-required", APPLIES)),
        (text_of("genuine").replace("matched cert's", "matches cert's"),
         ("endpoint-healthy", SUSPECTED)),
    ],
)  # fmt: skip
def test_older_and_newer_words(text: str, cause: tuple[str, Standing | None]) -> None:
    assert told(judged(text)) == cause


@pytest.mark.parametrize(
    "text",
    [
        "curl: (60) SSL certificate problem: unable to get local issuer certificate\n",
        "see `curl -v https://eu2-cloud.acronis.com/` and tell us\n",
        "* first\n* second: Trying harder\n",
        "2026-11-20 10:00:00 curl: (6) Could not resolve host\n",
    ],
)
def test_what_names_no_endpoint_is_no_evidence(text: str) -> None:
    assert probes_of(text) == ()


@pytest.mark.parametrize("code", [2, 3, 27, 42])
def test_a_run_that_curl_itself_ended_shows_no_stage_as_passed(code: int) -> None:
    command = "$ curl -v https://eu2-cloud.acronis.com:8443/\n"
    assert probes_of(f"{command}curl: ({code}) a reason\n") == ()
    tried = f"{command}*   Trying 203.0.113.7:8443...\ncurl: ({code}) a reason\n"
    (probe,) = probes_of(tried)
    assert probe.stage(Stage.CONNECT).condition is Condition.UNCLASSIFIED
    assert told(judged(tried)) == OPEN


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Operation timed out after 30001 milliseconds with 0 bytes received", None),
        ("Connection timed out after 30001 milliseconds", None),
        ("Failed to connect to eu2-cloud.acronis.com port 8443 after 30001 ms: Could not connect to"
         " server", "port-filtered"),
    ],
)  # fmt: skip
def test_a_time_out_without_more_words_may_be_of_any_stage(said: str, cause: str | None) -> None:
    diagnosis = judged(f"$ curl https://eu2-cloud.acronis.com:8443/\ncurl: (28) {said}\n")
    assert told(diagnosis) == (OPEN if cause is None else (cause, APPLIES))


@pytest.mark.parametrize(
    ("code", "said", "cause"),
    [
        (35, "Recv failure: Connection reset by peer", ("handshake-blocked", SUSPECTED)),
        (56, "Recv failure: Connection reset by peer", OPEN),
        (56, "OpenSSL SSL_read: Connection reset by peer, errno 104", OPEN),
        (55, "Send failure: Broken pipe", OPEN),
    ],
)
def test_what_failed_after_the_handshake_accuses_none(
    code: int, said: str, cause: tuple[str, Standing | None]
) -> None:
    diagnosis = judged(f"$ curl https://eu2-cloud.acronis.com:8443/\ncurl: ({code}) {said}\n")
    assert told(diagnosis) == cause
    assert diagnosis.case.probes[0].stage(Stage.CONNECT).condition is Condition.MET


def test_plain_http_says_nothing_of_tls() -> None:
    text = text_of("refused").replace("https://", "http://")
    assert told(judged(text)) == ("port-closed", APPLIES)
    plain = """\
$ curl -v http://eu2-cloud.acronis.com:8443/
*   Trying 203.0.113.7:8443...
* Connected to eu2-cloud.acronis.com (203.0.113.7) port 8443 (#0)
> GET / HTTP/1.1
> Host: eu2-cloud.acronis.com:8443
>
* Recv failure: Connection reset by peer
curl: (56) Recv failure: Connection reset by peer
"""
    assert probes_of(plain) == ()


@pytest.mark.parametrize("name", CAUSES)
def test_a_text_that_is_cut_anywhere_accuses_nobody_else(name: str) -> None:
    text = text_of(name)
    # Before the line of the verdict is read, a store that trusts the interceptor is not known.
    whole = (told(judged(text))[0], *(["tls-intercepted"] if name == "trusted" else []))
    for end in range(0, len(text), 97):
        for case in join((), probes_of(text[:end])):
            assert told(judge(case))[0] in (*whole, "none", "endpoint-healthy"), text[:end]


REFUSED = """\
$ curl -v {options}
*   Trying {address}:{port}...
* connect to {address} port {port} failed: Connection refused
* Failed to connect to {host} after 2 ms: Couldn't connect to server
curl: (7) Failed to connect to {host} after 2 ms: Couldn't connect to server
"""
URL = "https://eu2-cloud.acronis.com:8443/"


def test_newer_versions_name_host_and_port_together() -> None:
    line = "* Host eu2-cloud.acronis.com:443 was resolved.\n*   Trying"
    text = re.sub(r"^\$ [^\n]*\n", "", text_of("genuine").replace("*   Trying", line, 1))
    (probe,) = probes_of(text)
    assert (probe.endpoint.host, probe.endpoint.port) == ("eu2-cloud.acronis.com", 443)
    assert told(judged(text))[0] == "endpoint-healthy"


@pytest.mark.parametrize(
    ("options", "host"),
    [
        (f"--socks5 198.51.100.1:1080 {URL}", "198.51.100.1 port 1080"),
        (f"-kvx socks5h://198.51.100.1:1080 {URL}", "198.51.100.1 port 1080"),
        # Of .curlrc; newer versions name it.
        (URL, "proxy.example.org port 1080"),
        (URL, "eu2-cloud.acronis.com port 8443 via proxy.example.org:1080"),
    ],
)
def test_a_proxy_that_is_closed_is_not_the_port_behind_it(options: str, host: str) -> None:
    text = REFUSED.format(options=options, address="198.51.100.1", port=1080, host=host)
    diagnosis = judged(text)
    assert told(diagnosis) == ("proxy-unreachable", APPLIES)
    assert str(diagnosis.case.probes[0].endpoint) == "eu2-cloud.acronis.com:8443"


@pytest.mark.parametrize(
    "option", ["--proxy-insecure", "--proxy-user a:b", "--proxy-cacert corp.pem"]
)
def test_options_about_a_proxy_are_none(option: str) -> None:
    text = text_of("refused").replace("curl ", f"curl {option} ", 1)
    assert told(judged(text)) == ("port-closed", APPLIES)


@pytest.mark.parametrize("option", ["--resolve eu2-cloud.acronis.com:8443:{}", "--connect-to ::{}"])
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "192.168.1.1"])
def test_where_the_command_leads_to_an_inner_address_it_is_about_that(
    option: str, address: str
) -> None:
    options = f"{option.format(address)} {URL}"
    text = REFUSED.format(options=options, address=address, port=8443, host=f"{address} port 8443")
    (probe,) = probes_of(text)
    assert str(probe.endpoint) == f"{address}:8443"
    # A name that this machine itself looks up there is another matter.
    text = REFUSED.format(options=URL, address=address, port=8443, host="a port 8443")
    assert str(probes_of(text)[0].endpoint) == "eu2-cloud.acronis.com:8443"


def test_the_handshake_with_a_proxy_is_not_the_servers() -> None:
    proxy = text_of("trusted").split("* ALPN", 1)[1].split("* using HTTP", 1)[0]
    proxy = "* ALPN" + proxy.replace("Server certificate", "Proxy certificate")
    text = text_of("proxy-through").replace("http://proxy", "https://proxy")
    text = text.replace("* allocate", f"{proxy}* allocate")
    assert told(judged(text)) == OPEN
    assert judged(text).case.probes[0].stage(Stage.TUNNEL).condition is Condition.MET
    assert judged(text).case.probes[0].stage(Stage.HANDSHAKE).condition is Condition.UNCLASSIFIED
    # Where its certificate is refused, nothing is known of what is behind it.
    refused = text[: text.index("* allocate")].replace("* SSL connection", "* x").replace(
        "SSL certificate verify ok.", "SSL certificate problem: certificate has expired"
    ) + "curl: (60) SSL certificate problem: certificate has expired\n"  # fmt: skip
    diagnosis = judged(refused)
    assert told(diagnosis) == OPEN
    assert diagnosis.case.probes[0].stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED


def test_a_file_of_roots_beside_the_systems_own_directory_is_the_commands() -> None:
    text = re.sub(r"^\$ [^\n]*\n", "", text_of("trusted"))
    text = text.replace("/etc/ssl/certs/ca-certificates.crt", "/home/a/corp.pem")
    assert told(judged(text)) == ("tls-intercepted", APPLIES)


def test_the_options_of_a_command_are_those_of_all_its_runs() -> None:
    text = text_of("genuine").replace("curl ", "curl --tls-max=1.1 ", 1) + re.sub(
        r"^\$ [^\n]*\n", "", text_of("reset")
    )
    assert told(judge(join((), probes_of(text)[1:])[0])) == OPEN


def test_transfers_at_the_same_time_are_not_told_apart() -> None:
    text = text_of("refused").replace("curl ", "curl -Z https://x.acronis.com/ ", 1)
    assert probes_of(text) == ()


def test_no_network_for_ipv6_alone_is_no_fault_where_it_alone_was_asked_for() -> None:
    text = text_of("unreachable").replace("198.51.100.9", "2001:db8::9")
    assert told(judged(text)) == ("network-unreachable", APPLIES)
    assert told(judged(text.replace("curl ", "curl -6 ", 1))) == OPEN


BLANK = "*  issuer:" + " " * 4000 + "\n"


@pytest.mark.parametrize(
    "sign", ["*", " ", "* Trying 1", "curl -x http://", "> ", "0 ", "; CN=", BLANK]
)
def test_hostile_text_takes_bounded_time(sign: str) -> None:
    text = text_of("insecure") + sign * (600_000 // len(sign)) + "\ncurl: (60) x\n"
    started = datetime.now(UTC)
    probes_of(text)
    assert (datetime.now(UTC) - started).total_seconds() < 10


def test_a_run_that_is_not_read_is_listed(tmp_path: Path) -> None:
    error = tmp_path / "error.txt"
    parallel = text_of("refused").replace("curl ", "curl -Z https://x.acronis.com/ ", 1)
    error.write_text("Error code: 307\nModule: 626\nMessage: m\n\n" + parallel)
    done = diagnoser("scan", str(error), "--offline", "--format", "json")
    skipped = json.loads(done.stdout)["skipped"]
    assert [s["reason"] for s in skipped if s["source"] == str(error)] == [
        "output of curl that tells of no connection with TLS, or of several at once"
    ]


def test_storage_under_acronis_own_ca_is_no_interception() -> None:
    """What looks most like one: no public root, a refusal by number, and a certificate asked for."""
    issuer = "C=US; ST=California; L=Sunnyvale; O=Fortinet; OU=Certificate Authority; CN=FGT60FTK20000000"
    text = text_of("storage")
    assert text.count(issuer) == 1
    diagnosis = judged(text.replace(issuer, "C=CH; O=Acronis; OU=AcronisStorage; CN=Storage Root"))
    assert told(diagnosis)[0] == "endpoint-healthy"
    accusing = [
        v.rule
        for v in diagnosis.verdicts
        if v.category is Category.MITM_CERTIFICATE and v.finding.standing in (APPLIES, SUSPECTED)
    ]
    assert accusing == []
