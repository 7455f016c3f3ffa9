"""Which files and errors a scan is about, from the options that say so."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from diagnoser.cli.options import Settings
from diagnoser.deferral import pattern
from diagnoser.errors import UsageError
from diagnoser.reading.walking import Selection

_AGO = pattern(r"(\d{1,5})([mhd])")
# Seconds between the clocks of the easternmost and the westernmost zone.
_ALL_ZONES = 26 * 3600
# Whose moments every system can count in seconds, in any zone: Windows' C library knows no local
# time before 1970.
_YEARS = range(1971, 9999)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files and errors are meant; ``jobs`` 0: as many as it is worth.

    ``since`` without a zone is compared with the times that the log writes, in the zone that it
    writes them; with one it is a point in time.
    """

    selection: Selection = field(default_factory=Selection)
    since: str | None = None
    jobs: int = 0


def scope_of(settings: Settings) -> Scope:
    """The scope that the options describe; raises ``UsageError`` for a time that is none."""
    since = None if settings.since is None else _time(settings.since)
    return Scope(
        Selection(settings.include, settings.exclude, None if since is None else _earliest(since)),
        None if since is None else since.isoformat(timespec="seconds"),
        settings.jobs,
    )


def _earliest(since: datetime) -> float | None:
    """When a file was last written, at the earliest, that may hold what is asked for (POSIX)."""
    if since.year not in _YEARS:
        return None
    return since.timestamp() - (_ALL_ZONES if since.tzinfo is None else 0)


def _time(text: str) -> datetime:
    """A time with a zone if it has one: a clock time is that of the logs, whatever their zone."""
    moment: datetime | None = None
    if ago := _AGO.fullmatch(text.strip()):
        moment = datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        with contextlib.suppress(ValueError):
            moment = datetime.fromisoformat(text.strip())
    if moment is None:
        raise UsageError(
            f"--since {text!r} is no time",
            hint="for example --since 2026-11-20, --since 2026-11-20T08:30 or --since 3d",
        )
    # No log is so old or so new that its zone made a difference.
    return moment if moment.year in _YEARS else moment.replace(tzinfo=None)
