"""The other addresses of a name: what stands on the way to one need not stand on the way to all.

A firewall may inspect IPv4 and let IPv6 pass, or exempt one address of two; an agent takes now this
one and now that. So where the first address answers well the others are visited as well.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from diagnoser.model import Address, Condition, Role, Stage

if TYPE_CHECKING:
    from diagnoser.model import Connection, Network
    from diagnoser.probing.visit import Visit

_MOST = 3
_LEAST = 0.05
_THROUGH = (Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED)


async def visit_others(visit: Visit, used: Address) -> Visit | None:
    """Visit further addresses that opened, three at most and those of the other family first.

    Gives the first visit that went worse than the one to ``used``; ``None`` where none did, or
    where less than twice the time is left for each that the first one took.
    """
    # A visit takes three times its limit at most.
    seconds = min(visit.timeout, (visit.end - monotonic()) / 3)
    spent = sum(visit.reached[s].seconds or 0.0 for s in (Stage.CONNECT, Stage.HANDSHAKE))
    others = [a for a in visit.addresses if a.condition is Condition.MET and a.address != used.host]
    # A slow line or server is as slow at the next address: cut short, it would seem to stall there.
    if not others or visit.proxy is not None or seconds < max(_LEAST, 2 * spent):
        return None
    others.sort(key=lambda a: (":" in a.address) == (":" in used.host))
    made = [
        replace(
            visit,
            network=_OneAddress(visit.network, Address(a.address, a.port)),
            timeout=seconds,
            looks_ahead=False,
            reached={},
            addresses=(),
            tls=None,
            controls=(),
            lookup=None,
            chain_ders=(),
        )
        for a in others[:_MOST]
    ]
    await asyncio.gather(*(v.run() for v in made))
    return next((v for v in made if _is_worse(v, visit)), None)


def _is_worse(visit: Visit, than: Visit) -> bool:
    """Nobody known answers there, or nobody at all. What does not open again is no answer."""
    ended = visit.reached.get(Stage.HANDSHAKE)
    if ended is None or visit.reached[Stage.CONNECT].condition is not Condition.MET:
        return False
    if ended.condition not in _THROUGH:
        return True
    if visit.endpoint.role is Role.STORAGE and visit.tls is not None and than.tls is not None:
        # Its own CA is in no public store: who does not ask for the agent's certificate is worse.
        asked = than.tls.client_certificate_requested, visit.tls.client_certificate_requested
        if asked == (True, False):
            return True
    verified = [v.reached[Stage.VERIFY].condition for v in (than, visit)]
    return verified[0] is Condition.MET and verified[1] is not Condition.MET


@dataclass(frozen=True, slots=True)
class _OneAddress:
    """The same network, where every name leads to this one address."""

    network: Network
    address: Address

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        """The one address."""
        del host, port, seconds
        return (self.address,)

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        """As the network underneath."""
        return await self.network.connect(address, seconds)
