"""The report for a terminal and for e-mail: verdict first, no colour, at most 100 columns."""

from __future__ import annotations

import textwrap
import unicodedata

from diagnoser.catalog import Words
from diagnoser.model import Report, Skipped
from diagnoser.reports.measuring import columns
from diagnoser.reports.outline import Outline, Section, outline
from diagnoser.reports.phrasing import translated

WIDTH = 100
_MARGIN = 2


def render(report: Report, words: Words) -> str:
    """Every case, one after the other, and what was left out."""
    say = words.phrases
    parts = [_case(outline(d, report, words)) for d in report.diagnoses]
    if report.skipped:
        parts.append(_left_out(report.skipped, words))
    vantage = report.vantage
    parts.append(
        f"{say['vantage']}: {vantage.hostname} ({vantage.system}), "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC, diagnoser {report.version}\n"
    )
    rule = "\n" + "─" * 72 + "\n"
    return rule.join(parts)


def _case(told: Outline) -> str:
    lines = _wrap(f"{told.mark}  ", told.headline)
    lines += _wrap("    ", told.summary)
    for section in told.sections:
        lines.append("")
        lines.append(f"{' ' * _MARGIN}{section.heading}")
        lines += _lines(section)
    return "\n".join(lines) + "\n"


def _lines(section: Section) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(section.lines, 1):
        if section.code:
            found.append(f"      {line}")
        elif section.ordered:
            found += _wrap(f"    {number}. ", line)
        else:
            found += _wrap("    - " if not line.startswith("  ") else "      ", line.strip())
    return found


def _left_out(skipped: tuple[Skipped, ...], words: Words) -> str:
    lines = [f"{' ' * _MARGIN}{words.phrases['skipped']}"]
    for item in skipped:
        lines += _wrap("    - ", f"{item.source}: {translated(item.reason, words)}")
    return "\n".join(lines) + "\n"


def _wrap(prefix: str, text: str) -> list[str]:
    """``text`` behind ``prefix``, broken at blanks, or between wide characters."""
    hanging = " " * columns(prefix)
    if text.isascii():
        return textwrap.wrap(
            text,
            WIDTH,
            initial_indent=prefix,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [prefix.rstrip()]
    lines, line, room = [], prefix, WIDTH
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
