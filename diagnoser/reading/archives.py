"""Looks into compressed files and archives as streams, member by member, within limits.

What a file is, is told by its first bytes and never by its name: rotations are renamed and system
reports are zip files in zip files. Nothing is unpacked to a place of the member's choosing, so a
hostile member name is only a name. Whatever a limit or damage cuts off is listed.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from diagnoser.model import Skipped
from diagnoser.reading.damage import BROKEN, Member, Whole, reason
from diagnoser.reading.inflating import Decompressor, Limits, Pipe, inflate
from diagnoser.reading.tars import tar_members
from diagnoser.reading.zips import MAGIC, zip_members

_HEAD = 512
_DECOMPRESSORS: tuple[tuple[bytes, str, Callable[[], Decompressor]], ...] = (
    (b"\x1f\x8b", "gzip", lambda: cast("Decompressor", _Gunzip())),
    (b"BZh", "bzip2", lambda: cast("Decompressor", bz2.BZ2Decompressor())),
    (b"\xfd7zXZ\0", "xz", lambda: cast("Decompressor", lzma.LZMADecompressor())),
)
_FOREIGN = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"MSCF\0\0\0\0", "a cab archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd stream"),
    (b"\x04\x22\x4d\x18", "an lz4 stream"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One text to read: its name (``report.zip!/mms.1.log.gz``) and its bytes as a stream.

    The stream must be read before the next source is asked for.
    """

    name: str
    stream: BinaryIO


class _Gunzip:
    """zlib's decompressor with the manners of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._rest + data, max_length)
        self._rest = self._inner.unconsumed_tail
        return out


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (262 bytes or more) is compressed or an archive."""
    return (
        head.startswith(MAGIC)
        or any(head.startswith(magic) for magic, _, _ in _DECOMPRESSORS)
        or any(head.startswith(magic) for magic, _ in _FOREIGN)
        or head[257:262] == b"ustar"
    )


def may_unpack_itself(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a program: Windows unpacks system reports so."""
    return head.startswith((b"MZ", b"\x7fELF"))


def expand(
    stream: BinaryIO, name: str, limits: Limits, depth: int = 0
) -> Iterator[Source | Skipped]:
    """The texts in ``stream``: itself, or those of its members; never raises for bad contents."""
    try:
        head = stream.read(_HEAD)
        while 0 < len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
            head += more
    except BROKEN as error:
        yield Skipped(name, f"cannot be read: {reason(error)}")
        return
    foreign = next((what for magic, what in _FOREIGN if head.startswith(magic)), None)
    if foreign is not None:
        yield Skipped(name, f"is {foreign}, which is not looked into: unpack it first")
        return
    maker = next((m for magic, _, m in _DECOMPRESSORS if head.startswith(magic)), None)
    is_zip = head.startswith(MAGIC)
    is_tar = head[257:262] == b"ustar"
    if not (maker or is_zip or is_tar):
        yield Source(name, _rejoined(head, stream))
        return
    if depth >= limits.depth:
        yield Skipped(name, f"archives nested more than {limits.depth} deep are not looked into")
        return
    if maker is not None:
        text = Member(name, inflate(_rejoined(head, stream), maker, limits))
        yield from _expand_member(text, limits, depth)
        return
    if is_tar:
        members = tar_members(_rejoined(head, stream), name, limits)
    else:
        members = zip_members(head, stream, name, limits)
    for member in members:
        if isinstance(member, Skipped):
            yield member
        else:
            yield from _expand_member(member, limits, depth)


def _expand_member(member: Member, limits: Limits, depth: int) -> Iterator[Source | Skipped]:
    whole = Whole(member.chunks)
    yield from expand(_stream(iter(whole)), member.name, limits, depth + 1)
    if whole.end is not None:
        yield Skipped(member.name, whole.end)


def _stream(chunks: Iterator[bytes]) -> BinaryIO:
    return cast("BinaryIO", Pipe(chunks))


def _rejoined(head: bytes, stream: BinaryIO) -> BinaryIO:
    if stream.seekable():
        stream.seek(-len(head), 1)
        return stream

    def chunks() -> Iterator[bytes]:
        yield head
        while chunk := stream.read(1 << 18):
            yield chunk

    return _stream(chunks())
