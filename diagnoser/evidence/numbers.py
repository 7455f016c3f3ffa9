"""The numbers that failed connections leave behind, decoded: verify codes, OpenSSL error codes,
errno, Winsock, libcurl.

An OpenSSL error code packs library, (up to 1.1.1) function, and reason; how, depends on the
version that printed it (include/openssl/err.h). The reason of a TLS alert is 1000 + its number.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from diagnoser.errors import CatalogError
from diagnoser.model import Condition
from diagnoser.tls_numbers import alert_name, verify_code_name

_DATA = Path(__file__).parents[1] / "data"
_SYSTEM_FLAG = 0x80000000
_SYSTEM_LIBRARY = 2
_SSL_LIBRARY, _BIO_LIBRARY = 20, 32
# SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNSUPPORTED_SSL_VERSION (include/openssl/sslerr.h).
_VERSION_REASONS = frozenset({258, 259})
_ALERTS = range(1000, 1256)
_WINSOCK = range(10000, 11999)


@dataclass(frozen=True, slots=True)
class VerifyText:
    """One meaning of a verify code: ``name`` without ``X509_V_ERR_``, texts of the versions."""

    number: int
    name: str
    texts: tuple[str, ...]
    means: str


@dataclass(frozen=True, slots=True)
class FailureNumber:
    """One number of a family (``errno winsock curl openssl``) and how a stage ends with it."""

    kind: str
    number: int
    name: str
    condition: Condition
    means: str


@dataclass(frozen=True, slots=True)
class OpensslCode:
    """A decoded OpenSSL error code: exactly one of ``system`` (errno or Winsock number), ``alert``
    (AlertDescription) and ``reason`` is set. ``library`` is OpenSSL's ERR_LIB number."""

    code: int
    library: int
    system: int | None = None
    alert: int | None = None
    reason: int | None = None

    @property
    def is_lookup(self) -> bool:
        """It was raised where OpenSSL resolves names (BIO library, system failure)."""
        failed = self.reason is not None and self.reason & 0x7FFFF == _SYSTEM_LIBRARY
        return self.library == _BIO_LIBRARY and failed

    @property
    def refuses_version(self) -> bool:
        """The peer chose a version that this OpenSSL does not take, which it answers with alert
        70."""
        return self.library == _SSL_LIBRARY and self.reason in _VERSION_REASONS


@cache
def verify_texts() -> tuple[VerifyText, ...]:
    """Every meaning of every verify code, in the order of the numbers."""
    try:
        rows = tomllib.loads((_DATA / "verify_texts.toml").read_text("utf-8"))["code"]
        return tuple(
            VerifyText(int(r["number"]), str(r["name"]), tuple(r["texts"]), r.get("means", ""))
            for r in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"data/verify_texts.toml: {error}") from error


@cache
def failure_numbers() -> tuple[FailureNumber, ...]:
    """All known numbers of failed connections."""
    try:
        rows = tomllib.loads((_DATA / "failure_numbers.toml").read_text("utf-8"))["number"]
        return tuple(
            FailureNumber(
                r["kind"], int(r["number"]), r["name"], Condition(r["condition"]), r["means"]
            )
            for r in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"data/failure_numbers.toml: {error}") from error


@cache
def failure(kind: str, number: int) -> FailureNumber | None:
    """The row of one number, if it is known."""
    return next((n for n in failure_numbers() if n.kind == kind and n.number == number), None)


def reason_failure(code: OpensslCode) -> FailureNumber | None:
    """What the reason of a code of TLS says, if it is known."""
    if code.library != _SSL_LIBRARY or not code.reason:
        return None
    return failure("openssl", code.reason)


def system_failure(number: int) -> FailureNumber | None:
    """What an errno of Linux or macOS, or a Winsock number, says."""
    return failure("winsock" if number in _WINSOCK else "errno", number)


@cache
def _codes_of_today() -> dict[str, int]:
    names = {verify_code_name(n).removeprefix("X509_V_ERR_"): n for n in range(256)}
    return {name: number for name, number in names.items() if not name.startswith("unknown ")}


def verify_code(number: int, text: str) -> int:
    """The number of today (OpenSSL 3) for what an older OpenSSL or LibreSSL has printed.

    Some numbers were given away anew; number and text together tell which meaning is meant.
    """
    said = " ".join(text.lower().split())
    for row in verify_texts():
        if row.number == number and said in (t.lower() for t in row.texts):
            return _codes_of_today().get(row.name, number)
    return number


def verify_code_of(text: str) -> int | None:
    """The number of today behind OpenSSL's sentence for a verify code; ``None``: it is none."""
    said = " ".join(text.lower().split())
    names = (r.name for r in verify_texts() if said in (t.lower() for t in r.texts))
    return next((c for n in names if (c := _codes_of_today().get(n)) is not None), None)


def decode_openssl(text: str) -> OpensslCode | None:
    """An error code as OpenSSL prints it: 8 hexadecimal digits, of any version; else ``None``."""
    digits = text.strip().removeprefix("0x")
    if not 7 <= len(digits) <= 8 or not all(c in "0123456789abcdefABCDEF" for c in digits):
        return None
    code = int(digits, 16)
    if code & _SYSTEM_FLAG:
        return OpensslCode(code, _SYSTEM_LIBRARY, system=code & ~_SYSTEM_FLAG)
    library = code >> 24
    if library == _SYSTEM_LIBRARY:
        # Up to 1.1.1: 12 bits of errno are left. Winsock numbers lose 8192 to the function above.
        number = code & 0xFFF
        restored = number + 8192 if number + 8192 in _WINSOCK else number
        return OpensslCode(code, library, system=restored)
    modern = code >> 23
    if modern in (_SSL_LIBRARY, _BIO_LIBRARY):
        return _with_reason(code, modern, code & 0x7FFFFF)
    if library in (_SSL_LIBRARY, _BIO_LIBRARY):
        return _with_reason(code, library, code & 0xFFF)
    if 0 < library < 64:
        return OpensslCode(code, library, reason=code & 0xFFF)
    return OpensslCode(code, modern, reason=code & 0x7FFFFF) if modern else None


def _with_reason(code: int, library: int, reason: int) -> OpensslCode:
    if library == _SSL_LIBRARY and reason in _ALERTS:
        return OpensslCode(code, library, alert=reason - 1000)
    return OpensslCode(code, library, reason=reason)


def describe_alert(number: int) -> str:
    """``handshake_failure(40)``."""
    return f"{alert_name(number)}({number})"
