"""The commands. Each puts its options together and makes one call; the work is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagnoser
from diagnoser.cli.entrance import Entrance, hand_on
from diagnoser.cli.options import (
    AgainOption,
    AllowAllOption,
    AllowOption,
    BundleOption,
    CaFileOption,
    ClientCertOption,
    ClientKeyOption,
    ConnectToOption,
    ExcludeOption,
    ExecOption,
    ExitZeroOption,
    Format,
    FormatOption,
    FromStartOption,
    IncludeOption,
    IntervalOption,
    JobsOption,
    LangOption,
    Language,
    OfflineOption,
    OutputOption,
    ProxyOption,
    QuietOption,
    RedactionMapOption,
    RedactOption,
    Settings,
    SinceOption,
    TimeoutOption,
    VerboseOption,
    WatchFormat,
    WatchFormatOption,
)

app = typer.Typer(
    cls=Entrance,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diagnoser {diagnoser.__version__}")
        raise typer.Exit


def _causes(incomplete: str) -> list[tuple[str, str]]:
    """The causes that a shell completes, each with its title."""
    from diagnoser.catalog import words  # noqa: PLC0415  (only where the shell asks)

    told = words("en").causes
    return [(c, w.title) for c, w in told.items() if c.startswith(incomplete)]


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
]


@app.callback(invoke_without_command=True)
def paste(
    context: typer.Context,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    bundle: BundleOption = None,
    redact: RedactOption = None,
    redaction_map: RedactionMapOption = None,
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
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
    version: VersionOption = False,  # noqa: ARG001  (handled by its callback)
) -> None:
    """Diagnose why an Acronis agent fails.

    Paste an error and end with Ctrl-D (Windows: Ctrl-Z, Enter), or: diagnoser error.txt

    The endpoint is read from the error, a real TLS handshake is made from this machine, and the
    verdict says what it is: a closed port, an intercepted connection (MITM certificate), licence
    synchronisation, or one of their neighbours. Only Acronis hosts are contacted.
    """
    if context.invoked_subcommand is not None:
        hand_on(context)
        return
    settings = Settings(
        form.value, output, offline, tuple(allow or ()), allow_all, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero,
        bundle=bundle, redact=redact, redaction_map=redaction_map,
        verbose=verbose,
    )  # fmt: skip
    from diagnoser.cli import session  # noqa: PLC0415  (the heavy part loads only when needed)

    raise typer.Exit(session.scan(("-",), settings))


@app.command()
def scan(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, directories, archives; logs, transcripts, captures, reports; - is stdin."
        ),
    ],
    since: SinceOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    jobs: JobsOption = 0,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    bundle: BundleOption = None,
    redact: RedactOption = None,
    redaction_map: RedactionMapOption = None,
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
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
    again: AgainOption = False,
) -> None:
    """Diagnose every error in the given files."""
    from diagnoser.cli import session  # noqa: PLC0415

    settings = Settings(
        form.value, output, offline, tuple(allow or ()), allow_all, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero, again,
        bundle=bundle, redact=redact, redaction_map=redaction_map,
        verbose=verbose,
        since=since, include=tuple(include or ()), exclude=tuple(exclude or ()), jobs=jobs,
    )  # fmt: skip
    raise typer.Exit(session.scan(tuple(paths), settings))


@app.command()
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to test; without PORT, the ports of its role.", metavar="HOST[:PORT]"
        ),
    ] = None,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    bundle: BundleOption = None,
    redact: RedactOption = None,
    redaction_map: RedactionMapOption = None,
    connect_to: ConnectToOption = None,
    proxy: ProxyOption = None,
    client_cert: ClientCertOption = None,
    client_key: ClientKeyOption = None,
    ca_file: CaFileOption = None,
    server_name: Annotated[
        str | None, typer.Option("--server-name", help="Send this SNI name.", metavar="NAME")
    ] = None,
    data_center: Annotated[
        str | None,
        typer.Option(
            "--data-center", help="All that an agent needs there, such as eu2.", metavar="NAME"
        ),
    ] = None,
    timeout: TimeoutOption = 5.0,
    lang: LangOption = Language.AUTO,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Test endpoints without an error at hand."""
    from diagnoser.cli import session  # noqa: PLC0415

    settings = Settings(
        form.value, output, False, (), True, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero,
        bundle=bundle, redact=redact, redaction_map=redaction_map,
        verbose=verbose,
    )  # fmt: skip
    raise typer.Exit(session.check(tuple(targets or ()), server_name, settings, data_center))


@app.command()
def explain(
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            help="A cause (tls-intercepted) or an error (626/307).", autocompletion=_causes
        ),
    ] = None,
    lang: LangOption = Language.AUTO,
) -> None:
    """Explain a cause or an error code: tls-intercepted, 626/307, 0x02720133, 41025843."""
    from diagnoser.cli import explaining  # noqa: PLC0415

    # Several words are one topic: ``explain 307 626``, ``explain closed port``.
    raise typer.Exit(explaining.explain(" ".join(topic) if topic else None, lang.value))


@app.command()
def demo(
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    bundle: BundleOption = None,
    redact: RedactOption = None,
    redaction_map: RedactionMapOption = None,
    lang: LangOption = Language.EN,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """See it work: real handshakes against servers on this machine, no internet needed."""
    from diagnoser.cli import session  # noqa: PLC0415

    settings = Settings(
        form=form.value, output=output, language=lang.value, quiet=quiet,
        bundle=bundle, redact=redact, redaction_map=redaction_map,
        verbose=verbose,
    )  # fmt: skip
    raise typer.Exit(session.demo(settings))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the report."""
    from diagnoser.cli.printing import put  # noqa: PLC0415
    from diagnoser.reports import schema as description  # noqa: PLC0415

    put(description.render(), "json")


@app.command()
def watch(
    directory: Annotated[str, typer.Argument(help="The folder of the logs.", metavar="DIR")],
    form: WatchFormatOption = WatchFormat.TEXT,
    command: ExecOption = None,
    interval: IntervalOption = 2.0,
    from_start: FromStartOption = False,
    redact: RedactOption = None,
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
) -> None:
    """Follow live logs and diagnose each new error once; Ctrl-C ends."""
    from diagnoser.cli import watching  # noqa: PLC0415

    settings = Settings(
        form.value, None, offline, tuple(allow or ()), allow_all, tuple(connect_to or ()), proxy,
        client_cert, client_key, ca_file, timeout, lang.value, quiet, exit_zero, redact=redact,
    )  # fmt: skip
    wanted = watching.Watch(directory, interval, from_start, watching.split_command(command))
    raise typer.Exit(watching.watch(wanted, settings))


@app.command(hidden=True)
def man() -> None:
    """Print the manual page (roff)."""
    from diagnoser.cli import manual  # noqa: PLC0415

    typer.echo(manual.render(app), nl=False)


# Typer reads annotations at run time; Path must be importable from this module.
__all__ = ["Path", "app"]
