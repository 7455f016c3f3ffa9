"""The report for a terminal and for e-mail: verdict first, no colour, at most 100 columns."""

from __future__ import annotations

import textwrap
import unicodedata
from itertools import zip_longest

from diagnoser.catalog import Words
from diagnoser.model import Report, Skipped
from diagnoser.reports.measuring import Layout, columns, shorten
from diagnoser.reports.outline import Outline, Section, outline
from diagnoser.reports.overview import Overview, overview
from diagnoser.reports.phrasing import translated

_MARGIN = 2
_RULE = 72
_NARROWEST = 20
# Listed on demand: together they are a third of a report.
_COUNTED = ("ruled_out", "open")
_PLAIN = Layout()


def render(report: Report, words: Words, layout: Layout = _PLAIN) -> str:
    """Several cases in a line each; then every case, and what was left out."""
    say, room = words.phrases, layout.width
    parts = [_case(outline(d, report, words), layout, words) for d in report.diagnoses]
    marks = [f"{n}/{len(parts)}" for n in range(1, len(parts) + 1)]
    if found := overview(report, words):
        parts.insert(0, _overview(found, room, words))
    else:
        marks = marks[1:]
    if report.skipped:
        parts.append(_left_out(report.skipped, room, words))
    vantage = report.vantage
    tested = (
        f"{say['vantage']}: {vantage.hostname} ({vantage.system}), "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC, diagnoser {report.version}"
    )
    parts.append("\n".join(_wrap("", tested, room)) + "\n")
    whole = parts[0]
    for part, sign in zip_longest(parts[1:], marks, fillvalue=""):
        whole += _rule(sign, room) + part
    return whole


def _rule(sign: str, room: int) -> str:
    length = min(_RULE, room)
    return "\n" + (f"── {sign} " if sign else "").ljust(length, "─") + "\n"


def _overview(found: Overview, room: int, words: Words) -> str:
    """A line a case: its number, its sign, how often and when last, what and where."""
    rows, say = found.rows, words.phrases
    lines = _wrap("", f"{say['overview']}: {len(rows)} {say['cases']}", room)
    if found.same:
        lines += _wrap("    ", found.same, room)
    lines.append("")
    widest = max(len(str(r.count)) for r in rows)
    last = max(len(r.last) for r in rows)
    for number, row in enumerate(rows, 1):
        count = f"{row.count:>{widest}} ×  " if any(r.count > 1 for r in rows) else ""
        when = f"{row.last:<{last}}  " if last else ""
        head = f"{number:>{len(str(len(rows)))}}  {row.mark:<2}  {count}"
        # Where there is no room for both, what happened is told before when.
        if columns(head + when) + _NARROWEST <= room:
            head += when
        told = " · ".join(x for x in (row.title, row.target) if x)
        lines.append(head + shorten(told, max(_NARROWEST, room - columns(head))))
    return "\n".join(lines) + "\n"


def _case(told: Outline, layout: Layout, words: Words) -> str:
    room = layout.width
    lines = _wrap(f"{told.mark}  ", told.headline, room)
    lines += _wrap("    ", told.summary, room)
    counts = dict.fromkeys(_COUNTED, 0)
    for section in told.sections:
        if section.key in counts and not layout.verbose:
            counts[section.key] = section.count
            continue
        lines.append("")
        lines.append(f"{' ' * _MARGIN}{section.heading}")
        lines += _lines(section, room)
    if any(counts.values()):
        lines += ["", *_wrap(" " * _MARGIN, words.phrases["counted"].format_map(counts), room)]
    return "\n".join(lines) + "\n"


def _lines(section: Section, room: int) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(section.lines, 1):
        if section.code:
            found.append(f"      {line}")
        elif section.ordered:
            found += _wrap(f"    {number}. ", line, room)
        else:
            found += _wrap("    - " if not line.startswith("  ") else "      ", line.strip(), room)
    return found


def _left_out(skipped: tuple[Skipped, ...], room: int, words: Words) -> str:
    lines = [f"{' ' * _MARGIN}{words.phrases['skipped']}"]
    for item in skipped:
        lines += _wrap("    - ", f"{item.source}: {translated(item.reason, words)}", room)
    return "\n".join(lines) + "\n"


def _wrap(prefix: str, text: str, room: int) -> list[str]:
    """``text`` behind ``prefix``, broken at blanks, or between wide characters."""
    hanging = " " * columns(prefix)
    if text.isascii():
        return textwrap.wrap(
            text,
            room,
            initial_indent=prefix,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [prefix.rstrip()]
    lines, line = [], prefix
    for word in _breakable(text):
        if columns(line) + columns(word.rstrip()) > room and line.strip() and line != hanging:
            lines.append(line.rstrip())
            line = hanging + word.lstrip()
        else:
            line += word
    return [*lines, line.rstrip()]


def _breakable(text: str) -> list[str]:
    """Pieces between which a line may break: after a blank, around each wide character."""
    pieces: list[str] = []
    piece = ""
    for c in " ".join(text.split()):
        wide = unicodedata.east_asian_width(c) in "WF"
        closing = c in "、。，．）」』】：；！？ー"
        if wide and not closing and piece:
            pieces.append(piece)
            piece = ""
        piece += c
        if c == " ":
            pieces.append(piece)
            piece = ""
    return [*pieces, piece] if piece else pieces
