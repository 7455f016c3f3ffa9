"""Other ways to the same host: its other ports, where one is silent; without the proxy."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from diagnoser.model import Address, Condition, Control, ControlResult
from diagnoser.probing import stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.model import Endpoint, Network

# The ports that Acronis' services have in common (Cyber Protect Cloud user guide 26.02).
_PORTS = (443, 8443, 44445)
_FEW = 4
_TELLING = (Condition.MET, Condition.CONNECTION_REFUSED)


async def ask_other_ports(
    network: Network, endpoint: Endpoint, addresses: Sequence[Address], seconds: float
) -> tuple[ControlResult, ...]:
    """One control a port; a port's best answer over the addresses stands. Nothing is sent."""
    ports = [p for p in _PORTS if p != endpoint.port][:2]
    return tuple(await asyncio.gather(*(_ask(network, addresses, p, seconds) for p in ports)))


async def ask_direct(network: Network, endpoint: Endpoint, seconds: float) -> ControlResult:
    """Does the endpoint open without the proxy? ``seconds`` are for the name and for the port."""
    begun = monotonic()
    result, found = await stages.resolve(network, endpoint.host, endpoint.port, seconds)
    condition = result.condition
    if found:
        left = max(0.0, seconds - (monotonic() - begun))
        tried = await asyncio.gather(*(stages.knock(network, a, left) for a in found[:_FEW]))
        condition = next((c for c in _TELLING if c in tried), tried[0])
    return ControlResult(Control.DIRECT, str(endpoint), condition)


async def _ask(
    network: Network, addresses: Sequence[Address], port: int, seconds: float
) -> ControlResult:
    asked = [stages.knock(network, Address(a.host, port), seconds) for a in addresses]
    ended = await asyncio.gather(*asked)
    condition = next((c for c in _TELLING if c in ended), ended[0])
    return ControlResult(Control.OTHER_PORT, str(port), condition)
