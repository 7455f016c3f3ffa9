"""Which files a path stands for: itself, or everything below it, in a stable order."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from diagnoser.deferral import pattern
from diagnoser.errors import InputError
from diagnoser.model import Skipped

# mms.0.log, mms.1.log.gz, account_server.log.3, setup-2.log
_ROTATED = pattern(
    r"^(?P<stem>.*?)[._-]?(?P<number>\d{1,6})?(?P<tail>\.(?:log|txt|out))?"
    r"(?:\.(?P<after>\d{1,6}))?(?:\.(?:gz|bz2|xz|zip))?$",
    re.IGNORECASE,
)
_MAX_DEPTH = 64
# A directory's may have 12 letters less than a file's (MAX_PATH, learn.microsoft.com).
_LONGEST_OF_WINDOWS = 248
_KERNEL = ("/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a directory are meant. Patterns as the shell has them, on name or path.

    ``since`` is seconds of the epoch: files last changed before hold nothing newer.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: float | None = None

    def covers(self, relative: str) -> bool:
        """Whether the path below the directory, with ``/``, is wanted."""
        name = relative.rpartition("/")[2]
        if any(fnmatch(relative, p) or fnmatch(name, p) for p in self.exclude):
            return False
        wanted = any(fnmatch(relative, p) or fnmatch(name, p) for p in self.include)
        return wanted or not self.include


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file and its size in bytes."""

    path: str
    size: int


def walk(path: str, selection: Selection) -> Iterator[Found | Skipped]:
    """The files of ``path``; those that cannot be reached come as ``Skipped``.

    A path the user named is followed wherever it leads; below it, links to directories are
    followed once (by device and inode), so a loop ends. Raises ``InputError`` if ``path`` itself
    is missing or no file.
    """
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file", hint="check the path") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: {_reason(error)}",
            hint="agent logs belong to the administrator: run as such, or copy the file first",
        ) from error
    if stat.S_ISDIR(status.st_mode):
        yield from _below(path, path, selection, {(status.st_dev, status.st_ino)}, 0)
    elif stat.S_ISREG(status.st_mode):
        yield Found(path, status.st_size)
    else:
        raise InputError(f"{path}: is neither a file nor a directory", hint="check the path")


def rotation_order(name: str) -> tuple[str, int, str]:
    """Sorts the rotations of one log together, the oldest (highest number) first."""
    match = _ROTATED.match(name)
    if match is None or not (match["number"] or match["after"]):
        return name.lower(), 0, name
    number = int(match["after"] or match["number"])
    return f"{match['stem']}{match['tail'] or ''}".lower(), -number, name


def _below(
    root: str, directory: str, selection: Selection, seen: set[tuple[int, int]], depth: int
) -> Iterator[Found | Skipped]:
    try:
        if (reason := _barred(directory, depth)) is not None:
            yield Skipped(directory, reason)
            return
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda e: rotation_order(e.name))
    except OSError as error:
        told = _reason(error) + _too_long(directory, sys.platform)
        yield Skipped(directory, f"cannot be listed: {told}")
        return
    old = 0
    for entry in found:
        relative = os.path.relpath(entry.path, root).replace(os.sep, "/")
        try:
            status = _status(entry, sys.platform)
        except OSError as error:
            told = _reason(error) + _too_long(entry.path, sys.platform)
            yield Skipped(entry.path, f"cannot be reached: {told}")
            continue
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if identity in seen and status.st_ino:
                if not entry.is_symlink():
                    continue
                yield Skipped(entry.path, "a link to a directory that is read already")
                continue
            seen.add(identity)
            yield from _below(root, entry.path, selection, seen, depth + 1)
        elif not selection.covers(relative):
            continue
        elif not _is_plain(entry, status):
            yield Skipped(entry.path, "is no regular file")
        elif entry.is_symlink() and _is_under(entry.path, root):
            # Its target is met by its own name.
            continue
        elif selection.since is not None and status.st_mtime < selection.since:
            old += 1
        else:
            yield Found(entry.path, status.st_size)
    if old:
        yield Skipped(directory, f"{old} files were last changed before --since")


def _status(entry: os.DirEntry[str], system: str) -> os.stat_result:
    """Size, times and identity of what an entry leads to.

    A directory of Windows knows no identity (a loop of junctions would not end), and of a file that
    a running agent holds open neither its present size nor its last change.
    """
    return Path(entry.path).stat() if system == "win32" else entry.stat()


def _too_long(path: str, system: str) -> str:
    """Windows says of a path beyond 259 letters that there is none."""
    if system != "win32" or len(path) < _LONGEST_OF_WINDOWS or path.startswith("\\\\?\\"):
        return ""
    return "; its path is too long for Windows: give the folder as \\\\?\\C:\\…"


def _barred(directory: str, depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        return f"directories nested more than {_MAX_DEPTH} deep were left"
    if _is_of_the_kernel(directory):
        return "a directory of the kernel, which holds no logs"
    return None


def _is_plain(entry: os.DirEntry[str], status: os.stat_result) -> bool:
    leaves = entry.is_symlink() and _is_of_the_kernel(entry.path)
    return stat.S_ISREG(status.st_mode) and not leaves


def _is_of_the_kernel(path: str) -> bool:
    """Whether it lies in /proc, /sys or /dev: files there never end, or wait for ever, and
    /proc/PID/root leads to everything again."""
    place = os.path.realpath(path)
    return any(place == top or place.startswith(top + "/") for top in _KERNEL)


def _is_under(path: str, root: str) -> bool:
    target, base = (os.path.normcase(os.path.realpath(p)) for p in (path, root))
    return target.startswith(base.rstrip(os.sep) + os.sep)


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return (words or type(error).__name__).lower()
