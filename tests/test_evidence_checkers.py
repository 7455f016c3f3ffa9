"""Connection checkers: both generations of output, and what an all-OK one means beside an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from casebook import make_case
from hypothesis import given
from hypothesis import strategies as st
from test_cli import closed_port, diagnoser

from diagnoser.diagnosis import judge
from diagnoser.evidence import (
    Kind,
    detect,
    is_moved_by_checks,
    join,
    read_checks,
    read_unopened,
    recognise_checks,
)
from diagnoser.evidence.checkers import endpoints_of
from diagnoser.model import Report, Role, Standing, Vantage
from diagnoser.reports import render
from diagnoser.rules import CAUSES

AT = datetime(2026, 11, 24, tzinfo=UTC)
NEW = """Check for us5-cloud.acronis.com 443 Ok
Check for us5-cloud.acronis.com 7787 Ok
Check for baas-fes-us5.acronis.com 44445 Ok
Average write speed: 5.96219 MB/s
"""
OLD = """Starting verification for  host on 1510226565
Performing Name Resolution for: cloud-fes-us5.acronis.com...SUCCESS!
Verifying connection to 203.0.113.9 on port 44445...SUCCESS!
Verifying connection stability to  203.0.113.9 on port 44445...
Connection was verified. Packets Success rate 50/50
"""


WINDOWS = """PS C:\\> Test-NetConnection rs-us5-cloud.acronis.com -Port 8443
WARNING: TCP connect to (203.0.113.4 : 8443) failed

ComputerName     : rs-us5-cloud.acronis.com
RemoteAddress    : 203.0.113.4
RemotePort       : 8443
InterfaceAlias   : Ethernet
SourceAddress    : 192.168.1.10
PingSucceeded    : False
TcpTestSucceeded : False

ComputerName     : us5-cloud.acronis.com
RemotePort       : 443
TcpTestSucceeded : True
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_records_of_windows_powershell_are_read_one_by_one(end: str) -> None:
    text = WINDOWS.replace("\n", end)
    assert detect(text.encode()) is Kind.CHECKER
    assert [(c.host, c.port, c.passed, c.at.line) for c in read_checks(text, "x")] == [
        ("rs-us5-cloud.acronis.com", 8443, False, 4),
        ("us5-cloud.acronis.com", 443, True, 12),
    ]


@pytest.mark.parametrize(
    "cut", ["TcpTestSucceeded : False\n", "RemotePort       : 8443\n", ": rs-us5-cloud.acronis.com"]
)
def test_a_record_without_a_port_or_a_result_is_no_check(cut: str) -> None:
    text = WINDOWS.partition("\n\nComputerName     : us5")[0] + "\n"
    assert detect(text.encode()) is Kind.CHECKER
    # What the warning above a record says stands without it.
    (warned,) = read_checks(text.replace(cut, ""), "x")
    assert (warned.host, warned.port, warned.at.line) == ("rs-us5-cloud.acronis.com", 8443, 2)
    bare = "".join(line for line in text.splitlines(keepends=True) if "WARNING" not in line)
    assert read_checks(bare.replace(cut, ""), "x") == ()


def test_a_failed_check_without_an_error_says_so_of_its_endpoint() -> None:
    (case,) = join((), (), read_checks(WINDOWS, "tnc.txt"))
    failed = [(e.host, {x.fact for x in e.derivation}) for e in case.endpoints]
    assert "checker_failed" in failed[0][1]
    assert "checker_failed" not in failed[1][1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            NEW,
            [
                ("us5-cloud.acronis.com", 443, True, 1),
                ("us5-cloud.acronis.com", 7787, True, 2),
                ("baas-fes-us5.acronis.com", 44445, True, 3),
            ],
        ),
        (
            OLD,
            [("cloud-fes-us5.acronis.com", None, True, 2), ("203.0.113.9", 44445, True, 3)],
        ),
        (
            "Check for us5-cloud.acronis.com 8443 Failed",
            [("us5-cloud.acronis.com", 8443, False, 1)],
        ),
        (
            "Outgoing connections are not available for the following ports:\n"
            "baas-fes-us5.acronis.com:44445\n",
            [("baas-fes-us5.acronis.com", 44445, False, 1)],
        ),
        (
            'Failed to connect to host "203.0.113.9" via port 44445.',
            [("203.0.113.9", 44445, False, 1)],
        ),
    ],
)
def test_every_known_wording_is_read(
    text: str, found: list[tuple[str, int | None, bool, int]]
) -> None:
    assert detect(text.encode()) is Kind.CHECKER
    checks = read_checks(text, "checker.txt")
    assert [(c.host, c.port, c.passed, c.at.line) for c in checks] == found


def test_all_ok_beside_a_failing_backup_raises_the_suspicion_and_names_the_proof() -> None:
    case = make_case({"probed": False, "code": [550, 7]})
    (joined,) = join((case,), (), read_checks(NEW, "checker.txt"), (True,))
    verdict = next(v for v in judge(joined).verdicts if v.rule == "tls-intercepted")
    assert verdict.finding.standing.value == "suspected"
    evidence = {e.fact: e.value for e in verdict.finding.evidence}
    assert evidence["checker_passed"] == "3 of 3"
    assert evidence["proving_command"] == (
        "openssl s_client -showcerts -connect baas-fes-us5.acronis.com:44445 -cert AGENT.crt 2>&1"
    )


def test_a_genuine_handshake_outweighs_the_suspicion() -> None:
    case = make_case({"like": "genuine", "code": [550, 7]})
    (joined,) = join((case,), (), read_checks(NEW, "checker.txt"), (True,))
    verdict = next(v for v in judge(joined).verdicts if v.rule == "tls-intercepted")
    assert verdict.finding.standing.value == "ruled-out"


def test_a_checker_does_not_change_what_is_proven_to_be_no_network_fault() -> None:
    disk = make_case({"probed": False, "suspects": ["not-network"], "proven": True})
    network = make_case({"probed": False, "suspects": ["port-closed"], "proven": True})
    assert is_moved_by_checks(disk, CAUSES) is False
    assert is_moved_by_checks(network, CAUSES) is True


def test_of_several_errors_a_checker_is_about_those_that_speak_of_a_connection() -> None:
    vague = make_case({"probed": False, "derived": False, "suspects": []})
    disk = make_case({"probed": False, "derived": False, "suspects": ["not-network"]})
    named = make_case({"probed": False, "suspects": []})
    network = make_case({"probed": False, "derived": False, "suspects": ["port-filtered"]})
    cases = (vague, disk, named, network)
    moved = [is_moved_by_checks(c, CAUSES, is_only=False) for c in cases]
    assert moved == [False, False, True, True]
    assert is_moved_by_checks(vague, CAUSES)


def test_a_failed_check_beside_other_errors_is_a_case_of_its_own() -> None:
    disk = make_case({"probed": False, "suspects": ["not-network"], "proven": True})
    failed = read_checks("Check for us5-cloud.acronis.com 8443 Failed", "checker.txt")
    kept, told = join((disk,), (), failed, (False,))
    assert kept == disk
    assert [str(e) for e in told.endpoints] == ["us5-cloud.acronis.com:8443"]
    assert join((disk,), (), read_checks(NEW, "checker.txt"), (False,)) == (disk,)


@pytest.mark.parametrize(
    ("case", "is_about"),
    [
        ({"endpoint": "baas-fes-us5.acronis.com:44445", "suspects": ["port-closed"]}, True),
        ({"endpoint": "baas-fes-us5.acronis.com:44445", "suspects": []}, True),
        ({"endpoint": "rs-us5-cloud.acronis.com:8443", "suspects": ["port-closed"]}, False),
        # The far end answered with an alert: no port was closed.
        ({"derived": False, "suspects": ["client-certificate-refused"]}, False),
        ({"derived": False, "suspects": ["port-filtered", "server-side"]}, True),
    ],
)
def test_what_failed_is_about_errors_at_its_port(case: dict[str, object], is_about: bool) -> None:
    checks = read_checks('Failed to connect to host "203.0.113.9" via port 44445.', "checker.txt")
    found, *others = join((make_case({"probed": False} | case),), (), checks, (True,))
    assert any(r.table == "checkers" for r in found.recognised) is is_about
    assert [str(e) for c in others for e in c.endpoints] == (
        [] if is_about else ["203.0.113.9:44445"]
    )


def test_a_failed_check_is_a_suspicion_of_its_port_only() -> None:
    checks = read_checks("Check for us5-cloud.acronis.com 8443 Failed", "checker.txt")
    (found,) = recognise_checks(checks)
    assert found.suspects == ("port-closed", "port-filtered")
    assert found.proven is False


def test_a_checker_alone_becomes_a_case_of_the_endpoints_it_names() -> None:
    (case,) = join((), (), read_checks(NEW, "checker.txt"))
    assert [(e.host, e.port) for e in case.endpoints][-1] == ("baas-fes-us5.acronis.com", 44445)
    assert case.endpoints[-1].role is Role.STORAGE
    assert case.recognised == ()


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader(text: str) -> None:
    for prefix in (
        "",
        "Check for ",
        "Verifying connection to ",
        "ComputerName : ",
        'Failed to connect to host "',
    ):
        endpoints_of(read_checks(prefix + text, "x"))


def test_long_input_is_bounded(tmp_path: Path) -> None:
    assert len(read_checks("Check for a.example 443 Ok\n" * 10_000, "x")) <= 2000


@pytest.mark.parametrize("name", ["WARNING", "警告"])
@pytest.mark.parametrize("form", ["record", "warning", "quiet"])
def test_a_connection_that_did_not_open_is_said_to_be_that(form: str, name: str) -> None:
    text = WINDOWS.partition("\n\nComputerName     : us5")[0].replace("WARNING", name) + "\n"
    if form == "warning":
        text = "".join(text.splitlines(keepends=True)[:2])
    elif form == "quiet":
        text = "".join(text.splitlines(keepends=True)[:2]) + "False\n"
    checks = read_checks(text, "tnc.txt")
    assert [(c.host, c.port, c.address) for c in checks] == [
        ("rs-us5-cloud.acronis.com", 8443, "203.0.113.4")
    ]
    (case,) = join((), read_unopened(checks, AT), checks)
    diagnosis = judge(case)
    standings = {v.rule: v.finding.standing for v in diagnosis.verdicts}
    assert standings["port-closed"] is standings["port-filtered"] is Standing.SUSPECTED
    assert standings["network-unreachable"] is Standing.UNDECIDED
    assert standings["tls-intercepted"] is Standing.UNDECIDED
    report = Report("0", AT, Vantage("m", "s", "t"), (diagnosis,))
    english = " ".join(render(report, "text", "en").split())
    assert "No TCP connection opened to rs-us5-cloud.acronis.com:8443" in english
    assert "接続を確立できませんでした" in "".join(render(report, "text", "ja").split())
    document = json.loads(render(report, "json", "en"))["cases"][0]
    assert (document["category"], document["standing"]) == ("closed-port", "suspected")
    assert document["candidates"] == ["port-closed", "port-filtered"]


def test_what_passed_is_told_beside_what_failed() -> None:
    checks = read_checks(WINDOWS, "tnc.txt")
    (case,) = join((), read_unopened(checks, AT), checks)
    assert [(e.host, e.port) for e in case.endpoints] == [
        ("rs-us5-cloud.acronis.com", 8443),
        ("us5-cloud.acronis.com", 443),
    ]
    assert [p.endpoint.port for p in case.probes] == [8443]
    # Open one time and not the other: too little to say that it does not open.
    both = WINDOWS + WINDOWS.replace(": False", ": True").replace("WARNING", "#").replace(
        "TCP c", ""
    )
    assert read_unopened(read_checks(both, "tnc.txt"), AT) == ()


def test_a_failed_test_beside_an_error_leaves_the_endpoint_to_be_probed(tmp_path: Path) -> None:
    error = (
        "Error code: 307\nModule: 626\n"
        'Fields: {"address":"rs-us5-cloud.acronis.com","port":"8443"}\n'
        "Message: Could not perform SSL_write() call:\n\n"
    )
    (tmp_path / "both.txt").write_text(error + WINDOWS)
    held, port = closed_port()
    with held:
        for more, origin, standing in (
            (["--offline"], "transcript", "suspected"),
            (
                ["--connect-to", f"rs-us5-cloud.acronis.com:8443:127.0.0.1:{port}"],
                "live",
                "applies",
            ),
        ):
            done = diagnoser(
                "scan", str(tmp_path / "both.txt"), "--format", "json", *more, expect=1
            )
            (case,) = json.loads(done.stdout)["cases"]
            assert [e["probe"]["origin"] for e in case["endpoints"]] == [origin]
            assert (case["cause"], case["standing"]) == ("port-closed", standing)


@pytest.mark.parametrize(
    ("output", "causes"),
    [
        ("Check for baas-fes-eu2.acronis.com 44445 Failed\n", {"port-closed", "port-filtered"}),
        (
            "Performing Name Resolution for: eu2-cloud.acronis.com...FAILED!\n",
            {"name-lookup-failed"},
        ),
        ("Check for baas-fes-eu2.acronis.com 44445 Ok\n", set()),
    ],
)
def test_a_failed_check_without_an_error_is_a_suspicion(output: str, causes: set[str]) -> None:
    (case,) = join((), (), read_checks(output, "checker.txt"))
    suspected = {v.rule for v in judge(case).verdicts if v.finding.standing is Standing.SUSPECTED}
    assert suspected == causes


@pytest.mark.parametrize(
    "line",
    [
        "Check for eu2-cloud.acronis.com 443 before you start",
        "Check for updates 443 failed",
        "Check for eu2-cloud.acronis.com 443",
        "Verifying connection to 203.0.113.9 on port 44445...",
        "Performing Name Resolution for: eu2-cloud.acronis.com...",
    ],
)
def test_a_sentence_and_a_line_that_was_cut_tell_no_result(line: str) -> None:
    assert read_checks(line, "x") == ()


def test_a_failure_may_say_more_and_a_success_its_time() -> None:
    text = "Check for a.acronis.com 443 timed out\nCheck for b.acronis.com\t443 Ok (12 ms)\n"
    assert [c.passed for c in read_checks(text, "x")] == [False, True]


def test_a_port_that_no_agent_needs_is_no_suspicion() -> None:
    checks = read_checks("Check for printer.example.net 9100 Failed\n", "x")
    assert recognise_checks(checks) == ()
    (case,) = join((), (), checks)
    assert all(v.finding.standing is not Standing.SUSPECTED for v in judge(case).verdicts)
    other = read_checks("Check for baas-fes-eu2.acronis.com 44445 Failed\n", "x")
    (found,) = recognise_checks((*checks, *other))
    assert [e.value for e in found.evidence] == ["baas-fes-eu2.acronis.com:44445"]


def test_a_saved_report_of_checks_alone_is_judged_the_same(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text(
        "Check for rs-eu2-cloud.acronis.com 8443 Failed\nCheck for eu2-cloud.acronis.com 443 Ok\n"
    )
    whole = ("scan", "--offline", "--format", "json")
    first = diagnoser(*whole, str(tmp_path / "c.txt"), expect=1).stdout
    (tmp_path / "c.json").write_text(first)
    again = diagnoser(*whole, str(tmp_path / "c.json"), expect=1).stdout
    one, other = (json.loads(t)["cases"][0] for t in (first, again))
    assert one["cause"] == "port-closed"
    assert [v["standing"] for v in one["verdicts"]] == [v["standing"] for v in other["verdicts"]]
