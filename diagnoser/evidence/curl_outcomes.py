"""What the statements of a curl run mean: how each stage ended, and the facts of TLS.

Numbers decide (curl's, OpenSSL's, an alert's, Schannel's). curl prints no errno but the sentence
that the C library has for it, in the language of the system: only those of English are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnoser.evidence.curl_statements import CurlStatements
from diagnoser.evidence.numbers import (
    FailureNumber,
    failure,
    system_failure,
    verify_code,
    verify_code_of,
)
from diagnoser.model import (
    Aftermath,
    Alert,
    CertificateFacts,
    Condition,
    Direction,
    Stage,
    StageResult,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.tls_numbers import alert_name, verify_code_name

# strerror of glibc, macOS, and of curl itself on Windows (lib/strerror.c).
_SYSTEM_SAYS = {
    "connection refused": 111, "connection timed out": 110, "operation timed out": 60,
    "timed out": 10060, "network is unreachable": 101, "network unreachable": 10051,
    "no route to host": 113, "host unreachable": 10065, "connection reset by peer": 104,
    "connection was reset": 10054, "connection was aborted": 10053, "network is down": 10050,
    "network down": 10050, "broken pipe": 104,
}  # fmt: skip
# SSPI and CryptoAPI (winerror.h), as the verify codes that OpenSSL has for the same.
_WINDOWS_REFUSALS = {
    0x80090325: ("SEC_E_UNTRUSTED_ROOT", 27), 0x80090328: ("SEC_E_CERT_EXPIRED", 10),
    0x80090322: ("SEC_E_WRONG_PRINCIPAL", 62), 0x80092010: ("CRYPT_E_REVOKED", 23),
    0x800B0109: ("CERT_E_UNTRUSTEDROOT", 27), 0x800B0101: ("CERT_E_EXPIRED", 10),
    0x800B010F: ("CERT_E_CN_NO_MATCH", 62), 0x800B010A: ("CERT_E_CHAINING", 20),
}  # fmt: skip
_HOSTNAME_MISMATCH = 62
# CURLE_PEER_FAILED_VERIFICATION, and its number until 7.62.
_NOT_VERIFIED = frozenset({51, 60})
_TIMED_OUT, _NO_CONNECTION = 28, 7
# Shorter than the second retransmission of a SYN (RFC 6298), silence is no filter.
_PATIENCE = 3000
# RFC 8446 section 6.2: what a server says of a client's certificate.
_CLIENT_REFUSALS = frozenset({40, 42, 43, 44, 45, 46, 48, 49, 116})
_CLOSE_NOTIFY = 0
_VERSION_REASONS = frozenset({258, 259})
_PROTOCOL_VERSION = 70
_ERRNO = re.compile(r"\berrno (\d{1,5})\b")
_TELLING = (
    Condition.CONNECTION_REFUSED,
    Condition.CONNECTION_RESET,
    Condition.CONNECTION_TIMED_OUT,
    Condition.NETWORK_UNREACHABLE,
)


def system_number(reason: str) -> FailureNumber | None:
    """The errno or Winsock number behind what strerror says of it."""
    number = _SYSTEM_SAYS.get(" ".join(reason.lower().split()).rstrip("."))
    return system_failure(number) if number is not None else None


@dataclass(frozen=True, slots=True)
class _End:
    condition: Condition
    detail: str
    error: int | None = None

    def of(self, stage: Stage) -> StageResult:
        return StageResult(stage, self.condition, self.detail, error=self.error)


def tls_of(
    said: CurlStatements, *, own_roots: bool, shown: bool, narrowed_by: str | None
) -> TlsFacts | None:
    """The TLS facts of a run; ``None`` where it did not come to a handshake.

    ``own_roots``: the roots that verified are, or may be, the command's choice; ``shown``: the
    command presents a client certificate.
    """
    if said.connected is None or _tunnel_refused(said):
        return None
    store = TrustStore.UNKNOWN if own_roots else TrustStore.SYSTEM
    opinion = tuple(_opinions(said, store))
    alert = _alert(said)
    late = said.version is not None and alert is not None and alert.direction is Direction.RECEIVED
    finished = said.version is not None
    chain: tuple[CertificateFacts, ...] = ()
    if said.subject is not None and said.issuer is not None:
        names = None if said.matched is None else (said.matched,)
        leaf = CertificateFacts(
            said.subject,
            said.issuer,
            not_before=said.not_before,
            not_after=said.not_after,
            dns_names=names,
        )
        chain = (leaf,)
    return TlsFacts(
        version=said.version,
        cipher=said.cipher,
        alert=alert,
        verify=opinion,
        received_chain=chain,
        client_certificate_requested=True if said.asked else _unasked(said),
        client_certificate_sent=said.asked and shown,
        aftermath=Aftermath.ALERT if late and finished else None,
        narrowed_by=narrowed_by,
    )


def _unasked(said: CurlStatements) -> bool | None:
    """A whole handshake whose messages are listed shows that no request was among them."""
    return False if said.version is not None and said.certified else None


def _alert(said: CurlStatements) -> Alert | None:
    received = [n for way, n in said.alerts if way == "IN" and n != _CLOSE_NOTIFY]
    received += [c.alert for c in said.codes if c.alert]
    if received:
        return Alert(2, received[0], alert_name(received[0]), Direction.RECEIVED)
    sent = [n for way, n in said.alerts if way == "OUT" and n != _CLOSE_NOTIFY]
    if any(c.library == 20 and c.reason in _VERSION_REASONS for c in said.codes):
        sent.insert(0, _PROTOCOL_VERSION)
    return Alert(2, sent[0], alert_name(sent[0]), Direction.SENT) if sent else None


def _opinions(said: CurlStatements, store: TrustStore) -> list[VerifyResult]:
    """What the roots of the run say; a code that follows from its text alone is one, too."""
    found: list[int | None] = []
    if said.verify is not None:
        number, text = said.verify
        found.append(verify_code_of(text) if number is None else verify_code(number, text))
    if said.windows in _WINDOWS_REFUSALS:
        found.append(_WINDOWS_REFUSALS[said.windows][1])
    if said.is_of_other_name:
        found.append(_HOSTNAME_MISMATCH)
    if said.is_accepted:
        found.append(0)
    return [
        VerifyResult(c, verify_code_name(c), store, 0 if c else None)
        for c in found[:1]
        if c is not None
    ]


def stages_of(
    said: CurlStatements, tls: TlsFacts | None, *, proxy: str | None
) -> tuple[StageResult, ...]:
    """All stages of a run in order, each with what the text shows of it."""
    ended: list[StageResult] = []
    ends = (
        (Stage.RESOLVE, _resolved(said)),
        (Stage.CONNECT, _connected(said)),
        (Stage.TUNNEL, _tunnelled(said, proxy)),
        (Stage.HANDSHAKE, _handshake(said, tls)),
        (Stage.VERIFY, _verified(said, tls)),
    )
    for stage, end in ends:
        result = end.of(stage)
        if ended and ended[-1].condition not in _GOES_ON.get(ended[-1].stage, (Condition.MET,)):
            result = StageResult(stage, Condition.NOT_REACHED)
        ended.append(result)
    return tuple(ended)


# A certificate can be known where the end of the handshake is not.
_GOES_ON = {
    Stage.HANDSHAKE: (
        Condition.MET, Condition.UNCLASSIFIED, Condition.CLIENT_CERTIFICATE_REFUSED,
    ),
}  # fmt: skip


def _resolved(said: CurlStatements) -> _End:
    if said.connected is not None or said.attempts:
        return _End(Condition.MET, "")
    if said.unresolved is not None or said.code in (5, 6):
        # curl has one number for every way in which a lookup fails.
        what = f"curl {said.code}" if said.code else "curl could not resolve the name"
        return _End(Condition.NAME_LOOKUP_FAILED, what, said.code)
    if said.code == _TIMED_OUT and "resolving" in said.text.lower():
        return _End(Condition.NAME_LOOKUP_FAILED, f"curl {said.code}", said.code)
    if said.tunnel is not None or said.stage_code is not None:
        return _End(Condition.MET, "")
    return _End(Condition.UNCLASSIFIED, _untold(said))


def _connected(said: CurlStatements) -> _End:
    if said.connected is not None or said.tunnel is not None:
        return _End(Condition.MET, "")
    rows = [system_number(reason) for _, _, reason in said.attempts if reason is not None]
    rows += [system_number(said.text.rpartition(": ")[2])]
    known = sorted(
        (r for r in rows if r is not None and r.condition in _TELLING),
        key=lambda r: _TELLING.index(r.condition),
    )
    if known:
        return _End(known[0].condition, known[0].name, known[0].number)
    if said.code == _TIMED_OUT and (said.waited or 0) >= _PATIENCE:
        return _End(Condition.CONNECTION_TIMED_OUT, f"no answer for {said.waited} ms", said.code)
    if said.stage_code in (None, _TIMED_OUT, _NO_CONNECTION):
        # Whoever does not wait has not seen it fail.
        seen = said.code if said.code == _NO_CONNECTION else None
        return _End(Condition.UNCLASSIFIED, _untold(said), seen)
    # A later stage ended it, so that this one was passed.
    return _End(Condition.MET, "")


def _untold(said: CurlStatements) -> str:
    return "the text was cut" if said.code is None else f"curl {said.code}, reason not told"


def _tunnel_refused(said: CurlStatements) -> bool:
    status = said.tunnel_status
    return status is not None and not 200 <= status < 300


def _tunnelled(said: CurlStatements, proxy: str | None) -> _End:
    if proxy is None and said.tunnel is None:
        return _End(Condition.MET, "no proxy")
    status = said.tunnel_status
    told = f"{proxy or 'the proxy'} answered {status}"
    if status == 407:
        return _End(Condition.PROXY_AUTHENTICATION_REQUIRED, told, status)
    if _tunnel_refused(said):
        return _End(Condition.TUNNEL_REFUSED, told, status)
    if status is None and not (said.hello or said.version):
        return _End(Condition.UNCLASSIFIED, "the answer of the proxy is not in the text", said.code)
    return _End(Condition.MET, f"through {proxy}")


def _handshake(said: CurlStatements, tls: TlsFacts | None) -> _End:
    end = _ended(said, tls)
    if tls is not None and tls.narrowed_by is not None and end.condition is not Condition.MET:
        return _End(end.condition, f"{end.detail}; asked with {tls.narrowed_by}", end.error)
    return end


def _ended(said: CurlStatements, tls: TlsFacts | None) -> _End:
    alert = tls.alert if tls is not None else None
    if alert is not None and alert.direction is Direction.RECEIVED:
        refused = said.asked and alert.number in _CLIENT_REFUSALS
        if refused or said.version is None:
            condition = Condition.CLIENT_CERTIFICATE_REFUSED if refused else Condition.FATAL_ALERT
            return _End(condition, str(alert), alert.number)
    if said.version is not None:
        return _End(Condition.MET, "the handshake was finished")
    if _refuses(said):
        return _End(Condition.UNCLASSIFIED, "a certificate arrived, and curl refused it", said.code)
    if alert is not None and alert.number == _PROTOCOL_VERSION:
        return _End(Condition.FATAL_ALERT, "sent by curl: the version is too old", alert.number)
    for code in said.codes:
        row = failure("openssl", code.reason) if code.reason and code.library == 20 else None
        if row is not None and row.condition is not Condition.CERTIFICATE_REJECTED:
            return _End(row.condition, row.name)
        if code.system and (row := system_failure(code.system)) is not None:
            return _End(row.condition, row.name, row.number)
    return _cut(said)


def _cut(said: CurlStatements) -> _End:
    """How a handshake ended of which no number of TLS is told."""
    if said.code == _TIMED_OUT and (said.waited is None or said.waited >= _PATIENCE):
        return _End(Condition.HANDSHAKE_TIMED_OUT, f"no end after {said.waited} ms", said.code)
    reason = said.text.removeprefix("Recv failure: ").partition(" in connection to ")[0]
    row = system_number(reason.rpartition(": ")[2])
    if (numbered := _ERRNO.search(said.text)) is not None and int(numbered[1]):
        row = system_failure(int(numbered[1])) or row
    if row is not None:
        return _End(row.condition, row.name, row.number)
    if "SSL_ERROR_SYSCALL" in said.text or "failed to receive handshake" in said.text:
        # Without an errno: the peer ended the stream.
        return _End(Condition.CONNECTION_CLOSED, f"curl {said.code}", said.code)
    if said.windows is not None:
        return _End(Condition.UNCLASSIFIED, f"Schannel 0x{said.windows:08X}", said.code)
    if said.code is None:
        return _End(Condition.UNCLASSIFIED, "the end of the handshake is not in the text")
    return _End(Condition.UNCLASSIFIED, _untold(said), said.code)


def _refuses(said: CurlStatements) -> bool:
    """It is curl itself that refused the certificate."""
    if said.is_accepted:
        return False
    told = said.verify is not None and said.version is None
    windows = said.windows in _WINDOWS_REFUSALS
    return told or windows or said.is_of_other_name or said.code in _NOT_VERIFIED


def _verified(said: CurlStatements, tls: TlsFacts | None) -> _End:
    if tls is None:
        return _End(Condition.NOT_REACHED, "")
    told = ", ".join(f"{v.trust_store.value}: {v.name} ({v.code})" for v in tls.verify)
    refused = [v.code for v in tls.verify if v.code != 0]
    if refused or _refuses(said):
        shown = told or f"curl {said.code}"
        return _End(Condition.CERTIFICATE_REJECTED, shown, refused[0] if refused else said.code)
    if any(v.trust_store is not TrustStore.UNKNOWN for v in tls.verify):
        return _End(Condition.MET, told)
    if tls.verify:
        return _End(Condition.UNCLASSIFIED, "curl says ok; whose roots it asked is not known")
    if said.version is None and not said.certified:
        return _End(Condition.NOT_REACHED, "")
    return _End(Condition.UNCLASSIFIED, "what curl says of the certificate is not in the text")
