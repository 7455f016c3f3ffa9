"""Reports: one module a format, each with a ``render`` from a cleaned report to a string."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from diagnoser.catalog import Words
from diagnoser.model import Report
from diagnoser.reports import text
from diagnoser.reports.cleaning import clean
from diagnoser.reports.measuring import Layout
from diagnoser.reports.wording import words_for

# The module of each format. It loads when it is asked for: a run writes one format.
FORMATS = {
    "text": "text",
    "json": "document",
    "markdown": "markdown",
    "html": "page",
    "ndjson": "ecs",
}


class _Format(Protocol):
    def render(self, report: Report, told: Words, /) -> str: ...


def render(report: Report, form: str, language: str, layout: Layout | None = None) -> str:
    """``report`` in one of :data:`FORMATS` and one language, cleaned first.

    ``layout`` is how text is set; the other formats have none.
    """
    cleaned, told = clean(report), words_for(language)
    if form == "text":
        return text.render(cleaned, told, layout or Layout())
    chosen = cast("_Format", import_module(f"diagnoser.reports.{FORMATS[form]}"))
    return chosen.render(cleaned, told)
