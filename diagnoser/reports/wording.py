"""A judged case in words: summary, remedy, and the commands that repeat it by hand."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from string import Formatter

from diagnoser import catalog
from diagnoser.catalog import Words
from diagnoser.model import (
    ASSUMED,
    Category,
    Diagnosis,
    Endpoint,
    Evidence,
    Origin,
    Report,
    Standing,
    Verdict,
)
from diagnoser.reports.phrasing import code_and_title, role_word, valued
from diagnoser.reports.remarks import remarks
from diagnoser.reports.repeats import repeat_by_hand
from diagnoser.reports.unnamed import begin_sentence, is_named, name_unnamed
from diagnoser.rules import UNEXPLAINED

_ABOUT_ENDPOINT = ("host", "port", "endpoint")


@dataclass(frozen=True, slots=True)
class Wording:
    """What is told of one case, in one language.

    ``candidates`` are the causes that are equally possible, where no single one is named.
    """

    title: str
    summary: str
    remedy: tuple[str, ...]
    reproduce: tuple[str, ...]
    candidates: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether no single cause is named."""
        return bool(self.candidates)


def tell(diagnosis: Diagnosis, report: Report, words: Words) -> Wording:
    """The words for one diagnosis."""
    cause = diagnosis.cause
    if several := _undecided_between(diagnosis):
        return _several(several, diagnosis, report, words)
    verdict = cause or next(v for v in diagnosis.verdicts if v.rule == UNEXPLAINED)
    told = words.causes[verdict.rule]
    # What was seen was seen; that its endpoint is assumed, a remark says.
    seen = any(e.fact == ASSUMED for e in verdict.finding.evidence)
    applies = verdict.finding.standing is Standing.APPLIES or seen
    facts = _facts(verdict, diagnosis, report, words)
    summary = told.summary if applies else told.suspected
    first = _recipe(verdict, words)
    if any(e.fact == "agent_got_further" for e in verdict.finding.evidence):
        summary, first = words.phrases["only_here"], (words.phrases["only_here_remedy"],)
    sentence = begin_sentence(_fill(summary, facts), words)
    return Wording(
        title=told.title,
        summary=words.phrases["sentence_sign"].join((sentence, *remarks(diagnosis, words))),
        remedy=(
            *(() if applies and cause is not None else _permission(diagnosis, words)),
            *_remedy((*first, *told.remedy), facts, diagnosis, words),
        ),
        reproduce=repeat_by_hand(diagnosis, report.vantage),
    )


def _remedy(
    steps: tuple[str, ...], facts: dict[str, str], diagnosis: Diagnosis, words: Words
) -> tuple[str, ...]:
    """The steps; where nobody knows which host they are about, that is found out first."""
    general = tuple(s for s in steps if placeholders(s).isdisjoint(_ABOUT_ENDPOINT))
    if not diagnosis.case.endpoints and general != steps:
        # To open a firewall for an error that names no endpoint is to open it for a guess.
        return (words.phrases["several_nowhere"],)
    if diagnosis.case.endpoints and not any(map(is_named, diagnosis.case.endpoints)):
        steps = (words.phrases["unnamed_remedy"], *general)
    return tuple(_fill(step, facts) for step in steps)


def _recipe(verdict: Verdict, words: Words) -> tuple[str, ...]:
    """The steps of the exemption recipe that the evidence names, before the general ones."""
    if verdict.category is not Category.MITM_CERTIFICATE:
        return ()
    named = next((e.value for e in verdict.finding.evidence if e.fact == "recipe"), "")
    return words.recipes.get(named, ())


def _undecided_between(diagnosis: Diagnosis) -> tuple[str, ...]:
    """The causes that the error alone suggests, if there is more than one and nothing was tested.

    To name the first of them with its remedy would send someone to open a firewall on a guess.
    """
    unopened = _unopened(diagnosis)
    if unopened or diagnosis.case.probes or standing_of(diagnosis) is not Standing.SUSPECTED:
        return unopened
    found = [v.rule for v in diagnosis.verdicts if v.finding.standing is Standing.SUSPECTED]
    return tuple(found) if len(found) > 1 else ()


def _unopened(diagnosis: Diagnosis) -> tuple[str, ...]:
    """The ways in which a connection can have failed of which only that is told."""
    found = [v for v in diagnosis.verdicts if _tells_unopened(v)]
    return tuple(v.rule for v in found) if diagnosis.cause in found else ()


def _tells_unopened(verdict: Verdict) -> bool:
    suspected = verdict.finding.standing is Standing.SUSPECTED
    return suspected and any(e.fact == "unopened" for e in verdict.finding.evidence)


def _several(
    causes: tuple[str, ...], diagnosis: Diagnosis, report: Report, words: Words
) -> Wording:
    titles = words.phrases["list_sign"].join(words.causes[c].title for c in causes)
    if probe := next((p for p in diagnosis.case.probes if p.is_unopened), None):
        return _several_ways(causes, titles, probe.endpoint, diagnosis, report, words)
    return Wording(
        title=words.phrases["several"],
        summary=words.phrases["several_summary"].format(causes=titles),
        remedy=(_next_test(diagnosis, words),),
        reproduce=repeat_by_hand(diagnosis, report.vantage),
        candidates=causes,
    )


def _several_ways(
    causes: tuple[str, ...],
    titles: str,
    at: Endpoint,
    diagnosis: Diagnosis,
    report: Report,
    words: Words,
) -> Wording:
    """The wording of a connection of which only is told that it did not open."""
    facts = {"host": at.host, "port": str(at.port), "endpoint": str(at), "causes": titles}
    summary = name_unnamed(_fill(words.phrases["several_unopened"], facts), (at,), words)
    return Wording(
        title=words.phrases["unopened"],
        summary=words.phrases["sentence_sign"].join((summary, *remarks(diagnosis, words))),
        remedy=_remedy(words.causes[causes[0]].remedy, facts, diagnosis, words),
        reproduce=repeat_by_hand(diagnosis, report.vantage),
        candidates=causes,
    )


def _next_test(diagnosis: Diagnosis, words: Words) -> str:
    """What would decide between several causes: a run with the options that this one lacked."""
    say, endpoints = words.phrases, diagnosis.case.endpoints
    if not endpoints:
        return say["several_nowhere"]
    if hosts := _refused_hosts(diagnosis):
        return say["several_allow"].format(allow=_allowing(hosts))
    unknown = [e.host for e in endpoints if not catalog.is_catalogued(e.host, e.port)]
    if len(unknown) == len(endpoints):
        return say["several_offline_allow"].format(allow=_allowing(unknown))
    return say["several_offline"]


def _permission(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    """The step before all others where a host was left out for want of permission."""
    hosts = _refused_hosts(diagnosis)
    if not hosts:
        return ()
    named = words.phrases["list_sign"].join(dict.fromkeys(hosts))
    return (words.phrases["allow_step"].format(hosts=named, allow=_allowing(hosts)),)


def _refused_hosts(diagnosis: Diagnosis) -> list[str]:
    """The hosts that were not contacted although the run was not offline."""
    case = diagnosis.case
    probed, left = {p.endpoint.key for p in case.probes}, {s.source for s in case.skipped}
    return [e.host for e in case.endpoints if e.key not in probed and str(e) in left]


def _allowing(hosts: list[str]) -> str:
    return " ".join(f"--allow {shlex.quote(h)}" for h in dict.fromkeys(hosts))


def standing_of(diagnosis: Diagnosis) -> Standing:
    """The standing of the case: that of its cause, else undecided."""
    cause = diagnosis.cause
    return cause.finding.standing if cause else Standing.UNDECIDED


def fact_label(evidence: Evidence, words: Words) -> str:
    """The name of a fact in the reader's language; an unlisted key stands for itself."""
    return words.facts.get(evidence.fact, evidence.fact.replace("_", " "))


def fact_value(evidence: Evidence, words: Words) -> str:
    """The value of a fact in the reader's language."""
    if evidence.fact == "role":
        return role_word(evidence.value, words)
    if evidence.fact == "error_code":
        return code_and_title(evidence.value, words)
    return valued(evidence.value, words)


def placeholders(text: str) -> frozenset[str]:
    """The names of the placeholders in ``text``."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


def _fill(text: str, facts: dict[str, str]) -> str:
    return text.format_map({name: facts.get(name, "?") for name in placeholders(text)})


def _facts(verdict: Verdict, diagnosis: Diagnosis, report: Report, words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    for evidence in verdict.finding.evidence:
        found.setdefault(evidence.fact, fact_value(evidence, words))
    endpoints = diagnosis.case.endpoints
    # The endpoint that the evidence speaks of, where there are several.
    spoken = [
        e
        for e in endpoints
        if found.get("host") == e.host and found.get("port", str(e.port)) == str(e.port)
    ]
    chosen = (spoken or list(endpoints))[:1]
    unknown = words.phrases["unknown"]
    for endpoint in chosen:
        found.setdefault("host", endpoint.host)
        found.setdefault("port", str(endpoint.port))
        found.setdefault("endpoint", str(endpoint))
        found.setdefault("role", role_word(endpoint.role.value, words))
    for name in ("host", "port", "endpoint", "role"):
        found.setdefault(name, unknown)
    found.setdefault("vantage", report.vantage.hostname)
    found.setdefault("interceptor", words.phrases["unnamed_interceptor"])
    found.setdefault("error_number", "")
    issuer = found.get("issuer")
    found["issued_by"] = words.phrases["issuer_told"].format(issuer=issuer) if issuer else ""
    healthy = [e.value for e in verdict.finding.evidence if e.fact == "healthy_endpoint"]
    found["healthy_endpoints"] = ", ".join(dict.fromkeys(healthy)) or unknown
    live = all(p.origin is Origin.LIVE for p in diagnosis.case.probes)
    found["place"] = words.phrases["place_live" if live else "place_collected"]
    if found["port"] == "0":
        found["port"] = words.phrases["unnamed_port"]
    return {name: name_unnamed(value, endpoints, words) for name, value in found.items()}


def words_for(language: str) -> Words:
    """The words of ``language``, English where there are none."""
    return catalog.words(language if language in catalog.LANGUAGES else "en")
