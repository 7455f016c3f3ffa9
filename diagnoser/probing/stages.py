"""The stages of one probe, a function each; every one ends in a condition within its time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING

from diagnoser.errors import NameLookupFailed, NameNotFound
from diagnoser.model import (
    Address,
    AddressResult,
    Aftermath,
    Condition,
    Connection,
    Direction,
    Endpoint,
    Network,
    Proxy,
    Role,
    Stage,
    StageResult,
    TrustStore,
    VerifyResult,
)
from diagnoser.probing import patience, tunnel
from diagnoser.probing.conditions import condition_at, condition_of, number_of
from diagnoser.probing.dialogue import RECEIVE, Ending, hear_out
from diagnoser.probing.handshake import Handshake, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from diagnoser.probing.trust import Trust

_STRAGGLERS = 1.0
_SHORTEST_LOOK = 0.3

# Where no address connects, the answer that proves most stands for all of them.
_TELLING = (
    Condition.CONNECTION_REFUSED,
    Condition.CONNECTION_TIMED_OUT,
    Condition.NETWORK_UNREACHABLE,
    Condition.UNCLASSIFIED,
)


@dataclass(frozen=True, slots=True)
class Opened:
    """The connection that is used, where it leads, and how long TCP took."""

    connection: Connection
    address: Address
    seconds: float


_Attempt = asyncio.Task[tuple[AddressResult, Opened | None]]


async def resolve(
    network: Network, host: str, port: int, seconds: float
) -> tuple[StageResult, tuple[Address, ...]]:
    """Ask for the addresses of ``host``; EAI codes and the time taken are kept."""
    begun = monotonic()
    try:
        found = await network.resolve(host, port, seconds)
    except NameNotFound as error:
        condition, number, detail = Condition.NAME_NOT_FOUND, error.errno, f"{host} has no address"
    except NameLookupFailed as error:
        condition, number = Condition.NAME_LOOKUP_FAILED, error.errno
        detail = f"the resolver gave no answer about {host}"
    except TimeoutError as error:
        condition, number = Condition.NAME_LOOKUP_FAILED, error.errno
        detail = f"the resolver gave no answer about {host} within {seconds:.1f} s"
    except OSError as error:
        condition, number, detail = Condition.UNCLASSIFIED, number_of(error), type(error).__name__
    else:
        shown = ", ".join(a.host for a in found)
        met = Condition.MET if found else Condition.NAME_NOT_FOUND
        return StageResult(Stage.RESOLVE, met, shown, monotonic() - begun), found
    return StageResult(Stage.RESOLVE, condition, detail, monotonic() - begun, number), ()


async def connect(
    network: Network, addresses: Sequence[Address], seconds: float
) -> tuple[StageResult, tuple[AddressResult, ...], Opened | None]:
    """Connect to all addresses side by side; the first in the resolver's order is used.

    Once one is open the others get one more second (on Windows as long as a refusal takes there):
    a silent second address is worth knowing, but not worth the whole time limit. Where none opens:
    refused before timed out before unreachable.
    """
    begun = monotonic()
    if len(addresses) == 1:
        # The usual case needs no tasks beside this one.
        only, used = await _attempt(network, addresses[0], seconds)
        spent = monotonic() - begun
        return _connect_result((only,), used, spent, seconds), (only,), used
    tasks = [asyncio.create_task(_attempt(network, a, seconds)) for a in addresses]
    used = None
    try:
        await _first_open(tasks)
        if any(not t.done() for t in tasks):
            await asyncio.wait(tasks, timeout=max(patience.LEAST, min(_STRAGGLERS, seconds)))
        used = next((o for t in tasks if (o := _opened(t)) is not None), None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            spare = _opened(task)
            if spare is not None and spare is not used:
                spare.connection.abort()
    spent = monotonic() - begun
    results = tuple(
        AddressResult(a.host, a.port, Condition.CONNECTION_TIMED_OUT, spent)
        if t.cancelled()
        else t.result()[0]
        for a, t in zip(addresses, tasks, strict=True)
    )
    return _connect_result(results, used, spent, seconds), results, used


def _opened(task: _Attempt) -> Opened | None:
    ended = task.done() and not task.cancelled() and task.exception() is None
    return task.result()[1] if ended else None


async def _first_open(tasks: Sequence[_Attempt]) -> None:
    waiting = set(tasks)
    while waiting:
        ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(t.result()[1] is not None for t in ended):
            return


async def _attempt(
    network: Network, address: Address, seconds: float
) -> tuple[AddressResult, Opened | None]:
    begun = monotonic()
    host, port = address.host, address.port
    try:
        connection = await network.connect(address, seconds)
    except OSError as error:
        spent = monotonic() - begun
        return AddressResult(host, port, condition_at(error, host), spent, number_of(error)), None
    spent = monotonic() - begun
    return AddressResult(host, port, Condition.MET, spent), Opened(connection, address, spent)


async def knock(network: Network, address: Address, seconds: float) -> Condition:
    """Whether an address opens; nothing is sent."""
    try:
        connection = await network.connect(address, seconds)
    except OSError as error:
        return condition_of(error)
    connection.abort()
    return Condition.MET


def _connect_result(
    results: Sequence[AddressResult], used: Opened | None, spent: float, limit: float
) -> StageResult:
    if used is not None:
        return StageResult(Stage.CONNECT, Condition.MET, str(used.address), used.seconds)
    if reset := [r for r in results if r.condition is Condition.CONNECTION_RESET]:
        # The SYN was answered, then came the RST: the port is open, TLS is what dies.
        return StageResult(Stage.CONNECT, Condition.MET, f"{reset[0].address} reset at once", spent)
    for condition in _TELLING:
        for r in results:
            if r.condition is condition:
                detail = f"no answer within {limit:.1f} s" if r.error is None else r.address
                return StageResult(Stage.CONNECT, condition, detail, spent, r.error)
    return StageResult(Stage.CONNECT, Condition.UNCLASSIFIED, "no address", spent)


async def open_tunnel(
    connection: Connection, endpoint: Endpoint, proxy: Proxy, seconds: float
) -> tuple[StageResult, bytes]:
    """Ask the proxy for a tunnel; also gives the bytes that came behind its answer."""
    begun = monotonic()
    rest = b""
    number: int | None = None
    try:
        async with asyncio.timeout(seconds) as limit:
            answer = await _ask(connection, tunnel.Tunnel(endpoint.host, endpoint.port, proxy))
    except ValueError:
        condition, detail = Condition.UNCLASSIFIED, "the host cannot be named to a proxy"
    except OSError as error:
        if limit.expired():
            condition = Condition.CONNECTION_TIMED_OUT
            detail = f"the proxy gave no answer within {seconds:.1f} s"
        else:
            condition, number = condition_of(error), number_of(error)
            detail = "the proxy broke the connection"
    else:
        condition, detail, number = _tunnel_result(answer, showed_login=proxy.login is not None)
        detail = f"through {proxy}" if condition is Condition.MET else detail
        rest = answer.rest if isinstance(answer, tunnel.Accepted) else b""
    return StageResult(Stage.TUNNEL, condition, detail, monotonic() - begun, number), rest


async def _ask(connection: Connection, exchange: tunnel.Tunnel) -> tunnel.Answer | None:
    await connection.send(exchange.request)
    answer: tunnel.Answer | None = None
    while answer is None and (data := await connection.receive(RECEIVE)):
        answer = exchange.feed(data)
    return answer


def _tunnel_result(
    answer: tunnel.Answer | None, *, showed_login: bool
) -> tuple[Condition, str, int | None]:
    match answer:
        case tunnel.Accepted():
            return Condition.MET, "", None
        case tunnel.LoginRequired(schemes):
            offered = f"offers {', '.join(schemes) or 'no scheme'}"
            told = f"the login was refused; {offered}" if showed_login else offered
            return Condition.PROXY_AUTHENTICATION_REQUIRED, told, 407
        case tunnel.Refused(status, reason, fault):
            told = f"{status} {reason}".strip() + (f" ({fault})" if fault else "")
            return Condition.TUNNEL_REFUSED, told, status
        case tunnel.Garbage(excerpt):
            return Condition.TUNNEL_REFUSED, f"no HTTP answer: {excerpt}", None
        case None:
            return Condition.CONNECTION_CLOSED, "the proxy closed the connection", None


async def shake_hands(
    opened: Opened, handshake: Handshake, early: bytes, seconds: float, overall: float
) -> StageResult:
    """Run the handshake within ``seconds``, and hear what comes after it within ``overall``."""
    ended = await hear_out(
        opened.connection,
        handshake,
        early,
        seconds=seconds,
        look=max(_SHORTEST_LOOK, 3 * opened.seconds),
        overall=overall,
    )
    return _handshake_result(handshake, ended)


def _handshake_result(handshake: Handshake, ending: Ending) -> StageResult:
    def ended(condition: Condition, detail: str, error: int | None = None) -> StageResult:
        return StageResult(Stage.HANDSHAKE, condition, detail, ending.seconds, error)

    alert = handshake.alert
    traffic = f"{handshake.bytes_sent} bytes sent, {handshake.bytes_received} received"
    if handshake.progress is Progress.NOT_TLS:
        return ended(Condition.NOT_TLS, "the first byte is no TLS record type")
    broken = handshake.progress is Progress.FAILED or handshake.aftermath is Aftermath.ALERT
    if broken and alert is not None:
        if handshake.refuses_client_certificate:
            return ended(Condition.CLIENT_CERTIFICATE_REFUSED, str(alert), alert.number)
        who = "" if alert.direction is Direction.RECEIVED else f"sent by us ({handshake.fault}): "
        return ended(Condition.FATAL_ALERT, f"{who}{alert}", alert.number)
    if handshake.is_finished:
        return ended(Condition.MET, traffic)
    if handshake.is_closed:
        return ended(Condition.CONNECTION_CLOSED, f"close_notify(0), {traffic}")
    if handshake.progress is Progress.FAILED:
        return ended(Condition.UNCLASSIFIED, handshake.fault or traffic)
    return ended(ending.condition or Condition.UNCLASSIFIED, traffic, ending.number)


def verify(
    trust: Trust, ders: Sequence[bytes], role: Role, at: datetime
) -> tuple[StageResult, tuple[VerifyResult, ...]]:
    """Hold the received chain against every store; the role decides whose opinion counts.

    Met if the role's own anchors or, except for storage where those exist, the Mozilla bundle
    accept the path. Names are not compared here.
    """
    try:
        opinions = trust.opinions(ders, at) if ders else ()
    except ValueError:
        return StageResult(Stage.VERIFY, Condition.UNCLASSIFIED, "unreadable certificate"), ()
    if not opinions:
        return StageResult(Stage.VERIFY, Condition.NOT_REACHED, "no certificate to verify"), ()
    pinned = role is Role.STORAGE and TrustStore.ROLE in trust.stores
    return _verdict(opinions, pinned=pinned), opinions


@lru_cache(maxsize=64)
def _verdict(opinions: tuple[VerifyResult, ...], *, pinned: bool) -> StageResult:
    counting = {TrustStore.ROLE} if pinned else {TrustStore.ROLE, TrustStore.MOZILLA}
    detail = ", ".join(f"{o.trust_store}: {o.name} ({o.code})" for o in opinions)
    if any(o.code == 0 and o.trust_store in counting for o in opinions):
        return StageResult(Stage.VERIFY, Condition.MET, detail)
    code = next((o.code for o in opinions if o.trust_store in counting), None)
    return StageResult(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, detail, error=code)
