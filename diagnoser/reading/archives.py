"""Looks into compressed files and archives as streams, member by member, within limits.

What a file is, is told by its first bytes and never by its name: rotations are renamed and system
reports are zip files in zip files. Nothing is unpacked to a place of the member's choosing, so a
hostile member name is only a name. Whatever a limit or damage cuts off is listed.
"""

from __future__ import annotations

import bz2
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Self, cast

from diagnoser.model import Skipped
from diagnoser.reading import salvage
from diagnoser.reading.inflating import Damaged, Decompressor, Limits, Pipe, TooLarge, inflate

_HEAD = 512
# The end of a zip archive's directory, with the longest comment.
_DIRECTORY_END = 22 + 0xFFFF
_BEFORE_A_MEMBER = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_LONGEST_HEADER = 1 << 20
_MOST_ASKED = 3
# bz2, lzma and zlib damage, a short archive, an unknown method, a password.
_BROKEN = (
    Damaged, zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError,
    NotImplementedError, RuntimeError, ValueError, UnicodeError,
)  # fmt: skip
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
        head.startswith((b"PK\x03\x04", b"PK\x05\x06"))
        or any(head.startswith(magic) for magic, _, _ in _DECOMPRESSORS)
        or any(head.startswith(magic) for magic, _ in _FOREIGN)
        or head[257:262] == b"ustar"
    )


def may_unpack_itself(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a program: Windows unpacks system reports so."""
    return head.startswith((b"MZ", b"\x7fELF"))


def holds_zip(stream: BinaryIO) -> bool:
    """Whether the directory of a zip archive stands at the end of ``stream``; its place stays."""
    place = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _DIRECTORY_END))
    found = stream.read(_DIRECTORY_END).rfind(b"PK\x05\x06") >= 0
    stream.seek(place)
    return found


def expand(
    stream: BinaryIO, name: str, limits: Limits, depth: int = 0
) -> Iterator[Source | Skipped]:
    """The texts in ``stream``: itself, or those of its members; never raises for bad contents."""
    try:
        head = stream.read(_HEAD)
        while 0 < len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
            head += more
    except _BROKEN as error:
        yield Skipped(name, f"cannot be read: {_reason(error)}")
        return
    foreign = next((what for magic, what in _FOREIGN if head.startswith(magic)), None)
    if foreign is not None:
        yield Skipped(name, f"is {foreign}, which is not looked into: unpack it first")
        return
    maker = next((m for magic, _, m in _DECOMPRESSORS if head.startswith(magic)), None)
    is_zip = head.startswith((b"PK\x03\x04", b"PK\x05\x06"))
    is_tar = head[257:262] == b"ustar"
    if not (maker or is_zip or is_tar):
        yield Source(name, _rejoined(head, stream, name))
        return
    if depth >= limits.depth:
        yield Skipped(name, f"archives nested more than {limits.depth} deep are not looked into")
        return
    if maker is not None:
        inner = _Whole(inflate(_rejoined(head, stream, name), maker, limits))
        yield from expand(_stream(iter(inner)), name, limits, depth + 1)
        if inner.end is not None:
            yield Skipped(name, inner.end)
    elif is_tar:
        yield from _tar(_rejoined(head, stream, name), name, limits, depth)
    else:
        yield from _zip(head, stream, name, limits, depth)


def read_member(stream: BinaryIO, name: str, limit: int) -> bytes | None:
    """One member of the zip archive in ``stream``, which must be seekable; ``None`` where there is
    none of that name and at most ``limit`` bytes. Never raises for bad contents."""
    try:
        with zipfile.ZipFile(stream) as archive:
            if archive.getinfo(name).file_size > limit:
                return None
            with archive.open(name) as member:
                data = member.read(limit + 1)
    except (*_BROKEN, KeyError):
        return None
    return data if len(data) <= limit else None


class _Whole:
    """Chunks as far as they go; ``end`` says what cut them off. What came before is worth having:
    the newest archive of a machine that fails is the one that was cut."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.end: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except TooLarge as error:
            self.end = str(error)
        except _BROKEN as error:
            self.end = f"{_reason(error)}; read as far as it goes"


def _stream(chunks: Iterator[bytes]) -> BinaryIO:
    return cast("BinaryIO", Pipe(chunks))


def _rejoined(head: bytes, stream: BinaryIO, _: str) -> BinaryIO:
    if stream.seekable():
        stream.seek(-len(head), 1)
        return stream

    def chunks() -> Iterator[bytes]:
        yield head
        while chunk := stream.read(1 << 18):
            yield chunk

    return _stream(chunks())


class _Header(tarfile.TarInfo):
    """A header that may not say that a name is longer than any name is: tarfile reads names, and
    what else stands before a member (pax), as a whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As its base; raises ``TooLarge``, which ends the archive."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in _BEFORE_A_MEMBER and found.size > _LONGEST_HEADER:
            raise TooLarge(f"a header of {found.size} bytes; the rest was left")
        return found


class _Ending:
    """A stream that ends once. Skipping a member that says it has more bytes than there are,
    tarfile asks for each 10 kB of them."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._asked = 0

    def read(self, size: int) -> bytes:
        """As the stream; raises ``EOFError`` for who goes on asking."""
        data = self._inner.read(size)
        if not data:
            self._asked += 1
            if self._asked > _MOST_ASKED:
                raise EOFError("unexpected end of data")
        return data


def _tar(stream: BinaryIO, name: str, limits: Limits, depth: int) -> Iterator[Source | Skipped]:
    members = 0
    try:
        source = cast("BinaryIO", _Ending(stream))
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Header) as archive:
            for member in archive:
                if not member.isfile():
                    continue
                if member.issparse():
                    # Its holes may be of any size, and nothing in the archive pays for them.
                    yield Skipped(f"{name}!/{member.name}", "a sparse file")
                    continue
                members += 1
                if members > limits.members:
                    yield Skipped(name, f"more than {limits.members} members; the rest was left")
                    return
                inner = archive.extractfile(member)
                if inner is not None:
                    yield from expand(
                        _stream(_chunks(cast("BinaryIO", inner))),
                        f"{name}!/{member.name}",
                        limits,
                        depth + 1,
                    )
    except TooLarge as error:
        yield Skipped(name, str(error))
    except _BROKEN as error:
        yield Skipped(name, f"damaged archive, read as far as it goes: {_reason(error)}")


def _zip(
    head: bytes, stream: BinaryIO, name: str, limits: Limits, depth: int
) -> Iterator[Source | Skipped]:
    # The directory stands at the end of a zip file, so one inside a stream is put aside first.
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
                yield from _salvaged(file, name, limits, depth)
                return
            with archive:
                yield from _members(archive, name, limits, depth)
        except TooLarge as error:
            yield Skipped(name, str(error))
        except _BROKEN as error:
            yield Skipped(name, f"damaged archive: {_reason(error)}")


def _opened(file: BinaryIO) -> zipfile.ZipFile | None:
    """The archive, or ``None`` if its directory is gone. That of an archive inside it, behind which
    it was cut, is none of its own: it does not list the member that the file begins with."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        return None
    file.seek(0)
    if file.read(4) == b"PK\x03\x04" and all(m.header_offset for m in archive.infolist()):
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


def _members(
    archive: zipfile.ZipFile, name: str, limits: Limits, depth: int
) -> Iterator[Source | Skipped]:
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
            reason = f"more than {limits.total} bytes in one archive; the rest was left"
            yield Skipped(inner, reason)
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
            with archive.open(member) as stream:
                # Its own seek starts over from the first byte: as a pipe it cannot be tempted.
                chunks = _chunks(cast("BinaryIO", stream))
                yield from expand(_stream(chunks), inner, limits, depth + 1)
        except _BROKEN as error:
            yield Skipped(inner, f"damaged: {_reason(error)}")


def _salvaged(
    stream: BinaryIO, name: str, limits: Limits, depth: int
) -> Iterator[Source | Skipped]:
    """What stands in front of the cut, and what the cut has taken."""
    count = 0
    end = ""
    try:
        for member in salvage.members(stream, limits):
            count += 1
            if count > limits.members:
                yield Skipped(name, f"more than {limits.members} members; the rest was left")
                return
            inner = f"{name}!/{member.name}"
            if member.problem is not None:
                yield Skipped(inner, member.problem)
                continue
            whole = _Whole(member.chunks)
            yield from expand(_stream(iter(whole)), inner, limits, depth + 1)
            if whole.end is not None:
                yield Skipped(inner, whole.end)
    except (Damaged, TooLarge) as error:
        end = f"; {error}"
    reason = f"cut off: its directory, which stands at its end, is missing{end}"
    yield Skipped(name, f"{reason}; what stands in front of the cut was read ({count} members)")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := stream.read(1 << 18):
            yield chunk
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise Damaged(_reason(error)) from error


def _reason(error: BaseException) -> str:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (words or type(error).__name__).lower()
