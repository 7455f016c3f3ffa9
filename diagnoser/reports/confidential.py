"""Where a plain text holds a secret: told by the word before it, or by its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from diagnoser.deferral import pattern
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


# Words that mean a secret in whatever stands before them: adminPassword, REFRESHTOKEN, dbpwd.
_STRONG = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|api[-_ ]?key|access[-_ ]?key|"
    r"private[-_ ]?key|encryption[-_ ]?key|account[-_ ]?key|storage[-_ ]?key|"
    r"session[-_ ]?(?:id|key|ticket)(?:-ctx)?|session-secret-ctx|master[-_ ]?key|"
    r"licen[cs]e[-_ ]?key|product[-_ ]?key|activation[-_ ]?key|registration[-_ ]?code|"
    r"resumption psk|パスワード|トークン|kennwort|passwort|пароль|mot de passe|contraseña|senha|"
    r"hasło|wachtwoord|heslo|jelszó|şifre|parola|비밀번호|암호|密码|密碼"
)
# Words that mean one by themselves, or behind one of these.
_WEAK = (
    r"(?:(?<![a-z])|(?<=user)|(?<=proxy)|(?<=admin)|(?<=db))pass|(?<![a-z])(?:cookie|psk|otp|pin)"
)
_WORDS = rf"{_STRONG}|{_WEAK}"
_SCHEMES = r"basic|bearer|digest|negotiate|ntlm|token|api-?key|hawk|aws4-hmac-sha256"
_CLOSE, _OPEN = r"(?:\\?[\"'])?", r"(?P<open>\\?[\"'])"
_QUOTED = r"(?!\[)(?P<value>(?:(?!(?P=open)).){1,4000})(?P=open)"
_OPTION = (
    r"(?<!\S)(?:-p|--?[\w-]{0,40}(?:pass(?:word|wd|phrase)?|pwd|token|secret|credentials|api-?key))"
    r"(?:=|\s+)"
)
_BARE = r"(?!\[)(?P<value>[^\s\"']{1,400})"
# What is said of a password rather than what it is.
_SAID = (
    r"(?!(?:not|in|invalid|incorrect|wrong|expired|empty|required|missing|too|set|blank|weak|"
    r"correct|the|a|an|being|stored|no|unknown|needed|used|changed|ok)\b)"
)


def _folded(text: str) -> re.Pattern[str]:
    return pattern(text, re.IGNORECASE)


_FORMS: tuple[tuple[Secret, re.Pattern[str]], ...] = (
    (
        Secret.KEY,
        pattern(
            r"(?P<value>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r".*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z))",
            re.DOTALL,
        ),
    ),
    # RFC 7519: both parts of a JWT are JSON objects, so both begin with {" in base64.
    (Secret.TOKEN, pattern(r"(?<![\w-])(?P<value>eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?)")),
    (
        Secret.SECRET,
        _folded(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,200}:(?P<value>[^\s/\"']{1,200})@"),
    ),
    # Signed addresses of Azure and AWS: who has the signature needs no login.
    (
        Secret.SECRET,
        _folded(
            r"[?&;](?:sig|signature|x-amz-signature|x-amz-credential|x-goog-signature)="
            r"(?!\[)(?P<value>[^\s\"'&;<>]{1,4000})"
        ),
    ),
    # curl's way to log in.
    (Secret.SECRET, pattern(r"(?<!\S)(?:-u|--user)(?:=|\s+)[\"']?[^\s:\"']{1,100}:" + _BARE)),
    # AWS access keys, and tokens of GitHub, GitLab, Slack and Google.
    (
        Secret.TOKEN,
        pattern(
            r"(?<!\w)(?P<value>(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,255}|glpat-[\w-]{16,255}"
            r"|xox[abeoprs]-[\w-]{10,255}|AIza[\w-]{35})(?![\w-])"
        ),
    ),
)
# Asked only where one of the words stands, which few texts hold.
_TELLING = _folded(rf"{_WORDS}|authorization|credentials|(?<!\S)--?[\w-]{{0,40}}pass|(?<!\S)-p")
_TOLD: tuple[tuple[Secret, re.Pattern[str]], ...] = (
    # RFC 9110 section 11.4: a scheme and one token, or (Digest) pairs to the end of the line.
    *(
        (Secret.SECRET, _folded(rf"authorization{_CLOSE}\s{{0,4}}[:=]\s{{0,4}}{value}"))
        for value in (
            r"digest\s+(?P<value>[^\r\n|]{1,4000})",
            rf"{_OPEN}(?:(?:{_SCHEMES})\s+)?{_QUOTED}",
            r"(?!\[)(?P<value>(?=\D{0,200}\d)[^\s\"',;\[]{6,4000})[ \t]*(?:$|[\r\n|])",
        )
    ),
    (Secret.SECRET, _folded(rf"authorization\W{{1,4}}(?:{_SCHEMES})\s+(?P<value>[^\s\"',;]+)")),
    *(
        (Secret.SECRET, _folded(rf"\b(?:set-)?cookie{value}"))
        for value in (
            r":\s*(?P<value>[^\r\n\"\[]{1,4000})",
            rf"{_CLOSE}\s{{0,4}}[:=]\s{{0,4}}\[?\s{{0,4}}{_OPEN}{_QUOTED}",
        )
    ),
    (
        Secret.SECRET,
        _folded(rf"(?:{_WORDS}){_CLOSE}\s{{0,4}}(?:[:=：]|\bis\b)\s{{0,4}}{_OPEN}{_QUOTED}"),
    ),
    # A pass phrase has blanks; where pairs stand side by side it ends with its pair.
    (
        Secret.SECRET,
        _folded(
            r"(?:passphrase|mot de passe)[:：][ \t]{1,4}"
            r"(?![\[\"'])(?P<value>[^\s\"'\\,;&|}=:][^\r\n\"'\\,;&|}=:]{0,200})(?=$|[\r\n,;|}])"
        ),
    ),
    (
        Secret.SECRET,
        _folded(
            rf"(?:{_WORDS}){_CLOSE}\s{{0,4}}[:=：]\s{{0,4}}{_CLOSE}"
            r"(?!\[)(?P<value>[^\s\"'\\,;&|}]{1,4000})"
        ),
    ),
    (Secret.SECRET, _folded(rf"\b(?:password|passphrase)\s+{_OPEN}{_QUOTED}")),
    (Secret.SECRET, _folded(rf"\b(?:password|passphrase)\s+is\s+{_SAID}(?P<value>[^\s\"'.,;]+)")),
    # <password>…</password>, also <ns:AdminPassword encrypted="no">, as settings and SOAP have it.
    (
        Secret.SECRET,
        _folded(
            rf"<(?:[\w-]{{1,40}}:)?[\w-]{{0,40}}?(?:{_WORDS})(?:\s[^<>]{{0,200}})?>\s{{0,20}}"
            r"(?!\[)(?P<value>[^<>]{1,4000}?)\s{0,20}</"
        ),
    ),
    # The name in one attribute or member, the value in the next.
    (
        Secret.SECRET,
        _folded(
            rf"\b(?:key|name|id){_CLOSE}\s{{0,4}}[:=]\s{{0,4}}\\?[\"'][\w .-]{{0,40}}(?:{_WORDS})"
            rf"\\?[\"'][\s,]{{1,4}}\\?[\"']?value{_CLOSE}\s{{0,4}}[:=]\s{{0,4}}{_OPEN}{_QUOTED}"
        ),
    ),
    (
        Secret.SECRET,
        _folded(
            rf"<[\w:-]{{0,80}}?(?:{_WORDS})\s[^<>]{{0,200}}?\bvalue\s{{0,4}}=\s{{0,4}}{_OPEN}{_QUOTED}"
        ),
    ),
    *(
        (Secret.SECRET, _folded(rf"{_OPTION}{value}"))
        for value in (r"(?P<open>[\"'])(?P<value>[^\"'\r\n]{1,400})(?P=open)", _BARE)
    ),
)
_SECRET_KEY = pattern(
    rf"(?:{_STRONG})$|(?:^|[^a-z])(?:proxy-)?authorization$|(?:{_WEAK})$", re.IGNORECASE
)
# /etc/passwd:12 and token:3 behind a separator are places, as this program writes them.
_PLACE = pattern(r"\d{1,7}\Z")
_IN_PATH = pattern(r"[/\\!][\w.-]{0,80}\Z")


def is_secret_key(key: str) -> bool:
    """Whether a field or attribute of this name holds a secret."""
    return _SECRET_KEY.search(key) is not None


def secrets(text: str) -> Iterator[Trace]:
    """The secrets in a plain text. Overlaps are left in."""
    told = _TOLD if _TELLING.search(text) is not None else ()
    for kind, shape in (*_FORMS, *told):
        for match in shape.finditer(text):
            if _is_place(text, match):
                continue
            yield Trace(*match.span("value"), kind, match["value"])


def _is_place(text: str, match: re.Match[str]) -> bool:
    """Whether it is the line of a file that bears the name of a secret."""
    at = match.start("value")
    return (
        text[at - 1 : at] == ":"
        and _PLACE.match(match["value"]) is not None
        and _IN_PATH.search(text, max(0, match.start() - 90), match.start()) is not None
    )
