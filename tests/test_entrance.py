"""Options before a command, and files in place of one: honoured, or refused; never ignored."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from casebook import make_case
from test_cli import ARTICLE, NAMES, PRIVATE, closed_port, diagnoser
from test_reports import CLOSED

from diagnoser.cli.options import Settings
from diagnoser.cli.session import prepare
from diagnoser.model import Lookup
from diagnoser.reports.repeats import command


@pytest.fixture
def error(tmp_path: Path) -> str:
    path = tmp_path / "error.txt"
    path.write_text(ARTICLE, "utf-8")
    return str(path)


def test_offline_before_a_command_contacts_nothing(error: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        to = f"rs-ca01-cloud.acronis.com:8443:127.0.0.1:{port}"
        done = diagnoser(
            "--offline", "--connect-to", to, "--format", "json", "scan", error, expect=1
        )
        with pytest.raises(TimeoutError):
            server.accept()
    (case,) = json.loads(done.stdout)["cases"]
    assert all(e["probe"] is None for e in case["endpoints"])


def test_every_option_before_a_command_is_its_own(error: str, tmp_path: Path) -> None:
    report, bundle = tmp_path / "r.json", tmp_path / "c.zip"
    diagnoser(
        "--offline", "-f", "json", "-o", str(report), "--bundle", str(bundle), "--exit-zero",
        "scan", error, expect=0,
    )  # fmt: skip
    assert json.loads(report.read_text("utf-8"))["cases"][0]["cause"]
    assert bundle.exists()
    assert "閉じ" in diagnoser("--lang", "ja", "explain", "port-closed", expect=0).stdout
    private = tmp_path / "p.txt"
    private.write_text(PRIVATE, "utf-8")
    shown = diagnoser("--offline", "--redact", "scan", str(private)).stdout
    assert not any(n in shown for n in NAMES)


def test_what_a_command_is_given_itself_wins(error: str) -> None:
    done = diagnoser("--offline", "-f", "json", "--redact", "scan", error, "-f", "text")
    assert done.stdout.startswith("!?")
    done = diagnoser("-f", "json", error, "--offline", "--no-redact")
    assert json.loads(done.stdout)["cases"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--offline", "check", "eu2-cloud.acronis.com"), "check has no option --offline"),
        (("-f", "json", "explain"), "explain has no option --format"),
        (("-f", "json", "watch", "."), "'json' is not one of"),
        (("--redact", "schema"), "schema has no option --redact"),
        (("--since", "3d", "scan", "x"), "--since is an option of scan"),
        (("nosuch",), "neither a command nor a file"),
        (("--offline", "no/such.txt"), "neither a command nor a file"),
        (("scann",), "did you mean diagnoser scan?"),
    ],
)
def test_what_cannot_be_honoured_is_refused(arguments: tuple[str, ...], message: str) -> None:
    done = diagnoser(*arguments, given=ARTICLE, expect=2)
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_may_stand_behind_options(error: str) -> None:
    for arguments in (("--format", "json", "--offline", error), ("--offline", error, "-f", "json")):
        (case,) = json.loads(diagnoser(*arguments, expect=1).stdout)["cases"]
        assert case["block"]["source"] == error


def test_the_program_has_one_name() -> None:
    assert diagnoser("--help").stdout.startswith("Usage: diagnoser [OPTIONS]")
    assert "diagnoser explain [OPTIONS]" in diagnoser("explain", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (
            ("check", "https://eu2-cloud.acronis.com/mc"),
            "diagnoser check eu2-cloud.acronis.com:443\n",
        ),
        (("check", "http://u:Secret1@h.example:8080/"), "diagnoser check h.example:8080\n"),
        (("--offline", "--allow", "https://h.example/x"), "--allow h.example:443\n"),
        (("--offline", "--allow", "a b"), "--allow eu-cloud.acronis.com:443\n"),
        (("--offline", "--allow", "h.example:0"), "1 to 65535"),
    ],
)
def test_a_url_in_place_of_a_host_is_answered_with_its_host(
    arguments: tuple[str, ...], hint: str
) -> None:
    done = diagnoser(*arguments, given=ARTICLE, expect=2)
    assert hint in done.stderr
    assert "Secret1" not in done.stderr


@pytest.mark.parametrize(
    ("allowed", "host", "port"),
    [
        ("h", "h", None), ("h.example", "h.example", None), ("h.example:1", "h.example", 1),
        ("H.Example", "h.example", None), ("fe80::1", "fe80::1", None), ("[::1]:44", "::1", 44),
        ("10.0.0.1", "10.0.0.1", None), ("10.0.0.1:44", "10.0.0.1", 44),
    ],
)  # fmt: skip
def test_what_may_be_allowed(allowed: str, host: str, port: int | None) -> None:
    diagnoser("--offline", "--allow", allowed, given=ARTICLE, expect=1)
    permission = prepare(Settings(offline=True, allow=(allowed,))).permission
    for asked in (1, 44, 9877):
        endpoint = replace(make_case(CLOSED).endpoints[0], host=host, port=asked)
        assert permission.covers(endpoint) is (port in (None, asked))
        assert not permission.covers(replace(endpoint, host=f"x{host}"))


@pytest.mark.parametrize("option", ["--format", "-f", "--output", "-o", "--allow", "--lang"])
def test_an_option_without_its_value_is_told_so(option: str) -> None:
    done = diagnoser(option, expect=2)
    assert "requires an argument" in done.stderr
    assert "is an option of" not in done.stderr


@pytest.mark.parametrize(
    ("endpoint", "address", "target"),
    [
        # The usual use: another machine on the same port.
        ("rs-us5-cloud.acronis.com:8443", "127.0.0.1", "127.0.0.1:8443"),
        ("rs-us5-cloud.acronis.com:8443", "::1", "'[::1]:8443'"),
        ("203.0.113.4:8443", "203.0.113.4", "203.0.113.4:8443"),
        ("203.0.113.4:8443", "127.0.0.1", "127.0.0.1:8443"),
    ],
)
def test_the_command_by_hand_goes_to_the_same_port_elsewhere(
    endpoint: str, address: str, target: str
) -> None:
    (probe,) = make_case(CLOSED | {"endpoint": endpoint, "addresses": {address: "met"}}).probes
    assert f"-connect {target} " in command(probe.endpoint, probe)
    looked_up = replace(probe, lookup=Lookup((address,)))
    assert f"-connect {endpoint} " in command(probe.endpoint, looked_up)


def test_the_command_by_hand_goes_where_the_probe_went() -> None:
    holder, port = closed_port()
    with holder:
        to = f"rs-ca01-cloud.acronis.com:8443:127.0.0.1:{port}"
        done = diagnoser("-f", "json", "--connect-to", to, given=ARTICLE, expect=1)
    (case,) = json.loads(done.stdout)["cases"]
    assert case["reproduce"] == [
        f"openssl s_client -showcerts -connect 127.0.0.1:{port} -servername rs-ca01-cloud.acronis.com"
    ]
    (case,) = json.loads(diagnoser("-f", "json", "--offline", given=ARTICLE).stdout)["cases"]
    assert "-connect rs-ca01-cloud.acronis.com:8443" in case["reproduce"][0]
