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
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="Probe from here also what transcripts and captures show."),
]
ExitZeroOption = Annotated[
    bool, typer.Option("--exit-zero", help="Exit 0 whatever was diagnosed (errors excepted).")
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
