"""Puts the parts of one text together and gives every finding its line in the whole."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import BinaryIO

from diagnoser.errors import BlockSyntaxError
from diagnoser.grammar import without_headlines
from diagnoser.grammar.identity import identity
from diagnoser.grammar.places import moved
from diagnoser.model import Sighting, Skipped
from diagnoser.reading.lines import LineCounter
from diagnoser.scanning.surveying import Survey
from diagnoser.scanning.tallies import Tally

_CHUNK = 1 << 20


def join(parts: Sequence[tuple[int, Survey]]) -> Survey:
    """The surveys of the parts of one text, each with the offset that it begins at, as one."""
    if len(parts) == 1 and parts[0][0] == 0:
        return parts[0][1]
    tallies: dict[object, tuple[int, Tally]] = {}
    for start, part in parts:
        for at, sighting in part.sightings:
            known = tallies.setdefault(
                identity(sighting.block), (start + at, Tally(sighting.block))
            )
            known[1].absorb(sighting)
    return Survey(
        parts[0][1].name,
        tuple((at, tally.sighting()) for at, tally in tallies.values()),
        tuple((start + at, fault) for start, p in parts for at, fault in p.faults),
        tuple((start + at if at >= 0 else at, s) for start, p in parts for at, s in p.skipped),
        tuple(replace(m, offset=start + m.offset) for start, p in parts for m in p.marks),
        sum(part.earlier for _, part in parts),
        counted=False,
        encoding=parts[0][1].encoding,
    )


def relocate(survey: Survey, origin: Callable[[int], int], encoding: str) -> Survey:
    """``survey`` with the offsets of the wide text from which what it read was made."""
    return replace(
        survey,
        sightings=tuple((origin(at), s) for at, s in survey.sightings),
        faults=tuple((origin(at), f) for at, f in survey.faults),
        skipped=tuple((origin(at) if at >= 0 else at, s) for at, s in survey.skipped),
        marks=tuple(replace(m, offset=origin(m.offset)) for m in survey.marks),
        encoding=encoding,
    )


def place(survey: Survey, stream: BinaryIO) -> Survey:
    """``survey`` with the line numbers of the text, which ``stream`` reads once more up to the
    last finding."""
    if survey.counted:
        return survey
    offsets = {at for at, _ in (*survey.sightings, *survey.faults, *survey.skipped) if at >= 0}
    above = dict(_lines_above(stream, sorted(offsets), survey.encoding))
    above[-1] = 0
    return replace(
        survey,
        sightings=tuple((at, _move_sighting(s, above[at])) for at, s in survey.sightings),
        faults=tuple((at, _move_fault(f, above[at])) for at, f in survey.faults),
        skipped=tuple((at, _move_skipped(s, above[at])) for at, s in survey.skipped),
        counted=True,
    )


def drop_headlines(sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Without the headlines of chains that the same text spells out further down."""
    kept = {id(block) for block in without_headlines([s.block for s in sightings])}
    return tuple(s for s in sightings if id(s.block) in kept)


def _lines_above(
    stream: BinaryIO, offsets: Sequence[int], encoding: str | None
) -> list[tuple[int, int]]:
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
    counter, at, found = LineCounter(), 0, []
    for offset in offsets:
        while at < offset and (data := stream.read(min(_CHUNK, offset - at))):
            at += len(data)
            counter.feed(decoder.decode(data).encode("utf-8", "replace") if decoder else data)
        found.append((offset, counter.line - 1))
    return found


def _move_sighting(sighting: Sighting, lines: int) -> Sighting:
    return replace(sighting, block=moved(sighting.block, lines))


def _move_fault(fault: BlockSyntaxError, lines: int) -> BlockSyntaxError:
    return BlockSyntaxError(
        fault.expected,
        source=fault.source,
        line=fault.line + lines,
        column=fault.column,
        text=fault.text,
        hint=fault.hint,
    )


def _move_skipped(skipped: Skipped, lines: int) -> Skipped:
    name, colon, line = skipped.source.rpartition(":")
    if not (colon and line.isascii() and line.isdigit()):
        return skipped
    return Skipped(f"{name}:{int(line) + lines}", skipped.reason)
