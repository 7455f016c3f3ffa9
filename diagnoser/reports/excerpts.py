"""The lines of the input that a verdict rests on, with their numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnoser.model import Diagnosis, Report

# A block is some hundred lines; what is longer holds a dump.
MOST_LINES = 400
_LONGEST_LINE = 4000


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Numbered lines of one source; ``name`` is fit for a file."""

    name: str
    text: str


def excerpts(report: Report) -> tuple[Excerpt, ...]:
    """One excerpt for each case that began with an error; ``>`` marks what evidence points to."""
    found = []
    for number, diagnosis in enumerate(report.diagnoses, 1):
        text = _excerpt(diagnosis)
        if text:
            found.append(Excerpt(f"case-{number:03d}.txt", text))
    return tuple(found)


def _excerpt(diagnosis: Diagnosis) -> str:
    block = diagnosis.case.block
    if block is None or not block.text.strip():
        return ""
    lines = block.text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    marked = _marked(diagnosis)
    shown = [
        f"{'>' if block.at.line + i in marked else ' '} {block.at.line + i:>7} | "
        f"{line[:_LONGEST_LINE]}{' […]' if len(line) > _LONGEST_LINE else ''}"
        for i, line in enumerate(lines[:MOST_LINES])
    ]
    if len(lines) > MOST_LINES:
        shown.append(f"          | […] {len(lines) - MOST_LINES} more lines")
    return "\n".join([f"{block.at.source}", "", *shown]) + "\n"


def _marked(diagnosis: Diagnosis) -> set[int]:
    """The lines of the block's source that the cause, or the catalogue, points to."""
    block = diagnosis.case.block
    if block is None:
        return set()
    told = [e for r in diagnosis.case.recognised for e in r.evidence]
    told += [e for endpoint in diagnosis.case.endpoints for e in endpoint.derivation]
    if diagnosis.cause is not None:
        told += diagnosis.cause.finding.evidence
    place = re.compile(re.escape(block.at.source) + r":(\d{1,9})")
    return {int(m[1]) for e in told if (m := place.fullmatch(e.origin))}
