"""Connections that are led elsewhere, as by curl's ``--connect-to``; names stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.errors import UsageError
from diagnoser.model import Resolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnoser.model import Address, Connection, Network


@dataclass(frozen=True, slots=True)
class Redirection:
    """Connections for ``host:port`` go to ``to_host:to_port``; ``None`` is "any" or "same"."""

    host: str | None
    port: int | None
    to_host: str | None
    to_port: int | None

    def fits(self, host: str, port: int) -> bool:
        """Whether the redirection is about this host and port."""
        same_host = self.host is None or self.host.lower() == host.lower().rstrip(".")
        return same_host and self.port in (None, port)


class RedirectedNetwork:
    """Another network with some hosts led elsewhere; server names and reports stay as they are."""

    def __init__(self, network: Network, redirections: Sequence[Redirection]) -> None:
        self._network = network
        self._redirections = tuple(redirections)

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:
        """As the network underneath; ``None`` where a redirection fits."""
        if any(r.fits(host, port) for r in self._redirections):
            return None
        below = self._network
        return below.hosts_file(host, port) if isinstance(below, Resolver) else None

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        """As the network underneath, asked for the first redirection's target that fits."""
        fitting = next((r for r in self._redirections if r.fits(host, port)), None)
        if fitting is not None:
            host = host if fitting.to_host is None else fitting.to_host
            port = port if fitting.to_port is None else fitting.to_port
        return await self._network.resolve(host, port, seconds)

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        """As the network underneath."""
        return await self._network.connect(address, seconds)


_REDIRECTION = pattern(
    r"(?P<host>\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*):(?P<port>\d*)"
    r":(?P<to_host>\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*):(?P<to_port>\d*)"
)


def parse_redirection(text: str) -> Redirection:
    """``HOST:PORT:ADDRESS:PORT`` as in curl's ``--connect-to``; an empty part is "any" or "same".

    IPv6 literals stand in brackets. Raises :class:`~diagnoser.errors.UsageError`.
    """
    parts = _REDIRECTION.fullmatch(text.strip())
    if parts is None:
        raise UsageError(
            f"{text!r} is not HOST:PORT:ADDRESS:PORT",
            hint="for example --connect-to rs-us5-cloud.acronis.com:8443:127.0.0.1:9443",
        )
    ports = [int(p) if p else None for p in (parts["port"], parts["to_port"])]
    if any(p is not None and not 0 < p < 65536 for p in ports):
        raise UsageError(f"{text!r}: a port is a number from 1 to 65535")
    hosts = [parts[g].strip("[]").rstrip(".") or None for g in ("host", "to_host")]
    return Redirection(hosts[0], ports[0], hosts[1], ports[1])
