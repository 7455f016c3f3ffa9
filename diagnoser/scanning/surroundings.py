"""What a log says beside its errors that explains them: proxy, storage, registration, build.

The forms are those of published service logs; what they mean for the agent is not documented, so
they stand in a case as evidence and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from diagnoser.deferral import pattern
from diagnoser.model import ErrorBlock, Evidence
from diagnoser.reading.encodings import decode
from diagnoser.reading.locating import Mark

PROXY, STORAGE, REGISTRATION = "Proxy setting: Enabled", "DataStore: ", "--reg-address"
ANCHORS = (PROXY, STORAGE, REGISTRATION)
_MOST = 12
_PROXY = pattern(
    rf"{PROXY} = (?P<on>\d), Host = '(?P<host>[^']{{0,253}})', port = (?P<port>\d{{1,5}})"
)
_STORAGE = pattern(rf"\b{STORAGE}(?P<host>[A-Za-z0-9.:_-]{{1,253}})")
_REGISTRATION = pattern(rf"{REGISTRATION}[= ]\"?(?P<address>[^\s\"]{{1,300}})")
# <binary>_<platform>_<build>, read from the right: names of binaries have underscores.
_MODULE = pattern(r"\w+?_(?P<platform>[a-z]{2,6}(?:64|32)?(?:_s)?)_(?P<build>\d{3,6})")


def notice(text: str, source: str) -> tuple[Evidence, ...]:
    """The settings that a text shows, each once, with its place."""
    found: dict[tuple[str, str], Evidence] = {}
    if any(anchor in text for anchor in ANCHORS):
        for number, line in enumerate(text.split("\n"), 1):
            for fact, value in _read(line):
                found.setdefault((fact, value), Evidence(fact, value, f"{source}:{number}"))
    return tuple(found.values())[:_MOST]


def notice_marks(marks: Iterable[Mark], source: str) -> tuple[Evidence, ...]:
    """The settings in the marked lines of a log, each once. Their lines were not counted."""
    found: dict[tuple[str, str], Evidence] = {}
    for mark in marks:
        for fact, value in _read(decode(mark.line)):
            found.setdefault((fact, value), Evidence(fact, value, source))
    return tuple(found.values())[:_MOST]


def build_of(block: ErrorBlock) -> tuple[Evidence, ...]:
    """The agent's build and platform, as its field ``$module`` names them."""
    for frame in block.frames:
        for field in frame.fields:
            if field.key == "$module" and (named := _MODULE.fullmatch(field.value)):
                value = f"{named['build']} ({named['platform']})"
                return (Evidence("agent_build", value, str(field.at)),)
    return ()


def _read(line: str) -> Iterable[tuple[str, str]]:
    for proxy in _PROXY.finditer(line):
        on = proxy["on"] != "0" and proxy["host"]
        yield "logged_proxy", f"{proxy['host']}:{proxy['port']}" if on else "off"
    for storage in _STORAGE.finditer(line):
        yield "logged_storage", storage["host"]
    for registration in _REGISTRATION.finditer(line):
        yield "logged_registration", registration["address"]
