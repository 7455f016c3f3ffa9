"""A message without its block: the sentence that a console, an installer or a script shows.

Consoles hide numbers and fields behind a link, so many send only the sentence. It is an error
where the catalogue knows the very sentence from a vendor's text or a published case, or where it
speaks of licences that are to be synchronised, or names Acronis; other programs have the same words
("connection refused") for their own troubles. A sentence in which somebody speaks of the message
("if you see '...', restart it") makes its cause likely and no more. Only what was pasted or named
by itself is asked: logs are full of sentences.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.composing import composed
from diagnoser.deferral import pattern
from diagnoser.endpoints.recognition import PROSE, row_of_text
from diagnoser.model import ErrorBlock, ErrorFrame, Location, Symptom

if TYPE_CHECKING:
    from diagnoser.catalog import ErrorRow

FORM = "sentence"
DAMAGE = "only a message was pasted: its number and fields are missing"
# The longest published is the traceback of a registration script, of some 20 lines.
_LONGEST = 4000
_MOST_LINES = 60
_MOST = 8
# Above this, two lines are no sentence that was wrapped.
_WRAPPED = 400
_OURS = pattern(r"\bacronis\b", re.IGNORECASE)
# What other programs print of their own connections.
_THEIRS = pattern(r"^\s*(?:curl: ?\(|wget: |ssh: |fatal: |E: |npm |pip )", re.MULTILINE)
# A line of another program, which names itself.
_PROGRAM = pattern(
    r"(?!error|failed|failure|warning|message|exception)[a-z][\w.-]{1,20}(?:\[\d{1,9}\])?: "
)
_NUMBER = pattern(r"(?<!\w)0x([0-9A-Fa-f]{5,8})(?!\w)")
# Who writes so speaks of a message: conditions, questions, what is over, quotes that go on.
_SPEAKS_BEFORE = pattern(
    r"\b(?:if|when(?:ever)?|whether|unless|once|should|how|why|what|wenn|falls|ob)\b|もし|\b(?:\w{1,40}\W{1,10}){7}",
    re.IGNORECASE,
)
_SPEAKS_AFTER = pattern(
    r"\?\s*$|？|\b(?:no longer|any ?more|(?:was|been|is|got) (?:fixed|solved|resolved))\b"
    r"|場合|とき|たら|なら|でしょうか|ですか|(?:解決|解消)",
    re.IGNORECASE,
)
_QUOTED = pattern(r"[\"“”«‘’'「『][^\"“”«»‘’「」『』]{0,80}$")
_GOES_ON = pattern(r"[\"“”»‘’'」』][^\w\n]{0,4}\w")
_KANA = pattern("[\u3041-\u30ff]")


def read_sentences(text: str, source: str) -> tuple[ErrorBlock, ...]:
    """The known messages of a short text that holds no error block, each once. Never raises."""
    lines = text.strip().splitlines()
    if len(text) > _LONGEST or len(lines) > _MOST_LINES or _THEIRS.search(text):
        return ()
    above = len(text) - len(text.lstrip())
    first = text.count("\n", 0, above) + 1
    is_ours = _OURS.search(text) is not None
    found: dict[str, ErrorBlock] = {}
    for index, line in enumerate(lines):
        said = line.strip(" \t>|*•-")
        row = row_of_text(said)
        if row is not None and row.id not in found and _is_telling(row, is_ours):
            found[row.id] = _block(row, text, said, Location(source, first + index), source)
    if not found and len(lines) > 1 and len(text) <= _WRAPPED:
        said = " ".join(line.strip(" \t>|") for line in lines)
        row = row_of_text(said)
        if row is not None and _is_telling(row, is_ours):
            found[row.id] = _block(row, text, said, Location(source, first), source)
    return tuple(found.values())[:_MOST]


def _is_telling(row: ErrorRow, is_ours: bool) -> bool:
    known = row.proven or row.symptom is Symptom.LICENCE_SYNC or is_ours
    return known and bool(row.suspects)


def _is_spoken_of(row: ErrorRow, said: str) -> bool:
    """Whether ``said`` speaks of the message of ``row`` in place of being it."""
    whole = composed(said, "NFKC")
    match = row.message.search(whole) if row.message is not None else None
    if match is None:
        return False
    before, after = whole[: match.start()].rpartition(": ")[2], whole[match.end() :]
    if _QUOTED.search(before) and _GOES_ON.search(after):
        return True
    return bool(_SPEAKS_BEFORE.search(before) or _SPEAKS_AFTER.search(after))


def _block(row: ErrorRow, text: str, said: str, at: Location, source: str) -> ErrorBlock:
    """One frame; with its number, where the sentence holds one that the catalogue has."""
    numbers = [int(n, 16) for n in _NUMBER.findall(said)]
    packed = next((n for n in numbers if n in catalog.known_codes()), None)
    module, code = (None, None) if packed is None else divmod(packed, 0x10000)
    is_theirs = _PROGRAM.match(said) is not None and _OURS.search(text) is None
    return ErrorBlock(
        form=PROSE if is_theirs or _is_spoken_of(row, said) else FORM,
        language="ja" if _KANA.search(said) else None,
        frames=(
            ErrorFrame(
                module, code, None, (), said, at, symbol="message" if packed is None else None
            ),
        ),
        at=Location(source, 1),
        text=text,
        damage=(DAMAGE,),
    )
