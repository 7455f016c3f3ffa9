"""Pipe blocks: errors as service logs write them.

Bars are unfolded first: what stands between two bars, or behind the bar of a line, is one item.
Over the items::

    block   = link *link
    link    = error [ ":" text ] [ *text-item &known ] *( known / pair / text-item )
    error   = ( "Error" / "error" / "Fehler" ) SP "0x" 1*8HEXDIG   ; module << 16 | code
    known   = ( "trace level" / "channel" / "line" / "file" / "function" / "$module" / … ) ":" value
    pair    = key ":" value                        ; numbers in hexadecimal, keys may repeat

A message may run over items that look like pairs: only a standard field ends it. An example::

    2021-03-04T10:11:12:131+01:00 10060 E0000FFF0: Error 0xfff0: Access is denied
    | trace level: error
    | line: 0xbd28fdbd64edb8f1
    | code: 0x80070005
    | $module: disk_bundle_vsa64_26077
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

import pyparsing as pp

from diagnoser.deferral import pattern
from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar.embedded import expand
from diagnoser.grammar.entries import ERROR, HIT, KNOWN, LEADING, PAIR
from diagnoser.grammar.forms import MAX_FRAMES, MAX_LINES
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.syntax import HINT, token
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock
from diagnoser.reading.framing import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    "line info": "line",
    "linea": "line",
    "línea": "line",
    "Zeile": "line",
    "archivo": "file",
    "Datei": "file",
    "funcion": "function",
    "función": "function",
    "Funktion": "function",
    "Channel": "channel",
    "Kanal": "channel",
    "Ablaufverfolgungsebene": "trace level",
}
_GERMAN = pattern(r"(?:Fehler 0x|(?:^|\|\s?)(?:Zeile|Datei|Funktion):)", re.MULTILINE)
_SPANISH = pattern(r"(?:^|\|\s?)(?:linea|línea|archivo|funcion|función):", re.MULTILINE)
_BARS = pattern(r"(?:\|\s?)+")
_NAME = pattern(r"[$\w]{1,40}")
_UNFINISHED = pattern(
    r"(?:line|file|function|trace level|\$module)\s{0,2}:\s*(?:0x?)?|\$module\s{0,2}:.*\D"
)
# Half a value of these would be another endpoint.
_DIALLED = {"port", "address", "host", "fesaddress"}
# A standard field of this depth on is inside an event that a field quotes.
_QUOTED = 2


@dataclass(frozen=True, slots=True)
class _Item:
    """What stands behind one run of bars: its line in the block, the number of bars, its text."""

    row: int
    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the grammar found an item to be, and the item's offset."""

    kind: str
    offset: int


@cache
def _grammar() -> pp.ParserElement:
    eol = token(r"\n|\Z", "the end of the line", 0).suppress()
    error = token(ERROR, "an error number such as `Error 0x1350016`", 0).suppress()
    text = token(r"(?!\Z)[^\n]*", "text", 0)
    head = error + pp.Opt(token(r":?[^\n]*", "a message", 0)) + eol

    def numbered(element: pp.ParserElement, kind: str) -> pp.ParserElement:
        def mark(_: str, offset: int, __: pp.ParseResults) -> _Mark:
            return _Mark(kind, offset)

        return element.copy().add_parse_action(mark)

    known = token(rf"{KNOWN}[^\n]*", "a standard field such as `line: 0x…`", 0) + eol
    pair = token(rf"{PAIR}[^\n]*", "a field", 0) + eol
    ahead = token(
        rf"(?=(?:(?!{ERROR})[^\n]*\n){{0,200}}?{LEADING})", "a standard field", 0
    ).suppress()
    message = ahead + pp.ZeroOrMore(~known + ~error + numbered(text + eol, "message"))
    rest = pp.ZeroOrMore(
        ~error + (numbered(known, "field") | numbered(pair, "field") | numbered(text + eol, "more"))
    )
    return pp.OneOrMore(numbered(head, "error") + pp.Opt(message) + rest).parse_with_tabs()


def parse(block: RawBlock) -> ErrorBlock:
    """One pipe block. Raises ``BlockSyntaxError``."""
    items = _unfold(block.text)
    source = "\n".join(item.text for item in items)
    try:
        marks = _grammar().parse_string(source, parse_all=True)
    except pp.ParseBaseException as error:
        raise _refusal(error, items, source, block) from None
    links: list[list[tuple[str, _Item]]] = []
    rows = dict(zip(_offsets(items), items, strict=True))
    for mark in marks:
        if mark.kind == "error":
            links.append([])
        links[-1].append((mark.kind, rows[mark.offset]))
    damage = []
    if len(items) == MAX_LINES:
        damage.append(f"more than {MAX_LINES} items; the rest was not read")
    if len(links) > MAX_FRAMES:
        damage.append(f"more than {MAX_FRAMES} causes; the rest was not read")
    if items[0].depth:
        damage.append("starts in the middle of a chain")
    damage += _cut_off(links)
    chain = expand(tuple(_frame(link, block.at) for link in links[:MAX_FRAMES]))
    return ErrorBlock(
        form=block.form,
        language=_language(block.text),
        frames=chain.frames,
        at=block.at,
        text=block.text,
        damage=(*damage, *chain.damage),
        occurred_at=occurred_at(block.text),
    )


def parse_within(text: str, form: str, at: Location) -> ErrorBlock | None:
    """The pipe block in the text of an entry of another form, all of it placed at ``at``.

    ``None`` where there is none, or where it reports success.
    """
    hit = HIT.search(text)
    if hit is None or not int(hit["packed"], 16):
        return None
    try:
        block = parse(RawBlock(form, text, Location(at.source, 1)))
    except BlockSyntaxError:
        return None
    return replace(block, frames=tuple(_placed(f, at) for f in block.frames), at=at)


def _placed(frame: ErrorFrame, at: Location) -> ErrorFrame:
    return replace(frame, at=at, fields=tuple(replace(f, at=at) for f in frame.fields))


def _cut_off(links: list[list[tuple[str, _Item]]]) -> list[str]:
    """What the end of the text took away; a name or value that it cut in two is dropped.

    Agents end every cause that has fields with ``$module``; where only the last one lacks it, the
    text was cut.
    """
    *before, last = links[:MAX_FRAMES]
    kind, item = last[-1]
    if kind == "more" and _NAME.fullmatch(item.text):
        last.pop()
        return [f"cut off inside a name: {item.text!r}"]
    if kind == "field" and _UNFINISHED.fullmatch(item.text):
        last.pop()
        return [f"cut off inside the value of {item.text.partition(':')[0]!r}"]
    if kind == "field" and before and all(map(_has_module, before)) and not _has_module(last):
        key = item.text.partition(":")[0].strip()
        if key.lower() in _DIALLED:
            last.pop()
        return [f"cut off at {key!r}, before $module"]
    return []


def _has_module(link: list[tuple[str, _Item]]) -> bool:
    return any(kind == "field" and item.text.startswith("$module") for kind, item in link)


def _offsets(items: list[_Item]) -> Iterator[int]:
    """Where each item begins once they are joined by line feeds."""
    return accumulate((len(item.text) + 1 for item in items[:-1]), initial=0)


def _refusal(
    error: pp.ParseBaseException, items: list[_Item], source: str, block: RawBlock
) -> BlockSyntaxError:
    row = min(source.count("\n", 0, error.loc), len(items) - 1)
    item = items[row] if items else _Item(0, 0, "")
    line = block.text.split("\n")[item.row]
    inside = error.loc - (source.rfind("\n", 0, error.loc) + 1)
    return BlockSyntaxError(
        error.msg.removeprefix("Expected "),
        source=block.at.source,
        line=block.at.line + item.row,
        column=max(line.find(item.text), 0) + inside + 1,
        text=line,
        hint=HINT,
    )


def _unfold(text: str) -> list[_Item]:
    """The items of a block. What stands before the first error (time, thread, host) is dropped."""
    items: list[_Item] = []
    for row, raw in enumerate(text.split("\n")):
        line = clean_line(raw)
        bars = _BARS.match(line)
        depth, line = (bars[0].count("|"), line[bars.end() :]) if bars else (0, line)
        if not items:
            hit = HIT.search(line)
            if hit is None:
                continue
            depth = 0 if hit.start() else depth
            line = line[hit.start() :]
        head, *others = line.split("|") if _is_folded(line) else [line]
        items += [_Item(row, depth, head.strip())] if head.strip() else []
        items += [_Item(row, 1, part.strip()) for part in others if part.strip()]
    return items[:MAX_LINES]


def _is_folded(line: str) -> bool:
    """Whether one line holds a whole chain: ``Error 0x…: text | line: … | error 0x…``."""
    return HIT.match(line) is not None and "|" in line


def _frame(link: list[tuple[str, _Item]], at: Location) -> ErrorFrame:
    _, head = link[0]
    hit = HIT.match(head.text)
    packed = int(hit["packed"], 16) if hit else 0
    said = head.text[hit.end() :].removeprefix(":").strip() if hit else ""
    message = [said] if said else []
    fields: list[Field] = []
    line_info: str | None = None
    for kind, item in link[1:]:
        here = Location(at.source, at.line + item.row)
        if kind == "message":
            message.append(item.text)
        elif kind == "field":
            key, _, value = item.text.partition(":")
            name = _NAMES.get(key.strip(), key.strip())
            value = value.strip()
            if item.depth >= _QUOTED:
                fields.append(Field(name, value, here, "event"))
            elif name == "line" and line_info is None:
                line_info = value or None
            else:
                fields.append(Field(name, value, here))
        elif fields:
            last = fields[-1]
            fields[-1] = Field(last.key, f"{last.value}\n{item.text}".strip(), last.at, last.path)
        else:
            message.append(item.text)
    return ErrorFrame(
        module=packed >> 16,
        code=packed & 0xFFFF,
        line_info=line_info,
        fields=tuple(fields),
        message="\n".join(message) if message else None,
        at=Location(at.source, at.line + head.row),
    )


def _language(text: str) -> str:
    if _GERMAN.search(text):
        return "de"
    return "es" if _SPANISH.search(text) else "en"


def occurred_at(text: str) -> str | None:
    """The time in front of the first error as ISO 8601, with the zone only if it was written."""
    first = text.split("\n", 1)[0]
    hit = HIT.search(first)
    stamp = re.search(STAMP, first[: hit.start()] if hit else first)
    return iso_time(stamp[0]) if stamp else None
