"""Where a plain text holds a secret: told by the word before it, or by its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from diagnoser.reports.naming import Kind


class Secret(StrEnum):
    """What stands in place of a secret; there is no way back."""

    KEY = "[private key]"
    TOKEN = "[token]"  # noqa: S105  (a label)
    SECRET = "[secret]"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Trace:
    """``value`` stands from ``start`` to before ``end`` and is a secret or names something."""

    start: int
    end: int
    kind: Secret | Kind
    value: str


_WORDS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|"
    r"client[-_ ]?secret|session[-_ ]?(?:id|key|ticket|secret)(?:-ctx)?|master[-_ ]?(?:key|secret)|"
    r"licen[cs]e[-_ ]?key|product[-_ ]?key|activation[-_ ]?key|registration[-_ ]?code|cookie|psk|"
    r"resumption psk|パスワード|トークン|kennwort|passwort|пароль|mot de passe|contraseña|senha|"
    r"hasło|otp|pin"
)
_OPTION = r"(?<!\S)(?:--?(?:p|password|token|pass)|--http-proxy-password)(?:=|\s+)"
_BARE = r"(?!\[)(?P<value>[^\s\"']{1,400})"
_SECRETS: tuple[tuple[Secret, re.Pattern[str]], ...] = (
    (
        Secret.KEY,
        re.compile(
            r"(?P<value>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r".*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z))",
            re.DOTALL,
        ),
    ),
    # RFC 7519: both parts of a JWT are JSON objects, so both begin with {" in base64.
    (Secret.TOKEN, re.compile(r"(?<![\w-])(?P<value>eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?)")),
    (
        Secret.SECRET,
        re.compile(
            r"(?:proxy-)?authorization\W{1,4}(?:basic|bearer|digest|negotiate|ntlm|token)\s+"
            r"(?P<value>[^\s\"',;]+)",
            re.IGNORECASE,
        ),
    ),
    (
        Secret.SECRET,
        re.compile(r"\b(?:set-)?cookie:\s*(?P<value>[^\r\n\"]{1,4000})", re.IGNORECASE),
    ),
    (
        Secret.SECRET,
        re.compile(
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,200}:(?P<value>[^\s/\"']{1,200})@",
            re.IGNORECASE,
        ),
    ),
    (
        Secret.SECRET,
        re.compile(
            rf"(?<![a-z])(?:{_WORDS})(?:\\?[\"'])?\s{{0,4}}(?:[:=：]|\bis\b)\s{{0,4}}"
            r"(?P<open>\\?[\"'])(?!\[)(?P<value>(?:(?!(?P=open)).){1,4000})(?P=open)",
            re.IGNORECASE,
        ),
    ),
    (
        Secret.SECRET,
        re.compile(
            rf"(?<![a-z])(?:{_WORDS})(?:\\?[\"'])?\s{{0,4}}[:=：]\s{{0,4}}(?:\\?[\"'])?"
            r"(?!\[)(?P<value>[^\s\"'\\,;&|}]{1,4000})",
            re.IGNORECASE,
        ),
    ),
    # <password>…</password>, also <ns:AdminPassword encrypted="no">, as settings and SOAP have it.
    (
        Secret.SECRET,
        re.compile(
            rf"<(?:[\w-]{{1,40}}:)?[\w-]{{0,40}}?(?:{_WORDS})(?:\s[^<>]{{0,200}})?>\s{{0,20}}"
            r"(?!\[)(?P<value>[^<>]{1,4000}?)\s{0,20}</",
            re.IGNORECASE,
        ),
    ),
    # Signed addresses of Azure and AWS: who has the signature needs no login.
    (
        Secret.SECRET,
        re.compile(
            r"[?&;](?:sig|signature|x-amz-signature|x-amz-credential|x-goog-signature)="
            r"(?!\[)(?P<value>[^\s\"'&;<>]{1,4000})",
            re.IGNORECASE,
        ),
    ),
    *(
        (Secret.SECRET, re.compile(rf"{_OPTION}{value}"))
        for value in (r"(?P<open>[\"'])(?P<value>[^\"'\r\n]{1,400})(?P=open)", _BARE)
    ),
    # curl's way to log in.
    (Secret.SECRET, re.compile(r"(?<!\S)(?:-u|--user)(?:=|\s+)[\"']?[^\s:\"']{1,100}:" + _BARE)),
    # AWS access keys, and tokens of GitHub.
    (
        Secret.TOKEN,
        re.compile(r"(?<!\w)(?P<value>(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,255})(?!\w)"),
    ),
)
_SECRET_KEY = re.compile(
    rf"(?:^|[^a-z])(?:{_WORDS})$|(?:password|passwd|secret|token|apikey)$", re.IGNORECASE
)


def is_secret_key(key: str) -> bool:
    """Whether a field or attribute of this name holds a secret."""
    return _SECRET_KEY.search(key) is not None


def secrets(text: str) -> Iterator[Trace]:
    """The secrets in a plain text. Overlaps are left in."""
    for kind, pattern in _SECRETS:
        for match in pattern.finditer(text):
            yield Trace(*match.span("value"), kind, match["value"])
