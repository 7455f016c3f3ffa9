"""Errors that Go's libraries put in words, outermost first: ``Post "https://…": x509: …``."""

from __future__ import annotations

from diagnoser.deferral import pattern
from diagnoser.grammar.values import Members, rendered
from diagnoser.model import ErrorFrame, Location

# The names that errors of net, net/http, crypto/tls, crypto/x509 and io begin with.
_PACKAGE = pattern(
    r"(?:^|: )(?P<package>x509|tls|dial tcp|dial udp|lookup|proxyconnect tcp|read tcp|write tcp"
    r"|http|http2|EOF|unexpected EOF|context (?:deadline exceeded|canceled))(?=[: ]|$)"
)
_LONGEST = 65_536


def symbol_of(message: str) -> str | None:
    """The library whose error is the innermost of ``message``: ``Go/x509``; ``None`` if none is."""
    packages = [m["package"] for m in _PACKAGE.finditer(message[:_LONGEST])]
    return f"Go/{packages[-1]}" if packages else None


def cause(message: str, at: Location) -> ErrorFrame:
    """The frame of an error that is known by its words alone."""
    symbol = symbol_of(message) or "Go"
    return ErrorFrame(None, None, None, (), message, at, symbol)


def debug_cause(document: object, at: Location) -> ErrorFrame | None:
    """What the agent core gives as the reason of its own error: ``{"debug":{"msg":…}}``."""
    debug = document.get("debug") if isinstance(document, Members) else None
    text = debug.get("msg") if isinstance(debug, Members) else None
    return cause(rendered(text), at) if isinstance(text, str) and text.strip() else None
