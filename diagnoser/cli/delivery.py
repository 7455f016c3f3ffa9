"""Where a report goes: stdout, a file, a case bundle; redacted wherever it leaves the screen."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diagnoser.cli import say
from diagnoser.cli.options import Settings
from diagnoser.cli.printing import READ_AS_TEXT, put
from diagnoser.errors import OutputError, UsageError
from diagnoser.model import Report
from diagnoser.reports import render
from diagnoser.reports.measuring import WIDTH, Layout
from diagnoser.reports.overview import in_order
from diagnoser.reports.redaction import redact
from diagnoser.reports.tokens import Entry

_NARROWEST = 40
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def check_targets(settings: Settings, inputs: Sequence[str] = ()) -> None:
    """Refuse what would be written to the wrong place; raises ``UsageError``.

    Before anything is read or contacted, because an input may be gone afterwards.
    """
    named = [
        ("--redaction-map", settings.redaction_map),
        ("--bundle", settings.bundle),
        ("--output", settings.output),
    ]
    read = [p for p in inputs if p != "-"]
    read += [str(p) for p in (settings.client_cert, settings.client_key, settings.ca_file) if p]
    taken = {mark for p in read for mark in _marks(Path(p))}
    for option, path in named:
        if path is None:
            continue
        place, marks = _place(path), _marks(path)
        if marks & taken or (Path(place).is_file() and _folders(place) & taken):
            raise UsageError(
                f"{option} {path} would overwrite a file that is read or written elsewhere",
                hint=f"give {option} a name of its own",
            )
        taken |= marks
    if settings.bundle is not None and settings.bundle.suffix.lower() != ".zip":
        raise UsageError(
            f"--bundle {settings.bundle} is a zip archive and should be called one",
            hint=f"for example --bundle {settings.bundle}.zip",
        )
    if settings.redaction_map is not None and not _redacts(settings):
        raise UsageError(
            "--redaction-map has nothing to tell: nothing is redacted",
            hint="add --redact, or write the report with --output or --bundle",
        )


def _place(path: Path) -> str:
    """Which file a path names, by links and in any case of letters where the system ignores it."""
    return os.path.normcase(os.path.realpath(path))


def _marks(path: Path) -> set[str]:
    """By what two paths are known to name one file: also by its identity, as macOS ignores case."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return {_place(path)}
    is_file = stat.S_ISREG(status.st_mode)
    return {_place(path), *([f"{status.st_dev}:{status.st_ino}"] if is_file else [])}


def _folders(place: str) -> set[str]:
    """The folders above a file: what stands in a folder that is scanned is an input."""
    return {str(folder) for folder in Path(place).parents}


def _redacts(settings: Settings) -> bool:
    if settings.redact is not None:
        return settings.redact
    return settings.output is not None or settings.bundle is not None


def deliver(report: Report, settings: Settings, language: str) -> None:
    """Write the report wherever the settings want it, its cases in order; raises ``OutputError``.

    One redaction serves all targets, so that a token means the same in each.
    """
    shown = hidden = report = replace(report, diagnoses=in_order(report.diagnoses))
    entries: tuple[Entry, ...] = ()
    if _redacts(settings):
        redacted = redact(report)
        hidden, entries = redacted.report, redacted.entries
    if settings.redact or (settings.output is not None and settings.redact is None):
        shown = hidden
    _put(render(shown, settings.form, language, _layout(settings)), settings)
    if settings.bundle is not None:
        from diagnoser.reports.bundle import pack  # noqa: PLC0415  (all formats, only for it)

        bundle = pack(hidden, language, redacted=_redacts(settings))
        _save(settings.bundle, bundle.data, "--bundle")
        _tell(settings, f"case bundle written to {settings.bundle}")
        if bundle.left_out:
            _tell(settings, f"{bundle.left_out} excerpts were left out; report.json has all cases")
        if bundle.is_large:
            size = len(bundle.data) / 1_000_000
            _tell(settings, f"it has {size:.0f} MB: too much for some mail servers (5 MB a file)")
    if settings.redaction_map is not None:
        _save(settings.redaction_map, _map(entries), "--redaction-map")
        _tell(
            settings, f"what the tokens stand for: {settings.redaction_map} (keep it to yourself)"
        )


def _layout(settings: Settings) -> Layout:
    """Text as wide as the terminal it goes to, which is not asked where it goes elsewhere."""
    width = WIDTH
    if settings.output is None and sys.stdout.isatty():
        room = shutil.get_terminal_size((WIDTH, 24)).columns
        # A line that fills the last column is followed by an empty one on consoles of Windows.
        width = max(_NARROWEST, min(WIDTH, room - (os.name == "nt")))
    return Layout(width, settings.verbose)


def _map(entries: Sequence[Entry]) -> bytes:
    found = {e.token: e.value for e in entries}
    return (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def _put(text: str, settings: Settings) -> None:
    if settings.output is None:
        put(text, settings.form)
        return
    _save(settings.output, _as_file(text, settings.form, os.linesep), "--output")
    _tell(settings, f"report written to {settings.output}")


def _as_file(text: str, form: str, line_end: str) -> bytes:
    """What is read by people has the system's line ends: to Notepad before Windows 10 1809 a text
    without them is one line."""
    return (text.replace("\n", line_end) if form in READ_AS_TEXT else text).encode()


def _tell(settings: Settings, text: str) -> None:
    if not settings.quiet:
        say(text)


def _save(target: Path, data: bytes, option: str) -> None:
    """Whole or not at all, readable by the user alone: a half-written file would be attached.

    What is no file of its own (a device, a pipe, a link) is written through, never replaced.
    """
    try:
        if target.is_symlink() or (target.exists() and not target.is_file()):
            with target.open("wb") as through:
                through.write(data)
            return
        # tempfile would try 10,000 names in a folder of Windows that may not be written to, and
        # secrets would load OpenSSL.
        draft = target.parent / f".{target.name[:100]}.{os.urandom(8).hex()}"
        handle = os.open(draft, _CREATE, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            draft.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"{target} could not be written: {error.strerror or type(error).__name__}",
            hint=f"choose another place with {option}",
        ) from error
