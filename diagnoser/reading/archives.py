"""Looks into compressed files and archives as streams, member by member, within limits.

What a file is, is told by its first bytes and never by its name: rotations are renamed and system
reports are zip files in zip files. Nothing is unpacked to a place of the member's choosing, so a
hostile member name is only a name. Whatever a limit or damage cuts off is listed.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from diagnoser.model import Skipped
from diagnoser.reading import deflating
from diagnoser.reading.damage import BROKEN, Member, Whole, reason
from diagnoser.reading.deflating import Inflater
from diagnoser.reading.inflating import Decompressor, Limits, Pipe, inflate
from diagnoser.reading.signatures import BZIP2, FOREIGN, GZIP, XZ, ZIP, is_tar
from diagnoser.reading.tars import tar_members
from diagnoser.reading.zips import zip_members

_HEAD = 512
_DECOMPRESSORS: tuple[tuple[bytes, Callable[[], Decompressor]], ...] = (
    (GZIP, lambda: Inflater(deflating.GZIP)),
    (BZIP2, lambda: cast("Decompressor", bz2.BZ2Decompressor())),
    (XZ, lambda: cast("Decompressor", lzma.LZMADecompressor())),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One text to read: its name (``report.zip!/mms.1.log.gz``) and its bytes as a stream.

    The stream must be read before the next source is asked for.
    """

    name: str
    stream: BinaryIO


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
    foreign = next((what for magic, what in FOREIGN if head.startswith(magic)), None)
    if foreign is not None:
        yield Skipped(name, f"is {foreign}, which is not looked into: unpack it first")
        return
    maker = next((m for magic, m in _DECOMPRESSORS if head.startswith(magic)), None)
    if not (maker or head.startswith(ZIP) or is_tar(head)):
        yield Source(name, _rejoined(head, stream))
        return
    if depth >= limits.depth:
        yield Skipped(name, f"archives nested more than {limits.depth} deep are not looked into")
        return
    if maker is not None:
        text = Member(name, inflate(_rejoined(head, stream), maker, limits))
        yield from _expand_member(text, limits, depth)
        return
    if is_tar(head):
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
