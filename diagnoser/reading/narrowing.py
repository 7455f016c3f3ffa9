"""UTF-16 and UTF-32 read as UTF-8, chunk by chunk, with the way back to the offsets of the file."""

from __future__ import annotations

import codecs
import io
from bisect import bisect_right
from typing import BinaryIO

_CHUNK = 1 << 20
# Bytes of one code unit, by what the names of the encodings begin with.
_UNITS = {"utf-16": 2, "utf-32": 4}


class Narrowed(io.RawIOBase):
    """The next ``limit`` bytes of ``stream``, or all, as UTF-8; what is broken becomes U+FFFD.

    ``encoding`` names the byte order (``utf-16-le``): a byte order mark stays U+FEFF.
    """

    def __init__(self, stream: BinaryIO, encoding: str, limit: int | None = None) -> None:
        super().__init__()
        self._stream, self._encoding, self._left = stream, encoding, limit
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._rest = memoryview(b"")
        self._taken = self._given = 0
        # Where each chunk begins: here, and in the stream.
        self._steps: list[tuple[int, int]] = [(0, 0)]

    def readable(self) -> bool:
        """It can be read, and nothing else."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as one chunk goes; 0 at the end. Raises as the stream does."""
        while not self._rest:
            if self._left == 0:
                return 0
            size = _CHUNK if self._left is None else min(_CHUNK, self._left)
            data = self._stream.read(size)
            self._left = 0 if not data else None if self._left is None else self._left - len(data)
            self._taken += len(data)
            text = self._decoder.decode(data, final=self._left == 0)
            self._rest = memoryview(text.encode("utf-8", "replace"))
            self._given += len(self._rest)
            self._steps.append((self._given, self._taken - len(self._decoder.getstate()[0])))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def origin(self, at: int, stream: BinaryIO, start: int = 0) -> int:
        """The offset in the stream of the letter at ``at`` of what was read.

        ``stream`` can seek and is the one that was read, from ``start`` on: where letters of
        several bytes stand, a chunk of it is read once more.
        """
        index = min(bisect_right(self._steps, at, key=lambda s: s[0]), len(self._steps) - 1) - 1
        (here, there), (here_end, there_end) = self._steps[index : index + 2]
        unit = _UNITS[self._encoding[:6]]
        if (here_end - here) * unit == there_end - there:
            return there + (at - here) * unit
        stream.seek(start + there)
        return there + widened_size(stream.read(there_end - there), self._encoding, at - here)


def narrow(data: bytes, encoding: str) -> bytes:
    """All of ``data`` as UTF-8."""
    return data.decode(encoding, "replace").encode("utf-8", "replace")


def widened_size(data: bytes, encoding: str, size: int) -> int:
    """How many of the bytes ``data`` the first ``size`` of its UTF-8 stand for."""
    return len(narrow(data, encoding)[:size].decode("utf-8", "ignore").encode(encoding))
