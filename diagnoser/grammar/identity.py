"""What makes two errors the same: all of them but times, identifiers and places in the source.

Masks only decide what is counted together; nothing is shown masked.
"""

from __future__ import annotations

from diagnoser.deferral import pattern
from diagnoser.model import ErrorBlock

_CLOCK = r":\d\d:\d\d(?:[:.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d|[ \u202f][AP]M)?"
_TEXT = pattern(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
    rf"|\d{{4}}-\d\d-\d\d[T ]\d\d{_CLOCK}"
    rf"|(?<![\d.])\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d{{2}}),? \d{{1,2}}{_CLOCK}"
    r"|#\d+|\b0x[0-9a-f]{9,16}\b"
)
# Where in the source or by which task an error was raised is no part of what it is.
_PLACES = frozenset({"$file", "$line", "$func", "line", "file", "function", "channel", "pid"})


def mask_text(text: str) -> str:
    """``text`` without times, GUIDs and numbers of runs, its blanks made one."""
    return " ".join(_TEXT.sub("*", text).split())


def identity(block: ErrorBlock) -> object:
    """What two sightings of the same error share."""
    return tuple(
        (
            frame.name,
            mask_text(frame.message or ""),
            tuple((f.key, mask_text(f.value)) for f in frame.fields if f.key not in _PLACES),
        )
        for frame in block.frames
    )
