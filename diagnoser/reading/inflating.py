"""Decompression as a stream of chunks, with a limit on what may come out of how little."""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may cost. Sizes in bytes.

    ``ratio`` is asked only beyond ``grace`` bytes: text that repeats itself packs 200 to 1, a
    bomb 1000 to 1. ``aside`` bounds an archive within an archive, which goes to a temporary file.
    """

    ratio: int = 400
    grace: int = 64 << 20
    total: int = 256 << 30
    members: int = 200_000
    depth: int = 6
    aside: int = 8 << 30


class Damaged(Exception):
    """A compressed stream ends early or is not what it says; the message says which."""


class TooLarge(Exception):
    """A limit was met; the message says which."""


class Decompressor(Protocol):
    """What :class:`bz2.BZ2Decompressor` and its kind offer."""

    @property
    def eof(self) -> bool:
        """The end of this member was reached."""

    @property
    def needs_input(self) -> bool:
        """Nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """What follows the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most ``max_length`` bytes."""


def inflate(
    stream: BinaryIO, make: Callable[[], Decompressor], limits: Limits, size: int = 1 << 18
) -> Iterator[bytes]:
    """The text of all members of ``stream``. Raises ``Damaged`` and ``TooLarge``.

    Trailing bytes that begin no other member are padding, as gzip itself holds it.
    """
    member = make()
    taken = given = 0
    started = False
    while True:
        data = b""
        if member.needs_input:
            data = stream.read(size)
            taken += len(data)
            if not data:
                if started:
                    raise Damaged("the compressed stream ends too early")
                return
        while True:
            try:
                out = member.decompress(data, 4 * size)
            except (lzma.LZMAError, OSError, EOFError) as error:
                if given and not started:
                    return
                raise Damaged(str(error).lower()) from error
            data = b""
            started = True
            given += len(out)
            if given > limits.total or (given > limits.grace and given > limits.ratio * taken):
                raise TooLarge(f"expands more than {limits.ratio} times: read up to {given} bytes")
            if out:
                yield out
            if not member.eof:
                break
            data = member.unused_data.lstrip(b"\0")
            member, started = make(), False
            if not data:
                break


class Pipe(io.RawIOBase):
    """Chunks as a stream that cannot seek."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It can be read, and nothing else."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as one chunk goes; 0 at the end. Raises as its chunks do."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
