"""The options that the commands share, declared once, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """The report formats on offer."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    NDJSON = "ndjson"


class WatchFormat(StrEnum):
    """How ``watch`` tells of a case."""

    TEXT = "text"
    NDJSON = "ndjson"


class Language(StrEnum):
    """The languages of a report; ``auto`` follows the pasted block."""

    AUTO = "auto"
    EN = "en"
    JA = "ja"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to write the report.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the report to FILE.", metavar="FILE")
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Contact nothing; judge by the error alone.")
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", help="Also probe this host (HOST or HOST:PORT).", metavar="HOST"),
]
AllowAllOption = Annotated[
    bool, typer.Option("--allow-all", help="Probe every host that the error names.")
]
ConnectToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--connect-to",
        help="Connect to ADDRESS:PORT in place of HOST:PORT, as curl does.",
        metavar="HOST:PORT:ADDRESS:PORT",
    ),
]
ProxyOption = Annotated[
    str | None,
    typer.Option(
        "--proxy", help="Tunnel through this HTTP proxy; none: go without any.", metavar="URL"
    ),
]
ClientCertOption = Annotated[
    Path | None,
    typer.Option(
        "--client-cert",
        help="The agent's certificate (PEM); shown to storage endpoints only.",
        metavar="FILE",
    ),
]
ClientKeyOption = Annotated[
    Path | None,
    typer.Option("--client-key", help="Its private key, if kept apart.", metavar="FILE"),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option("--ca-file", help="The CA that the endpoint is expected to have.", metavar="FILE"),
]
TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", help="Seconds for each stage of a probe.", min=0.1, max=60),
]
LangOption = Annotated[Language, typer.Option("--lang", help="Language of the report.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No messages on stderr but errors.")
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="List in text also what was ruled out or not decided."),
]
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="Probe from here also what transcripts and captures show."),
]
BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", help="Also write the whole case as one file.", metavar="CASE.zip"),
]
RedactOption = Annotated[
    bool | None,
    typer.Option(
        "--redact/--no-redact",
        help="Tokens for names outside Acronis; default: in files yes, on stdout no.",
        show_default=False,
    ),
]
RedactionMapOption = Annotated[
    Path | None,
    typer.Option(
        "--redaction-map",
        help="Write what the tokens stand for; for your eyes, not for the case.",
        metavar="FILE",
    ),
]
WatchFormatOption = Annotated[
    WatchFormat, typer.Option("--format", "-f", help="One line a case, for people or as JSON.")
]
ExecOption = Annotated[
    str | None,
    typer.Option(
        "--exec",
        help="Run CMD for each case, its JSON on stdin; no shell is involved.",
        metavar="CMD",
    ),
]
IntervalOption = Annotated[
    float, typer.Option("--interval", help="Seconds between two looks.", min=0.1, max=3600)
]
FromStartOption = Annotated[
    bool, typer.Option("--from-start", help="Diagnose also what the logs hold already.")
]
ExitZeroOption = Annotated[
    bool, typer.Option("--exit-zero", help="Exit 0 whatever was diagnosed (errors excepted).")
]


SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Only errors from this time on: 2026-11-20, 2026-11-20T08:30, or 3d, 12h, 30m ago.",
        metavar="TIME",
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option("--include", help="Of a directory, only files like this.", metavar="PATTERN"),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Of a directory, no files like this.", metavar="PATTERN"),
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", help="Processes that read; 0: as many as the size is worth.", min=0, max=64
    ),
]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for, as typed; nothing is read or checked yet."""

    form: str = "text"
    output: Path | None = None
    offline: bool = False
    allow: tuple[str, ...] = ()
    allow_all: bool = False
    connect_to: tuple[str, ...] = ()
    proxy: str | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    ca_file: Path | None = None
    timeout: float = 5.0
    language: str = "auto"
    quiet: bool = False
    exit_zero: bool = False
    again: bool = False
    bundle: Path | None = None
    redact: bool | None = None
    redaction_map: Path | None = None
    since: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    jobs: int = 0
    verbose: bool = False
