"""What is written in a certificate: every text that a reader of its bytes could make out."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import warnings
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from diagnoser.deferral import pattern

_PEM = pattern(
    r"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]{1,60000})-----END CERTIFICATE-----\r?\n?"
)
_NUMBERS = frozenset(
    {
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
    }
)
# X.690: universal tags of strings with one, four and two bytes a letter.
_WIDE = {0x1C: "utf-32-be", 0x1E: "utf-16-be"}
# BOOLEAN, INTEGER, NULL, OBJECT IDENTIFIER: no text.
_TEXTLESS = frozenset({0x01, 0x02, 0x05, 0x06})
# BIT STRING and OCTET STRING: bytes that may be DER themselves.
_STRINGS_OF_BYTES = frozenset({0x03, 0x04})
# The choice [7] of GeneralName (RFC 5280 section 4.2.1.6).
_IP_ADDRESS = 0x87
_DEEPEST = 12


def inscriptions(pem: str) -> tuple[str, ...] | None:
    """Texts in the names and extensions of one PEM certificate.

    ``None`` where it cannot be read, or where the PEM holds anything beside the certificate
    (RFC 7468 section 5.2 allows a comment): then nobody knows what is in it.
    """
    match = _PEM.fullmatch(pem)
    if match is None:
        return None
    try:
        der = base64.b64decode("".join(match[1].split()), validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            certificate = x509.load_der_x509_certificate(der)
            parts = [certificate.subject.public_bytes(), certificate.issuer.public_bytes()]
            parts += [
                extension.value.public_bytes()
                for extension in certificate.extensions
                if extension.oid not in _NUMBERS
            ]
    except (
        binascii.Error,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        NotImplementedError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return None
    return tuple(text for part in parts for text in _texts(part, 0))


def _texts(data: bytes, depth: int) -> Iterator[str]:
    """The texts in a run of DER values; what is no DER counts as one text."""
    values = _values(data) if depth < _DEEPEST else None
    if values is None:
        yield data.decode("utf-8", "replace")
        return
    for tag, body in values:
        if tag & 0x20:
            yield from _texts(body, depth + 1)
        elif tag in _WIDE:
            yield body.decode(_WIDE[tag], "replace")
        elif tag not in _TEXTLESS:
            yield body.decode("utf-8", "replace")
            if tag == _IP_ADDRESS and len(body) in (4, 16):
                yield str(ipaddress.ip_address(body))
            if tag in _STRINGS_OF_BYTES and _values(body):
                yield from _texts(body, depth + 1)


def _values(data: bytes) -> list[tuple[int, bytes]] | None:
    """Tags and contents of the DER values that ``data`` is made of; ``None`` if it is not."""
    found = []
    place = 0
    while place < len(data):
        if place + 2 > len(data):
            return None
        tag, size = data[place], data[place + 1]
        place += 2
        if size & 0x80:
            more = size & 0x7F
            if not 0 < more < 4 or place + more > len(data):
                return None
            size = int.from_bytes(data[place : place + more], "big")
            place += more
        if place + size > len(data):
            return None
        found.append((tag, data[place : place + size]))
        place += size
    return found
