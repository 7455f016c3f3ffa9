"""Is this machine's clock right? Asked before any date of a certificate is believed."""

from __future__ import annotations

from datetime import timedelta

from diagnoser.model import (
    Category,
    Control,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
)
from diagnoser.reasoning import fact, met_facts, probe_rule
from diagnoser.scrutiny import scrutinise

_TOLERANCE = timedelta(days=1)
_DRIFT = timedelta(minutes=5)


@probe_rule(Category.CLOCK)
def clock_wrong(probe: ProbeResult) -> Finding:
    """This machine's date is wrong, so valid certificates look expired or not yet valid.

    Decided by: the server's own clock (the HTTP ``Date`` header) contradicts ours and makes the
    certificate valid; or a public log signed the certificate at a time that lies in our future
    (RFC 6962 section 3.2). Not yet valid alone is a suspicion.
    Not to be confused with: a certificate that has really expired, ``certificate-expired``.
    """
    leaf = probe.tls.end_entity if probe.tls else None
    if leaf is None or leaf.not_before is None or leaf.not_after is None:
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    shown: tuple[Evidence, ...] = (
        fact(probe, Stage.VERIFY, "machine_time", probe.at),
        fact(probe, Stage.VERIFY, "not_before", leaf.not_before),
        fact(probe, Stage.VERIFY, "not_after", leaf.not_after),
    )
    control = probe.control(Control.SERVER_CLOCK)
    told = control.answered_at if control is not None else None
    if told is not None:
        shown = (*shown, fact(probe, Stage.VERIFY, "server_time", told))
    ahead = [t for t in leaf.timestamps or () if t - probe.at > _TOLERANCE]
    if ahead:
        logged = fact(probe, Stage.VERIFY, "logged_at", max(ahead))
        return Finding(Standing.APPLIES, (*shown, logged))
    if leaf.not_before <= probe.at <= leaf.not_after:
        return Finding(Standing.RULED_OUT, shown)
    if told is not None:
        wrong = abs(told - probe.at) > _DRIFT
        if not (wrong and leaf.not_before <= told <= leaf.not_after):
            return Finding(Standing.RULED_OUT, shown)
        seen = scrutinise(probe)
        # A stranger's clock may be the wrong one.
        known = seen is not None and seen.is_genuine
        return Finding(Standing.APPLIES if known else Standing.SUSPECTED, shown)
    if probe.at < leaf.not_before:
        return Finding(Standing.SUSPECTED, shown)
    return Finding(Standing.UNDECIDED, shown)


RULES = (clock_wrong,)
