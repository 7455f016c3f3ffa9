"""The only module that owns sockets: names to addresses, addresses to byte pipes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import platform
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnoser.deferral import pattern
from diagnoser.errors import NameLookupFailed, NameNotFound, UsageError
from diagnoser.model import Address, Connection, Network, Resolver, TcpFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_ADDRESSES = 16

_LARGEST_HOSTS_FILE = 1024 * 1024

# struct linger: two int of POSIX, two u_short of Winsock. On, for no time: close() resets.
_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

# RFC 3493 section 6.1; EAI_NODATA is gone from it and still returned by glibc. Windows gives the
# Winsock numbers WSAHOST_NOT_FOUND and WSANO_DATA instead.
_NOT_FOUND = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5), 11001, 11004})


class SystemNetwork:
    """This machine's resolver and TCP."""

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """All addresses in the resolver's order, both families, at most 16.

        Raises ``NameNotFound`` (the name does not exist, has no address, or is no name) or
        ``NameLookupFailed``; ``errno`` is the resolver's EAI code.
        """
        literal = _literal(host)
        if literal is not None:
            return (Address(literal, port),)
        found = await _in_daemon_thread(lambda: _look_up(host, port))
        return found[:MOST_ADDRESSES]

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:  # noqa: ARG002
        """The addresses of ``host`` in this machine's hosts file; ``None`` for a literal."""
        return None if _literal(host) is not None else _hosts_entries(_hosts_path(), host)

    async def connect(self, address: Address) -> Connection:
        """Open a TCP connection to a numeric address; ``OSError`` as the system gave it."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        loop = asyncio.get_running_loop()
        pipe = socket.socket(family, socket.SOCK_STREAM)
        try:
            pipe.setblocking(False)
            await loop.sock_connect(pipe, _system_form(address))
            pipe.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            pipe.close()
            raise
        return SystemConnection(pipe, loop)


class SystemConnection:
    """An open TCP connection."""

    def __init__(self, pipe: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._pipe, self._loop = pipe, loop

    async def send(self, data: bytes) -> None:
        """Hand over all of ``data`` to the system."""
        await self._loop.sock_sendall(self._pipe, data)

    async def receive(self, limit: int) -> bytes:
        """What has arrived, at most ``limit`` bytes; ``b""`` at the end of the stream."""
        return await self._loop.sock_recv(self._pipe, limit)

    def flow(self) -> TcpFlow | None:
        """What Linux knows of the connection (``TCP_INFO``); ``None`` on any other system."""
        option = getattr(socket, "TCP_INFO", None)
        if option is None or platform.system() != "Linux":
            return None
        try:
            return _read_flow(self._pipe.getsockopt(socket.IPPROTO_TCP, option, _FLOW_SIZE))
        except OSError:
            return None

    def abort(self) -> None:
        """Close with a reset, so that nothing lingers on either side."""
        with contextlib.suppress(OSError):
            self._pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        with contextlib.suppress(OSError):
            self._pipe.close()


# struct tcp_info of linux/tcp.h: eight bytes, 24 words, then 64-bit counters. It only ever grows,
# so an old kernel gives less of it.
_FLOW_SIZE = 256
_WORDS, _ACKNOWLEDGED, _OUT_OF_ORDER = (8, 24), 120, 224
_UNACKNOWLEDGED, _SELECTIVELY, _RETRANSMITTED = 4, 5, 23


def _read_flow(info: bytes) -> TcpFlow | None:
    if len(info) < _ACKNOWLEDGED + 8:
        return None
    words = struct.unpack_from(f"{_WORDS[1]}I", info, _WORDS[0])
    late = struct.unpack_from("I", info, _OUT_OF_ORDER)[0] if len(info) >= 228 else None
    return TcpFlow(
        unacknowledged=words[_UNACKNOWLEDGED],
        selectively_acknowledged=words[_SELECTIVELY],
        retransmitted=words[_RETRANSMITTED],
        bytes_acknowledged=struct.unpack_from("Q", info, _ACKNOWLEDGED)[0],
        out_of_order=late,
    )


@dataclass(frozen=True, slots=True)
class Redirection:
    """Connections for ``host:port`` go to ``to_host:to_port``; ``None`` is "any" or "same"."""

    host: str | None
    port: int | None
    to_host: str | None
    to_port: int | None

    def fits(self, host: str, port: int) -> bool:
        """Whether the redirection is about this host and port."""
        same_host = self.host is None or self.host.lower() == host.lower().rstrip(".")
        return same_host and self.port in (None, port)


class RedirectedNetwork:
    """Another network with some hosts led elsewhere; server names and reports stay as they are."""

    def __init__(self, network: Network, redirections: Sequence[Redirection]) -> None:
        self._network = network
        self._redirections = tuple(redirections)

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:
        """As the network underneath; ``None`` where a redirection fits."""
        if any(r.fits(host, port) for r in self._redirections):
            return None
        below = self._network
        return below.hosts_file(host, port) if isinstance(below, Resolver) else None

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """As the network underneath, asked for the first redirection's target that fits."""
        fitting = next((r for r in self._redirections if r.fits(host, port)), None)
        if fitting is not None:
            host = host if fitting.to_host is None else fitting.to_host
            port = port if fitting.to_port is None else fitting.to_port
        return await self._network.resolve(host, port)

    async def connect(self, address: Address) -> Connection:
        """As the network underneath."""
        return await self._network.connect(address)


_REDIRECTION = pattern(
    r"(?P<host>\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*):(?P<port>\d*)"
    r":(?P<to_host>\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*):(?P<to_port>\d*)"
)


def parse_redirection(text: str) -> Redirection:
    """``HOST:PORT:ADDRESS:PORT`` as in curl's ``--connect-to``; an empty part is "any" or "same".

    IPv6 literals stand in brackets. Raises :class:`~diagnoser.errors.UsageError`.
    """
    parts = _REDIRECTION.fullmatch(text.strip())
    if parts is None:
        raise UsageError(
            f"{text!r} is not HOST:PORT:ADDRESS:PORT",
            hint="for example --connect-to rs-us5-cloud.acronis.com:8443:127.0.0.1:9443",
        )
    ports = [int(p) if p else None for p in (parts["port"], parts["to_port"])]
    if any(p is not None and not 0 < p < 65536 for p in ports):
        raise UsageError(f"{text!r}: a port is a number from 1 to 65535")
    hosts = [parts[g].strip("[]").rstrip(".") or None for g in ("host", "to_host")]
    return Redirection(hosts[0], ports[0], hosts[1], ports[1])


def _hosts_path() -> Path:
    if platform.system() == "Windows":
        root = os.environ.get("SYSTEMROOT", r"C:\Windows")
        return Path(root) / "System32" / "drivers" / "etc" / "hosts"
    return Path("/etc/hosts")


def _hosts_entries(path: Path, host: str) -> tuple[str, ...]:
    """The addresses that a hosts file (hosts(5)) gives a name, in any case; at most 16."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_HOSTS_FILE).decode("utf-8", "replace")
    except OSError:
        return ()
    wanted, found = host.lower().rstrip("."), []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if wanted in (n.lower().rstrip(".") for n in names):
            found.append(address)
    return tuple(found[:MOST_ADDRESSES])


def _system_form(address: Address) -> tuple[str, int] | tuple[str, int, int, int]:
    """An address as sockets take it. Windows' event loop knows IPv6 by its four parts only."""
    host, _, zone = address.host.partition("%")
    if ":" not in host:
        return host, address.port
    try:
        scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone) if zone else 0
    except OSError:
        scope = 0
    return host, address.port, 0, scope


@lru_cache(maxsize=1024)
def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _look_up(host: str, port: int) -> tuple[Address, ...]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        kind = NameNotFound if error.errno in _NOT_FOUND else NameLookupFailed
        raise kind(error.errno, str(error.strerror)) from error
    except (UnicodeError, ValueError) as error:
        # No label may be empty, longer than 63 bytes or hold a NUL: such a name cannot exist.
        raise NameNotFound(socket.EAI_NONAME, "not a host name") from error
    families = (socket.AF_INET, socket.AF_INET6)
    found = [Address(_with_zone(row[4]), port) for row in rows if row[0] in families]
    if not found:
        raise NameNotFound(socket.EAI_NONAME, "no IPv4 or IPv6 address")
    return tuple(dict.fromkeys(found))


def _with_zone(place: tuple[Any, ...]) -> str:
    """The address; Windows gives the zone of a link-local one as a number beside it only."""
    host = str(place[0])
    return f"{host}%{place[3]}" if len(place) == 4 and place[3] and "%" not in host else host


async def _in_daemon_thread(
    work: Callable[[], tuple[Address, ...]],
) -> tuple[Address, ...]:
    """Run blocking ``work`` where it can delay neither the event loop nor the end of the process.

    The loop's own executor joins its threads at exit: a silent resolver would hold the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Address, ...]] = loop.create_future()

    def settle(found: tuple[Address, ...], error: OSError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(found)
        else:
            done.set_exception(error)

    def run() -> None:
        found: tuple[Address, ...] = ()
        fault: OSError | None = None
        try:
            found = work()
        except OSError as error:
            fault = error
        # The loop may be closed by now: nobody waits for the answer any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, found, fault)

    threading.Thread(target=run, name="resolver", daemon=True).start()
    return await done
