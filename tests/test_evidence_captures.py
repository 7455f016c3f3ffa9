"""The packet reader against hostile bytes, and captures that are written here packet by packet."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable

import pki
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.diagnosis import judge
from diagnoser.errors import InputError
from diagnoser.evidence import Kind, connections, detect, read_capture
from diagnoser.evidence.connections import MOST_CONNECTIONS, Book
from diagnoser.evidence.packets import Segment, read_packets
from diagnoser.evidence.records import TlsSide
from diagnoser.model import Case, Condition, Endpoint, ProbeResult, Role, Stage, Transport
from diagnoser.probing import Trust

AGENT, SERVER = ("10.9.8.7", 50001), ("203.0.113.7", 44445)
SYN, SYN_ACK, ACK, RST_ACK, FIN_ACK = 2, 18, 16, 20, 17


def address(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def tcp(
    source: tuple[str, int], target: tuple[str, int], flags: int, sequence: int, data: bytes = b""
) -> bytes:
    head = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, 0, 0x50, flags, 8192, 0, 0)
    return ipv4(source[0], target[0], 6, head + data)


def ipv4(source: str, target: str, protocol: int, body: bytes) -> bytes:
    size = 20 + len(body)
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, protocol, 0)
    return head + address(source) + address(target) + body


def udp(source: tuple[str, int], target: tuple[str, int], data: bytes) -> bytes:
    head = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0)
    return ipv4(source[0], target[0], 17, head + data)


def dns(name: str, rcode: int | None = None) -> bytes:
    flags = 0x0100 if rcode is None else 0x8180 | rcode
    labels = b"".join(bytes((len(x),)) + x.encode() for x in name.split("."))
    return struct.pack(">HHHHHH", 7, flags, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def pcap(*packets: tuple[float, bytes], link: int = 101) -> bytes:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for at, data in packets:
        out += struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(data), len(data)) + data
    return out


def pcapng(*packets: tuple[float, bytes]) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        size = 12 + len(body)
        return struct.pack("<II", kind, size) + body + struct.pack("<I", size)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 101, 0, 65535))
    for at, data in packets:
        ticks = int(at * 1e6)
        head = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out += block(6, head + data + b"\0" * (-len(data) % 4))
    return out


def read(data: bytes, *wanted: Endpoint) -> tuple[ProbeResult, ...]:
    return read_capture(io.BytesIO(data), "lab.pcapng", None, wanted)


def hello(server_name: str) -> bytes:
    name = server_name.encode()
    extension = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    body = (
        b"\3\3" + b"\0" * 32 + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(extension))
    )
    body += extension
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def opened(*more: tuple[float, bytes]) -> list[tuple[float, bytes]]:
    return [
        (100.0, tcp(AGENT, SERVER, SYN, 10)),
        (100.1, tcp(SERVER, AGENT, SYN_ACK, 900)),
        (100.2, tcp(AGENT, SERVER, ACK, 11, hello("baas-fes-us5.acronis.com"))),
        *more,
    ]


SITUATIONS = {
    "port-closed": [(100.0, tcp(AGENT, SERVER, SYN, 10)), (100.1, tcp(SERVER, AGENT, RST_ACK, 0))],
    "port-filtered": [(100.0 + n, tcp(AGENT, SERVER, SYN, 10)) for n in (0, 1, 3)],
    "network-unreachable": [
        (100.0, tcp(AGENT, SERVER, SYN, 10)),
        (
            100.1,
            ipv4("10.9.8.1", AGENT[0], 1, b"\3\x0d\0\0\0\0\0\0" + tcp(AGENT, SERVER, SYN, 10)[:28]),
        ),
    ],
    "handshake-blocked": opened((100.3, tcp(SERVER, AGENT, RST_ACK, 901))),
    "handshake-stalled": opened((104.0, tcp(AGENT, SERVER, FIN_ACK, 11))),
    "not-tls": opened((100.3, tcp(SERVER, AGENT, ACK, 901, b"HTTP/1.1 403 Forbidden\r\n\r\n"))),
    "protocol-too-old": opened((100.3, tcp(SERVER, AGENT, ACK, 901, b"\x15\3\3\0\2\2\x46"))),
    "name-not-found": [
        (100.0, udp(AGENT, ("10.9.8.1", 53), dns("baas-fes-us5.acronis.com"))),
        (100.1, udp(("10.9.8.1", 53), AGENT, dns("baas-fes-us5.acronis.com", 3))),
    ],
    "name-lookup-failed": [
        (100.0, udp(AGENT, ("10.9.8.1", 53), dns("baas-fes-us5.acronis.com"))),
        (106.0, udp(AGENT, ("10.9.8.1", 53), dns("other.example"))),
    ],
}


@pytest.mark.parametrize("wrap", [pcap, pcapng])
@pytest.mark.parametrize("cause", SITUATIONS)
def test_each_situation_reaches_its_cause(cause: str, wrap: object) -> None:
    make = pcap if wrap is pcap else pcapng
    data = make(*SITUATIONS[cause])
    assert detect(data) is Kind.CAPTURE
    assert detect(gzip.compress(data)) is Kind.CAPTURE
    (probe,) = read(data)
    verdict = judge(Case(None, (probe.endpoint,), (probe,))).cause
    assert verdict is not None
    assert verdict.rule == cause
    assert probe.endpoint.port == 44445


def test_a_proxy_that_refuses_is_told_by_its_status() -> None:
    proxy = ("10.9.8.2", 3128)
    request = b"CONNECT baas-fes-us5.acronis.com:44445 HTTP/1.1\r\n\r\n"
    (probe,) = read(
        pcap(
            (100.0, tcp(AGENT, proxy, SYN, 10)),
            (100.1, tcp(proxy, AGENT, SYN_ACK, 900)),
            (100.2, tcp(AGENT, proxy, ACK, 11, request)),
            (100.3, tcp(proxy, AGENT, ACK, 901, b"HTTP/1.1 403 Forbidden\r\n\r\n")),
        )
    )
    assert str(probe.endpoint) == "baas-fes-us5.acronis.com:44445"
    assert probe.proxy == "10.9.8.2:3128"
    stage = probe.stage(Stage.TUNNEL)
    assert (stage.condition, stage.error) == (Condition.TUNNEL_REFUSED, 403)


def test_segments_out_of_order_and_repeated_make_one_hello() -> None:
    first, second = hello("baas-fes-us5.acronis.com")[:40], hello("baas-fes-us5.acronis.com")[40:]
    (probe,) = read(
        pcap(
            (100.0, tcp(AGENT, SERVER, SYN, 10)),
            (100.1, tcp(SERVER, AGENT, SYN_ACK, 900)),
            (100.2, tcp(AGENT, SERVER, ACK, 51, second)),
            (100.3, tcp(AGENT, SERVER, ACK, 11, first)),
            (100.4, tcp(AGENT, SERVER, ACK, 11, first)),
            (100.5, tcp(SERVER, AGENT, ACK, 901, b"\x15\3\3\0\2\2\x28")),
        )
    )
    assert probe.endpoint.server_name == "baas-fes-us5.acronis.com"
    assert probe.stage(Stage.HANDSHAKE).error == 40


def test_other_peoples_traffic_is_left_alone_unless_the_error_names_it() -> None:
    server = ("198.51.100.4", 9999)
    data = pcap((100.0, tcp(AGENT, server, SYN, 1)), (100.1, tcp(server, AGENT, RST_ACK, 0)))
    assert read(data) == ()
    wanted = Endpoint("198.51.100.4", 9999, Role.UNKNOWN, None, False, Transport.TLS)
    (probe,) = read(data, wanted)
    assert probe.stage(Stage.CONNECT).condition is Condition.CONNECTION_REFUSED


def test_what_is_no_capture_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError) as refused:
        read(b"not a capture at all")
    assert refused.value.hint


REFUSED = SITUATIONS["port-closed"]


def ethernet(*tags: int) -> Callable[[bytes], bytes]:
    marks = b"".join(struct.pack(">HH", tag, 7) for tag in tags)
    return lambda packet: b"\2" * 12 + marks + b"\x08\0" + packet


# LINKTYPE numbers and layouts of tcpdump.org/linktypes.html.
LINKS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "ethernet": (1, ethernet()),
    "vlan": (1, ethernet(0x8100)),
    "vlan-in-vlan": (1, ethernet(0x88A8, 0x8100)),
    "pppoe": (1, lambda p: b"\2" * 12 + b"\x88\x64" + b"\x11\0\0\1\0\0\0\x21" + p),
    "cooked": (113, lambda p: struct.pack(">HHH8sH", 4, 1, 6, b"\2" * 6, 0x0800) + p),
    "cooked-2": (276, lambda p: struct.pack(">HHIHBB8s", 0x0800, 0, 2, 1, 4, 6, b"\2" * 6) + p),
    "raw": (101, lambda p: p),
    "raw-ipv4": (228, lambda p: p),
    "null-little": (0, lambda p: b"\2\0\0\0" + p),
    "null-big": (0, lambda p: b"\0\0\0\2" + p),
    "loop": (108, lambda p: b"\0\0\0\2" + p),
}


def refused(data: bytes) -> float:
    """Asserts that the capture shows the refusal of the port, and tells when it was asked."""
    (probe,) = read(data)
    assert str(probe.endpoint) == "203.0.113.7:44445"
    assert probe.stage(Stage.CONNECT).condition is Condition.CONNECTION_REFUSED
    assert probe.stage(Stage.CONNECT).detail == "RST from 203.0.113.7"
    return probe.at.timestamp()


@pytest.mark.parametrize("name", LINKS)
def test_every_link_type_is_read(name: str) -> None:
    link, frame = LINKS[name]
    refused(pcap(*((at, frame(p)) for at, p in REFUSED), link=link))


@pytest.mark.parametrize(
    ("magic", "order", "unit"),
    [
        (0xA1B2C3D4, "<", 1e6),
        (0xA1B2C3D4, ">", 1e6),
        (0xA1B23C4D, "<", 1e9),
        (0xA1B23C4D, ">", 1e9),
    ],
)
def test_both_byte_orders_and_nanoseconds_are_read(magic: int, order: str, unit: float) -> None:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 101)
    for _, data in REFUSED:
        out += struct.pack(order + "IIII", 1_795_000_000, int(0.25 * unit), len(data), len(data))
        out += data
    assert refused(out) == 1_795_000_000.25
    assert refused(gzip.compress(out)) == 1_795_000_000.25


def block(order: str, kind: int, body: bytes) -> bytes:
    size = 12 + len(body) + -len(body) % 4
    head = struct.pack(order + "II", kind, size)
    return head + body + b"\0" * (-len(body) % 4) + struct.pack(order + "I", size)


def section(order: str) -> bytes:
    comment = struct.pack(order + "HH", 1, 5) + b"lab 1\0\0\0" + b"\0" * 4
    magic = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(order, 0x0A0D0D0A, magic + comment)


def interface(order: str, link: int, resolution: int | None) -> bytes:
    options = struct.pack(order + "HH", 2, 3) + b"lo\0\0"
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    return block(order, 1, struct.pack(order + "HHI", link, 0, 65535) + options + b"\0" * 4)


def enhanced(order: str, number: int, ticks: int, data: bytes) -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, *[len(data)] * 2)
    comment = struct.pack(order + "HH", 1, 3) + b"SYN\0" + b"\0" * 4
    return block(order, 6, head + data + b"\0" * (-len(data) % 4) + comment)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_several_interfaces_and_resolutions_is_read(order: str) -> None:
    first, second = (data for _, data in REFUSED)
    out = section(order) + block(order, 4, b"\0" * 8)  # names, which are of no use here
    out += interface(order, 101, None) + interface(order, 1, 9) + interface(order, 113, 0x80 | 10)
    out += enhanced(order, 1, 1_795_000_000_250_000_000, ethernet(0x8100)(first))
    out += block(order, 5, b"\0" * 12)
    out += enhanced(order, 2, 1_795_000_001 * 1024, LINKS["cooked"][1](second))
    assert refused(out) == 1_795_000_000.25


@pytest.mark.parametrize("orders", ["<>", "><"])
def test_a_new_section_has_its_own_byte_order_and_interfaces(orders: str) -> None:
    first, second = (data for _, data in REFUSED)
    out = section(orders[0]) + interface(orders[0], 1, None)
    out += enhanced(orders[0], 0, 1_795_000_000_250_000, ethernet()(first))
    out += section(orders[1]) + interface(orders[1], 101, None)
    out += enhanced(orders[1], 0, 1_795_000_000_500_000, second)
    assert refused(out) == 1_795_000_000.25


def test_simple_packet_blocks_are_read() -> None:
    out = section("<") + interface("<", 101, None)
    for _, data in REFUSED:
        out += block("<", 3, struct.pack("<I", len(data)) + data)
    refused(out)


def test_ipv6_behind_extension_headers_is_read() -> None:
    ends = (
        bytes.fromhex("20010db8" + "00" * 11 + "01"),
        bytes.fromhex("20010db8" + "00" * 11 + "02"),
    )

    def packet(source: int, ports: tuple[int, int], flags: int, sequence: int) -> bytes:
        body = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 8192, 0, 0)
        hop = b"\x06\0" + b"\1\4\0\0\0\0" + body
        head = struct.pack(">IHBB", 6 << 28, len(hop), 0, 64) + ends[source] + ends[1 - source]
        return head + hop

    (probe,) = read(
        pcap((1.0, packet(0, (5000, 44445), SYN, 1)), (1.1, packet(1, (44445, 5000), RST_ACK, 0)))
    )
    assert str(probe.endpoint) == "[2001:db8::2]:44445"
    assert probe.stage(Stage.CONNECT).condition is Condition.CONNECTION_REFUSED


def test_the_login_for_a_proxy_is_never_kept() -> None:
    proxy = ("10.9.8.2", 3128)
    request = (
        b"CONNECT baas-fes-us5.acronis.com:44445 HTTP/1.1\r\n"
        b"Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==\r\n\r\n"
    )
    packets = [
        (100.0, tcp(AGENT, proxy, SYN, 10)),
        (100.1, tcp(proxy, AGENT, SYN_ACK, 900)),
        (100.2, tcp(AGENT, proxy, ACK, 11, request)),
        (100.3, tcp(proxy, AGENT, ACK, 901, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")),
    ]
    book = Book()
    for packet in read_packets(io.BytesIO(pcap(*packets))):
        book.note(packet)
    assert "c2Vjc" not in repr(book.all())
    (probe,) = read(pcap(*packets))
    stage = probe.stage(Stage.TUNNEL)
    assert (stage.condition, stage.error) == (Condition.PROXY_AUTHENTICATION_REQUIRED, 407)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_damage_breaks_the_reader(data: st.DataObject) -> None:
    packets = [p for situation in SITUATIONS.values() for p in situation]
    whole = bytearray((pcapng if data.draw(st.booleans()) else pcap)(*packets))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(24, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(24, len(whole)))])
    shown = gzip.compress(cut) if data.draw(st.booleans()) else cut
    for probe in read(shown):
        judge(Case(None, (probe.endpoint,), (probe,)))


@settings(deadline=None)
@given(
    st.sampled_from([0, 1, 12, 101, 108, 113, 228, 276]),
    st.lists(st.binary(max_size=120), max_size=8),
)
def test_no_frame_of_any_link_breaks_the_reader(link: int, frames: list[bytes]) -> None:
    list(read_packets(io.BytesIO(pcap(*((1.0, f) for f in frames), link=link))))


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_break_the_record_reader(parts: list[bytes]) -> None:
    side = TlsSide()
    for part in (b"\x16\3\1", *parts):
        side.feed(part)


def test_memory_is_bounded_by_the_number_of_connections() -> None:
    book = Book()
    for n in range(MOST_CONNECTIONS + 500):
        source = ((10 << 24 | n).to_bytes(4, "big"), 50000)
        book.note(Segment(float(n), source, (address(SERVER[0]), 443), 1, SYN, b"", False))
    assert len(book.all()) == MOST_CONNECTIONS
    assert book.forgotten == 500


def test_a_gzip_file_that_inflates_beyond_reason_ends_early() -> None:
    empty = struct.pack("<IIII", 1, 0, 0, 0) * (1 << 20)
    file = io.BytesIO(gzip.compress(pcap(*REFUSED) + empty * 12))
    (probe,) = read_capture(file, "bomb.pcap.gz")
    assert probe.stage(Stage.CONNECT).condition is Condition.CONNECTION_REFUSED
    # Of 200 MB no more is unpacked than a hundred times what was read.
    assert file.tell() < len(file.getvalue()) // 2


def test_memory_is_bounded_whatever_waits_for_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_HELD", 1_000_000)
    book = Book()
    for n in range(200):
        agent, server = ((10 << 24 | n).to_bytes(4, "big"), 50000), (address(SERVER[0]), 443)
        book.note(Segment(float(n), agent, server, 10, SYN, b"", False))
        book.note(Segment(n + 0.1, server, agent, 900, SYN_ACK, b"", False))
        # The first byte never comes, so everything behind it has to wait.
        for k in range(4):
            book.note(Segment(n + 0.2, server, agent, 902 + 9000 * k, ACK, bytes(8000), False))
    held = [c.down.held for c in book.all()]
    assert sum(held) <= 1_000_000
    assert held[-1] == 32_000
    assert held[0] == 0


def test_a_chain_of_tls_1_2_is_verified_against_the_public_bundle() -> None:
    server_hello = b"\2" + (38).to_bytes(3, "big") + b"\3\3" + b"\0" * 32 + b"\0\xc0\x2b\0"
    ders = [c.public_bytes(Encoding.DER) for c in pki.resigned_storage().sent]
    body = b"".join(len(d).to_bytes(3, "big") + d for d in ders)
    message = b"\x0b" + (len(body) + 3).to_bytes(3, "big") + len(body).to_bytes(3, "big") + body
    flight = server_hello + message + b"\x0e\0\0\0"
    record = b"\x16\3\3" + struct.pack(">H", len(flight)) + flight
    data = pcap(
        *opened(
            (100.3, tcp(SERVER, AGENT, ACK, 901, record[:700])),
            (100.4, tcp(SERVER, AGENT, ACK, 1601, record[700:])),
            (100.5, tcp(AGENT, SERVER, ACK, 11 + len(hello("baas-fes-us5.acronis.com")), b"\x15\3\3\0\2\2\x30")),
        )
    )  # fmt: skip
    trust = Trust(None, pki.public_root().pem, None)
    (probe,) = read_capture(io.BytesIO(data), "x", trust)
    verdict = judge(Case(None, (probe.endpoint,), (probe,))).cause
    assert verdict is not None
    assert verdict.rule == "tls-intercepted"
    assert probe.tls is not None
    assert probe.tls.client_certificate_requested is False
    assert [v.code for v in probe.tls.verify] != [0]


def two_addresses(*more: tuple[float, bytes]) -> list[tuple[float, bytes]]:
    """DNS gives the host two addresses; ``more`` is what comes of them."""
    name = "baas-fes-us5.acronis.com"
    answer = dns(name, 0)[:6] + b"\0\2" + dns(name, 0)[8:]
    for one in (SERVER[0], OTHER[0]):
        answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address(one)
    return [
        (99.0, udp(AGENT, ("10.9.8.1", 53), dns(name))),
        (99.1, udp(("10.9.8.1", 53), AGENT, answer)),
        *more,
    ]


OTHER, AGAIN = ("203.0.113.8", 44445), ("10.9.8.7", 50002)
FIRST_IS_LOST = [(100.0 + n, tcp(AGENT, SERVER, SYN, 10)) for n in (0, 1, 3)]
FIRST_REFUSES = SITUATIONS["port-closed"]


def second(at: float, server: tuple[str, int] = OTHER) -> list[tuple[float, bytes]]:
    return [
        (at, tcp(AGAIN, server, SYN, 70)),
        (at + 0.1, tcp(server, AGAIN, SYN_ACK, 800)),
        (at + 0.2, tcp(AGAIN, server, ACK, 71, hello("baas-fes-us5.acronis.com"))),
    ]


@pytest.mark.parametrize("first", [FIRST_IS_LOST, FIRST_REFUSES])
@pytest.mark.parametrize("at", [99.7, 100.3, 121.0, 228.0])
def test_a_dead_address_beside_one_that_answers_closes_no_port(
    first: list[tuple[float, bytes]], at: float
) -> None:
    (probe,) = read(pcap(*sorted(two_addresses(*first, *second(at)))))
    assert probe.stage(Stage.CONNECT).condition is Condition.MET
    assert {a.address: a.condition is Condition.MET for a in probe.addresses} == {
        SERVER[0]: False,
        OTHER[0]: True,
    }


def test_the_fault_of_the_address_that_answers_stands() -> None:
    broken = [*second(101.0), (101.5, tcp(OTHER, AGAIN, RST_ACK, 801))]
    (probe,) = read(pcap(*sorted(two_addresses(*FIRST_IS_LOST, *broken))))
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.CONNECTION_RESET


@pytest.mark.parametrize(
    "other",
    [
        # Nobody tried again; the other address is as dead; much later; the same address.
        [],
        [(101.0 + n, tcp(AGAIN, OTHER, SYN, 70)) for n in (0, 1, 3)],
        second(400.0),
        second(101.0, SERVER),
    ],
)
def test_a_dead_address_that_no_other_makes_good_closes_the_port(
    other: list[tuple[float, bytes]],
) -> None:
    (probe,) = read(pcap(*sorted(two_addresses(*FIRST_IS_LOST, *other))))
    assert probe.stage(Stage.CONNECT).condition is Condition.CONNECTION_TIMED_OUT
