"""The report for a support case: Markdown that ticket systems render alike.

Everything that came from an input is escaped, so that it can neither format nor link nor embed.
"""

from __future__ import annotations

import re

from diagnoser.catalog import Words
from diagnoser.model import Report
from diagnoser.reports.outline import Outline, Section, outline

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$@:-])")
_FOLDED = ("chain", "evidence", "ruled_out", "open")


def escape(text: str) -> str:
    """``text`` as plain words in Markdown and in the HTML that some systems let through."""
    flat = _SPECIAL.sub(_escaped, " ".join(text.split()))
    # Ticket systems link bare addresses; an entity keeps them readable and dead.
    flat = flat.replace("://", "&#58;//").replace("www.", "www&#46;")
    return "\\" + flat if flat[:1] in ("-", "+", "=") else flat


def _escaped(match: re.Match[str]) -> str:
    sign = match.group()
    # Entities survive where backslashes do not: HTML first, and autolinks with it.
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}
    if sign in entities:
        return entities[sign]
    if sign in ":-()+!$":
        return sign if sign != "!" else "&#33;"
    return "\\" + sign


def render(report: Report, words: Words) -> str:
    """Every case under its own heading; long evidence is folded."""
    say = words.phrases
    parts = [_case(outline(d, report, words)) for d in report.diagnoses]
    if report.skipped:
        lines = "\n".join(f"- {escape(s.source)}: {escape(s.reason)}" for s in report.skipped)
        parts.append(f"### {say['skipped']}\n\n{lines}\n")
    vantage = report.vantage
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
        return [
            f"<details><summary>{section.heading}</summary>",
            "",
            *body,
            "",
            "</details>",
            "",
        ]
    return [f"### {section.heading}", "", *body, ""]


def _body(section: Section) -> list[str]:
    if section.code:
        fence = "`" * (max([2, *(len(m) for x in section.lines for m in re.findall("`+", x))]) + 1)
        return [f"{fence}text", *(" ".join(x.splitlines()) for x in section.lines), fence]
    if section.ordered:
        return [f"{n}. {escape(x)}" for n, x in enumerate(section.lines, 1)]
    return [f"- {escape(x)}" for x in section.lines]
