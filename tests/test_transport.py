"""Names, sockets, redirections: the one module that touches the network."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import platform
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import peers
import pytest
from peers import ScriptedNetwork, Stream, on_loopback

from diagnoser.errors import NameLookupFailed, NameNotFound, UsageError
from diagnoser.model import Address, Condition, Measured, TcpFlow
from diagnoser.probing import (
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    flows,
    parse_redirection,
    system_vantage,
    transport,
)
from diagnoser.probing.conditions import condition_of


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (socket.EAI_NONAME, NameNotFound),
        (-5, NameNotFound),
        (11001, NameNotFound),
        (11004, NameNotFound),
        (socket.EAI_AGAIN, NameLookupFailed),
        (socket.EAI_FAIL, NameLookupFailed),
        (11002, NameLookupFailed),
    ],
)
def test_the_resolver_s_code_decides_and_is_kept(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[OSError]
) -> None:
    def fails(*_args: object, **_named: object) -> None:
        raise socket.gaierror(code, "text that must not matter: Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(kind) as caught:
        asyncio.run(SystemNetwork().resolve("rs-us5-cloud.acronis.com", 8443))
    assert caught.value.errno == code


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "a\0b"])
def test_a_text_that_cannot_be_a_name_is_not_found(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.undo()  # the real resolver: it refuses these before anything is sent
    with pytest.raises(NameNotFound):
        asyncio.run(SystemNetwork().resolve(host, 443))


def test_all_addresses_of_both_families_in_order_once_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows(*_args: object, **_named: object) -> list[Any]:
        four = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{i}", 443)) for i in range(30)]
        six = (socket.AF_INET6, 1, 6, "", ("2001:db8::1", 443, 0, 0))
        return [six, four[0], four[0], *four]

    monkeypatch.setattr(socket, "getaddrinfo", rows)
    found = asyncio.run(SystemNetwork().resolve("many.example", 443))
    assert found[:3] == (
        Address("2001:db8::1", 443),
        Address("192.0.2.0", 443),
        Address("192.0.2.1", 443),
    )
    assert len(found) == 16


def test_an_address_literal_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")
    found = asyncio.run(SystemNetwork().resolve("2001:DB8::1", 443))
    assert found == (Address("2001:db8::1", 443),)


def test_a_hanging_resolver_delays_neither_the_loop_nor_the_end_of_the_process() -> None:
    script = textwrap.dedent("""
        import asyncio, socket, time
        from diagnoser.probing import SystemNetwork
        socket.getaddrinfo = lambda *a, **n: time.sleep(60)
        async def main():
            try:
                await SystemNetwork().resolve("silent.example", 443, 0.2)
            except TimeoutError as error:
                print("gave up", error.errno)
        asyncio.run(main())
    """)
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "gave up None\n", "")
    assert time.monotonic() - begun < 10


def test_bytes_pass_and_the_end_of_the_stream_is_empty() -> None:
    async def echo(stream: Stream) -> None:
        await stream.write(await stream.read())

    async def main() -> tuple[bytes, bytes]:
        async with on_loopback(echo) as port:
            connection = await SystemNetwork().connect(Address("127.0.0.1", port))
            await connection.send(b"hello")
            try:
                return await connection.receive(100), await connection.receive(100)
            finally:
                connection.abort()
                connection.abort()

    assert asyncio.run(main()) == (b"hello", b"")


class _Listener:
    """A talk that says ``first``, answers with ``answer``, and is over with the last of ``wanted``
    bytes."""

    answer = b""

    def __init__(self, first: bytes, wanted: int, *, seconds: float = 20.0) -> None:
        self.first, self.wanted = first, wanted
        self.heard = b""
        self.deadline = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return len(self.heard) >= self.wanted

    def begin(self) -> bytes:
        return self.first

    def hear(self, data: bytes) -> bytes:
        self.heard += data
        return self.answer


async def _carried(peer: peers.Peer, talk: _Listener, *, pause: float = 0.0) -> bool:
    async with on_loopback(peer) as port:
        connection = await SystemNetwork().connect(Address("127.0.0.1", port))
        try:
            await asyncio.sleep(pause)
            return await connection.carry(talk)
        finally:
            connection.abort()


def test_a_talk_is_carried_until_it_is_over() -> None:
    async def counts(stream: Stream) -> None:
        heard = await stream.read()
        while heard != b"done":
            await stream.write(heard)
            heard = await stream.read()
        await stream.write(b"bye")

    class Three(_Listener):
        def hear(self, data: bytes) -> bytes:
            super().hear(data)
            return b"done" if self.heard.count(b"ping") == 3 else b"ping"

    talk = Three(b"ping", len(b"pingpingping") + len(b"bye"))
    assert asyncio.run(_carried(counts, talk)) is True
    assert talk.heard == b"pingpingpingbye"


def test_what_came_before_the_talk_is_heard_after_its_first_words() -> None:
    talk = _Listener(b"hello", 5)
    assert asyncio.run(_carried(peers.says(b"early", first=True), talk, pause=0.1)) is True
    assert talk.heard == b"early"


def test_a_stream_that_ends_before_the_talk_is_over_is_no_error() -> None:
    talk = _Listener(b"hello", 100)
    assert asyncio.run(_carried(peers.says(b"part"), talk)) is False
    assert talk.heard == b"part"


def test_a_talk_ends_at_its_deadline_and_one_that_hearing_has_moved() -> None:
    class Hasty(_Listener):
        def hear(self, data: bytes) -> bytes:
            self.deadline = time.monotonic() + 0.1
            return super().hear(data)

    async def drips(stream: Stream) -> None:
        await stream.read()
        await stream.write(b"x")
        await asyncio.sleep(30)

    for peer, talk in ((peers.silent, _Listener(b"x", 9, seconds=0.2)), (drips, Hasty(b"x", 9))):
        begun = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(_carried(peer, talk))
        assert caught.value.errno is None
        assert time.monotonic() - begun < 5


def test_what_a_peer_said_before_it_hung_up_is_heard_although_nothing_can_be_sent() -> None:
    """Its last words lie there still, an alert perhaps: a write that fails must not take them
    along."""
    has_heard, hung_up = threading.Event(), threading.Event()

    def serve(server: socket.socket) -> None:
        pipe, _ = server.accept()
        pipe.recv(100)
        pipe.sendall(b"flight")
        assert has_heard.wait(10)
        pipe.sendall(b"alert")
        pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pipe.close()
        hung_up.set()

    class Slow(_Listener):
        answer = b"Finished"

        def hear(self, data: bytes) -> bytes:
            if not self.heard:
                # Meanwhile the peer speaks and is gone.
                has_heard.set()
                assert hung_up.wait(10)
            return super().hear(data)

    async def main(port: int, talk: Slow) -> None:
        connection = await SystemNetwork().connect(Address("127.0.0.1", port))
        try:
            await connection.carry(talk)
        finally:
            connection.abort()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        talk = Slow(b"hello", 100)
        with pytest.raises(ConnectionResetError):
            asyncio.run(main(server.getsockname()[1], talk))
    assert talk.heard == b"flightalert"


def test_bytes_keep_their_order_when_the_system_takes_them_slowly() -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(4_000_000))
    got = bytearray()
    is_full, is_drained = threading.Event(), threading.Event()

    def serve(server: socket.socket) -> None:
        pipe, _ = server.accept()
        with pipe:
            assert is_full.wait(10)
            pipe.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                while data := pipe.recv(1_000_000):
                    got.extend(data)
            is_drained.set()
            pipe.settimeout(10)
            while len(got) < len(sent) and (data := pipe.recv(1_000_000)):
                got.extend(data)
            pipe.sendall(b"all")

    async def main(port: int) -> bytes:
        connection = await SystemNetwork().connect(Address("127.0.0.1", port))
        try:
            await connection.send(sent[:-100])
            is_full.set()
            # Not awaited: what is left of the first part must not get the room that is free now.
            assert is_drained.wait(10)
            await connection.send(sent[-100:])
            async with asyncio.timeout(20):
                return await connection.receive(10)
        finally:
            connection.abort()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        assert asyncio.run(main(server.getsockname()[1])) == b"all"
    assert bytes(got) == sent


def test_a_flood_that_nobody_asks_for_is_not_kept() -> None:
    poured = 0

    async def pours(stream: Stream) -> None:
        nonlocal poured
        while True:
            await stream.write(b"x" * 65536)
            poured += 65536

    async def main() -> tuple[int, bytes]:
        async with on_loopback(pours) as port:
            connection = await SystemNetwork().connect(Address("127.0.0.1", port))
            assert isinstance(connection, transport.SystemConnection)
            try:
                await asyncio.sleep(0.5)
                kept, before = len(connection._arrived), poured
                await asyncio.sleep(0.2)
                assert poured == before
                got = b""
                async with asyncio.timeout(20):
                    while len(got) < 8_000_000:
                        got += await connection.receive(65536)
                return kept, got
            finally:
                connection.abort()

    kept, got = asyncio.run(main())
    assert 64 * 1024 < kept <= (320 if sys.platform == "win32" else 80) * 1024
    assert set(got) == {ord("x")}


def test_a_talk_that_fails_ends_the_waiting_with_its_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(_Listener):
        def hear(self, data: bytes) -> bytes:
            raise ZeroDivisionError(data)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(_carried(peers.says(b"x"), Broken(b"hello", 9)))
    assert not caplog.records


async def _flow_after(data: bytes) -> TcpFlow | None:
    async with on_loopback(peers.silent) as port:
        connection = await SystemNetwork().connect(Address("127.0.0.1", port))
        try:
            await connection.send(data)
            await asyncio.sleep(0.05)
            assert isinstance(connection, Measured)
            return connection.flow()
        finally:
            connection.abort()


@pytest.mark.skipif(platform.system() != "Linux", reason="TCP_INFO as Linux has it")
def test_the_kernel_tells_what_became_of_the_bytes() -> None:
    flow = asyncio.run(_flow_after(b"x" * 352))
    assert flow is not None
    # The SYN counts as one (RFC 9293 section 3.4).
    assert (flow.bytes_acknowledged, flow.unacknowledged) == (353, 0)
    assert (flow.retransmitted, flow.selectively_acknowledged) == (0, 0)


@pytest.mark.skipif(platform.system() != "Linux", reason="TCP_INFO as Linux has it")
def test_what_became_of_the_bytes_is_known_of_a_connection_that_is_gone() -> None:
    def serve(server: socket.socket) -> None:
        pipe, _ = server.accept()
        pipe.recv(100)
        pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        pipe.close()

    async def main(port: int) -> TcpFlow | None:
        connection = await SystemNetwork().connect(Address("127.0.0.1", port))
        try:
            await connection.send(b"x" * 100)
            with pytest.raises(ConnectionResetError):
                await connection.receive(100)
            await asyncio.sleep(0.05)
            assert isinstance(connection, Measured)
            return connection.flow()
        finally:
            connection.abort()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        flow = asyncio.run(main(server.getsockname()[1]))
    assert flow is not None
    assert flow.bytes_acknowledged == 101


def test_where_the_kernel_tells_nothing_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert asyncio.run(_flow_after(b"x")) is None


@pytest.mark.parametrize(("length", "known"), [(0, False), (127, False), (128, True), (232, True)])
def test_an_older_kernel_tells_less(length: int, known: bool) -> None:
    flow = flows.read_flow(bytes(length))
    assert (flow is not None) is known
    if flow is not None:
        assert flow.out_of_order == (0 if length >= 228 else None)


def test_a_closed_port_raises_its_errno() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError) as caught:  # noqa: PT011  (the errno is asserted)
            asyncio.run(SystemNetwork().connect(address))
    assert caught.value.errno == errno.ECONNREFUSED


def test_an_address_that_stays_silent_ends_with_the_time_limit() -> None:
    """A full backlog answers no further SYN (listen(2))."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = Address("127.0.0.1", server.getsockname()[1])
        for _ in range(4):
            filler = opened.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address.host, address.port))
        begun = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(SystemNetwork().connect(address, 0.3))
    assert 0.2 < time.monotonic() - begun < 5
    assert caught.value.errno is None
    assert condition_of(caught.value) is Condition.CONNECTION_TIMED_OUT


@pytest.mark.parametrize(
    ("number", "condition"),
    [
        (errno.ECONNREFUSED, Condition.CONNECTION_REFUSED),
        (10061, Condition.CONNECTION_REFUSED),
        (1225, Condition.CONNECTION_REFUSED),
        (errno.ETIMEDOUT, Condition.CONNECTION_TIMED_OUT),
        (10060, Condition.CONNECTION_TIMED_OUT),
        (errno.EHOSTUNREACH, Condition.NETWORK_UNREACHABLE),
        (errno.ENETUNREACH, Condition.NETWORK_UNREACHABLE),
        (10051, Condition.NETWORK_UNREACHABLE),
        (10065, Condition.NETWORK_UNREACHABLE),
        (errno.EACCES, Condition.NETWORK_UNREACHABLE),
        (errno.EPERM, Condition.NETWORK_UNREACHABLE),
        (10013, Condition.NETWORK_UNREACHABLE),
        (errno.ECONNRESET, Condition.CONNECTION_RESET),
        (errno.EPIPE, Condition.CONNECTION_RESET),
        (10054, Condition.CONNECTION_RESET),
        (errno.EMFILE, Condition.UNCLASSIFIED),
    ],
)
def test_a_number_is_one_condition_whatever_the_text(number: int, condition: Condition) -> None:
    assert condition_of(OSError(number, "Connection refused")) is condition


LOOPBACK = socket.if_nameindex()[0]


def windows_error(number: int, kind: type[OSError] = OSError) -> OSError:
    """As Windows raises it: EINVAL is the errno of every number that C does not know."""

    class WindowsError(kind):  # type: ignore[misc, valid-type]
        winerror = number

    return WindowsError(errno.EINVAL, "x")


@pytest.mark.parametrize(
    ("number", "condition"),
    [
        (1225, Condition.CONNECTION_REFUSED),
        (10061, Condition.CONNECTION_REFUSED),
        (1234, Condition.CONNECTION_REFUSED),
        (121, Condition.CONNECTION_TIMED_OUT),
        (1460, Condition.CONNECTION_TIMED_OUT),
        (10060, Condition.CONNECTION_TIMED_OUT),
        (64, Condition.CONNECTION_RESET),
        (995, Condition.CONNECTION_RESET),
        (1236, Condition.CONNECTION_RESET),
        (10052, Condition.CONNECTION_RESET),
        (10054, Condition.CONNECTION_RESET),
        (1226, Condition.CONNECTION_CLOSED),
        (10101, Condition.CONNECTION_CLOSED),
        (1231, Condition.NETWORK_UNREACHABLE),
        (10065, Condition.NETWORK_UNREACHABLE),
        (5, Condition.NETWORK_UNREACHABLE),
        (10013, Condition.NETWORK_UNREACHABLE),
        # Numbers of which nothing is known: what stands beside them as errno says nothing.
        (59, Condition.UNCLASSIFIED),
        (1233, Condition.UNCLASSIFIED),
        (10022, Condition.UNCLASSIFIED),
        (10055, Condition.UNCLASSIFIED),
    ],
)
def test_the_windows_number_comes_before_errno(number: int, condition: Condition) -> None:
    assert condition_of(windows_error(number)) is condition


@pytest.mark.skipif(platform.system() != "Linux", reason="numbers of Linux")
@pytest.mark.parametrize("number", [64, 121])
def test_a_number_of_windows_is_no_errno(number: int) -> None:
    """ENONET and EREMOTEIO here; 64 is EHOSTDOWN on macOS."""
    assert condition_of(OSError(number, "x")) is Condition.UNCLASSIFIED


def test_a_class_outlives_its_number() -> None:
    assert condition_of(ConnectionResetError()) is Condition.CONNECTION_RESET
    assert condition_of(ConnectionRefusedError()) is Condition.CONNECTION_REFUSED


@pytest.mark.parametrize(
    ("host", "form"),
    [
        ("192.0.2.1", ("192.0.2.1", 443)),
        ("2001:db8::1", ("2001:db8::1", 443, 0, 0)),
        ("fe80::1%7", ("fe80::1", 443, 0, 7)),
        (f"fe80::1%{LOOPBACK[1]}", ("fe80::1", 443, 0, LOOPBACK[0])),
        ("fe80::1%gone", ("fe80::1", 443, 0, 0)),
    ],
)
def test_an_address_has_all_parts_that_windows_wants(host: str, form: tuple[object, ...]) -> None:
    """Windows' event loop takes two parts for IPv4: it fails with 10022 (seen)."""
    assert transport._system_form(Address(host, 443)) == form


def test_ipv6_connects_on_loopback() -> None:
    async def main() -> bytes:
        try:
            server = await asyncio.start_server(lambda _, writer: writer.close(), "::1", 0)
        except OSError:
            pytest.skip("no IPv6 on this machine")
        async with server:
            port = server.sockets[0].getsockname()[1]
            connection = await SystemNetwork().connect(Address("::1", port))
            try:
                return await connection.receive(10)
            finally:
                connection.abort()

    assert asyncio.run(main()) == b""


@pytest.mark.parametrize(
    ("place", "host"),
    [
        (("192.0.2.1", 443), "192.0.2.1"),
        (("2001:db8::1", 443, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 443, 0, 2), "fe80::1%eth0"),
        (("fe80::1", 443, 0, 2), "fe80::1%2"),
    ],
)
def test_a_zone_that_stands_beside_the_address_is_kept(place: tuple[Any, ...], host: str) -> None:
    assert transport._with_zone(place) == host


def test_a_redirection_leads_elsewhere_and_leaves_others_alone() -> None:
    network = ScriptedNetwork({"127.0.0.1": ("127.0.0.1",), "b.example": ("192.0.2.2",)}, {})
    led = RedirectedNetwork(network, [parse_redirection("A.example.:8443:127.0.0.1:9443")])
    assert asyncio.run(led.resolve("a.example", 8443)) == (Address("127.0.0.1", 9443),)
    assert asyncio.run(led.resolve("b.example", 8443)) == (Address("192.0.2.2", 8443),)
    with pytest.raises(NameNotFound):
        asyncio.run(led.resolve("a.example", 443))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a.example:443:127.0.0.1:8443", Redirection("a.example", 443, "127.0.0.1", 8443)),
        ("[2001:db8::1]:443:[::1]:8443", Redirection("2001:db8::1", 443, "::1", 8443)),
        ("::127.0.0.1:", Redirection(None, None, "127.0.0.1", None)),
        (":44445::9999", Redirection(None, 44445, None, 9999)),
    ],
)
def test_redirections_are_written_as_for_curl(text: str, meant: Redirection) -> None:
    assert parse_redirection(text) == meant


@pytest.mark.parametrize(
    "text", ["", "a:1", "a:1:b", "a:x:b:2", "a:0:b:2", "a:1:b:65536", "a:1:::1:2"]
)
def test_a_bad_redirection_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"HOST:PORT:ADDRESS:PORT|1 to 65535"):
        parse_redirection(text)


def test_the_vantage_names_machine_system_and_roots() -> None:
    vantage = system_vantage()
    assert vantage.hostname == socket.gethostname()
    assert vantage.system
    assert vantage.trust_store


def test_no_test_can_leave_this_machine() -> None:
    with pytest.raises(OSError, match="a test connects"):
        asyncio.run(SystemNetwork().connect(Address("192.0.2.1", 443)))
    with pytest.raises(OSError, match="a test resolves"):
        asyncio.run(SystemNetwork().resolve("www.example.com", 443))
