"""What a capture shows of DNS: which names were asked, what was answered (RFC 1035)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from diagnoser.evidence.packets import Datagram, address_text

_MOST_NAMES = 5_000
_MOST_ADDRESSES = 64


@dataclass(slots=True)
class Lookup:
    """One name asked of DNS: ``rcode`` is the answer's, ``None`` where none came."""

    name: str
    asked: float
    rcode: int | None = None
    addresses: set[str] = field(default_factory=set)


class Lookups:
    """All names asked in one capture; ``names`` tells whose an address is."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._asked: dict[str, Lookup] = {}

    def all(self) -> Iterable[Lookup]:
        """Every lookup that is remembered, in the order of the questions."""
        return self._asked.values()

    def note(self, datagram: Datagram) -> None:
        """Take in one message of DNS."""
        data = datagram.payload
        if len(data) < 12 or int.from_bytes(data[4:6], "big") != 1:
            return
        name, place = _dns_name(data, 12)
        if not name:
            return
        if data[2] & 0x80 == 0:
            if len(self._asked) < _MOST_NAMES:
                self._asked.setdefault(name, Lookup(name, datagram.at))
            return
        lookup = self._asked.get(name)
        if lookup is None and len(self._asked) < _MOST_NAMES:
            lookup = self._asked[name] = Lookup(name, datagram.at)
        if lookup is None:
            return
        code = data[3] & 15
        lookup.rcode = code if lookup.rcode is None else min(lookup.rcode, code)
        for address in _dns_addresses(data, place + 4):
            if len(lookup.addresses) < _MOST_ADDRESSES:
                lookup.addresses.add(address)
            if len(self.names) < _MOST_NAMES:
                self.names.setdefault(address, name)


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
