"""Looking an error up in the catalogue: one recognition a frame, the root cause last."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.composing import composed
from diagnoser.deferral import pattern
from diagnoser.endpoints.mentions import LONGEST_SHOWN, heading
from diagnoser.model import Evidence, Recognition

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagnoser.catalog import ErrorRow
    from diagnoser.model import ErrorBlock, ErrorFrame, Field, Location

# A dump may follow the sentence that says what happened; the sentence comes first.
_LONGEST_MESSAGE = 65_536

# The form of a sentence that may only speak of an error, as advice does.
PROSE = "prose"
_STATUS_FIELDS = {"httpstatus", "httpcode", "statuscode", "status"}
_STATUS_VALUE = pattern(r"[1-5]\d\d|0x[0-9a-f]{2,3}", re.IGNORECASE)
# A command fails with a code, and a disk after 512 bytes: only a request does with a status.
_STATUS_TEXT = pattern(
    r"\bHTTP(?:/\d(?:\.\d)?|(?i: status| code| error))?:? ?([1-5]\d\d)\b(?! from proxy)"
    r"|\b(?:HTTP (?:error|request)|(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) on)\b"
    r"[^\n]{0,300}?\bfailed(?: with code|:) ?([1-5]\d\d)\b",
)
# Consul's default domain: whoever runs Consul has such names. Those that Acronis' own calls ask
# for (the HTTP client, its transfers, requests and answers) exist only in its data centres.
_INTERNAL_NAME = pattern(r"(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.service\.consul\b")
_OWN_CALLS = (550, 583, 626, 657)
# Beyond this letter begin the scripts that put no blanks between words.
_FIRST_DENSE = "\u2e80"
_LONGEST_WORD = 40
# The end of a line that was long, behind no end of a sentence, and a word that begins none.
_WRAPPED = pattern(r"(?<=[^\n]{40}[^\n.!?:]) ?\n(?=[^\W\dA-Z_])")


def recognise(block: ErrorBlock) -> tuple[Recognition, ...]:
    """The catalogue rows that fit ``block``: the heading's first, then a frame's, root last.

    A frame has one row, or two where it says what is refused and then why.

    Evidence: ``error_code`` (``626/307`` and the row's title), ``message`` where a text decided,
    ``http_status`` where the frame tells one; ``internal_name`` in a recognition of its own, for
    a host that exists only inside Acronis' data centres.
    """
    above: dict[str, Recognition] = {}
    for text, at in heading(block):
        if (row := _fitting(None, (), text)) is not None:
            above.setdefault(row.id, _recognition(row, _message_evidence(row, text, at)))
    found = list(above.values())
    for frame in block.frames:
        for row in _rows_of(frame):
            code = Evidence("error_code", f"{frame.name} {row.title}", str(frame.at))
            message = _message_evidence(row, frame.message or "", frame.at)
            found.append(_recognition(row, (code, *message, *_http_status(frame))))
        if (name := _internal_name(frame)) is not None:
            found.append(Recognition("names", "internal", (name,), ("server-side",), proven=True))
    if block.form == PROSE:
        return tuple(replace(r, proven=False) for r in found)
    return tuple(found)


def row_of(frame: ErrorFrame) -> ErrorRow | None:
    """The most specific row of the catalogue that fits ``frame``."""
    row = _fitting(frame, frame.fields, frame.message or "")
    if row is None or not row.is_told:
        # A mail client may have wrapped the sentence that tells it.
        whole = _joined(frame.message or "")
        told = None if whole == frame.message else _fitting(frame, frame.fields, whole)
        return told if told is not None and told.is_told else row
    return row


def row_of_text(text: str) -> ErrorRow | None:
    """The row that a text alone fits, without a number."""
    return _fitting(None, (), text)


def _rows_of(frame: ErrorFrame) -> tuple[ErrorRow, ...]:
    """What ``frame`` says, and the reason it gives, if there are two things in it."""
    row = row_of(frame)
    if row is None:
        return ()
    said = (frame, frame.fields, frame.message or "")
    if row.is_answer:
        why = _fitting(*said, lambda r: r.module is None and bool(r.suspects) and not r.is_answer)
        return (row,) if why is None else (row, why)
    if row.is_told and row.is_of_proxy:
        what = _fitting(*said, lambda r: r.is_told and r.is_answer)
        return (row,) if what is None else (what, row)
    return (row,)


def port_of(frame: ErrorFrame) -> int | None:
    """The port that errors of this number are about, if the catalogue has a guess."""
    rows = (r for r in catalog.errors() if (r.module, r.code) == (frame.module, frame.code))
    return next((r.port for r in rows if r.port is not None), None)


def _fitting(
    frame: ErrorFrame | None,
    fields: tuple[Field, ...],
    text: str,
    is_wanted: Callable[[ErrorRow], bool] = lambda _: True,
) -> ErrorRow | None:
    message = composed(text[:_LONGEST_MESSAGE], "NFKC")
    values: dict[str, list[str]] = {}
    for f in fields:
        values.setdefault(f.key.lower(), []).append(f.value.strip())
    for row in catalog.errors():
        if (frame is None and row.message is None) or not is_wanted(row):
            continue
        if row.module is not None and (frame is None or frame.module != row.module):
            continue
        if row.code is not None and (frame is None or frame.code != row.code):
            continue
        if row.field is not None and row.value is not None:
            candidates = values.get(row.field.lower(), ())
            if not any(row.value.search(v) for v in candidates):
                continue
        if row.message is not None and not row.message.search(message):
            continue
        if not (row.own and any(o.message.search(message) for o in catalog.others())):
            return row
    return None


def _recognition(row: ErrorRow, evidence: tuple[Evidence, ...]) -> Recognition:
    return Recognition(
        table="errors",
        key=row.id,
        evidence=evidence,
        suspects=row.suspects,
        symptom=row.symptom,
        proven=row.proven,
        wrapper=row.wrapper,
    )


def _message_evidence(row: ErrorRow, text: str, at: Location) -> tuple[Evidence, ...]:
    if row.message is None:
        return ()
    message = composed(text[:_LONGEST_MESSAGE], "NFKC")
    match = row.message.search(message)
    if match is None:
        message = _joined(message)
        match = row.message.search(message)
    return (Evidence("message", _whole_words(message, match), str(at)),) if match else ()


def _joined(text: str) -> str:
    """``text`` with those of its lines joined that a mail client may have made of one."""
    return _WRAPPED.sub(" ", text[:_LONGEST_MESSAGE]) if "\n" in text else text


def _whole_words(text: str, match: re.Match[str]) -> str:
    """What was matched up to the ends of its words: rows know words by their stems."""
    start, end = match.span()
    if _is_word(match[0][:1]):
        floor = max(0, start - _LONGEST_WORD)
        while start > floor and _is_word(text[start - 1]):
            start -= 1
    if _is_word(match[0][-1:]):
        cap = min(len(text), end + _LONGEST_WORD)
        while end < cap and _is_word(text[end]):
            end += 1
    return text[start:end][:LONGEST_SHOWN]


def _is_word(letter: str) -> bool:
    return letter.isalnum() and letter < _FIRST_DENSE


def _internal_name(frame: ErrorFrame) -> Evidence | None:
    if frame.module not in _OWN_CALLS:
        return None
    for text, at in ((frame.message or "", frame.at), *((f.value, f.at) for f in frame.fields)):
        if match := _INTERNAL_NAME.search(text[:_LONGEST_MESSAGE]):
            return Evidence("internal_name", match[0], str(at))
    return None


def _http_status(frame: ErrorFrame) -> tuple[Evidence, ...]:
    """The HTTP status (RFC 9110 section 15) that a field or the message tells, in decimal."""
    for f in frame.fields:
        if f.key.lower() in _STATUS_FIELDS and _STATUS_VALUE.fullmatch(f.value.strip()):
            status = int(f.value, 16 if "x" in f.value.lower() else 10)
            if 100 <= status <= 599:
                return (Evidence("http_status", str(status), str(f.at)),)
    match = _STATUS_TEXT.search((frame.message or "")[:_LONGEST_MESSAGE])
    return (Evidence("http_status", match[1] or match[2], str(frame.at)),) if match else ()
