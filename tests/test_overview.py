"""Many cases at a glance, and what a reader is told to do where several causes are possible."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from casebook import make_case
from test_cli import ARTICLE, diagnoser
from test_reports import CLOSED, block, report

from diagnoser.diagnosis import Inquiry, Permission, investigate, judge, open_case
from diagnoser.grammar import read_blocks
from diagnoser.model import Diagnosis, ErrorBlock, ErrorFrame, Location, Report, Vantage
from diagnoser.probing import SystemNetwork, Trust
from diagnoser.reports import render
from diagnoser.reports.measuring import Layout, columns
from diagnoser.reports.overview import in_order
from diagnoser.reports.redaction import redact

SAMPLES = Path(__file__).parents[1] / "sample_logs"
HEALTHY: dict[str, Any] = {"like": "genuine"}


def several(*, contacted: bool = True, sample: str = "session-tls.log") -> Diagnosis:
    """A case of several causes; ``contacted``: an online run that left its host out."""
    text = (SAMPLES / sample).read_text("utf-8")
    (case,) = map(open_case, read_blocks(text, sample).blocks)
    if contacted:
        inquiry = Inquiry(SystemNetwork(), Trust.load(None), Vantage("m", "s", "t"), Permission())
        assert not any(inquiry.permission.covers(e) for e in case.endpoints)
        (case,) = investigate([case], inquiry)
    return judge(case)


def times(count: int, last: str | None, shown: dict[str, Any]) -> Diagnosis:
    return judge(replace(make_case(shown), count=count, last_seen=last))


def test_faults_come_first_by_standing_count_and_time() -> None:
    healthy, undecided = judge(make_case(HEALTHY)), judge(block("odd"))
    suspected = several()
    once = times(1, None, CLOSED)
    early, late = times(3, "2026-11-20T08:30:00", CLOSED), times(3, "2026-11-21T08:30:00", CLOSED)
    mixed = [healthy, undecided, suspected, once, early, late]
    assert in_order(mixed) == (late, early, once, suspected, undecided, healthy)
    # What nothing tells apart stays in the order of the input.
    other = judge(make_case({**CLOSED, "endpoint": "rs-eu2-cloud.acronis.com:8443"}))
    assert in_order([other, once]) == (other, once)


def test_several_cases_begin_with_a_line_each() -> None:
    told = report(times(3, "2026-11-20T08:30:12", CLOSED), judge(make_case(HEALTHY)))
    for form in ("text", "markdown", "html"):
        shown = render(told, form, "en")
        assert "Overview" in shown
        assert "2026-11-20 08:30" in shown
        assert "All 2" not in shown
    lines = render(told, "text", "en").splitlines()
    assert lines[0] == "Overview: 2 cases"
    assert lines[2] == (
        "1  !!  3 ×  2026-11-20 08:30  Port closed · rs-us5-cloud.acronis.com:8443 · 626/307 message"
    )
    assert re.match(r"2  OK  1 × {20}Endpoint healthy · ", lines[3])
    assert any(x.startswith("── 2/2 ──") for x in lines)


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_one_case_has_no_overview_and_cases_that_agree_say_it_once(form: str) -> None:
    closed = judge(make_case(CLOSED))
    assert "Overview" not in render(report(closed), form, "en")
    other = judge(make_case({**CLOSED, "endpoint": "rs-eu2-cloud.acronis.com:8443"}))
    shown = render(report(closed, other), form, "en").replace("\\", "")
    assert shown.count("All 2 cases: Port closed [diagnosed].") == 1


def test_the_command_puts_cases_in_order_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("Error code: 999\nModule: 7\nFields: {}\nMessage: odd\n")
    (tmp_path / "b.log").write_text(ARTICLE, "utf-8")
    shown = diagnoser("--offline", "--lang", "en", str(tmp_path)).stdout
    assert shown.index("rs-ca01") < shown.index("7/999")
    cases = json.loads(diagnoser("--offline", str(tmp_path), "-f", "json").stdout)["cases"]
    assert [c["standing"] for c in cases] == ["suspected", "undecided"]


def test_causes_that_are_out_are_counted_and_listed_on_demand() -> None:
    brief = diagnoser("--offline", "--lang", "en", given=ARTICLE).stdout
    (line,) = re.findall(
        r"^  Ruled out: (\d+), not decided: (\d+) \(--verbose lists", brief, re.MULTILINE
    )
    assert "Local port in use" not in brief
    full = diagnoser("--offline", "--lang", "en", "-v", given=ARTICLE).stdout
    listed = re.findall(r"  (?:Ruled out|Not decided)\n((?:    .*\n)+)", full)
    assert [len(x.split(";")) for x in listed] == [int(n) for n in line]
    assert "--verbose" not in full


@pytest.mark.parametrize("language", ["en", "ja"])
def test_text_is_as_narrow_as_it_is_asked_to_be(language: str) -> None:
    told = report(judge(make_case(CLOSED)), several())
    for width in (40, 60, 100):
        shown = render(told, "text", language, Layout(width, verbose=True))
        wide = [x for x in shown.splitlines() if columns(x) > width and " " in x.strip("- ")]
        assert [x for x in wide if "openssl" not in x] == []


def test_several_causes_are_several_for_machines_too() -> None:
    case = json.loads(render(report(several()), "json", "en"))["cases"][0]
    assert len(case["candidates"]) > 1
    assert case["cause"] == case["candidates"][0]
    line = json.loads(render(report(several()), "ndjson", "en"))
    assert line["diagnoser"]["candidates"] == case["candidates"]
    shown = render(report(several()), "text", "en")
    possible = shown.partition("Possible causes\n")[2].partition("\n\n")[0]
    assert [x.split()[1] for x in possible.splitlines()] == case["candidates"]
    single = json.loads(render(report(judge(make_case(CLOSED))), "json", "en"))["cases"][0]
    assert single["candidates"] == []


def remedy(*diagnoses: Diagnosis, language: str = "en") -> str:
    told: Report = report(*diagnoses)
    return str(json.loads(render(told, "json", language))["cases"][0]["remedy"][0])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_host_left_out_for_want_of_permission_is_what_to_do(language: str) -> None:
    step = remedy(several(), language=language)
    assert "--allow 203.0.113.45" in step
    assert "--offline" not in step
    step = remedy(several(contacted=False), language=language)
    assert "--offline" in step
    assert "--allow 203.0.113.45" in step


def test_offline_is_named_where_it_was_offline() -> None:
    (case,) = map(open_case, read_blocks(ARTICLE, "stdin").blocks)
    step = remedy(judge(case))
    assert "--offline" in step
    assert "--allow" not in step
    assert "Left out" not in step


def test_an_error_that_names_nothing_to_test_says_so() -> None:
    diagnosis = several(contacted=False)
    nowhere = judge(replace(diagnosis.case, endpoints=(), skipped=()))
    step = remedy(nowhere)
    assert "check --data-center" in step
    assert "--offline" not in step


def test_a_redacted_report_names_the_host_by_its_token() -> None:
    told = redact(report(several())).report
    step = json.loads(render(told, "json", "en"))["cases"][0]["remedy"][0]
    assert re.search(r"--allow addr-\d", step)
    assert "--offline" not in step


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Failed: Synchronizing licenses now", "Synchronizing licenses"),
        ("ライセンスの同期に失敗しました。", "ライセンスの同期"),
    ],
)
def test_what_a_message_is_known_by_is_shown_in_whole_words(message: str, words: str) -> None:
    frame = ErrorFrame(309, 22, None, (), message, Location("e", 1))
    case = open_case(ErrorBlock("labelled", "en", (frame,), Location("e", 1), message))
    found = [e.value for r in case.recognised for e in r.evidence if e.fact == "message"]
    assert found == [words]
