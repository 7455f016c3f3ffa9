"""The members of a zip archive that was cut off: its directory, which stood at its end, is gone.

Every member has a header of its own in front (APPNOTE.TXT section 4.3.7), so what was uploaded
before the cut can be read in its order. Deflated data says itself where it ends; stored data ends
where its header says, unless that leaves it to a descriptor behind the data (section 4.3.9).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from diagnoser.model import Skipped
from diagnoser.reading.damage import Member
from diagnoser.reading.deflating import RAW, Inflater
from diagnoser.reading.inflating import Damaged, Limits, TooLarge

_HEADER = struct.Struct("<4sHHHIIIIHH")
_LOCAL, _CENTRAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
# What may follow a member: another one, the directory, or its end.
_FOLLOWS = (_LOCAL, _CENTRAL, b"PK\x05\x06", b"PK\x06\x06")
# CRC-32 and two sizes of four or eight bytes, with or without a signature.
_DESCRIPTOR_SIZES = (12, 16, 20, 24)
_ENCRYPTED, _SIZE_BEHIND, _IS_UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_ZIP64, _IN_ZIP64 = 1, 0xFFFFFFFF
_CHUNK = 1 << 18
_MOST_AT_ONCE = 4 * _CHUNK


def salvaged_members(stream: BinaryIO, archive: str, limits: Limits) -> Iterator[Member | Skipped]:
    """The files in the order in which they stand, named below ``archive``.

    Ends without a word where the archive or its members end; raises ``Damaged`` where nobody can
    tell where the next one begins.
    """
    feed = _Feed(stream)
    while True:
        header = feed.take(_HEADER.size)
        if len(header) < _HEADER.size or header[:4] != _LOCAL:
            if len(header) >= 4 and header[:4] not in _FOLLOWS:
                raise Damaged("what follows is no member; the rest was left")
            return
        _, _, flags, method, _, _, packed, size, name_size, extra_size = _HEADER.unpack(header)
        raw, extra = feed.take(name_size), feed.take(extra_size)
        if len(extra) < extra_size or len(raw) < name_size:
            return
        packed = _packed_size(packed, size, extra)
        name = f"{archive}!/{raw.decode('utf-8' if flags & _IS_UTF8 else 'cp437', 'replace')}"
        is_sized = not flags & _SIZE_BEHIND
        problem: str | None = None
        if flags & _ENCRYPTED:
            problem = "encrypted"
        elif method not in (_STORED, _DEFLATED):
            problem = f"compressed in a way ({method}) that is not looked into"
        if not is_sized and (problem is not None or method == _STORED):
            raise Damaged(f"{name}: {problem or 'its size is unknown'}; the rest was left")
        if method == _DEFLATED and problem is None:
            chunks = _inflated(feed, limits)
        else:
            chunks = feed.counted(packed)
        if not name.endswith("/"):
            yield Member(name, chunks) if problem is None else Skipped(name, problem)
        # Whoever was asked need not have read to the end.
        for _ in chunks:
            pass
        if not is_sized:
            feed.skip_descriptor()


class _Feed:
    """A stream that takes back what was read too much."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""

    def some(self) -> bytes:
        """Some bytes; none at the end."""
        held, self._held = self._held, b""
        return held or self._stream.read(_CHUNK)

    def take(self, size: int) -> bytes:
        """``size`` bytes, or what is left."""
        while len(self._held) < size and (more := self._stream.read(_CHUNK)):
            self._held += more
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def give_back(self, data: bytes) -> None:
        self._held = data + self._held

    def counted(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes; raises ``Damaged`` if there are fewer."""
        while size:
            data = self.some()
            if not data:
                raise Damaged("the archive was cut off here")
            self.give_back(data[size:])
            yield data[:size]
            size -= len(data[:size])

    def skip_descriptor(self) -> None:
        """Go on behind the sizes that follow a member."""
        data = self.take(max(_DESCRIPTOR_SIZES) + 4)
        for size in _DESCRIPTOR_SIZES:
            if data[size : size + 4] in _FOLLOWS and (
                size not in (16, 24) or data.startswith(_DESCRIPTOR)
            ):
                self.give_back(data[size:])
                return


def _inflated(feed: _Feed, limits: Limits) -> Iterator[bytes]:
    inner = Inflater(RAW)
    taken = given = 0
    while not inner.eof:
        data = b""
        if inner.needs_input:
            data = feed.some()
            taken += len(data)
            if not data:
                raise Damaged("the archive was cut off here")
        try:
            out = inner.decompress(data, _MOST_AT_ONCE)
        except OSError as error:
            # What is left shows that the next member was not found.
            feed.give_back(data)
            raise Damaged(str(error)) from error
        given += len(out)
        if given > limits.total or (given > limits.grace and given > limits.ratio * taken):
            raise TooLarge(f"expands more than {limits.ratio} times: read up to {given} bytes")
        if out:
            yield out
    feed.give_back(inner.unused_data)


def _packed_size(packed: int, size: int, extra: bytes) -> int:
    """The size in the archive: of a large member it stands in the extra field (4.5.3)."""
    at = 0
    while packed == _IN_ZIP64 and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64:
            place = at + 4 + (8 if size == _IN_ZIP64 else 0)
            if place + 8 <= min(len(extra), at + 4 + length):
                return int(struct.unpack_from("<Q", extra, place)[0])
            break
        at += 4 + length
    return packed
