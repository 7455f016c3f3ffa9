"""What the lower floors say in English, said in the reader's language.

Details, damage and reasons are put into words where they are found, and a JSON report holds them
so. A words file translates them as whole sentences with ``{blanks}``; what it does not know stays
as it stands: a quoted answer of a server is no sentence of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from diagnoser import catalog
from diagnoser.catalog import Words
from diagnoser.deferral import pattern
from diagnoser.identifiers import name_matches
from diagnoser.model import Condition, Control, ControlResult, Endpoint, Stage, StageResult

_NUMBER = r"[\d.]{1,20}"
_BLANK = pattern(r"\{(\w+)\}")
_CONDITIONS = frozenset(c.value for c in Condition)
_MOMENT = pattern(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
_STAGES = frozenset(s.value for s in Stage)
# Blanks that hold a number; the others hold anything.
_NUMBERS = frozenset(
    ("all", "bytes", "code", "count", "kept", "limit", "port", "received", "seconds", "sent")
)
_DEEPEST = 4
_MOST_PLACES = 4
# Longer than any sentence of ours; also bounds the search in what an input says.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One translated sentence: what it begins with, what it looks like, what is said instead."""

    head: str
    pattern: re.Pattern[str]
    text: str


def translated(text: str, words: Words) -> str:
    """``text`` in the language of ``words``, part by part where it is a list of sentences."""
    if not words.sentences or len(text) > _LONGEST:
        return text
    return _translated(text, words.language, 0)


def valued(value: str, words: Words) -> str:
    """The value of a fact: a word of ours translated, a time without its fractions."""
    if value in words.reasons:
        return words.reasons[value]
    if (moment := _MOMENT.fullmatch(value)) is not None:
        return f"{moment[1]} {moment[2]} UTC"
    head, blank, last = value.rpartition(" ")
    if blank and last in _CONDITIONS:
        return f"{head} {words.reasons[last]}"
    return translated(value, words)


def code_and_title(value: str, words: Words) -> str:
    """An error's number or symbol with its title from the catalogue, the title translated."""
    if not words.sentences or len(value) > _LONGEST:
        return value
    return _ends_translated(value, words.language, " ", 0)


def origin_word(origin: str, words: Words) -> str:
    """Where a fact comes from; the stage of a probe and the words of our own translated."""
    if origin in words.reasons:
        return words.reasons[origin]
    place, blank, stage = origin.rpartition(" ")
    if blank and stage in _STAGES:
        return f"{place} {stage_word(stage, words)}"
    return translated(origin, words)


def stage_word(stage: str, words: Words) -> str:
    """The name of a stage in the reader's language."""
    return words.phrases[f"stage_{stage}"]


def ending(stage: StageResult, words: Words) -> str:
    """How a stage ended, with the number that decided, in the reader's language."""
    if stage.condition is Condition.MET:
        return words.phrases["passed"]
    word = words.reasons[stage.condition.value]
    return word if stage.error is None else f"{word} ({stage.error})"


def spent(stage: StageResult) -> str:
    """The time a stage took, in milliseconds, or in seconds from one second on; else nothing."""
    if stage.seconds is None:
        return ""
    if stage.seconds >= 1:
        return f"{stage.seconds:.1f} s"
    return f"{stage.seconds * 1000:.0f} ms" if stage.seconds >= 0.001 else "< 1 ms"


def role_word(role: str, words: Words) -> str:
    """The name of a role in the reader's language."""
    return words.phrases.get(f"role_{role}", role)


def control_word(control: str, words: Words) -> str:
    """The name of a control in the reader's language."""
    return words.phrases.get(f"control_{control}", control)


def outcome(control: ControlResult, words: Words) -> str:
    """How a control ended, in what it means: a certificate for a nonsense name is no success."""
    if control.control is Control.NONSENSE_NAME and control.certificate is not None:
        minted = name_matches(control.question, control.certificate)
        return words.phrases["outcome_minted" if minted else "outcome_other_certificate"]
    if control.control is Control.SILENCE and control.condition is Condition.MET:
        return words.phrases["outcome_waits"]
    if control.control is Control.SILENCE and control.condition is Condition.NOT_TLS:
        return words.phrases["outcome_speaks_first"]
    return words.reasons[control.condition.value]


def described(endpoint: Endpoint, words: Words) -> str:
    """An endpoint with its role and what is spoken on it."""
    role = role_word(endpoint.role.value, words)
    return f"{endpoint} ({role}{words.phrases['list_sign']}{endpoint.transport.upper()})"


@lru_cache(maxsize=4096)
def _translated(text: str, language: str, depth: int) -> str:
    for sentence in _sentences(language):
        if not text.startswith(sentence.head):
            continue
        if (match := sentence.pattern.fullmatch(text)) is not None:
            if depth == _DEEPEST:
                return text
            told = {k: _translated(v, language, depth + 1) for k, v in match.groupdict().items()}
            return sentence.text.format_map(told)
    for sign in ("; ", ", "):
        parts = text.split(sign)
        if 1 < len(parts) <= 16 and depth < _DEEPEST:
            told_parts = [_translated(p, language, depth + 1) for p in parts]
            if told_parts != parts:
                return sign.join(told_parts)
    return _ends_translated(text, language, ": ", depth)


def _ends_translated(text: str, language: str, sign: str, depth: int) -> str:
    """A sentence of ours behind something quoted, with ``sign`` between the two."""
    at = text.find(sign)
    for _ in range(_MOST_PLACES):
        if at < 0 or depth == _DEEPEST:
            break
        tail = text[at + len(sign) :]
        if (told := _translated(tail, language, depth + 1)) != tail:
            return text[: at + len(sign)] + told
        at = text.find(sign, at + 1)
    return text


@cache
def _sentences(language: str) -> tuple[_Sentence, ...]:
    """The most particular first: those with the most letters of their own."""
    known = catalog.words(language).sentences
    order = sorted(known, key=lambda k: len(_BLANK.sub("", k)), reverse=True)
    return tuple(_Sentence(k.partition("{")[0], _pattern(k), known[k]) for k in order)


def _pattern(template: str) -> re.Pattern[str]:
    parts = _BLANK.split(template)
    shape = "".join(
        (f"(?P<{part}>{_NUMBER if part in _NUMBERS else '.+?'})" if place % 2 else re.escape(part))
        for place, part in enumerate(parts)
    )
    return re.compile(shape, re.DOTALL)
