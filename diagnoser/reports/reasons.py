"""Why causes were ruled out or left open, told briefly: causes with the same reason together."""

from __future__ import annotations

from dataclasses import dataclass

from diagnoser.catalog import Words
from diagnoser.model import Category, Diagnosis, Evidence, Stage, Standing, Verdict
from diagnoser.reports.measuring import shorten
from diagnoser.reports.phrasing import stage_word
from diagnoser.reports.wording import fact_label, fact_value

# They say where a fact was seen or where to read on, not why a cause is out.
_ASIDE = ("host", "port", "detail", "recipe", "interceptor_source", "interceptor_sits", "subject")
_MOST_FACTS = 3
_WIDEST = 90
_STAGES = frozenset(s.value for s in Stage)


@dataclass(frozen=True, slots=True)
class Reason:
    """Some causes by their titles, and the facts that all of them were judged by."""

    titles: tuple[str, ...]
    facts: tuple[str, ...]


def reasons(diagnosis: Diagnosis, standing: Standing, words: Words) -> tuple[Reason, ...]:
    """Every cause of that standing, in rank order of the first of each reason."""
    found: dict[tuple[str, ...], list[str]] = {}
    for verdict in diagnosis.verdicts:
        if verdict.finding.standing is standing and verdict.category is not Category.UNKNOWN:
            title = words.causes[verdict.rule].title
            found.setdefault(_facts(verdict, words), []).append(title)
    return tuple(Reason(tuple(titles), facts) for facts, titles in found.items())


def _facts(verdict: Verdict, words: Words) -> tuple[str, ...]:
    evidence = verdict.finding.evidence
    telling = [e for e in evidence if e.fact not in _ASIDE] or list(evidence)
    told = dict.fromkeys(shorten(_fact(e, words), _WIDEST) for e in telling)
    return tuple(told)[:_MOST_FACTS]


def _fact(evidence: Evidence, words: Words) -> str:
    stage = evidence.origin.rpartition(" ")[2]
    if evidence.fact == "condition" and stage in _STAGES:
        return f"{stage_word(stage, words)}: {fact_value(evidence, words)}"
    return f"{fact_label(evidence, words)}: {fact_value(evidence, words)}"
