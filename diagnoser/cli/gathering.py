"""Reads what the user names, whatever it is: error texts, transcripts, captures, reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from diagnoser.cli.greeting import greet
from diagnoser.cli.misreadings import explain_nothing
from diagnoser.cli.observing import Observed
from diagnoser.cli.scopes import Scope
from diagnoser.cli.sweeping import Sweep
from diagnoser.diagnosis import open_case
from diagnoser.endpoints import read_sentences
from diagnoser.errors import BlockSyntaxError, DiagnoserError, ExitStatus, InputError
from diagnoser.evidence import (
    HEAD,
    RENDERED,
    Collected,
    Kind,
    detect,
    drop_secrets,
    explain_emptiness,
)
from diagnoser.grammar import Reading, read_blocks
from diagnoser.model import ErrorBlock, Evidence, Sighting, Skipped
from diagnoser.reading.encodings import decode
from diagnoser.reading.signatures import holds_zip, is_packed, may_unpack_itself
from diagnoser.reading.sources import Input, open_file, read_file, read_stream
from diagnoser.scanning import (
    Bound,
    Leftover,
    Settings,
    Survey,
    build_of,
    drop_headlines,
    notice,
    notice_marks,
    unpack,
)

# What the user names and is no larger is read as a whole, as if it had been pasted.
_SMALL = 1 << 20
_MOST_SETTINGS = 12


class Gathering:
    """Everything that the inputs of one run hold; nothing that cannot be read is lost.

    ``blocks`` are the errors, ``faults`` what could not be read or parsed, ``skipped`` what was
    left out. ``ca_file`` holds the anchors that transcripts and captures are verified against.
    """

    def __init__(
        self, ca_file: Path | None = None, language: str = "auto", scope: Scope | None = None
    ) -> None:
        self.sightings: list[Sighting] = []
        self.skipped: list[Skipped] = []
        self._settings: dict[str, list[Evidence]] = {}
        self.faults: list[DiagnoserError] = []
        self._observed = Observed(ca_file)
        self._language = language
        self._scope = scope or Scope()
        self.interrupted = False

    @property
    def blocks(self) -> list[ErrorBlock]:
        """The errors, each once."""
        return [s.block for s in self.sightings]

    def errors(self) -> tuple[Sighting, ...]:
        """The errors with what the logs of the same folder (or archive) say beside them."""
        return tuple(
            replace(
                sighting,
                surroundings=(
                    *build_of(sighting.block),
                    *self._settings.get(_folder(sighting.block.at.source), ())[:_MOST_SETTINGS],
                ),
            )
            for sighting in self.sightings
        )

    def _note(self, found: Sequence[Evidence], source: str) -> None:
        noted = self._settings.setdefault(_folder(source), [])
        known = {(e.fact, e.value) for e in noted}
        noted += [e for e in found if (e.fact, e.value) not in known]

    def read(self, path: str, *, quiet: bool) -> None:
        """Read one input; ``-`` is stdin."""
        try:
            if path == "-":
                self._read_stdin(quiet=quiet)
            elif Path(path).is_dir() or _is_large(path):
                self._scan(path, quiet=quiet)
            elif Path(path).exists() and not Path(path).is_file():
                # A pipe gives everything once.
                self._read_once(read_file(Path(path)))
            else:
                head = read_file(Path(path), HEAD).data
                if detect(head) is Kind.CAPTURE:
                    # Read when the errors are known, and as a stream: captures are large.
                    self._observed.keep_capture(path)
                elif is_packed(head) or _unpacks_itself(path, head):
                    self._scan(path, quiet=quiet)
                else:
                    self._read_text(read_file(Path(path)), _written(Path(path)))
        except (InputError, BlockSyntaxError) as error:
            self.faults.append(error)

    def _scan(self, path: str, *, quiet: bool) -> None:
        """A directory, an archive or a large file; a file below it without errors is no fault."""
        before = self._size()
        sweep = Sweep(path, self._scope, quiet=quiet)
        try:
            for found, file in sweep.findings():
                self._take(found, file)
        except KeyboardInterrupt:
            # Between two findings; what was taken stands.
            self.skipped.append(Skipped(path, "stopped by Ctrl-C: not all of it was read"))
            sweep.interrupted = True
        self.interrupted = sweep.interrupted
        if self._size() == before and not self.interrupted:
            where = "any file below it" if Path(path).is_dir() else "it"
            self.faults.append(
                InputError(
                    f"{path}: no error block in {where}",
                    hint="give the folder of the agent's logs, or paste the error: diagnoser",
                    status=ExitStatus.NO_ERROR_BLOCK,
                )
            )

    def _size(self) -> int:
        return len(self.sightings) + len(self.faults) + len(self._observed)

    def _take(self, found: Survey | Skipped | Leftover, path: str) -> None:
        if isinstance(found, Skipped):
            self.skipped.append(found)
        elif isinstance(found, Leftover):
            self._take_leftover(found, path)
        else:
            settled = [m for m in found.marks if m.name == "surroundings"]
            self._note(notice_marks(settled, found.name), found.name)
            self.sightings += drop_headlines([s for _, s in found.sightings])
            self.faults += [fault for _, fault in found.faults]
            self.skipped += [skipped for _, skipped in found.skipped]
            if found.earlier:
                reason = f"{found.earlier} errors before --since"
                self.skipped.append(Skipped(found.name, reason))

    def _take_leftover(self, found: Leftover, path: str) -> None:
        written = _written(Path(path))
        if found.data is not None:
            source = Input(found.name, found.data)
        elif detect(read_file(Path(found.name), HEAD).data) is Kind.CAPTURE:
            self._observed.keep_capture(found.name)
            return
        else:
            source = read_file(Path(found.name))
        self._read_text(source, written, alone=False, errors=not found.surveyed)

    def collected(self) -> Collected:
        """The evidence of all inputs; captures are searched for the endpoints of the errors."""
        if self._observed.has_captures:
            wanted = [e for b in self.blocks for e in open_case(b).endpoints]
            for left in self._observed.read_captures(wanted, alone=not self.sightings):
                if isinstance(left, Skipped):
                    self.skipped.append(left)
                else:
                    self.faults.append(left)
        return self._observed.collected()

    def _add(self, reading: Reading, source: str) -> None:
        since, earlier = None if self._scope.since is None else Bound(self._scope.since), 0
        for block, at in zip(reading.blocks, reading.moments, strict=True):
            if since is not None and at is not None and since.is_after(at.encode()):
                earlier += 1
            else:
                self.sightings.append(Sighting(block, 1, at, at, ((at[:16], 1),) if at else ()))
        if earlier:
            self.skipped.append(Skipped(source, f"{earlier} errors before --since"))

    def _read_stdin(self, *, quiet: bool) -> None:
        if sys.stdin.isatty() and not quiet:
            greet(self._language)
        self._read_once(read_stream(sys.stdin.buffer, "stdin"))

    def _read_once(self, source: Input) -> None:
        """What cannot be opened again, whatever it is."""
        head = source.data[:HEAD]
        if detect(head) is Kind.CAPTURE or not is_packed(head):
            self._read_text(source, datetime.now(UTC))
            return
        self.skipped += source.skipped
        before = self._size()
        for found in unpack(source.data, source.source, Settings(self._scope.since)):
            self._take(found, source.source)
        if self._size() == before:
            self.faults.append(
                InputError(
                    f"{source.source}: no error block in it",
                    hint="give the agent's logs, or paste the error: diagnoser",
                    status=ExitStatus.NO_ERROR_BLOCK,
                )
            )

    def _read_text(
        self, source: Input, at: datetime, *, alone: bool = True, errors: bool = True
    ) -> None:
        """One text; ``alone`` if the user named it, so that it must hold something. Without
        ``errors`` only what others observed is read from it."""
        kind = detect(source.data[:HEAD])
        if kind is Kind.CAPTURE:
            self._observed.keep_capture(source.source, source.data)
            return
        text = decode(source.data)
        self.skipped += source.skipped
        if kind is Kind.RENDERING:
            fault = f"{source.source} is {RENDERED}"
            self.faults.append(InputError(fault, status=ExitStatus.NO_ERROR_BLOCK))
            return
        if kind is Kind.REPORT:
            self._observed.keep_report(text, source.source)
            return
        # Session secrets of a transcript must not come back as part of an error's message.
        text = drop_secrets(text)
        reading = read_blocks(text if errors else "", source.source)
        self._add(reading, source.source)
        if errors:
            self._note(notice(text, source.source), source.source)
        self.skipped += reading.skipped
        self.faults += reading.faults
        # One text may hold the error and what support had the user run.
        before = len(self._observed)
        if (left := self._observed.observe(text, source.source, at)) is not None:
            self.skipped.append(left)
        observed = len(self._observed) > before
        if alone and not (reading.blocks or reading.faults or observed):
            self._take_rest(text, source.source, errors=errors)

    def _take_rest(self, text: str, source: str, *, errors: bool) -> None:
        """A text without a block and without evidence: a known sentence, or a fault."""
        told = read_sentences(text, source) if errors else ()
        self.sightings += [Sighting(block, 1, None, None, ()) for block in told]
        if told:
            return
        if text.strip():
            self.faults.append(explain_nothing(text, source))
        elif source == "stdin":
            self.faults.append(InputError("stdin is empty", hint="paste the whole error block"))
        else:
            self.faults.append(explain_emptiness(source))


def _folder(source: str) -> str:
    """Where a log lies: its directory, in an archive too."""
    return source.replace("\\", "/").rpartition("/")[0]


def _is_large(path: str) -> bool:
    try:
        return Path(path).stat().st_size > _SMALL
    except (OSError, ValueError):
        return False


def _unpacks_itself(path: str, head: bytes) -> bool:
    if not may_unpack_itself(head):
        return False
    with open_file(Path(path)) as stream:
        return holds_zip(stream)


def _written(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.now(UTC)
