"""The manual page, made of the same declarations as ``--help``: roff for ``man`` and ``mandoc``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import typer
from typer.main import get_command

import diagnoser
from diagnoser.catalog import words
from diagnoser.errors import ExitStatus
from diagnoser.rules import CAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATUSES = {
    ExitStatus.NO_FAULT: "judged, no fault",
    ExitStatus.FAULT: "a fault was diagnosed, or is suspected",
    ExitStatus.USAGE: "wrong usage",
    ExitStatus.UNDECIDED: "judged, but unexplained or undecided",
    ExitStatus.NO_ERROR_BLOCK: "the input holds no error block",
    ExitStatus.NO_INPUT: "the input is missing, empty or unreadable",
    ExitStatus.SOFTWARE: "a bug in diagnoser",
    ExitStatus.NOT_WRITTEN: "the report could not be written",
    ExitStatus.INTERRUPTED: "interrupted",
}
# Of the last change to the options; man shows it, and a page of today would differ every day.
_DATE = "2026-11-24"
_EXAMPLES = (
    ("diagnoser error.txt", "Diagnose a copied error."),
    ("diagnoser scan --bundle case.zip /var/lib/Acronis", "All logs, and a case for support."),
    ("diagnoser check eu2-cloud.acronis.com", "Test the ports of a data centre."),
    ("diagnoser watch --exec 'notify --case' /var/lib/Acronis", "Follow live logs."),
    ("diagnoser explain 626/307", "What an error code means."),
)
_ENVIRONMENT = (
    ("DIAGNOSER_LANG", "Language of the report where neither --lang nor the error tells."),
    ("DIAGNOSER_DEBUG", "Show a traceback if diagnoser itself fails."),
    ("HTTPS_PROXY, NO_PROXY", "The proxy to use where the agent's own settings name none."),
)


def render(app: typer.Typer) -> str:
    """The page of section 1."""
    group = get_command(app)
    context = group.make_context("diagnoser", [], resilient_parsing=True)
    commands = getattr(group, "commands", {})
    shown = [(n, c) for n, c in commands.items() if not c.hidden]
    lines = [
        f'.TH DIAGNOSER 1 "{_DATE}" "diagnoser {diagnoser.__version__}" "User Commands"',
        ".SH NAME",
        "diagnoser \\- diagnose why an Acronis agent fails",
        ".SH SYNOPSIS",
        ".B diagnoser",
        "[\\fIoptions\\fR] [\\fB<\\fR \\fIerror.txt\\fR]",
    ]
    for name, command in shown:
        arguments = [
            p.make_metavar(context) for p in command.params if p.param_type_name != "option"
        ]
        lines += [
            ".br",
            f".B diagnoser {_plain(name)}",
            _plain(" ".join(["[options]", *arguments])),
        ]
    lines += [".SH DESCRIPTION", *_prose(group.help or "")]
    lines += [".SH OPTIONS", *_options(group.params)]
    lines.append(".SH COMMANDS")
    for name, command in shown:
        own = [p for p in command.params if p.name not in {q.name for q in group.params}]
        lines += [f".SS {_plain(name)}", *_prose(command.help or ""), *_options(own)]
    lines.append(".SH CAUSES")
    told = words("en").causes
    lines += _listed((c, f"{told[c].title} ({g.value}).") for c, g in CAUSES.items())
    lines += [".SH EXIT STATUS", *_listed((str(s.value), f"{t}.") for s, t in _STATUSES.items())]
    lines += [".SH ENVIRONMENT", *_listed(_ENVIRONMENT)]
    lines += [".SH EXAMPLES", *_listed(_EXAMPLES)]
    lines += [".SH SEE ALSO", *_prose("openssl-s_client(1ssl), Acronis Knowledge Base 70285")]
    return "\n".join(lines) + "\n"


def _options(parameters: Sequence[object]) -> Iterator[str]:
    """Every option with its values and its help, as ``--help`` has them."""
    for parameter in parameters:
        record = getattr(parameter, "help", None)
        names = [*getattr(parameter, "opts", ()), *getattr(parameter, "secondary_opts", ())]
        if record is None or getattr(parameter, "hidden", False):
            continue
        if not names[0].startswith("-"):
            names = [str(getattr(parameter, "metavar", None) or names[0].upper())]
        values = _values(parameter)
        yield ".TP"
        yield ", ".join(f"\\fB{_plain(n)}\\fR" for n in names) + values
        yield from _prose(record)


def _values(parameter: object) -> str:
    if getattr(parameter, "is_flag", True):
        return ""
    choices = getattr(getattr(parameter, "type", None), "choices", None)
    shown = getattr(parameter, "metavar", None)
    if choices:
        shown = "|".join(str(getattr(c, "value", c)) for c in choices)
    name = shown or str(getattr(getattr(parameter, "type", None), "name", "VALUE")).upper()
    return f" \\fI{_plain(name.replace(' RANGE', ''))}\\fR"


def _listed(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    for head, text in items:
        yield ".TP"
        yield f"\\fB{_plain(head)}\\fR"
        yield from _prose(text)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs, a line of input at most 76 letters long."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        flat = re.sub(r"``?([^`]+)``?", r"\1", " ".join(paragraph.split()))
        for line in textwrap.wrap(flat, 76, break_on_hyphens=False, break_long_words=False):
            shown = _plain(line)
            yield f"\\&{shown}" if shown.startswith((".", "'")) else shown


def _plain(text: str) -> str:
    """``text`` without meaning to roff; hyphens stay those that a shell understands."""
    return text.replace("\\", "\\e").replace("-", "\\-")
