"""Does the other side accept the agent's certificate? The refusal comes from the far end."""

from __future__ import annotations

from diagnoser.health import hangs_up_on_certificate
from diagnoser.model import (
    Aftermath,
    Category,
    Condition,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    TlsFacts,
)
from diagnoser.reasoning import fact, met_facts, probe_rule
from diagnoser.scrutiny import scrutinise

_CERTIFICATE_EXPIRED = 45


def _shown(probe: ProbeResult) -> tuple[Evidence, ...]:
    tls = probe.tls
    found = list(met_facts(probe, Stage.HANDSHAKE))
    if tls is not None:
        if tls.alert is not None:
            found.append(fact(probe, Stage.HANDSHAKE, "alert", tls.alert))
        sent = "sent" if tls.client_certificate_sent else "not-sent"
        found.append(fact(probe, Stage.HANDSHAKE, "client_certificate", sent))
        found += [
            fact(probe, Stage.HANDSHAKE, "accepted_authority", n) for n in tls.client_ca_names[:5]
        ]
        found += _own_certificate(probe, tls)
    return tuple(found)


def _own_certificate(probe: ProbeResult, tls: TlsFacts) -> list[Evidence]:
    """What the file on this machine says, before anybody else has judged it."""
    own = tls.client_certificate
    if own is None:
        return []
    found = [
        fact(probe, Stage.HANDSHAKE, "client_subject", own.subject),
        fact(probe, Stage.HANDSHAKE, "client_issuer", own.issuer),
    ]
    if tls.client_certificate_source is not None:
        found.append(fact(probe, Stage.HANDSHAKE, "client_file", tls.client_certificate_source))
    if own.not_after is not None:
        found.append(fact(probe, Stage.HANDSHAKE, "client_not_after", own.not_after))
    if tls.client_ca_names:
        known = "issuer-listed" if own.issuer in tls.client_ca_names else "issuer-not-listed"
        found.append(fact(probe, Stage.HANDSHAKE, "client_issuer_is", known))
    return found


def _is_past(probe: ProbeResult, tls: TlsFacts) -> bool:
    own = tls.client_certificate
    return own is not None and own.not_after is not None and own.not_after < probe.at


def _untested(probe: ProbeResult) -> Finding | None:
    """Without a finished or a refused handshake nothing is known about client certificates."""
    condition = probe.stage(Stage.HANDSHAKE).condition
    if probe.tls is None or condition not in (
        Condition.MET,
        Condition.CLIENT_CERTIFICATE_REFUSED,
    ):
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    if probe.tls.client_certificate_requested is False:
        return Finding(Standing.RULED_OUT, _shown(probe))
    return None


@probe_rule(Category.CLIENT_CERTIFICATE)
def client_certificate_required(probe: ProbeResult) -> Finding:
    """The other side insists on a client certificate, and none was presented.

    Decided by: alert certificate_required(116), or handshake_failure(40) after a
    CertificateRequest (RFC 8446 section 6.2). Acronis storage always insists: a probe without the
    agent's certificate then learns nothing about it, and the answer is undecided.
    Not to be confused with: a certificate that was presented and refused.
    """
    if found := _untested(probe):
        return found
    refused = probe.stage(Stage.HANDSHAKE).condition is Condition.CLIENT_CERTIFICATE_REFUSED
    if not refused or (probe.tls is not None and probe.tls.client_certificate_sent):
        return Finding(Standing.RULED_OUT, _shown(probe))
    expected = probe.endpoint.client_certificate
    return Finding(Standing.UNDECIDED if expected else Standing.APPLIES, _shown(probe))


def _by_alert(probe: ProbeResult, *, expired: bool) -> Finding:
    if hangs_up_on_certificate(probe):
        # Whether it was this certificate, and what is wrong with it, is not told.
        past = probe.tls is not None and _is_past(probe, probe.tls)
        standing = Standing.SUSPECTED if past or not expired else Standing.UNDECIDED
        shown = fact(probe, Stage.HANDSHAKE, "hung_up_on_certificate", "yes")
        return Finding(standing, (*_shown(probe), shown))
    if found := _untested(probe):
        return found
    tls = probe.tls
    if tls is None or not tls.client_certificate_sent:
        return Finding(Standing.UNDECIDED, _shown(probe))
    if probe.stage(Stage.HANDSHAKE).condition is Condition.CLIENT_CERTIFICATE_REFUSED:
        seen = scrutinise(probe)
        # What refuses the agent is the storage only if it is the storage that answered.
        refused = Standing.APPLIES if seen and seen.is_genuine else Standing.SUSPECTED
        is_expired = tls.alert is not None and tls.alert.number == _CERTIFICATE_EXPIRED
        if expired and not is_expired and _is_past(probe, tls):
            # Refused with another word, and out of date by the clock of this machine.
            return Finding(Standing.SUSPECTED, _shown(probe))
        return Finding(refused if is_expired is expired else Standing.RULED_OUT, _shown(probe))
    # TLS 1.3 may refuse later than we read: silence is no acceptance (RFC 8446 section 4.4.2.4).
    accepted = tls.version != "TLSv1.3" or tls.aftermath in (Aftermath.TICKET, Aftermath.DATA)
    return Finding(Standing.RULED_OUT if accepted else Standing.UNDECIDED, _shown(probe))


@probe_rule(Category.CLIENT_CERTIFICATE)
def client_certificate_expired(probe: ProbeResult) -> Finding:
    """The storage refuses the agent: the agent's certificate has expired.

    Decided by: alert certificate_expired(45) after our certificate was presented. Suspected where
    it was refused with another alert and its own date has passed, or where it is not certain that
    the storage answered.
    Not to be confused with: an expired certificate of the server, ``certificate-expired``.
    """
    return _by_alert(probe, expired=True)


@probe_rule(Category.CLIENT_CERTIFICATE)
def client_certificate_refused(probe: ProbeResult) -> Finding:
    """The storage refuses the agent: it does not accept the agent's certificate.

    Decided by: alert unknown_ca(48), bad_certificate(42), certificate_unknown(46),
    certificate_revoked(44) or access_denied(49) after our certificate was presented. Suspected
    where it is not certain that the storage answered, and where the connection was cut without a
    word as soon as the certificate was presented.
    Not to be confused with: this machine distrusting the server, ``root-not-trusted``.
    """
    return _by_alert(probe, expired=False)


RULES = (client_certificate_expired, client_certificate_refused, client_certificate_required)
