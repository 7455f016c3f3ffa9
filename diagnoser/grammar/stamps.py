"""Times as logs write them, made one: ISO 8601, with the zone only where it was written."""

from __future__ import annotations

import re

# 2018-08-16T22:04:16:969-03:00 · 16.08.2018 22:04:16.969123 · 11/22/18 8:29:14 PM
PATTERN = (
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[:.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
    r"|(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4}) (?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,9}))?"
    r"|(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{2}(?:\d\d)?),? (?P<h>\d{1,2}):(?P<rest>\d\d:\d\d)"
    r"(?: (?P<half>[AP]M))?"
)
STAMP = re.compile(PATTERN)
_BYTES = re.compile(PATTERN.encode())


def normalise(match: re.Match[str]) -> str:
    """A match of ``STAMP`` as ISO 8601."""
    if match["date"]:
        fraction = f".{match['fraction']}" if match["fraction"] else ""
        return f"{match['date']}T{match['time']}{fraction}{match['zone'] or ''}"
    if match["day"]:
        fraction = f".{match['part']}" if match["part"] else ""
        return f"{match['year']}-{match['month']}-{match['day']}T{match['clock']}{fraction}"
    hour = int(match["h"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "PM" else 0)
    year = match["y"] if len(match["y"]) == 4 else f"20{match['y']}"
    return f"{year}-{int(match['m']):02}-{int(match['d']):02}T{hour:02}:{match['rest']}"


def first_stamp(text: str) -> str | None:
    """The first time in ``text``, or ``None``."""
    match = STAMP.search(text)
    return None if match is None else normalise(match)


def stamps_of(data: bytes, limit: int = 64) -> list[str]:
    """The first times in ``data``, in order."""
    found = []
    for match in _BYTES.finditer(data):
        again = STAMP.fullmatch(match[0].decode("ascii", "replace"))
        if again is not None:
            found.append(normalise(again))
        if len(found) == limit:
            break
    return found
