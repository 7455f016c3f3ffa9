"""Headlines: the combined code of a whole chain where the blocks below it were not pasted.

::

    headline = [ caption ] term 1*( "+" term )  /  code-label [":"] term
    term     = "0x" 8HEXDIG                     ; module << 16 | code, outermost first

The last term may be a Windows status (its top bit is set): it belongs to the link before it, as
the field ``code`` that such a link has in its block. ``Error code 0x80070005`` alone is Windows'
own number and no error of an agent.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pyparsing as pp

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.grammar.forms import MAX_FRAMES, Framed
from diagnoser.grammar.lexicon import Part, language_of, words
from diagnoser.grammar.syntax import run, token
from diagnoser.model import ErrorBlock, ErrorFrame, Field, RawBlock
from diagnoser.reading.framing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnoser.reading.framing import Page

NAME = "headline"
_TERM = r"0x[0-9a-fA-F]{8}(?![0-9a-fA-F])"
_CAPTIONS = ("code", "código", "codice", "код", "kod", "コード")
# No module has a number beyond 0x0fff; Windows' own numbers do.
_AGENTS = r"0x0(?!0{7})[0-9a-fA-F]{7}(?![0-9a-fA-F])"
# Not inside JSON ("serCode") and not inside a longer expression. Addresses are written so too.
_SUM = pattern(
    rf"(?<![\"'+]){_AGENTS}(?:\+{_AGENTS})*\+(?:{_AGENTS}|0x[89a-fA-F][0-9a-fA-F]{{7}})"
    r"(?![0-9a-fA-F+])"
)
# Words that stand beside a sum of codes where it is an error; anywhere, and in any case.
_BESIDE = pattern(
    r"code|err|fehl|fail|fout|codice|código|kod|код|ошиб|сбой|błąd|chyb|hata|コード|エラー|失敗|错误|"
    r"錯誤|오류",
    re.IGNORECASE,
)
_GAPS = ("", " ", ": ", ":", "：", "\u00a0", " : ")
_STATUS = 0x80000000


@cache
def _single() -> re.Pattern[str]:
    label = f"(?:{words(Part.CODE)}|{'|'.join(_CAPTIONS)})"
    return pattern(
        rf"^[^\w\n]{{0,8}}(?P<label>{label})(?:{'|'.join(_GAPS)}){_AGENTS}[^\S\n]{{0,8}}$",
        re.IGNORECASE | re.MULTILINE,
    )


def anchors() -> tuple[str, ...]:
    """A sum of codes, or a caption with a number of an agent behind it, in its usual cases."""
    spellings = [s for c in _CAPTIONS for s in dict.fromkeys((c, c.capitalize(), c.upper()))]
    return ("+0x", *(f"{s}{gap}0x0" for s in spellings for gap in _GAPS))


def frame(page: Page) -> Iterator[Framed]:
    """The headlines of a page in order."""
    found = sorted({*page.hits(_SUM), *page.hits(_single())})
    for index in found:
        if _is_of_agent(page.line(index)):
            yield Framed(index, index + 1, page.cut(NAME, index, index + 1))


@cache
def _modules() -> frozenset[int]:
    """The modules that the catalogue has."""
    return frozenset(row.module for row in catalog.errors() if row.module is not None)


def _is_of_agent(line: str) -> bool:
    """Whether the codes of a line can be an agent's, and it says or nothing denies that they are:
    ``0x00100000+0x0009f000`` is a range of memory."""
    whole = _SUM.search(line) or re.search(_AGENTS, line)
    if whole is None:
        return False
    terms = [int(term, 16) for term in whole[0].split("+")]
    numbers = [term for term in terms if term < _STATUS]
    modules, known = _modules(), catalog.known_codes()
    # A link may have module 0 and any code; where nothing else is an agent's, the sum is not.
    if any(term >> 16 == 0 and term not in known for term in numbers):
        return len(terms) > 1 and any(term >> 16 and term in known for term in numbers)
    if len(terms) == 1 or _BESIDE.search(line) or whole[0] == line:
        return True
    return all(term >> 16 in modules for term in numbers)


@cache
def _grammar() -> pp.ParserElement:
    caption = token(rf"(?:(?!{_TERM})[^\n])*", "a caption")
    term = token(_TERM, "a code such as `0x02720133`")
    rest = token(r"[^\n]*", "text").suppress()
    return (
        caption("caption") + pp.DelimitedList(term, delim="+")("terms") + rest
    ).parse_with_tabs()


def parse(block: RawBlock) -> ErrorBlock:
    """One headline. Raises ``BlockSyntaxError``."""
    found = run(_grammar(), clean(block.text), block)
    terms = [int(term, 16) for term in list(found["terms"])[: MAX_FRAMES + 1]]
    status = terms.pop() if len(terms) > 1 and terms[-1] >= _STATUS else None
    frames = [ErrorFrame(t >> 16, t & 0xFFFF, None, (), None, block.at) for t in terms[:MAX_FRAMES]]
    if status is not None:
        last = frames[-1]
        field = Field("code", f"0x{status:08x}", block.at)
        frames[-1] = ErrorFrame(last.module, last.code, None, (field,), None, block.at)
    caption = str(found["caption"]).strip().rstrip(":：").strip()
    return ErrorBlock(
        form=block.form,
        language=language_of(caption),
        frames=tuple(frames),
        at=block.at,
        text=block.text,
        damage=("only the combined code was pasted: fields and messages are missing",),
    )
