"""The files of record are what the formats say today (``python tests/goldens.py`` renews them)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import goldens
import pytest

ALL = dict(goldens.goldens())


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.name)
def test_every_format_is_as_recorded(path: Path) -> None:
    assert path.exists(), "python tests/goldens.py writes it"
    assert path.read_text("utf-8") == ALL[path]


def test_no_record_is_left_of_what_is_gone() -> None:
    # The schema has a test of its own.
    there = {p for p in goldens.GOLDEN.iterdir() if p.name != "schema.json"}
    assert there == {p for p in ALL if p.parent == goldens.GOLDEN}


def test_the_records_show_the_verdicts_they_are_meant_for() -> None:
    heads = {p.stem: p.read_text("utf-8").splitlines()[0] for p in ALL if p.suffix == ".txt"}
    assert {name: head.partition("[")[2] for name, head in heads.items()} == {
        "closed-port-en": "port-closed, diagnosed]",
        "labelled-ja-ssl-write": "tls-intercepted, 診断確定]",
        "licence-sync-en": "licence-out-of-sync, diagnosed]",
        "storage-refused-en": "client-certificate-refused, diagnosed]",
        "not-network-vss-en": "not-network, diagnosed]",
    }


@pytest.mark.peer
@pytest.mark.parametrize(
    "command", [["mandoc", "-Tlint", "-Wwarning"], ["man", "--warnings", "-l"]], ids=lambda c: c[0]
)
def test_the_manual_page_is_sound(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    done = subprocess.run(
        [*command, str(goldens.MANUAL)],
        capture_output=True, text=True, check=False, timeout=30, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANPAGER": "cat"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    if command[0] == "mandoc":
        assert done.stdout == ""
    else:
        assert "diagnoser - diagnose why an Acronis agent fails" in done.stdout


def test_the_manual_page_tells_every_command_option_cause_and_status() -> None:
    page = goldens.MANUAL.read_text("utf-8").replace("\\-", "-").replace("\\fB", "")
    for part in (
        "diagnoser watch", "diagnoser scan", "--exec", "--bundle", "--redaction-map",
        "tls-intercepted", "port-filtered", "\n65\\fR", "\n70\\fR", "DIAGNOSER_LANG",
    ):  # fmt: skip
        assert part in page, part
