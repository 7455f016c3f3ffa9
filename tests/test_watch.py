"""``diagnoser watch``: logs as they are written and rotated, watched by a real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from diagnoser.errors import InputError
from diagnoser.reading import following
from diagnoser.reading.following import Follower

ROOT = Path(__file__).parents[1]
BLOCK = """\
Error code: 307
Module: 626
LineInfo: 0x50e61e3e2e723ba3
Fields: {{"$module":"isk_bundle_vsa64_26986","address":"{host}","port":"8443"}}
Message: Could not perform SSL_write() call:
2026-11-24 09:00:01 agent goes on, next attempt in 60 seconds
"""
BANNER = "2026-11-24 09:00:00 agent started, version 26.2.41700, build of the day, log opened\n"


def block(host: str) -> str:
    return BLOCK.format(host=host)


def gained(follower: Follower) -> list[tuple[str, int, bytes]]:
    return [(Path(g.path).name, g.line, g.data) for g in follower.look()]


# The follower.


def test_what_was_there_is_not_new_but_counts_as_lines(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    log.write_text("old 1\nold 2\n")
    follower = Follower(str(tmp_path))
    assert gained(follower) == []
    with log.open("a") as file:
        file.write("new\n")
    assert gained(follower) == [("mms.0.log", 3, b"new\n")]
    assert gained(follower) == []


def test_from_the_start_everything_is_new(tmp_path: Path) -> None:
    (tmp_path / "mms.0.log").write_text("old 1\nold 2\n")
    assert gained(Follower(str(tmp_path), from_start=True)) == [("mms.0.log", 1, b"old 1\nold 2\n")]


def test_a_new_file_is_read_from_its_start(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path))
    assert gained(follower) == []
    (tmp_path / "aakore.log").write_text("first\n")
    assert gained(follower) == [("aakore.log", 1, b"first\n")]


def test_renamed_and_created_anew_loses_and_repeats_nothing(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    log.write_text(BANNER)
    follower = Follower(str(tmp_path), from_start=True)
    gained(follower)
    with log.open("a") as file:
        file.write("last words\n")
    log.rename(tmp_path / "mms.1.log")
    log.write_text("fresh\n")
    assert sorted(gained(follower)) == [
        ("mms.0.log", 1, b"fresh\n"),
        ("mms.1.log", 2, b"last words\n"),
    ]


def test_copied_and_cut_back_loses_and_repeats_nothing(tmp_path: Path) -> None:
    # The copy sorts before and after the log that it was made of.
    for copy in ("a.log", "z.log"):
        home = tmp_path / copy[0]
        home.mkdir()
        log = home / "mms.log"
        log.write_text(BANNER + "one\n")
        follower = Follower(str(home), from_start=True)
        gained(follower)
        with log.open("a") as file:
            file.write("two\n")
        shutil.copyfile(log, home / copy)
        with log.open("r+") as file:
            file.truncate()
            file.write("three\n")
        assert sorted(gained(follower), reverse=copy == "z.log") == sorted(
            [(copy, 3, b"two\n"), ("mms.log", 1, b"three\n")], reverse=copy == "z.log"
        )


def test_two_logs_with_the_same_banner_are_two_logs(tmp_path: Path) -> None:
    banner = BANNER * 10
    (tmp_path / "a.log").write_text(banner + "of a: something that was read\n")
    follower = Follower(str(tmp_path), from_start=True)
    gained(follower)
    (tmp_path / "b.log").write_text(banner + "of b: other things, and more of them than in a\n")
    assert gained(follower)[0][:2] == ("b.log", 1)


def test_cut_back_and_grown_past_where_it_was_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "mms.log"
    log.write_text("short\n")
    follower = Follower(str(tmp_path), from_start=True)
    gained(follower)
    log.write_text("much longer than before\nand more\n")
    assert gained(follower) == [("mms.log", 1, b"much longer than before\nand more\n")]


def test_a_line_waits_for_its_end_unless_none_comes(tmp_path: Path) -> None:
    log = tmp_path / "mms.log"
    log.write_text("whole\nhal")
    follower = Follower(str(tmp_path), from_start=True)
    assert gained(follower) == [("mms.log", 1, b"whole\n")]
    with log.open("a") as file:
        file.write("f\nlast")
    assert gained(follower) == [("mms.log", 2, b"half\n")]
    assert gained(follower) == [("mms.log", 3, b"last")]
    assert gained(follower) == []


def test_utf16_is_never_cut_within_a_letter(tmp_path: Path) -> None:
    log = tmp_path / "mms.log"
    # U+0A00 and U+000A U+0A41: bytes of a line feed that are none.
    text = "ポート\u0a00\u0a41\n"
    log.write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    follower = Follower(str(tmp_path), from_start=True)
    assert gained(follower)[0][2].decode("utf-16") == text
    with log.open("ab") as file:
        file.write("次\n途中".encode("utf-16-le"))
    assert gained(follower)[0][2].decode("utf-16") == "次\n"


def test_packed_rotations_are_not_read_again(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path))
    gained(follower)
    (tmp_path / "mms.1.log.gz").write_bytes(b"\x1f\x8b" + b"x" * 100)
    assert gained(follower) == []


def test_memory_is_bounded_whatever_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_AT_ONCE", 1000)
    (tmp_path / "big.log").write_text("x" * 2500 + "\nend\n")
    follower = Follower(str(tmp_path), from_start=True)
    pieces = [gained(follower)[0][2] for _ in range(3)]
    assert [len(p) for p in pieces] == [1000, 1000, 505]


def test_no_directory_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(Follower(str(tmp_path / "none")).look())
    assert "no such directory" in str(caught.value)
    assert caught.value.hint


# The command.


class Watcher:
    """A running ``diagnoser watch``; what it prints is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.messages: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream, target), daemon=True)
            for stream, target in ((process.stdout, self.lines), (process.stderr, self.messages))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: IO[str], target: list[str]) -> None:
        with stream:
            target.extend(iter(stream.readline, ""))

    def finish(self) -> None:
        """Kill what still runs, and read to the end what it printed."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(10)

    def wait(self, lines: int, seconds: float = 20.0) -> list[str]:
        """Wait until so many lines were printed."""
        self._until(lambda: len(self.lines) >= lines, seconds)
        return self.lines

    def wait_message(self, part: str) -> None:
        """Wait until a message on stderr holds ``part``."""
        self._until(lambda: any(part in m for m in self.messages), 20.0)

    def _until(self, met: object, seconds: float) -> None:
        assert callable(met)
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline, (self.lines, self.messages)
            assert self.process.poll() is None, self.messages
            time.sleep(0.02)

    def rest(self, looks: int = 4) -> None:
        """Give it time for some looks in which nothing should happen."""
        time.sleep(looks * 0.1)

    def end(self, number: int = signal.SIGINT) -> int:
        """Interrupt it as Ctrl-C does; returns the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.finish()
        return status


@contextmanager
def watching(directory: Path, *options: str) -> Iterator[Watcher]:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "diagnoser", "watch", str(directory), "--offline",
            "--interval", "0.1", "--lang", "en", *options,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    watcher = Watcher(process)
    try:
        watcher.wait_message("watching")
        yield watcher
    finally:
        watcher.finish()


def test_each_new_error_is_told_once_through_both_kinds_of_rotation(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    log.write_text(BANNER + block("rs-us4-cloud.acronis.com"))
    with watching(tmp_path) as watcher:
        assert f"watching 1 file in {tmp_path};" in watcher.messages[-1]
        with log.open("a") as file:
            file.write(block("rs-eu3-cloud.acronis.com"))
        assert "rs-eu3-cloud.acronis.com:8443" in watcher.wait(1)[0]
        assert f"[{log}:8]" in watcher.lines[0]
        log.rename(tmp_path / "mms.1.log")
        log.write_text(BANNER + block("rs-eu3-cloud.acronis.com"))
        with log.open("a") as file:
            file.write(block("rs-ca2-cloud.acronis.com"))
        assert "rs-ca2-cloud.acronis.com:8443" in watcher.wait(2)[1]
        shutil.copyfile(log, tmp_path / "mms.0.log.copy")
        os.truncate(log, 0)
        with log.open("a") as file:
            file.write(block("rs-au1-cloud.acronis.com"))
        assert "rs-au1-cloud.acronis.com:8443" in watcher.wait(3)[2]
        watcher.rest()
        assert watcher.end() == 1
        assert len(watcher.lines) == 3
        assert "us4" not in "".join(watcher.lines)
        assert "4 errors, 3 distinct, 3 with a fault" in watcher.messages[-1]


def test_a_block_that_is_written_in_pieces_is_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    text = block("rs-eu3-cloud.acronis.com")
    at = text.index('"address"')
    with watching(tmp_path, "--format", "ndjson") as watcher:
        with log.open("w") as file:
            for piece in (text[: at - 20], text[at - 20 : at + 30], text[at + 30 :]):
                file.write(piece)
                file.flush()
                time.sleep(0.05)
        case = json.loads(watcher.wait(1)[0])
        assert case["destination"]["domain"] == "rs-eu3-cloud.acronis.com"
        assert case["destination"]["port"] == 8443
        watcher.rest()
        assert len(watcher.lines) == 1
        assert watcher.end(signal.SIGTERM) == 1


def test_a_command_gets_the_case_on_stdin_and_its_arguments_as_written(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    logs.mkdir()
    out.mkdir()
    program = out / "notify.py"
    program.write_text(
        "import json, pathlib, sys\n"
        "case = json.load(sys.stdin)\n"
        f"pathlib.Path({str(out)!r}, 'told').write_text("
        "json.dumps([sys.argv[1:], case['cases'][0]['endpoints'][0]['host']]))\n"
        "print('told')\n"
    )
    command = f"{sys.executable} {program} 'two words' $(touch {out}/shell) '; touch x' *"
    with watching(logs, "--exec", command) as watcher:
        (logs / "mms.log").write_text(block("rs-eu3-cloud.acronis.com"))
        watcher.wait(1)
        watcher.wait_message("told")
        watcher.end()
        assert watcher.lines[0].count("\n") == 1
        assert "told" not in "".join(watcher.lines)
    arguments, host = json.loads((out / "told").read_text())
    assert arguments == ["two words", "$(touch", f"{out}/shell)", "; touch x", "*"]
    assert host == "rs-eu3-cloud.acronis.com"
    assert not (out / "shell").exists()


def test_a_command_that_cannot_be_run_is_told_and_ends_nothing(tmp_path: Path) -> None:
    with watching(tmp_path, "--exec", "/nonexistent/notify") as watcher:
        (tmp_path / "mms.log").write_text(block("rs-eu3-cloud.acronis.com"))
        watcher.wait_message("cannot be run")
        (tmp_path / "mms.log").write_text(block("rs-ca2-cloud.acronis.com"))
        watcher.wait(2)
        assert watcher.end() == 1


def test_nothing_seen_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "mms.log").write_text(block("rs-eu3-cloud.acronis.com"))
    with watching(tmp_path) as watcher:
        watcher.rest(2)
        assert watcher.end() == 0
        assert watcher.lines == []
        assert "0 errors" in watcher.messages[-1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["none-such"], 66, "no such directory"),
        ([".", "--exec", "'open"], 2, "close the quotation mark"),
        ([".", "--exec", ""], 2, "names no program"),
        ([".", "--interval", "0"], 2, "interval"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_watched(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", "watch", "--offline", *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert said in done.stderr
