"""Error documents inside a field or message: what the service answered, escaped into one string.

A REST error is ``{"origin": link, "serCode": …}`` with
``link = {"module", "code", "text", "linetag", "fields": {…}, "suberror": link | null}``,
outermost first: the same chain as that of a block, in another dress. Consoles since 2020 leave the
module out and combine it with the code; the source is ``"src": {"file", "func", "line", "tag"}``,
the end of the chain ``"suberror": {}``, and the chain stands at ``error/context/_src`` or alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.fields import parse_fields
from diagnoser.grammar.values import Members, read_json, rendered
from diagnoser.model import ErrorFrame, Field, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 12
MAX_INNER = 256
# The longest chain seen in a document has 17 links; its last one is the cause.
_MAX_LINKS = 64
_SOURCE = "_src"
_PLACES = ("file", "func", "line")
# How deep in a document the chain may stand.
_NEAR = 4
# A path separator inside a document inside a string inside a document is four backslashes.
_MAX_UNESCAPES = 3
_ESCAPED = pattern(r'\\(["\\/])')
_TAG = pattern(r"(?:0x)?[0-9a-fA-F]{1,16}")
_NUMBER = pattern(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Chain:
    """Frames outermost first, and what in them is damaged."""

    frames: tuple[ErrorFrame, ...]
    damage: tuple[str, ...]


def expand(frames: tuple[ErrorFrame, ...]) -> Chain:
    """The chain with the fields of embedded documents, and their causes as deeper frames.

    A cause that the chain names by itself further down is not repeated.
    """
    found: list[ErrorFrame] = []
    damage: list[str] = []
    for index, frame in enumerate(frames):
        own: list[Field] = []
        causes: list[ErrorFrame] = []
        for field in frame.fields:
            own.append(field)
            if field.path or not field.value.lstrip().startswith("{"):
                continue
            document, inner = _opened(field, damage)
            own += inner
            causes += causes_of(document, field.key, field.at)
        if frame.message and (document := _in_message(frame.message)) is not None:
            causes += causes_of(document, "message", frame.at)
        later = {f.packed for f in frames[index + 1 :]}
        found.append(replace(frame, fields=tuple(own[: len(frame.fields) + MAX_INNER])))
        found += [c for c in causes if c.packed not in later and c.packed != frame.packed]
    return Chain(tuple(found), tuple(damage))


def _opened(field: Field, damage: list[str]) -> tuple[object, list[Field]]:
    """The document in a field's value and its leaves; read as far as it goes where it is broken."""
    text = field.value.strip()
    document = read_json(text)
    for _ in range(_MAX_UNESCAPES):
        if document is not None or "\\" not in text:
            break
        text = _ESCAPED.sub(r"\1", text)
        document = read_json(text)
    if isinstance(document, Members):
        return document, list(leaves(document, field.key, field.at))
    inner, faults = parse_fields(field.value, field.at)
    damage += [f"{field.key}: {fault}" for fault in faults]
    return None, [replace(f, path=field.key) for f in inner]


def _in_message(message: str) -> object:
    start = message.find('{"')
    if start < 0 or '"origin"' not in message:
        return None
    end = message.rfind("}")
    return read_json(message[start : end + 1])


def leaves(document: object, path: str, at: Location, depth: int = 0) -> Iterator[Field]:
    """Every plain value of a document as a field whose ``path`` leads to it."""
    if not isinstance(document, Members) or depth > MAX_DEPTH:
        return
    for key, value in document:
        if isinstance(value, Members):
            yield from leaves(value, f"{path}/{rendered(key)}", at, depth + 1)
        elif value is not None:
            yield Field(rendered(key), rendered(value), at, path)


def causes_of(document: object, path: str, at: Location) -> list[ErrorFrame]:
    """The links of a REST error document, outermost first; empty if it is none."""
    if not isinstance(document, Members):
        return []
    frames: list[ErrorFrame] = []
    link, step = document.get("origin"), "origin"
    if link is None:
        link, step = _source_in(document), _SOURCE
    if link is None and (document.get("module") or document.get("suberror")) is not None:
        link, step = document, ""
    way = f"{path}/{step}".strip("/")
    while isinstance(link, Members) and len(frames) < _MAX_LINKS:
        frame = _link(link, way, at)
        if frame is None:
            break
        frames.append(frame)
        link, way = link.get("suberror"), f"{way}/suberror"
    return frames


def _source_in(document: Members, depth: int = 0) -> Members | None:
    """The chain that a document carries in its context."""
    for key, value in document if depth < _NEAR else ():
        if isinstance(value, Members):
            if key == _SOURCE:
                return value
            if (found := _source_in(value, depth + 1)) is not None:
                return found
    return None


def _link(link: Members, way: str, at: Location) -> ErrorFrame | None:
    module, code = _number(link.get("module")), _number(link.get("code"))
    if code is None or (module is not None and module > 0xFFFF) or code > 0xFFFFFFFF:
        return None
    if code > 0xFFFF or module is None:
        module, code = code >> 16, code & 0xFFFF
    text, source = link.get("text"), link.get("src")
    tag = link.get("linetag") or link.get("lineTag")
    inner = list(leaves(link.get("fields"), f"{way}/fields", at))[:MAX_INNER]
    if isinstance(source, Members):
        places = leaves(source, f"{way}/src", at)
        inner += [replace(f, key=f"${f.key}") for f in places if f.key in _PLACES]
        tag = source.get("tag")
    line_info = rendered(tag).partition(",")[0].strip() if isinstance(tag, str) else ""
    message = rendered(text) if isinstance(text, str) else None
    is_tag = _TAG.fullmatch(line_info) is not None
    return ErrorFrame(module, code, line_info if is_tag else None, tuple(inner), message, at)


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None
