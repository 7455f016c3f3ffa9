"""JSON values as fields show them: members in order, numbers as they were written."""

from __future__ import annotations

import json

from diagnoser.deferral import pattern

_SURROGATE = pattern("[\ud800-\udfff]")


class Members(list[tuple[str, object]]):
    """The members of one JSON object in order, repeated keys included."""

    def get(self, key: str) -> object:
        """The last member of that name, or ``None``."""
        return next((value for name, value in reversed(self) if name == key), None)


# Not strict: a text in it may have been wrapped.
_DECODER = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=str, parse_float=str, parse_constant=str, strict=False
)


def read_json(text: str) -> object:
    """A JSON text with objects as :class:`Members` and numbers as text; ``None`` if it is none."""
    text = text.strip()
    found, end = read_prefix(text)
    return found if end == len(text) else None


def read_prefix(text: str, start: int = 0) -> tuple[object, int]:
    """The JSON value that begins at ``start``, and where it ends; ``(None, 0)`` if none does."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, 0


def rendered(value: object, depth: int = 0) -> str:
    """A JSON value as a field shows it: strings and numbers as text, the rest as compact JSON."""
    if isinstance(value, str):
        # Half a surrogate pair is an escape that nobody can print or encode.
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    text = json.dumps(_plain(value, depth), ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub("\ufffd", text)


def _plain(value: object, depth: int) -> object:
    if depth > 32:
        return "…"
    if isinstance(value, Members):
        return {key: _plain(inner, depth + 1) for key, inner in value}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    return value
