"""One endpoint visited from the name to the verified chain, and many of them side by side."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from diagnoser.model import (
    Address,
    AddressResult,
    Condition,
    Connection,
    ControlResult,
    Endpoint,
    Lookup,
    Measured,
    Network,
    Origin,
    ProbeResult,
    Proxy,
    Resolver,
    Stage,
    StageResult,
    TlsFacts,
    Transport,
)
from diagnoser.probing import controls, other_ports, second_round, stages
from diagnoser.probing.contexts import Contexts, contexts
from diagnoser.probing.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.probing.credentials import ClientCredentials
    from diagnoser.probing.trust import Trust

CONCURRENCY = 64
TIMEOUT = 5.0

_LONGEST = 3
_LEAST = 0.05
# How a handshake can end so that asking for another name tells something.
_WORTH_ASKING = frozenset(
    {
        Condition.MET,
        Condition.CONNECTION_RESET,
        Condition.CONNECTION_CLOSED,
        Condition.HANDSHAKE_TIMED_OUT,
        Condition.FATAL_ALERT,
        Condition.CLIENT_CERTIFICATE_REFUSED,
    }
)


_CUT_OFF = frozenset(
    {
        Condition.CONNECTION_RESET,
        Condition.CONNECTION_CLOSED,
        Condition.HANDSHAKE_TIMED_OUT,
        Condition.UNCLASSIFIED,
    }
)


def utc_now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


async def probe(
    endpoint: Endpoint,
    *,
    network: Network,
    trust: Trust,
    timeout: float = TIMEOUT,  # noqa: ASYNC109  (bounds each stage, not the call)
    proxy: Proxy | None = None,
    credentials: ClientCredentials | None = None,
    vantage: str = "",
    now: Callable[[], datetime] = utc_now,
) -> ProbeResult:
    """Visit one endpoint; whatever the peer does, there is a result within ``3 * timeout`` seconds.

    ``timeout`` bounds each stage, in seconds. ``credentials`` are presented only where the
    endpoint's role wants the agent's certificate. Nothing of the application protocol is sent,
    but a bounded HTTP ``HEAD`` where the dates of a certificate are in doubt.
    """
    shown = credentials if endpoint.client_certificate else None
    visit = _Visit(endpoint, network, trust, timeout, proxy, contexts(trust, shown), shown, now())
    await visit.run()
    return visit.result(vantage)


async def probe_all(
    endpoints: Sequence[Endpoint],
    *,
    network: Network,
    trust: Trust,
    timeout: float = TIMEOUT,  # noqa: ASYNC109  (bounds each stage, not the call)
    proxy: Proxy | None = None,
    credentials: ClientCredentials | None = None,
    vantage: str = "",
    now: Callable[[], datetime] = utc_now,
    concurrency: int = CONCURRENCY,
) -> list[ProbeResult]:
    """Visit many endpoints, at most ``concurrency`` at a time.

    Endpoints with the same key are visited once; the results stand in the order of first mention.
    """
    unique = {e.key: e for e in reversed(endpoints)}
    order = dict.fromkeys(e.key for e in endpoints)
    places = asyncio.Semaphore(concurrency)

    async def in_turn(endpoint: Endpoint) -> ProbeResult:
        async with places:
            return await probe(
                endpoint,
                network=network,
                trust=trust,
                timeout=timeout,
                proxy=proxy,
                credentials=credentials,
                vantage=vantage,
                now=now,
            )

    return await asyncio.gather(*(in_turn(unique[key]) for key in order))


def run(
    endpoints: Sequence[Endpoint],
    *,
    network: Network,
    trust: Trust,
    timeout: float = TIMEOUT,
    proxy: Proxy | None = None,
    credentials: ClientCredentials | None = None,
    vantage: str = "",
    now: Callable[[], datetime] = utc_now,
    concurrency: int = CONCURRENCY,
) -> list[ProbeResult]:
    """:func:`probe_all` for callers without an event loop."""
    return asyncio.run(
        probe_all(
            endpoints,
            network=network,
            trust=trust,
            timeout=timeout,
            proxy=proxy,
            credentials=credentials,
            vantage=vantage,
            now=now,
            concurrency=concurrency,
        )
    )


@dataclass(slots=True)
class _Visit:
    """What one visit is made with, and what it has brought so far."""

    endpoint: Endpoint
    network: Network
    trust: Trust
    timeout: float
    proxy: Proxy | None
    contexts: Contexts
    credentials: ClientCredentials | None
    at: datetime
    reached: dict[Stage, StageResult] = field(default_factory=dict)
    addresses: tuple[AddressResult, ...] = ()
    tls: TlsFacts | None = None
    controls: tuple[ControlResult, ...] = ()
    lookup: Lookup | None = None
    end: float = 0.0

    def result(self, vantage: str) -> ProbeResult:
        """Everything that was found; stages that were not reached say so."""
        without_tls = self.endpoint.transport is Transport.TCP
        return ProbeResult(
            endpoint=self.endpoint,
            stages=tuple(
                self.reached.get(s) or _not_reached(s, without_tls=without_tls) for s in Stage
            ),
            at=self.at,
            vantage=vantage,
            origin=Origin.LIVE,
            tls=self.tls,
            addresses=self.addresses,
            controls=self.controls,
            proxy=_shown(self.proxy),
            lookup=self.lookup,
        )

    async def run(self) -> None:
        """Pass the stages in order until one is not met."""
        # Room is left at the end for what runs between two awaits.
        self.end = asyncio.get_running_loop().time() + _LONGEST * self.timeout * 0.97
        host, port = self.endpoint.host, self.endpoint.port
        if self.proxy is not None:
            host, port = self.proxy.host, self.proxy.port
        result, addresses = await stages.resolve(self.network, host, port, self._left())
        if not self._note(result):
            return
        self._note_lookup(addresses)
        result, self.addresses, opened = await stages.connect(self.network, addresses, self._left())
        if not self._note(result):
            if result.condition is Condition.CONNECTION_TIMED_OUT and self.proxy is None:
                await self._ask_other_ports(addresses)
            return
        if opened is None:
            self._note_reset_at_once()
            reset = next(a for a in self.addresses if a.condition is Condition.CONNECTION_RESET)
            if self._is_cut_off():
                await self._ask_second_round(Address(reset.address, reset.port))
            return
        try:
            await self._converse(opened)
        finally:
            opened.connection.abort()
        if self._is_cut_off():
            await self._ask_second_round(opened.address)
        elif self._is_in_doubt():
            await self._ask_controls(opened.address)

    def _note_lookup(self, addresses: Sequence[Address]) -> None:
        """Where the addresses come from, if it was the name of the host that was looked up."""
        if self.proxy is not None or not isinstance(self.network, Resolver):
            return
        listed = self.network.hosts_file(self.endpoint.host, self.endpoint.port)
        if listed is not None:
            self.lookup = Lookup(tuple(a.host for a in addresses), listed)

    def _left(self) -> float:
        """Seconds for the next stage."""
        return max(0.0, min(self.timeout, self.end - asyncio.get_running_loop().time()))

    def _note(self, result: StageResult) -> bool:
        self.reached[result.stage] = result
        return result.condition is Condition.MET

    def _note_reset_at_once(self) -> None:
        """The connection was accepted and reset before the first byte could be sent."""
        self._note(StageResult(Stage.TUNNEL, Condition.MET, "no proxy"))
        number = next(
            (a.error for a in self.addresses if a.condition is Condition.CONNECTION_RESET), None
        )
        stage = Stage.HANDSHAKE if self.proxy is None else Stage.TUNNEL
        if stage is Stage.TUNNEL or self.endpoint.transport is Transport.TLS:
            self._note(
                StageResult(stage, Condition.CONNECTION_RESET, "before any byte", error=number)
            )

    async def _converse(self, opened: stages.Opened) -> None:
        early = b""
        if self.proxy is None:
            self._note(StageResult(Stage.TUNNEL, Condition.MET, "no proxy"))
        else:
            result, early = await stages.open_tunnel(
                opened.connection, self.endpoint, self.proxy, self._left()
            )
            if not self._note(result):
                return
        if self.endpoint.transport is Transport.TCP or self._left() < _LEAST:
            return
        handshake = Handshake(
            self.contexts, self.endpoint.server_name, presents=self.credentials is not None
        )
        overall = self.end - asyncio.get_running_loop().time()
        self._note(await stages.shake_hands(opened, handshake, early, self._left(), overall))
        facts = handshake.facts()
        handshake.close()
        if not facts.bytes_received and isinstance(opened.connection, Measured):
            facts = replace(facts, flow=opened.connection.flow())
        if self.credentials is not None:
            facts = replace(
                facts,
                client_certificate=self.credentials.facts(),
                client_certificate_source=self.credentials.source,
            )
        verdict, opinions = stages.verify(
            self.trust, handshake.chain_ders, self.endpoint.role, self.at
        )
        self._note(verdict)
        self.tls = replace(facts, verify=opinions)

    def _is_cut_off(self) -> bool:
        """The handshake died before the peer had shown who it is, and without saying why."""
        ended = self.reached.get(Stage.HANDSHAKE)
        if ended is None or ended.condition not in _CUT_OFF or self._left() < _LEAST:
            return False
        return self.tls is None or self.tls.end_entity is None

    async def _ask_second_round(self, address: Address) -> None:
        async def opener() -> tuple[Connection, bytes]:
            return await self._open_again(address)

        seconds = min(second_round.SECONDS, self._left())
        self.controls = await second_round.ask_second_round(opener, self.endpoint, seconds)

    async def _ask_other_ports(self, addresses: Sequence[Address]) -> None:
        """A silent port: is it the port or the host? Asked of the first two addresses at most."""
        seconds = min(second_round.SECONDS, self._left())
        if seconds < _LEAST:
            return
        self.controls = await other_ports.ask_other_ports(
            self.network, self.endpoint, addresses[:2], seconds
        )

    def _is_in_doubt(self) -> bool:
        if self.tls is None or self.reached[Stage.HANDSHAKE].condition not in _WORTH_ASKING:
            return False
        return self.reached[Stage.VERIFY].condition is not Condition.MET and self._left() >= _LEAST

    async def _ask_controls(self, address: Address) -> None:
        async def opener() -> tuple[Connection, bytes]:
            return await self._open_again(address)

        seconds = self._left()
        asked = [controls.ask_nonsense_name(opener, self.contexts, seconds)]
        if self.tls is not None and controls.wants_clock(self.endpoint, self.tls):
            asked.append(controls.ask_clock(opener, self.contexts, self.endpoint, seconds))
        self.controls = tuple(await asyncio.gather(*asked))

    async def _open_again(self, address: Address) -> tuple[Connection, bytes]:
        connection = await self.network.connect(address)
        if self.proxy is None:
            return connection, b""
        tunnelled: StageResult | None = None
        try:
            tunnelled, early = await stages.open_tunnel(
                connection, self.endpoint, self.proxy, self._left()
            )
        finally:
            if tunnelled is None or tunnelled.condition is not Condition.MET:
                connection.abort()
        if tunnelled.condition is not Condition.MET:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the proxy opened no second tunnel")
        return connection, early


def _shown(proxy: Proxy | None) -> str | None:
    if proxy is None or proxy.source is None:
        return None if proxy is None else str(proxy)
    return f"{proxy} ({proxy.source})"


def _not_reached(stage: Stage, *, without_tls: bool) -> StageResult:
    meant = without_tls and stage in (Stage.HANDSHAKE, Stage.VERIFY)
    detail = "this port does not speak TLS" if meant else ""
    return StageResult(stage, Condition.NOT_REACHED, detail)
