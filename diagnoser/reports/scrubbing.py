"""Takes traces out of a text in every encoding that they may stand in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from diagnoser.deferral import pattern
from diagnoser.reports.confidential import Secret, Trace
from diagnoser.reports.naming import Kind
from diagnoser.reports.traces import mails
from diagnoser.reports.views import View, hidden, joined, layers, plain

Look = Callable[[str], Iterable[Trace]]
Name = Callable[[Trace], str]

# Longer texts are dumps; what is cut off cannot leak.
LONGEST = 300_000
# Encodings within encodings; more rounds only ever find nothing.
_MOST_ROUNDS = 12
_ENCODED = "[encoded]"
_CUT = " […]"
_WHOLE_NAME = pattern(r"(?:[\w-]+\.)+[^\W\d]{2,24}")
_PEM = pattern(
    r"-----BEGIN (?P<label>(?!CERTIFICATE-----)[A-Z0-9 ]{1,40}|CERTIFICATE)-----"
    r"(?:(?!-----BEGIN )[\s\S]){0,60000}?(?:-----END (?P=label)-----|\Z)"
)


def scrub(text: str, look: Look, across: Look, name: Name, *, depth: int = 2) -> str:
    """``text`` with what ``look`` sees replaced by what ``name`` calls it.

    Looked at are the plain text, the text with its encodings undone, readable base64 within
    (``depth`` times), and, for what ``across`` sees, the text without its line breaks.
    """
    if len(text) > LONGEST:
        text = text[:LONGEST] + _CUT
    for _ in range(_MOST_ROUNDS):
        found = _round(_without_base64(text, look, across, name, depth), look, across, name)
        if found == text:
            break
        text = found
    return text


def _round(text: str, look: Look, across: Look, name: Name) -> str:
    """One reading; it ends with the first view that changed, since all places have moved then."""
    for view in (*layers(text), plain(text)):
        whole = joined(view)
        if whole is not None:
            text, changed = _replace(text, whole, across(whole.text), name, broken=True)
            if changed:
                return text
        text, changed = _replace(text, view, look(view.text), name)
        if changed:
            return text
    return text


def without_pem(text: str) -> str:
    """``text`` with every PEM object (RFC 7468) left out, comments within it too."""
    if "-----BEGIN " not in text:
        return text
    return _PEM.sub(lambda m: f"[{m['label'].lower()}]", text)


def _without_base64(text: str, look: Look, across: Look, name: Name, depth: int) -> str:
    if depth == 0:
        return text
    pieces: list[str] = []
    place = 0
    for run in hidden(text):
        if scrub(run.text, look, across, name, depth=depth - 1) != run.text:
            pieces += [text[place : run.start], _ENCODED]
            place = run.end
    return "".join([*pieces, text[place:]]) if pieces else text


def _replace(
    text: str, view: View, traces: Iterable[Trace], name: Name, *, broken: bool = False
) -> tuple[str, bool]:
    """Replace the earliest and longest traces; ``broken``: only those over a line's end."""
    pieces: list[str] = []
    place, seen = 0, 0
    secret_first = sorted(
        traces, key=lambda s: (s.start, not isinstance(s.kind, Secret), s.start - s.end)
    )
    for trace in secret_first:
        if trace.start < seen or trace.end <= trace.start:
            continue
        start, end = view.origin(trace.start, trace.end)
        old = text[start:end]
        if broken and not _is_broken(old, trace):
            continue
        called = name(trace)
        if called == trace.value:
            continue
        # Line numbers are evidence: what is left keeps its line.
        pieces += [text[place:start], called, "\n" * old.count("\n")]
        place, seen = end, trace.end
    if not pieces:
        return text, False
    return "".join([*pieces, text[place:]]), True


def _is_broken(old: str, trace: Trace) -> bool:
    """Whether one thing was broken over two lines, rather than two that happen to meet there."""
    parts = re.split(r"[ \t]*[\r\n]+[ \t>|]*", old)
    if len(parts) < 2:
        return False
    if trace.kind is Kind.HOST:
        return not any(_WHOLE_NAME.fullmatch(part) for part in parts)
    if trace.kind is Kind.MAIL:
        return not any(next(mails(part), None) for part in parts)
    return True
