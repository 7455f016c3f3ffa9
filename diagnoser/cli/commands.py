"""The commands. Each puts its options together and makes one call; the work is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagnoser
from diagnoser.cli.options import (
    AgainOption,
    AllowAllOption,
    AllowOption,
    CaFileOption,
    ClientCertOption,
    ClientKeyOption,
    ConnectToOption,
    ExitZeroOption,
    Format,
    FormatOption,
    LangOption,
    Language,
    OfflineOption,
    OutputOption,
    ProxyOption,
    QuietOption,
    Settings,
    TimeoutOption,
)

app = typer.Typer(
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diagnoser {diagnoser.__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
]


@app.callback(invoke_without_command=True)
def paste(
    context: typer.Context,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    offline: OfflineOption = False,
    allow: AllowOption = None,
    allow_all: AllowAllOption = False,
    connect_to: ConnectToOption = None,
    proxy: ProxyOption = None,
    client_cert: ClientCertOption = None,
    client_key: ClientKeyOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = 5.0,
    lang: LangOption = Language.AUTO,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
    version: VersionOption = False,  # noqa: ARG001  (handled by its callback)
) -> None:
    """Diagnose why an Acronis agent fails.

    Paste an error and end with Ctrl-D (Windows: Ctrl-Z, Enter), or: diagnoser < error.txt

    The endpoint is read from the error, a real TLS handshake is made from this machine, and the
    verdict says what it is: a closed port, an intercepted connection (MITM certificate), licence
    synchronisation, or one of their neighbours. Only Acronis hosts are contacted.
    """
    settings = Settings(
        form.value, output, offline, tuple(allow or ()), allow_all, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero,
    )  # fmt: skip
    if context.invoked_subcommand is None:
        from diagnoser.cli import session  # noqa: PLC0415  (the heavy part loads only when needed)

        raise typer.Exit(session.scan(("-",), settings))


@app.command()
def scan(
    paths: Annotated[list[str], typer.Argument(help="Files with errors; - is stdin.")],
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    offline: OfflineOption = False,
    allow: AllowOption = None,
    allow_all: AllowAllOption = False,
    connect_to: ConnectToOption = None,
    proxy: ProxyOption = None,
    client_cert: ClientCertOption = None,
    client_key: ClientKeyOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = 5.0,
    lang: LangOption = Language.AUTO,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
    again: AgainOption = False,
) -> None:
    """Diagnose every error in the given files."""
    from diagnoser.cli import session  # noqa: PLC0415

    settings = Settings(
        form.value, output, offline, tuple(allow or ()), allow_all, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero, again,
    )  # fmt: skip
    raise typer.Exit(session.scan(tuple(paths), settings))


@app.command()
def check(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="What to test; without PORT, the ports of its role.", metavar="HOST[:PORT]"
        ),
    ],
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    connect_to: ConnectToOption = None,
    proxy: ProxyOption = None,
    client_cert: ClientCertOption = None,
    client_key: ClientKeyOption = None,
    ca_file: CaFileOption = None,
    server_name: Annotated[
        str | None, typer.Option("--server-name", help="Send this SNI name.", metavar="NAME")
    ] = None,
    timeout: TimeoutOption = 5.0,
    lang: LangOption = Language.AUTO,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Test endpoints without an error at hand."""
    from diagnoser.cli import session  # noqa: PLC0415

    settings = Settings(
        form.value, output, False, (), True, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero,
    )  # fmt: skip
    raise typer.Exit(session.check(tuple(targets), server_name, settings))


@app.command()
def explain(
    topic: Annotated[
        str | None, typer.Argument(help="A cause (tls-intercepted) or an error (626/307).")
    ] = None,
    lang: LangOption = Language.AUTO,
) -> None:
    """Explain a cause or an error code: tls-intercepted, 626/307, 0x02720133, 41025843."""
    from diagnoser.cli import explaining  # noqa: PLC0415

    raise typer.Exit(explaining.explain(topic, lang.value))


@app.command()
def demo(
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    lang: LangOption = Language.EN,
    quiet: QuietOption = False,
) -> None:
    """See it work: real handshakes against servers on this machine, no internet needed."""
    from diagnoser.cli import session  # noqa: PLC0415

    raise typer.Exit(
        session.demo(Settings(form=form.value, output=output, language=lang.value, quiet=quiet))
    )


# Typer reads annotations at run time; Path must be importable from this module.
__all__ = ["Path", "app"]
