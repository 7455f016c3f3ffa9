"""One endpoint visited from the name to the verified chain, and what that leaves open asked."""

from __future__ import annotations

import asyncio
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
    Stage,
    StageResult,
    TlsFacts,
    Transport,
)
from diagnoser.probing import other_ports, patience, questions, second_round, siblings, stages
from diagnoser.probing.contexts import Contexts
from diagnoser.probing.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.probing.credentials import ClientCredentials
    from diagnoser.probing.trust import Trust

_LONGEST = 3
_LONGEST_LISTENING = 0.3
_NO_TUNNEL = StageResult(Stage.TUNNEL, Condition.MET, "no proxy")


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
            seconds = max(patience.LEAST, min(second_round.SECONDS, self.left()))
            direct = other_ports.ask_direct(self.network, self.endpoint, seconds)
            _, found = await asyncio.gather(self._pass_stages(), direct)
            self.controls += (found,)
        else:
            await self._pass_stages()
        if (
            self.lookup is not None
            and not self.lookup.hosts_file
            and not questions.is_through(self)
        ):
            await questions.ask_resolver(self, self.lookup)

    async def _pass_stages(self) -> None:
        host, port = self.endpoint.host, self.endpoint.port
        if self.proxy is not None:
            host, port = self.proxy.host, self.proxy.port
        result, addresses = await stages.resolve(self.network, host, port, self.left())
        if not self._note(result):
            return
        self._note_lookup(addresses)
        result, self.addresses, opened = await stages.connect(
            self.network, addresses, max(patience.LEAST, self.left())
        )
        if not self._note(result):
            if result.condition is Condition.CONNECTION_TIMED_OUT and self.proxy is None:
                await questions.ask_other_ports(self, addresses)
            return
        if opened is None:
            self._note_reset_at_once()
            reset = next(a for a in self.addresses if a.condition is Condition.CONNECTION_RESET)
            if questions.is_cut_off(self):
                await questions.ask_second_round(self, Address(reset.address, reset.port))
            return
        try:
            await self._converse(opened)
        finally:
            opened.connection.abort()
        if questions.is_cut_off(self):
            await questions.ask_second_round(self, opened.address)
            return
        if questions.is_in_doubt(self):
            await questions.ask_controls(self, opened.address)
        if self.looks_ahead and questions.is_through(self):
            await questions.look_ahead(self, opened.address)
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

    def left(self) -> float:
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
                opened.connection, self.endpoint, self.proxy, self.left()
            )
            if not self._note(result):
                return
        if self.endpoint.transport is Transport.TCP:
            await self._listen(opened.connection)
        if self.endpoint.transport is Transport.TCP or self.left() < questions.LEAST:
            return
        handshake = Handshake(
            self.contexts, self.endpoint.server_name, presents=self.credentials is not None
        )
        overall = self.end - monotonic()
        self._note(await stages.shake_hands(opened, handshake, early, self.left(), overall))
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

        seconds = min(_LONGEST_LISTENING, self.left())
        self.controls += (await second_round.ask_silence(opener, seconds),)


def _resolver(network: Network) -> Resolver | None:
    return cast("Resolver", network) if _is_resolver(type(network)) else None


@cache
def _is_resolver(kind: type) -> bool:
    """A class that says where its answers come from: a Protocol is slow to ask (Python 3.11)."""
    return issubclass(kind, Resolver)


def _shown(proxy: Proxy | None) -> str | None:
    if proxy is None or proxy.source is None:
        return None if proxy is None else str(proxy)
    return f"{proxy} ({proxy.source})"


def _not_reached(stage: Stage, *, without_tls: bool) -> StageResult:
    meant = without_tls and stage in (Stage.HANDSHAKE, Stage.VERIFY)
    detail = "this port does not speak TLS" if meant else ""
    return StageResult(stage, Condition.NOT_REACHED, detail)
