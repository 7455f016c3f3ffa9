"""What a terminal gets: the first prompt, completion, quick help, the reference of causes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diagnoser import catalog
from diagnoser.rules import CAUSES

ROOT = Path(__file__).parents[1]
START = "import sys; sys.argv[0] = 'diagnoser'; from diagnoser.cli import run; run()"
BLOCK = """\
Error code: 307
Module: 626
Fields: {"$module":"isk","address":"rs-eu3-cloud.acronis.com","port":"8443"}
Message: Could not perform SSL_write() call:
"""


def diagnoser(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip
    return done.stdout


class Terminal:
    """A process with a terminal of its own on its three streams."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        import pty

        self.process, self._handle = pty.fork()
        if self.process == 0:
            os.chdir(ROOT)
            os.environ.update(environment, PYTHONIOENCODING="utf-8", TERM="dumb")
            os.execv(sys.executable, [sys.executable, "-m", "diagnoser", *arguments])
        self.shown = ""

    def wait(self, part: str) -> None:
        """Read until ``part`` is shown."""
        deadline = time.monotonic() + 30
        while part not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self._handle], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self._handle, 4096).decode("utf-8", "replace")
                except OSError:
                    assert part in self.shown, self.shown

    def type(self, text: str) -> None:
        """Type as a user does, or paste."""
        os.write(self._handle, text.encode())

    def end(self) -> int:
        """Read what is left; the exit status."""
        deadline = time.monotonic() + 30
        while select.select([self._handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                if not (data := os.read(self._handle, 4096)):
                    break
            except OSError:
                break
            self.shown += data.decode("utf-8", "replace")
        else:
            os.kill(self.process, signal.SIGKILL)
        os.close(self._handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


needs_terminal = pytest.mark.skipif(os.name == "nt", reason="Windows has no pty module")


@needs_terminal
@pytest.mark.parametrize(
    ("language", "key", "verdict"),
    [
        ("en", "press Ctrl-D on a line of its own", "suspected"),
        ("ja", "Ctrl-D を押してください", "疑い"),
    ],
)
def test_a_bare_call_says_what_to_paste_and_which_key_ends_it(
    language: str, key: str, verdict: str
) -> None:
    terminal = Terminal("--offline", "--lang", language)
    terminal.wait(key)
    assert "307" in terminal.shown
    assert "diagnoser demo" in terminal.shown
    terminal.type(BLOCK + "\x04")
    assert terminal.end() == 1
    assert verdict in terminal.shown


@needs_terminal
def test_the_prompt_follows_the_environment_and_quiet_has_none() -> None:
    terminal = Terminal("--offline", DIAGNOSER_LANG="ja")
    terminal.wait("貼り付け")
    terminal.type("\x04")
    assert terminal.end() == 66
    quiet = Terminal("--offline", "--quiet")
    quiet.type(BLOCK + "\x04")
    assert quiet.end() == 1
    assert "Paste" not in quiet.shown


@needs_terminal
def test_ctrl_c_leaves_at_once_without_a_traceback() -> None:
    terminal = Terminal("--offline")
    terminal.wait("Ctrl-C leaves")
    terminal.type("\x03")
    assert terminal.end() in (130, -signal.SIGINT)
    assert "Traceback" not in terminal.shown


def test_a_pipe_gets_no_prompt() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", "--offline"],
        input=BLOCK, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("explain tls-", ["tls-intercepted"]),
        ("explain port-", ["port-closed", "port-filtered"]),
        ("scan --format ", ["text", "json", "markdown", "html", "ndjson"]),
        ("watch --format ", ["text", "ndjson"]),
        ("--lang ", ["auto", "en", "ja"]),
    ],
)
def test_the_shell_completes_causes_and_formats(typed: str, wanted: list[str]) -> None:
    shown = diagnoser(
        _DIAGNOSER_COMPLETE="complete_bash",
        COMP_WORDS=f"diagnoser {typed}",
        COMP_CWORD=str(len(typed.split(" "))),
    )
    assert shown.split() == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell: str) -> None:
    shown = diagnoser(_DIAGNOSER_COMPLETE=f"source_{shell}")
    assert "_DIAGNOSER_COMPLETE" in shown


def test_help_loads_nothing_heavy() -> None:
    """40 ms instead of 200: what help does not need it does not import."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "diagnoser", "--help"],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"cryptography", "OpenSSL", "pyparsing", "asyncio", "diagnoser.rules"}


@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_explain_is_the_reference_of_every_cause(language: str) -> None:
    words = catalog.words(language)
    table = diagnoser("explain", "--lang", language)
    for cause, group in CAUSES.items():
        assert any(
            line.startswith(f"{cause} ")
            and group.value in line
            and words.causes[cause].title in line
            for line in table.splitlines()
        ), cause
    for cause in ("tls-intercepted", "unexplained", "port-closed"):
        shown = diagnoser("explain", cause, "--lang", language)
        assert words.causes[cause].title in shown
        assert words.phrases["remedy"] in shown
        assert "{" not in shown


@needs_terminal
def test_text_is_as_wide_as_the_terminal_and_no_wider(tmp_path: Path) -> None:
    error = tmp_path / "e.txt"
    error.write_text(BLOCK)
    terminal = Terminal("--offline", "--quiet", "-v", str(error), COLUMNS="60", LINES="24")
    assert terminal.end() == 1
    lines = [x for x in terminal.shown.splitlines() if " " in x.strip(" -") and str(error) not in x]
    assert max(len(x) for x in lines if "openssl" not in x) in range(50, 61)
