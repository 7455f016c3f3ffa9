"""``openssl s_client`` transcripts of every version since 0.9.8.

Here is told what such a text is and where one run ends; a run is made into a probe in
:mod:`~diagnoser.evidence.transcript_probes`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.evidence.names import KEYS
from diagnoser.evidence.pastes import ECHO, tidy
from diagnoser.evidence.targets import UNKNOWN_HOST

if TYPE_CHECKING:
    from datetime import datetime

    from diagnoser.model import ProbeResult
    from diagnoser.probing import Trust

_MOST_RUNS = 500

# The first entry of a chain; where the heading is lost, it alone says that a chain begins.
_FIRST = rf"(?<![\w.=:])0\s{{1,4}}s:\s?(?=/?(?:{KEYS}|[\d.]+)\s?=)"
_ANCHOR = pattern(
    rf"(?P<echoed>{ECHO}[^\n]*)|(?P<first>{_FIRST})|(?P<command>\bs_client\b(?!:))"
    r"|(?P<connected>CONNECTED\()|(?P<begun>Connecting to [0-9a-fA-F])"
    r"|(?P<chain>Certificate chain)"
    r"|(?P<failed>connect:errno=|gethostbyname failure)|(?P<proxied>HTTP CONNECT failed)"
)
_OVER = pattern(
    r"^(?:closed|DONE|---|read R BLOCK|read:errno=\d+|write:errno=\d+|connect:errno=-?\d+"
    r"|\s*Verify return code:[^\n]*|\s*Extended master secret:[^\n]*|\s*Max Early Data:[^\n]*)$",
    re.MULTILINE,
)
# Anchors of what a run led to, as against those of how it began.
_RESULTS = frozenset({"connected", "chain", "first", "failed"})
_EVIDENT = pattern(
    r"CONNECTED\([0-9A-Fa-f]{8}\)|(?m:^[ \t>]*Certificate chain\b)|Certificate chain\s+0 s:"
    rf"|{_FIRST}"
    r"|connect:errno=-?\d|verify error:num=\d|Verify return code: ?\d|no peer certificate available"
    rf"|(?m:^[ \t>]*depth=\d{{1,2}} /?(?:{KEYS}) ?=)"
)


def is_transcript(text: str) -> bool:
    """Whether ``text`` holds output of s_client; a command alone is none."""
    return _EVIDENT.search(text) is not None


def read_transcripts(
    text: str, source: str, at: datetime, trust: Trust | None = None
) -> tuple[ProbeResult, ...]:
    """One probe for each run of s_client in ``text``, in its order. Never raises.

    ``at`` is when the file was written; the run's own ``Start Time`` is preferred. The vantage is
    the machine where the file was made, of which only the name of the file is known. Runs that
    repeat another one's end-entity certificate without saying whom they asked are left out.
    """
    if not is_transcript(text):
        return ()
    # Most texts hold none, and its grammar takes longer to build than they take to read.
    from diagnoser.evidence.transcript_probes import probe_of  # noqa: PLC0415

    runs = _runs(tidy(text))[:_MOST_RUNS]
    found = [p for run in runs if (p := probe_of(run, source, at, trust)) is not None]
    return tuple(p for p in found if not _is_repeated(p, found))


def _runs(text: str) -> list[str]:
    """Cut where the next run begins; a run's errors may stand above its ``CONNECTED`` line."""
    cuts, told = [0], 0
    seen: set[str] = set()
    for match in _ANCHOR.finditer(text):
        kind = match.lastgroup or ""
        over = seen & _RESULTS
        again = {
            "command": bool(over) or bool(seen & {"command", "echoed", "proxied"}),
            "echoed": bool(over) and _OVER.search(text, told, match.start()) is not None,
            "connected": bool(over),
            "begun": bool(over),
            "chain": bool(seen & {"chain", "first"}),
            "first": "first" in seen,
            "failed": bool(over),
            # The connection to the proxy is open; the line about that may stand above or below.
            "proxied": bool(seen & {"chain", "first", "proxied"}),
        }[kind]
        if again:
            start = match.start()
            if kind == "command":
                start = text.rfind("\n", cuts[-1], start) + 1 or start
            elif kind != "echoed":
                ends = [m.end() for m in _OVER.finditer(text, max(told, cuts[-1]), start)]
                start = ends[-1] if ends else start
            cuts.append(max(start, cuts[-1]))
            seen = set()
        seen.add(kind)
        if kind in _RESULTS:
            told = match.start()
    return [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True) if b > a]


def _is_repeated(probe: ProbeResult, found: list[ProbeResult]) -> bool:
    """An excerpt of another run: the same certificate, and not a word on whom it was asked of."""
    leaf = probe.tls.end_entity if probe.tls else None
    if leaf is None or probe.endpoint.host != UNKNOWN_HOST:
        return False
    return any(
        other is not probe
        and other.endpoint.host != UNKNOWN_HOST
        and other.tls is not None
        and other.tls.end_entity is not None
        and (other.tls.end_entity.subject, other.tls.end_entity.issuer)
        == (leaf.subject, leaf.issuer)
        for other in found
    )
