"""Reads what the user names, whatever it is: error texts, transcripts, captures, reports."""

from __future__ import annotations

import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from diagnoser.cli import say
from diagnoser.diagnosis import open_case
from diagnoser.errors import BlockSyntaxError, DiagnoserError, ExitStatus, InputError
from diagnoser.evidence import (
    HEAD,
    Check,
    Collected,
    Kind,
    detect,
    explain_emptiness,
    read_capture,
    read_checks,
    read_report,
    read_transcripts,
)
from diagnoser.grammar import explain_absence, read_blocks
from diagnoser.model import Case, ErrorBlock, ProbeResult, Skipped
from diagnoser.probing import Trust
from diagnoser.reading.archives import expand, is_packed
from diagnoser.reading.encodings import decode
from diagnoser.reading.inflating import Damaged, Limits, TooLarge
from diagnoser.reading.sources import Input, open_file, read_file, read_stream
from diagnoser.reading.walking import Selection, walk


class Gathering:
    """Everything that the inputs of one run hold; nothing that cannot be read is lost.

    ``blocks`` are the errors, ``faults`` what could not be read or parsed, ``skipped`` what was
    left out. ``ca_file`` holds the anchors that transcripts and captures are verified against.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        self.blocks: list[ErrorBlock] = []
        self.skipped: list[Skipped] = []
        self.faults: list[DiagnoserError] = []
        self._probes: list[ProbeResult] = []
        self._checks: list[Check] = []
        self._cases: list[Case] = []
        self._captures: list[tuple[str, bytes | None]] = []
        self._ca_file = ca_file
        self._loaded: Trust | None = None

    @property
    def _trust(self) -> Trust:
        if self._loaded is None:
            self._loaded = Trust.load(self._ca_file)
        return self._loaded

    def read(self, path: str, *, quiet: bool) -> None:
        """Read one input; ``-`` is stdin."""
        try:
            if path == "-":
                self._read_text(*self._read_stdin(quiet=quiet))
                return
            if Path(path).is_dir():
                self._read_below(path)
                return
            head = read_file(Path(path), HEAD).data
            if detect(head) is Kind.CAPTURE:
                # Read when the errors are known, and as a stream: captures are large.
                self._captures.append((path, None))
            elif is_packed(head):
                self._read_packed(path)
            else:
                self._read_text(read_file(Path(path)), _written(Path(path)))
        except (InputError, BlockSyntaxError) as error:
            self.faults.append(error)

    def _read_below(self, directory: str) -> None:
        """Every file below a directory; one that holds no error is no fault."""
        for found in walk(directory, Selection()):
            if isinstance(found, Skipped):
                self.skipped.append(found)
            else:
                self._read_packed(found.path)
        if not (self.blocks or self._probes or self._checks or self._captures):
            self.faults.append(
                InputError(
                    f"{directory}: no error block in any file below it",
                    hint="give the folder of the agent's logs, or paste the error: diagnoser",
                    status=ExitStatus.NO_ERROR_BLOCK,
                )
            )

    def _read_packed(self, path: str) -> None:
        """The texts of one file, also those within archives (a system report is a zip of zips)."""
        try:
            with open_file(Path(path)) as stream:
                for source in expand(stream, path, Limits()):
                    if isinstance(source, Skipped):
                        self.skipped.append(source)
                        continue
                    text = read_stream(source.stream, source.name)
                    self._read_text(text, _written(Path(path)), alone=False)
        except (InputError, Damaged, TooLarge) as error:
            self.skipped.append(Skipped(path, str(error)))

    def collected(self) -> Collected:
        """The evidence of all inputs; captures are searched for the endpoints of the errors."""
        wanted = [e for b in self.blocks for e in open_case(b).endpoints]
        for path, data in self._captures:
            try:
                if data is not None:
                    found = read_capture(io.BytesIO(data), path, self._trust, wanted)
                else:
                    with Path(path).open("rb") as stream:
                        found = read_capture(stream, path, self._trust, wanted)
            except InputError as error:
                self.faults.append(error)
            except OSError as error:
                self.faults.append(InputError(f"{path}: cannot be read: {error.strerror}"))
            else:
                self._probes += found
                if not found:
                    self.skipped.append(Skipped(path, "no connection to an Acronis endpoint in it"))
        self._captures.clear()
        return Collected(tuple(self._probes), tuple(self._checks), tuple(self._cases))

    def _read_stdin(self, *, quiet: bool) -> tuple[Input, datetime]:
        if sys.stdin.isatty() and not quiet:
            key = "Ctrl-Z, Enter" if os.name == "nt" else "Ctrl-D"
            say(f"Paste the error block, from its code to its message, then press {key}.")
        return read_stream(sys.stdin.buffer, "stdin"), datetime.now(UTC)

    def _read_text(self, source: Input, at: datetime, *, alone: bool = True) -> None:
        """One text; ``alone`` if the user named it, so that it must hold something."""
        kind = detect(source.data[:HEAD])
        if kind is Kind.CAPTURE:
            self._captures.append((source.source, source.data))
            return
        text = decode(source.data)
        self.skipped += source.skipped
        if kind is Kind.REPORT:
            self._cases += read_report(text, source.source)
            return
        reading = read_blocks(text, source.source)
        self.blocks += reading.blocks
        self.skipped += reading.skipped
        self.faults += reading.faults
        # One text may hold the error and what support had the user run.
        checks = read_checks(text, source.source)
        probes: tuple[ProbeResult, ...] = ()
        if kind is Kind.TRANSCRIPT or "s_client" in text:
            probes = read_transcripts(text, source.source, at, self._trust)
        self._probes += probes
        self._checks += checks
        if not alone:
            return
        if not text.strip():
            pasted = source.source == "stdin"
            empty = InputError(f"{source.source} is empty", hint="paste the whole error block")
            self.faults.append(empty if pasted else explain_emptiness(source.source))
        elif not (reading.blocks or reading.faults or probes or checks):
            self.faults.append(explain_absence(text, source.source))


def _written(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.now(UTC)
