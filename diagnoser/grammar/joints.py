"""What stood between a line and the next before a text was wrapped.

A line that is only the beginning of something (a label without its value, the head of an entry)
goes on in the next however the text was wrapped; others do as :mod:`.widths` found of all lines.
"""

from __future__ import annotations

from diagnoser.deferral import pattern
from diagnoser.grammar.entries import KNOWN
from diagnoser.grammar.lexicon import LABELLED, Part, parts_of
from diagnoser.grammar.moments import STAMP, begins_entry
from diagnoser.grammar.widths import PAIR, SEEN, WIDE, How, Width, first_word, is_indented, opens
from diagnoser.reading.framing import BLANKS, clean_line

# What a line may hold that is only the beginning of something, and what it is the beginning of.
_ENTRY = pattern(rf"{STAMP}\s{{1,8}}\d{{1,10}}\s{{1,8}}[IWE][0-9A-Fa-f]{{8}}:")
_FIELD = pattern(rf"(?:\|\s?){{0,4}}{KNOWN}")
_WORD_OF_NUMBER = pattern(r"(?:(?:\A|[^\w.])(?:[Ee]rror|[Ff]ehler)|\b[Tt]ag =)\Z")
_NUMBER = pattern(r" ?0x[0-9a-fA-F]{1,16}\b")
_OBJECT = pattern(r"\{\s?[\"']")


def joint(line: str, following: str, length: int, width: Width) -> str | None:
    """What stood between a line and the next if they were one; ``None`` if they were not.

    Both are without quote marks; ``length`` is that of the line as ``width`` counts it.
    """
    room = width.columns - length
    if not following.strip(BLANKS):
        # Blanks that were behind the last word.
        return "" if following and width.how is How.CUT and room == 0 else None
    if _is_beginning(line.rstrip(BLANKS), following):
        return "" if line.endswith(" ") or following[0] == " " else " "
    if width.how is How.CUT:
        is_inside = line.endswith(" ") or following[0] == " "
        if room > 1 or begins_entry(following) or is_indented(following):
            return None
        if opens(following) and not is_inside:
            return None
        if room == 1:
            return None if following[0] == " " else " "
        return ""
    if width.how is How.FOLDED:
        if line.endswith(" "):
            fits = len(first_word(following)) < room
            return None if fits or begins_entry(following) else ""
        is_cut = room == 0 and " " not in line and not opens(following)
        return "" if is_cut else None
    if opens(following) or is_indented(following):
        return None
    if width.how is How.FLOWED and len(first_word(following)) + 1 > room:
        return None if PAIR.match(line) and PAIR.match(following) else " "
    if not _lacks_end(line):
        return None
    return "" if room == 0 and line[-1].isalnum() and following[0].isalnum() else " "


def keeps_lines(line: str) -> bool:
    """Whether a line begins what is read with the lines below it anyway: the message of a labelled
    block, and its fields in JSON."""
    found = LABELLED.match(clean_line(line[:SEEN]))
    if found is None:
        return False
    parts = parts_of(found["label"])
    return Part.MESSAGE in parts or (Part.FIELDS in parts and found["value"][:1] == "{")


def _lacks_end(line: str) -> bool:
    """Whether a part of a labelled block goes on below: nothing else may stand there."""
    found = LABELLED.match(clean_line(line[:SEEN]))
    if found is None or line.rstrip(BLANKS)[-1:] == ",":
        return False
    parts, value = parts_of(found["label"]), found["value"]
    is_pairs = Part.FIELDS in parts and bool(value) and value[0] not in "{\"'["
    return is_pairs or (Part.LINE in parts and "," in value)


def _is_beginning(line: str, following: str) -> bool:
    """Whether a line is nothing without the next, however it came to be by itself."""
    if len(line) > WIDE:
        return False
    if _OBJECT.match(following):
        found = LABELLED.fullmatch(clean_line(line))
        return found is not None and not found["value"]
    if _NUMBER.match(following):
        return _WORD_OF_NUMBER.search(line[-8:]) is not None
    if _ENTRY.fullmatch(line):
        return not begins_entry(following)
    return _FIELD.fullmatch(line) is not None and not (PAIR.match(following) or opens(following))
