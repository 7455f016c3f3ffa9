"""Visits made and bounded: to one endpoint, or to many side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from diagnoser.model import Endpoint, Network, ProbeResult, Proxy
from diagnoser.probing.contexts import contexts
from diagnoser.probing.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.probing.credentials import ClientCredentials
    from diagnoser.probing.trust import Trust

CONCURRENCY = 64
TIMEOUT = 5.0


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
    looks_ahead: bool = False,
) -> ProbeResult:
    """Visit one endpoint; whatever the peer does, there is a result within ``3 * timeout`` seconds
    (on Windows a little more where ``timeout`` is less than a refusal takes there).

    ``timeout`` bounds each stage, in seconds. ``credentials`` are presented only where the
    endpoint's role wants the agent's certificate. Nothing of the application protocol is sent,
    but a bounded HTTP ``HEAD`` where the dates of a certificate are in doubt. With ``looks_ahead``
    an endpoint that works is asked once more, with the larger hello of newer agents.
    """
    shown = credentials if endpoint.client_certificate else None
    visit = Visit(
        endpoint, network, trust, timeout, proxy, contexts(trust, shown), shown, now(), looks_ahead
    )
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
    looks_ahead: bool = False,
) -> list[ProbeResult]:
    """Visit many endpoints, at most ``concurrency`` at a time.

    Endpoints with the same key are visited once; the results stand in the order of first mention.
    """
    unique = {e.key: e for e in reversed(endpoints)}
    order = dict.fromkeys(e.key for e in endpoints)
    results: dict[tuple[str, int, str | None], ProbeResult] = {}
    waiting = iter(order)

    async def visit_in_turn() -> None:
        for key in waiting:
            results[key] = await probe(
                unique[key],
                network=network,
                trust=trust,
                timeout=timeout,
                proxy=proxy,
                credentials=credentials,
                vantage=vantage,
                now=now,
                looks_ahead=looks_ahead,
            )

    places = min(concurrency, len(order))
    await asyncio.gather(*(visit_in_turn() for _ in range(places)))
    return [results[key] for key in order]


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
    looks_ahead: bool = False,
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
            looks_ahead=looks_ahead,
        )
    )
