"""JSON lines of the agents written in Go: aakore, account_server, backup-manager.

::

    line  = [ journal ] "{" member *( "," member ) "}"
    member: "time", "level" (padded before its comma), "msg" or "message", then whatever else

Only the levels from error up are failures. Go wraps errors in words, outermost first, and the core
of the agent gives what it knows as a document inside the text, ``{"domain":"AGENT_CORE","code":
"BAD_GATEWAY","debug":{"msg":"Post https://…: x509: …"}}``; services give a REST error document
(see ``embedded``), and what an agent of the older kind told them is a pipe block. An error of their
own has a name and no number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar import piped
from diagnoser.grammar.embedded import MAX_INNER, causes_of, leaves
from diagnoser.grammar.fields import MAX_TEXT, parse_fields
from diagnoser.grammar.forms import Framed
from diagnoser.grammar.gotexts import cause, debug_cause, symbol_of
from diagnoser.grammar.moments import iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.grammar.values import Members, read_prefix, rendered
from diagnoser.model import ErrorBlock, ErrorFrame, RawBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "json-line"
_FAILED = ("error", "fatal", "panic", "critical", "err")
ANCHORS = tuple(
    f'"level":{blank}"{word}' for word in ("error", "fatal", "panic", "crit", "err")
    for blank in ("", " ")
)  # fmt: skip

_LEVEL = pattern(r'"level":[ ]?"(?P<level>[A-Za-z]{1,12})[ ]{0,8}"')
_START = pattern(r'\{\s{0,4}"')
_TIMES = ("time", "ts", "timestamp", "@timestamp")
_TEXTS = ("msg", "message")
_CAUSES = ("error", "err")
_TAKEN = {*_TIMES, *_TEXTS, "level"}
_DOCUMENTS = 4


def frame(page: Page) -> Iterator[Framed]:
    """The lines of errors in order; lines of lower levels come without a block."""
    for index in page.hits(_LEVEL):
        raw = page.raw[index]
        opening, level = _START.search(raw), _LEVEL.search(raw)
        if opening is None or level is None or not opening.start() < level.start():
            continue
        if not any(f'"{key}":' in raw for key in _TEXTS):
            continue
        is_failure = level["level"].lower() in _FAILED
        yield Framed(index, index + 1, page.cut(NAME, index, index + 1) if is_failure else None)


def parse(block: RawBlock) -> ErrorBlock:
    """One line. Raises ``BlockSyntaxError``."""
    opening = _START.search(block.text)
    if opening is None:
        raise refuse(block, "a JSON object with `level` and `msg`")
    fields, damage = parse_fields(block.text[opening.start() :], block.at)
    values = {f.key: f.value for f in fields}
    message = next((values[key].strip() for key in _TEXTS if values.get(key)), None)
    message = message or _cut_off(block.text)
    said = next((values[key].strip() for key in _CAUSES if values.get(key)), "")
    if not message and not said:
        raise refuse(block, "a JSON object with `level` and `msg`")
    own = [f for f in fields if f.key not in _TAKEN]
    texts = [(key, values.get(key, "")) for key in _TEXTS] + [(f.key, f.value) for f in own]
    documents = [(key, d) for key, text in texts for d in _documents(text)]
    inner = [f for key, d in documents for f in leaves(d, key, block.at)]
    head = ErrorFrame(
        module=None,
        code=None,
        line_info=None,
        fields=(*own, *inner[:MAX_INNER]),
        message=message or said,
        at=block.at,
        symbol=_symbol(documents, message or said) or values.get("level", "").strip() or "error",
    )
    causes = [c for key, d in documents for c in causes_of(d, key, block.at)]
    debug = [c for _, d in documents if (c := debug_cause(d, block.at)) is not None]
    if not documents and message and said and said not in message:
        debug = [cause(said, block.at)]
    within = piped.parse_within(message or said, block.form, block.at)
    if within is not None:
        causes += within.frames
        damage += within.damage
    times = (iso_time(values[key]) for key in _TIMES if key in values)
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=(head, *causes, *debug),
        at=block.at,
        text=block.text,
        damage=damage,
        occurred_at=next((t for t in times if t), None),
    )


_TEXT_ONLY = pattern(r'"(?:msg|message)":[ ]?"((?:[^"\\]|\\.)*)\Z', re.DOTALL)


def _cut_off(text: str) -> str | None:
    """The beginning of a text that the line ends in."""
    found = _TEXT_ONLY.search(text[:MAX_TEXT])
    return found[1].replace('\\"', '"').strip() if found else None


def _documents(text: str) -> list[Members]:
    """The JSON objects in a text, in order."""
    found: list[Members] = []
    at = 0
    for _ in range(_DOCUMENTS):
        if (opening := _START.search(text, at)) is None:
            break
        value, end = read_prefix(text, opening.start())
        if isinstance(value, Members):
            found.append(value)
        at = max(end, opening.end())
    return found


def _symbol(documents: list[tuple[str, Members]], message: str) -> str | None:
    """The error's own name, else that of the Go library whose error is the innermost."""
    for _, document in documents:
        code, domain = document.get("code"), document.get("domain")
        name = code if isinstance(code, str) and not code.isdigit() else document.get("reason")
        if isinstance(name, str) and name and isinstance(domain, str):
            return f"{rendered(domain)}/{rendered(name)}"[:80]
    return symbol_of(message)
