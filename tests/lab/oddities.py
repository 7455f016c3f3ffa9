"""Servers and boxes that misbehave on a real socket; ``python -c "import oddities; ..."`` in a lab.

Each is a coroutine over the two ends of one connection. :data:`KINDS` names them; the boxes pass on
to the genuine server what they do not object to.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
from collections.abc import Awaitable, Callable

Odd = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GENUINE = ("203.0.113.10", 443)
_FOR_EVER = 3600


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up without having said anything; what comes afterwards is taken, not reset."""
    writer.write_eof()
    await keep_silent(reader, writer)


async def reset_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Resets the connection as soon as it stands."""
    _reset(writer)


async def keep_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and never says a word."""
    while await reader.read(65536):
        pass


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins a TLS record of the greatest length and sends it byte by byte."""
    await reader.read(65536)
    writer.write(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
    while True:
        writer.write(b"\x00")
        await writer.drain()
        await asyncio.sleep(0.1)


async def speak_ssh(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The banner of another service (RFC 4253 section 4.2)."""
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await writer.drain()
    await asyncio.sleep(_FOR_EVER)


async def close_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on the first bytes of the genuine answer and hangs up."""
    hello = await reader.read(65536)
    far_reader, far_writer = await asyncio.open_connection(*GENUINE)
    far_writer.write(hello)
    writer.write((await far_reader.read(65536))[:40])
    await writer.drain()
    far_writer.close()
    writer.close()


async def answer_in_proxy_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No proxy at all: a mail server where the proxy should be."""
    writer.write(b"220 mail.example.test ESMTP\r\n")
    await reader.read(65536)
    writer.write(b"502 5.5.2 Error: command not recognized\r\n")
    await writer.drain()
    await asyncio.sleep(_FOR_EVER)


def box(objects: Callable[[bytes], bool]) -> Odd:
    """A box before the genuine server that resets what it objects to in the first segment."""

    async def stand_between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        if objects(first):
            _reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(*GENUINE)
        far_writer.write(first)
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    return stand_between


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: without lingering, nothing is said but that."""
    pipe = writer.get_extra_info("socket")
    pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _offers_tls_1_3(hello: bytes) -> bool:
    """The extension supported_versions (43) is there, and lists 0x0304 (RFC 8446 section 4.2.1)."""
    return b"\x00\x2b" in hello and b"\x03\x04" in hello[hello.find(b"\x00\x2b") :][:12]


async def _whole_hello(reader: asyncio.StreamReader) -> bytes:
    """The first TLS record, however many segments it takes; what is no TLS, as it came."""
    data = await reader.read(65536)
    while data[:1] == b"\x16" and len(data) < 5 + int.from_bytes(data[3:5], "big"):
        if not (more := await reader.read(65536)):
            break
        data += more
    return data


def gate(objects: Callable[[bytes], bool], *, silent: bool = False) -> Odd:
    """A box or balancer that reads the whole hello first, and closes (or waits) if it objects."""

    async def stand_between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await _whole_hello(reader)
        if objects(first):
            if silent:
                await keep_silent(reader, writer)
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(*GENUINE)
        far_writer.write(first)
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    return stand_between


async def think(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The genuine server, overloaded or behind a satellite: every first answer takes its time."""
    first = await _whole_hello(reader)
    await asyncio.sleep(1.6)
    far_reader, far_writer = await asyncio.open_connection(*GENUINE)
    far_writer.write(first)
    await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))


def _server_name(hello: bytes) -> str:
    """The host_name of server_name (RFC 6066 section 3) below acronis.com, by its length field."""
    end = hello.find(b"acronis.com") + len(b"acronis.com")
    for size in range(11, min(end - 1, 250)):
        if hello[end - size - 2 : end - size] == size.to_bytes(2, "big"):
            return hello[end - size : end].decode()
    return ""


def _is_lost(hello: bytes) -> bool:
    """For a host of the data centre, and not for a name below it: its server is down."""
    name = _server_name(hello)
    return name.endswith("-cloud.acronis.com") and name.count(".") == 2


def _first(count: int) -> Callable[[bytes], bool]:
    """What names a host is refused so many times, as when most servers of a pool are down."""
    left = itertools.count(count, -1)
    return lambda hello: _server_name(hello).endswith("acronis.com") and next(left) > 0


async def object_to_names(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A filter that says so: access_denied(49), as far as a host of the vendor is named."""
    first = await _whole_hello(reader)
    if _server_name(first).endswith("acronis.com"):
        writer.write(b"\x15\x03\x03\x00\x02\x02\x31")
        await writer.drain()
        writer.close()
        return
    far_reader, far_writer = await asyncio.open_connection(*GENUINE)
    far_writer.write(first)
    await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))


KINDS: dict[str, Odd] = {
    "close": close_at_once,
    "reset": reset_at_once,
    "silent": keep_silent,
    "drip": drip,
    "ssh": speak_ssh,
    "half": close_in_the_middle,
    "mail": answer_in_proxy_words,
    "no-tls-1.3": box(_offers_tls_1_3),
    "no-tls": box(lambda first: first[:1] == b"\x16"),
    "slow": think,
    "name-filter-with-alert": object_to_names,
    "lost-server": gate(_is_lost),
    "lost-server-silent": gate(_is_lost, silent=True),
    "domain-filter": gate(lambda hello: _server_name(hello).endswith("acronis.com")),
    "pool-mostly-down": gate(_first(4)),
}


# Answers of a resolver that has none (RFC 1035 section 4.1.1): RCODE.
RESOLVERS = {"servfail": 2, "refused": 5}


class _Resolver(asyncio.DatagramProtocol):
    """Answers every question with the same failure."""

    def __init__(self, code: int) -> None:
        self._code = code
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # The question's header with QR set, and nothing behind the question.
        head = data[:2] + bytes([data[2] | 0x80, 0x80 | self._code]) + data[4:6] + bytes(6)
        end = data.index(b"\0", 12) + 5
        if self._transport is not None:
            self._transport.sendto(head + data[12:end], addr)


async def _serve(places: list[str]) -> None:
    servers = []
    for place in places:
        kind, address, port = place.split("@")[0], *place.split("@")[1].split(":")
        if kind in RESOLVERS:
            await _answer_names(RESOLVERS[kind], address, int(port))
            continue
        servers.append(await asyncio.start_server(_guarded(KINDS[kind]), address, int(port)))
    await asyncio.gather(asyncio.sleep(_FOR_EVER), *(s.serve_forever() for s in servers))


async def _answer_names(code: int, address: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Resolver(code), local_addr=(address, port))


def _guarded(odd: Odd) -> Odd:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await odd(reader, writer)

    return serve


def main() -> None:
    """Serve ``kind@address:port`` for each argument, until ended."""
    asyncio.run(_serve(sys.argv[1:]))


if __name__ == "__main__":
    main()
