"""Many cases at a glance: their order, and one line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnoser.catalog import Words
from diagnoser.model import Category, Diagnosis, Report, Standing
from diagnoser.reports.measuring import shorten
from diagnoser.reports.outline import mark
from diagnoser.reports.pictures import moment
from diagnoser.reports.unnamed import name_unnamed
from diagnoser.reports.wording import standing_of, tell

_LONGEST_ERROR = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One case in a line; ``last`` is when it was seen last, empty where nothing tells."""

    mark: str
    title: str
    target: str
    count: int
    last: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The rows of a report, and a sentence where all of them say the same."""

    rows: tuple[Row, ...]
    same: str | None


def in_order(diagnoses: Sequence[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Faults first, by standing; then what came most often, and what came last."""
    latest_first = sorted(diagnoses, key=_last, reverse=True)
    return tuple(sorted(latest_first, key=lambda d: (_rank(d), -d.case.count)))


def overview(report: Report, words: Words) -> Overview | None:
    """What stands before the cases of a report; ``None`` for a single case."""
    if len(report.diagnoses) < 2:
        return None
    told = [(d, tell(d, report, words)) for d in report.diagnoses]
    kinds = {(w.title, w.candidates, standing_of(d)) for d, w in told}
    same = None
    if len(kinds) == 1:
        standing = words.phrases[standing_of(told[0][0]).value]
        same = words.phrases["overview_same"].format(
            count=len(told), title=told[0][1].title, standing=standing
        )
    rows = (
        Row(mark(d.cause, standing_of(d)), w.title, _target(d, words), d.case.count, _last(d))
        for d, w in told
    )
    return Overview(tuple(rows), same)


def _rank(diagnosis: Diagnosis) -> int:
    cause = diagnosis.cause
    if cause is None:
        return 2
    if cause.category is Category.NONE:
        return 3
    return 0 if cause.finding.standing is Standing.APPLIES else 1


def _last(diagnosis: Diagnosis) -> str:
    text = diagnosis.case.last_seen or ""
    at = moment(text) if text else None
    return text[:16] if at is None else f"{at:%Y-%m-%d %H:%M}"


def _target(diagnosis: Diagnosis, words: Words) -> str:
    """The first endpoint and how many there are besides; then the error at the root."""
    case, parts = diagnosis.case, []
    if case.endpoints:
        first = name_unnamed(str(case.endpoints[0]), case.endpoints, words)
        others = len(case.endpoints) - 1
        parts.append(f"{first} (+{others})" if others else first)
    if case.block is not None:
        root = case.block.root
        said = (root.message or "").partition("\n")[0].strip()
        parts.append(shorten(f"{root.name} {said}".strip(), _LONGEST_ERROR))
    return " · ".join(parts)
