"""One run of the tool: read, diagnose, report, exit status. Options become values here."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import diagnoser
from diagnoser.cli import explain_failure, say
from diagnoser.cli.options import Settings
from diagnoser.diagnosis import (
    Inquiry,
    Permission,
    diagnose,
    investigate,
    judge,
    open_check,
    ports_to_check,
)
from diagnoser.errors import (
    BlockSyntaxError,
    DiagnoserError,
    ExitStatus,
    InputError,
    OutputError,
    UsageError,
)
from diagnoser.grammar import explain_absence, read_blocks
from diagnoser.model import (
    Category,
    Diagnosis,
    ErrorBlock,
    Proxy,
    Report,
    Skipped,
    Standing,
    Vantage,
)
from diagnoser.probing import (
    RedirectedNetwork,
    SystemNetwork,
    Trust,
    load_credentials,
    parse_redirection,
    system_vantage,
)
from diagnoser.reading.encodings import decode
from diagnoser.reading.sources import read_file, read_stream
from diagnoser.reports import render

_TARGET = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]\s/]+)(?::(?P<port>\d{1,5}))?")


def scan(paths: Sequence[str], settings: Settings) -> int:
    """Diagnose all errors of the given files (``-`` is stdin); returns the exit status."""
    inquiry = _inquiry(settings)
    blocks: list[ErrorBlock] = []
    skipped: list[Skipped] = []
    faults: list[DiagnoserError] = []
    for path in paths:
        _read(path, settings, blocks, skipped, faults)
    diagnoses = diagnose(blocks, inquiry)
    if diagnoses:
        skipped += [Skipped("input", str(f)) for f in faults]
    report = _report(diagnoses, inquiry.vantage, tuple(skipped))
    if not diagnoses:
        for fault in faults:
            explain_failure(fault)
        if settings.form == "json":
            _write(report, settings, blocks)
        return next((f.status for f in faults), ExitStatus.NO_ERROR_BLOCK)
    _write(report, settings, blocks)
    return exit_status(diagnoses, settings)


def check(targets: Sequence[str], server_name: str | None, settings: Settings) -> int:
    """Probe the endpoints that the user named; returns the exit status."""
    inquiry = _inquiry(settings)
    cases = []
    for target in targets:
        host, port = _host_and_port(target)
        ports = ports_to_check(host) if port is None else (port,)
        is_literal = ":" in host or host.replace(".", "").isdigit()
        cases.append(open_check(host, ports, server_name or (None if is_literal else host)))
    diagnoses = tuple(judge(c) for c in investigate(cases, inquiry))
    _write(_report(diagnoses, inquiry.vantage, ()), settings, ())
    return exit_status(diagnoses, settings)


def demo(settings: Settings) -> int:
    """Run the samples through the pipeline against the built-in lab on loopback."""
    from diagnoser import lab  # noqa: PLC0415  (servers and key generation, for this command only)

    if not settings.quiet:
        say("demo: servers on 127.0.0.1 play Acronis, a firewall and a closed port; no internet")
    with lab.serve() as stage:
        inquiry = Inquiry(
            network=RedirectedNetwork(SystemNetwork(), stage.redirections),
            trust=stage.trust,
            credentials=stage.credentials,
            vantage=system_vantage(),
            timeout=2.0,
        )
        blocks = [b for s in stage.samples for b in read_blocks(s.text, s.source).blocks]
        diagnoses = diagnose(blocks, inquiry)
    _write(_report(diagnoses, inquiry.vantage, ()), settings, ())
    return ExitStatus.NO_FAULT


def exit_status(diagnoses: Sequence[Diagnosis], settings: Settings) -> int:
    """1 if any case has a fault, else 3 if any is undecided, else 0."""
    if settings.exit_zero:
        return ExitStatus.NO_FAULT
    causes = [d.cause for d in diagnoses]
    if any(c is not None and c.category is not Category.NONE for c in causes):
        return ExitStatus.FAULT
    settled = all(c is not None and c.finding.standing is Standing.APPLIES for c in causes)
    return ExitStatus.NO_FAULT if settled else ExitStatus.UNDECIDED


def _read(
    path: str,
    settings: Settings,
    blocks: list[ErrorBlock],
    skipped: list[Skipped],
    faults: list[DiagnoserError],
) -> None:
    """Read one input; what cannot be read or parsed is collected, never lost."""
    try:
        if path == "-":
            if sys.stdin.isatty() and not settings.quiet:
                key = "Ctrl-Z, Enter" if os.name == "nt" else "Ctrl-D"
                say(f"Paste the error block, from its code to its message, then press {key}.")
            source = read_stream(sys.stdin.buffer, "stdin")
        else:
            source = read_file(Path(path))
        text = decode(source.data)
        skipped += source.skipped
        reading = read_blocks(text, source.source)
        blocks += reading.blocks
        skipped += reading.skipped
        faults += reading.faults
        if not text.strip():
            faults.append(
                InputError(f"{source.source} is empty", hint="paste the whole error block")
            )
        elif not reading.blocks and not reading.faults:
            faults.append(explain_absence(text, source.source))
    except (InputError, BlockSyntaxError) as error:
        faults.append(error)


def _inquiry(settings: Settings) -> Inquiry:
    """Options made into values; raises ``UsageError`` before anything is contacted."""
    vantage = system_vantage()
    redirections = tuple(parse_redirection(r) for r in settings.connect_to)
    credentials = None
    if settings.client_cert is not None:
        credentials = load_credentials(settings.client_cert, settings.client_key)
    elif settings.client_key is not None:
        raise UsageError(
            "--client-key needs the certificate it belongs to", hint="add --client-cert FILE"
        )
    named = [*settings.allow, *(f"{r.host}:{r.port}" for r in redirections if r.host and r.port)]
    return Inquiry(
        network=None if settings.offline else RedirectedNetwork(SystemNetwork(), redirections),
        trust=None if settings.offline else Trust.load(settings.ca_file),
        vantage=vantage,
        permission=Permission(frozenset(n.lower() for n in named), settings.allow_all),
        timeout=settings.timeout,
        proxy=_proxy(settings.proxy) if settings.proxy else None,
        credentials=credentials,
    )


def _host_and_port(text: str) -> tuple[str, int | None]:
    match = _TARGET.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text!r} is not HOST or HOST:PORT",
            hint="for example diagnoser check eu-cloud.acronis.com:443",
        )
    return match["host"].strip("[]").lower(), _port(match["port"]) if match["port"] else None


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise UsageError(f"{text} is no port number", hint="a port is a number from 1 to 65535")
    return port


def _proxy(text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 8080
    except ValueError:
        parts, port = urlsplit("http://"), 0
    if parts.scheme != "http" or not parts.hostname:
        # The text may hold a password, so it is not repeated.
        raise UsageError(
            "--proxy is not an HTTP proxy's address", hint="for example --proxy http://proxy:3128"
        )
    return Proxy(
        parts.hostname,
        port,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def _report(
    diagnoses: Sequence[Diagnosis], vantage: Vantage, skipped: tuple[Skipped, ...]
) -> Report:
    return Report(diagnoser.__version__, datetime.now(UTC), vantage, tuple(diagnoses), skipped)


def _language(settings: Settings, blocks: Sequence[ErrorBlock]) -> str:
    """``--lang``, else the language of the first block, else that of the environment."""
    if settings.language != "auto":
        return settings.language
    if blocks and blocks[0].language is not None:
        return blocks[0].language
    for name in ("DIAGNOSER_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return value[:2].lower()
    return "en"


def _write(report: Report, settings: Settings, blocks: Sequence[ErrorBlock]) -> None:
    text = render(report, settings.form, _language(settings, blocks))
    if settings.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target = settings.output
    try:
        # Whole or not at all: a half-written report would be attached to a case.
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(draft).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"{target} could not be written: {error.strerror or type(error).__name__}",
            hint="choose another place with --output",
        ) from error
    if not settings.quiet:
        say(f"report written to {target}")
