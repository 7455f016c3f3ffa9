"""TCP connections and DNS answers of a capture, followed packet by packet within bounded memory.

Per connection only what lies in the clear is kept, and only until it is understood. A gap (lost
packet, snap length) ends the understanding of that direction, not the connection.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from diagnoser.evidence.packets import Datagram, Segment, Unreachable, address_text
from diagnoser.evidence.records import TlsSide, opens_tls

MOST_CONNECTIONS = 20_000
_MOST_ASIDE = 64
_MOST_ASIDE_BYTES = 256 * 1024
_MOST_NAMES = 5_000
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_WRAP = 1 << 32
_TUNNEL_BYTES = 8192

Peer = tuple[bytes, int]


@dataclass(slots=True)
class Direction:
    """One direction of a connection: its bytes put in order and handed on."""

    tls: TlsSide = field(default_factory=TlsSide)
    first: bytes = b""
    total: int = 0
    closed: bool = False
    reset: bool = False
    gap: bool = False
    repeats: int = 0
    next: int | None = None
    aside: dict[int, bytes] = field(default_factory=dict)

    def take(self, segment: Segment) -> bytes:
        """The bytes that ``segment`` adds in order."""
        if segment.cut:
            self.gap = True
        data, sequence = segment.payload, segment.sequence
        if self.next is None:
            self.next = sequence
        ahead = (sequence - self.next) % _WRAP
        if not data:
            return b""
        if ahead == 0:
            return self._in_order(data)
        if ahead > _WRAP // 2:
            fresh = len(data) - (_WRAP - ahead)
            self.repeats += 1
            return self._in_order(data[-fresh:]) if fresh > 0 else b""
        waiting = sum(map(len, self.aside.values()))
        if len(self.aside) < _MOST_ASIDE and waiting + len(data) < _MOST_ASIDE_BYTES:
            self.aside.setdefault(sequence, data)
        else:
            self.gap = True
        return b""

    def _in_order(self, data: bytes) -> bytes:
        self.next = ((self.next or 0) + len(data)) % _WRAP
        while self.next in self.aside:
            more = self.aside.pop(self.next)
            data += more
            self.next = (self.next + len(more)) % _WRAP
        self.total += len(data)
        return data


@dataclass(slots=True)
class Connection:
    """One connection attempt, from the client's first SYN on."""

    client: Peer
    server: Peer
    begun: float
    last: float
    syns: int = 0
    opened: float | None = None
    refused: bool = False
    unreachable: Unreachable | None = None
    up: Direction = field(default_factory=Direction)
    down: Direction = field(default_factory=Direction)
    tunnel: bytes = b""
    tunnel_answer: bytes = b""
    tunnelled: bool = False
    asked: float | None = None
    answered: float | None = None
    given_up: bool = False
    opaque: bool = False

    @property
    def server_address(self) -> str:
        """The server's address as text."""
        return address_text(self.server[0])

    @property
    def tunnel_target(self) -> str | None:
        """``host:port`` of a CONNECT request (RFC 9110 section 9.3.6)."""
        words = self.tunnel.split(None, 2)
        return words[1].decode("ascii", "replace").lower() if len(words) > 1 else None

    @property
    def tunnel_status(self) -> int | None:
        """The proxy's status."""
        words = self.tunnel_answer.split(None, 2)
        number = words[1] if len(words) > 1 and self.tunnel_answer.startswith(b"HTTP/") else b""
        return int(number) if number.isdigit() and len(number) == 3 else None


@dataclass(slots=True)
class Lookup:
    """One name asked of DNS: ``rcode`` is the answer's, ``None`` where none came."""

    name: str
    asked: float
    rcode: int | None = None
    addresses: set[str] = field(default_factory=set)


class Book:
    """All connections and lookups of one capture, the oldest forgotten first."""

    def __init__(self) -> None:
        self.connections: OrderedDict[tuple[Peer, Peer], list[Connection]] = OrderedDict()
        self.lookups: OrderedDict[str, Lookup] = OrderedDict()
        self.names: dict[str, str] = {}
        self.begun: float | None = None
        self.ended = 0.0
        self.forgotten = 0

    def note(self, packet: Segment | Datagram | Unreachable) -> None:
        """Take in one packet."""
        self.begun = packet.at if self.begun is None else self.begun
        self.ended = max(self.ended, packet.at)
        if isinstance(packet, Segment):
            self._note_segment(packet)
        elif isinstance(packet, Unreachable):
            attempts = self.connections.get((packet.source, packet.target))
            if attempts and attempts[-1].unreachable is None:
                attempts[-1].unreachable = packet
        elif 53 in (packet.source[1], packet.target[1]):
            self._note_dns(packet)

    def all(self) -> list[Connection]:
        """Every connection that is remembered, in the order of its first packet."""
        found = [c for attempts in self.connections.values() for c in attempts]
        return sorted(found, key=lambda c: c.begun)

    def _note_segment(self, segment: Segment) -> None:
        flags = segment.flags
        if flags & _SYN and not flags & _ACK:
            self._begin(segment)
            return
        key, back = (segment.source, segment.target), (segment.target, segment.source)
        attempts = self.connections.get(key) or self.connections.get(back)
        if attempts is None:
            return
        connection = attempts[-1]
        connection.last = segment.at
        if segment.source == connection.client:
            _note_upward(connection, segment)
        else:
            _note_downward(connection, segment)

    def _begin(self, segment: Segment) -> None:
        key = (segment.source, segment.target)
        attempts = self.connections.setdefault(key, [])
        again = attempts and attempts[-1].opened is None and not attempts[-1].refused
        if not again:
            fresh = Connection(segment.source, segment.target, segment.at, segment.at)
            attempts.append(fresh)
            del attempts[:-4]
        connection = attempts[-1]
        connection.syns += 1
        connection.last = segment.at
        connection.up.next = (segment.sequence + 1) % _WRAP
        while len(self.connections) > MOST_CONNECTIONS:
            self.connections.popitem(last=False)
            self.forgotten += 1

    def _note_dns(self, datagram: Datagram) -> None:
        data = datagram.payload
        if len(data) < 12 or int.from_bytes(data[4:6], "big") != 1:
            return
        name, place = _dns_name(data, 12)
        if not name:
            return
        if data[2] & 0x80 == 0:
            if len(self.lookups) < _MOST_NAMES:
                self.lookups.setdefault(name, Lookup(name, datagram.at))
            return
        lookup = self.lookups.get(name)
        if lookup is None and len(self.lookups) < _MOST_NAMES:
            lookup = self.lookups[name] = Lookup(name, datagram.at)
        if lookup is None:
            return
        code = data[3] & 15
        lookup.rcode = code if lookup.rcode is None else min(lookup.rcode, code)
        for address in _dns_addresses(data, place + 4):
            lookup.addresses.add(address)
            if len(self.names) < _MOST_NAMES:
                self.names.setdefault(address, name)


def _note_upward(connection: Connection, segment: Segment) -> None:
    data = connection.up.take(segment)
    if segment.flags & (_FIN | _RST):
        connection.up.closed = True
        connection.given_up = connection.given_up or connection.answered is None
    if not data:
        return
    if not connection.up.first and not connection.tunnelled and data.startswith(b"CONNECT "):
        connection.tunnel = data[:_TUNNEL_BYTES]
        return
    if connection.tunnel and not connection.tunnelled:
        connection.tunnel = (connection.tunnel + data)[:_TUNNEL_BYTES]
        return
    connection.asked = connection.asked if connection.asked is not None else segment.at
    connection.up.first = connection.up.first or data[:300]
    _understand(connection.up, data)


def _note_downward(connection: Connection, segment: Segment) -> None:
    if segment.flags & _SYN:
        connection.opened = connection.opened or segment.at
        connection.down.next = (segment.sequence + 1) % _WRAP
        return
    if segment.flags & _RST:
        if connection.opened is None and connection.up.total == 0:
            connection.refused = True
        connection.down.reset = True
        return
    data = connection.down.take(segment)
    if segment.flags & _FIN:
        connection.down.closed = True
    if not data:
        return
    if connection.tunnel and not connection.tunnelled:
        connection.tunnel_answer = (connection.tunnel_answer + data)[:_TUNNEL_BYTES]
        head, end, rest = connection.tunnel_answer.partition(b"\r\n\r\n")
        if not end or connection.tunnel_status != 200:
            return
        connection.tunnel_answer, connection.tunnelled, data = head, True, rest
        if not data:
            return
    connection.answered = connection.answered if connection.answered is not None else segment.at
    if len(connection.down.first) < 300:
        connection.down.first += data[: 300 - len(connection.down.first)]
    _understand(connection.down, data)


def _understand(direction: Direction, data: bytes) -> None:
    if direction.gap:
        direction.tls.stop()
    elif opens_tls(direction.first):
        direction.tls.feed(data)


def _dns_name(data: bytes, place: int) -> tuple[str, int]:
    """A name of a DNS message (RFC 1035 section 4.1.4) and the place behind it."""
    labels: list[str] = []
    end: int | None = None
    for _ in range(64):
        if place >= len(data):
            return "", place
        size = data[place]
        if size & 0xC0 == 0xC0:
            end = end or place + 2
            place = int.from_bytes(data[place : place + 2], "big") & 0x3FFF
        elif size == 0:
            return ".".join(labels).lower(), end or place + 1
        else:
            label = data[place + 1 : place + 1 + size]
            labels.append(label.decode("ascii", "replace"))
            place += 1 + size
    return "", place


def _dns_addresses(data: bytes, place: int) -> list[str]:
    found: list[str] = []
    for _ in range(min(int.from_bytes(data[6:8], "big"), 64)):
        _, place = _dns_name(data, place)
        kind, size = data[place : place + 2], int.from_bytes(data[place + 8 : place + 10], "big")
        value = data[place + 10 : place + 10 + size]
        if (kind, len(value)) in ((b"\x00\x01", 4), (b"\x00\x1c", 16)):
            found.append(address_text(value))
        place += 10 + size
    return found
