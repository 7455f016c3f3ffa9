"""HTTP CONNECT without I/O (RFC 9110 section 9.3.6): a request out, a bounded answer in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.probing.records import printable

if TYPE_CHECKING:
    from diagnoser.model import Proxy

LARGEST_HEAD = 16 * 1024

_STATUS = pattern(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_HEAD_END = pattern(rb"\r?\n\r?\n")
_CHALLENGE = pattern(rb"(?im)^proxy-authenticate[ \t]*:[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
# Squid's own field, and the standard one (RFC 9209 section 2.1.2).
_REASON = pattern(
    rb"(?im)^(?:x-squid-error[ \t]*:[ \t]*|proxy-status[ \t]*:[^\r\n]{0,200}?\berror=)"
    rb"([a-z_]{1,40})"
)
_HOST = pattern(r"[A-Za-z0-9._:%~-]+")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The tunnel is open; ``rest`` is what came behind the answer's head."""

    rest: bytes


@dataclass(frozen=True, slots=True)
class LoginRequired:
    """Status 407; ``schemes`` are those of Proxy-Authenticate (``Basic``, ``NTLM``, ...)."""

    schemes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Any other status, with the proxy's reason phrase and the code it gives for its own error.

    ``fault`` is such a code (``ERR_DNS_FAIL``, ``dns_error``), empty where none was given.
    """

    status: int
    reason: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Garbage:
    """No HTTP answer, or a head that does not end within 16 kB."""

    excerpt: str


Answer = Accepted | LoginRequired | Refused | Garbage


class Tunnel:
    """One CONNECT exchange: send :attr:`request`, feed what arrives until there is an answer.

    Raises ``ValueError`` for a host that cannot stand in a request line, so that nothing a log
    contains can add lines to the request.
    """

    def __init__(self, host: str, port: int, proxy: Proxy) -> None:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
        if not _HOST.fullmatch(name):
            raise ValueError("not a host name")
        authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if proxy.login is not None:
            pair = f"{proxy.login}:{proxy.password or ''}".encode()
            # RFC 7617 section 2: base64 leaves no room for a line break of the login's own.
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode('ascii')}")
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        self._head = bytearray()

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once its head is complete; ``None`` while it is not."""
        self._head += data
        while True:
            if not _may_be_http(self._head):
                return Garbage(printable(bytes(self._head)))
            end = _HEAD_END.search(self._head, 0, LARGEST_HEAD)
            if end is None:
                return (
                    Garbage(printable(bytes(self._head)))
                    if len(self._head) >= LARGEST_HEAD
                    else None
                )
            head, rest = bytes(self._head[: end.end()]), bytes(self._head[end.end() :])
            status = _STATUS.match(head)
            if status is None:
                return Garbage(printable(head))
            number = int(status.group(1))
            if number >= 200:
                return _answer(number, status.group(2) or b"", head, rest)
            # An interim answer (1xx); the final one follows (RFC 9110 section 15.2).
            self._head = bytearray(rest)


def _answer(number: int, reason: bytes, head: bytes, rest: bytes) -> Answer:
    if number < 300:
        return Accepted(rest)
    if number == 407:
        schemes = [s.decode("ascii") for s in _CHALLENGE.findall(head)]
        return LoginRequired(tuple(dict.fromkeys(schemes)))
    fault = _REASON.search(head)
    return Refused(number, printable(reason), fault[1].decode("ascii") if fault else "")


def _may_be_http(head: bytes | bytearray) -> bool:
    expected = b"HTTP/1."
    return head[: len(expected)] == expected[: len(head)]
