"""Whom evidence is about: hosts and ports as commands spell them, and the endpoint they name."""

from __future__ import annotations

import ipaddress
import re

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.model import Endpoint, Evidence, Transport

# An endpoint whose host no evidence names: it never resolves (RFC 6761 section 6.4).
UNKNOWN_HOST = "unknown-host.invalid"
UNKNOWN_PORT = 0
_INSIDE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
_NAME = pattern(r"[a-z0-9](?:[a-z0-9_.-]{0,251}[a-z0-9])?\.?", re.IGNORECASE)


def is_literal(host: str) -> bool:
    """Whether ``host`` is an IP address, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_inside(address: str) -> bool:
    """Whether ``address`` is one of this machine or of the network that it is in (RFC 1918, RFC
    4193)."""
    if not is_literal(address):
        return False
    found = ipaddress.ip_address(address)
    within = any(found.version == n.version and found in n for n in _INSIDE)
    return found.is_loopback or found.is_link_local or within


def is_name(text: str) -> bool:
    """Whether ``text`` can be a host name; one that ends with a dot is."""
    return _NAME.fullmatch(text) is not None


def split_target(text: str) -> tuple[str | None, int | None]:
    """``host:port``, ``[v6]:port`` or a host alone, which is given in small letters; ``None`` for
    what can be no host, and for what can be no port."""
    bare = text.strip("\"'")
    host, colon, port = bare.rpartition(":")
    if not colon or is_literal(bare.strip("[]")):
        host, port = bare, ""
    host = host.strip("[]").rstrip(".").lower()
    if not (is_literal(host) or is_name(host)):
        return None, None
    return host, read_port(port)


def read_port(text: str) -> int | None:
    """A port number, 1 to 65535, else ``None``."""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return None
    return int(text) if 0 < int(text) < 65536 else None


def without_login(url: str) -> str:
    """A proxy as it may be told: without scheme, login and path."""
    return url.rpartition("//")[2].partition("/")[0].rpartition("@")[2]


def endpoint_of(
    host: str, port: int, facts: tuple[Evidence, ...], server_name: str | None = None
) -> Endpoint:
    """The endpoint that evidence names, as the catalogue knows it.

    ``facts`` say how it is named. Asked for is ``server_name``, else the host if it is a name.
    """
    role, reason = catalog.role_of(host, port)
    known = catalog.port_row(port)
    without_tls = known is not None and known.transport is Transport.TCP
    return Endpoint(
        host=host,
        port=port,
        role=role,
        server_name=server_name or (None if is_literal(host) else host),
        client_certificate=catalog.roles()[role].client_certificate,
        transport=Transport.TCP if without_tls else Transport.TLS,
        derivation=(*facts, Evidence("role", role.value, f"catalogue: {reason}")),
    )
