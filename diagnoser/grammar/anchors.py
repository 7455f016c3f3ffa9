"""What a locator looks for: the strings by which the blocks of all forms are found in a log.

They come from the forms and from the label table, so a new form or language is found as soon as
it stands in its table. Words of any number are looked for in what is small; in what is large only
as many as the automaton searches at the speed of memory, unless it is the log of a form with more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from unicodedata import normalize

from diagnoser import catalog
from diagnoser.grammar.forms import Form
from diagnoser.reading.automaton import Anchor
from diagnoser.reading.encodings import PAGES

# Forms with more spellings than this belong to small logs (set-up) or to pastes (a caption).
_MANY = 10
_SHORTEST = 5
_TELLING = 7
_BLANKS = (" ", "  ", "\u00a0", "\u3000")
_APOSTROPHES = ("'", "’", "´", "`")
# Spellings of the most common labels that a large text is searched for too.
_OTHERWISE = ("RROR CODE", "rror  code", "rror\u00a0code", "ode d’erreur")
# Pages of the languages whose published blocks have been seen; other labels stand beside $module.
_COMMON_PAGES = ("cp1251", "cp1252", "cp932")


@cache
def few_anchors(forms: tuple[Form, ...]) -> tuple[Anchor, ...]:
    """Anchors for large texts: of every form that has few, and of every label in UTF-8."""
    found: dict[bytes, Anchor] = {}
    for form in forms:
        texts = form.anchors if len(form.anchors) <= _MANY else form.anchors[:1]
        for text in _merged(texts):
            found.setdefault(text.encode(), _anchor(form, text))
    for label in _labels():
        # Without its first letter a label fits whichever case it begins with.
        stem = label[1:] if len(label) > _SHORTEST else label
        constant = _constant(stem)
        for data in _encoded(constant, _own_page(constant)):
            found.setdefault(data, Anchor(data))
    for spelling in _OTHERWISE:
        found.setdefault(spelling.encode(), Anchor(spelling.encode()))
    return _distinct(found.values())


@cache
def all_anchors(forms: tuple[Form, ...]) -> tuple[Anchor, ...]:
    """Every anchor of every form, and every label in all usual spellings and encodings."""
    found: dict[bytes, Anchor] = {}
    for form in forms:
        for text in form.anchors:
            found.setdefault(text.encode(), _anchor(form, text))
    for label in _labels():
        for spelling in {label, label.capitalize(), label.title(), label.upper()}:
            for written in _written(spelling):
                for data in _encoded(written, PAGES):
                    found.setdefault(data, Anchor(data))
    return _distinct(found.values())


@cache
def own_stamps(forms: tuple[Form, ...]) -> re.Pattern[bytes]:
    """What begins the entries of logs that are searched for every anchor to their end."""
    stamps = [form.own_stamp.encode() for form in forms if form.own_stamp is not None]
    return re.compile(rb"(?m)^(?:" + b"|".join(stamps or [rb"(?!)"]) + rb")")


def _anchor(form: Form, text: str) -> Anchor:
    return Anchor(text.encode(), form.above, spans=text in form.spans)


def _labels() -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for row in catalog.labels() for label in row.code))


def _written(label: str) -> set[str]:
    """A label as a mail client, a word processor or macOS changes it: its blanks, its apostrophes,
    its accents."""
    blanks = {label.replace(" ", blank) for blank in _BLANKS}
    marks = {text.replace("'", mark) for text in blanks for mark in _APOSTROPHES}
    return marks | {normalize("NFD", text) for text in marks}


def _constant(stem: str) -> str:
    """The longest part of a label that does not change where accents stand by themselves, if
    there is one that ordinary lines do not hold."""
    parts = "".join(c if normalize("NFD", c) == c else "\n" for c in stem).split("\n")
    longest = max(parts, key=len)
    return longest if " " in longest and len(longest) >= _TELLING else stem


def _own_page(label: str) -> tuple[str, ...]:
    """The first of the common pages that has its letters: Japan's has Cyrillic ones too, but who
    writes Russian on it?"""
    for page in _COMMON_PAGES:
        try:
            label.encode(page)
        except UnicodeEncodeError:
            continue
        return (page,)
    return ()


def _encoded(text: str, pages: Iterable[str]) -> set[bytes]:
    found = {text.encode()}
    if not text.isascii():
        for page in pages:
            try:
                data = text.encode(page)
            except UnicodeEncodeError:
                continue
            # Two bytes of a double-byte page occur in any binary file.
            if len(data) >= _SHORTEST:
                found.add(data)
    return found


def _merged(texts: tuple[str, ...]) -> list[str]:
    """Spellings that end alike (``[error] [``, ``[Error] [``) become that ending."""
    found: list[str] = []
    for text in texts:
        for index, known in enumerate(found):
            ending = _common_ending(text, known)
            if len(ending.encode()) >= _SHORTEST:
                found[index] = ending
                break
        else:
            found.append(text)
    return found


def _common_ending(one: str, other: str) -> str:
    size = 0
    while size < min(len(one), len(other)) and one[-size - 1] == other[-size - 1]:
        size += 1
    return one[len(one) - size :]


def _distinct(anchors: Iterable[Anchor]) -> tuple[Anchor, ...]:
    """Without those that hold another one: where they stand, so does the other."""
    found: list[Anchor] = []
    # By their first byte: few of hundreds can stand at a place, and most are compared with none.
    known: dict[int, list[Anchor]] = {}
    for anchor in sorted(anchors, key=lambda a: len(a.text)):
        text = anchor.text
        held = (
            text.startswith(other.text, at) and other.above >= anchor.above
            for at, first in enumerate(text)
            for other in known.get(first, ())
        )
        if not any(held):
            found.append(anchor)
            known.setdefault(text[0], []).append(anchor)
    return tuple(found)
