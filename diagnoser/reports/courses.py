"""How often an error came, over time: a bar chart of one case, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from diagnoser.catalog import Words
from diagnoser.model import Case
from diagnoser.reports.pictures import moment

_WIDTH, _HEIGHT = 720, 132
_LEFT, _RIGHT, _TOP, _FLOOR = 40, 708, 22, 104
_MOST_BARS = 48
_HEIGHTS = " ▁▂▃▄▅▆▇█"
# Spans of a bar that people count in, in minutes; beyond a day, whole days.
_SPANS = (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)


@dataclass(frozen=True, slots=True)
class Course:
    """Errors counted in equal spans: the first begins at ``start``; ``counts`` are in order."""

    start: datetime
    span: timedelta
    counts: tuple[int, ...]


def course(case: Case) -> Course | None:
    """The counts of a case's minutes in at most :data:`_MOST_BARS` spans; ``None`` for one time."""
    dated = [(at, n) for text, n in case.times if (at := moment(text)) is not None]
    if len(dated) < 2:
        return None
    first, last = min(at for at, _ in dated), max(at for at, _ in dated)
    minutes = int((last - first).total_seconds() // 60) + 1
    wanted = -(-minutes // _MOST_BARS)
    span = next((s for s in _SPANS if s >= wanted), -(-wanted // 1440) * 1440)
    midnight = first.replace(hour=0, minute=0, second=0)
    start = midnight + (first - midnight) // timedelta(minutes=span) * timedelta(minutes=span)
    counts = [0] * (int((last - start).total_seconds() // 60) // span + 1)
    for at, n in dated:
        counts[int((at - start).total_seconds() // 60) // span] += n
    return Course(start, timedelta(minutes=span), tuple(counts))


def sparkline(found: Course) -> str:
    """The course as one line of text; a span without errors is a blank."""
    most = max(found.counts)
    return "".join(_HEIGHTS[-(-count * (len(_HEIGHTS) - 1) // most)] for count in found.counts)


def chart(found: Course, words: Words) -> str:
    """The course as bars, the highest labelled, with first and last time below."""
    step = (_RIGHT - _LEFT) / len(found.counts)
    most = max(found.counts)
    parts = [
        f'<path class="life" d="M{_LEFT} {_FLOOR}L{_RIGHT} {_FLOOR}"/>',
        f'<text class="small" x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{most}</text>',
        f'<text class="small" x="{_LEFT - 6}" y="{_FLOOR}" text-anchor="end">0</text>',
    ]
    for place, count in enumerate(found.counts):
        if count:
            # One among thousands is still seen.
            height = max(3.0, (_FLOOR - _TOP) * count / most)
            parts.append(
                f'<rect class="bar" x="{_LEFT + place * step + step * 0.1:.1f}"'
                f' y="{_FLOOR - height:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}"/>'
            )
    end = found.start + found.span * len(found.counts)
    begun, ended = f"{found.start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    parts += [
        f'<text class="small" x="{_LEFT}" y="{_FLOOR + 18}">{begun}</text>',
        f'<text class="small" x="{_RIGHT}" y="{_FLOOR + 18}" text-anchor="end">{ended}</text>',
    ]
    title, told = escape(words.phrases["timeline"]), escape(described(found, words))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}. {told}">'
        f"<title>{title}</title><desc>{told}</desc>{''.join(parts)}</svg>"
    )


def described(found: Course, words: Words) -> str:
    """The course in a sentence: how many in all, at most how many in which span."""
    most = max(found.counts)
    peak = found.start + found.span * found.counts.index(most)
    minutes = int(found.span.total_seconds() // 60)
    unit, size = ("days", minutes // 1440) if minutes >= 1440 else ("minutes", minutes)
    if unit == "minutes" and minutes >= 60:
        unit, size = "hours", minutes // 60
    return words.phrases[f"course_{unit}"].format(
        total=sum(found.counts), most=most, size=size, peak=f"{peak:%Y-%m-%d %H:%M}"
    )
