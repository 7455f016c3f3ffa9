"""Where an error block names a host: its fields, its messages and the lines above it.

A *mention* is text in a place that names a host; whether it is one is for ``hosts`` to say. Traps
of the catalogue are taken out first, so nothing after them can see what they covered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.endpoints.hosts import read_address, split_port, straighten
from diagnoser.endpoints.prose import in_prose, is_file, read_url, show
from diagnoser.model import Evidence, Skipped

if TYPE_CHECKING:
    from diagnoser.endpoints.prose import Phrase
    from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location

# Longer texts are dumps; the first part of one names the host, if any does.
LONGEST_TEXT = 262_144
LONGEST_SHOWN = 120
MOST_REFUSED = 100
# A card above an error has some ten lines; what is longer is a log that belongs to no frame.
MOST_LINES = 400
# Shorter lines were not wrapped: no mail client or terminal folds before this column.
WRAP_WIDTH = 60
_CLOSING = frozenset("'\")]>»”’")

_HOST_FACTS = {
    "address": "field_address",
    "host": "field_host",
    "hostname": "field_host",
    "server": "field_server",
    "servername": "field_server",
    "serveraddress": "field_server",
    "addressserver": "field_server",
    "fesaddress": "field_fes_address",
    "datastore": "field_data_store",
    "uri": "field_uri",
    "url": "field_uri",
    "serverurl": "field_uri",
}
# Written by the compiler or the logger: never about a host, and full of dots and colons.
_SYMBOLS = {"$module", "$line", "$func", "module", "line", "function"}
_FIRST_WORD = pattern(r"^\S+")
_LAST_WORD = pattern(r"\S+$")
_ESCAPED = pattern(r'(?<!\\)\\++(["/])')


@dataclass(frozen=True, slots=True)
class Mention:
    """A host text and a port text (empty if none) as found.

    ``depth`` is the frame's index, -1 for the heading above all frames. ``scheme_port`` is what the
    URL scheme means where no port is written, ``plain_text`` says that the scheme has no TLS.
    """

    host: str
    port: str
    depth: int
    at: Location
    evidence: tuple[Evidence, ...]
    scheme_port: int | None = None
    plain_text: bool = False

    @property
    def text(self) -> str:
        """The mention as a reader would write it."""
        return show(self.host, self.port)


@dataclass(slots=True)
class Mentions:
    """What one block yields, in reading order; grows while the block is read."""

    found: list[Mention] = field(default_factory=list)
    refused: dict[str, Skipped] = field(default_factory=dict)

    def refuse(self, text: str, reason: str, at: Location) -> None:
        """Note a text that is no endpoint, once, with the reason."""
        shown = " ".join(text.split())
        if len(shown) > LONGEST_SHOWN:
            shown = shown[: LONGEST_SHOWN - 1] + "…"
        if shown and len(self.refused) < MOST_REFUSED:
            self.refused.setdefault(shown, Skipped(str(at), f"'{shown}': {reason}"))

    def spring(self, text: str, at: Location) -> str:
        """``text`` straightened, with every trap refused and blanked out."""
        if len(text) > LONGEST_TEXT:
            self.refuse(text[-40:], f"beyond the first {LONGEST_TEXT} characters, not read", at)
        clean = straighten(text[:LONGEST_TEXT])
        for trap in catalog.traps():

            def blank(match: re.Match[str], reason: str = trap.reason) -> str:
                self.refuse(match[match.lastindex or 0], reason, at)
                return "\0" * len(match[0])

            clean = trap.pattern.sub(blank, clean)
        return clean


def find(block: ErrorBlock) -> Mentions:
    """Every mention of a host in ``block`` and every trap in it."""
    mentions = Mentions()
    for depth, frame in enumerate(block.frames):
        _read_fields(frame, depth, mentions)
        if frame.message:
            _read_prose(frame.message, depth, frame.at, mentions)
    for text, at in heading(block):
        _read_prose(text, -1, at, mentions)
    return mentions


def heading(block: ErrorBlock) -> list[tuple[str, Location]]:
    """The lines above the first frame; all lines where the frames carry neither field nor message.

    The ends of a long line are left out where another follows or precedes: a host that was wrapped
    there would be half of one, unless a quote or bracket closes behind it.
    """
    lines = block.text[:LONGEST_TEXT].splitlines()
    if any(f.fields or f.message for f in block.frames):
        above = block.frames[0].at.line - block.at.line
        lines = lines[: max(0, above)]
    found = []
    for i, line in enumerate(lines[:MOST_LINES]):
        before = lines[i - 1] if i else ""
        after = lines[i + 1].strip() if i + 1 < len(lines) else ""
        whole = _FIRST_WORD.sub("", line) if len(before) >= WRAP_WIDTH else line
        is_open = len(line) >= WRAP_WIDTH and line.rstrip()[-1:] not in _CLOSING
        whole = _LAST_WORD.sub("", whole) if after and is_open else whole
        if whole.strip():
            found.append((whole, replace(block.at, line=block.at.line + i)))
    return found


def _read_fields(frame: ErrorFrame, depth: int, mentions: Mentions) -> None:
    """Host fields with the port of their own document, all others as prose."""
    unfolded = any(f.path for f in frame.fields)
    hosts: list[tuple[int, Field, str]] = []
    for i, f in enumerate(frame.fields):
        key = f.key.lower().replace("_", "")
        if key == "port" or f.key.lower() in _SYMBOLS or (key == "httpbody" and unfolded):
            continue
        held = _ESCAPED.sub(r"\1", f.value) if key == "httpbody" else f.value
        clean = mentions.spring(f"{f.key}: {held}", f.at)
        value = clean[len(straighten(f"{f.key}: ")) :].strip()
        if key not in _HOST_FACTS:
            _scan(value, depth, f.at, mentions)
        elif value and "\0" not in value:
            hosts.append((i, f, _HOST_FACTS[key]))
    for i, f, fact in hosts:
        if (mention := _field_mention(frame, i, f, fact, depth)) is not None:
            mentions.found.append(mention)


def _field_mention(
    frame: ErrorFrame, index: int, f: Field, fact: str, depth: int
) -> Mention | None:
    value = straighten(f.value[:2048]).strip()
    evidence: tuple[Evidence, ...] = (Evidence(fact, f.value[:LONGEST_SHOWN], str(f.at)),)
    url = read_url(value)
    if url is not None and (url.port or fact == "field_uri"):
        return _mention(url, depth, f.at, evidence)
    if url is not None:
        host, port = url.host, ""
    elif fact == "field_uri":
        value = re.split(r"[/?#]", value, maxsplit=1)[0]
        if "." not in value or "://" in f.value or is_file(value, ""):
            return None
        host, port = split_port(value)
    else:
        host, port = split_port(value)
    if not port and (p := _port_field(frame.fields, index)) is not None and p.value.strip():
        port = p.value
        evidence += (Evidence("field_port", port[:LONGEST_SHOWN], str(p.at)),)
    if url is not None and not port:
        return _mention(url, depth, f.at, evidence)
    return Mention(host, port, depth, f.at, evidence) if host else None


def _port_field(fields: tuple[Field, ...], index: int) -> Field | None:
    """The ``port`` of the same document as the host at ``index``: the next one, else the last."""
    path = fields[index].path
    ports = [(i, f) for i, f in enumerate(fields) if f.path == path and f.key.lower() == "port"]
    return next((f for i, f in ports if i > index), ports[-1][1] if ports else None)


def _read_prose(text: str, depth: int, at: Location, mentions: Mentions) -> None:
    _scan(mentions.spring(_ESCAPED.sub(r"\1", text), at), depth, at, mentions)


def _scan(clean: str, depth: int, at: Location, mentions: Mentions) -> None:
    phrases = in_prose(clean)
    named = any(read_address(p.host) is None for p in phrases)
    for p in phrases:
        if p.is_dialled and named:
            mentions.refuse(p.text, "the address of the host that is named beside it", at)
            continue
        evidence = (Evidence(p.fact, p.text[:LONGEST_SHOWN], str(at)),)
        mentions.found.append(_mention(p, depth, at, evidence))


def _mention(phrase: Phrase, depth: int, at: Location, evidence: tuple[Evidence, ...]) -> Mention:
    return Mention(
        phrase.host, phrase.port, depth, at, evidence, phrase.scheme_port, phrase.plain_text
    )
