"""The members of a tar archive, as it comes: nothing of it is kept."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Self, cast

from diagnoser.model import Skipped
from diagnoser.reading.damage import BROKEN, Member, chunks_of, reason
from diagnoser.reading.inflating import Limits, TooLarge

_BEFORE_A_MEMBER = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_LONGEST_HEADER = 1 << 20
_MOST_ASKED = 3


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


def tar_members(stream: BinaryIO, name: str, limits: Limits) -> Iterator[Member | Skipped]:
    """The files in their order, named below ``name``; never raises for bad contents."""
    count = 0
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
                count += 1
                if count > limits.members:
                    yield Skipped(name, f"more than {limits.members} members; the rest was left")
                    return
                inner = archive.extractfile(member)
                if inner is not None:
                    yield Member(f"{name}!/{member.name}", chunks_of(cast("BinaryIO", inner)))
    except TooLarge as error:
        yield Skipped(name, str(error))
    except BROKEN as error:
        yield Skipped(name, f"damaged archive, read as far as it goes: {reason(error)}")
