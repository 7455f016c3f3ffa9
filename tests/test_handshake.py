"""The sans-IO handshake: fed whole, byte by byte and with trailing data; and the CONNECT tunnel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pki
import pytest
from OpenSSL import SSL
from peers import TlsServer, server_context, server_name_of
from pki import Issued

from diagnoser.model import Aftermath, Direction, Proxy, TrustStore, VerifyResult
from diagnoser.probing import ClientCredentials, Trust, tunnel
from diagnoser.probing.contexts import contexts
from diagnoser.probing.faults import Faults
from diagnoser.probing.handshake import Handshake, Progress
from diagnoser.probing.records import sni_value

SHAPES = ("whole", "bytes", "trailing")
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


def _cut(data: bytes, shape: str) -> Iterator[bytes]:
    if shape == "bytes":
        yield from (data[i : i + 1] for i in range(len(data)))
    else:
        yield data


def _shake(handshake: Handshake, server: TlsServer, shape: str = "whole") -> None:
    """Carry bytes both ways until neither side has any left."""
    out = handshake.start()
    while out:
        answer = server.feed(out)
        if shape == "trailing" and server.is_open and server.tls.get_peer_finished():
            answer += server.say(b"220 hello\r\n")
            shape = "whole"
        out = b"".join(handshake.feed(part) for part in _cut(answer, shape) if part)
    if shape == "trailing":
        handshake.feed(server.say(b"220 hello\r\n"))


def _credentials(issued: Issued) -> ClientCredentials:
    return ClientCredentials(issued.pem, issued.key_pem)


def test_the_hello_is_small_and_names_the_host(trust: Trust) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    hello = handshake.start()
    assert len(hello) < 512, "a hello of one small segment, as an agent's"
    assert server_name_of(hello) == pki.HOST


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Rs-us5-cloud.acronis.com.", b"Rs-us5-cloud.acronis.com"),
        ("müller.example", b"xn--mller-kva.example"),
        ("192.0.2.7", None),
        ("2001:db8::7", None),
        ("", None),
        (None, None),
        ("a\r\nb", None),
        ("a\0b.example", None),
        ("x" * 64 + ".example", None),
        (".".join(["abcdefgh"] * 40), None),
    ],
)
def test_only_a_host_name_goes_into_sni(given: str | None, sent: bytes | None) -> None:
    assert sni_value(given) == sent


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_handshake_shows_the_same_however_its_bytes_arrive(
    trust: Trust, shape: str, version: str
) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    _shake(handshake, TlsServer(server_context(pki.management(), version=VERSIONS[version])), shape)
    facts = handshake.facts()
    assert handshake.progress is Progress.FINISHED
    assert facts.version == version
    assert facts.group == ("secp256r1" if hasattr(SSL.Connection, "get_group_name") else None)
    assert facts.cipher
    assert handshake.chain_ders == pki.management().chain_ders
    assert [c.subject.first("CN") for c in facts.received_chain] == [
        "*.acronis.com",
        "Example TLS CA G2",
    ]
    assert facts.client_certificate_requested is False
    assert facts.alert is None
    if shape == "trailing":
        assert handshake.taken() == b"220 hello\r\n"
    elif version == "TLSv1.3":
        assert facts.aftermath is Aftermath.TICKET


def test_every_verify_fault_is_kept_with_its_depth_and_nothing_is_refused(trust: Trust) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    _shake(handshake, TlsServer(server_context(pki.resigned_management())))
    assert handshake.is_finished
    faults = [(v.code, v.depth, v.trust_store) for v in handshake.facts().verify_errors]
    # The handshake itself knows the time only by this machine's clock: dates may be a fault too.
    dated = [f for f in faults if f[0] not in (9, 10)]
    assert dated == [(20, 0, TrustStore.MOZILLA), (21, 0, TrustStore.MOZILLA)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("chain", [pki.management, pki.resigned_management])
def test_a_chain_is_verified_once_in_a_second_and_its_faults_are_the_same(
    monkeypatch: pytest.MonkeyPatch, version: str, chain: Callable[[], Issued]
) -> None:
    shared = contexts(Trust(None, pki.public_root().pem, None), None)
    note, steps = Handshake.note_verification, []

    def counted(handshake: Handshake, code: int, depth: int) -> bool:
        goes_on = note(handshake, code, depth)
        steps.append(goes_on)
        return goes_on

    monkeypatch.setattr(Handshake, "note_verification", counted)

    def shake(second: int) -> tuple[list[bool], tuple[VerifyResult, ...]]:
        monkeypatch.setattr(Faults, "now", staticmethod(lambda: second))
        steps.clear()
        handshake = Handshake(shared, pki.HOST)
        _shake(handshake, TlsServer(server_context(chain(), version=VERSIONS[version])))
        assert handshake.is_finished
        assert handshake.chain_ders == chain().chain_ders
        return list(steps), handshake.facts().verify_errors

    whole, faults = shake(1)
    assert len(whole) > 1
    assert all(whole)
    assert shake(1) == ([False], faults)
    assert shake(2) == (whole, faults)


def test_faults_are_kept_for_their_chain_and_second_only(monkeypatch: pytest.MonkeyPatch) -> None:
    second = 7
    monkeypatch.setattr(Faults, "now", staticmethod(lambda: second))
    faults, found = Faults(), (VerifyResult(10, "expired", TrustStore.MOZILLA, 0),)
    faults.remember((b"leaf",), found, begun=6)
    assert faults.of((b"leaf",)) is None
    faults.remember((b"leaf",), found, begun=7)
    assert faults.of((b"leaf",)) == found
    assert faults.of((b"leaf", b"issuer")) is None
    for number in range(1000):
        faults.remember((b"%d" % number,), (), begun=7)
    assert faults.of((b"leaf",)) is None
    assert faults.of((b"999",)) == ()
    second = 8
    assert faults.of((b"999",)) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_client_certificate_is_told_from_other_refusals(
    trust: Trust, version: str
) -> None:
    context = server_context(
        pki.storage(), version=VERSIONS[version], client_authority=pki.client_authority()
    )
    handshake = Handshake(contexts(trust, None), pki.STORAGE_HOST)
    _shake(handshake, TlsServer(context))
    facts = handshake.facts()
    assert facts.client_certificate_requested is True
    assert facts.client_certificate_sent is False
    assert handshake.refuses_client_certificate
    assert facts.alert is not None
    assert facts.alert.number == {"TLSv1.2": 40, "TLSv1.3": 116}[version]
    assert facts.alert.direction is Direction.RECEIVED
    assert [n.first("CN") for n in facts.client_ca_names] == ["Agents CA"]
    assert facts.client_ca_names[0].first("C") == "CH "
    assert facts.received_chain[0].subject.first("CN") == "Front End Server"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("issued", "alert"),
    [(pki.client, None), (pki.expired_client, 45), (pki.unknown_client, 48)],
)
def test_the_agents_certificate_is_presented_and_its_fate_known(
    trust: Trust, version: str, issued: Callable[[], Issued], alert: int | None
) -> None:
    context = server_context(
        pki.storage(), version=VERSIONS[version], client_authority=pki.client_authority()
    )
    shared = contexts(trust, _credentials(issued()))
    handshake = Handshake(shared, pki.STORAGE_HOST, presents=True)
    _shake(handshake, TlsServer(context))
    facts = handshake.facts()
    assert facts.client_certificate_sent is True
    assert (facts.alert.number if facts.alert else None) == alert
    assert handshake.refuses_client_certificate is (alert is not None)


def test_credentials_stay_home_unless_they_are_to_be_presented(trust: Trust) -> None:
    context = server_context(pki.storage(), client_authority=pki.client_authority())
    handshake = Handshake(contexts(trust, _credentials(pki.client())), pki.STORAGE_HOST)
    _shake(handshake, TlsServer(context))
    assert handshake.facts().client_certificate_sent is False
    assert handshake.refuses_client_certificate


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        (b"HTTP/1.1 403 No\r\nServer: gate\r\n\r\nout", "HTTP/1.1 403 No  Server: gate    out"),
        (b"SSH-2.0-x\r\n", "SSH-2.0-x"),
        (b"\x16\x02\x1b[31mred", "...[31mred"),
        (b"\0", "."),
    ],
)
@pytest.mark.parametrize("shape", ["whole", "bytes"])
def test_plain_text_is_told_by_its_first_bytes(
    trust: Trust, plain: bytes, shown: str, shape: str
) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    handshake.start()
    for part in _cut(plain, shape):
        handshake.feed(part)
    assert handshake.progress is Progress.NOT_TLS
    assert handshake.facts().clear_text == shown


def test_an_excerpt_is_bounded(trust: Trust) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    handshake.start()
    handshake.feed(b"a" * 100_000)
    assert handshake.facts().clear_text == "a" * 300


def test_an_old_server_hello_gives_its_version(trust: Trust) -> None:
    hello = bytes.fromhex("160301002a02000026") + b"\x03\x01" + bytes(32) + b"\0\xc0\x13\0"
    handshake = Handshake(contexts(trust, None), pki.HOST)
    handshake.start()
    handshake.feed(hello)
    facts = handshake.facts()
    assert facts.version == "TLSv1"
    assert handshake.progress is Progress.FAILED
    assert facts.alert is not None
    assert (facts.alert.number, facts.alert.direction) == (70, Direction.SENT)


def test_a_fatal_alert_is_kept_by_number(trust: Trust) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    handshake.start()
    handshake.feed(b"\x15\x03\x03\x00\x02\x02\x70")
    alert = handshake.facts().alert
    assert alert is not None
    assert str(alert) == "unrecognized_name(112)"
    assert (alert.level, alert.direction) == (2, Direction.RECEIVED)
    assert not handshake.refuses_client_certificate


def test_a_flood_of_records_is_cut_off(trust: Trust) -> None:
    handshake = Handshake(contexts(trust, None), pki.HOST)
    handshake.start()
    warning = b"\x15\x03\x03\x00\x02\x01\x5a"
    for _ in range(1000):
        handshake.feed(warning * 100)
        if handshake.progress is not Progress.RUNNING:
            break
    assert handshake.progress is Progress.FAILED
    assert handshake.bytes_received < 1024 * 1024


PROXY = Proxy("proxy.example.test", 3128, "user", "päss")


def test_a_connect_request_is_one_request() -> None:
    request = tunnel.Tunnel("2001:db8::7", 44445, PROXY).request
    assert request == (
        b"CONNECT [2001:db8::7]:44445 HTTP/1.1\r\n"
        b"Host: [2001:db8::7]:44445\r\n"
        b"Proxy-Authorization: Basic dXNlcjpww6Rzcw==\r\n\r\n"
    )


@pytest.mark.parametrize(
    "host", ["a\r\nX-Evil: 1", "a b", "a/b", "", "user@host", "x" * 70 + "é.example"]
)
def test_a_host_cannot_add_lines_to_a_request(host: str) -> None:
    with pytest.raises(ValueError, match=r"host name|label|empty"):
        tunnel.Tunnel(host, 443, PROXY)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", tunnel.Accepted(b"\x16\x03")),
        (b"HTTP/1.0 200\r\n\r\n", tunnel.Accepted(b"")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\nA: b\r\n\r\n", tunnel.Accepted(b"")),
        (
            b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate:Basic x\r\n\r\n",
            tunnel.LoginRequired(("NTLM", "Basic")),
        ),
        (b"HTTP/1.1 407 Login\r\n\r\n", tunnel.LoginRequired(())),
        (b"HTTP/1.1 403 For\x1bbidden\r\n\r\n", tunnel.Refused(403, "For.bidden")),
        (b"SSH-2.0-OpenSSH\r\n", tunnel.Garbage("SSH-2.0-OpenSSH")),
        (b"HTTP/1.1 abc\r\n\r\n", tunnel.Garbage("HTTP/1.1 abc")),
    ],
)
@pytest.mark.parametrize("shape", ["whole", "bytes"])
def test_a_proxy_s_answer_has_one_meaning(
    answer: bytes, meaning: tunnel.Answer, shape: str
) -> None:
    exchange = tunnel.Tunnel("a.example", 443, PROXY)
    found, rest = None, b""
    for part in _cut(answer, shape):
        if found is None:
            found = exchange.feed(part)
        else:
            rest += part
    if isinstance(found, tunnel.Accepted):
        found = tunnel.Accepted(found.rest + rest)
    if isinstance(meaning, tunnel.Garbage):
        assert isinstance(found, tunnel.Garbage)
        assert meaning.excerpt.startswith(found.excerpt)
    else:
        assert found == meaning


def test_an_endless_head_is_given_up() -> None:
    exchange = tunnel.Tunnel("a.example", 443, PROXY)
    assert exchange.feed(b"HTTP/1.1 200 OK\r\n") is None
    assert isinstance(exchange.feed(b"A: " + b"x" * tunnel.LARGEST_HEAD), tunnel.Garbage)
