"""A line on stderr that tells how far a scan is; only on a terminal, and only if it takes time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

_PATIENCE = 0.5
_EVERY = 0.1


class Progress:
    """Bytes of the total, files, and errors so far. Quiet where stderr is no terminal."""

    def __init__(self, total: int, files: int, *, quiet: bool) -> None:
        self._total, self._files = max(total, 1), files
        self._bytes = self._done = self._errors = 0
        self._shown, self._width = False, 0
        self._next = time.monotonic() + _PATIENCE
        self._live = not quiet and sys.stderr.isatty()

    def advance(self, count: int) -> None:
        """So many bytes more were read."""
        self._bytes += count
        self._show()

    def tell(self, errors: int) -> None:
        """One more file, or part of one, is done; ``errors`` were found so far in all."""
        self._done += 1
        self._errors = errors
        self._show()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            sys.stderr.write(f"\r{'':{self._width}}\r")
            sys.stderr.flush()

    def _show(self) -> None:
        now = time.monotonic()
        if not self._live or now < self._next:
            return
        self._next = now + _EVERY
        self._shown = True
        share = min(self._bytes / self._total, 1.0)
        bar = "#" * int(20 * share)
        # Errors are known of files that are done: "0 errors" in the middle of one says too much.
        errors = f", {self._errors} errors" if self._done else ""
        line = (
            f"[{bar:<20}] {_size(self._bytes)} of {_size(self._total)}"
            f", {self._done}/{self._files} files{errors}"
        )
        # Blanks, no escape sequences: consoles of Windows Server 2016 and before print those.
        sys.stderr.write(f"\r{line:<{self._width}}")
        self._width = len(line)
        sys.stderr.flush()


def _size(count: int) -> str:
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
