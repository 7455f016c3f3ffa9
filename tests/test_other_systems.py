"""What other systems do otherwise: Windows and macOS, by the parts that are pure."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import peers
import pki
import pytest
from peers import ScriptedNetwork
from test_cli import diagnoser

from diagnoser.cli import printing, progress, scopes, watching, wildcards
from diagnoser.cli.delivery import _as_file
from diagnoser.cli.options import Settings
from diagnoser.errors import InputError, OutputError
from diagnoser.model import (
    Address,
    Condition,
    Connection,
    Control,
    Endpoint,
    Role,
    Stage,
    TrustStore,
)
from diagnoser.probing import Trust, keychains, patience, probe, vantages
from diagnoser.probing import trust as trust_module
from diagnoser.probing.stages import verify
from diagnoser.probing.transport import SystemConnection
from diagnoser.reading import sources, walking
from diagnoser.reading.walking import Found, Selection, walk
from diagnoser.scanning import workers

Make = Callable[..., Endpoint]
BLOCK = (
    "Error code: 307\nModule: 626\n"
    'Fields: {"$module":"isk","address":"rs-eu3-cloud.acronis.com","port":"8443"}\n'
    "Message: Could not perform SSL_write() call: Größe 日本 \U0001f600\n"
)


# The network.


def test_a_connection_that_is_gone_leaves_the_loop_nothing_to_shut_down() -> None:
    """Windows' loop shuts down every socket that is still open behind this call; of a peer that is
    gone it then prints a traceback (asyncio.proactor_events, the same in Python 3.11 and 3.13)."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for error in (ConnectionResetError(10054, "x"), None):
            pipe, peer = socket.socketpair()
            with pipe, peer:
                connection = SystemConnection(pipe, loop)
                connection.connection_lost(error)
                assert pipe.fileno() == -1
                if error is not None:
                    with pytest.raises(ConnectionResetError):
                        await connection.receive(10)

    asyncio.run(main())


class _SlowToRefuse(ScriptedNetwork):
    """Windows asks a port that refuses again and again before it says so."""

    async def connect(self, address: Address, seconds: float | None = None) -> Connection:
        async with asyncio.timeout(seconds):
            await asyncio.sleep(0.3)
        return await super().connect(address, seconds)


def test_a_refusal_that_takes_longer_than_the_time_limit_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, endpoint: Make, trust: Trust
) -> None:
    assert patience.refusal_seconds("win32") >= 2.5
    assert patience.refusal_seconds("linux") == patience.refusal_seconds("darwin") == 0
    monkeypatch.setattr(patience, "LEAST", 0.6)
    refuses: dict[str, peers.Peer | OSError | None] = {
        "192.0.2.1": ConnectionRefusedError(10061, "x")
    }
    network = _SlowToRefuse({endpoint().host: ("192.0.2.1",)}, refuses)
    found = asyncio.run(probe(endpoint(), network=network, trust=trust, timeout=0.1))
    assert found.stage(Stage.CONNECT).condition is Condition.CONNECTION_REFUSED


def test_another_port_that_is_slow_to_refuse_is_no_silent_one(
    monkeypatch: pytest.MonkeyPatch, endpoint: Make, trust: Trust
) -> None:
    monkeypatch.setattr(patience, "LEAST", 0.6)
    answers: dict[str, peers.Peer | OSError | None] = {
        f"192.0.2.1:{port}": ConnectionRefusedError(10061, "x") for port in (443, 8443, 44445)
    }
    answers[f"192.0.2.1:{endpoint().port}"] = None
    network = _SlowToRefuse({endpoint().host: ("192.0.2.1",)}, answers)
    found = asyncio.run(probe(endpoint(), network=network, trust=trust, timeout=0.2))
    others = [c.condition for c in found.controls if c.control is Control.OTHER_PORT]
    assert others == [Condition.CONNECTION_REFUSED] * 2


@pytest.mark.parametrize(("fetches", "says"), [(True, ["mozilla"]), (False, ["system", "mozilla"])])
def test_a_public_root_that_windows_has_not_fetched_yet_is_not_distrusted(
    fetches: bool, says: list[str]
) -> None:
    chain, root = pki.management(), pki.public_root()
    other = pki.storage_authority()
    trust = Trust(other.pem, root.pem, None, fetches_roots=fetches)
    found = trust.opinions(chain.chain_ders, pki.NOW)
    assert [o.trust_store.value for o in found] == says


def test_a_service_is_healthy_whose_public_root_windows_has_not_fetched_yet() -> None:
    """What looks most like a root that this machine does not trust."""
    trust = Trust(pki.storage_authority().pem, pki.public_root().pem, None, fetches_roots=True)
    ended, opinions = verify(trust, pki.management().chain_ders, Role.MANAGEMENT, pki.NOW)
    assert ended.condition is Condition.MET
    assert [(o.trust_store, o.code) for o in opinions] == [(TrustStore.MOZILLA, 0)]


def test_what_windows_itself_finds_wrong_is_still_said() -> None:
    """A root that nobody knows, and a chain that has run out."""
    trust = Trust(pki.public_root().pem, pki.public_root().pem, None, fetches_roots=True)
    unknown = trust.opinions(pki.storage().chain_ders, pki.NOW)
    assert [o.trust_store for o in unknown] == [TrustStore.SYSTEM, TrustStore.MOZILLA]
    later = trust.opinions(pki.management().chain_ders, pki.NOW + timedelta(days=9000))
    assert {o.code for o in later} == {10}


def test_the_keychain_of_macos_is_not_claimed_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program is missing that can read it."""
    monkeypatch.setattr(keychains, "_PROGRAM", "/nowhere/security")
    assert trust_module._system_pem("darwin") is None
    assert "keychain" in vantages._store("darwin")
    assert vantages._store("win32") == "Windows certificate store"


# Files.


def test_windows_is_asked_for_what_its_directories_do_not_know(tmp_path: Path) -> None:
    """A directory entry of Windows has no inode; of an open file it has an old size and time."""

    class Entry:
        path = str(tmp_path)

        def stat(self) -> os.stat_result:
            return os.stat_result((0o40755, 0, 0, 0, 0, 0, 0, 0, 0, 0))

    found = walking._status(Entry(), "win32")  # type: ignore[arg-type]
    assert (found.st_dev, found.st_ino) == (tmp_path.stat().st_dev, tmp_path.stat().st_ino)
    assert walking._status(Entry(), "linux").st_ino == 0  # type: ignore[arg-type]


def test_a_loop_ends_by_the_identity_that_windows_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.log").write_text("x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    found = list(walk(str(tmp_path), Selection()))
    assert len([f for f in found if isinstance(f, Found)]) == 1


def test_a_file_in_use_is_no_matter_of_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shared(PermissionError):
        winerror = 32

    def refuse(*_: object, **__: object) -> None:
        raise Shared(13, "The process cannot access the file because it is being used")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="in use by another program"):
        sources.read_file(Path("mms.0.log"))


@pytest.mark.parametrize(
    ("path", "system", "said"),
    [
        ("C:\\" + "x" * 300, "win32", True),
        ("C:\\short", "win32", False),
        ("\\\\?\\C:\\" + "x" * 300, "win32", False),
        ("/" + "x" * 300, "linux", False),
    ],
)
def test_a_path_that_windows_finds_too_long_is_said_to_be(
    path: str, system: str, said: bool
) -> None:
    assert ("too long" in walking._too_long(path, system)) is said


def test_a_file_is_known_in_any_spelling(tmp_path: Path) -> None:
    """As on macOS, where error.txt and Error.TXT are one; a second name is as good here."""
    (tmp_path / "error.txt").write_text(BLOCK)
    (tmp_path / "Error.TXT").hardlink_to(tmp_path / "error.txt")
    done = diagnoser(
        "scan",
        "--offline",
        str(tmp_path / "error.txt"),
        "-o",
        str(tmp_path / "Error.TXT"),
        expect=2,
    )
    assert "would overwrite" in done.stderr


@pytest.mark.parametrize("since", ["0001-01-01", "0001-01-01T00:00+14:00", "99999d", "9999-12-31"])
def test_a_time_that_the_system_cannot_count_is_a_time(since: str) -> None:
    scope = scopes.scope_of(Settings(since=since))
    assert scope.since is not None
    assert len(scope.since) == 19


def test_a_time_before_1970_needs_no_look_at_the_times_of_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Windows(datetime):
        def timestamp(self) -> float:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(scopes, "datetime", Windows)
    scope = scopes.scope_of(Settings(since="1969-07-20"))
    assert (scope.selection.since, scope.since) == (None, "1969-07-20T00:00:00")


def test_no_more_processes_than_windows_can_wait_for() -> None:
    """ProcessPoolExecutor refuses more than 61 there."""
    assert workers._MOST_WORKERS <= 61


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("text", b"a\r\nb\r\n"),
        ("markdown", b"a\r\nb\r\n"),
        ("json", b"a\nb\n"),
        ("html", b"a\nb\n"),
    ],
)
def test_a_text_that_people_read_has_the_line_ends_of_the_system(form: str, written: bytes) -> None:
    assert _as_file("a\nb\n", form, "\r\n") == written


def test_a_folder_that_may_not_be_written_to_is_said_at_once(tmp_path: Path) -> None:
    target = tmp_path / "no" / "report.txt"
    done = diagnoser("--offline", "-o", str(target), given=BLOCK, expect=74)
    assert "could not be written: No such file or directory" in done.stderr


# Arguments.


@pytest.mark.parametrize(
    ("command", "system", "words"),
    [
        (r'"C:\Program Files\notify.exe" --case', "nt", (r"C:\Program Files\notify.exe", "--case")),
        (r"C:\tools\notify.cmd 'a b'", "nt", (r"C:\tools\notify.cmd", "a b")),
        (r"/opt/notify\ me --case 'a b' #1", "posix", ("/opt/notify me", "--case", "a b", "#1")),
    ],
)
def test_a_command_is_split_as_its_system_writes_paths(
    command: str, system: str, words: tuple[str, ...]
) -> None:
    assert watching._words(command, system) == words


def test_wildcards_stand_for_files_where_no_shell_replaces_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.log", "a.log", "a[1].log", "c.txt"):
        (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path)
    assert wildcards.expand(["*.log", "c.txt"], "nt") == ("a.log", "a[1].log", "b.log", "c.txt")
    assert wildcards.expand(["a[1].lo?"], "nt") == ("a[1].log",)
    assert wildcards.expand(["none*"], "nt") == ("none*",)
    assert wildcards.expand(["*.log"], "posix") == ("*.log",)


def test_nothing_but_a_home_directory_is_replaced_in_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    given = ["scan", "~/x", "--include", "*.log", "--proxy", "http://u:pa$HOME%TEMP%~@p:1", "~"]
    kept = [*given[:1], "/home/me/x", *given[2:]]
    assert wildcards.with_home(given, "nt") == kept
    assert wildcards.with_home(given, "posix") == given


# Letters.

PAGES = ("cp437", "cp850", "cp932", "cp1252", "ascii")


@pytest.mark.parametrize("page", PAGES)
def test_json_is_json_in_any_code_page(page: str) -> None:
    done = run("--offline", "--format", "json", page=page)
    done.stdout.decode("ascii")
    message = json.loads(done.stdout)["cases"][0]["block"]["frames"][0]["message"]
    assert "Größe 日本 \U0001f600" in message


@pytest.mark.parametrize("page", PAGES)
def test_html_is_the_same_page_in_any_code_page(page: str) -> None:
    done = run("--offline", "--format", "html", "--no-redact", page=page)
    shown = done.stdout.decode("ascii")
    assert "Gr&#246;&#223;e &#26085;&#26412; &#128512;" in shown


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_what_a_text_is_drawn_with_is_in_every_code_page(page: str, form: str) -> None:
    done = run(
        "--offline", "--format", form, page=page, given=BLOCK * 2 + BLOCK.replace("eu3", "eu4")
    )
    shown = done.stdout.decode(page)
    drawing = shown.replace("Gr\\xf6\\xdfe \\u65e5\\u672c \\U0001f600", "")
    assert "\\u" not in drawing.replace("\\U0001f600", "").replace("\\u65e5\\u672c", "")
    assert "Several causes are possible" in shown


def test_a_report_is_in_english_where_its_language_has_no_letters() -> None:
    sample = (Path(__file__).parents[1] / "sample_logs" / "labelled-ja-ssl-write.txt").read_text(
        "utf-8"
    )
    western = run("--offline", page="cp1252", given=sample)
    assert b"Several causes are possible" in western.stdout
    assert b"no letters for --lang ja" in western.stderr
    japanese = run("--offline", page="cp932", given=sample)
    assert "考えられる原因は複数" in japanese.stdout.decode("cp932")
    assert "\\u" not in japanese.stdout.decode("cp932")
    wanted = run("--offline", "--lang", "ja", page="cp1252", given=sample)
    assert b"\\u8003\\u3048" in wanted.stdout


def run(*arguments: str, page: str, given: str = BLOCK) -> subprocess.CompletedProcess[bytes]:
    """As a pipe of Windows has it: the letters of a code page, and an error for any other."""
    done = subprocess.run(
        [sys.executable, "-m", "diagnoser", *arguments],
        input=given.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONIOENCODING": f"{page}:strict"},
    )
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
    assert done.returncode == 1, done
    return done


@pytest.mark.parametrize(
    ("page", "wide"), [("cp932", True), ("cp949", True), ("cp437", False), ("cp65001", False)]
)
def test_lines_are_drawn_in_ascii_where_a_console_has_them_two_columns_wide(
    page: str, wide: bool
) -> None:
    assert printing.draws_wide(page) is wide


def test_progress_writes_no_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    class Console(io.StringIO):
        def isatty(self) -> bool:
            return True

    console = Console()
    monkeypatch.setattr(sys, "stderr", console)
    monkeypatch.setattr(progress, "_PATIENCE", -1.0)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with progress.Progress(2_000_000, 2, quiet=False) as shown:
        shown.advance(1_000_000)
        shown.tell(1)
    written = console.getvalue()
    # How many errors there are is known of what is done.
    assert "\r[##########          ] 1 MB of 2 MB, 0/2 files\r" in written
    assert "1/2 files, 1 errors\r" in written
    assert "\x1b" not in written
    assert written.endswith("\r")
    *_, cleared, rest = written.split("\r")
    assert (cleared.strip(), rest) == ("", "")
    assert len(cleared) >= len("[##########          ] 1 MB of 2 MB, 1/2 files, 1 errors")


def test_a_closed_pipe_of_windows_is_a_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Out(io.StringIO):
        encoding = "utf-8"
        number = 22

        def write(self, _: str) -> int:
            raise OSError(self.number, "x")

    monkeypatch.setattr(sys, "stdout", Out())
    with pytest.raises(BrokenPipeError):
        printing.put("text", "text")
    Out.number = 28
    with pytest.raises(OutputError, match="stdout could not be written"):
        printing.put("text", "text")
