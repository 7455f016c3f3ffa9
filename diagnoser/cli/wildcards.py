"""What a Unix shell does to arguments before a program sees them, and Windows' shells leave to it.

Only what can be nothing else: a path that begins with the home directory, and files to scan that
are named by wildcards, which no name of a file holds there. Patterns of options, addresses and
passwords stay as they were typed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from diagnoser.deferral import pattern

_HOME = pattern(r"~[/\\]")


def with_home(arguments: Sequence[str], system: str) -> list[str]:
    """``arguments`` with the user's directory for a leading ``~``; ``system`` is ``os.name``."""
    if system != "nt":
        return list(arguments)
    return [str(Path(a).expanduser()) if _HOME.match(a) else a for a in arguments]


def are_wildcards(path: str, system: str) -> bool:
    """Whether a path that the user typed stands for others."""
    return system == "nt" and any(c in path for c in "*?") and not path.startswith("\\\\?\\")


def expand(paths: Sequence[str], system: str) -> tuple[str, ...]:
    """``paths`` with the files that wildcards stand for; one that fits none stays as it is."""
    found: list[str] = []
    for path in paths:
        fits: list[str] = []
        if are_wildcards(path, system):
            import glob  # noqa: PLC0415  (this module loads at every start)

            # A bracket is an ordinary letter to cmd, and stands in many a name.
            pattern = path.replace("[", "[[]")
            fits = sorted(glob.glob(pattern), key=os.path.normcase)  # noqa: PTH207
        found += fits or [path]
    return tuple(found)
