"""Whether two observations of one endpoint say the same, so that one of them can stand for both.

With and without the firewall, now and before: such observations contradict each other, and then
every one of them is judged.
"""

from __future__ import annotations

from diagnoser.model import Condition, Origin, ProbeResult, Stage, StageResult

# Of two observations of one endpoint the one that saw more of it stands; live beats hearsay.
_ORIGINS = (Origin.LIVE, Origin.TRANSCRIPT, Origin.CAPTURE)
_UNREAD = (Condition.NOT_REACHED, Condition.UNCLASSIFIED)
_ANSWERED = {Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED}


def agree(one: ProbeResult, other: ProbeResult) -> bool:
    """Nothing that both saw was different: not the way, nor how a stage ended, nor the
    certificate, nor what a trust store says of it."""
    if one.proxy != other.proxy or not _show_one_certificate(one, other):
        return False
    if one.tls is not None and other.tls is not None:
        alerts = {t.alert.number for t in (one.tls, other.tls) if t.alert is not None}
        if len(alerts) > 1:
            return False
        for verdict in one.tls.verify:
            theirs = other.tls.verified_by(verdict.trust_store)
            if theirs is not None and theirs.code != verdict.code:
                return False
    return all(_end_alike(one, other, stage) for stage in Stage)


def _show_one_certificate(one: ProbeResult, other: ProbeResult) -> bool:
    mine = one.tls.end_entity if one.tls else None
    theirs = other.tls.end_entity if other.tls else None
    if mine is None or theirs is None:
        return True
    if mine.sha256 is not None and theirs.sha256 is not None:
        return mine.sha256 == theirs.sha256
    return (mine.subject, mine.issuer) == (theirs.subject, theirs.issuer)


def _end_alike(one: ProbeResult, other: ProbeResult, stage: Stage) -> bool:
    mine, theirs = one.stage(stage), other.stage(stage)
    if mine.condition is theirs.condition:
        return True
    if _is_unread(one, mine) or _is_unread(other, theirs):
        return True
    if stage is Stage.CONNECT and (one.is_unopened or other.is_unopened):
        # That it did not open is all that the one tells, and the other tells how.
        return Condition.MET not in (mine.condition, theirs.condition)
    # Storage refuses a run without the agent's certificate and takes one with it.
    unasked = [p for p in (one, other) if p.tls and not p.tls.client_certificate_sent]
    refused = [
        p for p in (one, other) if p.stage(stage).condition is Condition.CLIENT_CERTIFICATE_REFUSED
    ]
    return {mine.condition, theirs.condition} == _ANSWERED and refused == unasked


def _is_unread(probe: ProbeResult, result: StageResult) -> bool:
    """The evidence does not show how the stage ended, or that says nothing of the peer."""
    if result.condition is Condition.NOT_REACHED:
        return True
    if result.stage is Stage.HANDSHAKE and result.condition is not Condition.MET:
        tls = probe.tls
        if tls is not None and tls.narrowed_by is not None and not tls.received_chain:
            return True
    # A number that is not known is an end all the same.
    cut = result.error is None and (
        result.stage is not Stage.CONNECT or probe.origin is Origin.CAPTURE
    )
    return result.condition is Condition.UNCLASSIFIED and cut


def worth(probe: ProbeResult) -> tuple[int, ...]:
    """How much of an endpoint a probe has seen: that it is this endpoint, a certificate, how far
    it came, with the agent's certificate, and how many stores were asked."""
    tls = probe.tls
    known = sum(probe.stage(s).condition not in _UNREAD for s in Stage)
    return (
        int(not (probe.is_assumed or probe.asks_otherwise)),
        int(tls is not None and bool(tls.received_chain)),
        known,
        int(tls is not None and tls.client_certificate_sent),
        len(tls.verify) if tls is not None else 0,
        -_ORIGINS.index(probe.origin),
    )
