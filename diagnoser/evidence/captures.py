"""Wireshark and tcpdump captures, as probes: one for each Acronis endpoint that they show.

A connection belongs to an endpoint by its SNI value, by the CONNECT request to a proxy, by a DNS
answer of the same capture, by an address the error names, or by a port that only Acronis uses
(KB 47189); everything else is left alone. Of several connections to one endpoint the failed one
stands. TLS 1.3 encrypts the certificate and what the server says of the client's, so both stay
unknown (RFC 8446 section 4.3).

The file is read as a stream: a capture of 2 GB takes the memory of its open connections only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from diagnoser import catalog
from diagnoser.certificates import UnreadableCertificate, alert_name, read_certificate
from diagnoser.errors import InputError
from diagnoser.evidence.connections import Book, Connection, Lookup
from diagnoser.evidence.outcomes import opinions
from diagnoser.evidence.packets import DamagedCapture, address_text, read_packets
from diagnoser.evidence.records import opens_tls
from diagnoser.model import (
    AddressResult,
    Aftermath,
    Alert,
    CertificateFacts,
    Condition,
    Direction,
    Endpoint,
    Evidence,
    Origin,
    ProbeResult,
    Stage,
    StageResult,
    TlsFacts,
    Transport,
)

if TYPE_CHECKING:
    from diagnoser.probing import Trust

# Ports of Acronis services that hardly anything else uses (Cyber Protect Cloud user guide 26.02).
_OWN_PORTS = frozenset({8443, 44445, 55556, *range(7770, 7801)})
_CLIENT_REFUSALS = frozenset({40, 42, 43, 44, 45, 46, 48, 49, 116})
_PORT_UNREACHABLE = ((3, 3), (1, 4))
# A server that is alive answers a ClientHello, and a SYN, well within this.
_PATIENCE = 3.0
_NO_SUCH_NAME = 3
TLS13_HIDES = "TLS 1.3 hides the certificate from a capture"


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
    for lookup in book.lookups.values():
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
    host = connection.up.tls.server_name or host or book.names.get(address) or address
    known = {(e.host.lower(), e.port) for e in wanted}
    if (host, port) in known or (address, port) in known:
        return (host if (host, port) in known else address), port
    if catalog.in_domain(host):
        return host, port
    # An agent asks storage by address; on its port there is hardly anyone else.
    unnamed = host == address and connection.tunnel_target is None
    return (host, port) if unnamed and port in _OWN_PORTS else None


def _endpoint(host: str, port: int, connection: Connection | None, source: str) -> Endpoint:
    role, reason = catalog.role_of(host, port)
    row = catalog.roles()[role]
    known = catalog.port_row(port)
    tcp = known is not None and known.transport is Transport.TCP
    sent = connection.up.tls.server_name if connection is not None else None
    return Endpoint(
        host=host,
        port=port,
        role=role,
        server_name=sent or (None if _is_literal(host) else host),
        client_certificate=row.client_certificate,
        transport=Transport.TCP if tcp else Transport.TLS,
        derivation=(
            Evidence("capture_target", f"{host}:{port}", source),
            Evidence("role", role.value, f"catalogue: {reason}"),
        ),
    )


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _probe(
    host: str,
    port: int,
    connections: list[Connection],
    book: Book,
    source: str,
    trust: Trust | None,
) -> ProbeResult:
    chosen = max(connections, key=lambda c: (_weight(c, book), c.begun))
    endpoint = _endpoint(host, port, chosen, source)
    at = _moment(chosen.begun)
    without_tls = endpoint.transport is Transport.TCP
    tls = None if without_tls or chosen.asked is None else _tls(chosen, at, trust)
    proxy = None
    if chosen.tunnel:
        proxy = f"{chosen.server_address}:{chosen.server[1]}"
    return ProbeResult(
        endpoint=endpoint,
        stages=_stages(chosen, book, tls, len(connections), without_tls=without_tls),
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
    condition = _connect(connection, book).condition
    if condition is not Condition.MET:
        return 3 if condition is not Condition.UNCLASSIFIED else 0
    ended = _handshake(connection, book).condition
    if ended is Condition.UNCLASSIFIED:
        return 0
    if ended is not Condition.MET:
        return 4
    return 2 if connection.down.tls.ders else 1


def _address_result(connection: Connection, book: Book) -> AddressResult:
    result = _connect(connection, book)
    return AddressResult(
        connection.server_address, connection.server[1], result.condition, result.seconds
    )


def _stages(
    connection: Connection, book: Book, tls: TlsFacts | None, count: int, *, without_tls: bool
) -> tuple[StageResult, ...]:
    results = [StageResult(Stage.RESOLVE, Condition.MET, connection.server_address)]
    connected = _connect(connection, book)
    if count > 1:
        detail = f"{connected.detail} ({count} connections in the capture)".strip()
        connected = StageResult(Stage.CONNECT, connected.condition, detail, connected.seconds)
    results.append(connected)
    if connected.condition is Condition.MET:
        results.append(_tunnel(connection, book))
    tunnelled = results[-1].stage is Stage.TUNNEL and results[-1].condition is Condition.MET
    if tunnelled and not without_tls:
        results.append(_handshake(connection, book))
        results.append(_verify(tls))
    rest = tuple(Stage)[len(results) :]
    return (*results, *(StageResult(s, Condition.NOT_REACHED) for s in rest))


def _connect(connection: Connection, book: Book) -> StageResult:
    def ended(condition: Condition, detail: str, seconds: float | None = None) -> StageResult:
        return StageResult(Stage.CONNECT, condition, detail, seconds)

    if connection.opened is not None:
        taken = connection.opened - connection.begun
        return ended(Condition.MET, connection.server_address, max(0.0, taken))
    refusal = connection.unreachable
    if refusal is not None:
        kinds = (refusal.kind, refusal.code)
        told = f"ICMP {kinds[0]}/{kinds[1]} from {address_text(refusal.router)}"
        if kinds in _PORT_UNREACHABLE:
            return ended(Condition.CONNECTION_REFUSED, told)
        return ended(Condition.NETWORK_UNREACHABLE, told)
    if connection.refused:
        return ended(Condition.CONNECTION_REFUSED, f"RST from {connection.server_address}")
    waited = book.ended - connection.begun
    if connection.syns > 1 or waited >= _PATIENCE:
        detail = f"{connection.syns} SYN without an answer in {waited:.1f} s"
        return ended(Condition.CONNECTION_TIMED_OUT, detail)
    return ended(Condition.UNCLASSIFIED, "the capture ends with the SYN")


def _tunnel(connection: Connection, book: Book) -> StageResult:
    def ended(condition: Condition, detail: str, error: int | None = None) -> StageResult:
        return StageResult(Stage.TUNNEL, condition, detail, error=error)

    if not connection.tunnel:
        return ended(Condition.MET, "no proxy")
    status = connection.tunnel_status
    if status == 407:
        return ended(Condition.PROXY_AUTHENTICATION_REQUIRED, "CONNECT answered 407", status)
    if status is not None and status != 200:
        return ended(Condition.TUNNEL_REFUSED, f"CONNECT answered {status}", status)
    if status == 200:
        return ended(Condition.MET, f"through {connection.server_address}:{connection.server[1]}")
    if connection.down.reset:
        return ended(Condition.CONNECTION_RESET, "the proxy broke the connection")
    if connection.down.closed:
        return ended(Condition.CONNECTION_CLOSED, "the proxy closed the connection")
    if book.ended - connection.last >= _PATIENCE or connection.given_up:
        return ended(Condition.CONNECTION_TIMED_OUT, "the proxy gave no answer")
    return ended(Condition.UNCLASSIFIED, "the capture ends with the CONNECT request")


def _handshake(connection: Connection, book: Book) -> StageResult:
    ended = _answer(connection) or _alerted(connection) or _end(connection, book)
    condition, detail, error = ended
    return StageResult(Stage.HANDSHAKE, condition, detail, error=error)


_Ended = tuple[Condition, str, int | None]


def _answer(connection: Connection) -> _Ended | None:
    """What the very first bytes decide."""
    down = connection.down
    if connection.asked is None and connection.answered is None:
        if down.reset:
            return Condition.CONNECTION_RESET, "before any byte", None
        if down.closed:
            return Condition.CONNECTION_CLOSED, "before any byte", None
        return Condition.UNCLASSIFIED, "nothing was sent", None
    if down.first and not opens_tls(down.first):
        return Condition.NOT_TLS, "the first byte is no TLS record type", None
    return None


def _alerted(connection: Connection) -> _Ended | None:
    """What an alert in the clear decides, the server's before the client's."""
    down, up = connection.down.tls, connection.up.tls
    if down.alert is not None and down.alert[0] == 2:
        number = down.alert[1]
        told = f"{alert_name(number)}({number})"
        if down.requested and number in _CLIENT_REFUSALS:
            return Condition.CLIENT_CERTIFICATE_REFUSED, told, number
        return Condition.FATAL_ALERT, told, number
    if up.alert is not None and up.alert[0] == 2:
        number = up.alert[1]
        told = f"sent by the agent: {alert_name(number)}({number})"
        return Condition.FATAL_ALERT, told, number
    return None


def _end(connection: Connection, book: Book) -> _Ended:
    """How a handshake without an alert ended."""
    up, down = connection.up, connection.down
    traffic = f"{up.total} bytes sent, {down.total} received"
    if _is_finished(connection):
        return Condition.MET, traffic, None
    if down.reset:
        return Condition.CONNECTION_RESET, traffic, None
    if down.closed:
        return Condition.CONNECTION_CLOSED, traffic, None
    if down.gap or up.gap:
        return Condition.UNCLASSIFIED, "packets are cut or missing in the capture", None
    if up.repeats > 1:
        told = f"{traffic}, the hello was repeated {up.repeats} times"
        return Condition.HANDSHAKE_TIMED_OUT, told, None
    if connection.given_up or up.closed or book.ended - connection.last >= _PATIENCE:
        return Condition.HANDSHAKE_TIMED_OUT, traffic, None
    return Condition.UNCLASSIFIED, "the capture ends in mid-handshake", None


def _is_finished(connection: Connection) -> bool:
    """Both sides went over to encryption, and the client wrote after the server had answered.

    TLS 1.3: the client's first encrypted record is its Finished message, or an alert that cannot
    be told from it; so a connection that ends right behind it is not called finished.
    """
    up, down = connection.up.tls, connection.down.tls
    if not (up.encrypted and down.encrypted):
        return False
    if down.version == "TLSv1.3":
        return up.wrote_data and down.wrote_data and connection.up.total > up.hello_bytes + 40
    return True


def _verify(tls: TlsFacts | None) -> StageResult:
    if tls is None or not tls.received_chain:
        hidden = tls is not None and tls.version == "TLSv1.3"
        detail = TLS13_HIDES if hidden else "no certificate in the capture"
        return StageResult(Stage.VERIFY, Condition.NOT_REACHED, detail)
    if not tls.verify:
        return StageResult(Stage.VERIFY, Condition.UNCLASSIFIED, "not verified")
    told = ", ".join(f"{v.trust_store.value}: {v.name} ({v.code})" for v in tls.verify)
    if any(v.code == 0 for v in tls.verify):
        return StageResult(Stage.VERIFY, Condition.MET, told)
    code = tls.verify[0].code
    return StageResult(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, told, error=code)


def _tls(connection: Connection, at: datetime, trust: Trust | None) -> TlsFacts:
    up, down = connection.up.tls, connection.down.tls
    alert = None
    if down.alert is not None:
        alert = Alert(*down.alert, alert_name(down.alert[1]), Direction.RECEIVED)
    elif up.alert is not None:
        alert = Alert(*up.alert, alert_name(up.alert[1]), Direction.SENT)
    chain: list[CertificateFacts] = []
    for number, der in enumerate(down.ders):
        try:
            chain.append(read_certificate(der))
        except UnreadableCertificate:
            if number == 0:
                break
    foreign = not opens_tls(connection.down.first)
    return TlsFacts(
        version=down.version,
        alert=alert,
        verify=opinions(trust, down.ders, at) if trust is not None and chain else (),
        received_chain=tuple(chain),
        client_certificate_requested=None if down.version == "TLSv1.3" else down.requested,
        client_certificate_sent=bool(up.sent_certificate),
        client_ca_names=down.ca_names,
        aftermath=Aftermath.DATA if _is_finished(connection) and down.wrote_data else None,
        bytes_sent=connection.up.total,
        bytes_received=connection.down.total,
        clear_text=_printable(connection.down.first) if foreign else None,
    )


def _printable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " if c.isspace() else "." for c in text).strip()


def _lookup_probes(
    lookup: Lookup, book: Book, source: str, wanted: Sequence[Endpoint]
) -> list[ProbeResult]:
    """A failed lookup of an endpoint's name: nothing was connected to, and DNS says why."""
    named = [e.port for e in wanted if e.host.lower() == lookup.name]
    if not named and not catalog.in_domain(lookup.name):
        return []
    if lookup.rcode is None and book.ended - lookup.asked < _PATIENCE:
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
