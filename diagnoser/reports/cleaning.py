"""What must be done to every string before any format sees it: secrets out, controls visible.

Input is hostile: logs, certificates and servers may carry terminal escapes, bidirectional
overrides and secrets. The whole report is walked, by type of value, so that no format can forget
it. Secrets are taken out whether or not names are (:mod:`~diagnoser.reports.redaction`).
"""

from __future__ import annotations

from typing import TypeVar

from diagnoser.model import Report
from diagnoser.reports.redaction import conceal
from diagnoser.reports.trees import with_parts
from diagnoser.visible import visible

T = TypeVar("T")


def clean(report: Report) -> Report:
    """The same report with every string made safe to print and free of secrets."""
    return _walk(conceal(report))


def _walk(value: T) -> T:
    if isinstance(value, str):
        # StrEnum members are words of our own.
        return value if type(value) is not str else visible(value)  # type: ignore[return-value]
    changed: T = with_parts(value, _walk)
    return changed
