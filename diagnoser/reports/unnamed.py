"""A host or a port that the evidence does not tell, in the reader's words.

Values keep :data:`~diagnoser.evidence.targets.UNKNOWN_HOST` and port 0, which the JSON report
holds; no sentence does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from diagnoser.catalog import Words
from diagnoser.deferral import pattern
from diagnoser.evidence.targets import UNKNOWN_HOST, UNKNOWN_PORT
from diagnoser.model import Endpoint

_UNKNOWN = pattern(rf"{re.escape(UNKNOWN_HOST)}(?::(\d{{1,5}})\b)?")
_IN_PICTURE = pattern(rf">{re.escape(UNKNOWN_HOST)}(?::(\d{{1,5}}))?(?=</text>)")


def name_unnamed(text: str, endpoints: Iterable[Endpoint], words: Words) -> str:
    """``text`` with words for hosts and ports that are not known."""
    for endpoint in endpoints:
        if endpoint.port == UNKNOWN_PORT:
            text = text.replace(str(endpoint), str(endpoint).removesuffix(f":{UNKNOWN_PORT}"))
    if UNKNOWN_HOST not in text:
        return text
    say = words.phrases
    text = _IN_PICTURE.sub(lambda m: ">" + _with_port(say["unnamed_host_short"], m[1], say), text)
    return _UNKNOWN.sub(lambda m: _with_port(say["unnamed_host"], m[1], say), text)


def is_named(endpoint: Endpoint) -> bool:
    """The evidence says which host this is."""
    return endpoint.host != UNKNOWN_HOST


def _with_port(host: str, port: str | None, say: dict[str, str]) -> str:
    return host if port is None else say["unnamed_with_port"].format(host=host, port=port)


def begin_sentence(text: str, words: Words) -> str:
    """``text`` with a capital where it begins with our words for a host: names keep theirs."""
    starts = text.startswith(words.phrases["unnamed_host"])
    return text[:1].upper() + text[1:] if starts else text


def target_of(endpoint: Endpoint) -> str:
    """``HOST:PORT`` for a command, with these words for what is not known."""
    host = "HOST" if endpoint.host == UNKNOWN_HOST else str(endpoint).rpartition(":")[0]
    return f"{host}:{'PORT' if endpoint.port == UNKNOWN_PORT else endpoint.port}"
