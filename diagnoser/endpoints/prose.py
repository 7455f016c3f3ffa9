"""Hosts in free text: URLs, quoted ``host:port``, the phrases of clients, names of Acronis domains.

Every pattern is linear in the text: bounded repeats, possessive where two could trade characters,
and no start inside a word. A name in plain prose counts only within an Acronis domain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnoser import catalog
from diagnoser.endpoints.hosts import read_address

_SCHEME_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_PLAIN_SCHEMES = {"http", "ws"}

_LABEL = r"[a-z0-9_-]{1,63}"
_NAME = rf"(?:{_LABEL}\.){{1,20}}{_LABEL}\.?"
_V6 = r"\[[0-9a-f:.%]{2,60}\]|(?=[0-9a-f]{0,4}:)[0-9a-f:]{2,40}(?:[0-9.]{0,15}\d|(?<=[0-9a-f:]))"
_HOST = rf"(?P<host>{_V6}|{_NAME})"
_WORD = rf"(?P<host>{_V6}|{_NAME}|{_LABEL})"
_OPEN = r"[\"'`‘’“”„«»‹›「」『』<]"
_PORT = r"(?P<port>\d{1,7})(?!\w)"
_ANY_PORT = r"(?::(?P<port>\d{1,7})(?!\w)|\s{1,3}(?:via |on |at )?port (?P<far>\d{1,7})(?!\w))"
# A letter that ASCII lacks makes what stands before it half a name; \0 was a trap.
_END = r"(?![\u00c0-\u052f\0])"


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


URL = _compile(
    r"(?<![a-z0-9+.-])(?P<scheme>https?|acronis\+fes|wss?|tls|ssl)://(?:[^\s/@\"'<>\0]{1,200}@)?"
    rf"(?P<host>\[[0-9a-f:.%]{{2,60}}\]|[a-z0-9_.-]{{1,253}}+){_END}(?::(?P<port>\d{{1,7}})(?!\w))?"
)
_TO = (
    r"(?:to|with)\s(?:the\s)?(?:host\s|server\s)?"
    rf"(?P<open>{_OPEN})?{_HOST}{_END}{_OPEN}?{_ANY_PORT}?"
)
_COMMAND = "command_line_address"
_LOCAL = "local_service"
# Go's "dial tcp" and "read tcp near->far": the address that a name was looked up to.
_DIALLED = _compile(rf"(?:\bdial\stcp[46]?\s|->\s?){_HOST}:{_PORT}")
# The facts that phrases are evidence of, in the order in which they are tried; what one took, the
# next does not see.
_PHRASES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("url_in_message", URL),
    (
        "quoted_in_message",
        _compile(rf"{_OPEN}\s?{_WORD}:{_PORT}\s?{_OPEN.replace('<', '>')}"),
    ),
    ("quoted_in_message", _compile(rf"\(\s?{_OPEN}{_HOST}{_OPEN},\s?{_PORT}")),
    (
        "quoted_in_message",
        _compile(
            rf"\"(?:address|host|hostname|fesAddress)\"\s?:\s?\"{_WORD}(?::{_PORT})?\""
            r"(?:[^{}\0]{0,80}?\"port\"\s?:\s?\"?(?P<far>\d{1,7}))?"
        ),
    ),
    ("via_port", _compile(rf"\bhost\s{_OPEN}?{_WORD}{_OPEN}?\s(?:via|on|at)\sport\s{_PORT}")),
    ("connected_to", _DIALLED),
    ("connected_to", _compile(rf"\bconnected\s{_TO}")),
    ("failed_to_connect_to", _compile(rf"\b(?:connect(?:ing|ion)?|tunnel)\s{_TO}")),
    (
        "named_in_message",
        _compile(
            rf"(?:\bresolve(?:d|\sthe)?\shost(?:\s?name)?\s?:?\s?|\blookup\s){_OPEN}?{_HOST}{_END}"
        ),
    ),
    ("via_port", _compile(rf"\bports?:\s{{0,3}}{_HOST}:{_PORT}")),
    ("data_store", _compile(rf"\bDataStore:\s?{_OPEN}?{_WORD}{_END}(?::{_PORT})?")),
    (
        _COMMAND,
        _compile(rf"--(?:rain|reg-address|address)[=\s]{_OPEN}?{_WORD}{_END}(?!:/)(?::{_PORT})?"),
    ),
    (
        _COMMAND,
        _compile(
            rf"\bregister_?agent[^\n\0]{{0,200}}?\s-a[=\s]{_OPEN}?{_HOST}{_END}(?!:/)(?::{_PORT})?"
        ),
    ),
    (
        _LOCAL,
        _compile(
            rf"(?<![\w.@/\\-])(?P<host>localhost|127(?:\.\d{{1,3}}){{3}}|\[::1\]){_END}"
            rf"(?![\w.-]*\w)(?::{_PORT})?"
        ),
    ),
    (
        "named_in_message",
        _compile(rf"(?<![\w.@/\\%$+-])(?P<host>{_NAME}){_END}(?![@\\])(?:{_ANY_PORT})?"),
    ),
)

_FILE = _compile(
    r"[^\0]*\.(?:cpp|c|cxx|h|hpp|cs|go|js|ts|java|log|tib|tibx|dll|exe|sys|txt|json|xml|yaml|yml|crt"
    r"|pem|key|cer|pfx|gz|tar|msi|dmp|bin|dat|db|sql|vhdx?|vmdk|mdf|ldf|bak|tmp|ini|conf|cfg|bat"
    r"|ps1|php|html?|zip)\.?"
)
# Extensions that are also country codes: a file where it has two labels and no known port.
_FILE_OR_COUNTRY = _compile(r"[^.]*\.(?:py|rs|sh|so|cc|pl)\.?")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One place in a text that names a host; ``fact`` says by its key what kind of place.

    ``is_dialled``: the host is the address that a name was looked up to, if one stands beside it.
    """

    fact: str
    host: str
    port: str
    text: str
    scheme_port: int | None = None
    plain_text: bool = False
    is_dialled: bool = False


def show(host: str, port: str) -> str:
    """Host and port as a reader writes them; a bare IPv6 address gets its brackets."""
    bracketed = f"[{host}]" if port and ":" in host and not host.startswith("[") else host
    return f"{bracketed}:{port}" if port else bracketed


def is_file(host: str, port: str) -> bool:
    """Whether ``host`` is rather the name of a file (``ssl_connection.cpp:158``)."""
    if _FILE.fullmatch(host):
        return True
    return _FILE_OR_COUNTRY.fullmatch(host) is not None and not _is_known(port)


def _is_known(port: str) -> bool:
    return port.isdecimal() and catalog.port_row(int(port)) is not None


def _phrase(fact: str, match: re.Match[str]) -> Phrase:
    parts = match.groupdict()
    scheme = (parts.get("scheme") or "").lower()
    port = parts.get("port") or parts.get("far") or ""
    prefix = f"{scheme}://" if scheme else ""
    return Phrase(
        fact,
        match["host"],
        port,
        prefix + show(match["host"].rstrip("."), port),
        _SCHEME_PORTS.get(scheme),
        scheme in _PLAIN_SCHEMES,
        match.re is _DIALLED,
    )


def _counts(phrase: Phrase, match: re.Match[str]) -> bool:
    """Whether this place makes a host of this text."""
    if match.re is _PHRASES[-1][1]:
        return catalog.in_domain(phrase.host)
    if phrase.fact in {"url_in_message", _LOCAL} or read_address(phrase.host) is not None:
        return True
    if ":" in phrase.host or is_file(phrase.host, phrase.port):
        return False
    if "." not in phrase.host:
        return phrase.fact == _COMMAND or _is_known(phrase.port)
    # "Failed to connect to server.Please retry": there a name needs a port or quotes to be one.
    return "open" not in match.re.groupindex or bool(match["open"] or phrase.port)


def read_url(text: str) -> Phrase | None:
    """The URL that ``text`` begins with, or ``None``."""
    match = URL.match(text)
    return None if match is None else _phrase("url_in_message", match)


def in_prose(text: str) -> tuple[Phrase, ...]:
    """The hosts that ``text`` names, the plainest places first. Nothing is raised, whatever stands
    there; a text without a dot or a colon is not looked at."""
    found: list[Phrase] = []
    if "." not in text and ":" not in text:
        return ()
    for fact, pattern in _PHRASES:

        def take(match: re.Match[str], fact: str = fact) -> str:
            phrase = _phrase(fact, match)
            if not _counts(phrase, match):
                return match[0]
            found.append(phrase)
            return "\0" * len(match[0])

        text = pattern.sub(take, text)
    return tuple(found)
