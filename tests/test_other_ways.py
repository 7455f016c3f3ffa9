"""Questions asked beside the main one: a larger hello, the way without the proxy, a nonsense name.

Each is small, bounded, and asked only where its answer can tell something.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from datetime import UTC, datetime

import peers
import pki
import pytest
from peers import Peer, ScriptedNetwork, Stream, server_context, speaks_tls

from diagnoser.diagnosis import judge
from diagnoser.errors import NameNotFound
from diagnoser.model import (
    Address,
    Case,
    Condition,
    Control,
    Endpoint,
    ProbeResult,
    Proxy,
    Role,
    Stage,
    Standing,
    Transport,
)
from diagnoser.probing import Trust, probe

Make = Callable[..., Endpoint]
V4, AWAY, PROXY = "192.0.2.10", "192.0.2.99", "192.0.2.60"
LARGE = 1000


class NamedNetwork(ScriptedNetwork):
    """A scripted network with a resolver of its own and an empty hosts file."""

    asked: list[str]

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:
        del host, port
        return ()

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        self.asked = [*getattr(self, "asked", []), host]
        if host.endswith(".invalid"):
            host = "*.invalid"
        return await super().resolve(host, port, seconds)


def visit(
    endpoint: Endpoint,
    network: ScriptedNetwork,
    trust: Trust,
    *,
    proxy: Proxy | None = None,
    looks_ahead: bool = False,
    seconds: float = 2.0,
) -> ProbeResult:
    return asyncio.run(
        probe(
            endpoint, network=network, trust=trust, timeout=seconds, proxy=proxy,
            now=lambda: pki.NOW, looks_ahead=looks_ahead,
        )
    )  # fmt: skip


def cause(result: ProbeResult) -> tuple[str, Standing] | None:
    found = judge(Case(None, (result.endpoint,), (result,))).cause
    return None if found is None else (found.rule, found.finding.standing)


def genuine() -> Peer:
    return speaks_tls(server_context(pki.management()))


# --- the larger hello -----------------------------------------------------------------------------


def swallowing(times: int, *, at_least: int = LARGE) -> Peer:
    """A genuine server on a path that loses the first ``times`` hellos of this size."""
    left = [times]

    async def peer(stream: Stream) -> None:
        data = await stream.read()
        if len(data) >= at_least and left[0] > 0:
            left[0] -= 1
            await asyncio.sleep(60)
        server = peers.TlsServer(server_context(pki.management()))
        while data:
            if out := server.feed(data):
                await stream.write(out)
            data = await stream.read()

    return peer


def against(peer: Peer) -> ScriptedNetwork:
    return ScriptedNetwork({pki.HOST: (V4,), pki.STORAGE_HOST: (V4,)}, {V4: peer})


def test_a_path_that_always_loses_the_large_hello_is_told(endpoint: Make, trust: Trust) -> None:
    begun = time.monotonic()
    network = against(swallowing(99))
    result = visit(endpoint(), network, trust, looks_ahead=True)
    assert cause(result) == ("large-hello-lost", Standing.APPLIES)
    assert [c.control for c in result.controls] == [Control.LARGE_HELLO, Control.SAME_AGAIN]
    assert time.monotonic() - begun < 2.5
    assert all(c.was_aborted for c in network.connections), "nothing is left open"


def test_a_large_hello_lost_once_is_no_fault_of_the_path(endpoint: Make, trust: Trust) -> None:
    result = visit(endpoint(), against(swallowing(1)), trust, looks_ahead=True)
    assert cause(result) == ("endpoint-healthy", Standing.APPLIES)
    large = result.control(Control.LARGE_HELLO)
    assert large is not None
    assert large.condition is Condition.MET


def test_a_path_that_goes_down_meanwhile_is_not_blamed_on_size(
    endpoint: Make, trust: Trust
) -> None:
    """The first hello passes, and then none: small ones are lost as well as large ones. Neither is
    such an endpoint called healthy."""
    first = [True]

    async def peer(stream: Stream) -> None:
        if not first:
            await asyncio.sleep(60)
        first.clear()
        await genuine()(stream)

    result = visit(endpoint(), against(peer), trust, looks_ahead=True)
    assert cause(result) is None
    again = result.control(Control.SAME_AGAIN)
    assert again is not None
    assert not again.is_answered


def test_the_large_hello_is_one_more_connection_and_only_where_it_is_wanted(
    endpoint: Make, trust: Trust
) -> None:
    network = against(genuine())
    result = visit(endpoint(), network, trust, looks_ahead=True)
    assert [c.control for c in result.controls] == [Control.LARGE_HELLO]
    assert len(network.connections) == 2
    network = against(genuine())
    assert visit(endpoint(), network, trust).controls == ()
    assert len(network.connections) == 1


def test_a_stranger_is_not_asked_for_the_future(endpoint: Make, trust: Trust) -> None:
    network = against(speaks_tls(server_context(pki.resigned_management())))
    result = visit(endpoint(), network, trust, looks_ahead=True)
    assert result.control(Control.LARGE_HELLO) is None


def test_storage_is_asked_although_no_public_store_knows_its_ca(
    endpoint: Make, trust: Trust
) -> None:
    network = against(
        speaks_tls(server_context(pki.storage(), client_authority=pki.client_authority()))
    )
    target = endpoint(pki.STORAGE_HOST, 44445, Role.STORAGE, server_name=pki.STORAGE_HOST)
    large = visit(target, network, trust, looks_ahead=True).control(Control.LARGE_HELLO)
    assert large is not None
    assert large.is_answered


# --- without the proxy ----------------------------------------------------------------------------


async def _tunnels(stream: Stream) -> None:
    request = await stream.read()
    assert request.startswith(b"CONNECT ")
    await stream.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await genuine()(stream)


def behind_proxy(
    direct: Peer | OSError | None, names: dict[str, tuple[str, ...] | OSError | None] | None = None
) -> ScriptedNetwork:
    known = names or {pki.HOST: (V4,)}
    return ScriptedNetwork({"proxy.example": (PROXY,), **known}, {PROXY: _tunnels, V4: direct})


AMBIENT = Proxy("proxy.example", 3128, source="HTTPS_PROXY", is_ambient=True)


@pytest.mark.parametrize(
    ("direct", "condition"),
    [
        (None, Condition.CONNECTION_TIMED_OUT),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Condition.CONNECTION_REFUSED),
        (peers.silent, Condition.MET),
    ],
)
def test_beside_a_proxy_of_the_environment_the_direct_way_is_tried(
    endpoint: Make, trust: Trust, direct: Peer | OSError | None, condition: Condition
) -> None:
    begun = time.monotonic()
    result = visit(endpoint(), behind_proxy(direct), trust, proxy=AMBIENT)
    assert time.monotonic() - begun < 1.5 + 0.5
    assert result.stage(Stage.VERIFY).condition is Condition.MET
    found = result.control(Control.DIRECT)
    assert found is not None
    assert (found.condition, found.question) == (condition, f"{pki.HOST}:8443")
    rule = judge(Case(None, (result.endpoint,), (result,))).verdicts
    standing = next(v.finding.standing for v in rule if v.rule == "proxy-not-used")
    open_ = condition is Condition.MET
    assert standing is (Standing.RULED_OUT if open_ else Standing.SUSPECTED)


def test_a_name_that_only_the_proxy_can_resolve_is_no_direct_way(
    endpoint: Make, trust: Trust
) -> None:
    network = behind_proxy(None, {pki.HOST: NameNotFound(-2, "x")})
    found = visit(endpoint(), network, trust, proxy=AMBIENT).control(Control.DIRECT)
    assert found is not None
    assert found.condition is Condition.NAME_NOT_FOUND


def test_nothing_goes_around_a_proxy_that_was_named_or_is_the_agent_s(
    endpoint: Make, trust: Trust
) -> None:
    for proxy in (
        Proxy("proxy.example", 3128),
        Proxy("proxy.example", 3128, source="/etc/Acronis/Global.config"),
    ):
        network = behind_proxy(peers.silent)
        result = visit(endpoint(), network, trust, proxy=proxy)
        assert result.control(Control.DIRECT) is None
        assert len(network.connections) == 1


# --- a name that cannot exist ---------------------------------------------------------------------


def portal(nonsense: tuple[str, ...] | OSError | None) -> NamedNetwork:
    names = {pki.HOST: (V4,), "*.invalid": nonsense}
    return NamedNetwork(names, {V4: peers.says(b"HTTP/1.1 302 x\r\n\r\n")})


@pytest.mark.parametrize(
    ("nonsense", "kept", "found"),
    [
        ((V4,), (V4,), ("name-redirected", Standing.APPLIES)),
        ((AWAY, V4), (AWAY, V4), ("name-redirected", Standing.APPLIES)),
        ((AWAY,), (AWAY,), ("not-tls", Standing.APPLIES)),
        (NameNotFound(-2, "x"), (), ("not-tls", Standing.APPLIES)),
        (None, None, ("not-tls", Standing.APPLIES)),
    ],
)
def test_a_resolver_that_leads_every_name_to_one_place_is_found_out(
    endpoint: Make,
    trust: Trust,
    nonsense: tuple[str, ...] | OSError | None,
    kept: tuple[str, ...] | None,
    found: tuple[str, Standing],
) -> None:
    begun = time.monotonic()
    result = visit(endpoint(), portal(nonsense), trust)
    assert time.monotonic() - begun < 2.0
    assert result.lookup is not None
    assert result.lookup.nonsense == kept
    assert cause(result) == found


def test_a_healthy_endpoint_needs_no_second_name(endpoint: Make, trust: Trust) -> None:
    network = NamedNetwork({pki.HOST: (V4,)}, {V4: genuine()})
    result = visit(endpoint(), network, trust)
    assert network.asked == [pki.HOST]
    assert result.lookup is not None
    assert result.lookup.nonsense is None


def test_a_port_that_opens_without_tls_shows_nobody_so_the_resolver_is_asked(
    endpoint: Make, trust: Trust
) -> None:
    network = NamedNetwork({pki.HOST: (V4,), "*.invalid": (V4,)}, {V4: peers.silent})
    result = visit(endpoint(port=7780, transport=Transport.TCP), network, trust)
    assert result.stage(Stage.CONNECT).condition is Condition.MET
    assert cause(result) == ("name-redirected", Standing.APPLIES)


# --- the server's own time ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_an_absurd_clock_is_survived_and_convinces_nobody(
    endpoint: Make, trust: Trust, told: str
) -> None:
    answer = f"HTTP/1.1 404 x\r\nDate: {told}\r\n\r\n".encode()
    peer = speaks_tls(server_context(pki.expired()), answer)
    result = visit(endpoint(), against(peer), trust)
    found = judge(Case(None, (result.endpoint,), (result,)))
    clock = next(v.finding for v in found.verdicts if v.rule == "clock-wrong")
    assert clock.standing is Standing.RULED_OUT


def test_the_chain_is_judged_at_the_time_that_the_server_tells(
    endpoint: Make, trust: Trust
) -> None:
    """A clock so far ahead that the intermediate is over, too: the path shows only at its time."""
    now = datetime(2040, 1, 1, tzinfo=UTC)
    answer = f"HTTP/1.1 404 x\r\nDate: {pki.NOW:%a, %d %b %Y %H:%M:%S} GMT\r\n\r\n".encode()
    network = against(speaks_tls(server_context(pki.management()), answer))
    result = asyncio.run(
        probe(endpoint(), network=network, trust=trust, timeout=2, now=lambda: now)
    )
    assert result.tls is not None
    assert {v.code for v in result.tls.verify} == {10}
    assert {v.code for v in result.tls.verify_at_server_time} == {0}
    assert cause(result) == ("clock-wrong", Standing.APPLIES)


def test_a_stranger_s_time_proves_nothing_of_ours(endpoint: Make, trust: Trust) -> None:
    now = datetime(2040, 1, 1, tzinfo=UTC)
    answer = f"HTTP/1.1 404 x\r\nDate: {pki.NOW:%a, %d %b %Y %H:%M:%S} GMT\r\n\r\n".encode()
    network = against(speaks_tls(server_context(pki.resigned_by_company()), answer))
    result = asyncio.run(
        probe(endpoint(), network=network, trust=trust, timeout=2, now=lambda: now)
    )
    found = judge(Case(None, (result.endpoint,), (result,)))
    clock = next(v.finding for v in found.verdicts if v.rule == "clock-wrong")
    assert clock.standing is not Standing.APPLIES
