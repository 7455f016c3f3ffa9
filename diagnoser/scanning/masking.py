"""Bytes of an entry without what changes from one time to the next, as the key of a memo."""

from __future__ import annotations

from diagnoser.deferral import pattern

_GUID_TAIL = rb"[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_CLOCK_TAIL = rb":\d\d:\d\d(?:[:.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d| [AP]M)?"
# No part of an address: 192.0.2.17 10:15:00.
_DAY = rb"(?:\d{4}-\d\d-\d\d[T ]\d\d|(?<![\d.])\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2}),? \d{1,2})"
# Each begins with a character that the engine can search for by itself: 1 GB/s instead of 60 MB/s.
_GUID = pattern(rb"-(?<=[0-9A-Fa-f]{8}-)" + _GUID_TAIL)
_CLOCK = pattern(_CLOCK_TAIL)
# The digits of a GUID before that.
_GUID_HEAD = 8
# Day and hour of a clock. One without a day is no time that ``identity`` knows, so it stays.
_CLOCK_HEAD = pattern(_DAY + rb"\Z")
_CLOCK_REACH = 14
# What may stand where a GUID or a time stood.
HOLE = pattern(rb"[0-9A-Fa-f]{8}-" + _GUID_TAIL + rb"|" + _DAY + _CLOCK_TAIL)
# The number of an event in an export; it may be indented.
_EVENT = pattern(rb' id="\d{1,20}"')
_INDENT = 32


def is_event(body: bytes) -> bool:
    """Whether an entry is one of an export whose own head was not understood."""
    return body.find(b"<event ", 0, _INDENT) >= 0


def mask(body: bytes) -> bytes:
    """The body of an entry without times, GUIDs and numbers of events."""
    if is_event(body):
        body = _EVENT.sub(b"", body)
    found = holes(body)
    if not found:
        return body
    parts, last = [], 0
    for start, end in found:
        parts.append(body[last:start])
        last = end
    parts.append(body[last:])
    return b"*".join(parts)


def holes(body: bytes) -> list[tuple[int, int]]:
    """Where the GUIDs and times of ``body`` stand, in order; they do not overlap."""
    found = [(m.start() - _GUID_HEAD, m.end()) for m in _GUID.finditer(body)]
    for clock in _CLOCK.finditer(body):
        floor = max(0, clock.start() - _CLOCK_REACH)
        if head := _CLOCK_HEAD.search(body, floor, clock.start()):
            found.append((head.start(), clock.end()))
    if len(found) < 2:
        return found
    apart, last = [], 0
    for start, end in sorted(found):
        # Of two that share digits, the second is none.
        if start >= last:
            apart.append((start, end))
            last = end
    return apart
