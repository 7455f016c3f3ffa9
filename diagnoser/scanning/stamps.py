"""The times that entries of a log show, in bytes: most are counted without being decoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter

from diagnoser.deferral import pattern
from diagnoser.grammar.moments import instant, iso_time

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[:.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_GERMAN = rb"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d(?:\.\d{1,9})?"
_AMERICAN = rb"\d{1,2}/\d{1,2}/\d{2,4},? \d{1,2}:\d\d:\d\d(?: |\xe2\x80\xaf)[AP]M"
_STAMP = pattern(rb"|".join((_ISO, _GERMAN, _AMERICAN)))
# What an entry begins with that is another the next time; the one group that matched is its time.
HEAD = pattern(
    # 2018-08-16T22:04:16:969-03:00 10060 (stamp, thread)
    rb"\[?(%b)(?: \d{1,20}(?= ))?"
    rb"|(%b)(?: \[0x[0-9A-Fa-f]{1,16}\]){0,2}"
    rb'|\{"time":"(%b)"'
    rb'|[ \t]{0,16}<event id="\d{1,20}" type="Error" time="(%b)"'
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d" % (_ISO, _GERMAN, _ISO, _AMERICAN)
)
# What every stamp holds, no farther than that from its beginning. It is found ten times as fast.
_CLOCK, _CLOCK_REACH = pattern(rb":\d\d:\d\d"), 14
# Where a stamp has its zone, if it has one, and what a zone has.
_ZONE, _SIGNS = itemgetter(slice(-6, None)), pattern(rb"[-+Z]")
_QUOTES = b"> \t"
_HYPHEN, _T = ord("-"), ord("T")


def body_of(data: bytes) -> int:
    """Where the part of an entry begins that repeats when the entry repeats."""
    head = HEAD.match(data)
    return head.end() if head is not None else 0


def stamp_of(data: bytes) -> bytes | None:
    """The first time that an entry of a log shows, so that later ones compare as greater."""
    found = _STAMP.match(data)
    if found is None:
        clock = _CLOCK.search(data)
        if clock is None:
            return None
        found = _STAMP.search(data, max(0, clock.start() - _CLOCK_REACH))
    return None if found is None else comparable(found[0])


def last_stamp_of(data: bytes) -> bytes | None:
    """The time of the last entry that begins in ``data``: a block below it belongs to it."""
    for line in reversed(data.split(b"\n")):
        bare = line.lstrip(_QUOTES)
        head = HEAD.match(bare)
        if head is not None:
            return None if head.lastindex is None else comparable(head[head.lastindex])
        if bare.startswith(b'{"'):
            return stamp_of(bare)
    return None


def span(stamps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The first and the last of some times: as points in time where all of them name their zones
    and the zones differ, else as they are written, which is the same and faster."""
    zones = set(map(_ZONE, stamps))
    if len(zones) > 1 and _SIGNS.search(b" ".join(zones)) is not None:
        moments = [(instant(stamp.decode()), stamp) for stamp in stamps]
        known = [(moment, stamp) for moment, stamp in moments if moment is not None]
        if len(known) == len(stamps):
            return min(known)[1], max(known)[1]
    return min(stamps), max(stamps)


def comparable(stamp: bytes) -> bytes | None:
    """A stamp with year, month and day in front. Most have that; the rest is left for the end."""
    if stamp[4] == _HYPHEN:
        return stamp if stamp[10] == _T else stamp[:10] + b"T" + stamp[11:]
    return _in_order(stamp)


@lru_cache(maxsize=1024)
def _in_order(stamp: bytes) -> bytes | None:
    found = iso_time(stamp.decode("utf-8", "replace"))
    return None if found is None else found.encode()
