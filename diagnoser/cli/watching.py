"""``diagnoser watch``: follows live logs and diagnoses each new distinct error once."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType

import diagnoser
from diagnoser.cli import say
from diagnoser.cli.options import Settings
from diagnoser.cli.printing import put
from diagnoser.cli.session import language_of, prepare
from diagnoser.diagnosis import Inquiry, diagnose, open_case
from diagnoser.errors import ExitStatus, UsageError
from diagnoser.grammar import read_blocks
from diagnoser.grammar.places import moved
from diagnoser.model import Category, Diagnosis, ErrorBlock, Report
from diagnoser.reading.encodings import decode
from diagnoser.reading.following import Appended, Follower
from diagnoser.reports import render
from diagnoser.reports.document import identify
from diagnoser.reports.outline import outline
from diagnoser.reports.redaction import redact
from diagnoser.reports.wording import words_for

# A day of a broken network repeats a handful of errors; this many distinct ones are remembered.
_MOST_REMEMBERED = 10_000
# Text that waits for the end of a block; longer than any block is no block.
_MOST_WAITING = 1024 * 1024
_COMMAND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch and whom to tell: ``interval`` is seconds between two looks."""

    directory: str
    interval: float = 2.0
    from_start: bool = False
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    """What was seen so far."""

    errors: int = 0
    faults: int = 0
    cases: int = 0


@dataclass(slots=True)
class _Waiting:
    """Text of one file whose last block may go on: its name, first line and bytes."""

    path: str
    line: int
    data: bytes = b""


@dataclass(slots=True)
class _Reader:
    """Puts blocks together that are written piece by piece."""

    follower: Follower
    waiting: dict[tuple[int, int], _Waiting] = field(default_factory=dict)

    def look(self) -> Iterator[ErrorBlock]:
        """The blocks that are complete: something follows them, or their file is at rest."""
        seen = set()
        for gained in self.follower.look():
            seen.add(gained.identity)
            yield from self._add(gained)
        for identity in [i for i in self.waiting if i not in seen]:
            rest = self.waiting.pop(identity)
            yield from _blocks(rest)

    def _add(self, gained: Appended) -> Iterator[ErrorBlock]:
        held = self.waiting.pop(gained.identity, None)
        if held is not None and held.line + held.data.count(b"\n") != gained.line:
            # The file was cut back: what waited is from before.
            yield from _blocks(held)
            held = None
        text = _Waiting(gained.path, gained.line, gained.data)
        if held is not None:
            text = _Waiting(gained.path, held.line, held.data + gained.data)
        found = list(_blocks(text))
        # What touches the end may go on; it is read again with what comes.
        end = text.line + text.data.count(b"\n")
        last = found[-1] if found else None
        if last is not None and last.at.line + last.text.count("\n") >= end - 2:
            lines = text.data.split(b"\n")
            tail = b"\n".join(lines[last.at.line - text.line :])
            if len(tail) < _MOST_WAITING:
                found.pop()
                self.waiting[gained.identity] = _Waiting(gained.path, last.at.line, tail)
        yield from found


def watch(wanted: Watch, settings: Settings) -> int:
    """Follow ``wanted`` until interrupted; 1 if a fault was diagnosed meanwhile, else 0."""
    inquiry = prepare(settings)
    reader = _Reader(Follower(wanted.directory, from_start=wanted.from_start))
    remembered: OrderedDict[str, None] = OrderedDict()
    tally = _Tally()
    for name in ("SIGTERM", "SIGBREAK"):
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], _stop)
    try:
        first = True
        while True:
            blocks = list(reader.look())
            if first and not settings.quiet:
                say(f"watching {_files(reader.follower.count)} in {wanted.directory}; Ctrl-C ends")
            first = False
            tally.errors += len(blocks)
            if new := _unheard(blocks, remembered):
                _report(new, wanted, settings, inquiry, tally)
            time.sleep(wanted.interval)
    except KeyboardInterrupt:
        if not settings.quiet:
            say(
                f"watched {_files(reader.follower.count)}: {tally.errors} errors,"
                f" {tally.cases} distinct, {tally.faults} with a fault"
            )
    return ExitStatus.FAULT if tally.faults and not settings.exit_zero else ExitStatus.NO_FAULT


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _stop(number: int, frame: FrameType | None) -> None:
    """A service manager ends a program by SIGTERM, a console of Windows by Ctrl-Break: that is an
    end like any other."""
    del number, frame
    raise KeyboardInterrupt


def _blocks(text: _Waiting) -> Iterator[ErrorBlock]:
    """The blocks of a piece of a file, with the line numbers of the file."""
    for block in read_blocks(decode(text.data), text.path).blocks:
        yield moved(block, text.line - 1)


def _unheard(blocks: Sequence[ErrorBlock], remembered: OrderedDict[str, None]) -> list[ErrorBlock]:
    """The blocks of errors that were not reported yet; they are remembered from now on."""
    found = []
    for block in blocks:
        identity = identify(open_case(block))
        if identity not in remembered:
            found.append(block)
        remembered[identity] = None
        remembered.move_to_end(identity)
    while len(remembered) > _MOST_REMEMBERED:
        remembered.popitem(last=False)
    return found


def _report(
    blocks: Sequence[ErrorBlock],
    wanted: Watch,
    settings: Settings,
    inquiry: Inquiry,
    tally: _Tally,
) -> None:
    language = language_of(settings, blocks)
    for diagnosis in diagnose(blocks, inquiry):
        tally.cases += 1
        cause = diagnosis.cause
        tally.faults += cause is not None and cause.category is not Category.NONE
        report = Report(diagnoser.__version__, datetime.now(UTC), inquiry.vantage, (diagnosis,), ())
        if settings.redact:
            report = redact(report).report
        text = (
            render(report, "ndjson", language)
            if settings.form == "ndjson"
            else _line(report, report.diagnoses[0], language)
        )
        put(text, settings.form)
        if wanted.command:
            _call(wanted.command, render(report, "json", language))


def _line(report: Report, diagnosis: Diagnosis, language: str) -> str:
    """One case in one line: when, verdict, where, in short why, which log."""
    told = outline(diagnosis, report, words_for(language))
    block = diagnosis.case.block
    endpoints = ", ".join(map(str, diagnosis.case.endpoints))
    parts = (
        f"{report.generated_at:%Y-%m-%d %H:%M:%S}Z",
        f"{told.mark} {told.headline}",
        endpoints,
        told.summary,
        f"[{block.at}]" if block is not None else "",
    )
    return "  ".join(" ".join(p.split()) for p in parts if p) + "\n"


def _call(command: tuple[str, ...], document: str) -> None:
    """Run the user's command with the case as JSON on its stdin, without a shell between.

    What it prints goes to stderr, since stdout is the report; its failure ends nothing.
    """
    try:
        done = subprocess.run(  # noqa: S603  (the user's own words, split once, never interpreted)
            command,
            input=document.encode(),
            stdout=sys.stderr.fileno(),
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        say(f"diagnoser: {command[0]}: ended after {_COMMAND_SECONDS} s without an end of its own")
    except OSError as error:
        say(f"diagnoser: {command[0]}: cannot be run: {error.strerror or type(error).__name__}")
    else:
        if done.returncode:
            say(f"diagnoser: {command[0]}: ended with status {done.returncode}")


def _words(text: str, system: str) -> tuple[str, ...]:
    """As a shell splits it; on Windows a backslash parts folders and quotes nothing."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if system == "nt":
        lexer.escape = ""
    return tuple(lexer)


def split_command(text: str | None) -> tuple[str, ...]:
    """The program and its arguments as the user quoted them; raises ``UsageError``."""
    if text is None:
        return ()
    try:
        parts = _words(text, os.name)
    except ValueError as error:
        raise UsageError(
            f"--exec {text!r}: {str(error).lower()}", hint="close the quotation mark"
        ) from error
    if not parts:
        raise UsageError("--exec names no program", hint="for example --exec 'notify --case'")
    return parts
