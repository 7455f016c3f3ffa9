"""Wireshark and tcpdump captures, as probes: one for each Acronis endpoint that they show.

A connection belongs to an endpoint by its SNI value, by the CONNECT request to a proxy, by a DNS
answer of the same capture, by an address the error names, or by a port that only Acronis uses
(KB 47189); everything else is left alone. Of several connections to one endpoint the failed one
stands, unless it only did not open and one to another address of the host did: whoever connects
tries them all (RFC 8305), and a dead address is listed as such. TLS 1.3 encrypts the certificate
and what the server says of the client's, so both stay unknown (RFC 8446 section 4.3).

The file is read as a stream: a capture of 2 GB takes the memory of its open connections only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from diagnoser import catalog
from diagnoser.errors import InputError
from diagnoser.evidence.connections import Book, Connection
from diagnoser.evidence.endings import PATIENCE, connect_of, handshake_of, stages_of, tls_of
from diagnoser.evidence.lookups import Lookup
from diagnoser.evidence.packets import DamagedCapture, read_packets
from diagnoser.evidence.targets import endpoint_of
from diagnoser.model import (
    AddressResult,
    Condition,
    Endpoint,
    Evidence,
    Origin,
    ProbeResult,
    Stage,
    StageResult,
    Transport,
)

if TYPE_CHECKING:
    from diagnoser.probing import Trust

# Ports of Acronis services that hardly anything else uses (Cyber Protect Cloud user guide 26.02).
_OWN_PORTS = frozenset({8443, 44445, 55556, *range(7770, 7801)})
_NO_SUCH_NAME = 3
# Seconds between a connection and one to the next address of the host: side by side, or when the
# system has given the first one up (Linux takes 127 s, tcp_syn_retries 6).
_ABREAST, _NEXT = 5.0, 130.0
# So many of a host's that answered are compared with each that did not.
_MOST_ADDRESSES = 64


def read_capture(
    stream: BinaryIO,
    source: str,
    trust: Trust | None = None,
    wanted: Sequence[Endpoint] = (),
) -> tuple[ProbeResult, ...]:
    """A probe for each endpoint of ``wanted`` and of the catalogue that the capture shows.

    Raises :class:`~diagnoser.errors.InputError` if ``stream`` is no capture. A damaged end, and
    packets cut by the snap length, cost only what they held.
    """
    book = Book()
    try:
        for packet in read_packets(stream):
            book.note(packet)
    except DamagedCapture as error:
        raise InputError(f"{source}: {error}", hint="save it as .pcap or .pcapng") from error
    found: dict[tuple[str, int], list[Connection]] = {}
    for connection in book.all():
        target = _target(connection, book, wanted)
        if target is not None:
            found.setdefault(target, []).append(connection)
    probes = [
        _probe(host, port, connections, book, source, trust)
        for (host, port), connections in found.items()
    ]
    reached = {host for host, _ in found}
    for lookup in book.lookups.all():
        if lookup.name not in reached and not lookup.addresses:
            probes += _lookup_probes(lookup, book, source, wanted)
    return tuple(probes)


def _target(
    connection: Connection, book: Book, wanted: Sequence[Endpoint]
) -> tuple[str, int] | None:
    """The endpoint that a connection is about, or ``None`` for anybody else's traffic."""
    host, port = None, connection.server[1]
    address = connection.server_address
    if connection.tunnel_target is not None:
        name, _, number = connection.tunnel_target.rpartition(":")
        if not number.isdigit() or len(number) > 5:
            return None
        host, port = name.strip("[]"), int(number)
    host = connection.up.tls.server_name or host or book.lookups.names.get(address) or address
    known = {(e.host.lower(), e.port) for e in wanted}
    if (host, port) in known or (address, port) in known:
        return (host if (host, port) in known else address), port
    if catalog.in_domain(host):
        return host, port
    # An agent asks storage by address; on its port there is hardly anyone else.
    unnamed = host == address and connection.tunnel_target is None
    return (host, port) if unnamed and port in _OWN_PORTS else None


def _endpoint(host: str, port: int, connection: Connection | None, source: str) -> Endpoint:
    sent = connection.up.tls.server_name if connection is not None else None
    fact = Evidence("capture_target", f"{host}:{port}", source)
    return endpoint_of(host, port, (fact,), sent)


def _probe(
    host: str,
    port: int,
    connections: list[Connection],
    book: Book,
    source: str,
    trust: Trust | None,
) -> ProbeResult:
    made_good = _made_good(connections, book)
    telling = [c for c in connections if id(c) not in made_good] or connections
    chosen = max(telling, key=lambda c: (_weight(c, book), c.begun))
    endpoint = _endpoint(host, port, chosen, source)
    at = _moment(chosen.begun)
    without_tls = endpoint.transport is Transport.TCP
    tls = None if without_tls or chosen.asked is None else tls_of(chosen, at, trust)
    proxy = None
    if chosen.tunnel:
        proxy = f"{chosen.server_address}:{chosen.server[1]}"
    return ProbeResult(
        endpoint=endpoint,
        stages=stages_of(chosen, book, tls, len(connections), without_tls=without_tls),
        at=at,
        vantage=f"where {source} was captured",
        origin=Origin.CAPTURE,
        tls=tls,
        addresses=tuple({c.server_address: _address_result(c, book) for c in connections}.values()),
        proxy=proxy,
    )


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _weight(connection: Connection, book: Book) -> int:
    """Which of several connections tells most: a fault, then a certificate, then the rest."""
    condition = connect_of(connection, book).condition
    if condition is not Condition.MET:
        return 3 if condition is not Condition.UNCLASSIFIED else 0
    ended = handshake_of(connection, book).condition
    if ended is Condition.UNCLASSIFIED:
        return 0
    if ended is not Condition.MET:
        return 4
    return 2 if connection.down.tls.ders else 1


def _made_good(connections: list[Connection], book: Book) -> set[int]:
    """The identities of direct connections that did not open, where another address of the host
    was asked at the same time or next, and answered."""
    direct = [c for c in connections if not c.tunnel]
    opened: dict[str, list[float]] = {}
    for connection in direct:
        if connection.opened is not None:
            opened.setdefault(connection.server_address, []).append(connection.begun)
    for moments in opened.values():
        moments.sort()
    found = set()
    for connection in direct:
        if connect_of(connection, book).condition in (Condition.MET, Condition.UNCLASSIFIED):
            continue
        first, last = connection.begun - _ABREAST, connection.begun + _NEXT
        for address, moments in islice(opened.items(), _MOST_ADDRESSES):
            place = bisect_left(moments, first)
            near = place < len(moments) and moments[place] <= last
            if near and address != connection.server_address:
                found.add(id(connection))
                break
    return found


def _address_result(connection: Connection, book: Book) -> AddressResult:
    result = connect_of(connection, book)
    return AddressResult(
        connection.server_address, connection.server[1], result.condition, result.seconds
    )


def _lookup_probes(
    lookup: Lookup, book: Book, source: str, wanted: Sequence[Endpoint]
) -> list[ProbeResult]:
    """A failed lookup of an endpoint's name: nothing was connected to, and DNS says why."""
    named = [e.port for e in wanted if e.host.lower() == lookup.name]
    if not named and not catalog.in_domain(lookup.name):
        return []
    if lookup.rcode is None and book.ended - lookup.asked < PATIENCE:
        return []
    if lookup.rcode in (0, _NO_SUCH_NAME):
        condition, told = Condition.NAME_NOT_FOUND, f"DNS answered with code {lookup.rcode}"
    else:
        condition = Condition.NAME_LOOKUP_FAILED
        told = "DNS gave no answer" if lookup.rcode is None else f"DNS code {lookup.rcode}"
    role, _ = catalog.role_of(lookup.name, None)
    ports = named or list(catalog.roles()[role].ports[:1])
    first = StageResult(Stage.RESOLVE, condition, told, error=lookup.rcode)
    rest = tuple(StageResult(s, Condition.NOT_REACHED) for s in tuple(Stage)[1:])
    return [
        ProbeResult(
            endpoint=_endpoint(lookup.name, port, None, source),
            stages=(first, *rest),
            at=_moment(lookup.asked),
            vantage=f"where {source} was captured",
            origin=Origin.CAPTURE,
        )
        for port in dict.fromkeys(ports)
    ]
