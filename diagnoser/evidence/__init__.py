"""Evidence that others collected, made into the same record as a live probe.

A support engineer rarely sits at the failing machine. What he is sent (transcripts of ``openssl
s_client`` and ``curl -v``, Wireshark captures, checker output, saved reports) goes through the same
rules as a handshake of our own; the report says where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from diagnoser.deferral import defer
from diagnoser.errors import InputError
from diagnoser.evidence.checkers import (
    Check,
    is_checker,
    is_moved_by_checks,
    read_checks,
    recognise_checks,
)
from diagnoser.evidence.curls import is_curl, read_curls
from diagnoser.evidence.joining import attach, join
from diagnoser.evidence.packets import opens_capture
from diagnoser.evidence.pastes import drop_secrets
from diagnoser.evidence.renderings import RENDERED, REPORT, is_rendering, read_bundle
from diagnoser.evidence.replay import opens_report, read_report
from diagnoser.evidence.transcripts import is_transcript, read_transcripts
from diagnoser.evidence.unopened import read_unopened
from diagnoser.model import Case, ProbeResult
from diagnoser.reading.encodings import decode

if TYPE_CHECKING:
    from diagnoser.evidence.captures import read_capture
else:
    __getattr__ = defer(__name__, {"read_capture": "captures"})

__all__ = [
    "HEAD",
    "RENDERED",
    "REPORT",
    "Check",
    "Collected",
    "Kind",
    "attach",
    "detect",
    "drop_secrets",
    "explain_emptiness",
    "is_curl",
    "is_moved_by_checks",
    "is_transcript",
    "join",
    "read_bundle",
    "read_capture",
    "read_checks",
    "read_curls",
    "read_report",
    "read_transcripts",
    "read_unopened",
    "recognise_checks",
]

# How much of a file :func:`detect` wants to see: stderr may stand above the first anchor.
HEAD = 65536


@dataclass(frozen=True, slots=True)
class Collected:
    """All evidence of one run: observations, lines of checkers, and cases of saved reports."""

    probes: tuple[ProbeResult, ...] = ()
    checks: tuple[Check, ...] = ()
    cases: tuple[Case, ...] = ()


class Kind(StrEnum):
    """What a file is, where it is no error text."""

    TRANSCRIPT = "transcript"
    CAPTURE = "capture"
    CHECKER = "checker"
    REPORT = "report"
    RENDERING = "rendering"


def detect(head: bytes) -> Kind | None:
    """What a file is that begins with ``head``, by its content; ``None``: perhaps an error text.

    A text may hold an error and a transcript; this names the first of the kinds that it holds.
    """
    if opens_capture(head):
        return Kind.CAPTURE
    if opens_report(head):
        return Kind.REPORT
    text = decode(head)
    if is_rendering(text):
        return Kind.RENDERING
    if is_transcript(text) or is_curl(text):
        return Kind.TRANSCRIPT
    return Kind.CHECKER if is_checker(text) else None


def explain_emptiness(source: str) -> InputError:
    """The error for an empty file: ``s_client … > FILE`` saves stdout only (KB 70285)."""
    return InputError(
        f"{source} is empty, so it is inconclusive",
        hint="of a log, give the folder with those before it; of openssl, run it again and save"
        " stderr too, where it writes failures: openssl s_client -showcerts -connect HOST:PORT"
        " > FILE 2>&1",
    )
