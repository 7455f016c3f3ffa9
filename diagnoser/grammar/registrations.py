"""What ``register_agent`` prints when the agent core refuses or fails to register.

::

    block  = "level=err; message=" text [ "(rc=" number ")" ] [ ", http = {" pairs "}" ]
             [ "Failed." ] [ status ] [ document ]
    pairs  = "." key " = " value *( ", ." key " = " value )     ; httpCode, domain, code
    document = JSON over several lines: "code", "domain", "debug": { "msg": Go's own words }
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.grammar.embedded import MAX_INNER, causes_of, leaves
from diagnoser.grammar.fields import parse_fields
from diagnoser.grammar.forms import Framed
from diagnoser.grammar.gotexts import debug_cause
from diagnoser.grammar.moments import STAMP, iso_time
from diagnoser.grammar.syntax import refuse
from diagnoser.grammar.values import Members, read_json
from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location, RawBlock
from diagnoser.reading.framing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "registration"
ANCHORS = ("level=err; message=",)

_HEAD = pattern(r"level=err; message=(?P<text>.*)")
_RC = pattern(r"\(rc=(-?\d{1,10})\)")
_HTTP = pattern(r"\bhttp = \{(?P<pairs>[^{}]*)(?P<end>\}?)")
_PAIR = pattern(r"\.(\w{1,40}) = ([^,{}]*)")
_BETWEEN = pattern(r"Failed\.?|\d{3}")
_STAMP = pattern(STAMP)
# An answer has some ten lines.
_REACH = 60


def frame(page: Page) -> Iterator[Framed]:
    """The failed registrations of a page in order."""
    end = 0
    for index in page.hits(_HEAD):
        if index >= end:
            end = _end(page, index + 1)
            yield Framed(index, end, page.cut(NAME, index, end))


def _end(page: Page, at: int) -> int:
    """Behind the answer, if there is one; it ends with the brace that closes its first."""
    limit = min(len(page), at + _REACH)
    while at < limit and _BETWEEN.fullmatch(page.line(at)):
        at += 1
    if not (at < limit and page.line(at).startswith("{")):
        return at
    depth = 0
    while at < limit:
        line = page.line(at)
        if not line or _HEAD.search(line):
            return at
        depth += _depth(line)
        at += 1
        if depth <= 0:
            break
    return at


def _depth(line: str) -> int:
    """How many braces a line leaves open; those in strings do not count."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    return bare.count("{") - bare.count("}")


def parse(block: RawBlock) -> ErrorBlock:
    """One failed registration. Raises ``BlockSyntaxError``."""
    lines = clean(block.text).text.split("\n")
    head = _HEAD.search(lines[0])
    if head is None or not head["text"].strip():
        raise refuse(block, "`level=err; message=…`")
    fields, damage = _head_fields(head["text"], block.at)
    causes: list[ErrorFrame] = []
    opening = next((i for i, line in enumerate(lines) if i and line.startswith("{")), None)
    if opening is not None:
        at = Location(block.at.source, block.at.line + opening)
        answer = "\n".join(lines[opening:])
        document = read_json(answer)
        if isinstance(document, Members):
            fields += [*leaves(document, "answer", at)][:MAX_INNER]
            causes = causes_of(document, "answer", at)
            debug = debug_cause(document, at)
            causes += [] if debug is None else [debug]
        else:
            inner, faults = parse_fields(answer, at)
            fields += [Field(f.key, f.value, f.at, "answer") for f in inner]
            damage += [f"answer: {fault}" for fault in faults]
    named = {f.key: f.value for f in reversed(fields)}
    name = "/".join(named[key] for key in ("domain", "code") if named.get(key))
    stamp = _STAMP.search(lines[0][: head.start()])
    main = ErrorFrame(
        module=None,
        code=None,
        line_info=None,
        fields=tuple(fields),
        message=head["text"].strip(),
        at=block.at,
        symbol=name[:80] or "register_agent",
    )
    return ErrorBlock(
        form=block.form,
        language="en",
        frames=(main, *causes),
        at=block.at,
        text=block.text,
        damage=tuple(damage),
        occurred_at=iso_time(stamp[0]) if stamp else None,
    )


def _head_fields(text: str, at: Location) -> tuple[list[Field], list[str]]:
    """The numbers in the first line: the tool's own return code and what HTTP said."""
    fields = [Field("rc", found[1], at) for found in [_RC.search(text)] if found]
    damage: list[str] = []
    http = _HTTP.search(text)
    if http is not None:
        pairs = _PAIR.findall(http["pairs"])
        if not http["end"]:
            damage.append("cut off inside http")
            pairs = pairs[:-1]
        fields += [Field(key, value.strip(), at) for key, value in pairs]
    return fields, damage
