"""Which files and errors a scan is about, from the options that say so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from diagnoser.cli.options import Settings
from diagnoser.errors import UsageError
from diagnoser.reading.walking import Selection

_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files and errors are meant; ``jobs`` 0: as many as it is worth.

    ``since`` is compared with the times that the log writes, in the zone that it writes them.
    """

    selection: Selection = field(default_factory=Selection)
    since: str | None = None
    jobs: int = 0


def scope_of(settings: Settings) -> Scope:
    """The scope that the options describe; raises ``UsageError`` for a time that is none."""
    since = None if settings.since is None else _time(settings.since)
    return Scope(
        Selection(settings.include, settings.exclude, None if since is None else _epoch(since)),
        None if since is None else since.isoformat(timespec="seconds"),
        settings.jobs,
    )


def _time(text: str) -> datetime:
    """A time of this machine's zone, without naming it: so do the logs."""
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})  # noqa: DTZ005
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--since {text!r} is no time",
            hint="for example --since 2026-11-20, --since 2026-11-20T08:30 or --since 3d",
        ) from None
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone().replace(tzinfo=None)
    except (OSError, OverflowError, ValueError):
        return moment.replace(tzinfo=None)


def _epoch(moment: datetime) -> float | None:
    """Seconds of the epoch; ``None`` for what a system cannot count: Windows' C library knows no
    local time before 1970, and no file is older."""
    try:
        return moment.timestamp()
    except (OSError, OverflowError, ValueError):
        return None
