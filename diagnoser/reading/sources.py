"""Reads inputs whole, up to a limit. The only module that opens a user's file.

What a limit cuts off is listed as :class:`~diagnoser.model.Skipped`, never dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from diagnoser.errors import InputError
from diagnoser.model import Skipped

if TYPE_CHECKING:
    from pathlib import Path

# A day's rotation of an agent log is some 10 MiB; a larger input is a dump, not a paste.
LIMIT = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
# ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION: Python has one class for these and for a refusal.
_IN_USE = (32, 33)


@dataclass(frozen=True, slots=True)
class Input:
    """The bytes of one source, as the user named it, and what of it was left out."""

    source: str
    data: bytes
    skipped: tuple[Skipped, ...] = ()


def read_stream(stream: BinaryIO, source: str, limit: int = LIMIT) -> Input:
    """At most ``limit`` bytes of ``stream``; raises ``InputError`` if reading fails."""
    parts: list[bytes] = []
    left = limit + 1
    try:
        while left > 0 and (part := stream.read(min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
            # A terminal forgets that its user ended the input: asked again, it waits again.
            if len(part) < _CHUNK and stream.isatty():
                break
    except OSError as error:
        raise InputError(
            f"{source}: cannot be read: {_reason(error)}",
            hint="copy the error text into a file and give that file's name",
        ) from error
    data = b"".join(parts)
    if len(data) <= limit:
        return Input(source, data)
    reason = f"only the first {limit} bytes were read"
    return Input(source, data[:limit], (Skipped(source, reason),))


def open_file(path: Path) -> BinaryIO:
    """The file at ``path`` as a stream. Raises ``InputError`` if it cannot be opened."""
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be opened: {_reason(error)}", hint="run as administrator, or copy it first"
        ) from error


def read_file(path: Path, limit: int = LIMIT) -> Input:
    """At most ``limit`` bytes of the file at ``path``.

    Raises ``InputError`` if there is no such file, if it is a directory, or if it cannot be read.
    """
    source = str(path)
    # A directory is a PermissionError on Windows and an IsADirectoryError elsewhere: ask first.
    try:
        if path.is_dir():
            raise InputError(
                f"{source}: is a directory",
                hint=f"diagnoser scan {source} reads all files below it",
            )
        with path.open("rb") as stream:
            return read_stream(stream, source, limit)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{source}: no such file", hint="check the path, or paste the text: diagnoser"
        ) from error
    except PermissionError as error:
        if getattr(error, "winerror", None) in _IN_USE:
            raise InputError(
                f"{source}: is in use by another program",
                hint="copy the file and give the copy, or stop the program that holds it",
            ) from error
        raise InputError(
            f"{source}: permission denied",
            hint="agent logs belong to the administrator: run as such, or copy the file first",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(
            f"{source}: cannot be opened: {_reason(error)}", hint="check the path"
        ) from error


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return (words or type(error).__name__).lower()
