"""What reading a hostile or broken archive may raise, and how far a broken text is read."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from diagnoser.reading.inflating import Damaged, TooLarge

# bz2, lzma and zlib damage, a short archive, an unknown method, a password.
BROKEN = (
    Damaged, zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError,
    NotImplementedError, RuntimeError, ValueError, UnicodeError,
)  # fmt: skip
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, to be read before the next is asked for.

    ``chunks`` are its bytes; they raise ``Damaged`` where it is, and ``TooLarge`` at a limit.
    """

    name: str
    chunks: Iterator[bytes]


class Whole:
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
        except BROKEN as error:
            self.end = f"{reason(error)}; read as far as it goes"


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """A stream to its end; raises ``Damaged`` for whatever its own library says of it."""
    try:
        while chunk := stream.read(_CHUNK):
            yield chunk
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise Damaged(reason(error)) from error


def reason(error: BaseException) -> str:
    """What an exception says, in lower case as part of a sentence."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (words or type(error).__name__).lower()
