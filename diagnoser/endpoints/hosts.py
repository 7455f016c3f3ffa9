"""Host and port syntax: what may be connected to, and why a text may not."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from diagnoser.composing import composed
from diagnoser.deferral import pattern

# RFC 1123 section 2.1; the underscore is not allowed there, but Windows machine names have it.
_LABEL = pattern(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = pattern(r"0x[0-9a-f]{1,8}|[0-9]{1,10}", re.ASCII | re.IGNORECASE)
# RFC 3986 section 3.2.2: a host that ends in a number is an IPv4 address or nothing.
_NUMERIC_LABEL = pattern(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_AROUND = " \t\r\n\"'`‘’“”„«»「」『』<>()"
_INVISIBLE = {ord(c): None for c in "\u00ad\u200b\u200c\u200d\u2060\ufeff"}
_DEFANGED = pattern(
    r"(?P<scheme>\bhxxp)|\[(?P<mark>\.|:|://|dot)\]"
    r"|(?P<blank>(?<=://)[ \t]{1,3}(?=[\w-]{1,63}\.\w))",
    re.IGNORECASE,
)
_LONGEST_NAME = 253
# Ends of pages, no top-level domains: a URL whose slashes were replaced ends with one.
_PAGES = frozenset({"aspx", "asmx", "htm", "html", "jsp", "php", "svc"})


class Refused(ValueError):
    """A text that is no host or port to connect to; ``str()`` says why in a few words."""


def _refang(match: re.Match[str]) -> str:
    if match["scheme"]:
        return "http"
    if match["mark"]:
        return "." if match["mark"].lower() == "dot" else match["mark"]
    return ""


def straighten(text: str) -> str:
    """``text`` as it was before it was pasted: NFKC (full-width letters), without invisible
    characters, with ``hxxp``, ``[.]`` and ``https:// host`` undone. Line breaks stay.
    """
    plain = composed(text, "NFKC").translate(_INVISIBLE)
    return _DEFANGED.sub(_refang, plain)


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address literal, bracketed or not, or ``None``."""
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _refuse_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return "its zone means something only on the machine that wrote it"
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return "a service of the machine itself, not reached over the network"
    if address.is_unspecified:
        return "stands for any address of the machine itself"
    if address.is_multicast or str(address) == "255.255.255.255":
        return "an address of many machines, no connection can be opened to it"
    return None


def _refuse_name(name: str) -> str | None:
    if len(name) > _LONGEST_NAME:
        return "too long for a host name"
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "not a host name"
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return "neither an address nor a host name"
    if labels[-1] in _PAGES:
        return "not a host name"
    if labels[-1] == "localhost" or name == "localhost.localdomain":
        return "a service of the machine itself, not reached over the network"
    return None


def read_host(text: str) -> str:
    """The host that ``text`` names: lower case, ASCII (RFC 5890), no brackets, no final dot.

    Raises :class:`Refused` where it is not one, or one that lies in the machine itself.
    """
    if len(text) > 4 * _LONGEST_NAME:
        raise Refused("too long for a host name")
    plain = straighten(text).strip(_AROUND).replace("\u3002", ".")
    if (address := read_address(plain)) is not None:
        if reason := _refuse_address(address):
            raise Refused(reason)
        return str(address)
    name = plain.strip("[]").rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise Refused("not a host name") from error
    if reason := _refuse_name(name):
        raise Refused(reason)
    return name


def read_port(text: str) -> int | None:
    """The port that ``text`` names in decimal or ``0x`` hexadecimal; ``None`` if it is empty.

    Raises :class:`Refused` for anything else and for numbers outside 1 to 65535.
    """
    plain = unicodedata.normalize("NFKC", text[:100]).strip(_AROUND)
    if not plain or plain.lower() in {"null", "none"}:
        return None
    if not _NUMBER.fullmatch(plain):
        raise Refused("its port is not a number")
    port = int(plain, 16 if plain[:2].lower() == "0x" else 10)
    if not 0 < port < 65536:
        raise Refused("its port is not one that exists (1 to 65535)")
    return port


def split_port(text: str) -> tuple[str, str]:
    """Host text and port text of ``host:port``; the port is empty where none stands.

    An IPv6 address carries a port only behind brackets (RFC 3986 section 3.2.2).
    """
    plain = straighten(text[:2048]).strip(_AROUND)
    if read_address(plain) is not None:
        return plain, ""
    if plain.startswith("["):
        host, _, rest = plain.partition("]")
        return host + "]", rest.removeprefix(":")
    host, _, port = plain.rpartition(":")
    return (host, port) if host else (plain, "")
