"""What a visit leaves open, and whom to ask: a second round, controls, other ports, a resolver."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnoser.model import Condition, Role, Stage, StageResult, TlsFacts, TrustStore
from diagnoser.probing import controls, other_ports, patience, second_round, stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.model import Address, Connection, Lookup
    from diagnoser.probing.controls import Opener
    from diagnoser.probing.visit import Visit

# Less time than this is none.
LEAST = 0.05
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
_THROUGH = frozenset({Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED})
_CUT_OFF = frozenset(
    {
        Condition.CONNECTION_RESET,
        Condition.CONNECTION_CLOSED,
        Condition.HANDSHAKE_TIMED_OUT,
        Condition.UNCLASSIFIED,
    }
)
_SHORTEST_LOOK_AHEAD = 0.9
_LONGEST_LOOKUP = 0.5


def is_through(visit: Visit) -> bool:
    """The usual hello was answered, by a peer that nothing speaks against so far."""
    ended, verified = visit.reached.get(Stage.HANDSHAKE), visit.reached.get(Stage.VERIFY)
    if ended is None or ended.condition not in _THROUGH or visit.left() < LEAST:
        return False
    # Storage has a CA of its own, which no public store accepts.
    known = verified is not None and verified.condition is Condition.MET
    return known or visit.endpoint.role is Role.STORAGE


def is_cut_off(visit: Visit) -> bool:
    """The handshake died before the peer had shown who it is, and without saying why."""
    ended = visit.reached.get(Stage.HANDSHAKE)
    if ended is None or ended.condition not in _CUT_OFF or visit.left() < LEAST:
        return False
    return visit.tls is None or visit.tls.end_entity is None


def is_in_doubt(visit: Visit) -> bool:
    """Whether what answered may be somebody else than the service.

    Good by an anchor that was given is no answer to that: the interceptor's CA may hang below
    it. Nor is good by the public bundle, if no log knows the certificate: a distribution or a
    hand may have put a company's root there.
    """
    if visit.tls is None or visit.reached[Stage.HANDSHAKE].condition not in _WORTH_ASKING:
        return False
    return visit.left() >= LEAST and not _is_beyond_doubt(visit.tls)


async def ask_resolver(visit: Visit, lookup: Lookup) -> None:
    """A resolver that knows a name which cannot exist leads every name to the same place."""
    name = controls.nonsense_name()
    seconds = min(_LONGEST_LOOKUP, visit.left())
    result, found = await stages.resolve(visit.network, name, visit.endpoint.port, seconds)
    if result.condition in (Condition.MET, Condition.NAME_NOT_FOUND):
        visit.lookup = replace(lookup, nonsense=tuple(a.host for a in found))


async def ask_other_ports(visit: Visit, addresses: Sequence[Address]) -> None:
    """A silent port: is it the port or the host? Asked of the first two addresses at most."""
    seconds = min(second_round.SECONDS, visit.left())
    if seconds < LEAST:
        return
    seconds = max(patience.LEAST, seconds)
    visit.controls = await other_ports.ask_other_ports(
        visit.network, visit.endpoint, addresses[:2], seconds
    )


async def ask_second_round(visit: Visit, address: Address) -> None:
    """What was cut off, or met silence: which small variation of the hello gets an answer?"""
    seconds = min(second_round.WHOLE, visit.left())
    visit.controls = await second_round.ask_second_round(
        _opener(visit, address), visit.endpoint, seconds
    )


async def ask_controls(visit: Visit, address: Address) -> None:
    """Who answers here, and what time is it there?"""
    seconds, opener = visit.left(), _opener(visit, address)
    asked = [controls.ask_nonsense_name(opener, visit.contexts, seconds)]
    if visit.tls is not None and controls.wants_clock(visit.endpoint, visit.tls):
        asked.append(controls.ask_clock(opener, visit.contexts, visit.endpoint, seconds))
    visit.controls = tuple(await asyncio.gather(*asked))
    _judge_at_server_time(visit)


def _judge_at_server_time(visit: Visit) -> None:
    """A date fault anywhere in the chain hides whether it is good otherwise."""
    told = next((c.answered_at for c in visit.controls if c.answered_at is not None), None)
    if told is not None and visit.tls is not None:
        _, opinions = stages.verify(visit.trust, visit.chain_ders, visit.endpoint.role, told)
        visit.tls = replace(visit.tls, verify_at_server_time=opinions)


async def look_ahead(visit: Visit, address: Address) -> None:
    """Does the larger hello of newer agents get through as well?"""
    spent = visit.reached[Stage.HANDSHAKE].seconds or 0.0
    both = spent + (visit.reached[Stage.CONNECT].seconds or 0.0)
    # A slow line, or a slow server, is as slow the second time.
    longest = max(second_round.SECONDS, 2 * both)
    seconds = min(visit.left(), longest, max(_SHORTEST_LOOK_AHEAD, 4 * spent))
    if seconds < both:
        return
    visit.controls += await second_round.look_ahead(
        _opener(visit, address), visit.endpoint, seconds
    )


def _opener(visit: Visit, address: Address) -> Opener:
    """The same way once more, through the same proxy."""

    async def open_again() -> tuple[Connection, bytes]:
        connection = await visit.network.connect(address)
        if visit.proxy is None:
            return connection, b""
        tunnelled: StageResult | None = None
        try:
            tunnelled, early = await stages.open_tunnel(
                connection, visit.endpoint, visit.proxy, visit.left()
            )
        finally:
            if tunnelled is None or tunnelled.condition is not Condition.MET:
                connection.abort()
        if tunnelled.condition is not Condition.MET:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the proxy opened no second tunnel")
        return connection, early

    return open_again


def _is_beyond_doubt(tls: TlsFacts) -> bool:
    public, leaf = tls.verified_by(TrustStore.MOZILLA), tls.end_entity
    if public is None or public.code != 0 or leaf is None:
        return False
    return bool(leaf.timestamps)
