r"""Fields: JSON that is not always JSON.

What blocks carry after ``Fields:``, by decreasing order::

    object   = "{" [ member *( "," member ) ] "}"      ; one line of JSON without blanks
    member   = string ":" ( string / number / object / array / "true" / "false" / "null" )
    repr     = the same with single quotes and blanks  ; printed by Python
    old      = pair *( "," SP pair )                   ; before 2015, and installer logs since
    pair     = key SP ":" SP value                     ; a value may hold commas and colons

Well-formed JSON is left to :mod:`json`. Everything else goes through a scanner that survives
line breaks and bare quotes inside strings and a text that ends anywhere. A value that is cut off
is not a value: ``"port":"84`` names no port, so it is told as damage and gives no field.
"""

from __future__ import annotations

from diagnoser.deferral import pattern
from diagnoser.grammar.scanner import MAX_FIELDS, Pairs, Scanner
from diagnoser.grammar.values import Members, read_prefix, rendered
from diagnoser.model import Field, Location

MAX_TEXT = 128 * 1024

# A key of the old form has a blank on both sides of its colon; values hold colons without.
_OLD_KEY = pattern(
    r"(?:^|,\s{0,3})([$\w][^\s,:]{0,60}(?: [^\s,:]{1,30}){0,2})\s{1,3}:(?:\s{1,3}|$)"
)
_TIGHT_KEY = pattern(r"(?:^|,\s{0,3})([$\w][^\s,:]{0,60})\s{0,3}:\s{1,3}")


def parse_fields(text: str, at: Location) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """The fields of ``text``, which begins on line ``at``, and what of it is damaged.

    Never raises; at most ``MAX_FIELDS`` fields of the first ``MAX_TEXT`` characters. Numbers,
    objects and arrays are given as their text; repeated keys are kept in the input's order.
    """
    damage: list[str] = []
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT]
        damage.append(f"fields are longer than {MAX_TEXT} characters; the rest was not read")
    body = text.strip()
    offset = text.find(body) if body else 0
    if not body:
        return (), tuple(damage)
    if body.startswith("{"):
        pairs = _strict(body, damage)
        if pairs is None:
            pairs = Scanner(body, damage).members()
    else:
        pairs = _old(body)
        if not pairs:
            damage.append("fields are neither JSON nor pairs")
    if len(pairs) > MAX_FIELDS:
        pairs = pairs[:MAX_FIELDS]
        damage.append(f"more than {MAX_FIELDS} fields; the rest was not read")
    fields, line, seen = [], at.line, 0
    for key, value, where in pairs:
        line += text.count("\n", seen, offset + where)
        seen = offset + where
        fields.append(Field(key, value, Location(at.source, line)))
    return tuple(fields), tuple(damage)


def _strict(body: str, damage: list[str]) -> Pairs | None:
    # Line breaks would need positions that json does not give; the scanner has them.
    if "\n" in body:
        return None
    found, end = read_prefix(body)
    rest = body[end:].strip()
    # A quote behind the object means that it ended inside a string with a brace and bare quotes.
    if not isinstance(found, Members) or '"' in rest:
        return None
    if rest:
        damage.append(f"text after the fields: {rest[:40]!r}")
    return [(rendered(key), rendered(value), 0) for key, value in found]


def _old(body: str) -> Pairs:
    keys = list(_OLD_KEY.finditer(body)) or list(_TIGHT_KEY.finditer(body))
    if not keys or keys[0].start() != 0:
        return []
    ends = [k.start() for k in keys[1:]] + [len(body)]
    return [
        (key[1], " ".join(body[key.end() : end].split("\n")).strip(), key.start(1))
        for key, end in zip(keys, ends, strict=True)
    ]
