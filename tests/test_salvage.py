"""A system report whose upload was cut: what stands in front of the cut is read, the rest is told."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import diagnoser

from diagnoser.model import Skipped
from diagnoser.reading.archives import Source, expand
from diagnoser.reading.inflating import Damaged, Limits

NOISE = random.Random(5)


def text_of(size: int) -> bytes:
    """A text that does not pack well, so that a cut falls into it."""
    return b"".join(b"%032x\n" % NOISE.getrandbits(128) for _ in range(size // 33 + 1))


INNER = io.BytesIO()
with zipfile.ZipFile(INNER, "w") as made:
    made.writestr("deep.log", text_of(900))
MEMBERS = {
    "MMS/mms.0.log": text_of(3000),
    "empty.log": b"",
    "folder/": b"",
    "次.log": text_of(300),
    "inner.zip": INNER.getvalue(),
}
# What is read of the whole archive.
WHOLE = {n: d for n, d in MEMBERS.items() if n not in ("folder/", "inner.zip")}
WHOLE["inner.zip!/deep.log"] = zipfile.ZipFile(INNER).read("deep.log")


class OneWay(io.RawIOBase):
    """A sink that cannot seek: sizes then stand behind a member's data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def archive(*, stored: bool, one_way: bool) -> bytes:
    sink = OneWay() if one_way else io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(sink, "w", method) as made:
        for name, data in MEMBERS.items():
            made.writestr(name, data)
    return bytes(sink.data) if isinstance(sink, OneWay) else sink.getvalue()


def read(data: bytes) -> tuple[dict[str, bytes], list[Skipped]]:
    found, skipped = {}, []
    for source in expand(io.BytesIO(data), "r.zip", Limits()):
        if isinstance(source, Skipped):
            skipped.append(source)
        else:
            found[source.name.removeprefix("r.zip!/")] = b"".join(
                iter(lambda s=source: s.stream.read(999), b"")  # type: ignore[misc]
            )
    return found, skipped


KINDS = [
    archive(stored=stored, one_way=one_way)
    for stored, one_way in ((False, False), (False, True), (True, False))
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(3)), st.data())
def test_what_stands_in_front_of_the_cut_is_read(kind: int, data: st.DataObject) -> None:
    whole = KINDS[kind]
    cut = data.draw(st.integers(4, len(whole) - 23))
    found, skipped = read(whole[:cut])
    assert skipped[-1].source == "r.zip"
    assert "cut off: its directory, which stands at its end, is missing" in skipped[-1].reason
    # Of an archive inside it, a byte or two do not tell yet what it is.
    stub = found.pop("inner.zip", b"")
    assert len(stub) < 4
    for name, text in found.items():
        assert WHOLE[name].startswith(text)
    # All but one are whole, and that one is named, or is the archive itself.
    short = [n for n, t in found.items() if t != WHOLE[n]]
    assert len(short) <= 1
    assert {s.source for s in skipped} >= {f"r.zip!/{n}".split("!/deep")[0] for n in short}
    if cut >= whole.index(b"PK\x01\x02"):
        assert found == WHOLE


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(3)), st.data())
def test_no_damage_raises_anything(kind: int, data: st.DataObject) -> None:
    whole = KINDS[kind]
    damaged = bytearray(whole[: data.draw(st.integers(4, len(whole)))])
    for _ in range(data.draw(st.integers(0, 6))):
        damaged[data.draw(st.integers(4, len(damaged) - 1)) if len(damaged) > 4 else 0] ^= 0x5A
    for source in expand(io.BytesIO(bytes(damaged)), "r.zip", Limits()):
        if isinstance(source, Source):
            try:
                while source.stream.read(9999):
                    pass
            except Damaged:
                pass


def test_a_member_larger_than_four_gigabytes_says_its_size_elsewhere() -> None:
    """Its header in the form that zip64 gives it; the text itself is small."""
    text = text_of(500)
    extra = struct.pack("<HHQQ", 1, 16, len(text), len(text))
    header = struct.pack(
        "<4sHHHIIIIHH", b"PK\x03\x04", 45, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 5, len(extra)
    )
    found, skipped = read(header + b"a.log" + extra + text + b"PK\x01\x02")
    assert found == {"a.log": text}
    assert len(skipped) == 1


def test_a_member_that_cannot_be_read_costs_only_itself() -> None:
    whole = bytearray(KINDS[0])
    whole[6] |= 0x1  # the first is encrypted
    found, skipped = read(bytes(whole[: whole.index(b"PK\x01\x02")]))
    assert found == {n: t for n, t in WHOLE.items() if n != "MMS/mms.0.log"}
    assert [s.reason for s in skipped if s.source.endswith("mms.0.log")] == ["encrypted"]


def test_what_a_damaged_member_costs_is_told() -> None:
    whole = bytearray(KINDS[0])
    whole[60] ^= 0x5A
    found, skipped = read(bytes(whole[: whole.index(b"PK\x01\x02")]))
    assert set(found) == {"MMS/mms.0.log"}
    assert "what follows is no member; the rest was left" in skipped[-1].reason


def test_a_bomb_in_front_of_the_cut_is_cut_too() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb.log", b"\0" * (8 << 20))
    limits = Limits(ratio=10, grace=1 << 20)
    size, told = 0, []
    for found in expand(io.BytesIO(sink.getvalue()[:-40]), "bomb", limits):
        if isinstance(found, Skipped):
            told.append(found.reason)
        else:
            size += sum(len(c) for c in iter(lambda f=found: f.stream.read(65536), b""))  # type: ignore[misc]
    assert size < 4 << 20
    assert "expands more than 10 times" in told[0]


@pytest.mark.parametrize("cut", [60, 2000])
def test_the_errors_in_front_of_the_cut_are_diagnosed(tmp_path: Path, cut: int) -> None:
    block = (Path(__file__).parents[1] / "sample_logs" / "closed-port-en.txt").read_bytes()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.log", block)
        made.writestr("b.log", text_of(8000))
    report = tmp_path / "report.zip"
    report.write_bytes(sink.getvalue()[:-cut])
    done = diagnoser("scan", str(report), "--offline", "--format", "json", expect=1)
    told = json.loads(done.stdout)
    assert [c["block"]["source"] for c in told["cases"]] == [f"{report}!/a.log"]
    assert any(s["source"] == str(report) and "cut off" in s["reason"] for s in told["skipped"])
