"""What the first bytes of a peer say, before any TLS library has looked at them."""

from __future__ import annotations

import ipaddress

from diagnoser.deferral import pattern

EXCERPT = 300

_CONTENT_TYPES = frozenset(range(20, 25))
_HOST_NAME = pattern(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_HANDSHAKE, _SERVER_HELLO = 22, 2
_OLD_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1"}


def opens_tls(first: bytes) -> bool:
    """Whether a stream can be TLS: content type 20 to 24, version 3.x (RFC 8446 section 5.1)."""
    return not first or (first[0] in _CONTENT_TYPES and first[1:2] in (b"", b"\x03"))


def is_server_hello(first: bytes) -> bool:
    """Whether the first record begins with a ServerHello (RFC 8446 section 4.1.3)."""
    return len(first) >= 11 and first[0] == _HANDSHAKE and first[5] == _SERVER_HELLO


def old_version(first: bytes) -> str | None:
    """The version below TLS 1.2 that a ServerHello chose; ``None`` for any other."""
    if not is_server_hello(first):
        return None
    return _OLD_VERSIONS.get(int.from_bytes(first[9:11], "big"))


def printable(data: bytes, limit: int = EXCERPT) -> str:
    """Bytes as one line that is safe to show: no control characters, at most ``limit`` long."""
    text = data[:limit].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " if c.isspace() else "." for c in text).strip()


def sni_value(server_name: str | None) -> bytes | None:
    """What goes into the server_name extension (RFC 6066 section 3): an A-label host name.

    ``None`` for an address literal and for anything that is no host name.
    """
    if not server_name or _is_address(server_name):
        return None
    plain = server_name.removesuffix(".")
    try:
        # The codec is slow, and has nothing to do for a name in ASCII.
        name = plain.encode("ascii" if plain.isascii() else "idna")
    except UnicodeError:
        return None
    return name if len(name) <= 253 and _HOST_NAME.fullmatch(name) else None


def _is_address(text: str) -> bool:
    # Every address has a colon or a digit at its end, hardly any name has: no need to parse those.
    if ":" not in text and not text[-1].isdigit():
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
