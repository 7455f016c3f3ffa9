"""What a cut or silent handshake is told apart by: one peer a kind of middlebox, judged whole."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable

import peers
import pki
import pytest
from OpenSSL import SSL
from peers import Peer, ScriptedNetwork, Stream, server_context, speaks_tls

from diagnoser.diagnosis import judge
from diagnoser.model import (
    Case,
    Condition,
    Control,
    Endpoint,
    Finding,
    ProbeResult,
    Stage,
    Standing,
)
from diagnoser.probing import Trust, probe

Make = Callable[..., Endpoint]
V4 = "192.0.2.10"
NAME = pki.HOST.encode()


def visit(
    endpoint: Endpoint, network: ScriptedNetwork, trust: Trust, seconds: float
) -> ProbeResult:
    return asyncio.run(
        probe(endpoint, network=network, trust=trust, timeout=seconds, now=lambda: pki.NOW)
    )


def against(peer: Peer | OSError | None) -> ScriptedNetwork:
    return ScriptedNetwork({pki.HOST: (V4,)}, {V4: peer})


def findings(result: ProbeResult) -> dict[str, Finding]:
    diagnosis = judge(Case(None, (result.endpoint,), (result,)))
    return {v.rule: v.finding for v in diagnosis.verdicts}


def cause(result: ProbeResult) -> tuple[str, Standing] | None:
    found = judge(Case(None, (result.endpoint,), (result,))).cause
    return None if found is None else (found.rule, found.finding.standing)


def facts(finding: Finding) -> set[str]:
    return {e.fact for e in finding.evidence}


async def _cut(stream: Stream, how: str) -> None:
    if how == "reset":
        stream.reset()
    if how != "close":
        await asyncio.sleep(60)


async def _serve(stream: Stream, data: bytes) -> None:
    server = peers.TlsServer(server_context(pki.management()))
    while data:
        if out := server.feed(data):
            await stream.write(out)
        data = await stream.read()


def filter_of(is_bad: Callable[[bytes], bool], how: str, *, whole: bool = False) -> Peer:
    """A genuine server behind a box that looks at the first segment, or at the ``whole`` hello."""

    async def peer(stream: Stream) -> None:
        data = await stream.read()
        while whole and len(data) < 5 + int.from_bytes(data[3:5], "big"):
            data += await stream.read()
        if is_bad(data):
            await _cut(stream, how)
            return
        await _serve(stream, data)

    return peer


def offers_tls_1_3(hello: bytes) -> bool:
    return b"\x00\x2b" in hello and b"\x03\x04" in hello[40:]


def is_tls(data: bytes) -> bool:
    return data[:1] == b"\x16"


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_box_that_looks_for_the_name_in_the_first_segment_is_proven(
    endpoint: Make, trust: Trust, how: str
) -> None:
    result = visit(endpoint(), against(filter_of(lambda d: NAME in d, how)), trust, 2)
    assert cause(result) == ("handshake-blocked", Standing.APPLIES)
    assert {"other_name_answered", "no_name_answered", "split_name_answered"} <= facts(
        findings(result)["handshake-blocked"]
    )


def test_a_box_that_puts_segments_together_is_proven_by_the_other_name(
    endpoint: Make, trust: Trust
) -> None:
    peer = filter_of(lambda d: NAME in d, "reset", whole=True)
    result = visit(endpoint(), against(peer), trust, 2)
    assert cause(result) == ("handshake-blocked", Standing.APPLIES)
    shown = facts(findings(result)["handshake-blocked"])
    assert "other_name_answered" in shown
    assert "split_name_answered" not in shown


def test_a_box_that_drops_by_name_stalls_and_is_proven(endpoint: Make, trust: Trust) -> None:
    result = visit(endpoint(), against(filter_of(lambda d: NAME in d, "drop")), trust, 0.6)
    assert cause(result) == ("handshake-stalled", Standing.APPLIES)
    assert "other_name_answered" in facts(findings(result)["handshake-stalled"])


def test_a_box_that_dies_on_tls_1_3_is_suspected_and_named(endpoint: Make, trust: Trust) -> None:
    result = visit(endpoint(), against(filter_of(offers_tls_1_3, "reset")), trust, 2)
    assert cause(result) == ("handshake-blocked", Standing.SUSPECTED)
    assert "older_tls_answered" in facts(findings(result)["handshake-blocked"])
    control = result.control(Control.TLS_1_2_AT_MOST)
    assert control is not None
    assert control.certificate is not None


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_server_that_hangs_up_on_everybody_is_no_filter_of_hellos(
    endpoint: Make, trust: Trust, how: str
) -> None:
    async def hangs_up(stream: Stream) -> None:
        await _cut(stream, how)

    result = visit(endpoint(), against(hangs_up), trust, 2)
    assert cause(result) == ("server-side", Standing.SUSPECTED)
    # A firewall that cuts what is for this address does the same.
    assert findings(result)["handshake-blocked"].standing is Standing.UNDECIDED


def test_a_connection_that_is_reset_when_it_opens_gets_a_second_round_too(
    endpoint: Make, trust: Trust
) -> None:
    reset = ConnectionResetError(errno.ECONNRESET, "x")
    result = visit(endpoint(), against(reset), trust, 2)
    assert cause(result) == ("server-side", Standing.SUSPECTED)


def test_where_every_hello_is_cut_and_plain_bytes_pass_nothing_is_certain(
    endpoint: Make, trust: Trust
) -> None:
    async def kills_tls(stream: Stream) -> None:
        if is_tls(await stream.read()):
            stream.reset()
        else:
            await stream.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        await asyncio.sleep(60)

    result = visit(endpoint(), against(kills_tls), trust, 2)
    assert cause(result) == ("handshake-blocked", Standing.SUSPECTED)
    assert "plain_answered" in facts(findings(result)["handshake-blocked"])


def test_a_connection_cut_once_is_not_blamed_on_anybody(endpoint: Make, trust: Trust) -> None:
    seen = []

    async def flaky(stream: Stream) -> None:
        data = await stream.read()
        seen.append(data)
        if len(seen) == 1:
            stream.reset()
            await asyncio.sleep(60)
        await _serve(stream, data)

    result = visit(endpoint(), against(flaky), trust, 2)
    assert result.stage(Stage.HANDSHAKE).condition is Condition.CONNECTION_RESET
    assert cause(result) is None
    assert "second_try_answered" in facts(findings(result)["handshake-blocked"])


def test_a_broken_virtual_host_is_not_called_certain(endpoint: Make, trust: Trust) -> None:
    """The load balancer answers other names with another host, and has no backend for this one."""

    async def balancer(stream: Stream) -> None:
        data = await stream.read()
        while len(data) < 5 + int.from_bytes(data[3:5], "big"):
            data += await stream.read()
        if peers.server_name_of(data) == pki.HOST:
            stream.reset()
            await asyncio.sleep(60)
        server = peers.TlsServer(server_context(pki.wrong_name()))
        while data:
            if out := server.feed(data):
                await stream.write(out)
            data = await stream.read()

    result = visit(endpoint(), against(balancer), trust, 2)
    assert cause(result) == ("handshake-blocked", Standing.SUSPECTED)


def test_the_second_round_takes_no_longer_than_its_own_limit(endpoint: Make, trust: Trust) -> None:
    network = against(peers.silent)
    begun = time.monotonic()
    result = visit(endpoint(), network, trust, 2)
    assert time.monotonic() - begun < 2 + 1.5 + 0.5
    asked = {c.control for c in result.controls}
    assert asked == {
        Control.SILENCE,
        Control.SAME_AGAIN,
        Control.NONSENSE_NAME,
        Control.NO_NAME,
        Control.SPLIT_NAME,
        Control.TLS_1_2_AT_MOST,
        Control.TLS_1_3_ONLY,
        Control.PLAIN_HTTP,
    }
    assert all(c.was_aborted for c in network.connections), "nothing is left open"


def test_an_endpoint_without_a_name_is_not_asked_about_names(endpoint: Make, trust: Trust) -> None:
    result = visit(endpoint(server_name=None), against(peers.resets), trust, 2)
    asked = {c.control for c in result.controls}
    assert not asked & {Control.NO_NAME, Control.SPLIT_NAME}


def test_what_is_said_to_half_a_hello_is_heard_although_the_other_half_is_reset(
    endpoint: Make, trust: Trust
) -> None:
    async def peer(stream: Stream) -> None:
        data = await stream.read()
        if len(data) < 5 + int.from_bytes(data[3:5], "big"):
            await stream.write(b"\x15\x03\x03\x00\x02\x02\x32")
            await asyncio.sleep(0.01)
        stream.reset()

    result = visit(endpoint(), against(peer), trust, 1.0)
    assert result.stage(Stage.HANDSHAKE).condition is Condition.CONNECTION_RESET
    split = result.control(Control.SPLIT_NAME)
    assert split is not None
    assert (split.condition, split.detail[:16]) == (Condition.FATAL_ALERT, "decode_error(50)")


def test_an_alert_or_a_plain_answer_is_conclusive(endpoint: Make, trust: Trust) -> None:
    for peer in (peers.says(b"\x15\x03\x03\0\2\2\x46"), peers.says(b"HTTP/1.1 403 x\r\n\r\n")):
        result = visit(endpoint(), against(peer), trust, 2)
        assert result.control(Control.SILENCE) is None


def test_tls_1_2_servers_are_answered_by_the_usual_hello(endpoint: Make, trust: Trust) -> None:
    context = server_context(pki.management(), version=SSL.TLS1_2_VERSION)
    result = visit(endpoint(), against(speaks_tls(context)), trust, 2)
    assert cause(result) == ("endpoint-healthy", Standing.APPLIES)
    assert result.controls == ()


@pytest.mark.parametrize(
    ("neighbour", "scope"),
    [
        (peers.silent, "this-port-only"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "this-port-only"),
        (None, "every-port-tried"),
    ],
)
def test_a_silent_port_is_compared_with_its_neighbours(
    endpoint: Make, trust: Trust, neighbour: Peer | OSError | None, scope: str
) -> None:
    network = ScriptedNetwork(
        {pki.HOST: (V4,)}, {V4: None, f"{V4}:443": neighbour, f"{V4}:8443": None}
    )
    result = visit(endpoint(port=8443), network, trust, 0.5)
    assert cause(result) == ("port-filtered", Standing.APPLIES)
    told = {(e.fact, e.value) for e in findings(result)["port-filtered"].evidence}
    assert ("silence_of", scope) in told
    assert [c.question for c in result.controls] == ["443", "44445"]
