"""A scan may take every short cut, as long as nobody can tell: it is compared with plain reading."""

from __future__ import annotations

import io
import random
import re
import string
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, cast

import pytest
from corpus import SAMPLES as FOLDER
from corpus import line, samples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from diagnoser import grammar
from diagnoser.grammar import FORMS, forms, read_blocks
from diagnoser.grammar.anchors import all_anchors, few_anchors
from diagnoser.grammar.identity import identity, mask_text
from diagnoser.model import ErrorBlock
from diagnoser.reading import islands, locating, window
from diagnoser.reading.automaton import are_few
from diagnoser.reading.encodings import decode
from diagnoser.reading.locating import Island, Locator
from diagnoser.scanning import Survey, errands, join, place
from diagnoser.scanning.familiar import Familiar
from diagnoser.scanning.masking import mask
from diagnoser.scanning.stamps import body_of
from diagnoser.scanning.surveying import Surveyor

SURVEYOR = Surveyor(errands.MARKED)
# Entries of a log: what begins with a stamp or is one line of JSON or an event.
ENTRIES = [
    (path.name, decode(path.read_bytes()).rstrip("\n") + "\n")
    for path in sorted(FOLDER.iterdir())
    if path.name != "README.md" and islands.HEAD.match(path.read_bytes())
]
ALL = samples()
GAP = "\n\n\n\n"
SHORT = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def stream_of(data: bytes) -> BinaryIO:
    return io.BytesIO(data)


def placed(survey: Survey, data: bytes) -> Survey:
    return place(survey, stream_of(data))


def told(blocks: list[ErrorBlock]) -> Counter[object]:
    return Counter(
        (tuple(f.name for f in b.frames), tuple(f.message for f in b.frames)) for b in blocks
    )


def lines_of(blocks: list[ErrorBlock]) -> dict[object, int]:
    """Each error and the line that it first stands in."""
    found: dict[object, int] = {}
    for block in blocks:
        key = identity(block)
        found[key] = min(found.get(key, block.at.line), block.at.line)
    return found


def noise(chance: random.Random, most: int) -> str:
    return "".join(line(chance) for _ in range(chance.randrange(most + 1)))


def mixed(chosen: list[tuple[str, str]], number: int) -> str:
    """Samples with entries of a log between them, and enough of it that islands are cut."""
    chance = random.Random(number)
    parts = [noise(chance, 30)]
    for _, text in chosen:
        parts += [GAP, text, GAP, line(chance), noise(chance, 30)]
    return "".join(parts)


@SHORT
@given(
    st.lists(st.sampled_from(ALL), min_size=1, max_size=5), st.integers(0, 1 << 20), st.booleans()
)
def test_a_survey_gives_what_reading_the_whole_gives(
    chosen: list[tuple[str, str]],
    number: int,
    within: bool,  # deep in a large text few anchors are looked for
) -> None:
    text = mixed(chosen, number)
    whole = list(read_blocks(text, "x").blocks)
    survey = SURVEYOR.survey(stream_of(text.encode()), "x", within=within)
    assert lines_of([s.block for _, s in survey.sightings]) == lines_of(whole)
    counts = Counter({identity(s.block): s.count for _, s in survey.sightings})
    assert counts == Counter(identity(b) for b in whole)


@SHORT
@given(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=6), st.integers(0, 1 << 20))
def test_entries_need_no_gap_between_them(chosen: list[tuple[str, str]], number: int) -> None:
    chance = random.Random(number)
    text = "".join(noise(chance, 4) + sample for _, sample in chosen) + line(chance)
    whole = list(read_blocks(text, "x").blocks)
    survey = SURVEYOR.survey(stream_of(text.encode()), "x")
    assert lines_of([s.block for _, s in survey.sightings]) == lines_of(whole)


@SHORT
@given(
    st.lists(st.sampled_from(ALL), min_size=1, max_size=5),
    st.integers(0, 1 << 20),
    st.sampled_from(["\n", "\r\n", "\r\r\n"]),
    st.data(),
)
def test_the_parts_of_a_text_joined_give_the_whole(
    chosen: list[tuple[str, str]], number: int, end: str, data: st.DataObject
) -> None:
    text = mixed(chosen, number).replace("\n", end).encode()
    planned = data.draw(st.integers(0, len(text)))
    found = errands.find_border(text[planned:])
    assume(found is not None)
    assert found is not None
    border = planned + found
    parts = [
        (0, SURVEYOR.survey(stream_of(text[:border]), "x", counting=False)),
        (border, SURVEYOR.survey(stream_of(text[border:]), "x", counting=False)),
    ]
    once = placed(SURVEYOR.survey(stream_of(text), "x", counting=False), text)
    twice = placed(join(parts), text)
    counted = SURVEYOR.survey(stream_of(text), "x")

    def content(survey: Survey) -> list[object]:
        return [
            (s.block.at, [f.name for f in s.block.frames], s.count, s.first_seen, s.times)
            for _, s in survey.sightings
        ]

    assert content(once) == content(twice) == content(counted)


class Drip:
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self._inner, self._most = io.BytesIO(data), most

    def readinto(self, room: memoryview) -> int:
        return self._inner.readinto(room[: self._most])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(ALL), min_size=1, max_size=3),
    st.integers(0, 1 << 20),
    st.integers(300, 9000),
    st.integers(1, 400),
)
def test_small_windows_and_slow_pipes_change_nothing(
    chosen: list[tuple[str, str]], number: int, chunk: int, most: int
) -> None:
    """The window is moved many times within one text, as it is in a large one."""
    text = mixed(chosen, number).encode()
    whole = list(SURVEYOR._locator.locate(stream_of(text)))
    reach, above = 16 << 10, 4 << 10
    assume(all(len(i.data) < reach for i in whole if isinstance(i, Island)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", chunk)
        patch.setattr(islands, "REACH", reach)
        patch.setattr(islands, "ABOVE", above)
        slow = cast("BinaryIO", Drip(text, most))
        cut = list(SURVEYOR._locator.locate(slow))
    assert cut == whole


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(0, 3 << 10), st.integers(300, 2000))
def test_islands_never_overlap_and_are_bytes_of_the_text(
    hits: int, between: int, chunk: int
) -> None:
    """Hits in a text without any line end, where nothing says where an entry begins."""
    text = (b"Error code: 307 " + b"x" * between) * hits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", chunk)
        patch.setattr(islands, "REACH", 2048)
        patch.setattr(islands, "ABOVE", 512)
        found = [i for i in SURVEYOR._locator.locate(stream_of(text)) if isinstance(i, Island)]
    end = 0
    for island in found:
        assert island.offset >= end
        assert text[island.offset : island.offset + len(island.data)] == island.data
        assert len(island.data) <= 2048 + 512
        end = island.offset + len(island.data)
    covered = sum(i.data.count(b"rror code") for i in found)
    assert covered >= hits - len(found)


DIGITS = re.compile(r"\d+")


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([t for _, t in ALL] + [t for _, t in ENTRIES]), st.data())
def test_what_is_counted_without_being_read_is_the_same_error(
    text: str, data: st.DataObject
) -> None:
    """Entries whose masked bytes agree are errors that agree: here in one number at a time."""
    # The zone of a stamp tells some forms: 17 minutes are no zone.
    numbers = [m for m in DIGITS.finditer(text) if text[m.start() - 1 : m.start()] not in "+-"]
    place = data.draw(st.sampled_from(numbers))
    other = data.draw(st.text("0123456789", min_size=len(place[0]), max_size=len(place[0])))
    changed = text[: place.start()] + other + text[place.end() :]
    if masked(changed.encode()) == masked(text.encode()):
        assert [identity(b) for b in read_blocks(changed, "x").blocks] == [
            identity(b) for b in read_blocks(text, "x").blocks
        ]


def masked(entry: bytes) -> bytes:
    return mask(entry[body_of(entry) :])


HEX = st.text("0123456789abcdef", min_size=1, max_size=4)
HEAD = "2026-11-20T10:15:00:123+01:00 10060 E02720133: "
CLOCKS = (
    "",
    " 10:20:30",
    " 2026-11-20 10:20:30",
    " 1/2/26 8:20:30 PM",
    " at 10:20:30",
    "T10:20:30",
)


@pytest.mark.parametrize("clock", CLOCKS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_but_times_and_identifiers_is_masked(clock: str, data: st.DataObject) -> None:
    """Hosts, addresses, ports and codes stay, whatever time is written behind them."""
    kinds: tuple[tuple[Callable[[str], str], st.SearchStrategy[str]], ...] = (
        (lambda v: f"| port: {v}", st.integers(1, 65535).map(str)),
        (lambda v: f"connect to {v}", st.integers(1, 65535).map(lambda p: f"eu8.acronis.com:{p}")),
        (lambda v: f"error 0x{v}", st.integers(1, 1 << 31).map("{:x}".format)),
        (lambda v: f'"code":{v},', st.integers(1, 1 << 31).map(str)),
        (lambda v: f"| address: {v}", st.ip_addresses(v=4).map(str)),
        (lambda v: f"| address: {v}", st.ip_addresses(v=6).map(str)),
        (lambda v: f"| address: [{v}]:443", st.ip_addresses(v=6).map(str)),
        (lambda v: f"host {v}", st.text(string.ascii_lowercase, min_size=1, max_size=9)),
    )
    write, values = data.draw(st.sampled_from(kinds))
    one, other = data.draw(values), data.draw(values)
    assume(one != other)
    same = masked(f"{HEAD}{write(one)}{clock}\n".encode())
    assert same != masked(f"{HEAD}{write(other)}{clock}\n".encode())


def test_an_address_in_front_of_a_clock_is_no_day() -> None:
    texts = [f"{HEAD}no answer from 192.0.2.{n} 10:20:30\n" for n in (17, 18, 170, 171)]
    assert len({masked(text.encode()) for text in texts}) == len(texts)
    assert len({mask_text(text) for text in texts}) == len(texts)


def test_the_anchors_fit_the_vector_search() -> None:
    """Beyond 64 patterns the automaton is 15 times slower: whoever adds a form or a language with
    new spellings must say which of them are looked for in large files (``grammar.anchors``)."""
    assert are_few([*few_anchors(FORMS), *errands.MARKED])
    with pytest.raises(ValueError, match="are slow"):
        Locator(all_anchors(FORMS), ())


@pytest.mark.parametrize(
    "text",
    [
        b"TLS connect failed with error " * 40_000,
        b"TLS connect failed with error\n" * 40_000,
        b"Error: 0x\n" * 30_000,
        (b"2026-11-20T10:15:14 cl#1: " + b"TLS connect failed with error\n" * 8_000) * 5,
    ],
)
def test_a_text_of_nothing_but_anchors_is_cut_with_few_looks_below(text: bytes) -> None:
    """Each look may go as far as an island reaches: one a hit, and a minute is gone."""
    looks = 0
    end_below = islands._end_below

    def counted(buffer: bytearray, at: int, filled: int, *, spans: bool) -> tuple[int, bool]:
        nonlocal looks
        looks += 1
        return end_below(buffer, at, filled, spans=spans)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(islands, "_end_below", counted)
        found = [i for i in SURVEYOR._locator.locate(stream_of(text)) if isinstance(i, Island)]
    assert sum(len(i.data) for i in found) >= 0.9 * len(text)
    assert looks <= (text.count(b"error") + text.count(b"rror:")) // 10


@pytest.mark.parametrize("lines", [10, 59, 60, 61, 100, 115])
def test_a_link_below_a_long_message_is_no_error_of_its_own(lines: int) -> None:
    message = "".join(f"a line {n} of what the server answered\n" for n in range(lines))
    text = (
        f"{line(random.Random(1)) * 9}Error code: 41\nModule: 307\nMessage: It failed:\n{message}"
        "------------------------\nError code: 307\nModule: 626\nMessage: Could not\n"
        f"------------------------\n{line(random.Random(2)) * 9}"
    )
    survey = SURVEYOR.survey(stream_of(text.encode()), "x")
    whole = read_blocks(text, "x").blocks
    assert told([s.block for _, s in survey.sightings]) == told(list(whole))
    assert [len(b.frames) for b in whole] == [2]


@pytest.mark.parametrize(("name", "sample"), ALL, ids=[name for name, _ in ALL])
def test_every_sample_is_found_whole_deep_in_a_large_text(name: str, sample: str) -> None:
    # Nothing else in it holds an anchor: what stands above a sample must not be found by luck.
    idle = "2026-11-20T10:00:00:123+01:00 10060 I00000000: Session is idle\n" * 20
    text = idle + GAP + sample + GAP + idle
    survey = SURVEYOR.survey(stream_of(text.encode()), name, within=True)
    whole = read_blocks(text, name).blocks
    assert lines_of([s.block for _, s in survey.sightings]) == lines_of(list(whole))


@pytest.mark.parametrize("between", [0, 1, 3, 6])
@pytest.mark.parametrize("clients", [1, 2])
def test_a_session_is_cut_out_whole(between: int, clients: int) -> None:
    """Its two lines may stand apart, with those of other clients and other entries between."""
    stamp = "2026-11-20T10:15:14:123+01:00 5120 {}00000000: "
    idle = stamp.format("I") + "idle\n"
    tls = stamp.format("E") + "cl#{}: TLS connect failed with error 'error:14094412:SSL'\n"
    session = stamp.format("E") + (
        "cl#{}: connected to 203.0.113.4{}:44445, but failed to start a session with a gateway:"
        " -3 (Authentication failure)\n"
    )
    groups = [
        "".join(tls.format(n + c) for c in range(clients))
        + idle * between
        + "".join(session.format(n + c, c) for c in range(clients))
        for n in range(50)
    ]
    text = (idle * 40).join(groups)
    survey = SURVEYOR.survey(stream_of(text.encode()), "x")
    whole = read_blocks(text, "x").blocks
    assert {len(b.frames) for b in whole} == {2}
    counts = Counter({identity(s.block): s.count for _, s in survey.sightings})
    assert counts == Counter(identity(b) for b in whole)
    # Both parts are read as a whole: a few groups are enough to be cut in, and at more places.
    text = (idle * 40).join(groups[:8])
    whole = read_blocks(text, "x").blocks
    for planned in range(0, len(text), 331):
        if (found := errands.find_border(text[planned:].encode())) is not None:
            parts = text[: planned + found], text[planned + found :]
            assert sum(len(read_blocks(part, "x").blocks) for part in parts) == len(whole)


LABELS = {
    "two blanks": "Error  code",
    "no-break space": "Error\u00a0code",
    "apostrophe": "Code d’erreur",
    "decomposed": unicodedata.normalize("NFD", "Código de error"),
    "decomposed Czech": unicodedata.normalize("NFD", "Kód chyby"),
    "upper case": "ERROR CODE",
    "usual": "Código de erro",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("above", [0, 90_000])
def test_a_label_is_found_however_it_is_spelt(label: str, above: int) -> None:
    """No $module stands below it, so the label alone must be found."""
    text = "2026-11-20T10:15:14 10060 I00000000: nothing to do, idle\n" * above + (
        f"{label}: 307\nModule: 626\nMessage: Could not perform SSL_write() call:\n"
    )
    assert above == 0 or len(text) > locating.THOROUGH
    survey = SURVEYOR.survey(stream_of(text.encode()), "x")
    whole = SURVEYOR.survey_whole(text.encode(), "x")
    for found in (survey, whole):
        assert [s.block.frames[0].name for _, s in found.sightings] == ["626/307"]


@pytest.mark.parametrize(
    "text", [b"a: 1\n$module: x\n" * 84_000, b"abc\n    Error: 0x5\n" * 71_000]
)
def test_a_dense_text_without_times_is_cut_in_linear_time(text: bytes) -> None:
    """What lies beyond the longest island is looked at for the next, not for this one."""
    looks = 0
    end_below = islands._end_below

    def counted(buffer: bytearray, at: int, filled: int, *, spans: bool) -> tuple[int, bool]:
        nonlocal looks
        looks += 1
        return end_below(buffer, at, filled, spans=spans)

    begun = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(islands, "_end_below", counted)
        found = [i for i in SURVEYOR._locator.locate(stream_of(text)) if isinstance(i, Island)]
    assert sum(len(i.data) for i in found) >= 0.9 * len(text)
    assert looks <= text.count(b"\n") // 40
    assert time.process_time() - begun < 4


@pytest.mark.parametrize("above", ["", "see the ticket\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_long_text_without_times_is_parted_between_its_blocks(above: str, end: str) -> None:
    """Nothing says where an entry begins; a chain of several links must not be cut in two."""
    sample = (FOLDER / "labelled-en-ssl-write.txt").read_text().rstrip("\n") + "\n"
    text = ((above + sample) * 700).replace("\n", end).encode()
    assert len(text) > 3 * islands.REACH
    survey = SURVEYOR.survey(stream_of(text), "x")
    assert [
        ([f.name for f in s.block.frames], s.count, s.block.damage) for _, s in survey.sightings
    ] == [(["307/41", "626/307"], 700, ())]
    assert (survey.faults, survey.skipped) == ((), ())


@pytest.mark.parametrize("within", [False, True])
def test_a_large_set_up_log_is_searched_for_all_its_words(within: bool) -> None:
    """They are too many for the vector search, which large files are searched with."""
    stamp = "2026-11-20T10:15:14+0100:"
    above = f"{stamp}check_kernel_version finished OK.\n" * (locating.THOROUGH // 50)
    text = above + f"{stamp}Unable to reach eu2-cloud.acronis.com\n"
    assert len(above) > locating.THOROUGH
    survey = SURVEYOR.survey(stream_of(text.encode()), "x", within=within)
    assert [s.block.frames[0].symbol for _, s in survey.sightings] == ["set-up"]


@SHORT
@given(st.sampled_from(ENTRIES), st.integers(2, 40), st.integers(0, 59))
def test_repeated_entries_are_counted_with_their_times(
    sample: tuple[str, str], count: int, minute: int
) -> None:
    stamp = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", sample[1])
    assume(stamp is not None)
    assert stamp is not None
    times = [f"2026-11-20T{h % 24:02}:{minute:02}" for h in range(count)]
    text = "".join(time + sample[1][stamp.end() :] for time in times)
    whole = read_blocks(text, "x").blocks
    survey = SURVEYOR.survey(stream_of(text.encode()), "x")
    assert sum(s.count for _, s in survey.sightings) == len(whole)
    for _, sighting in survey.sightings:
        seen = [b.occurred_at for b in whole if identity(b) == identity(sighting.block)]
        known = [at for at in seen if at is not None]
        assert (sighting.first_seen, sighting.last_seen) == (min(known), max(known))
        assert sum(n for _, n in sighting.times) == len(seen) == sighting.count


GUID = "0001a2b3-1234-4abc-9def-0123456789ab"
REPEATING = [
    *ENTRIES,
    (
        "guid",
        f"2026-11-20T10:15:14 10060 E02720133: Error 0x2720133: id {GUID} refused\n| port: 1\n",
    ),
    ("no failure", "2026-11-20T10:15:14 10060 I00000000: Error 0x0: The operation succeeded\n"),
    (
        "no stamp",
        f'Error code: 307\nModule: 626\nFields: {{"address":"a.acronis.com","id":"{GUID}"}}\n',
    ),
    ("time below", "Error code: 307\nModule: 626\nMessage: Refused at 2026-11-20 10:15:13.\n"),
    ("indented", " Error code: 307\n Module: 626\n Message: Could not perform SSL_write() call:\n"),
    ("bars", "| error 0x2720133: Could not perform SSL_write() call:\n| address: a.acronis.com\n"),
    (
        "no time",
        '{"level":"error" ,"msg":"Post https://eu2-cloud.acronis.com/api: dial tcp 203.0.113.9:443:'
        ' connect: connection refused"}\n',
    ),
    (
        "clock",
        "2026-11-20T10:15:14 E02720133: Error 0x2720133: failed at 2026-11-20 10:15:13.5 again\n",
    ),
]


def other_time(chance: random.Random, text: str) -> str:
    """The same entry at another time and with other identifiers, now and then one letter off."""
    clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"
    text = re.sub(r"(?<=[T ])\d\d:\d\d:\d\d", clock, text)
    text = text.replace(GUID, f"{chance.getrandbits(32):08x}{GUID[8:]}")
    if chance.random() < 0.2:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice("0x9:-|{ \n") + text[at + 1 :]
    return text


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(REPEATING), min_size=1, max_size=4),
    st.integers(0, 1 << 20),
    st.sampled_from([None, "2026-11-20T12"]),
)
def test_familiar_entries_are_counted_as_if_they_were_read(
    chosen: list[tuple[str, str]], number: int, since: str | None
) -> None:
    chance = random.Random(number)
    entries = [other_time(chance, chance.choice(chosen)[1]) for _ in range(40)]
    between = ("", "--------\n\n\n\n\n", line(chance), line(chance))
    text = "".join(e + chance.choice(between) for e in entries).encode()
    assert_told_as_read(text, since)


def assert_told_as_read(text: bytes, since: str | None = None) -> None:
    surveyor = Surveyor(errands.MARKED, since)
    told = surveyor.survey(stream_of(text), "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Familiar, "end_of", lambda *_: None)
        read = surveyor.survey(stream_of(text), "x")
    assert [(at, str(fault)) for at, fault in told.faults] == [
        (at, str(fault)) for at, fault in read.faults
    ]
    assert replace(told, faults=()) == replace(read, faults=())


def test_a_scan_and_the_grammar_look_equally_far() -> None:
    assert grammar.NEAR == islands.BEFORE
    assert forms.SPAN == islands.SPAN


def test_what_repeats_is_neither_cut_nor_read_again() -> None:
    entry = REPEATING[len(ENTRIES)][1]
    idle = "2026-11-20T10:15:14 10060 I00000000: idle\n"
    text = "".join(entry.replace("0001a2b3", f"{n:08x}") + idle for n in range(500)).encode()
    asked: list[int | None] = []
    end_of = Familiar.end_of

    def noted(self: Familiar, buffer: bytearray, top: int, filled: int) -> int | None:
        asked.append(end_of(self, buffer, top, filled))
        return asked[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Familiar, "end_of", noted)
        survey = SURVEYOR.survey(stream_of(text), "x")
    assert [s.count for _, s in survey.sightings] == [500]
    assert sum(end is None for end in asked) <= 3
