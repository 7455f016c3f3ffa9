"""When something was logged: the stamps of all logs as ISO 8601, and where an entry begins.

Agents write a colon before the milliseconds, the set-up log no colon in the zone, consoles the
American order with AM and PM. The zone is given only where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from diagnoser.deferral import pattern

# 2018-08-16T22:04:16:969-03:00 (a colon before the milliseconds), 2015-01-31 08:00:00:123
STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[:.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"

_ISO = pattern(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[:.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_GERMAN = pattern(
    r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d)"
    r"(?:\.(?P<fraction>\d{1,9}))?",
    re.ASCII,
)
_AMERICAN = pattern(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{2}|\d{4}),? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)[ \u202f](?P<half>[AP])M",
    re.ASCII,
)
_EPOCH = pattern(r"\d{9,10}", re.ASCII)

# Lines with which another entry of some log begins; nothing above goes on in them.
ENTRY = (
    rf"(?:\[?{STAMP}|\d\d\.\d\d\.\d{{4}} \d\d:\d\d:\d\d|MSI \([cs]\) \("
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d "
    r'|\{"(?:time|level)":|<event |level=\w{3,7}; message=)'
)
_ENTRY = pattern(ENTRY, re.ASCII)
# What stands before the time that an entry begins with.
_BEFORE_TIME = pattern(
    rf"(?:\[?(?={STAMP}|\d\d\.\d\d\.\d{{4}} \d\d:)"
    r'|\{"(?:level":\s?"\w{1,12}\s{0,8}"\s?,\s?")?time":\s?"|<event [^>\n]{0,60}?time=")',
    re.ASCII,
)
_LONGEST = 40


def begins_entry(line: str) -> bool:
    """Whether a (cleaned) line begins an entry of a log."""
    return _ENTRY.match(line) is not None


def moment_of(line: str) -> str | None:
    """The time that a (cleaned) line begins an entry of a log with, as ISO 8601. A time further
    on is what the entry speaks of."""
    head = _BEFORE_TIME.match(line)
    return None if head is None else iso_time(line[head.end() : head.end() + _LONGEST])


def instant(stamp: str) -> datetime | None:
    """The point in time of a stamp that names its zone; ``None`` of one that does not."""
    found = iso_time(stamp)
    try:
        moment = datetime.fromisoformat(found or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def in_order(stamps: Iterable[str]) -> list[str]:
    """Times from first to last: as points in time if all name their zones, else as written."""
    moments = [(instant(stamp), stamp) for stamp in stamps]
    known = [(moment, stamp) for moment, stamp in moments if moment is not None]
    if len(known) == len(moments):
        return [stamp for _, stamp in sorted(known)]
    return sorted(stamp for _, stamp in moments)


def iso_time(text: str) -> str | None:
    """The time that ``text`` begins with, as ISO 8601; ``None`` where there is none.

    ``5/6/24`` without AM or PM could be either day and is not read.
    """
    text = text.strip()
    if found := _ISO.match(text):
        zone = found["zone"] or ""
        if len(zone) == 5:
            zone = f"{zone[:3]}:{zone[3:]}"
        return f"{found['date']}T{found['time']}{_point(found['fraction'])}{zone}"
    if found := _GERMAN.match(text):
        date = f"{found['year']}-{found['month']}-{found['day']}"
        return f"{date}T{found['time']}{_point(found['fraction'])}"
    if found := _AMERICAN.match(text):
        hour = int(found["hour"]) % 12 + (12 if found["half"] == "P" else 0)
        year = found["year"] if len(found["year"]) == 4 else f"20{found['year']}"
        date = f"{year}-{found['month']:0>2}-{found['day']:0>2}"
        return f"{date}T{hour:02}:{found['minute']}:{found['second']}"
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


def _point(fraction: str | None) -> str:
    return f".{fraction}" if fraction else ""
