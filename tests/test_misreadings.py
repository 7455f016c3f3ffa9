"""What is no error text is told by what it is, with the command that fits it."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from test_cli import ARTICLE, diagnoser

SAMPLES = Path(__file__).parents[1] / "sample_logs"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("error.txt", ARTICLE)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [gzip.compress(ARTICLE.encode()), zipped()])
def test_a_packed_file_on_stdin_is_read(data: bytes) -> None:
    done = diagnoser("--offline", given=data, expect=1)
    assert "626/307" in done.stdout


def test_binary_data_is_called_so(tmp_path: Path) -> None:
    data = b"\x7fELF\x02\x01\x01\x03" + bytes(range(256)) * 20
    program = tmp_path / "ls"
    program.write_bytes(data)
    for done in (
        diagnoser("--offline", given=data, expect=65),
        diagnoser("--offline", "scan", str(program), expect=65),
    ):
        assert "binary data" in done.stderr
        assert "^" not in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "shift-jis"])
def test_a_text_without_an_error_is_no_binary_data(encoding: str) -> None:
    text = "日付 情報\n" if encoding == "shift-jis" else "Prüfung läuft\n"
    done = diagnoser("--offline", given=(text * 50).encode(encoding), expect=65)
    assert "binary" not in done.stderr


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("626/307", "explain 626/307"),
        ("0x02720133\n", "explain 0x02720133"),
        ("E02720133", "explain E02720133"),
        ("Error 0x2720133", "explain 0x2720133"),
        ("alert:48", "explain alert:48"),
        ("Archive validation: Error 0xa1006e: Failed to validate archive 'a'.", "explain 0xa1006e"),
        ("It says:\ncode: 44,695,553(0x02AA0001)\nWhat is it?", "explain 0x02AA0001"),
        ("Windows error (0x80070701) the users account has expired", "explain 0x80070701"),
        ("curl: (60) SSL certificate problem: unable to get issuer\nMore: x", "explain curl:60"),
    ],
)
def test_what_explain_knows_is_pointed_there(text: str, command: str) -> None:
    done = diagnoser(given=text, expect=65)
    assert f"hint: diagnoser {command} says what it means" in done.stderr
    diagnoser(*command.split(), expect=0)


@pytest.mark.parametrize("text", ["hello", "12:30 all done", "26/11 was a day\nand 626/307 too"])
def test_other_words_are_no_number(text: str) -> None:
    done = diagnoser(given=text, expect=65)
    assert "diagnoser explain" not in done.stderr


def test_entries_of_information_are_called_so() -> None:
    done = diagnoser("--offline", given=(SAMPLES / "piped-info-only.log").read_bytes(), expect=65)
    assert "an entry of information, no error" in done.stderr
    assert "expected" not in done.stderr


def test_an_empty_log_is_just_empty(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    log.write_bytes(b"")
    done = diagnoser("--offline", "scan", str(log), expect=66)
    assert "stderr was not saved" not in done.stderr
    assert "is empty" in done.stderr
    assert "hint: of a log, give the folder" in done.stderr
