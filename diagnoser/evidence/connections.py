"""TCP connections and DNS answers of a capture, followed packet by packet within bounded memory.

Per connection only what lies in the clear is kept, and only until it is understood. A gap (lost
packet, snap length) ends the understanding of that direction, not the connection.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from diagnoser.evidence.lookups import Lookups
from diagnoser.evidence.packets import Datagram, Segment, Unreachable, address_text
from diagnoser.evidence.records import TlsSide, opens_tls

MOST_CONNECTIONS = 20_000
# Bytes that wait for their place or have been understood, of all connections together.
MOST_HELD = 64 * 1024 * 1024
_MOST_ASIDE = 64
_MOST_ASIDE_BYTES = 256 * 1024
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_WRAP = 1 << 32
_REQUEST_BYTES, _ANSWER_BYTES = 1024, 4096

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
    waiting: int = 0

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return self.waiting + self.tls.held

    def give_up(self) -> None:
        """Forget all that takes room; what follows is only counted."""
        self.gap, self.waiting = True, 0
        self.aside.clear()
        self.tls.give_up()

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
        room = len(self.aside) < _MOST_ASIDE and self.waiting + len(data) < _MOST_ASIDE_BYTES
        if self.gap or not room:
            self.gap = True
        elif sequence not in self.aside:
            self.aside[sequence] = data
            self.waiting += len(data)
        return b""

    def _in_order(self, data: bytes) -> bytes:
        self.next = ((self.next or 0) + len(data)) % _WRAP
        while self.next in self.aside:
            more = self.aside.pop(self.next)
            self.waiting -= len(more)
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


class Book:
    """All connections and lookups of one capture, the oldest forgotten first."""

    def __init__(self) -> None:
        self.connections: OrderedDict[tuple[Peer, Peer], list[Connection]] = OrderedDict()
        self.lookups = Lookups()
        self.begun: float | None = None
        self.ended = 0.0
        self.forgotten = 0
        self._count = 0
        self._held = 0
        self._holders: OrderedDict[int, Direction] = OrderedDict()

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
            self.lookups.note(packet)

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
        upward = segment.source == connection.client
        direction = connection.up if upward else connection.down
        before = direction.held
        if upward:
            _note_upward(connection, segment)
        else:
            _note_downward(connection, segment)
        self._account(direction, before)

    def _account(self, direction: Direction, before: int) -> None:
        """Keep the sum of what is held; the one that has held longest gives up first."""
        held = direction.held
        self._held += held - before
        if held:
            self._holders[id(direction)] = direction
        elif before:
            self._holders.pop(id(direction), None)
        while self._held > MOST_HELD:
            _, oldest = self._holders.popitem(last=False)
            self._held -= oldest.held
            oldest.give_up()

    def _begin(self, segment: Segment) -> None:
        key = (segment.source, segment.target)
        attempts = self.connections.setdefault(key, [])
        again = attempts and attempts[-1].opened is None and not attempts[-1].refused
        if not again:
            fresh = Connection(segment.source, segment.target, segment.at, segment.at)
            attempts.append(fresh)
            self._count += 1 - len(attempts[:-4])
            del attempts[:-4]
        connection = attempts[-1]
        connection.syns += 1
        connection.last = segment.at
        connection.up.next = (segment.sequence + 1) % _WRAP
        while self._count > MOST_CONNECTIONS:
            _, oldest = self.connections.popitem(last=False)
            self._count -= len(oldest)
            self.forgotten += len(oldest)


def _note_upward(connection: Connection, segment: Segment) -> None:
    data = connection.up.take(segment)
    if segment.flags & (_FIN | _RST):
        connection.up.closed = True
        connection.given_up = connection.given_up or connection.answered is None
    if not data:
        return
    if not connection.up.first and not connection.tunnelled and data.startswith(b"CONNECT "):
        # Only the first line: below it stands the login for the proxy.
        connection.tunnel = data[:_REQUEST_BYTES].partition(b"\r\n")[0]
        return
    if connection.tunnel and not connection.tunnelled:
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
        connection.tunnel_answer = (connection.tunnel_answer + data)[:_ANSWER_BYTES]
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
