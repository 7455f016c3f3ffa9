"""Whatever a server, a proxy or a certificate says, a probe ends in a result, in time."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pki
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from peers import Peer, ScriptedNetwork, Stream, TlsServer, on_loopback, says, server_context

from diagnoser.certificates import UnreadableCertificate, read_certificate
from diagnoser.errors import UsageError
from diagnoser.model import (
    CertificateFacts,
    Condition,
    Endpoint,
    Network,
    ProbeResult,
    Proxy,
    Role,
    Stage,
    Transport,
)
from diagnoser.probing import (
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    Trust,
    parse_redirection,
    probe,
    tunnel,
)
from diagnoser.probing.controls import date_of
from diagnoser.probing.stapling import read_staple

TIMEOUT = 0.5
ENDPOINT = Endpoint(pki.HOST, 8443, Role.MANAGEMENT, pki.HOST, False, Transport.TLS)
PROXY = Proxy("proxy.example", 3128)
TRUST = Trust(pki.public_root().pem, pki.public_root().pem, None)
CONTEXT = server_context(pki.management(), client_authority=pki.client_authority())

quick = settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

records = st.builds(
    lambda kind, version, body: bytes([kind]) + version + len(body).to_bytes(2, "big") + body,
    st.sampled_from([20, 21, 22, 23, 24, 0, 255]),
    st.sampled_from([b"\x03\x01", b"\x03\x03", b"\x03\x00", b"\x02\x00"]),
    st.binary(max_size=80),
)
talk = st.one_of(
    st.binary(max_size=400),
    st.lists(records, max_size=6).map(b"".join),
    st.binary(max_size=60).map(lambda b: b"HTTP/1.1 " + b),
)


def _visit(network: Network, proxy: Proxy | None = None) -> tuple[ProbeResult, float]:
    begun = time.monotonic()
    result = asyncio.run(
        probe(
            ENDPOINT,
            network=network,
            trust=TRUST,
            timeout=TIMEOUT,
            proxy=proxy,
            now=lambda: pki.NOW,
        )
    )
    return result, time.monotonic() - begun


def _network(peer: Peer) -> ScriptedNetwork:
    address = ("192.0.2.1",)
    return ScriptedNetwork({pki.HOST: address, "proxy.example": address}, {address[0]: peer})


@quick
@given(talk, st.booleans())
@example(b"\x16\x03\x03\xff\xff" + b"\x02" * 300, False)
def test_any_bytes_of_a_server_end_in_a_result(data: bytes, first: bool) -> None:
    result, spent = _visit(_network(says(data, first=first)))
    assert spent < 3 * TIMEOUT
    assert result.stage(Stage.HANDSHAKE).condition not in (Condition.MET, Condition.NOT_REACHED)
    assert result.stage(Stage.VERIFY).condition is Condition.NOT_REACHED
    assert result.tls is not None
    assert len(result.tls.clear_text or "") <= 300


@quick
@given(talk)
def test_any_bytes_of_a_proxy_end_in_a_result(data: bytes) -> None:
    result, spent = _visit(_network(says(data)), PROXY)
    assert spent < 3 * TIMEOUT
    if result.stage(Stage.TUNNEL).condition is not Condition.MET:
        assert result.stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED


@quick
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_a_genuine_flight_with_damage_ends_in_a_result(
    damage: list[tuple[int, int]], flights: int
) -> None:
    async def damages(stream: Stream) -> None:
        server, left = TlsServer(CONTEXT), flights
        data = await stream.read()
        while left and data:
            out = bytearray(server.feed(data))
            for at, flip in damage:
                if at < len(out):
                    out[at] ^= flip
            await stream.write(bytes(out))
            left -= 1
            if left:
                data = await stream.read()

    result, spent = _visit(_network(damages))
    assert spent < 3 * TIMEOUT
    assert result.stage(Stage.HANDSHAKE).condition is not Condition.NOT_REACHED


@settings(quick, max_examples=25)
@given(talk)
def test_on_real_sockets_any_bytes_end_in_a_result(data: bytes) -> None:
    async def main() -> ProbeResult:
        async with on_loopback(says(data)) as port:
            network = RedirectedNetwork(
                SystemNetwork(), [Redirection(None, None, "127.0.0.1", port)]
            )
            return await probe(ENDPOINT, network=network, trust=TRUST, timeout=TIMEOUT)

    begun = time.monotonic()
    result = asyncio.run(main())
    assert time.monotonic() - begun < 3 * TIMEOUT + 0.5
    assert result.stage(Stage.HANDSHAKE).condition is not Condition.MET


@settings(quick, max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 255)), max_size=3), st.integers(0, 9))
def test_a_certificate_is_read_or_refused_by_its_one_error(
    damage: list[tuple[int, int]], cut: int
) -> None:
    der = bytearray(pki.management().der)
    for at, flip in damage:
        if at < len(der):
            der[at] ^= flip
    try:
        facts = read_certificate(bytes(der[: len(der) - cut]))
    except UnreadableCertificate:
        assert damage or cut
    else:
        assert isinstance(facts, CertificateFacts)


@quick
@given(st.text(max_size=40))
def test_a_redirection_is_read_or_refused_by_its_one_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse_redirection(text), Redirection)


@quick
@given(st.text(max_size=60))
def test_whatever_a_host_is_a_connect_request_has_two_lines(host: str) -> None:
    try:
        request = tunnel.Tunnel(host, 443, PROXY).request
    except ValueError:
        return
    assert request.count(b"\r\n") == 3
    assert b"\n" not in request.replace(b"\r\n", b"")


@quick
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_hostile_dates_and_staples_are_nothing(head: bytes, date: bytes) -> None:
    date_of(head)
    date_of(b"HTTP/1.1 200 x\r\nDate: " + date + b"\r\n\r\n")
    assert read_staple(head, pki.management().chain_ders) is None
