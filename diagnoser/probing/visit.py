"""One endpoint visited from the name to the verified chain, and what that leaves open asked."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, cast

from diagnoser.model import (
    Address,
    AddressResult,
    Condition,
    Connection,
    Control,
    ControlResult,
    Endpoint,
    Lookup,
    Measured,
    Network,
    Origin,
    ProbeResult,
    Proxy,
    Resolver,
    Role,
    Stage,
    StageResult,
    TlsFacts,
    Transport,
    TrustStore,
)
from diagnoser.probing import controls, other_ports, patience, second_round, siblings, stages
from diagnoser.probing.contexts import Contexts
from diagnoser.probing.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.probing.credentials import ClientCredentials
    from diagnoser.probing.trust import Trust

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


_NO_TUNNEL = StageResult(Stage.TUNNEL, Condition.MET, "no proxy")
_THROUGH = frozenset({Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED})
_SHORTEST_LOOK_AHEAD = 0.9
_LONGEST_LOOKUP = 0.5
_LONGEST_LISTENING = 0.3

_CUT_OFF = frozenset(
    {
        Condition.CONNECTION_RESET,
        Condition.CONNECTION_CLOSED,
        Condition.HANDSHAKE_TIMED_OUT,
        Condition.UNCLASSIFIED,
    }
)


@dataclass(slots=True)
class Visit:
    """What one visit is made with, and what it has brought so far."""

    endpoint: Endpoint
    network: Network
    trust: Trust
    timeout: float
    proxy: Proxy | None
    contexts: Contexts
    credentials: ClientCredentials | None
    at: datetime
    looks_ahead: bool
    reached: dict[Stage, StageResult] = field(default_factory=dict)
    addresses: tuple[AddressResult, ...] = ()
    tls: TlsFacts | None = None
    controls: tuple[ControlResult, ...] = ()
    lookup: Lookup | None = None
    chain_ders: tuple[bytes, ...] = ()
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
        """Pass the stages in order until one is not met, and ask what that leaves open."""
        # Room is left at the end for what runs between two awaits.
        longest = _LONGEST * self.timeout + max(0.0, patience.LEAST - self.timeout)
        self.end = monotonic() + longest * 0.97
        if self.proxy is not None and self.proxy.is_ambient:
            seconds = max(patience.LEAST, min(second_round.SECONDS, self._left()))
            direct = other_ports.ask_direct(self.network, self.endpoint, seconds)
            _, found = await asyncio.gather(self._pass_stages(), direct)
            self.controls += (found,)
        else:
            await self._pass_stages()
        if self.lookup is not None and not self.lookup.hosts_file and not self._is_through():
            await self._ask_resolver(self.lookup)

    async def _pass_stages(self) -> None:
        host, port = self.endpoint.host, self.endpoint.port
        if self.proxy is not None:
            host, port = self.proxy.host, self.proxy.port
        result, addresses = await stages.resolve(self.network, host, port, self._left())
        if not self._note(result):
            return
        self._note_lookup(addresses)
        result, self.addresses, opened = await stages.connect(
            self.network, addresses, max(patience.LEAST, self._left())
        )
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
            return
        if self._is_in_doubt():
            await self._ask_controls(opened.address)
        if self.looks_ahead and self._is_through():
            await self._look_ahead(opened.address)
            if (worse := await siblings.visit_others(self, opened.address)) is not None:
                self._tell_of(worse, opened.address)

    def _tell_of(self, worse: Visit, used: Address) -> None:
        """What goes wrong at one of the addresses is what counts; that another is good is shown."""
        leaf = self.tls.end_entity if self.tls is not None else None
        good = ControlResult(Control.OTHER_ADDRESS, used.host, Condition.MET, certificate=leaf)
        self.reached = worse.reached | {Stage.RESOLVE: self.reached[Stage.RESOLVE]}
        self.tls, self.chain_ders = worse.tls, worse.chain_ders
        self.controls = (*worse.controls, good)

    def _note_lookup(self, addresses: Sequence[Address]) -> None:
        """Where the addresses come from, if it was the name of the host that was looked up."""
        resolver = _resolver(self.network)
        if self.proxy is not None or resolver is None:
            return
        listed = resolver.hosts_file(self.endpoint.host, self.endpoint.port)
        if listed is not None:
            self.lookup = Lookup(tuple(a.host for a in addresses), listed)

    async def _ask_resolver(self, lookup: Lookup) -> None:
        """A resolver that knows a name which cannot exist leads every name to the same place."""
        name = controls.nonsense_name()
        seconds = min(_LONGEST_LOOKUP, self._left())
        result, found = await stages.resolve(self.network, name, self.endpoint.port, seconds)
        if result.condition in (Condition.MET, Condition.NAME_NOT_FOUND):
            self.lookup = replace(lookup, nonsense=tuple(a.host for a in found))

    def _left(self) -> float:
        """Seconds for the next stage."""
        return max(0.0, min(self.timeout, self.end - monotonic()))

    def _note(self, result: StageResult) -> bool:
        self.reached[result.stage] = result
        return result.condition is Condition.MET

    def _note_reset_at_once(self) -> None:
        """The connection was accepted and reset before the first byte could be sent."""
        self._note(_NO_TUNNEL)
        number = next(
            (a.error for a in self.addresses if a.condition is Condition.CONNECTION_RESET), None
        )
        stage = Stage.HANDSHAKE if self.proxy is None else Stage.TUNNEL
        if self.proxy is None and self.endpoint.transport is Transport.TCP:
            told = ControlResult(Control.SILENCE, "", Condition.CONNECTION_RESET)
            self.controls += (told,)
        if stage is Stage.TUNNEL or self.endpoint.transport is Transport.TLS:
            self._note(
                StageResult(stage, Condition.CONNECTION_RESET, "before any byte", error=number)
            )

    async def _converse(self, opened: stages.Opened) -> None:
        early = b""
        if self.proxy is None:
            self._note(_NO_TUNNEL)
        else:
            result, early = await stages.open_tunnel(
                opened.connection, self.endpoint, self.proxy, self._left()
            )
            if not self._note(result):
                return
        if self.endpoint.transport is Transport.TCP:
            await self._listen(opened.connection)
        if self.endpoint.transport is Transport.TCP or self._left() < _LEAST:
            return
        handshake = Handshake(
            self.contexts, self.endpoint.server_name, presents=self.credentials is not None
        )
        overall = self.end - monotonic()
        self._note(await stages.shake_hands(opened, handshake, early, self._left(), overall))
        self.chain_ders = handshake.chain_ders
        verdict, opinions = stages.verify(self.trust, self.chain_ders, self.endpoint.role, self.at)
        self._note(verdict)
        facts = handshake.facts(opinions)
        handshake.close()
        if not facts.bytes_received and isinstance(opened.connection, Measured):
            facts = replace(facts, flow=opened.connection.flow())
        if self.credentials is not None:
            facts = replace(
                facts,
                client_certificate=self.credentials.facts(),
                client_certificate_source=self.credentials.source,
            )
        self.tls = facts

    async def _listen(self, connection: Connection) -> None:
        """A port without TLS: does who opened it stay? Nothing is said, and little awaited."""

        async def opener() -> tuple[Connection, bytes]:
            return connection, b""

        seconds = min(_LONGEST_LISTENING, self._left())
        self.controls += (await second_round.ask_silence(opener, seconds),)

    def _is_cut_off(self) -> bool:
        """The handshake died before the peer had shown who it is, and without saying why."""
        ended = self.reached.get(Stage.HANDSHAKE)
        if ended is None or ended.condition not in _CUT_OFF or self._left() < _LEAST:
            return False
        return self.tls is None or self.tls.end_entity is None

    async def _ask_second_round(self, address: Address) -> None:
        async def opener() -> tuple[Connection, bytes]:
            return await self._open_again(address)

        seconds = min(second_round.WHOLE, self._left())
        self.controls = await second_round.ask_second_round(opener, self.endpoint, seconds)

    def _is_through(self) -> bool:
        """The usual hello was answered, by a peer that nothing speaks against so far."""
        ended, verified = self.reached.get(Stage.HANDSHAKE), self.reached.get(Stage.VERIFY)
        if ended is None or ended.condition not in _THROUGH or self._left() < _LEAST:
            return False
        # Storage has a CA of its own, which no public store accepts.
        known = verified is not None and verified.condition is Condition.MET
        return known or self.endpoint.role is Role.STORAGE

    async def _look_ahead(self, address: Address) -> None:
        async def opener() -> tuple[Connection, bytes]:
            return await self._open_again(address)

        spent = self.reached[Stage.HANDSHAKE].seconds or 0.0
        both = spent + (self.reached[Stage.CONNECT].seconds or 0.0)
        # A slow line, or a slow server, is as slow the second time.
        longest = max(second_round.SECONDS, 2 * both)
        seconds = min(self._left(), longest, max(_SHORTEST_LOOK_AHEAD, 4 * spent))
        if seconds < both:
            return
        self.controls += await second_round.look_ahead(opener, self.endpoint, seconds)

    async def _ask_other_ports(self, addresses: Sequence[Address]) -> None:
        """A silent port: is it the port or the host? Asked of the first two addresses at most."""
        seconds = min(second_round.SECONDS, self._left())
        if seconds < _LEAST:
            return
        seconds = max(patience.LEAST, seconds)
        self.controls = await other_ports.ask_other_ports(
            self.network, self.endpoint, addresses[:2], seconds
        )

    def _is_in_doubt(self) -> bool:
        """Whether what answered may be somebody else than the service.

        Good by an anchor that was given is no answer to that: the interceptor's CA may hang below
        it. Nor is good by the public bundle, if no log knows the certificate: a distribution or a
        hand may have put a company's root there.
        """
        if self.tls is None or self.reached[Stage.HANDSHAKE].condition not in _WORTH_ASKING:
            return False
        return self._left() >= _LEAST and not _is_beyond_doubt(self.tls)

    async def _ask_controls(self, address: Address) -> None:
        async def opener() -> tuple[Connection, bytes]:
            return await self._open_again(address)

        seconds = self._left()
        asked = [controls.ask_nonsense_name(opener, self.contexts, seconds)]
        if self.tls is not None and controls.wants_clock(self.endpoint, self.tls):
            asked.append(controls.ask_clock(opener, self.contexts, self.endpoint, seconds))
        self.controls = tuple(await asyncio.gather(*asked))
        self._judge_at_server_time()

    def _judge_at_server_time(self) -> None:
        """A date fault anywhere in the chain hides whether it is good otherwise."""
        told = next((c.answered_at for c in self.controls if c.answered_at is not None), None)
        if told is not None and self.tls is not None:
            _, opinions = stages.verify(self.trust, self.chain_ders, self.endpoint.role, told)
            self.tls = replace(self.tls, verify_at_server_time=opinions)

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


def _resolver(network: Network) -> Resolver | None:
    return cast("Resolver", network) if _is_resolver(type(network)) else None


@cache
def _is_resolver(kind: type) -> bool:
    """A class that says where its answers come from: a Protocol is slow to ask (Python 3.11)."""
    return issubclass(kind, Resolver)


def _is_beyond_doubt(tls: TlsFacts) -> bool:
    public, leaf = tls.verified_by(TrustStore.MOZILLA), tls.end_entity
    if public is None or public.code != 0 or leaf is None:
        return False
    return bool(leaf.timestamps)


def _shown(proxy: Proxy | None) -> str | None:
    if proxy is None or proxy.source is None:
        return None if proxy is None else str(proxy)
    return f"{proxy} ({proxy.source})"


def _not_reached(stage: Stage, *, without_tls: bool) -> StageResult:
    meant = without_tls and stage in (Stage.HANDSHAKE, Stage.VERIFY)
    detail = "this port does not speak TLS" if meant else ""
    return StageResult(stage, Condition.NOT_REACHED, detail)
