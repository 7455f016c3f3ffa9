"""What the statements of a curl run mean: how each stage ended.

Numbers decide (curl's, OpenSSL's, an alert's, Schannel's). curl prints no errno but the sentence
that the C library has for it, in the language of the system: only those of English are known.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnoser.deferral import pattern
from diagnoser.evidence.curl_statements import CurlStatements
from diagnoser.evidence.curl_tls import is_refused
from diagnoser.evidence.gnutls import condition_of
from diagnoser.evidence.numbers import FailureNumber, reason_failure, system_failure
from diagnoser.model import Condition, Direction, Stage, StageResult, TlsFacts, TrustStore
from diagnoser.tls_numbers import CLIENT_REFUSALS, PROTOCOL_VERSION

# strerror of glibc, macOS, and of curl itself on Windows (lib/strerror.c).
_SYSTEM_SAYS = {
    "connection refused": 111, "connection timed out": 110, "operation timed out": 60,
    "timed out": 10060, "network is unreachable": 101, "network unreachable": 10051,
    "no route to host": 113, "host unreachable": 10065, "connection reset by peer": 104,
    "connection was reset": 10054, "connection was aborted": 10053, "network is down": 10050,
    "network down": 10050, "broken pipe": 104,
}  # fmt: skip
_TIMED_OUT, _NO_CONNECTION, _NO_TLS = 28, 7, 35
# Shorter than the second retransmission of a SYN (RFC 6298), silence is no filter.
_PATIENCE = 3000
_ERRNO = pattern(r"\berrno (\d{1,5})\b")
_TELLING = (
    Condition.CONNECTION_REFUSED,
    Condition.CONNECTION_RESET,
    Condition.CONNECTION_TIMED_OUT,
    Condition.NETWORK_UNREACHABLE,
)

# A certificate can be known where the end of the handshake is not.
_GOES_ON = {
    Stage.HANDSHAKE: (
        Condition.MET, Condition.UNCLASSIFIED, Condition.CLIENT_CERTIFICATE_REFUSED,
    ),
}  # fmt: skip


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


def stages_of(
    said: CurlStatements,
    tls: TlsFacts | None,
    *,
    proxy: str | None,
    only_six: bool = False,
    is_inside: bool = False,
) -> tuple[StageResult, ...]:
    """All stages of a run in order, each with what the text shows of it. ``only_six``: the command
    asked for IPv6 alone; ``is_inside``: it ended in TLS, which was spoken inside of the tunnel if
    there was a proxy."""
    ended: list[StageResult] = []
    ends = (
        (Stage.RESOLVE, _resolved(said)),
        (Stage.CONNECT, _connected(said, only_six=only_six)),
        (Stage.TUNNEL, _tunnelled(said, proxy, is_inside=is_inside)),
        (Stage.HANDSHAKE, _handshake(said, tls)),
        (Stage.VERIFY, _verified(said, tls)),
    )
    for stage, end in ends:
        result = end.of(stage)
        if ended and ended[-1].condition not in _GOES_ON.get(ended[-1].stage, (Condition.MET,)):
            result = StageResult(stage, Condition.NOT_REACHED)
        ended.append(result)
    return tuple(ended)


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


def _connected(said: CurlStatements, *, only_six: bool) -> _End:
    if said.connected is not None or said.tunnel is not None or said.socks is not None:
        return _End(Condition.MET, "")
    rows = [system_number(reason) for _, _, reason in said.attempts if reason is not None]
    if said.code in (_TIMED_OUT, _NO_CONNECTION):
        rows.append(system_number(said.text.rpartition(": ")[2]))
    known = sorted(
        (r for r in rows if r is not None and r.condition in _TELLING),
        key=lambda r: _TELLING.index(r.condition),
    )
    if known and only_six and known[0].condition is Condition.NETWORK_UNREACHABLE:
        return _End(Condition.UNCLASSIFIED, "no network for IPv6, which alone was asked for")
    if known:
        return _End(known[0].condition, known[0].name, known[0].number)
    # Without -v a time-out may be one of the handshake, or of the answer, as well.
    is_of_connect = bool(said.attempts) or said.text.startswith("Failed to connect to ")
    if said.code == _TIMED_OUT and is_of_connect and (said.waited or 0) >= _PATIENCE:
        return _End(Condition.CONNECTION_TIMED_OUT, f"no answer for {said.waited} ms", said.code)
    if said.stage_code in (None, _TIMED_OUT, _NO_CONNECTION):
        # Whoever does not wait has not seen it fail.
        seen = said.code if said.code == _NO_CONNECTION else None
        return _End(Condition.UNCLASSIFIED, _untold(said), seen)
    # A later stage ended it, so that this one was passed.
    return _End(Condition.MET, "")


def _untold(said: CurlStatements) -> str:
    return "the text was cut" if said.code is None else f"curl {said.code}, reason not told"


def _tunnelled(said: CurlStatements, proxy: str | None, *, is_inside: bool) -> _End:
    if proxy is None and said.tunnel is None:
        return _End(Condition.MET, "no proxy")
    status = said.tunnel_status
    if said.socks is not None:
        told = f"the SOCKS proxy answered {said.socks}"
        return _End(Condition.TUNNEL_REFUSED, told, said.socks)
    told = f"{proxy or 'the proxy'} answered {status}"
    if status == 407:
        return _End(Condition.PROXY_AUTHENTICATION_REQUIRED, told, status)
    if said.is_tunnel_refused:
        return _End(Condition.TUNNEL_REFUSED, told, status)
    if status is None and not (said.hello or said.version or is_inside):
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
        refused = said.asked and alert.number in CLIENT_REFUSALS
        if refused or said.version is None:
            condition = Condition.CLIENT_CERTIFICATE_REFUSED if refused else Condition.FATAL_ALERT
            return _End(condition, str(alert), alert.number)
    if said.version is not None:
        return _End(Condition.MET, "the handshake was finished")
    if is_refused(said):
        return _End(Condition.UNCLASSIFIED, "a certificate arrived, and curl refused it", said.code)
    if alert is not None and alert.number == PROTOCOL_VERSION:
        return _End(Condition.FATAL_ALERT, "sent by curl: the version is too old", alert.number)
    for code in said.codes:
        row = reason_failure(code)
        if row is not None and row.condition is not Condition.CERTIFICATE_REJECTED:
            return _End(row.condition, row.name)
        if code.system and (row := system_failure(code.system)) is not None:
            return _End(row.condition, row.name, row.number)
    return _cut(said)


def _cut(said: CurlStatements) -> _End:
    """How a handshake ended of which no number of TLS is told."""
    if said.code == _TIMED_OUT and (said.waited is None or said.waited >= _PATIENCE):
        return _End(Condition.HANDSHAKE_TIMED_OUT, f"no end after {said.waited} ms", said.code)
    if not (said.hello or said.connected or said.code == _NO_TLS):
        # Without -v a later failure does not tell whether the handshake had been finished.
        return _End(Condition.UNCLASSIFIED, _untold(said), said.code)
    reason = said.text.removeprefix("Recv failure: ").partition(" in connection to ")[0]
    row = system_number(reason.rpartition(": ")[2])
    if (numbered := _ERRNO.search(said.text)) is not None and int(numbered[1]):
        row = system_failure(int(numbered[1])) or row
    if row is not None:
        return _End(row.condition, row.name, row.number)
    if said.gnutls is not None:
        return _End(condition_of(said.gnutls), f"GnuTLS: {said.gnutls}", said.code)
    if "SSL_ERROR_SYSCALL" in said.text or "failed to receive handshake" in said.text:
        # Without an errno: the peer ended the stream.
        return _End(Condition.CONNECTION_CLOSED, f"curl {said.code}", said.code)
    if said.windows is not None:
        return _End(Condition.UNCLASSIFIED, f"Schannel 0x{said.windows:08X}", said.code)
    if said.code is None:
        return _End(Condition.UNCLASSIFIED, "the end of the handshake is not in the text")
    return _End(Condition.UNCLASSIFIED, _untold(said), said.code)


def _verified(said: CurlStatements, tls: TlsFacts | None) -> _End:
    if tls is None:
        return _End(Condition.NOT_REACHED, "")
    told = ", ".join(f"{v.trust_store.value}: {v.name} ({v.code})" for v in tls.verify)
    refused = [v.code for v in tls.verify if v.code != 0]
    if refused or is_refused(said):
        shown = told or f"curl {said.code}"
        return _End(Condition.CERTIFICATE_REJECTED, shown, refused[0] if refused else said.code)
    if any(v.trust_store is not TrustStore.UNKNOWN for v in tls.verify):
        return _End(Condition.MET, told)
    if tls.verify:
        return _End(Condition.UNCLASSIFIED, "curl says ok; whose roots it asked is not known")
    if said.version is None and not said.certified:
        return _End(Condition.NOT_REACHED, "")
    return _End(Condition.UNCLASSIFIED, "what curl says of the certificate is not in the text")
