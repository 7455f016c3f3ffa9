"""The command line: options, one call, print, exit status. Imports nothing heavy at start."""

from __future__ import annotations

import gc
import os
import sys

from diagnoser.errors import BlockSyntaxError, DiagnoserError, ExitStatus


def run() -> None:
    """Entry point of the ``diagnoser`` command."""
    # A run is short and what it makes lives to its end: looking for garbage as often as Python does
    # by itself takes a tenth of the time to start.
    gc.set_threshold(200_000)
    from diagnoser.cli.commands import app  # noqa: PLC0415  (typer loads only for the command)
    from diagnoser.cli.wildcards import with_home  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        # A Windows console may not know a letter of the report; show its number instead.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        # Given arguments are left alone: on Windows typer would replace whatever looks like a
        # pattern, also behind --include, and `$NAME` in a password.
        app(args=with_home(sys.argv[1:], os.name), prog_name="diagnoser")
    except DiagnoserError as error:
        explain_failure(error)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone; a second error from flushing at exit would only be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitStatus.NOT_WRITTEN)
    except Exception as error:
        if os.environ.get("DIAGNOSER_DEBUG"):
            raise
        say(f"diagnoser: internal error: {type(error).__name__}: {error}")
        say("hint: this is a bug; run again with DIAGNOSER_DEBUG=1 and report what it prints")
        sys.exit(ExitStatus.SOFTWARE)


def say(text: str) -> None:
    """One message to the user on stderr; control characters are written out."""
    from diagnoser.visible import visible  # noqa: PLC0415

    print(visible(text), file=sys.stderr)  # noqa: T201


def explain_failure(error: DiagnoserError) -> None:
    """The failure, the place with a caret if it has one, and what to do next."""
    shown = error.render() if isinstance(error, BlockSyntaxError) else str(error)
    say(f"diagnoser: {shown}")
    if error.hint:
        say(f"hint: {error.hint}")
