"""How one captured connection ended, stage by stage, and what its TLS showed in the clear."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from diagnoser.certificates import UnreadableCertificate, read_certificate
from diagnoser.evidence.connections import Book, Connection
from diagnoser.evidence.outcomes import opinions
from diagnoser.evidence.packets import address_text
from diagnoser.evidence.records import opens_tls
from diagnoser.model import (
    Aftermath,
    Alert,
    CertificateFacts,
    Condition,
    Direction,
    Stage,
    StageResult,
    TlsFacts,
)
from diagnoser.tls_numbers import CLIENT_REFUSALS, alert_name

if TYPE_CHECKING:
    from diagnoser.probing import Trust

_PORT_UNREACHABLE = ((3, 3), (1, 4))
# A server that is alive answers a ClientHello, and a SYN, well within this.
PATIENCE = 3.0
TLS13_HIDES = "TLS 1.3 hides the certificate from a capture"


def stages_of(
    connection: Connection, book: Book, tls: TlsFacts | None, count: int, *, without_tls: bool
) -> tuple[StageResult, ...]:
    """All stages in order; ``count`` is how many connections the capture has to this endpoint."""
    results = [StageResult(Stage.RESOLVE, Condition.MET, connection.server_address)]
    connected = connect_of(connection, book)
    if count > 1:
        detail = f"{connected.detail} ({count} connections in the capture)".strip()
        connected = StageResult(Stage.CONNECT, connected.condition, detail, connected.seconds)
    results.append(connected)
    if connected.condition is Condition.MET:
        results.append(_tunnel(connection, book))
    tunnelled = results[-1].stage is Stage.TUNNEL and results[-1].condition is Condition.MET
    if tunnelled and not without_tls:
        results.append(handshake_of(connection, book))
        results.append(_verify(tls))
    rest = tuple(Stage)[len(results) :]
    return (*results, *(StageResult(s, Condition.NOT_REACHED) for s in rest))


def connect_of(connection: Connection, book: Book) -> StageResult:
    """How the SYN was answered."""

    def ended(condition: Condition, detail: str, seconds: float | None = None) -> StageResult:
        return StageResult(Stage.CONNECT, condition, detail, seconds)

    if connection.opened is not None:
        taken = connection.opened - connection.begun
        return ended(Condition.MET, connection.server_address, max(0.0, taken))
    refusal = connection.unreachable
    if refusal is not None:
        kinds = (refusal.kind, refusal.code)
        told = f"ICMP {kinds[0]}/{kinds[1]} from {address_text(refusal.router)}"
        if kinds in _PORT_UNREACHABLE:
            return ended(Condition.CONNECTION_REFUSED, told)
        return ended(Condition.NETWORK_UNREACHABLE, told)
    if connection.refused:
        return ended(Condition.CONNECTION_REFUSED, f"RST from {connection.server_address}")
    waited = book.ended - connection.begun
    if connection.syns > 1 or waited >= PATIENCE:
        detail = f"{connection.syns} SYN without an answer in {waited:.1f} s"
        return ended(Condition.CONNECTION_TIMED_OUT, detail)
    return ended(Condition.UNCLASSIFIED, "the capture ends with the SYN")


def _tunnel(connection: Connection, book: Book) -> StageResult:
    def ended(condition: Condition, detail: str, error: int | None = None) -> StageResult:
        return StageResult(Stage.TUNNEL, condition, detail, error=error)

    if not connection.tunnel:
        return ended(Condition.MET, "no proxy")
    status = connection.tunnel_status
    if status == 407:
        return ended(Condition.PROXY_AUTHENTICATION_REQUIRED, "CONNECT answered 407", status)
    if status is not None and status != 200:
        return ended(Condition.TUNNEL_REFUSED, f"CONNECT answered {status}", status)
    if status == 200:
        return ended(Condition.MET, f"through {connection.server_address}:{connection.server[1]}")
    if connection.down.reset:
        return ended(Condition.CONNECTION_RESET, "the proxy broke the connection")
    if connection.down.closed:
        return ended(Condition.CONNECTION_CLOSED, "the proxy closed the connection")
    if book.ended - connection.last >= PATIENCE or connection.given_up:
        return ended(Condition.CONNECTION_TIMED_OUT, "the proxy gave no answer")
    return ended(Condition.UNCLASSIFIED, "the capture ends with the CONNECT request")


def handshake_of(connection: Connection, book: Book) -> StageResult:
    """How the ClientHello was answered, as far as it lies in the clear."""
    ended = _answer(connection) or _alerted(connection) or _end(connection, book)
    condition, detail, error = ended
    return StageResult(Stage.HANDSHAKE, condition, detail, error=error)


_Ended = tuple[Condition, str, int | None]


def _answer(connection: Connection) -> _Ended | None:
    """What the very first bytes decide."""
    down = connection.down
    if connection.asked is None and connection.answered is None:
        if down.reset:
            return Condition.CONNECTION_RESET, "before any byte", None
        if down.closed:
            return Condition.CONNECTION_CLOSED, "before any byte", None
        return Condition.UNCLASSIFIED, "nothing was sent", None
    if down.first and not opens_tls(down.first):
        return Condition.NOT_TLS, "the first byte is no TLS record type", None
    return None


def _alerted(connection: Connection) -> _Ended | None:
    """What an alert in the clear decides, the server's before the client's."""
    down, up = connection.down.tls, connection.up.tls
    if down.alert is not None and down.alert[0] == 2:
        number = down.alert[1]
        told = f"{alert_name(number)}({number})"
        if down.requested and number in CLIENT_REFUSALS:
            return Condition.CLIENT_CERTIFICATE_REFUSED, told, number
        return Condition.FATAL_ALERT, told, number
    if up.alert is not None and up.alert[0] == 2:
        number = up.alert[1]
        told = f"sent by the agent: {alert_name(number)}({number})"
        return Condition.FATAL_ALERT, told, number
    return None


def _end(connection: Connection, book: Book) -> _Ended:
    """How a handshake without an alert ended."""
    up, down = connection.up, connection.down
    traffic = f"{up.total} bytes sent, {down.total} received"
    if _is_finished(connection):
        return Condition.MET, traffic, None
    if down.total and (down.gap or down.tls.stopped):
        return Condition.UNCLASSIFIED, "packets are cut or missing in the capture", None
    if down.reset:
        return Condition.CONNECTION_RESET, traffic, None
    if down.closed:
        return Condition.CONNECTION_CLOSED, traffic, None
    if up.repeats > 1:
        told = f"{traffic}, the hello was repeated {up.repeats} times"
        return Condition.HANDSHAKE_TIMED_OUT, told, None
    if connection.given_up or up.closed or book.ended - connection.last >= PATIENCE:
        return Condition.HANDSHAKE_TIMED_OUT, traffic, None
    return Condition.UNCLASSIFIED, "the capture ends in mid-handshake", None


def _is_finished(connection: Connection) -> bool:
    """Both sides went over to encryption, and the client wrote after the server had answered.

    TLS 1.3: the client's first encrypted record is its Finished message, or an alert that cannot
    be told from it; so a connection that ends right behind it is not called finished.
    """
    up, down = connection.up.tls, connection.down.tls
    if not (up.encrypted and down.encrypted):
        return False
    if down.version == "TLSv1.3":
        return up.wrote_data and down.wrote_data and connection.up.total > up.hello_bytes + 40
    return True


def _verify(tls: TlsFacts | None) -> StageResult:
    if tls is None or not tls.received_chain:
        hidden = tls is not None and tls.version == "TLSv1.3"
        detail = TLS13_HIDES if hidden else "no certificate in the capture"
        return StageResult(Stage.VERIFY, Condition.NOT_REACHED, detail)
    if not tls.verify:
        return StageResult(Stage.VERIFY, Condition.UNCLASSIFIED, "not verified")
    told = ", ".join(f"{v.trust_store.value}: {v.name} ({v.code})" for v in tls.verify)
    if any(v.code == 0 for v in tls.verify):
        return StageResult(Stage.VERIFY, Condition.MET, told)
    code = tls.verify[0].code
    return StageResult(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, told, error=code)


def tls_of(connection: Connection, at: datetime, trust: Trust | None) -> TlsFacts:
    """What both sides said in the clear; chains are verified by the stores that are the same
    everywhere."""
    up, down = connection.up.tls, connection.down.tls
    alert = None
    if down.alert is not None:
        alert = Alert(*down.alert, alert_name(down.alert[1]), Direction.RECEIVED)
    elif up.alert is not None:
        alert = Alert(*up.alert, alert_name(up.alert[1]), Direction.SENT)
    chain: list[CertificateFacts] = []
    for number, der in enumerate(down.ders):
        try:
            chain.append(read_certificate(der))
        except UnreadableCertificate:
            if number == 0:
                break
    foreign = not opens_tls(connection.down.first)
    return TlsFacts(
        version=down.version,
        alert=alert,
        verify=opinions(trust, down.ders, at) if trust is not None and chain else (),
        received_chain=tuple(chain),
        client_certificate_requested=None if down.version == "TLSv1.3" else down.requested,
        client_certificate_sent=bool(up.sent_certificate),
        client_ca_names=down.ca_names,
        aftermath=Aftermath.DATA if _is_finished(connection) and down.wrote_data else None,
        bytes_sent=connection.up.total,
        bytes_received=connection.down.total,
        clear_text=_printable(connection.down.first) if foreign else None,
    )


def _printable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " if c.isspace() else "." for c in text).strip()
