"""Unicode's normal forms of a text that anybody may have written."""

from __future__ import annotations

import unicodedata
from typing import Literal

from diagnoser.deferral import pattern

# No text of people puts more combining marks on a letter (Unicode's Stream-Safe Text Format, UAX
# 15 section 13). No mark is a letter, a digit or ASCII.
_RUN = pattern(r"([^\w\x00-\x7f]{31,})")
# So short a text costs nothing, whatever it holds.
_SHORT = 512


def composed(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """``text`` in a normal form; runs of marks that no text has stay as they are, for the time
    that normalising takes grows with the square of their length."""
    if text.isascii():
        return text
    if len(text) <= _SHORT:
        return unicodedata.normalize(form, text)
    parts = _RUN.split(text)
    parts[::2] = [unicodedata.normalize(form, part) for part in parts[::2]]
    return "".join(parts)
