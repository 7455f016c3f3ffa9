"""Surveys one text: every error once with its count, whatever the size of the text.

An entry of a log that was seen before, but for times and identifiers, is not parsed again.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from diagnoser.errors import BlockSyntaxError
from diagnoser.evidence import drop_secrets
from diagnoser.grammar import FORMS, Reading, last_opening, read_blocks
from diagnoser.grammar.anchors import all_anchors, few_anchors, own_stamps
from diagnoser.grammar.identity import identity
from diagnoser.grammar.moments import iso_time
from diagnoser.model import ErrorBlock, Sighting, Skipped
from diagnoser.reading.automaton import Anchor
from diagnoser.reading.encodings import decode
from diagnoser.reading.locating import Island, Locator, Mark
from diagnoser.scanning.bounds import Bound
from diagnoser.scanning.familiar import Familiar
from diagnoser.scanning.masking import mask
from diagnoser.scanning.stamps import body_of, last_stamp_of, stamp_of
from diagnoser.scanning.tallies import Tally

# Distinct errors of one text, and entries remembered. A real log holds some dozens.
MAX_ERRORS = 2_000
_MAX_KNOWN = 50_000
_MAX_MARKS = 200
_MAX_SKIPPED = 200


@dataclass(frozen=True, slots=True)
class Survey:
    """What one text holds; each with the offset of the island that it stands in.

    ``counted`` says that the line numbers are those of the text; otherwise they count from the
    island (see :func:`~diagnoser.scanning.placing.place`). ``earlier`` counts errors before the
    time that the user asked for. ``interrupted`` says that Ctrl-C ended it early. ``encoding`` is
    that of the text, if its letters are not single bytes.
    """

    name: str
    sightings: tuple[tuple[int, Sighting], ...] = ()
    faults: tuple[tuple[int, BlockSyntaxError], ...] = ()
    skipped: tuple[tuple[int, Skipped], ...] = ()
    marks: tuple[Mark, ...] = ()
    earlier: int = 0
    counted: bool = True
    interrupted: bool = False
    encoding: str | None = None


class Surveyor:
    """The automata, built once for any number of texts. ``marks`` are further strings to note;
    ``since`` is an ISO 8601 time, errors before which are only counted."""

    def __init__(self, marks: Sequence[Anchor] = (), since: str | None = None) -> None:
        self._locator = Locator(
            (*few_anchors(FORMS), *marks), (*all_anchors(FORMS), *marks), own_stamps(FORMS)
        )
        self._since = since

    def survey(
        self,
        stream: BinaryIO,
        name: str,
        limit: int | None = None,
        *,
        within: bool = False,
        counting: bool = True,
    ) -> Survey:
        """All errors of the first ``limit`` bytes. What the stream raises passes through."""
        state = _State(name, self._since, counted=counting)
        located = self._locator.locate(
            stream,
            limit,
            within=within,
            counting=counting,
            recognise=state.familiar.end_of,
            last_block=_last_block,
        )
        try:
            for found in located:
                if isinstance(found, Mark):
                    if len(state.marks) < _MAX_MARKS:
                        state.marks.append(found)
                else:
                    state.add(found)
        except KeyboardInterrupt:
            # What was found so far is worth having; who asked goes on to end the scan.
            return replace(state.survey(), interrupted=True)
        return state.survey()

    def survey_whole(self, data: bytes, name: str) -> Survey:
        """All errors of a small text, read as one where anything in it may be an error: what
        stands around a block (its card, blank lines) tells more than an island shows."""
        state = _State(name, self._since, counted=True, whole=True)
        found = list(self._locator.locate(io.BytesIO(data)))
        state.marks += [m for m in found if isinstance(m, Mark)][:_MAX_MARKS]
        if len(state.marks) < len(found):
            state.add(Island(0, data, 1))
        return state.survey()


class _State:
    """What was found so far. Entries that are known by the hash of their bytes are only counted:
    the hash is keyed anew in every run, so nobody can prepare two that collide."""

    def __init__(self, name: str, since: str | None, *, counted: bool, whole: bool = False) -> None:
        self.name, self._counted, self._whole = name, counted, whole
        self.since = None if since is None else Bound(since)
        self.familiar = Familiar(self.since)
        self.marks: list[Mark] = []
        self._tallies: dict[object, tuple[int, Tally]] = {}
        # The second says that their time is the first which their bytes show.
        self._known: dict[int, tuple[tuple[Tally, ...], bool]] = {}
        self._faults: list[tuple[int, BlockSyntaxError]] = []
        self._skipped: list[tuple[int, Skipped]] = []
        self._earlier = self._left = 0

    def add(self, island: Island) -> None:
        data = island.data
        body = data[body_of(data) :]
        exact = hash(body)
        known = self._known.get(exact)
        if known is None:
            masked = hash(mask(body))
            known = self._known.get(masked)
            if known is None:
                self._parse(island, exact, masked)
                return
        tallies, is_timed = known
        if is_timed or len(body) == len(data):
            self.familiar.learn(island, tallies)
        if tallies:
            at = stamp_of(data) if is_timed else last_stamp_of(island.before)
            if self.since is not None and at is not None and self.since.is_after(at):
                self._earlier += len(tallies)
                return
            for tally in tallies:
                tally.add(at)

    def _remember(self, keys: Iterable[int], tallies: tuple[Tally, ...], *, is_timed: bool) -> None:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        for key in keys:
            self._known[key] = tallies, is_timed

    def _parse(self, island: Island, exact: int, masked: int) -> None:
        reading = read_blocks(
            drop_secrets(decode(island.data)),
            self.name,
            island.line or 1,
            may_be_wrapped=self._whole,
        )
        self._keep(reading, island.offset)
        tallies = []
        above = _written(last_stamp_of(island.before))
        times = [above if m is None else m.encode() for m in reading.moments]
        whole = True
        for block, at in zip(reading.blocks, times, strict=True):
            if self.since is not None and at is not None and self.since.is_after(at):
                self._earlier += 1
                # Its tally may not exist: it is parsed again when it comes within the time.
                whole = False
                continue
            tally = self._tally(block, island.offset)
            if tally is None:
                self._left += 1
                continue
            tally.add(at)
            tallies.append(tally)
        own = _written(stamp_of(island.data))
        is_timed = bool(body_of(island.data)) or (times[:1] == [own] and own != above)
        # Only what has one time, and has it where it will be looked for, need not be read again.
        if whole and all(at == (own if is_timed else above) for at in times):
            self._remember((exact, masked), tuple(tallies), is_timed=is_timed)

    def _keep(self, reading: Reading, at: int) -> None:
        room = MAX_ERRORS - len(self._faults)
        self._faults += [(at, fault) for fault in reading.faults[:room]]
        room = _MAX_SKIPPED - len(self._skipped)
        self._skipped += [(at, skipped) for skipped in reading.skipped[:room]]

    def _tally(self, block: ErrorBlock, at: int) -> Tally | None:
        key = identity(block)
        known = self._tallies.get(key)
        if known is None:
            if len(self._tallies) >= MAX_ERRORS:
                return None
            known = self._tallies[key] = at, Tally(block)
        return known[1]

    def survey(self) -> Survey:
        skipped = list(self._skipped)
        if self._left:
            reason = f"more than {MAX_ERRORS} different errors; {self._left} others were left"
            skipped.append((-1, Skipped(self.name, reason)))
        return Survey(
            self.name,
            tuple((at, tally.sighting()) for at, tally in self._tallies.values()),
            tuple(self._faults),
            tuple(skipped),
            tuple(self.marks),
            self._earlier + self.familiar.earlier,
            self._counted,
        )


def _last_block(data: bytes) -> int | None:
    """The offset at which the last block of ``data`` begins: it may go on beyond the end."""
    text = decode(data)
    line = last_opening(text)
    if line is None or text.count("\n") != data.count(b"\n"):
        return None
    at = 0
    for _ in range(line):
        at = data.find(b"\n", at) + 1
    return at


def _written(stamp: bytes | None) -> bytes | None:
    """A stamp as ISO 8601 has it."""
    found = None if stamp is None else iso_time(stamp.decode("utf-8", "replace"))
    return None if found is None else found.encode()
