"""TLS as it lies in the clear in a capture: records, hellos, alerts, the chain of TLS 1.2.

Record layer RFC 8446 section 5.1; messages RFC 5246 section 7.4. From TLS 1.3 on the certificate is
encrypted, and so is every alert after the ServerHello.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

from cryptography import x509

from diagnoser.certificates import read_name
from diagnoser.model import Name

_CHANGE, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE, _REQUEST, _DONE = 1, 2, 11, 13, 14
_VERSIONS = {
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}
_MOST_CERTIFICATES = 20
_MOST_NAMES = 100
# The longest handshake that any real server sends in the clear, and the least bit more.
LONGEST_STREAM = 128 * 1024


def opens_tls(data: bytes) -> bool:
    """Whether a stream begins as TLS does."""
    return not data or (20 <= data[0] <= 24 and data[1:2] in (b"", b"\x03"))


@dataclass(slots=True)
class TlsSide:
    """What one side of a connection has said in the clear; fed with its bytes in order."""

    hello_bytes: int = 0
    server_name: str | None = None
    version: str | None = None
    offered: tuple[str, ...] = ()
    alert: tuple[int, int] | None = None
    ders: tuple[bytes, ...] = ()
    sent_certificate: bool | None = None
    requested: bool | None = None
    ca_names: tuple[Name, ...] = ()
    said_hello: bool = False
    encrypted: bool = False
    wrote_data: bool = False
    stopped: bool = False
    first: bytes = b""
    kept: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _messages: bytearray = field(default_factory=bytearray)
    _taken: int = 0

    @property
    def held(self) -> int:
        """How many bytes are kept, understood or not."""
        return self.kept + len(self._buffer) + len(self._messages)

    def give_up(self) -> None:
        """Forget all that takes room."""
        self.stop()
        self.ders, self.ca_names, self.kept = (), (), 0

    def feed(self, data: bytes) -> None:
        """Take in the next bytes. Never raises for what they say."""
        if len(self.first) < 300:
            self.first += data[: 300 - len(self.first)]
        if self.stopped or not opens_tls(self.first):
            return
        self._taken += len(data)
        self._buffer += data
        self._read_records()
        if self._taken > LONGEST_STREAM:
            self.stop()

    def stop(self) -> None:
        """Nothing more will be understood: a gap, or everything else is encrypted."""
        self.stopped = True
        self._buffer.clear()
        self._messages.clear()

    def _read_records(self) -> None:
        while len(self._buffer) >= 5 and not self.stopped:
            kind, size = self._buffer[0], int.from_bytes(self._buffer[3:5], "big")
            if not 20 <= kind <= 24 or size > 18432:
                self.stop()
                return
            if len(self._buffer) < 5 + size:
                return
            body = bytes(self._buffer[5 : 5 + size])
            del self._buffer[: 5 + size]
            self._read_record(kind, body)

    def _read_record(self, kind: int, body: bytes) -> None:
        if kind == _CHANGE:
            # In TLS 1.3 it is sent for show only, and what follows is encrypted all the same.
            self.encrypted = True
        elif kind == _DATA:
            self.encrypted = self.wrote_data = True
        elif kind == _ALERT and len(body) == 2 and not self.encrypted:
            if body[1] != 0:
                self.alert = self.alert or (body[0], body[1])
        elif kind == _HANDSHAKE and not self.encrypted:
            self._messages += body
            self._read_messages()

    def _read_messages(self) -> None:
        while len(self._messages) >= 4:
            kind, size = self._messages[0], int.from_bytes(self._messages[1:4], "big")
            if size > LONGEST_STREAM:
                self.stop()
                return
            if len(self._messages) < 4 + size:
                return
            body = bytes(self._messages[4 : 4 + size])
            del self._messages[: 4 + size]
            try:
                self._read_message(kind, body)
            except IndexError:
                continue

    def _read_message(self, kind: int, body: bytes) -> None:
        if kind == _CLIENT_HELLO:
            self.said_hello, self.hello_bytes = True, len(body) + 4
            self._read_client_hello(body)
        elif kind == _SERVER_HELLO:
            self.said_hello = True
            self._read_server_hello(body)
        elif kind == _CERTIFICATE:
            self.ders = _certificates(body)
            self.sent_certificate = bool(self.ders)
            self.kept += len(body)
        elif kind == _REQUEST:
            self.requested = True
            self.ca_names = _authorities(body)
            # A name takes several times the room of its encoding.
            self.kept += 8 * len(body)
        elif kind == _DONE and self.requested is None:
            self.requested = False

    def _read_client_hello(self, body: bytes) -> None:
        place = 34 + 1 + body[34]
        place += 2 + int.from_bytes(body[place : place + 2], "big")
        place += 1 + body[place]
        self.offered = (_version(body[:2]),)
        for kind, value in _extensions(body[place:]):
            if kind == 0 and len(value) > 5:
                name = value[5 : 5 + int.from_bytes(value[3:5], "big")]
                self.server_name = _host(name)
            elif kind == 43:
                listed = [value[i : i + 2] for i in range(1, len(value) - 1, 2)]
                known = {int.from_bytes(v, "big") for v in listed} & _VERSIONS.keys()
                self.offered = tuple(_VERSIONS[v] for v in sorted(known))

    def _read_server_hello(self, body: bytes) -> None:
        self.version = _version(body[:2])
        place = 34 + 1 + body[34] + 3
        for kind, value in _extensions(body[place:]):
            if kind == 43 and len(value) == 2:
                self.version = _version(value)


def _host(name: bytes) -> str | None:
    text = name.decode("ascii", "replace").lower()
    plain = 0 < len(text) < 254 and all(c.isalnum() or c in "-_." for c in text)
    return text if plain else None


def _version(number: bytes) -> str:
    return _VERSIONS.get(int.from_bytes(number, "big"), f"0x{number.hex()}")


def _extensions(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    place = 2
    while place + 4 <= len(data) and len(found) < 200:
        kind = int.from_bytes(data[place : place + 2], "big")
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        found.append((kind, data[place + 4 : place + 4 + size]))
        place += 4 + size
    return found


def _certificates(body: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    place = 3
    while place + 3 <= len(body) and len(found) < _MOST_CERTIFICATES:
        size = int.from_bytes(body[place : place + 3], "big")
        found.append(body[place + 3 : place + 3 + size])
        place += 3 + size
    return tuple(found)


def _authorities(body: bytes) -> tuple[Name, ...]:
    """The CAs of a TLS 1.2 CertificateRequest (RFC 5246 section 7.4.4)."""
    place = 1 + body[0]
    place += 2 + int.from_bytes(body[place : place + 2], "big") + 2
    found: list[Name] = []
    while place + 2 <= len(body) and len(found) < _MOST_NAMES:
        size = int.from_bytes(body[place : place + 2], "big")
        name = _name(body[place + 2 : place + 2 + size])
        if name is not None:
            found.append(name)
        place += 2 + size
    return tuple(found)


def _name(der: bytes) -> Name | None:
    """A bare DER name, wrapped into a request: the library reads names nowhere else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return read_name(x509.load_der_x509_csr(_unsigned_request(der)).subject)
    except (ValueError, KeyError, TypeError):
        return None


def _unsigned_request(subject: bytes) -> bytes:
    """The smallest certification request (RFC 2986) with ``subject``; its signature is empty."""
    key = bytes.fromhex(
        "302a300506032b65700321000000000000000000000000000000000000000000000000000000000000000000"
    )
    info = _tlv(0x30, b"\x02\x01\x00" + subject + key + b"\xa0\x00")
    return _tlv(0x30, info + bytes.fromhex("300506032b6570") + b"\x03\x01\x00")


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body
