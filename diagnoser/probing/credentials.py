"""The agent's own certificate and key, checked before they are ever presented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from diagnoser.certificates import UnreadableCertificate, read_certificate
from diagnoser.deferral import pattern
from diagnoser.errors import UsageError
from diagnoser.model import CertificateFacts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PrivateKey = (
    ec.EllipticCurvePrivateKey
    | ed448.Ed448PrivateKey
    | ed25519.Ed25519PrivateKey
    | rsa.RSAPrivateKey
)

_LARGEST_FILE = 1024 * 1024
_KEY = pattern(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----.+?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client certificate (leaf first, PEM) and its private key; the key is never shown.

    ``source`` is the file it was read from, as the report names it.
    """

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    source: str | None = None

    def certificates(self) -> list[x509.Certificate]:
        """The certificate and the intermediates that stand behind it."""
        return x509.load_pem_x509_certificates(self.certificate_pem)

    def facts(self) -> CertificateFacts | None:
        """What the certificate itself says; ``None`` where its names cannot be read."""
        try:
            return read_certificate(self.certificates()[0].public_bytes(Encoding.DER))
        except (UnreadableCertificate, ValueError, IndexError):
            return None

    def key(self) -> PrivateKey:
        """The private key; ``TypeError`` if it is encrypted or cannot sign a handshake."""
        key = load_pem_private_key(self.key_pem, password=None)
        if not isinstance(key, PrivateKey):
            raise TypeError("not a key that signs a TLS handshake")
        return key


def find_credentials(paths: Sequence[Path]) -> ClientCredentials | None:
    """The first of the agent's own files that holds a usable certificate and key, if any does."""
    for path in paths:
        try:
            return load_credentials(path, None)
        except UsageError:
            continue
    return None


def load_credentials(cert: Path, key: Path | None) -> ClientCredentials:
    """Read a client certificate and its key; without ``key`` both stand in ``cert``.

    Raises :class:`~diagnoser.errors.UsageError` that says what to do: a file is missing, is not
    PEM, holds no private key, holds an encrypted one, or the two do not belong together.
    """
    certificate_pem = _read(cert, "--client-cert")
    try:
        leaf = x509.load_pem_x509_certificates(certificate_pem)[0]
    except (ValueError, IndexError) as error:
        raise UsageError(
            f"{cert}: no certificate in PEM form",
            hint=f"convert it first: openssl x509 -inform DER -in {cert} -out agent.pem",
        ) from error
    key_file = cert if key is None else key
    key_pem = _KEY.search(certificate_pem if key is None else _read(key, "--client-key"))
    if key_pem is None:
        hint = (
            "name the file that holds it: --client-key FILE"
            if key is None
            else "a key starts with -----BEGIN PRIVATE KEY-----; name the file that holds it"
        )
        raise UsageError(f"{key_file}: no private key in it", hint=hint)
    credentials = ClientCredentials(certificate_pem, key_pem.group(), str(cert))
    _check_key(credentials, leaf, key_file)
    return credentials


def _check_key(credentials: ClientCredentials, leaf: x509.Certificate, path: Path) -> None:
    try:
        public = credentials.key().public_key()
    except TypeError as error:
        raise UsageError(
            f"{path}: the private key is encrypted or of a kind that TLS does not use",
            hint=f"remove the pass phrase from a copy: openssl pkey -in {path} -out agent.key",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path}: the private key cannot be read", hint="export the key again as PEM"
        ) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        belongs = leaf.public_key().public_bytes(*form) == public.public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        belongs = False
    if not belongs:
        raise UsageError(
            f"{path}: the private key does not belong to the certificate",
            hint="put the agent's own certificate first in the file, or name its key with "
            "--client-key",
        )


def _read(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}",
            hint=f"give {option} the agent's PEM file, and run as a user who may read it",
        ) from error
