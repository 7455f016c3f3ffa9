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


_ALERT, _LOOP, _READ = SSL.SSL_CB_ALERT, SSL.SSL_CB_LOOP, SSL.SSL_CB_READ


class Message(Enum):
    """What the peer may send or leave out; by the end of OpenSSL's name for its state then.

    The state machine has no number in the public API, only these fixed names.
    """

    CERTIFICATE_REQUEST = b"read server certificate request"
    SESSION_TICKET = b"read server session ticket"


@lru_cache(maxsize=256)
def _message(state: bytes) -> Message | None:
    return next((m for m in Message if state.endswith(m.value)), None)


class Observer(ABC):
    """What stands in a connection's application data and is told of its events."""

    @abstractmethod
    def note_verification(self, code: int, depth: int) -> bool:
        """A step of the received chain's verification, code 0 if it found no fault; whether the
        rest of it is of interest."""

    @abstractmethod
    def note_alert(self, value: int, *, received: bool) -> None:
        """An alert: its level in the upper byte, its number in the lower."""

    @abstractmethod
    def note_message(self, message: Message) -> None:
        """A message of the peer that tells something by being there."""

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
    """Who is told; ``None`` once a handshake has let go."""
    observer: Observer | None = connection.get_app_data()
    return observer


def _tell_verification(
    connection: SSL.Connection, _certificate: crypto.X509, code: int, depth: int, ok: int
) -> bool:
    observer = _observer(connection)
    return observer is None or observer.note_verification(0 if ok else code, depth)


def _tell_event(connection: SSL.Connection, where: int, value: int) -> None:
    if where & _LOOP:
        # Some sixteen times a handshake: who listens is asked only where it matters.
        message = _message(connection.get_state_string())
        observer = None if message is None else _observer(connection)
        if message is not None and observer is not None:
            observer.note_message(message)
    elif where & _ALERT:
        observer = _observer(connection)
        if observer is not None:
            observer.note_alert(value, received=bool(where & _READ))


def _tell_staple(connection: SSL.Connection, staple: bytes, _data: object) -> bool:
    observer = _observer(connection)
    if observer is not None:
        observer.note_staple(staple)
    return True
