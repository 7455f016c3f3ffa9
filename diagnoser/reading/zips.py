"""The members of a zip archive, by its directory, or where that is gone, in their order."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from copy import copy
from typing import BinaryIO, cast

from diagnoser.model import Skipped
from diagnoser.reading.damage import BROKEN, Member, chunks_of, reason
from diagnoser.reading.deflating import RAW, Inflater, crc32
from diagnoser.reading.inflating import Damaged, Limits, Pipe, TooLarge
from diagnoser.reading.salvage import salvaged_members
from diagnoser.reading.signatures import ZIP_MEMBER

_CHUNK = 1 << 18
_AT_ONCE = 4 * _CHUNK


def read_member(stream: BinaryIO, name: str, limit: int) -> bytes | None:
    """One member of the zip archive in ``stream``, which must be seekable; ``None`` where there is
    none of that name and at most ``limit`` bytes. Never raises for bad contents."""
    try:
        with zipfile.ZipFile(stream) as archive:
            if archive.getinfo(name).file_size > limit:
                return None
            with archive.open(name) as member:
                data = member.read(limit + 1)
    except (*BROKEN, KeyError):
        return None
    return data if len(data) <= limit else None


def zip_members(
    head: bytes, stream: BinaryIO, name: str, limits: Limits
) -> Iterator[Member | Skipped]:
    """The files, named below ``name``; never raises for bad contents.

    ``head`` was read from a stream that cannot seek. The directory stands at the end of a zip
    file, so such a one is put aside first.
    """
    with tempfile.SpooledTemporaryFile(max_size=8 << 20) as aside:
        try:
            if stream.seekable():
                stream.seek(0)
                file = stream
            else:
                file = cast("BinaryIO", aside)
                _put_aside(head, stream, file, limits)
            archive = _opened(file)
            if archive is None:
                file.seek(0)
                yield from _salvaged(file, name, limits)
                return
            with archive:
                yield from _listed(archive, name, limits)
        except TooLarge as error:
            yield Skipped(name, str(error))
        except BROKEN as error:
            yield Skipped(name, f"damaged archive: {reason(error)}")


def _opened(file: BinaryIO) -> zipfile.ZipFile | None:
    """The archive, or ``None`` if its directory is gone. That of an archive inside it, behind which
    it was cut, is none of its own: it does not list the member that the file begins with."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        return None
    file.seek(0)
    if file.read(4) == ZIP_MEMBER and all(m.header_offset for m in archive.infolist()):
        archive.close()
        return None
    return archive


def _put_aside(head: bytes, stream: BinaryIO, file: BinaryIO, limits: Limits) -> None:
    size = file.write(head)
    while chunk := stream.read(1 << 18):
        size += file.write(chunk)
        if size > limits.aside:
            raise TooLarge(f"an archive inside an archive of more than {limits.aside} bytes")
    file.seek(0)


def _listed(archive: zipfile.ZipFile, name: str, limits: Limits) -> Iterator[Member | Skipped]:
    total = 0
    for number, member in enumerate(archive.infolist()):
        if member.is_dir():
            continue
        inner = f"{name}!/{member.filename}"
        if number >= limits.members:
            yield Skipped(name, f"more than {limits.members} members; the rest was left")
            return
        total += member.file_size
        if total > limits.total:
            told = f"more than {limits.total} bytes in one archive; the rest was left"
            yield Skipped(inner, told)
            return
        if member.flag_bits & 0x1:
            yield Skipped(inner, "encrypted")
            continue
        if member.file_size > limits.grace and member.file_size > limits.ratio * max(
            member.compress_size, 1
        ):
            yield Skipped(inner, f"expands more than {limits.ratio} times")
            continue
        try:
            with archive.open(_packed(member)) as stream:
                # Its own seek starts over from the first byte: as a pipe it cannot be tempted.
                chunks = chunks_of(cast("BinaryIO", stream))
                if member.compress_type == zipfile.ZIP_DEFLATED:
                    chunks = _deflated(cast("BinaryIO", Pipe(chunks)), member)
                yield Member(inner, chunks)
        except BROKEN as error:
            yield Skipped(inner, f"damaged: {reason(error)}")


def _packed(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """``member`` as the bytes that it is packed in, if it is deflated: zipfile opens what is stored
    with all its checks, and looks for no sum where there is none."""
    if member.compress_type != zipfile.ZIP_DEFLATED:
        return member
    packed = copy(member)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, member.compress_size
    del packed.CRC
    return packed


def _deflated(packed: BinaryIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The text of a deflated member, no more than it says; raises ``Damaged`` where that is none,
    or its sum is another."""
    inner, found, left = Inflater(RAW), 0, member.file_size
    while not inner.eof and left >= 0:
        data = b""
        if inner.needs_input and not (data := packed.read(_CHUNK)):
            raise Damaged("the compressed stream ends too early")
        try:
            out = inner.decompress(data, _AT_ONCE)
        except OSError as error:
            raise Damaged(str(error)) from error
        found = crc32(out, found)
        if out and left:
            yield out[:left]
        left -= len(out)
    if left or found != member.CRC:
        raise Damaged("it is not what its directory says (size or checksum)")


def _salvaged(stream: BinaryIO, name: str, limits: Limits) -> Iterator[Member | Skipped]:
    """What stands in front of the cut, and what the cut has taken."""
    count = 0
    end = ""
    try:
        for member in salvaged_members(stream, name, limits):
            count += 1
            if count > limits.members:
                yield Skipped(name, f"more than {limits.members} members; the rest was left")
                return
            yield member
    except (Damaged, TooLarge) as error:
        end = f"; {error}"
    told = f"cut off: its directory, which stands at its end, is missing{end}"
    yield Skipped(name, f"{told}; what stands in front of the cut was read ({count} members)")
