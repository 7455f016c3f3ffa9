"""How a run of curl ended where no line but the last tells, and where GnuTLS tells it in its words.

The texts of GnuTLS are those of libcurl 7.88 with GnuTLS 3.7 against servers of its own.
"""

from __future__ import annotations

import pytest
from test_evidence_curls import APPLIES, AT, OPEN, SUSPECTED, judged, probes_of, told

from diagnoser.evidence import Kind, detect, is_curl, read_curls
from diagnoser.model import Condition, Stage, Standing, TrustStore

COMMAND = "$ curl https://eu2-cloud.acronis.com:8443/\n"
GNUTLS = """\
$ curl -v https://eu2-cloud.acronis.com:8443/
*   Trying 203.0.113.7:8443...
* Connected to eu2-cloud.acronis.com (203.0.113.7) port 8443 (#0)
* found 432 certificates in /etc/ssl/certs
* GnuTLS ciphers: NORMAL:-ARCFOUR-128:-CTYPE-ALL:+CTYPE-X509:-VERS-SSL3.0
* ALPN: offers h2,http/1.1
{told}
* Closing connection 0
curl: ({code}) {said}
"""
Cause = tuple[str, Standing | None]


@pytest.mark.parametrize(
    ("ending", "cause", "verify"),
    [
        ("(60) SSL certificate problem: certificate has expired",
         ("certificate-expired", SUSPECTED), [10]),
        ("(60) SSL certificate problem: unable to get local issuer certificate", OPEN, [20]),
        ("(60) SSL: no alternative certificate subject name matches target host name 'x'",
         ("name-mismatch", SUSPECTED), [62]),
        ("(60) schannel: SEC_E_UNTRUSTED_ROOT (0x80090325) - x", OPEN, [27]),
        ("(60) server certificate verification failed. CAfile: none CRLfile: none", OPEN, []),
    ],
)  # fmt: skip
def test_a_certificate_that_curl_refused_is_told_without_v(
    ending: str, cause: Cause, verify: list[int]
) -> None:
    text = f"{COMMAND}curl: {ending}\n"
    assert told(judged(text)) == cause
    (probe,) = probes_of(text)
    assert probe.stage(Stage.VERIFY).condition is Condition.CERTIFICATE_REJECTED
    assert probe.tls is not None
    assert [v.code for v in probe.tls.verify] == verify


@pytest.mark.parametrize(
    ("ending", "cause", "proxy"),
    [
        ("(56) CONNECT tunnel failed, response 403", ("proxy-refused", APPLIES), "not named"),
        ("(56) Received HTTP code 407 from proxy after CONNECT",
         ("proxy-authentication-required", APPLIES), "not named"),
        ("(5) Could not resolve proxy: proxy.example.org", ("proxy-unreachable", APPLIES),
         "proxy.example.org"),
        # Replies of RFC 1928: not allowed by the rules; refused by the host behind.
        ("(97) cannot complete SOCKS5 connection to eu2-cloud.acronis.com. (2)",
         ("proxy-refused", APPLIES), "not named"),
        ("(97) Can't complete SOCKS5 connection to eu2-cloud.acronis.com. (5)",
         ("proxy-refused", SUSPECTED), "not named"),
        ("(7) Can't complete SOCKS5 connection to 0.0.0.0:0. (1)", ("proxy-refused", SUSPECTED),
         "not named"),
        ("(97) connection to proxy closed", OPEN, "not named"),
    ],
)  # fmt: skip
def test_what_a_proxy_ended_is_not_the_endpoints(ending: str, cause: Cause, proxy: str) -> None:
    text = f"{COMMAND}curl: {ending}\n"
    assert told(judged(text)) == cause
    (probe,) = probes_of(text)
    assert (str(probe.endpoint), probe.proxy) == ("eu2-cloud.acronis.com:8443", proxy)
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED


@pytest.mark.parametrize("options", ["-x http://proxy.example.org:3128", ""])
def test_a_handshake_that_failed_behind_a_proxy_was_the_endpoints(options: str) -> None:
    ending = "curl: (60) SSL certificate problem: certificate has expired\n"
    text = f"$ curl {options} https://eu2-cloud.acronis.com:8443/\n{ending}"
    assert told(judged(text)) == ("certificate-expired", SUSPECTED)
    # A proxy that is spoken to in TLS has a certificate of its own.
    secured = text.replace("http://proxy", "https://proxy")
    assert told(judged(secured)) == (OPEN if options else ("certificate-expired", SUSPECTED))


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("The TLS connection was non-properly terminated.", ("handshake-blocked", SUSPECTED)),
        ("Handshake failed", ("alert-received", APPLIES)),
        ("The server name sent was not recognized", ("alert-received", APPLIES)),
        ("Error in protocol version", ("protocol-too-old", APPLIES)),
        # It has this for plain text, and for TLS in a wrong order.
        ("An unexpected TLS packet was received.", OPEN),
        ("Une alerte TLS fatale a été reçue.", OPEN),
    ],
)
def test_gnutls_is_read_by_the_sentence_of_a_number(said: str, cause: Cause) -> None:
    whole = f"gnutls_handshake() failed: {said}"
    assert told(judged(GNUTLS.format(told=f"* {whole}", code=35, said=whole))) == cause
    assert told(judged(f"{COMMAND}curl: (35) {whole}\n")) == cause


def test_what_gnutls_tells_of_a_certificate() -> None:
    session = "* SSL connection using TLS1.3 / ECDHE_RSA_AES_256_GCM_SHA384"
    said = "server certificate verification failed. CAfile: none CRLfile: none"
    (probe,) = probes_of(GNUTLS.format(told=f"{session}\n* {said}", code=60, said=said))
    assert probe.tls is not None
    assert (probe.tls.version, probe.tls.verify) == ("TLSv1.3", ())
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.MET
    assert probe.stage(Stage.VERIFY).condition is Condition.CERTIFICATE_REJECTED
    accepted = f"{session}\n*   server certificate verification OK"
    for roots, store in (("/etc/ssl/certs", TrustStore.SYSTEM), ("ca.pem", TrustStore.UNKNOWN)):
        text = GNUTLS.format(told=accepted, code=52, said="Empty reply from server")
        (probe,) = probes_of(text.replace("/etc/ssl/certs", roots))
        assert probe.tls is not None
        assert [(v.code, v.trust_store) for v in probe.tls.verify] == [(0, store)]


@pytest.mark.parametrize(
    ("ending", "endpoint", "condition"),
    [
        ("(7) Failed to connect to eu2-cloud.acronis.com port 8443 after 3 ms: Connection refused",
         "eu2-cloud.acronis.com:8443", Condition.CONNECTION_REFUSED),
        ("(6) Could not resolve host: eu2-cloud.acronis.com", "eu2-cloud.acronis.com:443",
         Condition.NAME_LOOKUP_FAILED),
        ("(35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to eu2-cloud.acronis.com:8443 ",
         "eu2-cloud.acronis.com:8443", Condition.CONNECTION_CLOSED),
    ],
)  # fmt: skip
def test_a_failure_of_acronis_needs_no_command(
    ending: str, endpoint: str, condition: Condition
) -> None:
    text = f"It says\ncurl: {ending}\n"
    (probe,) = probes_of(text)
    assert str(probe.endpoint) == endpoint
    assert condition in [s.condition for s in probe.stages]
    assert detect(text.encode()) is Kind.TRANSCRIPT
    # That of anybody's script is none, neither alone nor beside one.
    other = text.replace("eu2-cloud.acronis.com", "intranet.example.org")
    assert not is_curl(other)
    assert len(read_curls(text + other + text, "x", AT)) == 2
