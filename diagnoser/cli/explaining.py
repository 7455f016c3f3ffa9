"""``diagnoser explain``: what a cause means, what an error code is, without any input."""

from __future__ import annotations

import inspect
import re
import sys

from diagnoser import catalog
from diagnoser.catalog import Words
from diagnoser.cli.greeting import language_of_environment
from diagnoser.cli.numbers import explain_number
from diagnoser.errors import ExitStatus, UsageError
from diagnoser.reports.phrasing import translated
from diagnoser.reports.wording import placeholders, words_for
from diagnoser.rules import CAUSES, RULES

_PAIR = re.compile(r"(\d{1,5})/(\d{1,5})")
_PACKED = re.compile(r"(?:0x|[EWI](?=[0-9A-Fa-f]{8}$))([0-9A-Fa-f]{1,8})|([0-9A-Fa-f]{5,8})h")


def explain(topic: str | None, language: str) -> int:
    """Print the page of ``topic``, or the table of causes; returns the exit status."""
    if language == "auto":
        language = language_of_environment()
    if topic is None:
        text = _table(language)
    elif topic in CAUSES:
        text = _cause(topic, language)
    else:
        packed = parse_code(topic)
        numbers = explain_number(topic, words_for(language))
        if packed is None and numbers is None:
            raise UsageError(
                f"{topic!r} is neither a cause nor an error code",
                hint="diagnoser explain lists the causes; codes look like 626/307, 0x02720133,"
                " 0A000410 (OpenSSL), alert:48, verify:19, curl:60, wsa:10061 or a line of openssl",
            )
        # What the catalogue knows is told first; a number that is something else, too, is both.
        parts = [_code(packed, language)] if packed is not None else []
        if numbers is not None and packed is not None and not _is_catalogued(packed):
            parts = []
        text = "\n".join([*parts, *([] if numbers is None else [numbers])])
    sys.stdout.write(text)
    return ExitStatus.NO_FAULT


def _is_catalogued(packed: int) -> bool:
    return any((r.module, r.code) == (packed >> 16, packed & 0xFFFF) for r in catalog.errors())


def parse_code(text: str) -> int | None:
    """``module << 16 | code`` of any rendering of an error, or ``None``."""
    text = text.strip()
    if pair := _PAIR.fullmatch(text):
        module, code = int(pair[1]), int(pair[2])
        return module << 16 | code if max(module, code) <= 0xFFFF else None
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
    # The law of a rule is its docstring, for those who check it: it stands in English only.
    if rule is not None and words.language == "en":
        lines += _paragraph(say["decided_by"], inspect.cleandoc(rule.documentation))
    lines.append(say["remedy"])
    lines += [f"  {n}. {_blanks_named(step, words)}" for n, step in enumerate(told.remedy, 1)]
    return "\n".join(lines) + "\n"


def _paragraph(heading: str, text: str) -> list[str]:
    return [heading, *(f"  {line}" if line else "" for line in text.splitlines()), ""]


def _blanks_named(text: str, words: Words) -> str:
    """``{host}`` as ``<host>``, in the reader's words."""

    def name(key: str) -> str:
        return words.facts.get(key) or words.phrases.get(key) or key.replace("_", " ")

    return text.format_map({key: f"<{name(key)}>" for key in placeholders(text)})


def _code(packed: int, language: str) -> str:
    words = words_for(language)
    say = words.phrases
    module, code = packed >> 16, packed & 0xFFFF
    lines = [f"{module}/{code} = 0x{packed:08x} = E{packed:08X} = {packed}"]
    rows = [r for r in catalog.errors() if r.module == module and r.code in (None, code)]
    for row in rows:
        mark = say["proven"] if row.proven else say["inferred"]
        lines += ["", translated(row.title, words), f"  {mark}; {say['source']}: {row.source}"]
        if row.wrapper:
            lines.append(f"  {say['outer_effect']}")
        lines += [f"  {say['may_be']}: {s}: {words.causes[s].title}" for s in row.suspects]
    if not rows:
        lines += ["", say["not_catalogued"]]
    return "\n".join(lines) + "\n"
