"""Compressed texts give the same by either library, whatever pieces they come and go in."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.model import Skipped
from diagnoser.reading import deflating
from diagnoser.reading.archives import expand
from diagnoser.reading.deflating import GZIP, RAW, Inflater
from diagnoser.reading.inflating import Limits

isal_zlib = pytest.importorskip("isal.isal_zlib", reason="no wheel for this machine")
ENGINES = [pytest.param(zlib, id="zlib"), pytest.param(isal_zlib, id="isal")]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflating, "engine", request.param)


def packed(text: bytes, frame: int, level: int) -> bytes:
    maker = zlib.compressobj(level, wbits=frame)
    return maker.compress(text) + maker.flush()


def inflated(data: bytes, frame: int, taken: int, given: int) -> tuple[bytes, bytes]:
    """The text and what follows it, ``taken`` bytes in and at most ``given`` bytes out at a time."""
    inner, source, found = Inflater(frame), io.BytesIO(data), []
    while not inner.eof:
        piece = source.read(taken) if inner.needs_input else b""
        if inner.needs_input and not piece:
            raise EOFError
        out = inner.decompress(piece, given)
        assert len(out) <= given
        found.append(out)
    return b"".join(found), inner.unused_data + source.read()


def test_where_the_faster_library_is_it_is_used() -> None:
    # The wheel is a dependency; without it every archive is read at a quarter of the speed.
    assert vars(deflating)["engine"] is isal_zlib


@given(
    text=st.binary(max_size=300).map(lambda b: b * 40) | st.binary(max_size=3000),
    frame=st.sampled_from([RAW, GZIP]),
    level=st.integers(0, 9),
    taken=st.integers(1, 4000),
    given=st.integers(1, 9000),
    rest=st.binary(max_size=40),
    by_zlib=st.booleans(),
)
def test_a_text_comes_out_whole_in_any_pieces(
    text: bytes, frame: int, level: int, taken: int, given: int, rest: bytes, *, by_zlib: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if by_zlib:
            patch.setattr(deflating, "engine", zlib)
        found, left = inflated(packed(text, frame, level) + rest, frame, taken, given)
    assert found == text
    assert left == rest


@given(data=st.binary(max_size=400), frame=st.sampled_from([RAW, GZIP]), by_zlib=st.booleans())
def test_what_is_no_such_text_is_said_to_be_damaged(
    data: bytes, frame: int, *, by_zlib: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if by_zlib:
            patch.setattr(deflating, "engine", zlib)
        try:
            inflated(data, frame, 50, 1000)
        except (OSError, EOFError):
            return


def archive(text: bytes) -> bytearray:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("mms.0.log", text)
    return bytearray(sink.getvalue())


def texts_and_reasons(data: bytes) -> tuple[list[bytes], list[str]]:
    texts, reasons = [], []
    for found in expand(io.BytesIO(data), "x", Limits()):
        if isinstance(found, Skipped):
            reasons.append(found.reason)
        else:
            texts.append(found.stream.read())
    return texts, reasons


@pytest.mark.usefixtures("engine")
def test_a_member_whose_sum_is_another_is_read_and_told() -> None:
    data = archive(b"Error code: 307\n" * 400)
    at = data.rfind(b"PK\x01\x02") + 16
    data[at] ^= 1
    texts, reasons = texts_and_reasons(bytes(data))
    assert texts == [b"Error code: 307\n" * 400]
    assert reasons == [
        "it is not what its directory says (size or checksum); read as far as it goes"
    ]


@pytest.mark.usefixtures("engine")
def test_a_member_gives_no_more_than_it_says() -> None:
    data = archive(b"0123456789" * 500)
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = (1200).to_bytes(4, "little")
    texts, reasons = texts_and_reasons(bytes(data))
    assert texts == [b"0123456789" * 120]
    assert reasons == [
        "it is not what its directory says (size or checksum); read as far as it goes"
    ]


@pytest.mark.usefixtures("engine")
def test_damage_is_told_in_the_same_words_by_either_library() -> None:
    whole = gzip.compress(bytes(range(256)) * 200, 0)
    _, reasons = texts_and_reasons(whole[:40] + b"\xff" * 400 + whole[440:][:100])
    assert len(reasons) == 1
    data = archive(b"".join(b"%d\n" % (n * n) for n in range(3000)))
    data[60:70] = b"\xff" * 10
    texts, reasons = texts_and_reasons(bytes(data))
    assert reasons == ["the compressed data is damaged; read as far as it goes"]
    assert len(texts) == 1


@pytest.mark.usefixtures("engine")
def test_a_text_that_fills_the_last_piece_exactly_is_whole() -> None:
    # Nothing is left to read then, and the end of the text was not seen yet.
    for size in (1 << 20, (1 << 20) - 1, 2 << 20):
        text = b"\0" * (size - 1) + b"!"
        texts, reasons = texts_and_reasons(bytes(archive(text)))
        assert [len(t) for t in texts] == [size]
        assert texts[0] == text
        assert reasons == []
