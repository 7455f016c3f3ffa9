"""X.509 certificates as facts.

Reading is forgiving where a certificate is odd (Acronis storage bears the three-letter country
``"CH "``) and silent about it: an extension that cannot be read is ``None``, never a guess.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import warnings
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from diagnoser.model import Attribute, CertificateFacts, Name

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT_NAMES = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COMMON_NAME: "CN",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.DOMAIN_COMPONENT: "DC",
}

# What cryptography raises on a part of a certificate that is malformed or of an unknown kind
# (KeyError: releases up to 46 on an unknown string type).
_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.UnsupportedGeneralNameType,
)


class UnreadableCertificate(ValueError):
    """The bytes are no certificate, or one whose names are damaged."""


@lru_cache(maxsize=256)
def read_certificate(der: bytes) -> CertificateFacts:
    """The facts of one DER certificate (RFC 5280); raises :class:`UnreadableCertificate`.

    ``dns_names`` and ``ip_addresses`` are empty, not ``None``, where there is no subjectAltName;
    ``timestamps`` are those of the embedded SCT list (RFC 6962 section 3.3).
    """
    with _quiet():
        try:
            certificate = x509.load_der_x509_certificate(der)
            subject, issuer = read_name(certificate.subject), read_name(certificate.issuer)
        except _UNREADABLE as error:
            raise UnreadableCertificate("not a readable X.509 certificate") from error
        try:
            extensions = certificate.extensions
        except (*_UNREADABLE, x509.DuplicateExtension):
            extensions = None
        return CertificateFacts(
            subject=subject,
            issuer=issuer,
            serial=f"{certificate.serial_number:x}",
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            dns_names=_dns_names(extensions),
            ip_addresses=_ip_addresses(extensions),
            sha256=hashlib.sha256(der).hexdigest(),
            key_sha256=_key_sha256(certificate),
            key=_key(certificate),
            signature_hash=_signature_hash(certificate),
            is_authority=_is_authority(extensions),
            authority_key_identifier=_authority_key_identifier(extensions),
            subject_key_identifier=_subject_key_identifier(extensions),
            timestamps=_timestamps(extensions),
            has_revocation_pointers=_has_revocation_pointers(extensions),
            pem=pem_of(der),
        )


def read_name(name: x509.Name) -> Name:
    """A distinguished name with usual short names, dotted OIDs otherwise; values unchanged."""
    return Name(
        tuple(
            Attribute(
                _SHORT_NAMES.get(a.oid, a.oid.dotted_string),
                a.value.hex() if isinstance(a.value, bytes) else a.value,
            )
            for a in name
        )
    )


def pem_of(der: bytes) -> str:
    """The PEM form of a DER certificate (RFC 7468), with a final newline."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of ``cryptography`` about odd certificates: odd is what is looked for here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _alternative_names(extensions: x509.Extensions | None) -> x509.SubjectAlternativeName | None:
    """The subjectAltName, empty where the certificate has none; ``None`` where unreadable."""
    if extensions is None:
        return None
    try:
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _dns_names(extensions: x509.Extensions | None) -> tuple[str, ...] | None:
    names = _alternative_names(extensions)
    return None if names is None else tuple(names.get_values_for_type(x509.DNSName))


def _ip_addresses(extensions: x509.Extensions | None) -> tuple[str, ...] | None:
    names = _alternative_names(extensions)
    return None if names is None else tuple(map(str, names.get_values_for_type(x509.IPAddress)))


def _key_sha256(certificate: x509.Certificate) -> str | None:
    try:
        key = certificate.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNREADABLE:
        return None
    return hashlib.sha256(spki).hexdigest()


def _key(certificate: x509.Certificate) -> str | None:
    """Kind and size of the public key: ``RSA 2048``, ``EC secp256r1``, ``Ed25519``."""
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")


def _signature_hash(certificate: x509.Certificate) -> str | None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except _UNREADABLE:
        return None
    return None if algorithm is None else algorithm.name


def _is_authority(extensions: x509.Extensions | None) -> bool | None:
    if extensions is None:
        return None
    try:
        return extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _authority_key_identifier(extensions: x509.Extensions | None) -> str | None:
    if extensions is None:
        return None
    try:
        found = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None
    return None if found.key_identifier is None else found.key_identifier.hex()


def _subject_key_identifier(extensions: x509.Extensions | None) -> str | None:
    if extensions is None:
        return None
    try:
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:
        return None


def _timestamps(extensions: x509.Extensions | None) -> tuple[datetime, ...] | None:
    if extensions is None:
        return None
    kind = x509.PrecertificateSignedCertificateTimestamps
    try:
        logged = extensions.get_extension_for_class(kind).value
        return tuple(sct.timestamp.replace(tzinfo=UTC) for sct in logged)
    except x509.ExtensionNotFound:
        return ()
    except _UNREADABLE:
        return None


def _has_revocation_pointers(extensions: x509.Extensions | None) -> bool | None:
    if extensions is None:
        return None
    oids = {x509.AuthorityInformationAccess.oid, x509.CRLDistributionPoints.oid}
    return any(e.oid in oids for e in extensions)
