"""What was given in place of an error text: a packed file, binary data, a number, an idle log."""

from __future__ import annotations

import re
import shlex

from diagnoser.catalog import words
from diagnoser.deferral import pattern
from diagnoser.errors import BlockSyntaxError, DiagnoserError, ExitStatus, InputError
from diagnoser.grammar import explain_absence

_HEAD = 4096
_LONGEST_CODE = 300
# A few lines around a number, as people ask in a forum; a log is more.
_LONGEST_TEXT = 1000
_CONTROL = pattern("[\x00-\x06\x0e-\x19\x1c-\x1f\x7f]")
_CURL = pattern(r"^curl: \((\d{1,3})\)", re.MULTILINE)
_NUMBER = pattern(r"(?<!\w)(?:0x[0-9A-Fa-f]{5,8}|[EW][0-9A-Fa-f]{8})(?!\w)")
# ``I01350016:`` in the head of an entry, or the level of the entry below its head.
_INFORMATION = pattern(
    r"\bI[0-9A-F]{8}:|^[ \t|]*trace level:[ \t]*(?:information|debug|verbose)", re.IGNORECASE
)


def explain_nothing(text: str, source: str) -> DiagnoserError:
    """The failure of a text without an error block, with the command that fits what it is."""
    head = text[:_HEAD]
    if len(_CONTROL.findall(head)) * 50 > len(head):
        return InputError(
            f"{source}: binary data, no text",
            hint="give a log, or an archive of logs: diagnoser scan FILE",
            status=ExitStatus.NO_ERROR_BLOCK,
        )
    if topic := _topic(text):
        return InputError(
            f"{source}: {topic} without an error block around it",
            hint=f"diagnoser explain {shlex.quote(topic)} says what it means; for a diagnosis paste"
            " the whole block, from `Error code:` on",
            status=ExitStatus.NO_ERROR_BLOCK,
        )
    fault = explain_absence(text, source)
    return _idle(text, fault) or fault


def _topic(text: str) -> str | None:
    """What ``diagnoser explain`` knows of a short text."""
    if curl := _CURL.search(text):
        return f"curl:{curl[1]}"
    line = text.strip()
    if not line or len(line) > _LONGEST_TEXT:
        return None
    if "\n" in line or len(line) > _LONGEST_CODE:
        number = None if _INFORMATION.search(line) else _NUMBER.search(line)
        return number[0] if number else None
    from diagnoser.cli.explaining import parse_code  # noqa: PLC0415  (only for what is no error)
    from diagnoser.cli.numbers import explain_number  # noqa: PLC0415

    if parse_code(line) is not None or explain_number(line, words("en")) is not None:
        return line
    number = _NUMBER.search(line)
    return number[0] if number else None


def _idle(text: str, fault: BlockSyntaxError) -> DiagnoserError | None:
    """The place that comes closest may be an entry of mere information."""
    lines = text.splitlines()[fault.line - 1 : fault.line + 3]
    if not any(_INFORMATION.search(x) for x in (fault.text, *lines[1:])):
        return None
    return InputError(
        f"{fault.source}:{fault.line}: an entry of information, no error; nor is there one in the"
        " other entries",
        hint="give the log of the time when it failed, or the folder: diagnoser scan DIR",
        status=ExitStatus.NO_ERROR_BLOCK,
    )
