"""A saved report is judged again with today's rules, and comes to what the live run said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from casebook import make_case
from hypothesis import given
from hypothesis import strategies as st
from test_reports import report

from diagnoser.diagnosis import judge
from diagnoser.errors import InputError
from diagnoser.evidence import Kind, detect, read_report
from diagnoser.model import Case, Diagnosis
from diagnoser.reports import render

CASES = Path(__file__).with_name("cases")


def tables() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.toml")):
        for section, entries in tomllib.loads(path.read_text("utf-8")).items():
            if isinstance(entries, dict):
                found += [
                    pytest.param(table, id=f"{path.stem}-{section}-{name}")
                    for name, table in entries.items()
                    if isinstance(table, dict)
                ]
    return found


def verdicts(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    return [(v.rule, v.category.value, v.finding.standing.value) for v in diagnosis.verdicts]


def replayed(case: Case) -> Case:
    text = render(report(judge(case)), "json", "en")
    assert detect(text.encode()) is Kind.REPORT
    (again,) = read_report(text, "report.json")
    return again


def in_full(case: Case) -> bool:
    """Rows are recognised on a block; a case with rows but without a block is the casebook's own."""
    return case.block is not None or not case.recognised


@pytest.mark.parametrize("table", tables())
def test_every_case_is_judged_as_it_was(table: dict[str, Any]) -> None:
    case = make_case(table)
    if not in_full(case):
        pytest.skip("rows without a block do not occur outside the casebook")
    assert verdicts(judge(replayed(case))) == verdicts(judge(case))


LIKES = st.sampled_from(["genuine", "genuine-storage", "fortinet", "company", "private"])
CONDITIONS = st.sampled_from(
    ["met", "connection-refused", "connection-timed-out", "network-unreachable"]
)
SUSPECTS = st.lists(
    st.sampled_from(["port-closed", "tls-intercepted", "licence-out-of-sync", "not-network"]),
    max_size=3,
    unique=True,
)


@st.composite
def drawn(draw: st.DrawFn) -> dict[str, Any]:
    table: dict[str, Any] = {"like": draw(LIKES), "code": [draw(st.integers(1, 65535)), 7]}
    if draw(st.booleans()):
        table["stages"] = {"connect": [draw(CONDITIONS), 111]}
    if draw(st.booleans()):
        table["suspects"] = draw(SUSPECTS)
        table["proven"] = draw(st.booleans())
    if draw(st.booleans()):
        table["minted"] = draw(st.sampled_from([True, False, "refused", "common-name"]))
    if draw(st.booleans()):
        table["server_clock"] = draw(st.integers(-400, 400))
    if draw(st.booleans()):
        codes = st.sampled_from([0, 10, 18, 19, 20, 21])
        table["verify"] = {"system": draw(codes), "mozilla": draw(codes)}
    return table


@given(drawn())
def test_replay_equals_live(table: dict[str, Any]) -> None:
    case = make_case(table)
    assert verdicts(judge(replayed(case))) == verdicts(judge(case))


def test_evidence_keeps_its_origin_and_vantage() -> None:
    case = make_case({"like": "fortinet"})
    (before,), (after,) = case.probes, replayed(case).probes
    assert (after.vantage, after.origin, after.at) == (before.vantage, before.origin, before.at)
    assert after.tls == before.tls


def test_a_report_replayed_twice_says_the_same() -> None:
    once = replayed(make_case({"like": "fortinet", "suspects": ["port-closed"]}))
    assert verdicts(judge(replayed(once))) == verdicts(judge(once))


DOCUMENT = json.loads(render(report(judge(make_case({"like": "fortinet"}))), "json", "en"))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += places(value, (*path, index))
    return found


@given(
    st.sampled_from(places(DOCUMENT)),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({})
    ),
)
def test_a_damaged_report_is_refused_with_its_place_or_read(
    place: tuple[Any, ...], value: object
) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    node = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    try:
        cases = read_report(json.dumps(document), "report.json")
    except InputError as error:
        assert "report.json" in str(error)
        assert error.hint
    else:
        for case in cases:
            judge(case)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(InputError):
        read_report(text, "x")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InputError):
        read_report("[" * 100_000, "x")


def test_minutes_that_are_none_are_refused() -> None:
    """Nothing else looks at them again before they are written: they are digits, or not read."""
    case = json.loads(render(report(judge(make_case({"like": "genuine"}))), "json", "en"))
    case["cases"][0]["times"] = {"2026-11-20T10:15": 1, "\x1b]0;title\x07": 2}
    with pytest.raises(InputError):
        read_report(json.dumps(case), "saved.json")
