"""What the statements of a transcript mean: how each stage ended, and the facts of TLS.

Decided by numbers (errno, Winsock number, alert, reason code, byte counts). Only for name lookups
do transcripts hold no number, and the resolver's sentence has to do.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from diagnoser.evidence.narrowing import Narrowing
from diagnoser.evidence.numbers import FailureNumber, reason_failure, system_failure, verify_code
from diagnoser.evidence.statements import Statements
from diagnoser.model import (
    Aftermath,
    Alert,
    Condition,
    Direction,
    Stage,
    StageResult,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.tls_numbers import CLIENT_REFUSALS, PROTOCOL_VERSION, alert_name, verify_code_name

if TYPE_CHECKING:
    from diagnoser.probing import Trust

# Codes that an openssl without roots gives to every chain, and those that follow from them.
_STORELESS = frozenset({2, 18, 19, 20, 21, 27})
_NOT_FOUND = (
    "name or service not known",
    "nodename nor servname provided",
    "no such host is known",
    "no address associated",
    "name does not resolve",
    "unknown host",
)
_RECORD_HEADER, _ALERT_RECORD = 5, 7


def tls_of(
    said: Statements,
    at: datetime,
    trust: Trust | None,
    *,
    shown: bool,
    narrowing: Narrowing,
) -> TlsFacts | None:
    """The TLS facts of a run; ``None`` where it did not come to a handshake.

    ``shown`` says that the command presents a client certificate. Where the text has no chain, the
    lines of the verification say what arrived.
    """
    if not (said.connected or said.chain or said.verified):
        return None
    store = TrustStore.UNKNOWN if narrowing.own_roots else TrustStore.SYSTEM
    alert = None
    if said.alert is not None:
        alert = Alert(2, said.alert, alert_name(said.alert), Direction.RECEIVED)
    elif _refused_version(said):
        alert = Alert(2, PROTOCOL_VERSION, alert_name(PROTOCOL_VERSION), Direction.SENT)
    return TlsFacts(
        version=said.version,
        cipher=said.cipher,
        alert=alert,
        verify=(
            *_public_opinions(said, at, trust),
            *_own_opinion(said, store),
        ),
        verify_errors=tuple(_verify_errors(said, store)),
        received_chain=said.chain or said.path,
        client_certificate_requested=said.asked,
        client_certificate_sent=bool(said.asked) and shown,
        client_ca_names=said.ca_names,
        aftermath=Aftermath.ALERT if _is_late(said) else Aftermath.TICKET if said.ticket else None,
        bytes_sent=said.sent,
        bytes_received=said.received,
        ocsp=said.ocsp,
        narrowed_by=narrowing.named(alert.number if alert else None),
    )


def _refused_version(said: Statements) -> bool:
    return any(c.refuses_version for c in said.codes)


def _is_late(said: Statements) -> bool:
    """An alert after a finished TLS 1.3 handshake (RFC 8446 section 4.4.2.4)."""
    return said.alert is not None and said.cipher is not None and said.version == "TLSv1.3"


def _public_opinions(
    said: Statements, at: datetime, trust: Trust | None
) -> tuple[VerifyResult, ...]:
    """What the public bundle and the role's anchors say of a chain that is there in full.

    The store of the machine that reads the transcript has no say: it is another machine.
    """
    if trust is None or not said.ders or len(said.ders) < len(said.chain):
        # Where only the end-entity certificate is whole, its path cannot be built from here.
        return ()
    return opinions(trust, said.ders, at)


def opinions(trust: Trust, ders: tuple[bytes, ...], at: datetime) -> tuple[VerifyResult, ...]:
    """The verdicts of the stores that are the same everywhere."""
    stores = [s for s in (TrustStore.MOZILLA, TrustStore.ROLE) if s in trust.stores]
    try:
        return trust.opinions(ders, at, stores)
    except ValueError:
        return ()


def _verify_errors(said: Statements, store: TrustStore) -> list[VerifyResult]:
    found = []
    for number, text, depth in said.verify_errors:
        code = verify_code(number, text)
        found.append(VerifyResult(code, verify_code_name(code), store, depth))
    return found


def _own_opinion(said: Statements, store: TrustStore) -> tuple[VerifyResult, ...]:
    """What the store that s_client asked says, as far as it says anything."""
    if not said.chain or said.verify_code is None or said.failed_cipher:
        return ()
    errors = _verify_errors(said, store)
    final = verify_code(*said.verify_code)
    if final in _STORELESS or any(e.code in _STORELESS for e in errors):
        return ()
    if errors and final != 0:
        return (errors[0],)
    depth = 0 if final else None
    return (VerifyResult(final, verify_code_name(final), store, depth),)


def stages_of(
    said: Statements, tls: TlsFacts | None, *, proxy: str | None
) -> tuple[StageResult, ...]:
    """All stages of a run in order, each with what the text shows of it."""
    if (failed := _before_tls(said, proxy)) is not None:
        return _completed(failed)
    through = "no proxy" if proxy is None else f"through {proxy}"
    return (
        StageResult(Stage.RESOLVE, Condition.MET),
        StageResult(Stage.CONNECT, Condition.MET),
        StageResult(Stage.TUNNEL, Condition.MET, through),
        _handshake(said, tls),
        _verified(said, tls),
    )


def _completed(results: tuple[StageResult, ...]) -> tuple[StageResult, ...]:
    """Stages after the one that failed were not reached."""
    rest = tuple(Stage)[len(results) :]
    return (*results, *(StageResult(s, Condition.NOT_REACHED) for s in rest))


def _before_tls(said: Statements, proxy: str | None) -> tuple[StageResult, ...] | None:
    resolved = StageResult(Stage.RESOLVE, Condition.MET)
    reached = StageResult(Stage.CONNECT, Condition.MET)
    if said.proxy_status is not None:
        login = said.proxy_status == 407
        condition = Condition.PROXY_AUTHENTICATION_REQUIRED if login else Condition.TUNNEL_REFUSED
        detail = f"{proxy or 'the proxy'} answered {said.proxy_status}"
        refused = StageResult(Stage.TUNNEL, condition, detail, error=said.proxy_status)
        return (resolved, reached, refused)
    if said.connected or said.chain or said.verified:
        return None
    row = _system_failure(said)
    if row is not None and row.condition in (
        Condition.NAME_NOT_FOUND,
        Condition.NAME_LOOKUP_FAILED,
    ):
        return (StageResult(Stage.RESOLVE, row.condition, row.name, error=row.number),)
    if said.lookup is not None and row is None:
        known = any(text in said.lookup.lower() for text in _NOT_FOUND)
        condition = Condition.NAME_NOT_FOUND if known else Condition.NAME_LOOKUP_FAILED
        return (StageResult(Stage.RESOLVE, condition, said.lookup),)
    if row is not None:
        return (resolved, StageResult(Stage.CONNECT, row.condition, row.name, error=row.number))
    number = next((n for call, n in said.failures if call == "connect"), None)
    detail = "s_client gave no number that is known"
    return (resolved, StageResult(Stage.CONNECT, Condition.UNCLASSIFIED, detail, error=number))


def _system_failure(said: Statements) -> FailureNumber | None:
    """Errno as printed, else as packed into an error code: Windows prints ``errno=0`` always."""
    numbers = [n for _, n in said.failures if n > 0]
    numbers += [c.system for c in said.codes if c.system]
    return next((row for n in numbers if (row := system_failure(n)) is not None), None)


def _handshake(said: Statements, tls: TlsFacts | None) -> StageResult:
    condition, detail, error = _alerted(said) or _foreign(said) or _end(said)
    if tls is not None and tls.narrowed_by is not None and condition is not Condition.MET:
        detail = f"{detail}; asked with {tls.narrowed_by}"
    return StageResult(Stage.HANDSHAKE, condition, detail, error=error)


_Ended = tuple[Condition, str, int | None]
_NO_ANSWER = {Condition.NOT_TLS, Condition.CONNECTION_CLOSED}
_NO_RECORD = (Condition.NOT_TLS, "5 bytes were read, and no TLS record", None)


def _alerted(said: Statements) -> _Ended | None:
    if said.alert is None:
        return None
    if said.received == _RECORD_HEADER:
        # LibreSSL takes any foreign byte for an alert; an alert record has 7 bytes.
        return _NO_RECORD
    refused = said.asked and said.alert in CLIENT_REFUSALS
    condition = Condition.CLIENT_CERTIFICATE_REFUSED if refused else Condition.FATAL_ALERT
    return condition, f"{alert_name(said.alert)}({said.alert})", said.alert


def _is_complete(said: Statements) -> bool:
    """The handshake ended well: a chain was sent, and a cipher agreed."""
    return bool(said.chain) and not (said.no_certificate or said.failed_cipher)


def _foreign(said: Statements) -> _Ended | None:
    """What OpenSSL's reason codes say of an answer that is no TLS, or none at all."""
    # OpenSSL 3 calls it an error if a peer ends a session without goodbye, however late.
    ended = {Condition.NOT_TLS} if _is_complete(said) else _NO_ANSWER
    for code in said.codes:
        row = reason_failure(code)
        if row is not None and row.condition in ended:
            return row.condition, row.name, None
    return None


def _end(said: Statements) -> _Ended:
    if _refused_version(said):
        return Condition.FATAL_ALERT, "sent by s_client: the version is too old", PROTOCOL_VERSION
    empty = said.no_certificate or said.failed_cipher
    if _is_complete(said):
        return Condition.MET, _how_complete(said), None
    row = _system_failure(said)
    if row is not None:
        return row.condition, row.name, row.number
    if said.codes:
        return Condition.UNCLASSIFIED, f"error {said.codes[0].code:08X}", None
    if said.received == _RECORD_HEADER:
        return _NO_RECORD
    if said.received == _ALERT_RECORD:
        return Condition.FATAL_ALERT, "an alert; its number was not saved (use 2>&1)", None
    if empty:
        return Condition.CONNECTION_CLOSED, f"{said.received or 0} bytes were read", None
    if said.verified:
        told = "a certificate arrived; the end of the handshake is not in the text"
        return Condition.UNCLASSIFIED, told, None
    if said.stopped:
        # Every other end makes s_client print more than this line.
        return Condition.HANDSHAKE_TIMED_OUT, "nothing follows CONNECTED until Ctrl-C", None
    told = "nothing follows CONNECTED: it was still waiting, or the text was cut"
    return Condition.UNCLASSIFIED, told, None


def _how_complete(said: Statements) -> str:
    if said.received is None:
        return "a chain was received; the end of the handshake is not in the text"
    traffic = f"{said.sent} bytes sent, {said.received} received"
    return traffic if said.has_stderr else f"{traffic}; stderr was not saved"


def _verified(said: Statements, tls: TlsFacts | None) -> StageResult:
    def ended(condition: Condition, detail: str, error: int | None = None) -> StageResult:
        return StageResult(Stage.VERIFY, condition, detail, error=error)

    if tls is None or not (said.chain or said.verified):
        detail = "no certificate was received, whatever the return code says"
        return ended(Condition.NOT_REACHED, detail)
    told = ", ".join(f"{v.trust_store.value}: {v.name} ({v.code})" for v in tls.verify)
    # The stores that are the same everywhere weigh most, one that nobody knows accepts nothing.
    known = [v for v in tls.verify if v.trust_store is not TrustStore.UNKNOWN]
    public = [v for v in known if v.trust_store is not TrustStore.SYSTEM]
    if any(v.code == 0 for v in public or known):
        return ended(Condition.MET, told)
    refusing = [v for v in public or tls.verify if v.code != 0]
    if refusing:
        return ended(Condition.CERTIFICATE_REJECTED, told, refusing[0].code)
    code = (
        said.verify_code[0]
        if said.verify_code
        else next((n for n, _, _ in said.verify_errors), None)
    )
    shown = "nothing" if code is None else f"{verify_code_name(code)} ({code})"
    return ended(
        Condition.UNCLASSIFIED, f"s_client says {shown}; without its store that proves nothing"
    )
