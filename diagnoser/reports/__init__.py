"""Reports: one function a format, each from a cleaned report to a string."""

from __future__ import annotations

from collections.abc import Callable

from diagnoser.catalog import Words
from diagnoser.model import Report
from diagnoser.reports import document, ecs, markdown, page, text
from diagnoser.reports.cleaning import clean
from diagnoser.reports.wording import words_for

FORMATS: dict[str, Callable[[Report, Words], str]] = {
    "text": text.render,
    "json": document.render,
    "markdown": markdown.render,
    "html": page.render,
    "ndjson": ecs.render,
}


def render(report: Report, form: str, language: str) -> str:
    """``report`` in one of :data:`FORMATS` and one language, cleaned first."""
    return FORMATS[form](clean(report), words_for(language))
