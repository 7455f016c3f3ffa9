"""Whole visits: every stage's condition and number, the three opinions, controls and deadlines."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import peers
import pki
import pytest
from OpenSSL import SSL
from peers import Peer, ScriptedNetwork, Stream, on_loopback, says, server_context, speaks_tls

from diagnoser.diagnosis import judge
from diagnoser.errors import NameLookupFailed, NameNotFound, UsageError
from diagnoser.model import (
    Aftermath,
    Case,
    Condition,
    Control,
    Direction,
    Endpoint,
    Network,
    Origin,
    ProbeResult,
    Proxy,
    Role,
    Stage,
    Standing,
    Transport,
    TrustStore,
)
from diagnoser.probing import (
    ClientCredentials,
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    Trust,
    load_credentials,
    probe,
    probe_all,
    run,
)

Make = Callable[..., Endpoint]

V4, V6 = "192.0.2.10", "2001:db8::10"


def visit(
    endpoint: Endpoint,
    network: Network,
    trust: Trust,
    *,
    timeout: float = 1.0,
    proxy: Proxy | None = None,
    credentials: ClientCredentials | None = None,
) -> ProbeResult:
    return asyncio.run(
        probe(
            endpoint,
            network=network,
            trust=trust,
            timeout=timeout,
            proxy=proxy,
            credentials=credentials,
            vantage="here",
            now=lambda: pki.NOW,
        )
    )


def against(peer: Peer | OSError | None) -> ScriptedNetwork:
    names = dict.fromkeys((pki.HOST, pki.STORAGE_HOST, "proxy.example"), (V4,))
    return ScriptedNetwork(dict(names), {V4: peer})


def ending(result: ProbeResult, stage: Stage) -> tuple[Condition, int | None]:
    found = result.stage(stage)
    return found.condition, found.error


# --- before TLS -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "condition", "number"),
    [
        (NameNotFound(-2, "x"), Condition.NAME_NOT_FOUND, -2),
        (NameLookupFailed(-3, "x"), Condition.NAME_LOOKUP_FAILED, -3),
        (None, Condition.NAME_LOOKUP_FAILED, None),
    ],
)
def test_resolving_ends_in_the_resolver_s_condition(
    endpoint: Make,
    trust: Trust,
    answer: OSError | None,
    condition: Condition,
    number: int | None,
) -> None:
    result = visit(endpoint(), ScriptedNetwork({pki.HOST: answer}, {}), trust, timeout=0.2)
    assert ending(result, Stage.RESOLVE) == (condition, number)
    assert result.stage(Stage.RESOLVE).seconds is not None
    assert ending(result, Stage.CONNECT) == (Condition.NOT_REACHED, None)
    assert result.tls is None


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "x")
NO_ROUTE = OSError(errno.ENETUNREACH, "x")
NO_HOST = OSError(errno.EHOSTUNREACH, "x")
STUCK = TimeoutError(errno.ETIMEDOUT, "x")
TWO = {pki.HOST: (V6, V4)}


@pytest.mark.parametrize(
    ("six", "four", "condition", "number"),
    [
        (NO_ROUTE, REFUSED, Condition.CONNECTION_REFUSED, errno.ECONNREFUSED),
        (REFUSED, None, Condition.CONNECTION_REFUSED, errno.ECONNREFUSED),
        (NO_ROUTE, None, Condition.CONNECTION_TIMED_OUT, None),
        (NO_ROUTE, STUCK, Condition.CONNECTION_TIMED_OUT, errno.ETIMEDOUT),
        (NO_ROUTE, NO_HOST, Condition.NETWORK_UNREACHABLE, errno.ENETUNREACH),
        (
            OSError(errno.EMFILE, "x"),
            OSError(errno.EMFILE, "x"),
            Condition.UNCLASSIFIED,
            errno.EMFILE,
        ),
    ],
)
def test_where_no_address_opens_the_most_telling_answer_stands(
    endpoint: Make,
    trust: Trust,
    six: OSError | None,
    four: OSError | None,
    condition: Condition,
    number: int | None,
) -> None:
    result = visit(endpoint(), ScriptedNetwork(dict(TWO), {V6: six, V4: four}), trust, timeout=0.2)
    assert ending(result, Stage.CONNECT) == (condition, number)
    assert [a.address for a in result.addresses] == [V6, V4]
    assert ending(result, Stage.HANDSHAKE) == (Condition.NOT_REACHED, None)


def test_an_address_that_opens_is_used_and_the_silent_one_is_still_reported(
    endpoint: Make, trust: Trust
) -> None:
    network = ScriptedNetwork(
        dict(TWO), {V6: None, V4: speaks_tls(server_context(pki.management()))}
    )
    begun = time.monotonic()
    result = visit(endpoint(), network, trust, timeout=4)
    assert time.monotonic() - begun < 3, "the silent address does not cost the whole time limit"
    assert [a.condition for a in result.addresses] == [
        Condition.CONNECTION_TIMED_OUT,
        Condition.MET,
    ]
    assert ending(result, Stage.VERIFY) == (Condition.MET, None)


def test_of_several_open_addresses_the_first_is_used_and_all_are_let_go(
    endpoint: Make, trust: Trust
) -> None:
    good = speaks_tls(server_context(pki.management()))
    network = ScriptedNetwork(dict(TWO), {V6: good, V4: peers.silent})
    result = visit(endpoint(), network, trust)
    assert result.stage(Stage.CONNECT).detail == f"[{V6}]:8443"
    assert ending(result, Stage.VERIFY) == (Condition.MET, None)
    assert all(c.was_aborted for c in network.connections)


def test_a_reset_at_the_moment_of_connecting_counts_as_a_killed_handshake(
    endpoint: Make, trust: Trust
) -> None:
    reset = ConnectionResetError(errno.ECONNRESET, "x")
    result = visit(endpoint(), against(reset), trust)
    assert ending(result, Stage.CONNECT) == (Condition.MET, None)
    assert ending(result, Stage.HANDSHAKE) == (Condition.CONNECTION_RESET, errno.ECONNRESET)


def test_a_port_without_tls_is_tested_for_tcp_only(endpoint: Make, trust: Trust) -> None:
    heard = []

    async def listens(stream: Stream) -> None:
        heard.append(await stream.read())

    result = visit(endpoint(transport=Transport.TCP), against(listens), trust)
    assert ending(result, Stage.CONNECT) == (Condition.MET, None)
    assert ending(result, Stage.TUNNEL) == (Condition.MET, None)
    for stage in (Stage.HANDSHAKE, Stage.VERIFY):
        assert ending(result, stage) == (Condition.NOT_REACHED, None)
        assert result.stage(stage).detail == "this port does not speak TLS"
    assert heard == []


# --- handshake ------------------------------------------------------------------------------------


def test_a_healthy_endpoint_meets_every_stage(endpoint: Make, trust: Trust) -> None:
    network = against(speaks_tls(server_context(pki.management())))
    result = visit(endpoint(), network, trust)
    assert [s.condition for s in result.stages] == [Condition.MET] * 5
    assert (result.at, result.vantage, result.origin) == (pki.NOW, "here", Origin.LIVE)
    assert result.stage(Stage.TUNNEL).detail == "no proxy"
    assert result.stage(Stage.TUNNEL).seconds is None
    assert result.controls == (), "one handshake is enough where all is well"
    assert result.tls is not None
    assert result.tls.aftermath is Aftermath.TICKET
    assert {v.trust_store: v.code for v in result.tls.verify} == {
        TrustStore.SYSTEM: 0,
        TrustStore.MOZILLA: 0,
    }
    assert len(network.connections) == 1


@pytest.mark.parametrize(
    ("peer", "condition", "number"),
    [
        (peers.closes, Condition.CONNECTION_CLOSED, None),
        (peers.resets, Condition.CONNECTION_RESET, errno.ECONNRESET),
        (peers.silent, Condition.HANDSHAKE_TIMED_OUT, None),
        (says(b"\x15\x03\x03\0\2\2\x28"), Condition.FATAL_ALERT, 40),
        (says(b"\x15\x03\x03\0\2\2\x46"), Condition.FATAL_ALERT, 70),
        (says(b"\x15\x03\x03\0\2\1\0"), Condition.CONNECTION_CLOSED, None),
        (says(b"HTTP/1.1 403 Forbidden\r\n\r\n"), Condition.NOT_TLS, None),
        (says(b"220 mail ESMTP\r\n", first=True), Condition.NOT_TLS, None),
    ],
)
def test_a_handshake_that_fails_says_how_by_number(
    endpoint: Make, trust: Trust, peer: Peer, condition: Condition, number: int | None
) -> None:
    result = visit(endpoint(), against(peer), trust, timeout=0.3)
    assert ending(result, Stage.CONNECT) == (Condition.MET, None)
    assert ending(result, Stage.HANDSHAKE) == (condition, number)
    assert ending(result, Stage.VERIFY) == (Condition.NOT_REACHED, None)


def test_a_stalled_handshake_counts_its_bytes(endpoint: Make, trust: Trust) -> None:
    result = visit(endpoint(), against(peers.silent), trust, timeout=0.2)
    assert result.tls is not None
    assert result.tls.bytes_received == 0
    assert result.tls.bytes_sent
    assert result.stage(Stage.HANDSHAKE).detail == f"{result.tls.bytes_sent} bytes sent, 0 received"


def test_a_filter_by_name_is_found_by_asking_for_another(endpoint: Make, trust: Trust) -> None:
    context = server_context(pki.wrong_name())

    async def filters(stream: Stream) -> None:
        hello = await stream.read()
        if peers.server_name_of(hello) == pki.HOST:
            stream.reset()
            await asyncio.sleep(60)
        server = peers.TlsServer(context)
        while hello:
            await stream.write(server.feed(hello))
            hello = await stream.read()

    result = visit(endpoint(), against(filters), trust)
    assert ending(result, Stage.HANDSHAKE) == (Condition.CONNECTION_RESET, errno.ECONNRESET)
    control = result.control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.condition is Condition.MET
    assert control.certificate is not None
    assert control.certificate.subject.first("CN") == "parked.example.test"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize(
    ("shown", "condition", "numbers"),
    [
        (None, Condition.CLIENT_CERTIFICATE_REFUSED, (40, 116)),
        (pki.client, Condition.MET, (None, None)),
        (pki.expired_client, Condition.CLIENT_CERTIFICATE_REFUSED, (45, 45)),
        (pki.unknown_client, Condition.CLIENT_CERTIFICATE_REFUSED, (48, 48)),
    ],
)
def test_storage_says_what_it_thinks_of_the_agent_s_certificate(
    endpoint: Make,
    storage_trust: Trust,
    version: int,
    shown: Callable[[], pki.Issued] | None,
    condition: Condition,
    numbers: tuple[int | None, int | None],
) -> None:
    context = server_context(
        pki.storage(), version=version, client_authority=pki.client_authority()
    )
    issued = None if shown is None else shown()
    credentials = None if issued is None else ClientCredentials(issued.pem, issued.key_pem)
    result = visit(
        endpoint(
            pki.STORAGE_HOST,
            44445,
            Role.STORAGE,
            server_name=pki.STORAGE_HOST,
            client_certificate=True,
        ),
        against(speaks_tls(context)),
        storage_trust,
        credentials=credentials,
    )
    number = numbers[version == SSL.TLS1_3_VERSION]
    assert ending(result, Stage.HANDSHAKE) == (condition, number)
    assert result.tls is not None
    assert result.tls.client_certificate_requested is True
    assert result.tls.client_certificate_sent is (issued is not None)
    assert [str(n) for n in result.tls.client_ca_names] == [
        "C=CH , O=Acronis, OU=AcronisStorage, CN=Agents CA"
    ]
    assert ending(result, Stage.VERIFY) == (Condition.MET, None), "the role's own anchor counts"
    mozilla = result.tls.verified_by(TrustStore.MOZILLA)
    assert mozilla is not None
    assert (mozilla.code, mozilla.depth) == (19, 1)


def test_credentials_are_kept_from_endpoints_that_do_not_want_them(
    endpoint: Make, storage_trust: Trust
) -> None:
    context = server_context(pki.storage(), client_authority=pki.client_authority())
    issued = pki.client()
    result = visit(
        endpoint(client_certificate=False),
        against(speaks_tls(context)),
        storage_trust,
        credentials=ClientCredentials(issued.pem, issued.key_pem),
    )
    assert result.tls is not None
    assert result.tls.client_certificate_sent is False
    assert ending(result, Stage.HANDSHAKE) == (Condition.CLIENT_CERTIFICATE_REFUSED, 116)


# --- verification and controls --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issued", "code", "depth"),
    [
        (pki.missing_intermediate, 20, 0),
        (pki.resigned_management, 20, 0),
        (pki.resigned_by_company, 20, 0),
        (pki.self_signed, 18, 0),
        (pki.expired, 10, 0),
        (pki.not_yet_valid, 9, 0),
        (pki.storage, 19, 1),
    ],
)
def test_a_rejected_chain_names_code_depth_and_every_opinion(
    endpoint: Make, trust: Trust, issued: Callable[[], pki.Issued], code: int, depth: int
) -> None:
    result = visit(endpoint(), against(speaks_tls(server_context(issued()))), trust)
    assert ending(result, Stage.HANDSHAKE) == (Condition.MET, None)
    assert ending(result, Stage.VERIFY) == (Condition.CERTIFICATE_REJECTED, code)
    assert result.tls is not None
    assert [(v.trust_store, v.code, v.depth) for v in result.tls.verify] == [
        (TrustStore.SYSTEM, code, depth),
        (TrustStore.MOZILLA, code, depth),
    ]
    assert f"mozilla: {result.tls.verify[1].name} ({code})" in result.stage(Stage.VERIFY).detail


def test_an_interceptor_trusted_on_this_machine_is_still_rejected_by_the_public_bundle(
    endpoint: Make,
) -> None:
    trust = Trust(pki.public_root().pem + pki.corporate_root().pem, pki.public_root().pem, None)
    result = visit(
        endpoint(), against(speaks_tls(server_context(pki.resigned_by_company()))), trust
    )
    assert ending(result, Stage.VERIFY) == (Condition.CERTIFICATE_REJECTED, 20)
    assert result.tls is not None
    system = result.tls.verified_by(TrustStore.SYSTEM)
    assert system is not None
    assert system.code == 0
    assert system.name == "X509_V_OK"


def test_a_store_that_does_not_exist_has_no_opinion(endpoint: Make) -> None:
    trust = Trust(None, pki.public_root().pem, None)
    result = visit(endpoint(), against(speaks_tls(server_context(pki.management()))), trust)
    assert result.tls is not None
    assert result.tls.verified_by(TrustStore.SYSTEM) is None
    assert result.tls.verified_by(TrustStore.ROLE) is None
    assert ending(result, Stage.VERIFY) == (Condition.MET, None)


def test_storage_counts_only_its_own_anchor_where_there_is_one(
    endpoint: Make, storage_trust: Trust
) -> None:
    result = visit(
        endpoint(role=Role.STORAGE),
        against(speaks_tls(server_context(pki.management()))),
        storage_trust,
    )
    assert ending(result, Stage.VERIFY) == (Condition.CERTIFICATE_REJECTED, 20)


def test_an_issuing_ca_alone_is_an_anchor_for_the_role(endpoint: Make) -> None:
    trust = Trust(None, pki.public_root().pem, pki.public_intermediate().pem)
    sent = pki.missing_intermediate()
    result = visit(endpoint(), against(speaks_tls(server_context(sent))), trust)
    assert ending(result, Stage.VERIFY) == (Condition.MET, None)


def test_a_peer_that_mints_certificates_is_caught_by_a_nonsense_name(
    endpoint: Make, trust: Trust
) -> None:
    def mints(name: str | None) -> SSL.Context:
        return server_context(pki.minted(name or "none.invalid"))

    result = visit(endpoint(), against(speaks_tls(mints)), trust)
    control = result.control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.question.startswith("probe-")
    assert control.question.endswith(".invalid")
    assert control.certificate is not None
    assert control.certificate.dns_names == (control.question,)
    other = visit(endpoint(), against(speaks_tls(mints)), trust).control(Control.NONSENSE_NAME)
    assert other is not None
    assert other.question != control.question, "a name that nobody can have prepared for"


@pytest.mark.parametrize("store", ["role", "mozilla"])
def test_a_minting_peer_is_asked_though_an_anchor_accepts_its_chain(
    endpoint: Make, store: str
) -> None:
    def mints(name: str | None) -> SSL.Context:
        return server_context(pki.minted(name or "none.invalid"))

    public, company = pki.public_root().pem, pki.corporate_root().pem
    # --ca-file names the company's root; or a distribution put it into the public bundle.
    given = Trust(None, public, company)
    patched = Trust(None, public + company, None)
    result = visit(endpoint(), against(speaks_tls(mints)), given if store == "role" else patched)
    assert ending(result, Stage.VERIFY) == (Condition.MET, None)
    control = result.control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.certificate is not None
    assert control.certificate.dns_names == (control.question,)


@pytest.mark.parametrize("ends", ["waits", "speaks", "resets", "closes"])
def test_a_port_without_tls_is_listened_to(endpoint: Make, trust: Trust, ends: str) -> None:
    async def peer(stream: Stream) -> None:
        if ends == "speaks":
            await stream.write(b"\xff\0\0\0\0\0\0\0\1\x7f")
        elif ends == "resets":
            stream.reset()
        if ends != "closes":
            await asyncio.sleep(60)

    result = visit(endpoint(transport=Transport.TCP), against(peer), trust)
    told = {
        "waits": Condition.MET,
        "speaks": Condition.NOT_TLS,
        "resets": Condition.CONNECTION_RESET,
        "closes": Condition.CONNECTION_CLOSED,
    }
    assert [(c.control, c.condition) for c in result.controls] == [(Control.SILENCE, told[ends])]
    assert result.stage(Stage.CONNECT).condition is Condition.MET
    assert result.stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED


def test_a_genuine_peer_answers_a_nonsense_name_with_its_own_certificate(
    endpoint: Make, trust: Trust
) -> None:
    peer = speaks_tls(server_context(pki.missing_intermediate()))
    control = visit(endpoint(), against(peer), trust).control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.certificate is not None
    assert control.certificate.dns_names == ("*.acronis.com",)


@pytest.mark.parametrize("issued", [pki.expired, pki.not_yet_valid])
def test_where_dates_are_in_doubt_the_server_is_asked_for_its_clock(
    endpoint: Make, trust: Trust, issued: Callable[[], pki.Issued]
) -> None:
    told = pki.NOW + timedelta(days=40)
    answer = f"HTTP/1.1 404 x\r\nDate: {format_datetime(told, usegmt=True)}\r\n\r\n".encode()
    peer = speaks_tls(server_context(issued()), answer)
    control = visit(endpoint(), against(peer), trust).control(Control.SERVER_CLOCK)
    assert control is not None
    assert control.condition is Condition.MET
    assert control.answered_at == told


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 x\r\nDate: yesterday\r\n\r\n",
        b"HTTP/1.1 200 x\r\nDate: Mon, 99 Foo 99999 00:00:00 GMT\r\n\r\n",
        b"HTTP/1.1 200 x\r\n\r\n",
        b"220 Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n",
    ],
)
def test_an_unreadable_clock_is_no_clock(endpoint: Make, trust: Trust, answer: bytes) -> None:
    peer = speaks_tls(server_context(pki.expired()), answer)
    control = visit(endpoint(), against(peer), trust).control(Control.SERVER_CLOCK)
    assert control is not None
    assert control.answered_at is None


def test_storage_is_never_sent_http(endpoint: Make, trust: Trust) -> None:
    peer = speaks_tls(server_context(pki.expired()))
    result = visit(endpoint(role=Role.STORAGE), against(peer), trust)
    assert result.control(Control.SERVER_CLOCK) is None


# --- proxy ----------------------------------------------------------------------------------------

PROXY = Proxy("proxy.example", 3128, "user", "pass")


@pytest.mark.parametrize(
    ("peer", "condition", "number", "detail"),
    [
        (
            says(b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"),
            Condition.PROXY_AUTHENTICATION_REQUIRED,
            407,
            "the login was refused; offers Basic",
        ),
        (says(b"HTTP/1.1 403 Forbidden\r\n\r\n"), Condition.TUNNEL_REFUSED, 403, "403 Forbidden"),
        (
            says(b"HTTP/1.1 503 x\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n"),
            Condition.TUNNEL_REFUSED,
            503,
            "503 x (ERR_DNS_FAIL)",
        ),
        (
            says(b"HTTP/1.1 502 x\r\nProxy-Status: gw.example; error=dns_timeout\r\n\r\n"),
            Condition.TUNNEL_REFUSED,
            502,
            "502 x (dns_timeout)",
        ),
        (says(b"SSH-2.0-x\r\n"), Condition.TUNNEL_REFUSED, None, "no HTTP answer: SSH-2.0-x"),
        (peers.closes, Condition.CONNECTION_CLOSED, None, "the proxy closed the connection"),
        (peers.resets, Condition.CONNECTION_RESET, errno.ECONNRESET, "the proxy broke"),
        (peers.silent, Condition.CONNECTION_TIMED_OUT, None, "the proxy gave no answer"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_the_end(
    endpoint: Make,
    trust: Trust,
    peer: Peer,
    condition: Condition,
    number: int | None,
    detail: str,
) -> None:
    result = visit(endpoint(), against(peer), trust, timeout=0.3, proxy=PROXY)
    assert ending(result, Stage.CONNECT) == (Condition.MET, None)
    assert ending(result, Stage.TUNNEL) == (condition, number)
    assert result.stage(Stage.TUNNEL).detail.startswith(detail)
    assert ending(result, Stage.HANDSHAKE) == (Condition.NOT_REACHED, None)
    assert result.proxy == "proxy.example:3128"
    assert "pass" not in repr(result)


def test_through_a_tunnel_everything_is_as_without_and_so_are_the_controls(
    endpoint: Make, trust: Trust
) -> None:
    requests = []
    behind = speaks_tls(server_context(pki.self_signed()))

    async def proxies(stream: Stream) -> None:
        requests.append(await stream.read())
        await stream.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await behind(stream)

    network = ScriptedNetwork({"proxy.example": (V4,)}, {V4: proxies})
    result = visit(endpoint(), network, trust, proxy=PROXY)
    assert ending(result, Stage.TUNNEL) == (Condition.MET, None)
    assert ending(result, Stage.VERIFY) == (Condition.CERTIFICATE_REJECTED, 18)
    control = result.control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.condition is Condition.MET
    assert [r.split(b"\r\n")[0] for r in requests] == [
        b"CONNECT rs-us5-cloud.acronis.com:8443 HTTP/1.1"
    ] * 2


# --- many, deadlines, sockets ---------------------------------------------------------------------


async def _drips(stream: Stream) -> None:
    """One byte of a record that never ends, again and again."""
    await stream.read()
    await stream.write(b"\x16\x03\x03\x40\x00")
    while True:
        await stream.write(b"\x02")
        await asyncio.sleep(0.02)


async def _floods(stream: Stream) -> None:
    await stream.read()
    while True:
        await stream.write(b"\x15\x03\x03\x00\x02\x01\x5a" * 1000)


async def _floods_after(stream: Stream) -> None:
    server = peers.TlsServer(server_context(pki.self_signed()))
    data = await stream.read()
    while not server.tls.get_peer_finished():
        await stream.write(server.feed(data))
        data = await stream.read()
    await stream.write(server.feed(data))
    while True:
        await stream.write(server.say(b"x" * 16384))


async def _drips_head(stream: Stream) -> None:
    await stream.read()
    await stream.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.write(b"a")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("peer", [peers.silent, _drips, _floods, _floods_after, _drips_head])
@pytest.mark.parametrize("through", [None, PROXY])
def test_no_peer_can_keep_a_visit_beyond_three_time_limits(
    endpoint: Make, trust: Trust, peer: Peer, through: Proxy | None
) -> None:
    async def main() -> ProbeResult:
        async with on_loopback(peer) as port:
            network = RedirectedNetwork(
                SystemNetwork(), [Redirection(None, None, "127.0.0.1", port)]
            )
            begun = time.monotonic()
            result = await probe(
                endpoint(), network=network, trust=trust, timeout=0.4, proxy=through
            )
            assert time.monotonic() - begun < 3 * 0.4
            return result

    result = asyncio.run(main())
    assert result.stage(Stage.HANDSHAKE).condition is not Condition.NOT_REACHED or through


def test_a_late_alert_is_read_before_anything_is_written(endpoint: Make, trust: Trust) -> None:
    """On real sockets, where a write after the refusal would lose the alert to a reset."""
    context = server_context(
        pki.storage(), version=SSL.TLS1_3_VERSION, client_authority=pki.client_authority()
    )

    async def main() -> list[ProbeResult]:
        async with on_loopback(speaks_tls(context)) as port:
            network = RedirectedNetwork(
                SystemNetwork(), [Redirection(None, None, "127.0.0.1", port)]
            )
            many = [endpoint(f"fes{i}.acronis.com") for i in range(40)]
            return await probe_all(many, network=network, trust=trust)

    results = asyncio.run(main())
    assert {ending(r, Stage.HANDSHAKE) for r in results} == {
        (Condition.CLIENT_CERTIFICATE_REFUSED, 116)
    }


class _ByteByByte:
    """A stream whose words go out one byte at a time, each in a segment of its own."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.read, self.reset = stream.read, stream.reset

    async def write(self, data: bytes) -> None:
        for number in data:
            await self._stream.write(bytes([number]))
            await asyncio.sleep(0)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_genuine_server_that_answers_byte_by_byte_is_healthy(
    endpoint: Make, trust: Trust, version: int
) -> None:
    """On real sockets: a narrow or shaped line is no inspection and no cut."""
    serve = speaks_tls(server_context(pki.management(), version=version))

    async def main() -> ProbeResult:
        async with on_loopback(lambda stream: serve(_ByteByByte(stream))) as port:
            network = RedirectedNetwork(
                SystemNetwork(), [Redirection(None, None, "127.0.0.1", port)]
            )
            return await probe(
                endpoint(), network=network, trust=trust, now=lambda: pki.NOW, looks_ahead=True
            )

    result = asyncio.run(main())
    assert [s.condition for s in result.stages] == [Condition.MET] * 5
    assert result.tls is not None
    assert len(result.tls.received_chain) == 2
    late = Aftermath.TICKET if version == SSL.TLS1_3_VERSION else None
    assert result.tls.aftermath is late
    cause = judge(Case(None, (result.endpoint,), (result,))).cause
    assert cause is not None
    assert (cause.rule, cause.finding.standing) == ("endpoint-healthy", Standing.APPLIES)


def test_each_key_is_visited_once_and_results_keep_their_order(
    endpoint: Make, trust: Trust
) -> None:
    names: dict[str, tuple[str, ...] | OSError | None] = {f"h{i}.example": (V4,) for i in range(5)}
    network = ScriptedNetwork(names, {V4: speaks_tls(server_context(pki.management()))})
    order = [endpoint(f"h{i}.example") for i in (3, 1, 3, 0, 1)]
    results = run(order, network=network, trust=trust, now=lambda: pki.NOW, concurrency=2)
    assert [r.endpoint.host for r in results] == ["h3.example", "h1.example", "h0.example"]
    assert len(network.connections) == 3


def test_an_alert_of_our_own_says_so(endpoint: Make, trust: Trust) -> None:
    garbage = b"\x16\x03\x03\x00\x04\x63\x00\x00\x00"
    result = visit(endpoint(), against(says(garbage)), trust)
    assert result.stage(Stage.HANDSHAKE).condition is Condition.FATAL_ALERT
    assert result.tls is not None
    assert result.tls.alert is not None
    assert result.tls.alert.direction is Direction.SENT
    assert result.stage(Stage.HANDSHAKE).detail.startswith("sent by us")


# --- files that a user names ----------------------------------------------------------------------


def _written(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_certificate_and_key_are_found_in_one_file_or_two(tmp_path: Path) -> None:
    issued = pki.client()
    both = _written(tmp_path / "agent.crt", issued.key_pem, b"\nBag Attributes\n", issued.pem)
    assert load_credentials(both, None).key().public_key() == issued.key.public_key()
    cert, key = _written(tmp_path / "c", issued.pem), _written(tmp_path / "k", issued.key_pem)
    credentials = load_credentials(cert, key)
    assert credentials.certificates() == [issued.certificate]
    assert "PRIVATE KEY" not in repr(credentials)


def test_unusable_credentials_are_refused_with_a_next_step(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    issued, other = pki.client(), pki.unknown_client()
    encrypted = issued.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    cert = _written(tmp_path / "c.pem", issued.pem)
    cases: list[tuple[Path, Path | None, str, str]] = [
        (tmp_path / "none.crt", None, "cannot be read", "--client-cert"),
        (_written(tmp_path / "c.der", issued.der), None, "no certificate in PEM", "-inform DER"),
        (_written(tmp_path / "empty"), None, "no certificate in PEM", "-inform DER"),
        (cert, None, "no private key", "--client-key"),
        (cert, tmp_path / "none.key", "cannot be read", "--client-key"),
        (cert, _written(tmp_path / "o.key", other.key_pem), "does not belong", "--client-key"),
        (cert, _written(tmp_path / "e.key", encrypted), "encrypted", "openssl pkey"),
        (
            cert,
            _written(
                tmp_path / "b.key",
                b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            ),
            "cannot be read",
            "export",
        ),
    ]
    for certificate, key, message, hint in cases:
        with pytest.raises(UsageError, match=message) as caught:
            load_credentials(certificate, key)
        assert caught.value.hint is not None
        assert hint in caught.value.hint


def test_trust_is_loaded_from_machine_bundle_and_file(tmp_path: Path) -> None:
    anchor = _written(tmp_path / "ca.pem", pki.storage_authority().pem)
    trust = Trust.load(anchor)
    assert {TrustStore.MOZILLA, TrustStore.ROLE} <= set(trust.stores)
    assert len(trust.anchors(TrustStore.MOZILLA)) > 50
    chain = pki.storage().chain_ders
    assert trust.verify(chain, TrustStore.ROLE, pki.NOW).code == 0
    assert trust.verify(chain, TrustStore.MOZILLA, pki.NOW).code == 19
    later = pki.NOW + timedelta(days=9000)
    assert trust.verify(chain, TrustStore.ROLE, later).code == 10


def test_an_unusable_ca_file_is_refused_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Trust.load(tmp_path / "none.pem")
    with pytest.raises(UsageError, match="no certificate in it") as caught:
        Trust.load(_written(tmp_path / "ca.der", pki.storage_authority().der))
    assert "-inform DER" in str(caught.value.hint)
