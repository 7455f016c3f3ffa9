"""The beginning of the time that is asked for, held against the stamps of logs."""

from __future__ import annotations

from datetime import datetime, timezone

from diagnoser.grammar.moments import instant

_SIGNS = frozenset(b"+-")
_MOST_ZONES = 256


class Bound:
    """``text`` is ISO 8601. Without a zone it is compared with the times as they are written; with
    one it is a point in time, and what a stamp says is compared in the stamp's own zone. A stamp
    without a zone is taken to be in that of ``text``."""

    def __init__(self, text: str) -> None:
        moment = datetime.fromisoformat(text)
        self._moment = None if moment.tzinfo is None else moment
        self._plain = _wall(moment)
        # The bound in each zone that was met.
        self._walls: dict[bytes, bytes] = {}

    def is_after(self, stamp: bytes) -> bool:
        """Whether a stamp that begins with year, month, day and ``T`` is earlier."""
        if self._moment is None:
            return stamp < self._plain
        zone = _zone_of(stamp)
        wall = self._walls.get(zone)
        if wall is None:
            if len(self._walls) >= _MOST_ZONES:
                self._walls.clear()
            wall = self._walls[zone] = self._wall_in(zone, self._moment)
        return stamp < wall

    def _wall_in(self, zone: bytes, moment: datetime) -> bytes:
        met = instant("2000-01-01T00:00:00" + zone.decode()) if zone else None
        offset = None if met is None else met.utcoffset()
        return self._plain if offset is None else _wall(moment.astimezone(timezone(offset)))


def _wall(moment: datetime) -> bytes:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds").encode()


def _zone_of(stamp: bytes) -> bytes:
    if stamp.endswith(b"Z"):
        return b"Z"
    for size in (6, 5):
        if len(stamp) > size and stamp[-size] in _SIGNS:
            return stamp[-size:]
    return b""
