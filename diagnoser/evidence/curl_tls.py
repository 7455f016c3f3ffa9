"""What the statements of a curl run show of TLS, as ``outcomes`` tells it of an s_client run.

Numbers decide: the verify code, or the status that Windows has in its place. Of the alerts, what
came outweighs what was sent.
"""

from __future__ import annotations

from dataclasses import replace

from diagnoser.evidence.curl_statements import CurlStatements
from diagnoser.evidence.gnutls import received_alert
from diagnoser.evidence.numbers import verify_code, verify_code_of
from diagnoser.model import (
    Aftermath,
    Alert,
    CertificateFacts,
    Direction,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.tls_numbers import PROTOCOL_VERSION, alert_name, verify_code_name

# SSPI and CryptoAPI (winerror.h), as the verify codes that OpenSSL has for the same.
_WINDOWS_REFUSALS = {
    0x80090325: 27,  # SEC_E_UNTRUSTED_ROOT
    0x80090328: 10,  # SEC_E_CERT_EXPIRED
    0x80090322: 62,  # SEC_E_WRONG_PRINCIPAL
    0x80092010: 23,  # CRYPT_E_REVOKED
    0x800B0109: 27,  # CERT_E_UNTRUSTEDROOT
    0x800B0101: 10,  # CERT_E_EXPIRED
    0x800B010F: 62,  # CERT_E_CN_NO_MATCH
    0x800B010A: 20,  # CERT_E_CHAINING
}
_HOSTNAME_MISMATCH = 62
# CURLE_PEER_FAILED_VERIFICATION, and its number until 7.62.
_NOT_VERIFIED = frozenset({51, 60})
# These end a handshake that had begun, also where no line before them says so.
_ENDS_HANDSHAKE = frozenset({35, *_NOT_VERIFIED})
_CLOSE_NOTIFY = 0


def tls_of(
    said: CurlStatements, *, own_roots: bool, shown: bool, narrowed_by: str | None
) -> TlsFacts | None:
    """The TLS facts of a run; ``None`` where it did not come to a handshake.

    ``own_roots``: the roots that verified are, or may be, the command's choice; ``shown``: the
    command presents a client certificate.
    """
    is_told = said.connected is not None or said.code in _ENDS_HANDSHAKE
    if not is_told or said.is_tunnel_refused or said.socks is not None:
        return None
    store = TrustStore.UNKNOWN if own_roots else TrustStore.SYSTEM
    code, alert, is_finished = _verify_code(said), _alert(said), said.version is not None
    is_late = is_finished and alert is not None and alert.direction is Direction.RECEIVED
    return TlsFacts(
        version=said.version,
        cipher=said.cipher,
        alert=alert,
        verify=() if code is None else (_opinion(code, store),),
        received_chain=_chain(said),
        client_certificate_requested=_is_asked(said),
        client_certificate_sent=said.asked and shown,
        aftermath=Aftermath.ALERT if is_late else None,
        narrowed_by=narrowed_by,
    )


def without_tls(said: CurlStatements) -> CurlStatements:
    """The same without what is told of TLS, which was about somebody else."""
    return replace(
        said,
        hello=False,
        certified=False,
        asked=False,
        version=None,
        verify=None,
        is_accepted=False,
        is_of_other_name=False,
        alerts=(),
        codes=(),
        windows=None,
        gnutls=None,
    )


def _is_asked(said: CurlStatements) -> bool | None:
    """Whether a CertificateRequest came. That none did only a whole handshake shows, if its
    messages are listed."""
    if said.asked:
        return True
    return False if said.version is not None and said.certified else None


def _alert(said: CurlStatements) -> Alert | None:
    received = [n for way, n in said.alerts if way == "IN" and n != _CLOSE_NOTIFY]
    received += [c.alert for c in said.codes if c.alert]
    if (told := received_alert(said.gnutls)) is not None:
        received.append(told)
    if received:
        return Alert(2, received[0], alert_name(received[0]), Direction.RECEIVED)
    sent = [n for way, n in said.alerts if way == "OUT" and n != _CLOSE_NOTIFY]
    if any(c.refuses_version for c in said.codes):
        sent.insert(0, PROTOCOL_VERSION)
    return Alert(2, sent[0], alert_name(sent[0]), Direction.SENT) if sent else None


def _opinion(code: int, store: TrustStore) -> VerifyResult:
    return VerifyResult(code, verify_code_name(code), store, 0 if code else None)


def _verify_code(said: CurlStatements) -> int | None:
    """What the roots of the run say, by its number, or by what follows from its text alone."""
    if said.verify is not None:
        number, text = said.verify
        code = verify_code_of(text) if number is None else verify_code(number, text)
    elif said.windows in _WINDOWS_REFUSALS:
        code = _WINDOWS_REFUSALS[said.windows]
    elif said.is_of_other_name:
        code = _HOSTNAME_MISMATCH
    else:
        code = 0 if said.is_accepted else None
    return code


def _chain(said: CurlStatements) -> tuple[CertificateFacts, ...]:
    """Of a chain curl prints the end-entity certificate, and of its names the one that fits."""
    if said.subject is None or said.issuer is None:
        return ()
    leaf = CertificateFacts(
        said.subject,
        said.issuer,
        not_before=said.not_before,
        not_after=said.not_after,
        dns_names=None if said.matched is None else (said.matched,),
    )
    return (leaf,)


def is_refused(said: CurlStatements) -> bool:
    """Whether it was curl itself that refused the certificate."""
    if said.is_accepted:
        return False
    told = said.verify is not None and said.version is None
    windows = said.windows in _WINDOWS_REFUSALS
    return told or windows or said.is_of_other_name or said.code in _NOT_VERIFIED
