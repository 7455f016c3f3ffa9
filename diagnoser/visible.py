"""Control characters made visible, so that no input can speak to the terminal."""

from __future__ import annotations

import re

from diagnoser.deferral import pattern

# C0 without tab and newline, DEL, C1, and the characters that reorder or hide text.
_UNSAFE = pattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""``text`` with control, format and surrogate characters as ``\xNN`` or ``\uNNNN``."""
    return _UNSAFE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
