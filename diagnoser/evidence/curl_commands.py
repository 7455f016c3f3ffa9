"""The command line of a ``curl`` run: whom it asked, by which way, and what it took from its proof.

(curl(1).) A command that names no URL is none: every manual is full of the word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnoser.deferral import pattern
from diagnoser.evidence.targets import split_target, without_login

_COMMAND = pattern(
    r"(?:^|[\s/\\$#>;&|\"'(])curl(?:\.exe)?\"?[ \t](?P<options>[^\n]{0,2000})", re.MULTILINE
)
_URL = pattern(r"\b(?P<scheme>https?)://(?:[^\s/@\"']{1,200}@)?(?P<place>[^\s/?#\"'`]{1,300})")
# Of a bundle of short options only the last has a value.
_FLAGS = r"-[#0-46BfgiIkLnNsSv]{0,12}"
# Options whose value is a URL that nobody asks for anything.
_OTHER_URL = pattern(
    rf"(?<!\S)(?:{_FLAGS}x|--proxy|--preproxy|--socks\S{{1,12}}|-e|--referer)[= ]?\s*[\"']?$"
)
_PROXY = pattern(
    rf"(?<!\S)(?:{_FLAGS}x|--(?:proxy|proxy1\.0|preproxy|socks4a?|socks5(?:-hostname)?)[=\s])"
    r"\s*[\"']?(?P<value>[^\s\"']+)"
)
_SIX = pattern(rf"(?<!\S)(?:{_FLAGS}6[#BfgiIkLnNsSv]{{0,12}}|--ipv6)(?!\S)")
_PARALLEL = pattern(rf"(?<!\S)(?:{_FLAGS}Z[#BfgiIkLnNsSv]{{0,12}}|--parallel)(?!\S)")
_LEADS = pattern(r"(?<!\S)--(?:connect-to|resolve)(?![\w-])")
_CERT = pattern(r"(?<!\S)(?:-E|--cert)(?!\S)")
_OWN_ROOTS = pattern(r"(?<!\S)--(?:cacert|capath)(?![\w-])")
_NARROW = pattern(
    r"(?<!\S)(?P<option>--tls-max[=\s]\s*(?:1\.[01]|default\b)|--tlsv1\.3|--sslv[23]"
    r"|--(?:ciphers|tls13-ciphers|curves)[=\s]\s*\S+)(?!\S)"
)
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Command:
    """What one command line says. ``scheme``, ``host`` and ``port`` are those of its first URL, and
    ``None`` where it has none, or one with an impossible host.

    ``proxy`` is told without its login, and is empty for an option that switches it off;
    ``has_tls_proxy``: TLS is spoken to the proxy itself. ``leads``: it chooses where the connection
    goes; ``is_parallel``: lines of several transfers stand among each other. ``narrowed_by`` is the
    option that took something out of the ClientHello.
    """

    scheme: str | None
    host: str | None
    port: int | None
    proxy: str | None
    has_tls_proxy: bool
    leads: bool
    only_six: bool
    is_parallel: bool
    shows_certificate: bool
    has_own_roots: bool
    narrowed_by: str | None


def asks(text: str) -> bool:
    """Whether a command in ``text`` asks for a URL."""
    return any(_url(m["options"]) is not None for m in _COMMAND.finditer(text))


def read_command(text: str) -> Command | None:
    """The first command in ``text``; ``None`` where there is none."""
    found = _COMMAND.search(text)
    if found is None:
        return None
    options = found["options"]
    url, proxy, narrow = _url(options), _PROXY.search(options), _NARROW.search(options)
    host, port = split_target(url["place"]) if url else (None, None)
    return Command(
        scheme=url["scheme"] if url else None,
        host=host,
        port=port or (_PORTS[url["scheme"]] if url else None),
        proxy=without_login(proxy["value"]) if proxy else None,
        has_tls_proxy=proxy is not None and proxy["value"].startswith("https:"),
        leads=_LEADS.search(options) is not None,
        only_six=_SIX.search(options) is not None,
        is_parallel=_PARALLEL.search(options) is not None,
        shows_certificate=_CERT.search(options) is not None,
        has_own_roots=_OWN_ROOTS.search(options) is not None,
        narrowed_by=narrow["option"] if narrow else None,
    )


def _url(options: str) -> re.Match[str] | None:
    found = (m for m in _URL.finditer(options) if not _OTHER_URL.search(options[: m.start()]))
    return next(found, None)
