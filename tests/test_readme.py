"""The README tells the truth: its transcripts, its help and its table of causes are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from diagnoser import catalog
from diagnoser.rules import CAUSES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, encoding="utf-8",
    )  # fmt: skip
    return done.stdout


def steady(text: str) -> list[str]:
    """A transcript without what differs from run to run: times, ports, key material, machine."""
    text = re.sub(r"\d+\s+ms", "N ms", text)
    text = re.sub(r"probe-[0-9a-f]+", "probe-x", text)
    text = re.sub(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?)?", "DATE", text)
    text = re.sub(r"Tested from: .*", "Tested from: here", text, flags=re.DOTALL)
    return text.split()


def test_the_transcript_at_the_top_is_what_the_demo_prints() -> None:
    block = re.search(r"<!-- demo -->\n```text\n(.*?)```", README, re.DOTALL)
    assert block is not None
    shown, wanted = steady(run("demo", "--quiet")), steady(block[1])
    for part in " ".join(wanted).split("[…]"):
        assert part.strip() in " ".join(shown), part


def test_the_help_is_what_help_prints() -> None:
    block = re.search(r"<!-- help -->\n```text\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert block[1].split() == run("--help").split()


def test_the_table_of_causes_is_complete_and_in_order() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z-]+) \| (.+?) \|$", README, re.MULTILINE)
    words = catalog.words("en").causes
    assert rows == [(c, g.value, words[c].title) for c, g in CAUSES.items()]


def test_both_commands_stand_in_the_readme_once() -> None:
    assert README.count("<!-- run command -->") == 1
    assert README.count("<!-- test command -->") == 1
