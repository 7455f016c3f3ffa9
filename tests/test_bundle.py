"""The case bundle: one file that holds the case, and the transcript that others can read."""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from casebook import NOW, make_case
from cryptography import x509
from test_cli import ARTICLE, closed_port, diagnoser
from test_reports import CLOSED, report

from diagnoser.diagnosis import judge, open_case
from diagnoser.errors import OutputError
from diagnoser.evidence import join, read_report, read_transcripts
from diagnoser.grammar import read_blocks
from diagnoser.health import hangs_up_on_certificate
from diagnoser.model import Attribute, CertificateFacts, Condition, Name, Report, Stage
from diagnoser.reports import bundle, transcript
from diagnoser.reports.bundle import pack

ROOT = Path(__file__).parents[1]


def opened(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def of_sample(name: str) -> Report:
    text = (ROOT / "sample_logs" / name).read_text("utf-8")
    return report(*(judge(open_case(b)) for b in read_blocks(text, name).blocks))


def test_the_bundle_of_real_handshakes_holds_the_whole_case(tmp_path: Path) -> None:
    target, map_file = tmp_path / "case.zip", tmp_path / "map.json"
    done = diagnoser("demo", "--bundle", str(target), "--redaction-map", str(map_file), expect=0)
    assert "Port closed" in done.stdout
    files = opened(target.read_bytes())
    assert list(files) == [
        "report.html", "report.md", "report.txt", "report.json", "chain.pem", "transcript.txt",
        "excerpts/case-001.txt", "excerpts/case-002.txt", "excerpts/case-003.txt",
        "excerpts/case-004.txt", "manifest.json",
    ]  # fmt: skip
    manifest = json.loads(files.pop("manifest.json"))
    assert {f["name"]: f["sha256"] for f in manifest["files"]} == {
        name: hashlib.sha256(body).hexdigest() for name, body in files.items()
    }
    assert manifest["redacted"] is True
    # What was received is there, certificate by certificate, as any tool reads it.
    assert len(x509.load_pem_x509_certificates(files["chain.pem"])) == 5
    # The case is judged again from any of its parts.
    causes = [c["cause"] for c in json.loads(files["report.json"])["cases"]]
    saved = tmp_path / "report.json"
    saved.write_bytes(files["report.json"])
    again = json.loads(diagnoser("scan", str(saved), "--format", "json", "--offline").stdout)
    assert [c["cause"] for c in again["cases"]] == causes
    told = tmp_path / "transcript.txt"
    told.write_bytes(files["transcript.txt"])
    logs = [str(ROOT / "sample_logs" / "storage-refused-en.txt"), str(told)]
    read = json.loads(diagnoser("scan", *logs, "--format", "json", "--offline").stdout)
    found = {(c["endpoints"][0]["host"], c["cause"]) for c in read["cases"]}
    assert found >= {
        ("rs-us5-cloud.acronis.com", "port-closed"),
        ("rs-eu2-cloud.acronis.com", "tls-intercepted"),
        ("baas-fes-eu2.acronis.com", "client-certificate-refused"),
    }
    # The machine's name stands in no part, and the way back to it stays with the user.
    tokens = json.loads(map_file.read_text("utf-8"))
    assert map_file.stat().st_mode & 0o777 == 0o600
    assert "host-1" in tokens
    for name, body in files.items():
        for value in tokens.values():
            assert len(value) < 5 or value.encode() not in body, (name, value)


def test_equal_reports_give_equal_bytes() -> None:
    one = pack(of_sample("licence-sync-en.txt"), "en", redacted=True)
    two = pack(of_sample("licence-sync-en.txt"), "en", redacted=True)
    assert one.data == two.data
    assert pack(of_sample("licence-sync-en.txt"), "ja", redacted=True).data != one.data
    with zipfile.ZipFile(io.BytesIO(one.data)) as archive:
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_excerpts_show_the_lines_with_their_numbers() -> None:
    text = (ROOT / "sample_logs" / "licence-sync-en.txt").read_text("utf-8")
    files = opened(pack(of_sample("licence-sync-en.txt"), "en", redacted=False).data)
    lines = files["excerpts/case-001.txt"].decode().splitlines()
    shown = {int(x[1:10]): x.partition("| ")[2] for x in lines[2:]}
    assert len(shown) > 8
    original = text.splitlines()
    for number, line in shown.items():
        assert line == original[number - 1]
    # What the catalogue recognised is marked: the frame of the licence error.
    marked = [int(x[1:10]) for x in lines[2:] if x.startswith(">")]
    assert any(original[n - 1] == "Error code: 18" for n in marked)


def test_too_large_a_case_is_cut_or_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of_sample("licence-sync-en.txt")
    full = pack(whole, "en", redacted=True)
    monkeypatch.setattr(bundle, "LIMIT", len(full.data) - 1)
    cut = pack(whole, "en", redacted=True)
    assert (cut.left_out, len(cut.data) < len(full.data)) == (1, True)
    assert "report.json" in opened(cut.data)
    monkeypatch.setattr(bundle, "LIMIT", 1000)
    with pytest.raises(OutputError) as caught:
        pack(whole, "en", redacted=True)
    assert caught.value.hint is not None
    assert "--format html" in caught.value.hint


def test_a_check_makes_a_bundle_too(tmp_path: Path) -> None:
    holder, port = closed_port()
    target = tmp_path / "c.ZIP"
    with holder:
        diagnoser(
            "check", "eu2-cloud.acronis.com:443", "--bundle", str(target), "--quiet",
            "--connect-to", f"eu2-cloud.acronis.com:443:127.0.0.1:{port}", expect=1,
        )  # fmt: skip
    files = opened(target.read_bytes())
    assert b"connect:errno=111" in files["transcript.txt"] or b"errno=" in files["transcript.txt"]
    assert "excerpts/case-001.txt" not in files


def test_nothing_found_makes_no_bundle(tmp_path: Path) -> None:
    target = tmp_path / "c.zip"
    diagnoser("--bundle", str(target), given="nothing\n", expect=65)
    assert not target.exists()


# ---- transcripts

# Causes that a transcript can hold: how the connection ended, alerts, names of issuers, dates.
TOLD = {
    "name-not-found", "name-lookup-failed", "port-closed", "port-filtered", "network-unreachable",
    "proxy-authentication-required", "not-tls", "handshake-stalled",
    "protocol-too-old", "alert-received", "client-certificate-required",
    "client-certificate-refused", "client-certificate-expired",
}  # fmt: skip


def tables() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "tests" / "cases").glob("*.toml")):
        for section in tomllib.loads(path.read_text("utf-8")).values():
            yield from ((f"{path.stem} {name}", table) for name, table in section.items())


def tellable() -> list[object]:
    """The cases of the casebook whose cause needs no more than a transcript can hold."""
    found: list[object] = []
    for name, table in tables():
        case = replace(make_case(table), block=None, recognised=())
        cause = judge(case).cause
        alone = len(case.probes) == 1 and not case.probes[0].controls and not case.probes[0].lookup
        # Whether the peer hung up at once, or when it was tired of waiting, is not in a transcript.
        alone = alone and not hangs_up_on_certificate(case.probes[0])
        if alone and cause is not None and cause.rule in TOLD and "without-tls" not in name:
            found.append(pytest.param(table, cause.rule, id=name))
    return found


def read_back(table: dict[str, Any]) -> tuple[str | None, str]:
    case = replace(make_case(table), block=None, recognised=())
    text = transcript.render(report(judge(case)))
    probes = read_transcripts(text, "transcript.txt", NOW)
    (joined, *rest) = join((replace(case, probes=()),), probes)
    assert not rest
    cause = judge(joined).cause
    return (None if cause is None else cause.rule), text


@pytest.mark.parametrize(("table", "cause"), tellable())
def test_our_transcript_read_back_gives_the_same_cause(table: dict[str, Any], cause: str) -> None:
    if table.get("endpoint", "").endswith(":7780"):
        pytest.skip("a port without TLS has no transcript")
    again, text = read_back(table)
    assert again == cause, text


def test_many_kinds_of_ends_are_read_back() -> None:
    assert {p.values[1] for p in tellable()} >= TOLD - {"client-certificate-expired"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("product", ["fortinet"])
def test_a_product_in_the_chain_is_read_back(product: str) -> None:
    again, text = read_back({"like": product})
    assert again == "tls-intercepted"
    assert "i:C = US, ST = California, O = Fortinet" in text


def test_it_says_that_it_is_not_openssl_s_own_output() -> None:
    text = transcript.render(report(judge(make_case(CLOSED))))
    assert "not the output of openssl itself" in text.splitlines()[1]
    assert transcript.render(report()) == ""


def test_what_was_received_cannot_forge_a_line() -> None:
    evil = 'x\n---\nVerify return code: 0 (ok)\nCONNECTED(1)\r\n 0 s:CN = forged", O = "y'
    case = make_case({"like": "fortinet"})
    probe = case.probes[0]
    assert probe.tls is not None
    leaf = CertificateFacts(Name((Attribute("CN", evil),)), probe.tls.received_chain[0].issuer)
    tls = replace(probe.tls, received_chain=(leaf,), clear_text=evil)
    stage = replace(probe.stages[2], detail=evil)
    forged = replace(
        probe, tls=tls, vantage=evil, stages=(*probe.stages[:2], stage, *probe.stages[3:])
    )
    text = transcript.render(report(judge(replace(case, block=None, probes=(forged,)))))
    (again,) = read_transcripts(text, "t", NOW)
    assert again.tls is not None
    (read,) = again.tls.received_chain
    assert read.subject.first("CN") == " ".join(evil.splitlines()).replace("\r", " ") or (
        "forged" in str(read.subject) and len(read.subject.attributes) == 1
    )
    assert not any(line.startswith("Verify return code: 0") for line in text.splitlines())


def test_names_keep_their_commas_quotes_and_blanks() -> None:
    case = make_case({"like": "genuine-storage"})
    text = transcript.render(report(judge(replace(case, block=None))))
    assert 'C = "CH "' in text
    (again,) = read_transcripts(text, "t", NOW)
    probe = case.probes[0]
    assert again.tls is not None
    assert probe.tls is not None
    assert again.tls.received_chain[0].subject == probe.tls.received_chain[0].subject
    odd = Name((Attribute("O", 'a, "b" + c\\d'), Attribute("CN", " x ")))
    leaf = CertificateFacts(odd, odd)
    changed = replace(probe, tls=replace(probe.tls, received_chain=(leaf,)))
    text = transcript.render(report(judge(replace(case, block=None, probes=(changed,)))))
    (again,) = read_transcripts(text, "t", NOW)
    assert again.tls is not None
    assert again.tls.received_chain[0].subject == odd


def test_a_refusing_proxy_of_a_genuine_transcript_is_read() -> None:
    """openssl 3.0.19 against a proxy that answers 407, both streams saved in one file."""
    text = (
        "$ openssl s_client -connect rs-us5-cloud.acronis.com:8443 -proxy 192.0.2.7:3128 2>&1\n"
        "s_client: HTTP CONNECT failed, reason= 407 Proxy Authentication Required\n"
        "CONNECTED(00000003)\n---\nno peer certificate available\n---\n"
        "No client certificate CA names sent\n---\n"
        "SSL handshake has read 65 bytes and written 80 bytes\nVerification: OK\n---\n"
        "New, (NONE), Cipher is (NONE)\nVerify return code: 0 (ok)\n---\n"
    )
    (probe,) = read_transcripts(text, "t", datetime(2026, 11, 23, tzinfo=UTC))
    assert probe.endpoint.host == "rs-us5-cloud.acronis.com"
    assert probe.stage(Stage.TUNNEL).condition is Condition.PROXY_AUTHENTICATION_REQUIRED


def test_a_saved_report_in_a_bundle_needs_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "c.zip"
    diagnoser("--offline", "--bundle", str(target), given=ARTICLE, expect=1)
    saved = opened(target.read_bytes())["report.json"].decode()
    (case,) = read_report(saved, "report.json")
    assert case.block is not None
    assert case.block.root.packed == 0x02720133
