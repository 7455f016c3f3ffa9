"""The command as a user runs it: a real process, its streams and its exit status."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
ARTICLE = """\
エラーコード: 307
モジュール: 626
行情報: 0x50e61e3e2e723ba3
フィールド: {"$file":"d:\\\\1737\\\\core\\
network\\\\astorage\\\\reg_server\\\\lib\\\\ssl_connection.cpp","address":"rs-ca01-cloud.acronis.com",\
"$module":"isk_bundle_vsa64_26986","$line":"158","port":"8443",\
"$func":"AStorage::RegServer::SslConnection::Execute"}
メッセージ: Could not perform SSL_write() call:
ネットワークのトレースを行うユーティリティを使用する場合、ポートをチェックしてください。
"""


def diagnoser(
    *arguments: str, given: str | bytes = "", expect: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "LANG": "C.UTF-8", **environment},
    )
    shown = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
    if expect is not None:
        assert done.returncode == expect, shown
    assert "Traceback" not in shown.stderr
    return shown


def closed_port() -> tuple[socket.socket, int]:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


def test_the_block_of_the_article_against_a_closed_port() -> None:
    holder, port = closed_port()
    with holder:
        done = diagnoser(
            "--format", "json",
            "--connect-to", f"rs-ca01-cloud.acronis.com:8443:127.0.0.1:{port}",
            given=ARTICLE, expect=1,
        )  # fmt: skip
    document = json.loads(done.stdout)
    assert len(document["cases"]) == 1
    case = document["cases"][0]
    frame = case["block"]["frames"][-1]
    assert (frame["module"], frame["code"], frame["packed"]) == (626, 307, "0x02720133")
    endpoint = case["endpoints"][0]
    assert (endpoint["host"], endpoint["port"]) == ("rs-ca01-cloud.acronis.com", 8443)
    assert (case["cause"], case["category"], case["standing"]) == (
        "port-closed",
        "closed-port",
        "applies",
    )


def test_the_report_follows_the_language_of_the_block() -> None:
    assert "対処方法" in diagnoser("--offline", given=ARTICLE).stdout
    english = diagnoser("--offline", "--lang", "en", given=ARTICLE).stdout
    assert "What to do" in english
    assert "対処方法" not in english


def test_offline_contacts_nothing_and_claims_nothing() -> None:
    document = json.loads(
        diagnoser("--offline", "--format", "json", given=ARTICLE, expect=1).stdout
    )
    case = document["cases"][0]
    assert case["standing"] == "suspected"
    assert all(e["probe"] is None for e in case["endpoints"])
    assert all(v["standing"] != "applies" for v in case["verdicts"])


def test_a_log_cannot_make_it_scan_a_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        given = f'Error code: 1\nModule: 3\nFields: {{"address":"127.0.0.2","port":"{port}"}}\n'
        given += f"Message: Could not connect to 'https://host.example.net:{port}/'\n"
        done = diagnoser("--format", "json", given=given)
        with pytest.raises(TimeoutError):
            server.accept()
    document = json.loads(done.stdout)
    assert all(e["probe"] is None for c in document["cases"] for e in c["endpoints"])
    assert any("host.example.net" in s["source"] + s["reason"] for s in document["skipped"])


def test_an_allowed_host_is_probed() -> None:
    holder, port = closed_port()
    with holder:
        given = f"Error code: 1\nModule: 3\nFields: {{}}\nMessage: 'https://localhost.example:{port}/'\n"
        done = diagnoser(
            "--format", "json", "--allow", "localhost.example",
            "--connect-to", f":{port}:127.0.0.1:{port}", given=given, expect=1,
        )  # fmt: skip
    assert json.loads(done.stdout)["cases"][0]["cause"] == "port-closed"


@pytest.mark.parametrize(
    ("arguments", "given", "status", "message"),
    [
        ((), "", 66, "empty"),
        ((), "nothing of interest\n", 65, "expected"),
        (("scan", "no/such/file"), "", 66, "no/such/file"),
        (("--timeout", "never"), "", 2, "timeout"),
        (("--connect-to", "nonsense"), ARTICLE, 2, "HOST:PORT:ADDRESS:PORT"),
        (("--proxy", "ftp://u:Secret1@x"), ARTICLE, 2, "proxy"),
        (("--client-cert", "no.crt"), ARTICLE, 2, "no.crt"),
        (("--ca-file", "no.pem"), ARTICLE, 2, "no.pem"),
        (("check", "http://x/"), "", 2, "HOST:PORT"),
        (("check", "host.example"), "", 2, "host.example:443"),
        (("explain", "no-such-cause"), "", 2, "no-such-cause"),
        (("--offline", "--output", "no/such/folder/r.txt"), ARTICLE, 74, "could not be written"),
    ],
)
def test_misuse_and_bad_input_say_what_to_do(
    arguments: tuple[str, ...], given: str, status: int, message: str
) -> None:
    done = diagnoser(*arguments, given=given, expect=status)
    assert message.lower() in done.stderr.lower()
    assert "Secret1" not in done.stderr
    assert done.stdout == ""


def test_a_syntax_error_shows_place_line_and_caret() -> None:
    done = diagnoser("--offline", given="Error code: 307\nModule: 30x9\nLineInfo: 0x1\n", expect=65)
    assert re.search(r"stdin:2:\d+: expected ", done.stderr)
    lines = done.stderr.splitlines()
    caret = next(n for n, x in enumerate(lines) if x.strip() == "^")
    assert "Module: 30x9" in lines[caret - 1]
    assert lines[caret - 1][lines[caret].index("^")] in "30x9"


def test_json_stays_json_when_nothing_is_found() -> None:
    done = diagnoser("--format", "json", given="nothing\n", expect=65)
    assert json.loads(done.stdout)["cases"] == []


def test_terminal_escapes_in_a_log_are_written_out() -> None:
    given = "Error code: 307\nModule: 626\nFields: {}\nMessage: \x1b]0;owned\x07\x1b[2Jx\x9b1m\n"
    for form in ("text", "json", "markdown"):
        done = diagnoser("--offline", "--format", form, given=given)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout)
        assert "owned" in done.stdout


@pytest.mark.parametrize("junk", [b"\x00" * 5000, b"\xff\xfe\x00", bytes(range(256)) * 40])
def test_any_bytes_on_stdin_end_well(junk: bytes) -> None:
    done = diagnoser("--offline", given=junk)
    assert done.returncode in (1, 3, 65, 66)


def test_several_files_and_exit_zero(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(ARTICLE.replace("rs-ca01", "rs-us5"), "utf-8")
    first = tmp_path / "first.txt"
    first.write_text(ARTICLE, "utf-8")
    done = diagnoser(
        "scan", str(first), str(other), "--offline", "--format", "json", "--exit-zero", expect=0
    )
    hosts = [c["endpoints"][0]["host"] for c in json.loads(done.stdout)["cases"]]
    assert hosts == ["rs-ca01-cloud.acronis.com", "rs-us5-cloud.acronis.com"]


def test_the_same_error_in_two_files_is_one_case_counted(tmp_path: Path) -> None:
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file in files:
        file.write_text(ARTICLE, "utf-8")
    done = diagnoser("scan", *map(str, files), "--offline", "--format", "json")
    assert [c["count"] for c in json.loads(done.stdout)["cases"]] == [2]


def test_output_goes_whole_to_the_file_and_stdout_stays_empty(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = diagnoser("--offline", "--format", "json", "--output", str(target), given=ARTICLE)
    assert done.stdout == ""
    assert json.loads(target.read_text("utf-8"))["schema"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


PRIVATE = """\
Error code: 18
Module: 657
Fields: {"machineName":"zqws-014","host":"zqmail.zqcorp.lan","userName":"zqjane"}
Message: Failed for user 'zqjane' on https://zqmail.zqcorp.lan:8443/ (198.51.100.9)
"""
NAMES = ("zqws-014", "zqmail", "zqcorp", "zqjane", "198.51.100.9")


def test_names_stay_on_the_terminal_and_leave_no_file(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    shown = diagnoser("--offline", given=PRIVATE).stdout
    assert all(n in shown for n in NAMES if n != "zqws-014")
    diagnoser("--offline", "--format", "json", "--output", str(target), given=PRIVATE)
    written = target.read_text("utf-8")
    assert not any(n in written for n in NAMES)
    assert re.search(r"host-\d\.domain-1\.redacted", written)


def test_redaction_does_as_it_is_told(tmp_path: Path) -> None:
    target = tmp_path / "r.txt"
    shown = diagnoser("--offline", "--redact", given=PRIVATE).stdout
    assert not any(n in shown for n in NAMES)
    diagnoser("--offline", "--no-redact", "--output", str(target), given=PRIVATE)
    assert "zqmail.zqcorp.lan" in target.read_text("utf-8")
    given = PRIVATE.replace("Failed", "Failed: password=Hunter2Hunter2")
    assert "Hunter2" not in diagnoser("--offline", "--no-redact", given=given).stdout


def test_the_bundle_is_redacted_while_the_terminal_is_not(tmp_path: Path) -> None:
    target, names = tmp_path / "c.zip", tmp_path / "map.json"
    done = diagnoser(
        "--offline", "--bundle", str(target), "--redaction-map", str(names), given=PRIVATE
    )
    assert "zqmail.zqcorp.lan" in done.stdout
    with zipfile.ZipFile(target) as archive:
        for name in archive.namelist():
            body = archive.read(name).decode()
            assert not any(n in body for n in NAMES), name
    tokens = json.loads(names.read_text("utf-8"))
    assert tokens["user-1"] == "zqjane"
    (whole,) = (t for t, name in tokens.items() if name == "zqmail.zqcorp.lan")
    assert re.fullmatch(r"host-\d\.domain-1\.redacted", whole)
    if os.name == "posix":
        assert names.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.zip", "map.json"]


def test_a_redacted_report_scanned_again_tells_the_same(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    diagnoser("--offline", "--format", "json", "--output", str(target), given=PRIVATE)
    first = json.loads(target.read_text("utf-8"))
    again = json.loads(diagnoser("scan", str(target), "--offline", "--format", "json").stdout)
    assert [c["cause"] for c in again["cases"]] == [c["cause"] for c in first["cases"]]
    assert again["cases"][0]["block"]["frames"] == first["cases"][0]["block"]["frames"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_link_and_a_pipe_are_written_through_not_replaced(tmp_path: Path) -> None:
    """As root, ``-o /dev/stdout`` must not make a file of it."""
    kept = tmp_path / "kept.txt"
    kept.write_text("old", "utf-8")
    link = tmp_path / "link"
    link.symlink_to(kept)
    diagnoser("--offline", "--quiet", "--output", str(link), given=ARTICLE)
    assert link.is_symlink()
    assert "626/307" in kept.read_text("utf-8")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        diagnoser("--offline", "--quiet", "--output", str(pipe), given=ARTICLE)
        assert pipe.is_fifo()
        assert reader.stdout is not None
        assert "626/307" in reader.stdout.read()


def test_nothing_is_written_over_an_input_or_another_output(tmp_path: Path) -> None:
    log = tmp_path / "error.txt"
    log.write_text(PRIVATE, "utf-8")
    target = tmp_path / "r.zip"
    for arguments in (
        ("--redact", "--redaction-map", str(log)),
        ("--output", str(log)),
        ("--bundle", str(target), "--redaction-map", str(target)),
        ("--output", str(target), "--bundle", str(target)),
        ("--bundle", str(tmp_path / "case.rar")),
        ("--redaction-map", str(tmp_path / "m.json")),
    ):
        done = diagnoser("scan", str(log), "--offline", *arguments, expect=2)
        assert "hint:" in done.stderr
        assert done.stdout == ""
    # Within a folder that is scanned, a file that is there already is an input too.
    diagnoser("scan", str(tmp_path), "--offline", "--output", str(log), expect=2)
    assert log.read_text("utf-8") == PRIVATE
    assert [p.name for p in tmp_path.iterdir()] == ["error.txt"]


def test_stdout_carries_one_object_a_case_for_pipelines() -> None:
    done = diagnoser("--offline", "--format", "ndjson", given=ARTICLE, expect=1)
    (line,) = done.stdout.splitlines()
    shown = json.loads(line)
    assert shown["error"]["code"] == "626/307"
    assert shown["destination"] == {
        "address": "rs-ca01-cloud.acronis.com",
        "domain": "rs-ca01-cloud.acronis.com",
        "port": 8443,
    }
    assert diagnoser("--format", "ndjson", given="nothing\n", expect=65).stdout == ""


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv=['diagnoser', sys.argv[1]]\n"
        "from diagnoser.cli import run\n"
        "try: run()\n"
        "except SystemExit as e: assert e.code == 0\n"
        "heavy = {'pyparsing','cryptography','OpenSSL','asyncio','ssl','pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, option],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        assert "diagnoser" in done.stdout.lower()


def test_explain_knows_causes_and_every_rendering_of_a_code() -> None:
    assert "Decided by" in diagnoser("explain", "tls-intercepted", expect=0).stdout
    pages = {
        diagnoser("explain", code, expect=0).stdout
        for code in ("626/307", "0x02720133", "E02720133", "2720133h", "41025843")
    }
    pages.add(diagnoser("explain", "307", "626", expect=0).stdout)
    assert len(pages) == 1
    assert "registration server" in pages.pop()
    table = diagnoser("explain", expect=0).stdout
    assert "licence-out-of-sync" in table


def test_the_demo_shows_the_three_verdicts_with_real_handshakes() -> None:
    begin = time.monotonic()
    done = diagnoser("demo", "--format", "json", expect=0)
    spent = time.monotonic() - begin
    cases = json.loads(done.stdout)["cases"]
    told = [(c["cause"], c["category"], c["standing"]) for c in cases]
    assert told == [
        ("port-closed", "closed-port", "applies"),
        ("tls-intercepted", "mitm-certificate", "applies"),
        ("licence-out-of-sync", "licence-sync", "applies"),
        ("client-certificate-refused", "client-certificate", "applies"),
    ]
    minted = cases[1]["endpoints"][0]["probe"]["controls"][0]
    assert minted["question"] in minted["certificate"]["dns_names"]
    alert = cases[3]["endpoints"][0]["probe"]["tls"]["alert"]
    assert (alert["number"], alert["direction"]) == (48, "received")
    # A promise of the README, with room for a busy machine; the benchmark measures it.
    assert spent < 15


def test_a_closed_pipe_is_no_crash() -> None:
    done = subprocess.run(
        f"{sys.executable} -m diagnoser demo --quiet | head -n 1",
        shell=True, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_licence_message_over_a_closed_port_is_a_closed_port() -> None:
    holder, port = closed_port()
    with holder:
        done = diagnoser(
            "sample_logs/licence-sync-en.txt", "--format", "json",
            "--connect-to", f"eu2-cloud.acronis.com:443:127.0.0.1:{port}",
            "--connect-to", f"eu2-cloud.acronis.com:8443:127.0.0.1:{port}",
            expect=1,
        )  # fmt: skip
    case = json.loads(done.stdout)["cases"][0]
    assert (case["cause"], case["category"], case["symptom"]) == (
        "port-closed",
        "closed-port",
        "licence-sync",
    )
    standing = {v["rule"]: v["standing"] for v in case["verdicts"]}
    assert standing["licence-out-of-sync"] == "undecided"
