"""Evidence from strangers: whatever it holds, it is read or refused, and accuses nobody for nothing.

Files are damaged, cut, lied in and stuffed with what speaks to terminals. No reader raises anything
but its one error, every report of what was read can be written, and none of it says a certificate
was forged where no certificate is.
"""

from __future__ import annotations

import io
import json
import re
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.diagnosis import judge
from diagnoser.errors import InputError
from diagnoser.evidence import (
    detect,
    join,
    read_capture,
    read_checks,
    read_report,
    read_transcripts,
)
from diagnoser.model import Case, Category, ProbeResult, Report, Vantage
from diagnoser.reading.encodings import decode
from diagnoser.reports import FORMATS, render

FILES = Path(__file__).parents[1] / "transcripts"
AT = datetime(2026, 11, 24, tzinfo=UTC)
TEXTS = [decode(p.read_bytes()) for p in sorted(FILES.glob("*.txt"))]
# Terminal escapes, overrides of the writing direction, NULs, and what reads as a separator.
NASTY = st.sampled_from(
    ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202e", "\u2066", "\u200b", "\0", "\r", "\x08",
     "\x85", "\u2028", "\x02", "\x03", "\x04", "\ufeff", "\U000e0041", "<script>", "```", "|"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["CONNECTED(00000003)", "Certificate chain", " 0 s:", " 1 s:", "   i:", "C = US, CN = x", "/CN=x",
     "verify error:num=19:", "depth=1 ", "-----BEGIN CERTIFICATE-----", "MIIB", "subject=", "issuer=",
     "-----END CERTIFICATE-----", "Server certificate", "---", "\n", "error:0A000410:", "  ", "\t",
     "connect:errno=111", "openssl s_client -connect ", "a.acronis.com:443", "=", "New, (NONE), ",
     "Verify return code: 0 (ok)", "Cipher is (NONE)", "SSL alert number 40", "openssl.exe : ", "+ ",
     "Acceptable client certificate CA names", "HTTP CONNECT failed: 407", "Start Time: 99999999999",
     "At line:1 char:1", "+ ~~~", "    + CategoryInfo : ", "no peer certificate available", "O=Fortinet",
     "SSL handshake has read 5 bytes and written 9 bytes", "Check for a.acronis.com 443 Ok", "99999999"]
)  # fmt: skip
PIECES = st.lists(st.one_of(WORDS, WORDS, NASTY, st.text(max_size=6)), max_size=40).map(" ".join)
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff]"
)


def written(cases: tuple[Case, ...]) -> None:
    """Asserts that every report of ``cases`` can be written, and that nothing in it acts."""
    report = Report("0", AT, Vantage("m", "s", "t"), tuple(map(judge, cases)))
    for number, form in enumerate(FORMATS):
        shown = render(report, form, ("en", "ja")[number % 2])
        assert UNSAFE.search(shown.replace("\n", "")) is None
        shown.encode()
        if form == "json":
            json.loads(shown, parse_constant=pytest.fail)


def accused(probe: ProbeResult) -> bool:
    cause = judge(Case(None, (probe.endpoint,), (probe,))).cause
    return cause is not None and cause.category is Category.MITM_CERTIFICATE


def has_no_certificate(probe: ProbeResult) -> bool:
    return probe.tls is None or not probe.tls.received_chain


@settings(deadline=None, max_examples=60)
@given(PIECES)
def test_a_transcript_of_any_pieces_is_read_and_written(text: str) -> None:
    detect(text.encode("utf-8", "surrogatepass"))
    probes = read_transcripts(text, "output3.txt", AT)
    assert not [p for p in probes if has_no_certificate(p) and accused(p)]
    checks = read_checks(text, "output3.txt")
    written(join((), probes, checks))


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(TEXTS), st.data())
def test_a_real_transcript_with_anything_in_it_is_read_and_written(
    text: str, data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(text)))
        rest = data.draw(st.integers(0, 200))
        text = text[:place] + data.draw(NASTY | WORDS) + text[place + rest :]
    probes = read_transcripts(text, "output3.txt", AT)
    assert not [p for p in probes if has_no_certificate(p) and accused(p)]
    written(join((), probes))


@settings(deadline=None, max_examples=30)
@given(st.lists(PIECES, min_size=2, max_size=2))
def test_a_distinguished_name_from_a_stranger_cannot_act(parts: list[str]) -> None:
    subject, issuer = (" ".join(p.split("\n")) for p in parts)
    text = f"CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = {subject}\n   i:CN = {issuer}\n---\n"
    written(join((), read_transcripts(text, "output3.txt", AT)))


# -- captures: packets of a few peers, in any order, with any flags and bytes


PEERS = st.sampled_from(
    [("10.9.8.7", 50001), ("203.0.113.7", 44445), ("10.9.8.2", 3128), ("10.9.8.1", 53)]
)
BYTES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"\x14\x03\x03\x00\x01\x01",
            b"\x17\x03\x03\x00\x01\x00",
            b"\x16\x03\x03\xff\xff\x0b\xff\xff\xff",
            b"CONNECT baas-fes-us5.acronis.com:99999999999 HTTP/1.1\r\n\r\n",
            b"CONNECT a\x1b[2J.acronis.com:443 HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 \x1b[2J\r\n\r\n",
            b"\0\7\x81\x80\0\1\0\1\0\0\0\0\x04eu2-\xc0\x0c",
            b"\0\7\x81\x83\0\1\0\0\0\0\0\0\3a\x1b[\7acronis\3com\0\0\1\0\1",
        ]
    ),
)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    source, target, data = draw(PEERS), draw(PEERS), draw(BYTES)
    ends = b"".join(bytes(map(int, p[0].split("."))) for p in (source, target))
    if 53 in (source[1], target[1]):
        protocol, body = 17, struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
    else:
        sequence = draw(st.sampled_from([0, 10, 11, 900, 901, 911, 2**31, 2**32 - 1]))
        flags = draw(st.sampled_from([2, 18, 16, 20, 4, 17, 0, 255]))
        protocol = 6
        body = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, 0, 0x50, flags, 8192, 0, 0)
        body += data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return head + ends + body


@settings(deadline=None, max_examples=120)
@given(st.lists(packets(), max_size=25), st.sampled_from([0, 1, 1_795_000_000, 2**32 - 1]))
def test_a_capture_of_any_packets_is_read_and_written(found: list[bytes], begun: int) -> None:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, data in enumerate(found):
        kept = len(data) - (number % 7 == 6) * 5
        moment = min(begun + number, 2**32 - 1)
        out += struct.pack("<IIII", moment, 0xFFFFFFFF * (number % 5 == 4), kept, len(data))
        out += data[:kept]
    probes = read_capture(io.BytesIO(out), "lab.pcap")
    assert not [p for p in probes if has_no_certificate(p) and accused(p)]
    written(join((), probes))


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([b"\xd4\xc3\xb2\xa1", b"\n\r\r\n", b"\x1f\x8b\x08\0", b""]),
    st.binary(max_size=300),
)
def test_bytes_that_begin_as_a_capture_are_read_or_refused(magic: bytes, rest: bytes) -> None:
    detect(magic + rest)
    try:
        read_capture(io.BytesIO(magic + rest), "x.pcap")
    except InputError as error:
        assert error.hint


# -- saved reports: right JSON, wrong everything


HUGE = st.sampled_from(
    [10**400, -(10**400), 2**63, -1, 0, 1e308, float("inf"), float("nan"), 1e-320]
)
VALUES = st.one_of(
    HUGE,
    NASTY,
    st.text(max_size=8),
    st.none(),
    st.booleans(),
    st.just("a" * 100_000),
    st.sampled_from([[], {}, [[]], {"": ""}, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
)


def saved() -> Any:
    text = decode((FILES / "openssl-3.0-fortinet.txt").read_bytes())
    cases = join((), read_transcripts(text, "output3.txt", AT))
    report = Report("0", AT, Vantage("m", "s", "t"), tuple(map(judge, cases)))
    return json.loads(render(report, "json", "en"))


SAVED = saved()


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [path, *(p for key, value in keys for p in places(value, (*path, key)))]


PLACES = [p for p in places(SAVED) if p and "verdicts" not in p]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_a_report_with_anything_anywhere_is_refused_or_judged(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    document = json.loads(json.dumps(SAVED))
    for path, value in changes:
        node = document
        for key in path[:-1]:
            if not isinstance(node, dict | list) or (isinstance(node, dict) and key not in node):
                break
            if isinstance(node, list) and not (isinstance(key, int) and key < len(node)):
                break
            node = node[key]
        else:
            if isinstance(node, dict) or (isinstance(node, list) and path[-1] < len(node)):
                node[path[-1]] = value
    try:
        cases = read_report(json.dumps(document), "report.json")
    except InputError as error:
        assert "report.json" in str(error)
        assert UNSAFE.search(str(error)) is None
    else:
        written(cases)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"schema":1,"cases":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"schema":1,"tool":{"name":"diagnoser"},"cases":' + '{"a":' * 50_000,
        '{"schema":' + "9" * 100_000 + "}",
        '{"schema":1,"cases":[{"count":' + "9" * 5_000 + "}]}",
        '{"schema":1e999}',
        '{"schema":NaN}',
        '{"schema":true,"cases":[]}',
        "\ud800",
        "",
    ],
    ids=lambda text: text[:24],
)
def test_deep_and_huge_documents_are_refused(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(InputError):
        read_report(text, "report.json")
    assert time.perf_counter() - begun < 5
