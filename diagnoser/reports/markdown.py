"""The report for a support case: Markdown that ticket systems render alike.

Everything that came from an input is escaped, so that it can neither format nor link nor mention
nor embed. Evidence is folded where ``<details>`` is understood (GitHub, GitLab); where the tags
are stripped (Zendesk, Jira, Freshdesk) its heading and its list are still there.
"""

from __future__ import annotations

import re

from diagnoser.catalog import Words
from diagnoser.deferral import pattern
from diagnoser.model import Report
from diagnoser.reports.outline import Outline, Section, outline
from diagnoser.reports.overview import overview
from diagnoser.reports.phrasing import translated

# The shortest limit is that of a Jira comment: 32,767 characters.
LIMIT = 30_000
_LONGEST_LINE = 600
_LONGEST_ROW = 200
_MOST_LINES = 40
_FOLDED = ("chain", "evidence", "ruled_out", "open", "skipped")
_SPECIAL = pattern(r"([\\`*_{}\[\]#!|~<>&$@^])")
_ENTITIES = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "!": "&#33;",
    # A zero-width space keeps the sign from mentioning somebody, and from making a mail address.
    "@": "&#64;&#8203;",
}
# What would begin a list, a rule or a heading at the start of a line.
_OPENING = pattern(r"^(?:[-+=]|(\d{1,9})(?=[.)](?:\s|$)))")


def escape(text: str) -> str:
    """``text`` as plain words in Markdown and in the HTML that some systems let through."""
    flat = _SPECIAL.sub(_escaped, " ".join(text.split()))
    # Ticket systems link bare addresses; an entity keeps them readable and dead.
    flat = flat.replace("://", "&#58;//").replace("www.", "www&#46;")
    return _OPENING.sub(lambda m: f"{m[1]}\\" if m[1] else f"\\{m[0]}", flat)


def _escaped(match: re.Match[str]) -> str:
    # Entities survive where backslashes do not: HTML first, and autolinks with it.
    return _ENTITIES.get(match.group(), "\\" + match.group())


def render(report: Report, words: Words) -> str:
    """Every case under its own heading as long as there is room, the others in a line each."""
    say = words.phrases
    head, tail = _head(report, words), _tail(report, words)
    room = LIMIT - len(head) - len(tail)
    parts: list[str] = []
    rest: list[str] = []
    for diagnosis in report.diagnoses:
        told = outline(diagnosis, report, words)
        shown = "" if rest else _case(told)
        if shown and len(shown) < room:
            parts.append(shown)
            room -= len(shown) + 1
            continue
        targets = ", ".join(map(str, diagnosis.case.endpoints[:2]))
        rest.append(f"- {escape(_short(f'{told.headline} {targets}'))}")
    if rest:
        parts.append(_others(rest, say["more_cases"], room))
    return "\n".join([*([head] if head else []), *parts, tail])


def _head(report: Report, words: Words) -> str:
    """The cases in a line each; nothing for a single one."""
    found = overview(report, words)
    if found is None:
        return ""
    lines = [f"## {words.phrases['overview']}", ""]
    lines += [escape(found.same), ""] if found.same else []
    for number, row in enumerate(found.rows[:_MOST_LINES], 1):
        count = f"{row.count} ×" if row.count > 1 else ""
        told = " · ".join(x for x in (row.title, row.target, count, row.last) if x)
        lines.append(f"{number}. {escape(row.mark)} {escape(_short(told, _LONGEST_ROW))}")
    if (more := len(found.rows) - _MOST_LINES) > 0:
        lines += ["", f"… ({more})"]
    return "\n".join([*lines, ""])


def _others(lines: list[str], heading: str, room: int) -> str:
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 200:
            break
        kept.append(line)
    return "\n".join([f"### {heading}: {len(lines)}", "", *kept, ""])


def _tail(report: Report, words: Words) -> str:
    say, vantage = words.phrases, report.vantage
    parts = []
    if report.skipped:
        told = tuple(f"{s.source}: {translated(s.reason, words)}" for s in report.skipped)
        parts.append("\n".join(_section(Section("skipped", say["skipped"], told))))
    parts.append(
        f"{say['vantage']}: {escape(vantage.hostname)} ({escape(vantage.system)}), "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC, diagnoser {report.version}\n"
    )
    return "\n".join(parts)


def _case(told: Outline) -> str:
    lines = [f"## {escape(told.headline)}", "", escape(told.summary), ""]
    for section in told.sections:
        lines += _section(section)
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    body = _body(section)
    if section.key in _FOLDED:
        heading = f"<summary>{section.heading}</summary>"
        return ["<details>", heading, "", *body, "", "</details>", ""]
    return [f"### {section.heading}", "", *body, ""]


def _body(section: Section) -> list[str]:
    lines = [_short(x) for x in section.lines[:_MOST_LINES]]
    if len(section.lines) > _MOST_LINES:
        lines.append(f"… ({len(section.lines) - _MOST_LINES})")
    if section.code:
        fence = "`" * (max([2, *(len(m) for x in lines for m in re.findall("`+", x))]) + 1)
        return [f"{fence}text", *(" ".join(x.splitlines()) for x in lines), fence]
    if section.ordered:
        return [f"{n}. {escape(x)}" for n, x in enumerate(lines, 1)]
    return [f"- {escape(x)}" for x in lines]


def _short(line: str, longest: int = _LONGEST_LINE) -> str:
    return line if len(line) <= longest else line[: longest - 1] + "…"
