"""Mentions of hosts become endpoints: port, role, what is spoken there, how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.endpoints.halves import may_be_half
from diagnoser.endpoints.hosts import Refused, read_address, read_host, read_port
from diagnoser.endpoints.mentions import find
from diagnoser.endpoints.recognition import port_of, recognise
from diagnoser.model import (
    Derivation,
    Endpoint,
    Evidence,
    Role,
    Skipped,
    Symptom,
    Transport,
)

if TYPE_CHECKING:
    from diagnoser.endpoints.mentions import Mention, Mentions
    from diagnoser.model import ErrorBlock

MOST_ENDPOINTS = 32
_HALF = "the line ends there and may be wrapped: paste the text as it was logged"
_CATALOGUE = "catalogue"
_INFERRED = "catalogue (inferred)"


@dataclass(frozen=True, slots=True)
class _Named:
    """A mention whose texts were read."""

    host: str
    port: int | None
    mention: Mention


def derive(block: ErrorBlock) -> Derivation:
    """The endpoints that ``block`` names, innermost cause first, and the texts that are none.

    The innermost mention of a host that has a port decides its port; a host without one gets the
    ports of its role. For a failed licence synchronisation the management hosts get all ports of
    their role (KB 70285: 443 and 8443), and a block without any endpoint those of the catalogue.
    """
    mentions = find(block)
    by_host: dict[str, list[_Named]] = {}
    for named in _read(block, mentions):
        by_host.setdefault(named.host, []).append(named)
    is_licence = any(r.symptom is Symptom.LICENCE_SYNC for r in recognise(block))
    endpoints: dict[tuple[str, int], Endpoint] = {}
    for host, group in by_host.items():
        for endpoint in _endpoints(block, host, group, mentions, is_licence):
            endpoints.setdefault((endpoint.host, endpoint.port), endpoint)
    found = tuple(endpoints.values())
    if is_licence and not found:
        found = _fallbacks(Symptom.LICENCE_SYNC)
    refused = tuple(mentions.refused.values())
    if len(found) > MOST_ENDPOINTS:
        reason = f"only the first {MOST_ENDPOINTS} of {len(found)} endpoints are kept"
        refused += (Skipped(str(block.at), reason),)
    return Derivation(found[:MOST_ENDPOINTS], refused)


def _read(block: ErrorBlock, mentions: Mentions) -> list[_Named]:
    """The mentions that are hosts, innermost first; the others are refused."""
    named = []
    for mention in sorted(mentions.found, key=lambda m: -m.depth):
        if may_be_half(mention.host, mention.port, block):
            mentions.refuse(mention.text, _HALF, mention.at)
            continue
        try:
            host = read_host(mention.host)
            named.append(_Named(host, read_port(mention.port), mention))
        except Refused as refusal:
            mentions.refuse(mention.text, str(refusal), mention.at)
    return named


def _endpoints(
    block: ErrorBlock, host: str, group: list[_Named], mentions: Mentions, is_licence: bool
) -> list[Endpoint]:
    """All endpoints of one host; ``group`` holds its mentions, innermost first."""
    ported = [n for n in group if n.port is not None or n.mention.scheme_port is not None]
    deepest = [n for n in ported if n.mention.depth == ported[0].mention.depth]
    written = [n for n in deepest if n.port is not None] or deepest
    ports = dict.fromkeys(n.port or n.mention.scheme_port or 0 for n in written)
    for n in group:
        if n.port is not None and n.port not in ports:
            reason = f"the innermost error names port {', '.join(map(str, ports))} of this host"
            mentions.refuse(n.mention.text, reason, n.mention.at)
    endpoints = [_endpoint(host, p, group, _port_evidence(p, written)) for p in ports]
    h = catalog.host_row(host)
    if not ports:
        endpoints = _without_port(block, host, group)
    elif is_licence and h is not None and h.role is Role.MANAGEMENT:
        for port in _role_ports(host):
            if port not in ports:
                endpoints.append(_endpoint(host, port, group, _of_role(host, port)))
    return endpoints


def _port_evidence(port: int, written: list[_Named]) -> tuple[Evidence, ...]:
    """What a URL scheme means, where no mention writes the port."""
    if any(n.port == port for n in written):
        return ()
    return (Evidence("port_of_scheme", str(port), _CATALOGUE),)


def _without_port(block: ErrorBlock, host: str, group: list[_Named]) -> list[Endpoint]:
    """A host that nobody gives a port: the port the error is about, else those of its role."""
    if catalog.host_row(host) is None:
        for n in group:
            if n.mention.depth < 0:
                continue
            port = port_of(block.frames[n.mention.depth])
            if port is not None:
                evidence = (Evidence("port_of_error", str(port), _INFERRED),)
                return [_endpoint(host, port, group, evidence)]
    return [_endpoint(host, p, group, _of_role(host, p)) for p in _role_ports(host)]


def _role_ports(host: str) -> tuple[int, ...]:
    h = catalog.host_row(host)
    if h is not None and h.ports:
        return h.ports
    return catalog.roles()[catalog.role_of(host, None)[0]].ports


def _of_role(host: str, port: int) -> tuple[Evidence, ...]:
    h = catalog.host_row(host)
    origin = _CATALOGUE if h is not None and h.proven else _INFERRED
    return (Evidence("port_of_role", str(port), origin),)


def _endpoint(
    host: str, port: int, group: list[_Named], port_evidence: tuple[Evidence, ...]
) -> Endpoint:
    """One endpoint; its derivation holds every mention that agrees with ``port``, once."""
    role, _ = catalog.role_of(host, port)
    h = catalog.host_row(host)
    origin = _INFERRED if h is not None and not h.proven and h.role is role else _CATALOGUE
    row = catalog.port_row(port)
    plain = any(n.mention.plain_text and port == (n.port or n.mention.scheme_port) for n in group)
    agreeing = [n for n in group if n.port in (port, None)]
    evidence = dict.fromkeys(e for n in agreeing or group for e in n.mention.evidence)
    return Endpoint(
        host=host,
        port=port,
        role=role,
        server_name=None if read_address(host) is not None else host,
        client_certificate=catalog.roles()[role].client_certificate,
        transport=Transport.TCP if plain else Transport.TLS if row is None else row.transport,
        derivation=(*evidence, *port_evidence, Evidence("role", role.value, origin)),
    )


def _fallbacks(symptom: Symptom) -> tuple[Endpoint, ...]:
    """The endpoints that the catalogue names for a symptom; nothing in the block says so."""
    return tuple(
        _endpoint(
            row.host,
            row.port,
            [],
            (
                Evidence(
                    "endpoint_of_symptom",
                    f"{row.host}:{row.port}",
                    _CATALOGUE if row.proven else _INFERRED,
                ),
            ),
        )
        for row in catalog.fallbacks()
        if row.symptom is symptom
    )
