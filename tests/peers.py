"""Servers written as coroutines over a byte stream, in memory or on a loopback socket.

A peer reads and writes through a :class:`Stream`; the same peer serves a scripted network (no
sockets at all) and a real TCP port.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from OpenSSL import SSL, crypto
from pki import Issued

from diagnoser.errors import NameNotFound
from diagnoser.model import Address, Connection, Talk


class Stream(Protocol):
    """What a peer sees of its connection."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    def reset(self) -> None: ...


Peer = Callable[[Stream], Awaitable[None]]


class MemoryConnection:
    """The probe's end of a connection to a peer that runs as a task."""

    def __init__(self, peer: Peer) -> None:
        self._to_peer: asyncio.Queue[bytes] = asyncio.Queue()
        self._to_probe: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self._rest = b""
        self._broken: OSError | None = None
        self.was_aborted = False
        self._task = asyncio.ensure_future(self._serve(peer))

    async def _serve(self, peer: Peer) -> None:
        await peer(self)
        self._to_probe.put_nowait(b"")

    async def read(self) -> bytes:
        return await self._to_peer.get()

    async def write(self, data: bytes) -> None:
        self._to_probe.put_nowait(data)
        await asyncio.sleep(0)

    def reset(self) -> None:
        self._broken = ConnectionResetError(errno.ECONNRESET, "reset by script")
        self._to_probe.put_nowait(self._broken)

    async def send(self, data: bytes) -> None:
        if self._broken is not None:
            raise self._broken
        self._to_peer.put_nowait(data)
        await asyncio.sleep(0)

    async def receive(self, limit: int) -> bytes:
        if not self._rest:
            data = await self._to_probe.get()
            if isinstance(data, OSError):
                raise data
            self._rest = data
        data, self._rest = self._rest[:limit], self._rest[limit:]
        return data

    async def carry(self, talk: Talk) -> bool:
        said, broken = talk.begin(), None
        while True:
            try:
                if said and broken is None:
                    await self.send(said)
            except OSError as error:
                # What was said before the end may still be there to read.
                broken = error
            if talk.is_over:
                return True
            async with asyncio.timeout_at(None if math.isinf(talk.deadline) else talk.deadline):
                data = await self.receive(65536)
            if not data:
                if broken is not None:
                    raise broken
                return False
            said = talk.hear(data)

    def abort(self) -> None:
        self.was_aborted = True
        self._task.cancel()


class ScriptedNetwork:
    """A network whose names, addresses and peers are given: no socket is ever opened.

    ``names`` maps a host to its addresses or to the resolver's error; ``peers`` maps an address,
    or one with a port, to a peer, to the error that connecting gives, or to ``None`` for silence.
    """

    def __init__(
        self,
        names: dict[str, tuple[str, ...] | OSError | None],
        peers: dict[str, Peer | OSError | None],
    ) -> None:
        self._names = names
        self._peers = peers
        self.connections: list[MemoryConnection] = []

    async def resolve(
        self, host: str, port: int, seconds: float | None = None
    ) -> tuple[Address, ...]:
        found = self._names.get(host, NameNotFound(-2, "not in the script"))
        if found is None:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(3600)
            return ()
        if isinstance(found, OSError):
            raise found
        return tuple(Address(a, port) for a in found)

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        peer = self._peers.get(str(address), self._peers.get(address.host))
        if peer is None:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(3600)
        if isinstance(peer, OSError):
            raise peer
        assert peer is not None
        self.connections.append(MemoryConnection(peer))
        return self.connections[-1]


class _SocketStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def on_loopback(peer: Peer) -> AsyncIterator[int]:
    """Serve a peer on 127.0.0.1; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await peer(_SocketStream(reader, writer))
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)


def server_context(
    issued: Issued,
    *,
    version: int | None = None,
    client_authority: Issued | None = None,
) -> SSL.Context:
    """A server that sends ``issued.sent`` and, with an authority, demands a client certificate."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"DEFAULT@SECLEVEL=0")
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    context.use_certificate(issued.certificate)
    for above in issued.sent[1:]:
        context.add_extra_chain_cert(above)
    context.use_privatekey(issued.key)
    if client_authority is not None:
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(client_authority.certificate))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        context.add_client_ca(client_authority.certificate)
    return context


class TlsServer:
    """An OpenSSL server in memory: bytes in, bytes out."""

    def __init__(self, context: SSL.Context) -> None:
        self.tls = SSL.Connection(context, None)
        self.tls.set_accept_state()
        self.is_open = True
        self._is_up = False
        self.heard = b""

    def feed(self, data: bytes) -> bytes:
        if data:
            self.tls.bio_write(data)
        try:
            if not self._is_up:
                self.tls.do_handshake()
                self._is_up = True
            while True:
                self.heard += self.tls.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.is_open = False
        return self.pending()

    def say(self, data: bytes) -> bytes:
        self.tls.sendall(data)
        return self.pending()

    def pending(self) -> bytes:
        out = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                out += self.tls.bio_read(65536)
        return out


def speaks_tls(
    context_for: SSL.Context | Callable[[str | None], SSL.Context], answer: bytes = b""
) -> Peer:
    """A TLS server; with an ``answer`` it replies to the first application data."""

    async def peer(stream: Stream) -> None:
        hello = await stream.read()
        context = (
            context_for
            if isinstance(context_for, SSL.Context)
            else context_for(server_name_of(hello))
        )
        server = TlsServer(context)
        data = hello
        answered = False
        while data:
            out = server.feed(data)
            if out:
                await stream.write(out)
            if not server.is_open:
                return
            if answer and server.heard and not answered:
                answered = True
                await stream.write(server.say(answer))
            data = await stream.read()

    return peer


def server_name_of(hello: bytes) -> str | None:
    """The SNI value of a ClientHello, found by its extension's fixed layout."""
    for i in range(43, len(hello) - 9):
        total, kind, size = (
            int.from_bytes(hello[i + 4 : i + 6], "big"),
            hello[i + 6],
            int.from_bytes(hello[i + 7 : i + 9], "big"),
        )
        if hello[i : i + 2] == b"\0\0" and kind == 0 and total == size + 3 and size > 0:
            return hello[i + 9 : i + 9 + size].decode("ascii")
    return None


def says(*parts: bytes, pause: float = 0.0, first: bool = False) -> Peer:
    """Reads the hello (unless ``first``), sends ``parts``, closes."""

    async def peer(stream: Stream) -> None:
        if not first:
            await stream.read()
        for part in parts:
            await stream.write(part)
            await asyncio.sleep(pause)

    return peer


async def silent(stream: Stream) -> None:
    """Takes everything and never says a word."""
    while await stream.read():
        pass
    await asyncio.sleep(3600)


async def closes(stream: Stream) -> None:
    """Reads the hello and closes."""
    await stream.read()


async def resets(stream: Stream) -> None:
    """Reads the hello and resets the connection."""
    await stream.read()
    stream.reset()
    await asyncio.sleep(3600)
