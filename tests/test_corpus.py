"""A directory with every form, encoding and archive gives exactly the errors planted in it."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpus import ERRORS_OF, compose, differences, make, samples, scanned
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.grammar import FORMS, read_blocks
from diagnoser.grammar.anchors import all_anchors, few_anchors
from diagnoser.reading.lines import LineCounter
from diagnoser.reading.locating import Island, Locator
from diagnoser.scanning import Errand, Settings, Survey, errands, join, place, plan, run
from diagnoser.scanning.masking import mask
from diagnoser.scanning.stamps import body_of

LINE = (
    "2026-11-20T10:{m:02}:00:000+01:00 {n} E02720133: Error 0x2720133: Could not perform"
    " SSL_write() call:\n| address: rs-us{k}-cloud.acronis.com\n| port: 8443\n"
)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_planted_errors_are_found_and_no_others(tmp_path: Path, jobs: str) -> None:
    planted = make(tmp_path / "logs", 3)
    assert len(planted) > 100
    assert differences(planted, scanned(tmp_path / "logs", "--jobs", jobs)) == []


def test_the_check_notices_what_is_missing_and_what_is_too_many(tmp_path: Path) -> None:
    planted = make(tmp_path / "logs", 0.1)
    assert differences(planted, planted[1:])[0].startswith("missing")
    assert differences(planted[1:], planted)[0].startswith("too many")


def test_parts_of_a_large_log_give_what_the_whole_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "mms.0.log"
    log.write_text("".join(LINE.format(m=i % 60, n=i, k=i % 9) for i in range(9000)), "utf-8")
    monkeypatch.setattr(errands, "PART", 100_000)
    size = log.stat().st_size
    parts = plan(str(log), size, 2)
    assert len(parts) > 3
    assert [p.start for p in parts[1:]] == [p.start + p.size for p in parts[:-1]]
    surveys = [(part.start, survey_of(part)) for part in parts]
    with log.open("rb") as one, log.open("rb") as other:
        joined = place(join(surveys), one)
        whole = place(survey_of(Errand(str(log), size)), other)
    assert {s for _, s in joined.sightings} == {s for _, s in whole.sightings}
    assert sum(s.count for _, s in joined.sightings) == 9000
    assert {s.block.at.line for _, s in whole.sightings} == {1 + 3 * k for k in range(9)}


# The sorts of text that the way back to offsets of the file must count right: letters of one, two,
# three and four bytes; half a pair, which no letter is.
STRANGE = "x é 同期 \U0001f4be \udc80 \ud800"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wide_log_and_its_parts_give_what_utf_8_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, end: str
) -> None:
    noise = f"2026-11-20T10:00:00:000+01:00 7 I00000000: {STRANGE}\n"
    text = "".join(
        noise * (i % 3) + LINE.format(m=i % 60, n=i, k=i % 9 + i // 3000) for i in range(9000)
    ).replace("\n", end)
    narrow, wide = tmp_path / "narrow.log", tmp_path / "wide.log"
    narrow.write_bytes(text.encode("utf-8", "replace"))
    wide.write_bytes(text.encode(encoding, "surrogatepass"))
    monkeypatch.setattr(errands, "PART", 300_000)
    expected = told_of(narrow, 1)
    assert len(expected) == 11
    assert told_of(narrow, 2) == told_of(wide, 1) == told_of(wide, 2) == expected
    assert len(plan(str(wide), wide.stat().st_size, 2)) > 3


def told_of(log: Path, jobs: int) -> list[tuple[int, int, str | None]]:
    """Line, count and first time of what the parts of a log hold."""
    parts = plan(str(log), log.stat().st_size, jobs)
    with log.open("rb") as stream:
        found = place(join([(part.start, survey_of(part)) for part in parts]), stream)
    return sorted((s.block.at.line, s.count, s.first_seen) for _, s in found.sightings)


def survey_of(errand: Errand) -> Survey:
    (found,) = run(errand, Settings())
    assert isinstance(found, Survey)
    return found


def test_ctrl_c_prints_what_was_found_and_names_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    text = "".join(LINE.format(m=i % 60, n=i, k=i % 9) for i in range(40_000)).encode()
    with log.open("wb") as file:
        for _ in range(40):
            file.write(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "diagnoser", "scan", str(tmp_path), "-f", "json", "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    # It must have begun to read: then its memory of the file's position tells.
    deadline = time.monotonic() + 30
    while _position(process.pid, log) < 4 << 20:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    report = json.loads(out)
    assert len(report["cases"]) == 9
    assert all(e["probe"] is None for c in report["cases"] for e in c["endpoints"])
    assert any("stopped by Ctrl-C" in s["reason"] for s in report["skipped"])


def _position(pid: int, path: Path) -> int:
    """How far a process has read a file (Linux)."""
    folder = Path(f"/proc/{pid}/fd")
    if not Path("/proc/self/fdinfo").is_dir():
        pytest.skip("only Linux tells how far a process has read")
    try:
        for entry in folder.iterdir():
            if os.path.realpath(entry) == str(path):
                info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text("ascii")
                return int(info.split()[1])
    except OSError:
        pass
    return 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_a_line_of_a_hundred_megabytes_needs_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "mms.0.log"
    with log.open("wb") as file:
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + LINE.format(m=1, n=1, k=1).encode())
    code = (
        "import sys, diagnoser.cli as c\n"
        "sys.argv = ['diagnoser', 'scan', sys.argv[1], '--offline', '-f', 'json', '--exit-zero']\n"
        "try:\n    c.run()\nexcept SystemExit:\n    pass\n"
        # ru_maxrss would count this process, which it was forked from.
        "status = open('/proc/self/status', encoding='ascii').read()\n"
        "print(status.split('VmHWM:')[1].split()[0], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(log)], capture_output=True, check=True, encoding="utf-8"
    )
    (case,) = json.loads(done.stdout)["cases"]
    assert case["block"]["line"] == 2
    assert int(done.stderr.split()[-1]) < 150_000


class Drip:
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._at, self._sizes, self._turn = data, 0, sizes, 0

    def readinto(self, room: memoryview) -> int:
        size = min(self._sizes[self._turn % len(self._sizes)], len(room))
        self._turn += 1
        piece = self._data[self._at : self._at + size]
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


SAMPLES = samples()
LOCATOR = Locator(few_anchors(FORMS), all_anchors(FORMS))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4),
    st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    st.integers(0, 10_000),
)
def test_islands_do_not_depend_on_how_the_bytes_arrive(
    chosen: list[tuple[str, str]], sizes: list[int], start: int
) -> None:
    chance = random.Random(start)
    text = "".join(
        compose(sample, f"rs-x{n}-cloud.acronis.com", 5, chance).text
        for n, (_, sample) in enumerate(chosen)
    ).encode()
    whole = list(LOCATOR.locate(Drip(text, [1 << 30])))  # type: ignore[arg-type]
    dripped = list(LOCATOR.locate(Drip(text, sizes)))  # type: ignore[arg-type]
    assert whole == dripped
    for island in whole:
        assert isinstance(island, Island)
        assert text[island.offset : island.offset + len(island.data)] == island.data
        assert island.line == text[: island.offset].count(b"\n") + 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"\r", b"\n", b"x", b"\r\n", b"\r\r\n"]), max_size=30), st.data())
def test_lines_are_counted_alike_however_they_are_cut(
    ends: list[bytes], data: st.DataObject
) -> None:
    text = b"".join(ends) + b"x"
    once = LineCounter()
    once.feed(text)
    cut = data.draw(st.integers(0, len(text)))
    twice = LineCounter()
    twice.feed(text[:cut])
    twice.feed(text[cut:])
    plain = re.sub(rb"\r?\r\n|\r", b"\n", text)
    assert once.line == twice.line == plain.count(b"\n") + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("| address: rs-us1-cloud.acronis.com", "| address: rs-us2-cloud.acronis.com"),
        ("| port: 8443", "| port: 8444"),
        ("error 0x2720133: x", "error 0x2720134: x"),
        ("| address: 2001:db8::10:20:30", "| address: 2001:db8::10:20:31"),
        ("| address: fe80::12:34:56", "| address: fe80::12:34:57"),
    ],
)
def test_what_differs_is_not_masked(one: str, other: str) -> None:
    assert mask(one.encode()) != mask(other.encode())


def test_times_and_guids_are_masked() -> None:
    stamped = (
        "2026-11-20T10:{:02}:00:000+01:00 {} E02720133: x {:08x}-1234-4abc-9def-0123456789ab at"
        " 2026-11-20 11:{:02}:00 end"
    )
    entries = [stamped.format(n, n, n, n).encode() for n in range(10, 30)]
    masked = {mask(entry[body_of(entry) :]) for entry in entries}
    assert len(masked) == 1


def test_every_form_with_an_acronis_host_is_planted() -> None:
    planted = {read_blocks(text, name).blocks[0].form for name, text in SAMPLES}
    assert planted >= ERRORS_OF
