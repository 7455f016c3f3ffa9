"""Reads objects that :mod:`json` refuses: wrapped, with bare quotes, cut off anywhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELDS = 512

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
# What may follow a closing quote: the next name, whole (in two where a line was wrapped) or cut
# off, or the end of the object.
_AFTER_VALUE = pattern(
    r"""\s{0,8}(?:,\s{0,8}["'](?!["'])[^"'\n]{0,80}(?:\n[^"'\n]{0,80})?["']\s{0,8}:"""
    r"""|,?\s{0,8}\}\s{0,8}\Z"""
    r"""|(?:,\s{0,8}(?:["'][^"'\n]{0,80}["']?)?)?\s{0,8}\Z)"""
)
_AFTER_KEY = pattern(r"\s{0,8}(?::|\Z)")
# A number may be wrapped too.
_BARE = pattern(r"[^,}\n]{1,64}(?:\n[^,}\n:\"']{1,64}(?=\s{0,8}[,}]))?")
_GAP = pattern(r"[\s,]*")
_PLAIN = {quote: pattern(rf"[^\\\n{quote}]+") for quote in "\"'"}
_HEX4 = pattern(r"[0-9a-fA-F]{4}")
_LOW_HALF = pattern(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")

# Name, value, and where the name begins.
Pairs = list[tuple[str, str, int]]


class Scanner:
    """One pass over an object that :mod:`json` refuses; collects damage in words."""

    def __init__(self, text: str, damage: list[str]) -> None:
        self._text = text
        self._damage = damage

    def members(self) -> Pairs:
        """All members whose value is whole, in order."""
        return list(self._members())

    def _members(self) -> Iterator[tuple[str, str, int]]:
        text, at = self._text, 1
        for _ in range(MAX_FIELDS + 1):
            at = self._past_gap(at)
            if at >= len(text):
                self._damage.append("fields have no closing brace")
                return
            if text[at] == "}":
                if rest := text[at + 1 :].strip():
                    self._damage.append(f"text after the fields: {rest[:40]!r}")
                return
            start = at
            key, at = self._key(at)
            if key is None:
                return
            value, at = self._value(key, at)
            if value is None:
                return
            yield key, value, start

    def _past_gap(self, at: int) -> int:
        gap = _GAP.match(self._text, at)
        return gap.end() if gap else at

    def _key(self, at: int) -> tuple[str | None, int]:
        text = self._text
        if text[at] in "\"'":
            key, end = self._string(at, _AFTER_KEY)
        else:
            colon = text.find(":", at, at + 100)
            key, end = (text[at:colon].strip(), colon) if colon > 0 else (None, at)
        if key is None:
            self._damage.append(f"fields are cut off inside a name: {text[at : at + 40]!r}")
            return None, at
        colon = text.find(":", end, end + 9)
        if colon < 0:
            self._damage.append(f"fields are cut off after the name {key!r}")
            return None, at
        return key.replace("\n", ""), colon + 1

    def _value(self, key: str, at: int) -> tuple[str | None, int]:
        text = self._text
        at = self._past_gap(at)
        value: str | None
        if at >= len(text):
            value, end = None, at
        elif text[at] in "\"'":
            value, end = self._embedded(at) or self._string(at, _AFTER_VALUE)
        elif text[at] in "{[":
            value, end = self._nested(at)
        else:
            bare = _BARE.match(text, at)
            value, end = (bare[0].replace("\n", "").strip(), bare.end()) if bare else ("", at)
            # Without a delimiter nobody knows whether 84 was 8443.
            value = value if end < len(text) else None
        if value is None:
            self._damage.append(f"fields are cut off inside the value of {key!r}")
        return value, end

    def _embedded(self, at: int) -> tuple[str, int] | None:
        """A JSON document in quotes whose own quotes were not escaped."""
        text = self._text
        if not text.startswith(('"{"', '"{ "'), at):
            return None
        value, end = self._nested(at + 1)
        return (value, end + 1) if value is not None and text.startswith('"', end) else None

    def _nested(self, at: int) -> tuple[str | None, int]:
        try:
            _, end = _DECODER.raw_decode(self._text, at)
        except (ValueError, RecursionError):
            return None, len(self._text)
        return self._text[at:end], end

    def _string(self, at: int, after: re.Pattern[str]) -> tuple[str | None, int]:
        """A quoted string that ends where ``after`` fits, and the position behind its quote."""
        text, quote = self._text, self._text[at]
        parts: list[str] = []
        at += 1
        while at < len(text):
            if run := _PLAIN[quote].match(text, at):
                parts.append(run[0])
                at = run.end()
                continue
            if text[at] == quote:
                if after.match(text, at + 1):
                    return "".join(parts), at + 1
                parts.append(quote)
                at += 1
            elif text[at] == "\n":
                parts.append(self._break(parts))
                at += 1
            else:
                part, at = _escape(text, at)
                parts.append(part)
        return None, at

    @staticmethod
    def _break(parts: list[str]) -> str:
        """A raw line break: a hard wrap in a name or path vanishes, one in prose is kept."""
        last = parts[-1] if parts else ""
        return "\n" if any(c.isspace() for c in last) else ""


def _escape(text: str, at: int) -> tuple[str, int]:
    r"""The character that the escape at ``at`` stands for, and the position behind it.

    A wrap inside ``\\`` leaves a backslash at the end of one line and none, or the second, at the
    start of the next: both mean one backslash. A backslash that escapes nothing is itself.
    """
    follower = text[at + 1 : at + 2]
    if follower == "\n":
        return "\\", at + (3 if text[at + 2 : at + 3] == "\\" else 2)
    if follower == "u":
        digits = _HEX4.match(text, at + 2)
        if digits is None:
            return "\\", at + 1
        number, end = int(digits[0], 16), digits.end()
        if 0xD800 <= number < 0xDC00 and (low := _LOW_HALF.match(text, end)):
            number = 0x10000 + ((number - 0xD800) << 10) + (int(low[1], 16) - 0xDC00)
            end = low.end()
        return ("\ufffd" if 0xD800 <= number < 0xE000 else chr(number)), end
    if follower and follower in _ESCAPES:
        return _ESCAPES[follower], at + 2
    if follower and follower in "\\\"'/":
        return follower, at + 2
    return "\\", at + 1
