"""A TLS client handshake without I/O: bytes in, bytes out, and everything that it showed.

The ClientHello is small and classical, as an agent's is (TLS 1.2 and 1.3, P-256 only, measured
at about 350 bytes): a middlebox that breaks on a two-segment post-quantum hello must not make the
probe fail where the agent works. Verification never ends the handshake; what the peer sent is
recorded first and judged afterwards.
"""

from __future__ import annotations

import warnings
from enum import Enum
from typing import TYPE_CHECKING

from OpenSSL import SSL, crypto

from diagnoser import certificates, tls_numbers
from diagnoser.model import (
    Aftermath,
    Alert,
    Attribute,
    CertificateFacts,
    Direction,
    Name,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.probing import records
from diagnoser.probing.contexts import Message, Observer
from diagnoser.probing.stapling import read_staple

if TYPE_CHECKING:
    from diagnoser.probing.contexts import Contexts

MOST_BYTES = 512 * 1024
MOST_CERTIFICATES = 20

_CHUNK = 65536
_MOST_NOTES = 64
_MOST_NAMES = 100
_CLOSE_NOTIFY = 0
# A signature that does not verify: that of our certificate, if we showed one.
_DECRYPT_ERROR = 51


class Progress(Enum):
    """How far a handshake has come."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    NOT_TLS = "not-tls"


class Handshake(Observer):
    """One client handshake, fed with what arrives; each call gives what is to be sent.

    ``server_name`` becomes the SNI value unless it is ``None``, an address literal or no host name
    (RFC 6066 section 3). With ``presents`` the agent's certificate is shown if asked for.
    """

    def __init__(
        self, shared: Contexts, server_name: str | None, *, presents: bool = False
    ) -> None:
        context = shared.presenting if presents else None
        self._presents = context is not None
        self._tls = SSL.Connection(context or shared.anonymous, None)
        self._tls.set_app_data(self)
        self._tls.set_connect_state()
        self._tls.request_ocsp()
        name = records.sni_value(server_name)
        if name is not None:
            self._tls.set_tlsext_host_name(name)
        self.progress = Progress.RUNNING
        self.aftermath: Aftermath | None = None
        self.fault: str | None = None
        self.bytes_received = 0
        self.bytes_sent = 0
        self.chain_ders: tuple[bytes, ...] = ()
        self._first_bytes = b""
        self._staple = b""
        self._alerts: list[Alert] = []
        self._verify_errors: list[VerifyResult] = []
        self._faults = shared.faults
        self._is_verified = False
        self._verifying_since: int | None = None
        self._asked = False
        # Of a handshake that has finished.
        self._protocol: str | None = None
        self._answer = bytearray()

    def start(self) -> bytes:
        """The ClientHello."""
        return self._advance()

    def feed(self, data: bytes) -> bytes:
        """Take in bytes of the peer, as they come; never raises for what they say."""
        self.bytes_received += len(data)
        if len(self._first_bytes) < records.EXCERPT:
            self._first_bytes += data[: records.EXCERPT - len(self._first_bytes)]
        if self.progress is Progress.RUNNING and not records.opens_tls(self._first_bytes):
            self.progress = Progress.NOT_TLS
        out = bytearray()
        for i in range(0, len(data), _CHUNK):
            if self.progress not in (Progress.RUNNING, Progress.FINISHED):
                break
            self._tls.bio_write(data[i : i + _CHUNK])
            out += self._advance()
        if self.progress is Progress.RUNNING and self.bytes_received > MOST_BYTES:
            self.progress, self.fault = Progress.FAILED, "the handshake is larger than any real one"
        return bytes(out)

    def send(self, data: bytes) -> bytes:
        """The records that carry application data after a finished handshake."""
        try:
            self._tls.sendall(data)
        except SSL.Error:
            return b""
        return self._flush()

    def taken(self) -> bytes:
        """Application data that has arrived since the last call."""
        data = bytes(self._answer)
        self._answer.clear()
        return data

    def close(self) -> None:
        """Let go of OpenSSL's objects; the facts stay."""
        self._tls.set_app_data(None)

    def note_verification(self, code: int, depth: int) -> bool:
        """One step of the received chain's verification; goes on unless the outcome is known."""
        if not self._is_verified:
            self._is_verified = True
            self._keep_chain()
            known = self._faults.of(self.chain_ders)
            if known is not None:
                self._verify_errors += known
                return False
            self._verifying_since = self._faults.now()
        if code:
            name = tls_numbers.verify_code_name(code)
            found = VerifyResult(code, name, TrustStore.MOZILLA, depth)
            if len(self._verify_errors) < _MOST_NOTES and found not in self._verify_errors:
                self._verify_errors.append(found)
        return True

    def note_staple(self, staple: bytes) -> None:
        """The OCSP answer that came with the certificate; empty if there was none."""
        self._staple = staple

    def note_alert(self, value: int, *, received: bool) -> None:
        """One alert, of the peer or of ours."""
        direction = Direction.RECEIVED if received else Direction.SENT
        level, number = value >> 8, value & 0xFF
        alert = Alert(level, number, tls_numbers.alert_name(number), direction)
        if len(self._alerts) < _MOST_NOTES:
            self._alerts.append(alert)

    def note_message(self, message: Message) -> None:
        """A message that has just been read."""
        if message is Message.CERTIFICATE_REQUEST:
            self._asked = True
        elif self.is_finished:
            self.aftermath = self.aftermath or Aftermath.TICKET

    @property
    def is_finished(self) -> bool:
        """Both sides have sent their Finished message."""
        return self.progress is Progress.FINISHED

    @property
    def can_be_refused_late(self) -> bool:
        """The peer may still have something to say of the handshake: in TLS 1.2 its Finished was
        its last word, in TLS 1.3 ours came last."""
        return self._asked or self._protocol == "TLSv1.3"

    @property
    def asked_for_certificate(self) -> bool:
        """A CertificateRequest has been seen."""
        return self._asked

    @property
    def alert(self) -> Alert | None:
        """The alert that tells most: a fatal one of the peer, then our own, then a warning."""
        if not self._alerts:
            return None
        said = [a for a in self._alerts if a.number != _CLOSE_NOTIFY]
        heard = (a for a in said if a.level == 2 and a.direction is Direction.RECEIVED)
        ours = (a for a in said if a.level == 2)
        return next(heard, None) or next(ours, None) or next(iter(said), None)

    @property
    def refuses_client_certificate(self) -> bool:
        """The peer asked for a certificate and answered ours, or its absence, with an alert."""
        alert = self.alert
        if not self._asked or alert is None or alert.direction is not Direction.RECEIVED:
            return False
        unsigned = self._presents and alert.number == _DECRYPT_ERROR
        return unsigned or alert.number in tls_numbers.CLIENT_REFUSALS

    @property
    def is_oversized(self) -> bool:
        """More has arrived than any real peer sends before it is asked anything."""
        return self.bytes_received > 2 * MOST_BYTES

    def note_end(self, end: Aftermath) -> None:
        """How the first read after the handshake ended, if nothing better is known by now."""
        self.aftermath = self.aftermath or end

    @property
    def is_closed(self) -> bool:
        """The peer has said goodbye (close_notify)."""
        return bool(self._tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def facts(self, verify: tuple[VerifyResult, ...] = ()) -> TlsFacts:
        """Everything the handshake has shown so far, beside what the stores say of its chain."""
        chain = _read_chain(self.chain_ders)
        return TlsFacts(
            version=self._version(),
            cipher=self._tls.get_cipher_name(),
            group=self._group(),
            alert=self.alert,
            verify=verify,
            verify_errors=tuple(self._verify_errors),
            received_chain=chain,
            client_certificate_requested=True
            if self._asked
            else False
            if self.is_finished
            else None,
            client_certificate_sent=self._asked and self._presents,
            client_ca_names=self._client_ca_names() if self._asked else (),
            aftermath=self.aftermath,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            clear_text=records.printable(self._first_bytes)
            if self.progress is Progress.NOT_TLS
            else None,
            ocsp=read_staple(self._staple, self.chain_ders),
        )

    def _advance(self) -> bytes:
        try:
            if self.progress is Progress.RUNNING:
                self._tls.do_handshake()
                self.progress = Progress.FINISHED
                self._protocol = self._tls.get_protocol_version_name()
            self._take()
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            if self.progress is Progress.RUNNING:
                self.progress = Progress.FAILED
            self.aftermath = self.aftermath or Aftermath.CLOSED
        except SSL.Error as error:
            self._fail(error)
        self._keep_chain()
        if self._verifying_since is not None:
            begun, self._verifying_since = self._verifying_since, None
            # A chain that is not known to its end is not what was verified.
            if 0 < len(self.chain_ders) < MOST_CERTIFICATES:
                self._faults.remember(self.chain_ders, tuple(self._verify_errors), begun)
        return self._flush()

    def _take(self) -> None:
        while True:
            data = self._tls.recv(16384)
            self.aftermath = self.aftermath or Aftermath.DATA
            if len(self._answer) < MOST_BYTES:
                self._answer += data

    def _fail(self, error: SSL.Error) -> None:
        if self.is_finished:
            self.aftermath = Aftermath.ALERT if self.alert else self.aftermath
            return
        self.progress = Progress.FAILED
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        self.fault = "; ".join(str(entry[-1]) for entry in queue[:3]) or type(error).__name__

    def _flush(self) -> bytes:
        out = b""
        try:
            out = data = self._tls.bio_read(_CHUNK)
            # Less than was asked for is all there was; asking on would only raise.
            while len(data) == _CHUNK:
                data = self._tls.bio_read(_CHUNK)
                out += data
        except SSL.Error:
            # There was nothing (more).
            pass
        self.bytes_sent += len(out)
        return out

    def _keep_chain(self) -> None:
        if self.chain_ders:
            return
        chain = self._tls.get_peer_cert_chain() or ()
        self.chain_ders = tuple(
            crypto.dump_certificate(crypto.FILETYPE_ASN1, c) for c in chain[:MOST_CERTIFICATES]
        )

    def _version(self) -> str | None:
        """The version the ServerHello chose: an old one even where we then refused it."""
        if self._protocol is not None:
            return self._protocol
        old = records.old_version(self._first_bytes)
        if old is None and self.chain_ders:
            return self._tls.get_protocol_version_name()
        return old

    def _group(self) -> str | None:
        try:
            return self._tls.get_group_name()
        except AttributeError:  # pyOpenSSL 25.3 and older
            return None

    def _client_ca_names(self) -> tuple[Name, ...]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                names = self._tls.get_client_ca_list(as_cryptography=True)
                return tuple(certificates.read_name(n) for n in names[:_MOST_NAMES])
        except (TypeError, ValueError, KeyError):
            # Not known to this pyOpenSSL, or a name that cannot be read strictly.
            return tuple(
                Name(
                    tuple(
                        Attribute(k.decode("ascii"), v.decode("utf-8", "replace"))
                        for k, v in n.get_components()
                    )
                )
                for n in self._tls.get_client_ca_list()[:_MOST_NAMES]
            )


def _read_chain(ders: tuple[bytes, ...]) -> tuple[CertificateFacts, ...]:
    """The certificates that can be read; none without the end-entity certificate."""
    chain: list[CertificateFacts] = []
    for number, der in enumerate(ders):
        try:
            chain.append(certificates.read_certificate(der))
        except certificates.UnreadableCertificate:
            if number == 0:
                return ()
    return tuple(chain)
