"""OpenSSL contexts, built once a run: what every handshake offers, and what it tells on the way.

A context made for each connection would cost 16 ms of CPU for the trust anchors alone (measured).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from diagnoser.model import TrustStore
from diagnoser.probing.faults import Faults

if TYPE_CHECKING:
    from diagnoser.probing.credentials import ClientCredentials
    from diagnoser.probing.trust import Trust


_TELLING = SSL.SSL_CB_ALERT | SSL.SSL_CB_LOOP


class Observer(ABC):
    """What stands in a connection's application data and is told of its events."""

    @abstractmethod
    def note_verification(self, code: int, depth: int) -> bool:
        """A step of the received chain's verification, code 0 if it found no fault; whether the
        rest of it is of interest."""

    @abstractmethod
    def note_event(self, where: int, value: int) -> None:
        """An alert, or a step of the state machine."""

    @abstractmethod
    def note_staple(self, staple: bytes) -> None:
        """The OCSP answer that came with the certificate."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """One context that has no certificate, and one that presents the agent's."""

    anonymous: SSL.Context
    presenting: SSL.Context | None
    # Of the anchors that both have.
    faults: Faults = field(default_factory=Faults)


@lru_cache(maxsize=8)
def contexts(trust: Trust, credentials: ClientCredentials | None) -> Contexts:
    """The contexts for one set of trust anchors and credentials."""
    presenting = None if credentials is None else _context(trust, credentials)
    return Contexts(_context(trust, None), presenting)


class Hello(Enum):
    """What a ClientHello offers. ``USUAL`` is an agent's: TLS 1.2 and 1.3, one small key share."""

    USUAL = "usual"
    TLS_1_2 = "tls-1.2"
    TLS_1_3 = "tls-1.3"
    LARGE = "large"


@lru_cache(maxsize=8)
def variant(hello: Hello) -> Contexts:
    """A context for a control: no anchors, no certificate; only what it offers is of interest."""
    context = _bare_context(small=hello is not Hello.LARGE)
    if hello is Hello.TLS_1_2:
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    elif hello is Hello.TLS_1_3:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
    return Contexts(context, None)


def _bare_context(*, small: bool = True) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Weak keys and old servers are to be seen, not refused (level 0), and so are inspection boxes
    # without secure renegotiation (RFC 5746).
    context.set_cipher_list(b"DEFAULT@SECLEVEL=0")
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    if small:
        context.set_tmp_ecdh(ec.SECP256R1())
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Faults are told and never end the handshake; nor does a verification that is cut short.
    context.set_verify(SSL.VERIFY_NONE, _tell_verification)
    context.set_info_callback(_tell_event)
    context.set_ocsp_client_callback(_tell_staple)
    return context


def _context(trust: Trust, credentials: ClientCredentials | None) -> SSL.Context:
    context = _bare_context()
    store = context.get_cert_store()
    if store is not None:
        for anchor in trust.anchors(TrustStore.MOZILLA):
            store.add_cert(anchor)
    if credentials is not None:
        leaf, *rest = credentials.certificates()
        context.use_certificate(leaf)
        for certificate in rest:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(credentials.key())
    return context


def _observer(connection: SSL.Connection) -> Observer | None:
    """Who is told; ``None`` once a handshake has let go. Asked for each of some 25 events."""
    observer: Observer | None = connection.get_app_data()
    return observer


def _tell_verification(
    connection: SSL.Connection, _certificate: crypto.X509, code: int, depth: int, ok: int
) -> bool:
    observer = _observer(connection)
    return observer is None or observer.note_verification(0 if ok else code, depth)


def _tell_event(connection: SSL.Connection, where: int, value: int) -> None:
    if where & _TELLING and (observer := _observer(connection)) is not None:
        observer.note_event(where, value)


def _tell_staple(connection: SSL.Connection, staple: bytes, _data: object) -> bool:
    observer = _observer(connection)
    if observer is not None:
        observer.note_staple(staple)
    return True
