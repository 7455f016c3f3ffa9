"""Follows the files below a directory: what was appended since the last look, through rotation.

A file is known by device and inode and by its first bytes, so that a renamed log goes on where it
was left, a copied one (copytruncate) is not read twice, and one that was cut back or replaced is
read from its beginning. Polling works on every file system, also on SMB and NFS, where change
notifications do not. Nothing here knows what an error looks like.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from diagnoser.errors import InputError
from diagnoser.model import Skipped
from diagnoser.reading.walking import Found, Selection, walk

# At most this much of one file in one look; the rest comes with the next.
MOST_AT_ONCE = 4 * 1024 * 1024
MOST_FILES = 20_000
_HEAD = 512
# Shorter beginnings are shared by files that have nothing to do with each other.
_TELLING = 48
_CHUNK = 1024 * 1024
# What rotation packs is the old text again; what a database writes is no text.
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".lz4", ".cab", ".db", ".sqlite")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Appended:
    """New whole lines of a file: which file, its present name, the first line's number, bytes.

    ``identity`` stays the same when the file is renamed; lines count from 1.
    """

    identity: tuple[int, int]
    path: str
    line: int
    data: bytes


@dataclass(slots=True)
class _Known:
    """What is remembered of one file; ``offset`` is how much of it was read.

    ``head`` digests its first ``head_size`` bytes, ``tail`` the last that were read.
    """

    identity: tuple[int, int]
    path: str
    offset: int = 0
    line: int = 1
    head: bytes = b""
    head_size: int = 0
    tail: bytes = b""
    mark: bytes = b""
    looked: int = 0
    stamp: tuple[int, int] = field(default=(-1, -1))


class Follower:
    """Looks at one directory again and again. ``from_start`` reads also what is there already.

    Raises ``InputError`` at the first :meth:`look` if there is no such directory; later only
    files that vanish or cannot be read are passed over, and read once they can be.
    """

    def __init__(self, directory: str, *, from_start: bool = False) -> None:
        self._directory = directory
        self._from_start = from_start
        self._files: dict[tuple[int, int], _Known] = {}
        # What stood in the files that were cut back or replaced in this round.
        self._former: list[_Known] = []
        self._round = 0

    @property
    def count(self) -> int:
        """How many files are being followed."""
        return len(self._files)

    def look(self) -> Iterator[Appended]:
        """What every file gained since the last look, file by file."""
        self._round += 1
        self._former.clear()
        if self._round == 1 and not Path(self._directory).is_dir():
            raise InputError(
                f"{self._directory}: no such directory",
                hint="give the folder of the agent's logs, for example /var/lib/Acronis",
            )
        with suppress(InputError):
            for found in walk(self._directory, Selection()):
                if not isinstance(found, Skipped) and not found.path.lower().endswith(_PACKED):
                    yield from self._look_at(found)
        # A log between rename and create is missing for a moment, not gone.
        self._files = {k: f for k, f in self._files.items() if self._round - f.looked < 3}

    def _look_at(self, found: Found) -> Iterator[Appended]:
        try:
            status = Path(found.path).stat()
            if not stat.S_ISREG(status.st_mode):
                return
            key, stamp = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
            known = self._files.get(key)
            if known is not None and known.stamp == stamp and known.offset >= status.st_size:
                known.path, known.looked = found.path, self._round
                return
            if known is None and len(self._files) >= MOST_FILES:
                return
            # Nothing came since the last look: its last line will have no end.
            is_settled = known is not None and known.stamp == stamp
            with Path(found.path).open("rb") as stream:
                known = self._recognise(key, found.path, stream.fileno(), status.st_size)
                known.stamp = stamp
                yield from _gain(known, stream.fileno(), is_settled=is_settled)
        except OSError:
            # Locked, vanished or forbidden for now: the next look tries again.
            return

    def _recognise(self, key: tuple[int, int], path: str, handle: int, size: int) -> _Known:
        """The memory of an open file: its own, that of the file it is a copy of, or a new one."""
        head = _read_at(handle, 0, _HEAD)
        known = self._files.get(key)
        if known is not None and (size < known.offset or not _is_same(known, head)):
            self._former.append(known)
            known = None
        if known is None:
            known = _Known(key, path)
            before = (*self._former, *self._files.values())
            original = next((f for f in before if _is_copy(f, head, handle)), None)
            if original is not None:
                known.offset, known.line = original.offset, original.line
                known.tail = original.tail
            elif self._round == 1 and not self._from_start:
                _skip_to_end(known, handle, size)
        known.path, known.looked = path, self._round
        known.head, known.head_size = sha256(head).digest(), len(head)
        known.mark = head[:2] if head[:2] in _WIDE_MARKS else b""
        self._files[key] = known
        return known


def _is_same(known: _Known, head: bytes) -> bool:
    """Whether a file still begins as it did."""
    return sha256(head[: known.head_size]).digest() == known.head


def _is_copy(known: _Known, head: bytes, handle: int) -> bool:
    """Whether a file begins with what was read of another one."""
    if known.head_size < _TELLING or known.offset == 0 or not _is_same(known, head):
        return False
    return _tail(handle, known.offset) == known.tail


def _tail(handle: int, offset: int) -> bytes:
    start = max(0, offset - _HEAD)
    return sha256(_read_at(handle, start, offset - start)).digest()


def _skip_to_end(known: _Known, handle: int, size: int) -> None:
    """Leave what is there unread but for its line ends, so that line numbers are right."""
    at = 0
    while at < size and (part := _read_at(handle, at, min(_CHUNK, size - at))):
        known.line += part.count(b"\n")
        at += len(part)
    known.offset, known.tail = at, _tail(handle, at)


def _gain(known: _Known, handle: int, *, is_settled: bool) -> Iterator[Appended]:
    data = _read_at(handle, known.offset, MOST_AT_ONCE)
    cut = _whole_lines(data, known)
    if is_settled or (cut == 0 and len(data) == MOST_AT_ONCE):
        # Also a line longer than any of a log: passed on in pieces rather than kept.
        cut = len(data)
    if cut == 0:
        return
    shown = data[:cut]
    line, first = known.line, known.offset == 0
    known.line += shown.count(b"\n")
    known.offset += cut
    known.tail = _tail(handle, known.offset)
    yield Appended(known.identity, known.path, line, shown if first else known.mark + shown)


def _whole_lines(data: bytes, known: _Known) -> int:
    """How many bytes of ``data`` are whole lines; UTF-16 is not cut within a letter."""
    if not known.mark:
        return data.rfind(b"\n") + 1
    newline = b"\n\0" if known.mark == b"\xff\xfe" else b"\0\n"
    at = data.rfind(newline)
    while at >= 0 and (at + known.offset) % 2:
        at = data.rfind(newline, 0, at + 1)
    return at + 2 if at >= 0 else 0


def _read_at(handle: int, offset: int, size: int) -> bytes:
    os.lseek(handle, offset, os.SEEK_SET)
    parts = []
    while size > 0 and (part := os.read(handle, min(size, _CHUNK))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
