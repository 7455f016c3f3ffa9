"""The numbers of TLS and of OpenSSL with their names."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

# AlertDescription protocol_version (RFC 8446 section 6.2).
PROTOCOL_VERSION = 70
# What a server says of a client's certificate (RFC 8446 section 6.2, RFC 5246 section 7.2.2). 40
# counts once a CertificateRequest was seen: by then version, group and cipher have been agreed.
CLIENT_REFUSALS = frozenset({40, 42, 43, 44, 45, 46, 48, 49, 116})
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
DATE_CODES = (9, 10)


def verify_code_name(code: int) -> str:
    """OpenSSL's name of a verify code: ``X509_V_OK``, ``X509_V_ERR_CERT_HAS_EXPIRED``, ..."""
    if code == 0:
        return "X509_V_OK"
    name = _numbers()["verify"].get(str(code))
    return f"X509_V_ERR_{name}" if name else f"unknown verify code {code}"


def alert_name(number: int) -> str:
    """The AlertDescription of a number as RFC 8446 section 6 and the IANA registry spell it."""
    return _numbers()["alert"].get(str(number), "unknown_alert")


@cache
def _numbers() -> dict[str, dict[str, str]]:
    path = Path(__file__).with_name("data") / "tls_numbers.toml"
    return tomllib.loads(path.read_text("utf-8"))
