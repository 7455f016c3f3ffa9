"""Labelled blocks: what the console shows under "Additional info" and what people paste.

Three generations share one grammar, for their parts stand in one order and differ in which are
left out (blank lines may stand between any two)::

    block    = link *( [ separator ] link ) [ separator ]
    link     = code [ module ] [ line-info ] [ fields ] [ message ]
    separator= [ heading [":"] ] 8*"-"                  ; 20 until 2015, 24 since
    code     = label ":" 1*10DIGIT                      ; module << 16 | code without a module
    module   = label ":" [ 1*5DIGIT ]                   ; left out when 0, and since 2020
    line-info= label ":" [ [ "0x" ] 1*16HEXDIG [ "," place ] ]
    fields   = label ":" object / pairs / empty         ; see grammar.fields; may wrap
    message  = label ":" *any-line

A label is a listed word in one of the catalogue's languages, or any word where the shape of the
line says what it is; the colon may be full-width and have blanks before it, digits may be
full-width. An example of 2021::

    Error code: 307
    Module: 626
    LineInfo: 0x50e61e3e2e723ba3
    Fields: {"address":"rs-eu2-cloud.acronis.com","port":"8443","$module":"isk_bundle_vsa64_26986"}
    Message: Could not perform SSL_write() call:
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import pyparsing as pp

from diagnoser.grammar.embedded import expand
from diagnoser.grammar.fields import parse_fields
from diagnoser.grammar.lexicon import (
    BLANK,
    COLON,
    HEX,
    LABEL,
    SEPARATOR,
    Part,
    flexible,
    language_of,
    parts_of,
    words,
)
from diagnoser.grammar.syntax import place, refusal, run, token
from diagnoser.model import ErrorBlock, ErrorFrame, Field, RawBlock
from diagnoser.reading.framing import Cleaned, clean

_AT_END = r"(?=\n|\Z)"
_HEADLESS = "the line of the code, which stands above the module, was not read"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token with its offset in the cleaned text."""

    offset: int
    text: str


def _piece(_: str, offset: int, tokens: pp.ParseResults) -> _Piece:
    return _Piece(offset, str(tokens[0]))


def _label(part: Part) -> str:
    return f"{words(part)}{BLANK}{COLON}{BLANK}"


@lru_cache(maxsize=64)
def _grammar(own_label: str | None) -> pp.ParserElement:
    """The grammar of blocks that open with a listed code label, or with ``own_label``."""
    code = (
        words(Part.CODE) if own_label is None else f"(?:{flexible(own_label)}|{words(Part.CODE)})"
    )
    any_label = f"{LABEL}{BLANK}{COLON}{BLANK}"
    landmark = rf"(?:{SEPARATOR.pattern}|{code}{BLANK}{COLON}{BLANK}\d{{1,10}}){_AT_END}"
    shape = r"""[^\n]{0,512}?(?:[{,]\s?["'](?:\$|\w{1,40}["']\s?:)|\$module\b)"""
    no_label = f"{_label(Part.LINE)}|{_label(Part.FIELDS)}|{_label(Part.MESSAGE)}"
    # Lines go on to be fields until the message label; after a closing brace any label is it,
    # and pairs that do not end with a comma are over at the next label.
    stop = f"{landmark}|{_label(Part.MESSAGE)}"
    after_brace = r"(?:(?<=\}\n)|(?<=\}\n\n))" + any_label
    object_lines = rf"\{{[^\n]*(?:\n(?!{stop}|{after_brace})[^\n]*)*"
    pair_lines = rf"[^\n]*(?:\n(?!{stop}|(?<!,\n){any_label})[^\n]*)*"

    eol = token(r"\n+|\Z", "the end of the line").suppress()
    number = token(rf"\d{{1,10}}{_AT_END}", "a decimal number").set_parse_action(_piece)
    code_label = token(f"{code}{BLANK}{COLON}{BLANK}", "a line such as `Error code: 307`")
    module = (
        token(_label(Part.MODULE), "Module").suppress()
        - pp.Opt(~token(_AT_END, "the end of the line") - number("module"))
        - eol
        | token(rf"(?!{no_label}){any_label}(?=\d{{1,5}}{_AT_END})", "Module").suppress()
        + number("module")
        + eol
    )
    tag = token(r"[^\n]*", "a line tag").set_parse_action(_piece)
    line_info = (
        token(_label(Part.LINE), "LineInfo").suppress() - tag("line_info") - eol
        | token(
            rf"(?!{no_label}){any_label}(?=(?:(?:0x)?[0-9a-f]{{1,16}})?{_AT_END})", "LineInfo"
        ).suppress()
        + tag("line_info")
        + eol
    )
    fields = (
        token(
            f"{_label(Part.FIELDS)}|(?!{_label(Part.MESSAGE)}){any_label}(?={shape})", "Fields"
        ).suppress()
        - token(f"(?:{object_lines}|{pair_lines})", "fields").set_parse_action(_piece)("fields")
        - eol
    )
    message = (
        token(f"{_label(Part.MESSAGE)}|{any_label}", "Message").suppress()
        - token(rf"[^\n]*(?:\n(?!{landmark})[^\n]*)*", "a message").set_parse_action(_piece)(
            "message"
        )
        - eol
    )
    separator = token(rf"(?:{SEPARATOR.pattern}){_AT_END}", "a separator").suppress() + eol
    link = pp.Group(
        code_label.set_parse_action(_piece)("label")
        - number("code")
        - eol
        + pp.Opt(module)
        + pp.Opt(line_info)
        + pp.Opt(fields)
        + pp.Opt(~code_label + ~separator + message)
    )
    block = link + pp.ZeroOrMore(pp.Opt(separator) + link) + pp.Opt(separator)
    return block.parse_with_tabs()


def parse(block: RawBlock) -> ErrorBlock:
    """One labelled block. Raises ``BlockSyntaxError``."""
    cleaned = clean(block.text)
    first = cleaned.text.split("\n", 1)[0]
    label = first.replace("：", ":").partition(":")[0]
    language = language_of(label)
    own = None if language is not None or not label.strip() else label.strip()
    links = run(_grammar(own), cleaned, block)
    damage: list[str] = []
    frames = tuple(_frame(link, cleaned, block, damage) for link in links)
    parts = parts_of(label)
    if Part.MODULE in parts and Part.CODE not in parts and frames[0].module == 0:
        # What the shape took for the code is the module.
        module = frames[0].code
        headless = replace(frames[0], module=module, code=None, symbol=f"{module}/?")
        frames = (headless, *frames[1:])
        damage.append(_HEADLESS)
    chain = expand(frames)
    last = links[-1]
    if "message" not in last:
        where = "message" if "fields" in last else "fields"
        damage.append(f"{frames[-1].name}: cut off before the {where}")
    return ErrorBlock(
        form=block.form,
        language=language,
        frames=chain.frames,
        at=block.at,
        text=block.text,
        damage=(*damage, *chain.damage),
    )


def _frame(
    link: pp.ParseResults, cleaned: Cleaned, block: RawBlock, damage: list[str]
) -> ErrorFrame:
    code, module = _numbers(link, cleaned, block)
    fields: tuple[Field, ...] = ()
    if "fields" in link:
        piece: _Piece = link["fields"]
        fields, faults = parse_fields(piece.text, place(cleaned.text, piece.offset, block.at))
        damage += [f"{module}/{code}: {fault}" for fault in faults]
    return ErrorFrame(
        module=module,
        code=code,
        line_info=_line_info(link),
        fields=fields,
        message=link["message"].text.strip() if "message" in link else None,
        at=place(cleaned.text, link["label"].offset, block.at),
    )


def _numbers(link: pp.ParseResults, cleaned: Cleaned, block: RawBlock) -> tuple[int, int]:
    """Code and module; a code without module is both at once: ``module << 16 | code``."""
    code = int(link["code"].text)
    if code > 0xFFFFFFFF:
        raise refusal("an error code up to 4294967295", link["code"].offset, cleaned, block)
    if "module" not in link:
        return code & 0xFFFF, code >> 16
    module = int(link["module"].text)
    if module > 0xFFFF:
        raise refusal("a module number up to 65535", link["module"].offset, cleaned, block)
    if code > 0xFFFF and code >> 16 != module:
        raise refusal(
            f"a module number that agrees with the code, {code >> 16}",
            link["module"].offset,
            cleaned,
            block,
        )
    return code & 0xFFFF, module


def _line_info(link: pp.ParseResults) -> str | None:
    """The line tag as written; installers add the place in the source behind a comma."""
    if "line_info" not in link:
        return None
    tag: str = link["line_info"].text.partition(",")[0].strip()
    return tag if HEX.fullmatch(tag) else None
