"""What one process does at a time: a whole file, an archive with its members, or a part of a
large file."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from diagnoser.deferral import pattern
from diagnoser.errors import DiagnoserError, InputError
from diagnoser.evidence import HEAD, RENDERED, REPORT, Kind, detect, read_bundle
from diagnoser.grammar import FORMS
from diagnoser.grammar.forms import SPAN
from diagnoser.model import Skipped
from diagnoser.reading.automaton import Anchor
from diagnoser.reading.encodings import wide_encoding
from diagnoser.reading.inflating import Damaged, Limits, Pipe, TooLarge
from diagnoser.reading.islands import HEAD as ENTRY
from diagnoser.reading.narrowing import Narrowed, narrow, widened_size
from diagnoser.reading.signatures import holds_zip, is_packed, may_unpack_itself
from diagnoser.reading.sources import LIMIT, open_file, read_stream
from diagnoser.scanning.placing import relocate
from diagnoser.scanning.surroundings import ANCHORS
from diagnoser.scanning.surveying import Survey, Surveyor

# A part of a large file: enough that starting a process is worth it.
PART = 64 << 20
_CHUNK = 1 << 20
# How far from a planned border the beginning of an entry is looked for.
_SEARCH = 1 << 20
# Transcripts and checker output in the midst of a log.
_EVIDENCE = (b"CONNECTED(0", b"Verifying connection to ")
MARKED = (
    *(Anchor(text, 0, "evidence") for text in _EVIDENCE),
    *(Anchor(text.encode(), 0, "surroundings") for text in ANCHORS),
)
_SPANNING = tuple(text.encode() for form in FORMS for text in form.spans)
_ENTRY = pattern(rb"\n(?=" + ENTRY.pattern + rb")")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for a whole scan; ``since`` is an ISO 8601 time."""

    since: str | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """``size`` bytes of a file from ``start``; ``part`` says that it is not the whole of it.

    ``encoding`` is that of a part whose letters are not single bytes.
    """

    path: str
    size: int = 0
    start: int = 0
    part: bool = False
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """A text that is no log: evidence of others, to be read as a whole.

    ``data`` is ``None`` for a file, which can be opened by its ``name``. ``surveyed`` says that
    its errors are in a survey already.
    """

    name: str
    data: bytes | None = None
    surveyed: bool = False


Found = Survey | Skipped | Leftover


def plan(path: str, size: int, jobs: int) -> list[Errand]:
    """One errand for a file, or several for a large plain log and several processes.

    Parts meet where an entry of the log begins, so that no error lies in two.
    """
    if jobs < 2 or size < 2 * PART:
        return [Errand(path, size)]
    # A multiple of every encoding's unit.
    step = max(PART, -(-size // (2 * jobs))) & ~3
    borders = [0]
    try:
        with open_file(Path(path)) as stream:
            head = stream.read(HEAD)
            if is_packed(head) or detect(head) is not None:
                return [Errand(path, size)]
            wide = wide_encoding(head)
            for planned in range(step, size - PART // 2, step):
                stream.seek(planned)
                border = find_border(stream.read(_SEARCH), wide)
                if border is not None:
                    borders.append(planned + border)
    except (OSError, DiagnoserError):
        return [Errand(path, size)]
    if len(borders) == 1:
        return [Errand(path, size)]
    ends = [*borders[1:], size]
    pairs = zip(borders, ends, strict=True)
    return [Errand(path, end - start, start, part=True, encoding=wide) for start, end in pairs]


def find_border(data: bytes, wide: str | None = None) -> int | None:
    """Where an entry begins that no error above goes on in; ``wide`` is an encoding of ``data``
    whose letters are not single bytes."""
    if wide is not None:
        at = find_border(narrow(data, wide))
        return None if at is None else widened_size(data, wide, at)
    tops: deque[int] = deque(maxlen=SPAN)
    for found in _ENTRY.finditer(data):
        at = found.end()
        if len(tops) == SPAN and not any(data.find(text, tops[0], at) >= 0 for text in _SPANNING):
            return at
        tops.append(at)
    return None


def run(
    errand: Errand, settings: Settings, meter: Callable[[int], None] | None = None
) -> list[Found]:
    """What the file of an errand holds; never raises for its contents.

    ``meter`` is told the bytes read since it was last called.
    """
    found: list[Found] = []
    try:
        with open_file(Path(errand.path)) as file:
            stream = file if meter is None else cast("BinaryIO", _Metered(file, meter))
            if errand.part:
                stream.seek(errand.start)
                found.append(_survey(stream, errand, settings, file))
            else:
                for one in _whole(file, stream, errand.path, settings):
                    found.append(one)
                    if isinstance(one, Survey) and one.interrupted:
                        break
    except (InputError, Damaged, TooLarge) as error:
        found.append(Skipped(errand.path, str(error)))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        found.append(Skipped(errand.path, f"cannot be read: {reason}"))
    return found


def unpack(data: bytes, name: str, settings: Settings) -> list[Found]:
    """What an archive or a compressed text holds that is in memory; never raises for it."""
    stream = io.BytesIO(data)
    return list(_whole(stream, stream, name, settings))


def _whole(file: BinaryIO, stream: BinaryIO, path: str, settings: Settings) -> Iterator[Found]:
    head = file.read(HEAD)
    file.seek(0)
    if not is_packed(head):
        if may_unpack_itself(head) and holds_zip(file):
            reason = "is a program with a zip archive in it, which is not looked into: unpack it"
            yield Skipped(path, reason)
        yield from _text(head, stream, path, settings, file)
        return
    if (report := read_bundle(file)) is not None:
        # What else is in it shows the same case once more.
        yield Leftover(f"{path}!/{REPORT}", report)
        return
    from diagnoser.reading.archives import expand  # noqa: PLC0415  (a plain log needs no tarfile)

    file.seek(0)
    for source in expand(stream, path, Limits()):
        if isinstance(source, Skipped):
            yield source
            continue
        inner = _read(source.stream, HEAD)
        whole = source.stream if source.stream.seekable() else _rejoined(inner, source.stream)
        if whole.seekable():
            whole.seek(0)
        try:
            yield from _text(inner, whole, source.name, settings)
        except (Damaged, TooLarge, EOFError) as error:
            yield Skipped(source.name, str(error))


def _text(
    head: bytes, stream: BinaryIO, name: str, settings: Settings, file: BinaryIO | None = None
) -> Iterator[Found]:
    kind = detect(head)
    if kind is Kind.RENDERING:
        yield Skipped(name, RENDERED)
        return
    if kind is not None:
        if file is not None:
            yield Leftover(name)
        else:
            yield from _kept(stream, name, surveyed=False)
        return
    wide = wide_encoding(head)
    if len(head) < HEAD:
        whole = narrow(head, wide) if wide else head
        yield _surveyor(settings).survey_whole(whole, name)
        return
    survey = _survey(stream, Errand(name, encoding=wide), settings, file)
    yield survey
    if any(m.name == "evidence" for m in survey.marks):
        if file is not None:
            yield Leftover(name, surveyed=True)
        else:
            yield Skipped(name, "holds more than its errors (a transcript?): give it by itself")


def _survey(stream: BinaryIO, errand: Errand, settings: Settings, file: BinaryIO | None) -> Survey:
    """The errors of a large text. A ``file`` is read once more for the few lines that matter, so
    only what is no file has its lines counted."""
    surveyor, within, counting = _surveyor(settings), errand.start > 0, file is None
    name, size = errand.path, errand.size if errand.part else None
    if errand.encoding is None:
        return surveyor.survey(stream, name, size, within=within, counting=counting)
    text = Narrowed(stream, errand.encoding, size)
    survey = surveyor.survey(cast("BinaryIO", text), name, within=within, counting=counting)
    if file is None:
        return survey
    return relocate(survey, lambda at: text.origin(at, file, errand.start), errand.encoding)


def _kept(stream: BinaryIO, name: str, *, surveyed: bool) -> Iterator[Found]:
    text = read_stream(stream, name, LIMIT)
    yield from text.skipped
    yield Leftover(name, text.data, surveyed)


@cache
def _surveyor(settings: Settings) -> Surveyor:
    return Surveyor(MARKED, settings.since)


def _read(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _rejoined(head: bytes, stream: BinaryIO) -> BinaryIO:
    def chunks() -> Iterator[bytes]:
        yield head
        while chunk := stream.read(_CHUNK):
            yield chunk

    return cast("BinaryIO", Pipe(chunks()))


class _Metered:
    """A file that tells how much of it was read."""

    def __init__(self, inner: BinaryIO, meter: Callable[[int], None]) -> None:
        self._inner, self._meter = inner, meter

    def readinto(self, buffer: memoryview) -> int:
        count: int = self._inner.readinto(buffer)  # type: ignore[attr-defined]
        self._meter(count)
        return count

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self._meter(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def seekable(self) -> bool:
        return True
