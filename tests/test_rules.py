"""Every rule against its cases, its documentation and its words."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest
from casebook import make_case

from diagnoser import catalog
from diagnoser.diagnosis import judge
from diagnoser.model import Diagnosis, Standing
from diagnoser.reasoning import Rule
from diagnoser.reports.wording import placeholders
from diagnoser.rules import CAUSES, RULES, UNEXPLAINED

CASES = Path(__file__).with_name("cases")
SECTIONS = {
    "applies": Standing.APPLIES,
    "suspected": Standing.SUSPECTED,
    "ruled_out": Standing.RULED_OUT,
    "undecided": Standing.UNDECIDED,
}
TELLING = (Standing.APPLIES, Standing.SUSPECTED)
ACCUSING = {"tls-intercepted", "intercepted-and-trusted-here", "box-certificate"}
# Facts that no evidence gives and every case has.
GENERAL = {
    "host", "port", "endpoint", "role", "vantage", "interceptor", "error_number",
    "healthy_endpoints", "issued_by", "place",
}  # fmt: skip


def cases() -> list[object]:
    found: list[object] = []
    for path in sorted(CASES.glob("*.toml")):
        tables = tomllib.loads(path.read_text("utf-8"))
        for section, entries in tables.items():
            for name, table in entries.items():
                found.append(
                    pytest.param(path.stem, section, table, id=f"{path.stem}-{section}-{name}")
                )
    return found


def cause_of(diagnosis: Diagnosis) -> str:
    """The rule that is the cause; ``none`` where nothing is certain or suspected."""
    return diagnosis.cause.rule if diagnosis.cause else "none"


def whole_cases(name: str) -> list[object]:
    tables = tomllib.loads((CASES / "whole" / name).read_text("utf-8"))
    return [pytest.param(table, id=key) for key, table in tables.items()]


@pytest.mark.parametrize("table", whole_cases("innocent.toml"))
def test_nobody_is_accused_for_nothing(table: dict[str, object]) -> None:
    diagnosis = judge(make_case(table))
    accused = [
        v for v in diagnosis.verdicts if v.rule in ACCUSING and v.finding.standing in TELLING
    ]
    assert not accused
    assert cause_of(diagnosis) == table["cause"]


@pytest.mark.parametrize("table", whole_cases("intercepted.toml"))
def test_interference_is_found(table: dict[str, object]) -> None:
    diagnosis = judge(make_case(table))
    assert cause_of(diagnosis) == table["cause"]
    assert diagnosis.cause is not None
    assert diagnosis.cause.finding.standing == table["standing"]
    healthy = next(v for v in diagnosis.verdicts if v.rule == "endpoint-healthy")
    assert healthy.finding.standing not in TELLING


@pytest.mark.parametrize(("rule", "section", "table"), cases())
def test_case(rule: str, section: str, table: dict[str, object]) -> None:
    diagnosis = judge(make_case(table))
    finding = next(v.finding for v in diagnosis.verdicts if v.rule == rule)
    assert finding.standing is SECTIONS[section], finding
    told = {(e.fact, e.value) for e in finding.evidence}
    expected = table["expect"]
    assert isinstance(expected, dict)
    for fact, value in expected.items():
        assert (fact, value) in told, told
    if "cause" in table:
        assert cause_of(diagnosis) == table["cause"]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_every_answer_has_a_reason(rule: Rule) -> None:
    tables = [t for path in CASES.rglob("*.toml") for t in _tables(path)]
    findings = [rule.decide(make_case(t)) for t in tables]
    assert not [f.standing for f in findings if not f.evidence]


def _tables(path: Path) -> list[dict[str, object]]:
    tables = tomllib.loads(path.read_text("utf-8"))
    if path.parent == CASES:
        return [t for section in tables.values() for t in section.values()]
    return list(tables.values())


@pytest.mark.parametrize("rule", [r.id for r in RULES])
def test_every_rule_has_cases_of_each_answer_it_can_give(rule: str) -> None:
    tables = tomllib.loads((CASES / f"{rule}.toml").read_text("utf-8"))
    assert tables.keys() <= SECTIONS.keys()
    assert SECTIONS.keys() - tables.keys() == _cannot(rule)


def _cannot(rule: str) -> set[str]:
    """Answers that a rule can never give, with the reason."""
    return {
        # The agent's own demands on strength are not known.
        "certificate-too-weak": {"applies"},
        # A number is zero or it is not.
        "no-failure": {"suspected"},
    }.get(rule, set())


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_every_rule_says_how_it_is_decided(rule: object) -> None:
    text = inspect.cleandoc(getattr(rule, "documentation"))  # noqa: B009
    assert "Decided by:" in text
    assert "Not to be confused with:" in text


@pytest.mark.parametrize("language", catalog.LANGUAGES)
@pytest.mark.parametrize("cause", [r.id for r in RULES])
def test_words_use_only_facts_that_the_rule_gives(language: str, cause: str) -> None:
    words = catalog.words(language).causes[cause]
    for section, text in (("applies", words.summary), ("suspected", words.suspected)):
        tables = tomllib.loads((CASES / f"{cause}.toml").read_text("utf-8")).get(section, {})
        for table in tables.values():
            finding = next(v.finding for v in judge(make_case(table)).verdicts if v.rule == cause)
            given = {e.fact for e in finding.evidence} | GENERAL
            # A suspicion may rest on the error alone: its words need no fact of a probe.
            assert placeholders(text) <= given, (placeholders(text) - given, cause)
    for step in words.remedy:
        assert placeholders(step) <= GENERAL | {"proxy"}


def test_languages_say_the_same_things() -> None:
    english = catalog.words("en")
    for language in catalog.LANGUAGES:
        words = catalog.words(language)
        assert words.causes.keys() == english.causes.keys() == CAUSES.keys()
        assert words.facts.keys() == english.facts.keys()
        assert words.phrases.keys() == english.phrases.keys()
        assert words.reasons.keys() == english.reasons.keys()
        for cause, told in words.causes.items():
            other = english.causes[cause]
            assert placeholders(told.summary) == placeholders(other.summary), cause
            assert placeholders(told.suspected) == placeholders(other.suspected), cause
            assert len(told.remedy) == len(other.remedy), cause
            for mine, theirs in zip(told.remedy, other.remedy, strict=True):
                assert placeholders(mine) == placeholders(theirs), cause


def test_every_suspect_of_the_catalogue_is_a_rule() -> None:
    for row in catalog.errors():
        assert set(row.suspects) <= CAUSES.keys(), row.id


def test_a_status_of_any_length_is_read() -> None:
    diagnosis = judge(make_case({"probed": False, "told": {"http_status": "5" * 5000}}))
    assert cause_of(diagnosis) == "none"


def test_silence_is_impossible() -> None:
    diagnosis = judge(make_case({"probed": False}))
    assert diagnosis.cause is None
    assert diagnosis.verdicts[-1].rule == UNEXPLAINED
    assert diagnosis.verdicts[-1].finding.standing is Standing.APPLIES
    assert diagnosis.verdicts[-1].finding.evidence
