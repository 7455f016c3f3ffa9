"""``diagnoser explain``: what a cause means, what an error code is, without any input."""

from __future__ import annotations

import inspect
import os
import re
import sys

from diagnoser import catalog
from diagnoser.cli.numbers import explain_number
from diagnoser.errors import ExitStatus, UsageError
from diagnoser.reports.wording import words_for
from diagnoser.rules import CAUSES, RULES

_PAIR = re.compile(r"(\d{1,5})/(\d{1,5})")
_PACKED = re.compile(r"(?:0x|[EWI](?=[0-9A-Fa-f]{8}$))([0-9A-Fa-f]{1,8})|([0-9A-Fa-f]{5,8})h")


def explain(topic: str | None, language: str) -> int:
    """Print the page of ``topic``, or the table of causes; returns the exit status."""
    if language == "auto":
        language = os.environ.get("DIAGNOSER_LANG", os.environ.get("LANG", "en"))[:2]
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
                " 0A000410 (OpenSSL), alert:48, verify:19, curl:60 or wsa:10061",
            )
        # What the catalogue knows is that; any other number may be one of TLS or of sockets.
        if packed is not None and (numbers is None or _is_catalogued(packed)):
            text = _code(packed, language)
        else:
            text = numbers or ""
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
    return "\n".join(lines) + "\n"


def _cause(cause: str, language: str) -> str:
    words = words_for(language)
    told = words.causes[cause]
    rule = next((r for r in RULES if r.id == cause), None)
    law = inspect.cleandoc(rule.documentation) if rule else told.summary
    lines = [f"{cause} ({CAUSES[cause].value}): {told.title}", "", law, "", words.phrases["remedy"]]
    lines += [f"  {n}. {step}" for n, step in enumerate(told.remedy, 1)]
    return "\n".join(lines) + "\n"


def _code(packed: int, language: str) -> str:
    words = words_for(language)
    module, code = packed >> 16, packed & 0xFFFF
    lines = [f"{module}/{code} = 0x{packed:08x} = E{packed:08X} = {packed}"]
    rows = [r for r in catalog.errors() if r.module == module and r.code in (None, code)]
    for row in rows:
        mark = "proven" if row.proven else "inferred"
        lines += ["", f"{row.title}", f"  {mark}; source: {row.source}"]
        if row.wrapper:
            lines.append("  An outer effect: look at the last error of the chain for the cause.")
        lines += [f"  may be: {s}: {words.causes[s].title}" for s in row.suspects]
    if not rows:
        lines += ["", "Not in the catalogue. Paste the whole error: fields and probe still tell."]
    return "\n".join(lines) + "\n"
