"""The only module that owns sockets: names to addresses, addresses to byte pipes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import math
import os
import platform
import socket
import struct
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from diagnoser.errors import NameLookupFailed, NameNotFound
from diagnoser.model import Address
from diagnoser.probing import flows
from diagnoser.probing.daemons import in_daemon_thread
from diagnoser.probing.hosts_files import MOST_ADDRESSES, hosts_entries, hosts_path

if TYPE_CHECKING:
    from diagnoser.model import Connection, Talk, TcpFlow

# A flight of a handshake is smaller; beyond the other nothing is read until somebody asks.
_BUFFER = 16 * 1024
_MOST_KEPT = 64 * 1024

# struct linger: two int of POSIX, two u_short of Winsock. On, for no time: close() resets.
_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

# RFC 3493 section 6.1; EAI_NODATA is gone from it and still returned by glibc. Windows gives the
# Winsock numbers WSAHOST_NOT_FOUND and WSANO_DATA instead.
_NOT_FOUND = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5), 11001, 11004})


class SystemNetwork:
    """This machine's resolver and TCP."""

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        """All addresses in the resolver's order, both families, at most 16.

        Raises ``NameNotFound`` (the name does not exist, has no address, or is no name) or
        ``NameLookupFailed``; ``errno`` is the resolver's EAI code. After ``seconds`` without an
        answer it is a ``TimeoutError`` without a number.
        """
        literal = _literal(host)
        if literal is not None:
            return (Address(literal, port),)
        async with asyncio.timeout(seconds):
            found = await in_daemon_thread(lambda: _look_up(host, port))
        return found[:MOST_ADDRESSES]

    def hosts_file(self, host: str, port: int) -> tuple[str, ...] | None:  # noqa: ARG002
        """The addresses of ``host`` in this machine's hosts file; ``None`` for a literal."""
        return None if _literal(host) is not None else hosts_entries(hosts_path(), host)

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        """Open a TCP connection to a numeric address; ``OSError`` as the system gave it, or
        ``TimeoutError`` without a number after ``seconds``."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        loop = asyncio.get_running_loop()
        pipe = socket.socket(family, socket.SOCK_STREAM)
        try:
            pipe.setblocking(False)
            await _open(pipe, _system_form(address), seconds)
            connection = SystemConnection(pipe, loop)
            await loop.create_connection(lambda: connection, sock=pipe)
        except BaseException:
            pipe.close()
            raise
        return connection


async def _open(
    pipe: socket.socket, place: tuple[str, int] | tuple[str, int, int, int], seconds: float | None
) -> None:
    """Connect, without the loop's own way where it has one that is shorter.

    ``sock_connect`` looks at the address again and wakes three times: a twentieth of a handshake's
    time (measured). Windows' loop has nothing else.
    """
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        async with asyncio.timeout(seconds):
            await loop.sock_connect(pipe, place)
        return
    number = pipe.connect_ex(place)
    if number == errno.EINPROGRESS:
        # By its number: of a socket that it does not know yet, the selector would print the name.
        descriptor = pipe.fileno()
        opened: asyncio.Future[bool] = loop.create_future()
        loop.add_writer(descriptor, _settle, opened, True)
        alarm = None if seconds is None else loop.call_later(seconds, _settle, opened, False)
        try:
            if not await opened:
                raise TimeoutError
        finally:
            loop.remove_writer(descriptor)
            if alarm is not None:
                alarm.cancel()
        number = pipe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _settle(opened: asyncio.Future[bool], is_open: bool) -> None:
    if not opened.done():
        opened.set_result(is_open)


class SystemConnection(asyncio.BufferedProtocol):
    """An open TCP connection. What nobody hears is kept until it is asked for: 80 KB at most, and
    320 on Windows, whose loop reads ahead."""

    _transport: asyncio.Transport

    def __init__(self, pipe: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._pipe, self._loop = pipe, loop
        self._buffer = bytearray(_BUFFER)
        self._arrived = b""
        self._has_ended = False
        self._is_paused = False
        # The transport has something left to send, and all else comes behind it.
        self._is_behind = False
        self._error: Exception | None = None
        self._last_flow: TcpFlow | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._talk: Talk | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport reads from now on."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where to put what arrives; how much that will be, the loop does not know."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Some more has arrived."""
        data = bytes(self._buffer[:nbytes])
        if self._talk is not None:
            self._hear(self._talk, data)
            return
        self._arrived += data
        self._wake()
        if len(self._arrived) > _MOST_KEPT:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The peer will send no more; this side stays open until :meth:`abort`."""
        self._has_ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection broke, or was aborted; its counters are gone after this."""
        self._has_ended = True
        if exc is not None:
            self._error = self._error or exc
            self._last_flow = self.flow()
        # Windows' transport would shut down what is not closed, and where the peer is gone that
        # fails with a traceback on stderr (seen in asyncpg pull request 1190).
        self._pipe.close()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What a dialogue calls.

    async def carry(self, talk: Talk) -> bool:
        """As the protocol says. The talk hears within the event loop's call: with a wait of its own
        for each flight, a fifth of a handshake's time went into the waiting (measured)."""
        self._write(talk.begin())
        early = self._take(len(self._arrived))
        if early:
            self._write(talk.hear(early))
        if not talk.is_over and not self._has_ended:
            self._talk = talk
            self._set_alarm(talk.deadline)
            try:
                await self._news()
            finally:
                self._talk = None
                self._set_alarm(math.inf)
        if talk.is_over:
            return True
        if self._error is not None:
            raise self._error
        if not self._has_ended:
            raise TimeoutError
        return False

    def _hear(self, talk: Talk, data: bytes) -> None:
        try:
            answer = talk.hear(data)
        except Exception as error:  # noqa: BLE001  (raised where the talk is waited for)
            self._error, self._talk = error, None
            self._wake()
            return
        self._write(answer)
        if talk.is_over:
            self._talk = None
            self._wake()
        elif talk.deadline != self._rings_at:
            self._set_alarm(talk.deadline)

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        # The loop's clock is the monotonic one.
        self._alarm = None if when == math.inf else self._loop.call_at(when, self._wake)
        self._rings_at = when

    async def send(self, data: bytes) -> None:
        """Hand over all of ``data`` to the system."""
        self._write(data)
        if self._error is not None:
            raise self._error

    def _write(self, data: bytes) -> None:
        """Past the transport, as far as the system takes it: a transport that meets an error here
        closes, and what the peer said before it left would never be read. The error is kept. (What
        the system does not take at once, far more than any hello, is the transport's to send.)"""
        if not data or self._error is not None:
            return
        sent = 0
        try:
            if not self._is_behind:
                sent = self._pipe.send(data)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._error = error
            return
        if sent < len(data):
            self._is_behind = True
            self._transport.write(data[sent:])

    async def receive(self, limit: int) -> bytes:
        """What has arrived, at most ``limit`` bytes; ``b""`` at the end of the stream."""
        if not self._arrived:
            await self._news()
        data = self._take(limit)
        if not data and self._error is not None:
            raise self._error
        return data

    def _take(self, limit: int) -> bytes:
        data, self._arrived = self._arrived[:limit], self._arrived[limit:]
        if self._is_paused and len(self._arrived) <= _MOST_KEPT:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def _news(self) -> None:
        """Wait until something arrives, the talk is over or the stream has ended."""
        if self._has_ended:
            return
        self._waiter = self._loop.create_future()
        await self._waiter

    def flow(self) -> TcpFlow | None:
        """What Linux knows of the connection (``TCP_INFO``); ``None`` on any other system."""
        option = getattr(socket, "TCP_INFO", None)
        if option is None or platform.system() != "Linux":
            return None
        try:
            return flows.read_flow(self._pipe.getsockopt(socket.IPPROTO_TCP, option, flows.SIZE))
        except OSError:
            return self._last_flow

    def abort(self) -> None:
        """Close with a reset, so that nothing lingers on either side."""
        with contextlib.suppress(OSError):
            self._pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self._transport.abort()


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
