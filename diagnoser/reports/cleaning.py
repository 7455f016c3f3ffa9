"""What must be done to every string before any format sees it: secrets out, controls visible.

Input is hostile: logs, certificates and servers may carry terminal escapes, bidirectional
overrides and secrets. The whole report is walked once, by type of value, so that no format can
forget it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TypeVar

from diagnoser.model import Report
from diagnoser.visible import visible

T = TypeVar("T")

_SECRETS = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r".*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        "[private key]",
    ),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"), "[token]"),
    (
        re.compile(
            r"((?:proxy-)?authorization\W{1,4}(?:basic|bearer|digest|negotiate|ntlm)\s+)"
            r"[^\s\"',;]+",
            re.IGNORECASE,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,200}):[^\s/\"']{1,200}@", re.IGNORECASE
        ),
        r"\1:[secret]@",
    ),
    (
        re.compile(
            r"((?<![a-z])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|"
            r"session[-_]?(?:id|key)|master-key|psk|パスワード|kennwort|пароль)"
            r"(?:\\?[\"'])?\s{0,4}[:=：]\s{0,4}(?:\\?[\"'])?)(?!\[)([^\s\"'\\,;&|}]{1,4000})",
            re.IGNORECASE,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"((?<!\S)(?:--?(?:p|password|token|pass)|--http-proxy-password)(?:=|\s+))"
            r"(?!\[)([^\s\"']{1,400})"
        ),
        r"\1[secret]",
    ),
)

_SECRET_KEYS = re.compile(
    r"pass(word|wd|phrase)?$|pwd$|secret$|token$|api[-_]?key$|master-key$", re.IGNORECASE
)


def clean(report: Report) -> Report:
    """The same report with every string made safe to print and free of secrets."""
    return _walk(report)


def clean_text(text: str) -> str:
    """One string without secrets, with control characters written out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return visible(text)


def _walk(value: T) -> T:
    if isinstance(value, str):
        # StrEnum members are words of our own.
        return value if type(value) is not str else clean_text(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_walk(item) for item in value)  # type: ignore[return-value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _walk(getattr(value, f.name)) for f in dataclasses.fields(value)}
        key = changed.get("key")
        if isinstance(key, str) and "value" in changed and _SECRET_KEYS.search(key):
            changed["value"] = "[secret]"
        return dataclasses.replace(value, **changed)
    return value
