"""Whose opinion a chain is held against: this machine, the public bundle, the role's own anchors.

A path is verified offline by OpenSSL's own verifier, not a strict one: what matters is what an
agent would say, and strict rules (``VERIFY_X509_STRICT``) refuse roots that agents accept.
"""

from __future__ import annotations

import re
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
from OpenSSL import crypto

from diagnoser.deferral import pattern
from diagnoser.errors import UsageError
from diagnoser.model import TrustStore, VerifyResult
from diagnoser.tls_numbers import verify_code_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PEM = pattern(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_LARGEST_FILE = 16 * 1024 * 1024
_MOST_ANSWERS = 256
# No issuer, or a self-signed one, that the store does not hold.
_NO_ROOT = frozenset((2, 19, 20, 21))


class Trust:
    """The three trust stores, built once and shared by all probes.

    Each argument is PEM text of any number of certificates, or ``None`` for "there is no such
    store": then its opinion is not asked, and stays unknown. ``fetches_roots``: the system's store
    is not all that the system trusts; what is missing is fetched when it is first needed.
    """

    def __init__(
        self,
        system_pem: bytes | None,
        mozilla_pem: bytes | None,
        role_pem: bytes | None,
        *,
        fetches_roots: bool = False,
    ) -> None:
        given = (
            (TrustStore.SYSTEM, system_pem),
            (TrustStore.MOZILLA, mozilla_pem),
            (TrustStore.ROLE, role_pem),
        )
        self._anchors = {
            store: tuple(_certificates(pem)) for store, pem in given if pem is not None
        }
        self._fetches_roots = fetches_roots
        self._made: dict[TrustStore, tuple[int, crypto.X509Store]] = {}
        self._opinions: dict[
            tuple[tuple[TrustStore, ...], int, tuple[bytes, ...]], tuple[VerifyResult, ...]
        ] = {}

    @classmethod
    def load(cls, ca_file: Path | None) -> Trust:
        """The store of this machine, the Mozilla bundle, and ``ca_file`` for the role.

        Raises :class:`~diagnoser.errors.UsageError` if the file is missing or holds no certificate.
        """
        mozilla = Path(certifi.where()).read_bytes()
        anchors = None if ca_file is None else _read_anchors(ca_file)
        return cls(
            _system_pem(sys.platform), mozilla, anchors, fetches_roots=sys.platform == "win32"
        )

    @property
    def stores(self) -> tuple[TrustStore, ...]:
        """The stores that exist, in the order system, Mozilla, role."""
        return tuple(self._anchors)

    def anchors(self, store: TrustStore) -> Sequence[crypto.X509]:
        """The certificates of one store; empty if there is no such store."""
        return self._anchors.get(store, ())

    def opinions(
        self, chain_ders: Sequence[bytes], at: datetime, stores: Sequence[TrustStore] | None = None
    ) -> tuple[VerifyResult, ...]:
        """What every store says, or each of ``stores``, as :meth:`verify`; a store that cannot know
        says nothing.

        Windows comes with few roots and fetches the others of Microsoft's programme when its own
        libraries ask for them (golang/go issue 18609): a public root that is missing from its store
        is not distrusted.
        """
        # Endpoints of one data centre share a wildcard certificate: the same chain, asked again
        # within one second, has the same answer.
        asked = self.stores if stores is None else tuple(stores)
        key = (asked, int(at.timestamp()), tuple(chain_ders))
        known = self._opinions.get(key)
        if known is None:
            if len(self._opinions) >= _MOST_ANSWERS:
                self._opinions.clear()
            known = self._opinions[key] = self._ask(asked, chain_ders, at)
        return known

    def _ask(
        self, stores: tuple[TrustStore, ...], chain_ders: Sequence[bytes], at: datetime
    ) -> tuple[VerifyResult, ...]:
        found = tuple(self.verify(chain_ders, store, at) for store in stores)
        public = any(o.trust_store is TrustStore.MOZILLA and o.code == 0 for o in found)
        if not (self._fetches_roots and public):
            return found
        return tuple(
            o for o in found if o.trust_store is not TrustStore.SYSTEM or o.code not in _NO_ROOT
        )

    def verify(self, chain_ders: Sequence[bytes], store: TrustStore, at: datetime) -> VerifyResult:
        """What one store says of a received chain (end-entity first) at the time ``at``.

        The first fault with its depth, or code 0. ``KeyError`` if there is no such store,
        ``ValueError`` if the chain is empty or the end-entity certificate cannot be read.
        """
        return _verify(self._store(store, at), chain_ders, store)

    def _store(self, store: TrustStore, at: datetime) -> crypto.X509Store:
        """The store as of one second; a new second needs a new one.

        OpenSSL ignores every ``set_time`` of a store but the first (measured).
        """
        second = int(at.timestamp())
        made = self._made.get(store)
        if made is not None and made[0] == second:
            return made[1]
        found = crypto.X509Store()
        found.set_time(at.astimezone(UTC))
        if store is TrustStore.ROLE:
            # A --ca-file may hold the issuing CA alone, without the root above it.
            found.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for anchor in self._anchors[store]:
            found.add_cert(anchor)
        self._made[store] = (second, found)
        return found


def _verify(
    found: crypto.X509Store, chain_ders: Sequence[bytes], store: TrustStore
) -> VerifyResult:
    received = list(_readable(chain_ders))
    if not received:
        raise ValueError("no certificate that can be read")
    context = crypto.X509StoreContext(found, received[0], received[1:])
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        code, depth = int(error.errors[0]), int(error.errors[1])
        return VerifyResult(code, verify_code_name(code), store, depth)
    return VerifyResult(0, verify_code_name(0), store)


def _readable(ders: Iterable[bytes]) -> Iterable[crypto.X509]:
    for number, der in enumerate(ders):
        try:
            yield crypto.load_certificate(crypto.FILETYPE_ASN1, der)
        except crypto.Error as error:
            if number == 0:
                raise ValueError("the end-entity certificate cannot be read") from error


def _certificates(pem: bytes) -> Iterable[crypto.X509]:
    """Every certificate of a bundle that can be read; one bad root must not take the rest along."""
    for block in _PEM.findall(pem):
        try:
            yield crypto.load_certificate(crypto.FILETYPE_PEM, block)
        except crypto.Error:
            continue


def _system_pem(system: str) -> bytes | None:
    """The roots of this machine; ``None`` where Python cannot see any.

    On macOS a keychain has them, and OpenSSL's file there is a copy of the public bundle or
    missing, whatever the system trusts: the system itself is asked. ``get_ca_certs`` lists the
    Windows stores and OpenSSL's bundle file, but not OpenSSL's directory of hashed files, which is
    read on demand only.
    """
    if system == "darwin":
        from diagnoser.probing.keychains import read_roots  # noqa: PLC0415  (of one system only)

        return read_roots()
    ders = ssl.create_default_context().get_ca_certs(binary_form=True)
    if ders:
        return "".join(map(ssl.DER_cert_to_PEM_cert, ders)).encode("ascii")
    directory = ssl.get_default_verify_paths().capath
    if directory is None:
        return None
    blocks: list[bytes] = []
    for path in sorted(Path(directory).glob("*.[0-9]")):
        try:
            blocks.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(blocks) or None


def _read_anchors(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            pem = file.read(_LARGEST_FILE)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}", hint="give --ca-file a PEM file"
        ) from error
    if not any(True for _ in _certificates(pem)):
        raise UsageError(
            f"{path}: no certificate in it",
            hint=f"convert it first: openssl x509 -inform DER -in {path} -out ca.pem",
        )
    return pem
