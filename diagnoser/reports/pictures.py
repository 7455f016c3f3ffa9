"""The pictures of the HTML report, as inline SVG made from the facts.

All are drawn 360 units wide, so that a telephone shows them at full size. Every picture carries a
title and a description; the page sets the same facts as text beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

from diagnoser.catalog import Words
from diagnoser.deferral import pattern
from diagnoser.model import Condition, ProbeResult, Stage, StageResult
from diagnoser.reports.measuring import shorten
from diagnoser.reports.phrasing import ending, spent, stage_word

_WIDTH = 360
_LEFT, _RIGHT = 24, 336
# Columns that fit into a box; bold letters are wider.
_ROOM, _BOLD_ROOM = 42, 36
_STEP = 40
# Nothing came back: the arrow ends on the way. Everything else is an answer of the far side.
_SILENT = (
    Condition.CONNECTION_TIMED_OUT,
    Condition.HANDSHAKE_TIMED_OUT,
    Condition.NETWORK_UNREACHABLE,
    Condition.NAME_LOOKUP_FAILED,
    Condition.UNCLASSIFIED,
)
_MOMENT = pattern(r"(\d{4})[-/.](\d\d?)[-/.](\d\d?)[T ]+(\d\d?):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a drawn chain: what it says, and whether it is foreign or not received."""

    lines: tuple[str, ...]
    note: str = ""
    is_foreign: bool = False
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One case on the time line: its name, first and last time as logged, how often."""

    label: str
    first: str
    last: str
    count: int


def ladder(probe: ProbeResult, words: Words) -> str:
    """The probe as a ladder: an arrow a stage, the one that failed marked, its time beside it."""
    say = words.phrases
    broken = broken_stage(probe)
    here, there = shorten(say["this_machine"], 20), shorten(str(probe.endpoint), _BOLD_ROOM)
    parts, y = [], 54
    for stage in probe.stages:
        if stage.stage is Stage.TUNNEL and probe.proxy is None:
            continue
        rung, height = _rung(stage, y, words, is_broken=stage is broken)
        parts += rung
        y += height
    bottom = y - 14
    frame = [
        _text(_LEFT - 12, 18, here, "small"),
        _text(_RIGHT + 12, 34, there, "strong", "end"),
        _line("life", _LEFT, 24, _LEFT, bottom),
        _line("life", _RIGHT, 40, _RIGHT, bottom),
    ]
    told = "; ".join(_told(s, words) for s in probe.stages)
    return _picture(bottom + 12, f"{say['ladder']}: {probe.endpoint}", told, [*frame, *parts])


def broken_stage(probe: ProbeResult) -> StageResult | None:
    """The first stage that was reached and did not end well."""
    return next(
        (s for s in probe.stages if s.condition not in (Condition.MET, Condition.NOT_REACHED)), None
    )


def _told(stage: StageResult, words: Words) -> str:
    told = f"{stage_word(stage.stage, words)}: {ending(stage, words)}"
    return f"{told}, {spent(stage)}" if spent(stage) else told


def _rung(stage: StageResult, y: int, words: Words, *, is_broken: bool) -> tuple[list[str], int]:
    """The arrow of one stage with its words, and the height that it takes."""
    name, after, middle = stage_word(stage.stage, words), spent(stage), _WIDTH // 2
    timed = f"{name} · {after}" if after else name
    if stage.condition is Condition.MET:
        label = _text(middle, y + 10, shorten(f"✓ {timed}", _ROOM), "halo", "middle")
        return [_arrow("way", _LEFT, y + 18, _RIGHT, y + 18), label], _STEP
    if stage.condition is Condition.NOT_REACHED:
        label = shorten(f"{name}: {words.reasons[stage.condition.value]}", _ROOM)
        return [
            _line("idle", _LEFT, y + 18, _RIGHT, y + 18),
            _text(middle, y + 10, label, "small halo", "middle"),
        ], _STEP - 8
    parts = []
    if is_broken:
        # A panel behind the rung: the eye finds it before it reads.
        width = _RIGHT - _LEFT - 8
        parts.append(
            f'<rect class="failed" x="{_LEFT + 4}" y="{y - 6}" width="{width}" height="56" rx="4"/>'
        )
    parts += [
        _text(middle, y + 10, shorten(f"✗ {timed}", _BOLD_ROOM), "alarmed", "middle"),
        _text(middle, y + 26, shorten(ending(stage, words), _ROOM), "told", "middle"),
    ]
    if stage.condition in _SILENT:
        parts += [_line("stop", _LEFT, y + 38, middle - 9, y + 38), _cross(middle, y + 38)]
    else:
        parts += [
            _arrow("stop", _LEFT, y + 35, _RIGHT, y + 35),
            _arrow("stop", _RIGHT, y + 44, _LEFT, y + 44),
        ]
    return parts, _STEP + 26


def chain(title: str, links: tuple[Link, ...], words: Words) -> str:
    """Certificates one under the other, each box issued by the one below it."""
    parts, y = [], 14
    for number, link in enumerate(links):
        height = 18 + 18 * (len(link.lines) + bool(link.note))
        kind = "alarm" if link.is_foreign else "box absent" if link.is_absent else "box"
        parts.append(
            f'<rect class="{kind}" x="14" y="{y}" width="{_WIDTH - 28}" height="{height}" rx="5"/>'
        )
        for row, line in enumerate(link.lines):
            style, room = ("strong", _BOLD_ROOM) if row == 0 else ("", _ROOM)
            parts.append(_text(24, y + 21 + 18 * row, shorten(line, room), style))
        if link.note:
            style = "alarmed" if link.is_foreign else "small"
            note = f"✗ {link.note}" if link.is_foreign else link.note
            shown = shorten(note, _BOLD_ROOM if link.is_foreign else _ROOM)
            parts.append(_text(24, y + 21 + 18 * len(link.lines), shown, style))
        y += height
        if number + 1 < len(links):
            kind = "stop" if links[number + 1].is_foreign else "way"
            parts.append(_arrow(kind, 40, y + 2, 40, y + 28))
            parts.append(_text(54, y + 20, words.phrases["issued_by"], "small"))
            y += 30
    told = "; ".join(", ".join((*link.lines, link.note)).rstrip(", ") for link in links)
    return _picture(y + 14, title, told, parts)


def moment(text: str | None) -> datetime | None:
    """The time at the start of a log line, or ``None``; zones are not compared."""
    match = _MOMENT.search(text or "")
    if match is None:
        return None
    try:
        return datetime(*(int(n or 0) for n in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None


def timeline(spans: tuple[Span, ...], words: Words) -> str:
    """When each error was first and last seen; nothing where there is no course to show."""
    dated = [(s, first, moment(s.last) or first) for s in spans if (first := moment(s.first))]
    if len(dated) < 2 and all(s.count < 2 for s, _, _ in dated):
        return ""
    start, end = min(f for _, f, _ in dated), max(t for _, _, t in dated)
    whole = max((end - start).total_seconds(), 1.0)
    room = _WIDTH - 48
    parts, y = [], 26
    for span, first, last in dated:
        x = 20 + room * (first - start).total_seconds() / whole
        wide = max(8.0, room * (last - first).total_seconds() / whole)
        parts.append(_text(20, y, shorten(f"{span.label}  ×{span.count}", 44), ""))
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{y + 6}" width="{wide:.1f}" height="9" rx="3"/>'
        )
        y += 40
    parts.append(_line("life", 20, y - 14, _WIDTH - 20, y - 14))
    parts.append(_text(20, y + 4, f"{start:%Y-%m-%d %H:%M}", "small"))
    parts.append(_text(_WIDTH - 20, y + 4, f"{end:%Y-%m-%d %H:%M}", "small", "end"))
    told = "; ".join(f"{s.label}: {s.count}, {s.first} – {s.last}" for s, _, _ in dated)
    return _picture(y + 18, words.phrases["timeline"], told, parts)


def _picture(height: int, title: str, told: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(f"{title}. {told}")}">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{''.join(parts)}</svg>"
    )


def _text(x: int, y: int, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(kind: str, x: int, y: int, to_x: int, to_y: int) -> str:
    return f'<path class="{kind}" d="M{x} {y}L{to_x} {to_y}"/>'


def _arrow(kind: str, x: int, y: int, to_x: int, to_y: int) -> str:
    """A line, across or downwards, with an open head; a marker would need an id."""
    if x == to_x:
        head = f"M{to_x - 5} {to_y - 7}L{to_x} {to_y}L{to_x + 5} {to_y - 7}"
    else:
        back = -8 if to_x > x else 8
        head = f"M{to_x + back} {to_y - 5}L{to_x} {to_y}L{to_x + back} {to_y + 5}"
    return f'<path class="{kind}" d="M{x} {y}L{to_x} {to_y}{head}"/>'


def _cross(x: int, y: int) -> str:
    return (
        f'<path class="stop" d="M{x - 6} {y - 6}L{x + 6} {y + 6}M{x - 6} {y + 6}L{x + 6} {y - 6}"/>'
    )
