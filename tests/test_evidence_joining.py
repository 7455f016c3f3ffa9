"""``diagnoser scan`` with the error and what support had collected: one case where it is one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import diagnoser
from test_evidence_captures import ACK, AGENT, RST_ACK, SYN, SYN_ACK, dns, hello, pcap, tcp, udp

FILES = Path(__file__).with_name("transcripts")
ERROR = """\
Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {"$module":"isk_bundle_vsa64_26986","address":"%s","port":"%d"}
Message: Could not perform SSL_write() call:
"""
HOST, ADDRESS = "rs-us5-cloud.acronis.com", "203.0.113.7"


def error(at: Path, host: str = HOST, port: int = 8443, name: str = "error.txt") -> str:
    (at / name).write_text(ERROR % (host, port))
    return str(at / name)


def refused(port: int = 8443) -> list[tuple[float, bytes]]:
    server = (ADDRESS, port)
    answer = dns(HOST, 0)[:6] + b"\0\1" + dns(HOST, 0)[8:]
    answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes(map(int, ADDRESS.split(".")))
    return [
        (100.0, udp(AGENT, ("10.9.8.1", 53), dns(HOST))),
        (100.1, udp(("10.9.8.1", 53), AGENT, answer)),
        (100.2, tcp(AGENT, server, SYN, 10)),
        (100.3, tcp(server, AGENT, RST_ACK, 0)),
    ]


def capture(at: Path, packets: list[tuple[float, bytes]]) -> str:
    (at / "capture.pcap.gz").write_bytes(gzip.compress(pcap(*packets)))
    return str(at / "capture.pcap.gz")


def scanned(*paths: str, expect: int = 1) -> list[dict[str, Any]]:
    done = diagnoser("scan", "--offline", "--format", "json", *paths, expect=expect)
    cases: list[dict[str, Any]] = json.loads(done.stdout)["cases"]
    return cases


def told(cases: list[dict[str, Any]]) -> list[tuple[bool, str, int, str | None, str | None]]:
    """For each endpoint: is there an error, host, port, where the probe is from, the cause."""
    return [
        (
            case["block"] is not None,
            endpoint["host"],
            endpoint["port"],
            endpoint["probe"] and endpoint["probe"]["origin"],
            case["cause"],
        )
        for case in cases
        for endpoint in case["endpoints"]
    ]


def test_error_transcript_and_capture_of_one_endpoint_are_one_case(tmp_path: Path) -> None:
    transcript = str(FILES / "openssl-3.0-refused.txt")
    paths = [error(tmp_path), transcript, capture(tmp_path, refused())]
    for order in (paths, paths[::-1]):
        assert told(scanned(*order)) == [(True, HOST, 8443, "transcript", "port-closed")]


def test_each_kind_of_evidence_alone_explains_the_error(tmp_path: Path) -> None:
    found = scanned(error(tmp_path), capture(tmp_path, refused()))
    assert told(found) == [(True, HOST, 8443, "capture", "port-closed")]


def test_an_address_that_the_error_names_joins_the_capture(tmp_path: Path) -> None:
    named = error(tmp_path, ADDRESS)
    found = scanned(named, capture(tmp_path, refused()[2:]))
    assert told(found) == [(True, ADDRESS, 8443, "capture", "port-closed")]


def test_a_transcript_by_address_that_asks_for_the_name_is_joined(tmp_path: Path) -> None:
    text = (FILES / "openssl-3.0-refused.txt").read_text()
    command = f"-connect {ADDRESS}:8443 -servername {HOST}"
    transcript = tmp_path / "output3.txt"
    transcript.write_text(text.replace(f"-connect {HOST}:8443", command))
    (case,) = scanned(error(tmp_path), str(transcript))
    assert told([case]) == [(True, HOST, 8443, "transcript", "port-closed")]
    (address,) = case["endpoints"][0]["probe"]["addresses"]
    assert (address["address"], address["condition"]) == (ADDRESS, "connection-refused")


def test_the_address_that_a_transcript_shows_joins_an_error_that_names_only_it(
    tmp_path: Path,
) -> None:
    found = scanned(error(tmp_path, ADDRESS), str(FILES / "openssl-3.5-windows-refused.txt"))
    assert told(found) == [(True, ADDRESS, 8443, "transcript", "port-closed")]


def test_evidence_of_another_endpoint_is_a_case_of_its_own(tmp_path: Path) -> None:
    other = str(FILES / "openssl-3.0-fortinet.txt")
    found = told(scanned(error(tmp_path), other))
    # What was seen comes before what is only suspected.
    assert found[0] == (
        False, "baas-fes-us5.acronis.com", 44445, "transcript", "tls-intercepted",
    )  # fmt: skip
    assert found[1][:4] == (True, HOST, 8443, None)


@pytest.mark.parametrize("port", [443, 7780])
def test_the_same_host_on_another_port_is_not_joined(port: int, tmp_path: Path) -> None:
    found = told(scanned(error(tmp_path, port=port), str(FILES / "openssl-3.0-refused.txt")))
    assert [f[:4] for f in found] == [(False, HOST, 8443, "transcript"), (True, HOST, port, None)]
    assert found[0][4] == "port-closed"


def test_a_certificate_seen_beats_a_port_found_open(tmp_path: Path) -> None:
    server = (ADDRESS, 8443)
    opened = [
        (100.2, tcp(AGENT, server, SYN, 10)),
        (100.3, tcp(server, AGENT, SYN_ACK, 900)),
        (100.4, tcp(AGENT, server, ACK, 11, hello(HOST))),
        (100.5, tcp(server, AGENT, ACK, 901)),
    ]
    paths = [capture(tmp_path, opened), str(FILES / "openssl-3.0-management12.txt")]
    (found,) = scanned(error(tmp_path), *paths)
    probe = found["endpoints"][0]["probe"]
    assert probe["origin"] == "transcript"
    assert probe["tls"]["received_chain"]


def test_one_file_with_the_error_and_the_transcript_is_one_case(tmp_path: Path) -> None:
    text = ERROR % (HOST, 8443) + "\n\n" + (FILES / "openssl-3.0-refused.txt").read_text()
    (tmp_path / "mail.txt").write_text(text)
    assert told(scanned(str(tmp_path / "mail.txt"))) == [
        (True, HOST, 8443, "transcript", "port-closed")
    ]


def test_a_saved_report_says_the_same_again(tmp_path: Path) -> None:
    paths = [error(tmp_path), str(FILES / "openssl-3.0-refused.txt")]
    done = diagnoser("scan", "--offline", "--format", "json", *paths, expect=1)
    (tmp_path / "report.json").write_text(done.stdout)
    (before,), (after,) = json.loads(done.stdout)["cases"], scanned(str(tmp_path / "report.json"))
    assert after["verdicts"] == before["verdicts"]
    assert after["endpoints"] == before["endpoints"]


def test_an_empty_transcript_is_inconclusive_and_says_how_to_save_it(tmp_path: Path) -> None:
    done = diagnoser("scan", "--offline", str(FILES / "empty.txt"), expect=66)
    assert "inconclusive" in done.stderr
    assert "2>&1" in done.stderr


def test_a_healthy_checker_beside_the_error_names_the_command_that_proves(tmp_path: Path) -> None:
    checker = tmp_path / "checker.txt"
    checker.write_text(f"Check for us5-cloud.acronis.com 443 Ok\nCheck for {HOST} 8443 Ok\n")
    (case,) = scanned(error(tmp_path), str(checker))
    verdict = next(v for v in case["verdicts"] if v["rule"] == "tls-intercepted")
    assert verdict["standing"] == "suspected"
    commands = [e["value"] for e in verdict["evidence"] if e["fact"] == "proving_command"]
    assert commands == ["openssl s_client -showcerts -connect us5-cloud.acronis.com:443 2>&1"]
