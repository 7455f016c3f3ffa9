"""``diagnoser explain``: what a cause means, what an error code is, without any input."""

from __future__ import annotations

import difflib
import inspect
import re
import sys

from diagnoser import catalog
from diagnoser.catalog import ErrorRow, Words
from diagnoser.cli.greeting import language_of_environment
from diagnoser.cli.numbers import explain_number
from diagnoser.cli.printing import put, writable
from diagnoser.deferral import pattern
from diagnoser.errors import ExitStatus, UsageError
from diagnoser.reports.phrasing import translated
from diagnoser.reports.wording import placeholders, words_for
from diagnoser.rules import CAUSES, RULES

_PAIR = pattern(r"(\d{1,5})/(\d{1,5})")
# As they stand in a block, the code first, or as the catalogue orders them.
_APART = pattern(r"(\d{1,5})[ ,]+(\d{1,5})")
_PACKED = pattern(r"(?:0x|[EWI](?=[0-9A-Fa-f]{8}$))([0-9A-Fa-f]{1,8})|([0-9A-Fa-f]{5,8})h")
# Docstrings mark what is code; a terminal shows the marks.
_MARKED = pattern(r"``([^`]+)``")
# HRESULT_FROM_WIN32 (winerror.h), and the numbers of WinHTTP and WinINet.
_WIN32 = 0x8007
_STATUS = 0x80000000
_WINHTTP = range(12001, 12200)


def explain(topic: str | None, language: str) -> int:
    """Print the page of ``topic``, or the table of causes; returns the exit status."""
    if language == "auto":
        language = writable(language_of_environment(), sys.stdout)
    if topic is None:
        text = _table(language)
    elif (cause := _as_named(topic)) in CAUSES:
        text = _cause(cause, language)
    else:
        packed = parse_code(topic)
        numbers = explain_number(topic, words_for(language))
        if packed is None and numbers is None:
            raise UsageError(f"{topic!r} is neither a cause nor an error code", hint=_hint(topic))
        # What the catalogue knows is told first; a number that is something else, too, is both.
        parts = [] if packed is None else _codes(packed, numbers is not None, language)
        text = "\n".join([*parts, *([] if numbers is None else [numbers])])
    put(text, "text")
    return ExitStatus.NO_FAULT


def _as_named(topic: str) -> str:
    """A topic as causes are written: lower case, hyphens, British."""
    return re.sub(r"[\s_-]+", "-", topic.strip().lower()).replace("license", "licence")


def _hint(topic: str) -> str:
    """The causes that ``topic`` may mean; without any, what topics look like."""
    named = _as_named(topic)
    found = [c for c, g in CAUSES.items() if len(named) > 2 and (named in c or named in g.value)]
    found += difflib.get_close_matches(named, CAUSES, n=3, cutoff=0.7)
    if found:
        return f"causes like it: {', '.join(dict.fromkeys(found))}; diagnoser explain lists all"
    return (
        "diagnoser explain lists the causes; codes look like 626/307, 0x02720133,"
        " 0A000410 (OpenSSL), alert:48, verify:19, curl:60, wsa:10061 or a line of openssl"
    )


def _codes(packed: int, is_told: bool, language: str) -> list[str]:
    """All pages of one number of Acronis or of Windows; ``is_told``: it is something else, too."""
    words = words_for(language)
    pages = [
        *([_code(packed, language)] if _is_catalogued(packed) else []),
        *_windows(packed, words),
        *_with_code(packed, words),
    ]
    if not pages and packed >= _STATUS:
        pages = [_status(packed, words)]
    return pages or ([] if is_told else [_code(packed, language)])


def _status(packed: int, words: Words) -> str:
    """A status of Windows that the catalogue has no row for: no module is so large."""
    low = f" ({packed & 0xFFFF})" if packed >> 16 == _WIN32 else ""
    told = words.phrases["windows_status"].format(status=f"0x{packed:08x}")
    return f"Windows 0x{packed:08x}{low}\n\n{told}\n"


def _is_catalogued(packed: int) -> bool:
    return any((r.module, r.code) == (packed >> 16, packed & 0xFFFF) for r in catalog.errors())


def _windows(packed: int, words: Words) -> list[str]:
    """The HRESULT that Windows' own errors (0/65520) carry in a field: 0x8007 and a Win32 number.

    A bare number of WinHTTP is one as well (12007); Winsock's have a page of their own.
    """
    is_bare = packed in _WINHTTP
    number = _WIN32 << 16 | packed if is_bare else packed
    rows = [
        r
        for r in catalog.errors()
        if r.field == "code" and r.value is not None and r.value.search(f"0x{number:08x}")
    ]
    low = f" ({number & 0xFFFF})" if number >> 16 == _WIN32 else ""
    pages = [_rows(f"Windows 0x{number:08x}{low}", rows, words)] if rows else []
    if not is_bare and number >> 16 == _WIN32:
        pages += [p for p in [explain_number(f"wsa:{number & 0xFFFF}", words)] if p]
    return pages


def _with_code(packed: int, words: Words) -> list[str]:
    """The errors of the catalogue whose code alone was given (``Error code: 307``)."""
    rows = [r for r in catalog.errors() if r.code == packed and r.module]
    pairs = {f"{r.module}/{r.code}": translated(r.title, words) for r in reversed(rows)}
    if not pairs:
        return []
    lines = [f"  {pair}: {title}" for pair, title in reversed(pairs.items())]
    return ["\n".join([words.phrases["which_module"].format(code=packed), *lines]) + "\n"]


def parse_code(text: str) -> int | None:
    """``module << 16 | code`` of any rendering of an error, or ``None``."""
    text = text.strip()
    if pair := _PAIR.fullmatch(text):
        module, code = int(pair[1]), int(pair[2])
        return module << 16 | code if max(module, code) <= 0xFFFF else None
    if apart := _APART.fullmatch(text):
        one, other = int(apart[1]), int(apart[2])
        known = [p for p in (other << 16 | one, one << 16 | other) if _is_catalogued(p)]
        return known[0] if len(known) == 1 else None
    if packed := _PACKED.fullmatch(text):
        return int(packed[1] or packed[2], 16)
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= 0xFFFFFFFF:
        return int(text)
    return None


def _table(language: str) -> str:
    words = words_for(language)
    width = max(map(len, CAUSES))
    lines = [f"{c:<{width}}  {g.value:<18}  {words.causes[c].title}" for c, g in CAUSES.items()]
    return "\n".join([*lines, "", words.phrases["explain_hint"]]) + "\n"


def _cause(cause: str, language: str) -> str:
    """The title, what is said of it and when, what to do, and by which facts it is decided."""
    words = words_for(language)
    told, say = words.causes[cause], words.phrases
    rule = next((r for r in RULES if r.id == cause), None)
    lines = [f"{cause} ({CAUSES[cause].value}): {told.title}", ""]
    lines += _paragraph(say["summary_applies"], _blanks_named(told.summary, words))
    lines += _paragraph(say["summary_suspected"], _blanks_named(told.suspected, words))
    if rule is not None:
        # The law of a rule is its docstring, for those who check it: it stands in English only.
        law = _MARKED.sub(r"\1", inspect.cleandoc(rule.documentation))
        lines += _paragraph(say["decided_by"], law)
    lines.append(say["remedy"])
    lines += [f"  {n}. {_blanks_named(step, words)}" for n, step in enumerate(told.remedy, 1)]
    return "\n".join(lines) + "\n"


def _paragraph(heading: str, text: str) -> list[str]:
    return [heading, *(f"  {line}" if line else "" for line in text.splitlines()), ""]


def _blanks_named(text: str, words: Words) -> str:
    """``{host}`` as ``<host>``, in the reader's words."""

    def name(key: str) -> str:
        return words.facts.get(key) or words.phrases.get(key) or key.replace("_", " ")

    blanks = {key: f"<{name(key)}>" for key in placeholders(text)}
    if "issued_by" in blanks:
        # A sentence of its own, which a case without an issuer lacks.
        blanks["issued_by"] = words.phrases["issuer_told"].format(issuer=f"<{name('issuer')}>")
    return text.format_map(blanks)


def _code(packed: int, language: str) -> str:
    words = words_for(language)
    module, code = packed >> 16, packed & 0xFFFF
    rows = [r for r in catalog.errors() if (r.module, r.code) == (module, code)]
    head = f"{module}/{code} = 0x{packed:08x} = E{packed:08X} = {packed}"
    return _rows(head, rows, words)


def _rows(head: str, rows: list[ErrorRow], words: Words) -> str:
    """What the catalogue says of one error: every row with its mark, source and suspects."""
    say = words.phrases
    lines = [head]
    for row in rows:
        mark = say["proven"] if row.proven else say["inferred"]
        lines += ["", translated(row.title, words), f"  {mark}; {say['source']}: {row.source}"]
        if row.wrapper:
            lines.append(f"  {say['outer_effect']}")
        lines += [f"  {say['may_be']}: {s}: {words.causes[s].title}" for s in row.suspects]
    if not rows:
        lines += ["", say["not_catalogued"]]
    return "\n".join(lines) + "\n"
