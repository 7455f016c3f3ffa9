"""The connection opens; does a TLS handshake get through? Decided by who ended it, and how."""

from __future__ import annotations

from diagnoser.model import (
    Category,
    Condition,
    Control,
    Direction,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    Transport,
)
from diagnoser.reasoning import by_condition, fact, met_facts, probe_rule
from diagnoser.scrutiny import OLD_VERSIONS

_PROTOCOL_VERSION = 70


def _untested(probe: ProbeResult) -> Finding | None:
    """A port that speaks no TLS, or a handshake never begun, decides nothing here."""
    if probe.endpoint.transport is Transport.TCP:
        return Finding(Standing.RULED_OUT, (fact(probe, Stage.CONNECT, "transport", "tcp"),))
    if probe.stage(Stage.HANDSHAKE).condition is Condition.NOT_REACHED:
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    return None


@probe_rule(Category.PROTOCOL)
def not_tls(probe: ProbeResult) -> Finding:
    """The port answers, but not in TLS: a captive portal, a block page, or another service.

    Decided by: the first byte that arrived is no TLS record type (RFC 8446 section 5.1).
    Not to be confused with: a TLS refusal, ``alert-received``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, Condition.NOT_TLS)
    text = probe.tls.clear_text if probe.tls else None
    shown = (fact(probe, Stage.HANDSHAKE, "clear_text", text),) if text else ()
    return Finding(found.standing, found.evidence + shown)


@probe_rule(Category.CLOSED_PORT)
def handshake_blocked(probe: ProbeResult) -> Finding:
    """The TCP connection opens, and is cut as soon as the ClientHello is sent.

    Decided by: reset or end of stream before the handshake finished. It is certain where the same
    ClientHello with another server name is answered (a filter by name); otherwise suspected, since
    a broken server cuts the connection in the same way.
    Not to be confused with: a refused connection, ``port-closed``; silence, ``handshake-stalled``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(
        probe, Stage.HANDSHAKE, Condition.CONNECTION_RESET, Condition.CONNECTION_CLOSED
    )
    if found.standing is not Standing.APPLIES:
        return found
    tls = probe.tls
    if tls is not None and tls.client_certificate_requested and not tls.client_certificate_sent:
        # The hello got through; a peer that hangs up on a missing certificate blocks nothing.
        return Finding(Standing.UNDECIDED, found.evidence)
    control = probe.control(Control.NONSENSE_NAME)
    if control is not None and control.certificate is not None:
        shown = fact(probe, Stage.HANDSHAKE, "other_name_answered", control.question)
        return Finding(Standing.APPLIES, (*found.evidence, shown))
    return Finding(Standing.SUSPECTED, found.evidence)


@probe_rule(Category.CLOSED_PORT)
def handshake_stalled(probe: ProbeResult) -> Finding:
    """The TCP connection opens, and the handshake gets no further within the time limit.

    Decided by: no end, no alert and no finished handshake before the deadline.
    Not to be confused with: a port where the connection itself gets no answer, ``port-filtered``.
    """
    return _untested(probe) or by_condition(probe, Stage.HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT)


@probe_rule(Category.PROTOCOL)
def protocol_too_old(probe: ProbeResult) -> Finding:
    """Both sides speak TLS but share no version that is still safe.

    Decided by: alert protocol_version(70) (RFC 8446 section 6.2), or a version below TLS 1.2.
    Not to be confused with: other refusals, ``alert-received``.
    """
    if found := _untested(probe):
        return found
    facts = met_facts(probe, Stage.HANDSHAKE)
    tls = probe.tls
    if tls is not None and tls.alert is not None and tls.alert.number == _PROTOCOL_VERSION:
        return Finding(Standing.APPLIES, (*facts, fact(probe, Stage.HANDSHAKE, "alert", tls.alert)))
    if tls is not None and tls.version in OLD_VERSIONS:
        return Finding(
            Standing.APPLIES, (*facts, fact(probe, Stage.HANDSHAKE, "version", tls.version))
        )
    if probe.stage(Stage.HANDSHAKE).condition in (
        Condition.MET,
        Condition.FATAL_ALERT,
        Condition.CLIENT_CERTIFICATE_REFUSED,
    ):
        return Finding(Standing.RULED_OUT, facts)
    return Finding(Standing.UNDECIDED, facts)


@probe_rule(Category.PROTOCOL)
def alert_received(probe: ProbeResult) -> Finding:
    """The other side ended the handshake with a TLS alert that no other rule explains.

    Decided by: a fatal alert from the other side (RFC 8446 section 6.2), other than
    protocol_version and those that answer a client certificate.
    Not to be confused with: an alert about the agent's certificate, ``client-certificate-refused``.
    """
    if found := _untested(probe):
        return found
    found = by_condition(probe, Stage.HANDSHAKE, Condition.FATAL_ALERT)
    alert = probe.tls.alert if probe.tls else None
    if found.standing is not Standing.APPLIES or alert is None:
        return found
    shown = (*found.evidence, fact(probe, Stage.HANDSHAKE, "alert", alert))
    if alert.number == _PROTOCOL_VERSION or alert.direction is Direction.SENT:
        return Finding(Standing.RULED_OUT, shown)
    return Finding(Standing.APPLIES, shown)


RULES = (not_tls, handshake_blocked, handshake_stalled, protocol_too_old, alert_received)
