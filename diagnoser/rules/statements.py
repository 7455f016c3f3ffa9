"""Causes that the error states itself: local faults, no network fault, the server's own answer.

A proven catalogue row about the root of the chain is such a statement; an inferred one, or one
about an error further out, is only a suspicion.
"""

from __future__ import annotations

import ipaddress

from diagnoser.health import are_healthy, hangs_up_unasked
from diagnoser.model import (
    Case,
    Category,
    Condition,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    Transport,
)
from diagnoser.reasoning import (
    blames_untested_proxy,
    case_rule,
    evidence_of,
    fact,
    met_facts,
    of_root,
    states_alone,
    suspicions,
)

_NOT_RECOGNISED = (Evidence("not_stated", "no-row", "case"),)


def _stated(case: Case, rule: str) -> Finding:
    """Applies if a proven row about the root names this cause alone."""
    if case.block is None:
        return Finding(Standing.UNDECIDED, (Evidence("not_stated", "no-block", "case"),))
    named = suspicions(case, rule)
    telling = [r for r in case.recognised if not r.wrapper]
    told = evidence_of(case.recognised) or _NOT_RECOGNISED
    if not named:
        standing = Standing.RULED_OUT if telling else Standing.UNDECIDED
        return Finding(standing, told)
    nearest = telling[-1] if telling else named[-1]
    if nearest.proven and nearest.suspects and rule not in nearest.suspects:
        # An outer frame is an effect; the root decides.
        return Finding(Standing.RULED_OUT, told)
    if states_alone(case, rule):
        return Finding(Standing.APPLIES, evidence_of(named))
    # Below what this row is about stands an error that the catalogue does not know: whatever is
    # wrong at the endpoints may be that error, and is tested, not read.
    unfit = not of_root(case) and bool(case.probes) and not are_healthy(case.probes)
    return Finding(Standing.UNDECIDED if unfit else Standing.SUSPECTED, evidence_of(named))


@case_rule(Category.LOCAL_SERVICE)
def local_port_taken(case: Case) -> Finding:
    """A port that the agent needs on this machine is in use by another program.

    Decided by: the error's own code for a failed bind (3/2, 660/13). Nothing outside this machine
    is involved; no firewall rule helps.
    Not to be confused with: a closed port at the other end, ``port-closed``.
    """
    return _stated(case, "local-port-taken")


@case_rule(Category.LOCAL_SERVICE)
def local_service_down(case: Case) -> Finding:
    """A service of the agent on this machine does not answer.

    Decided by: the error names a loopback address or a local service as the peer; or a loopback
    address was to be checked, and nothing listens on its port.
    Not to be confused with: an Acronis service that cannot be reached, ``port-closed``; a name that
    leads to this machine, ``name-redirected``.
    """
    if silent := tuple(e for p in case.probes for e in _closed_here(p)):
        return Finding(Standing.APPLIES, silent)
    return _stated(case, "local-service-down")


def _closed_here(probe: ProbeResult) -> tuple[Evidence, ...]:
    """No firewall stands between a machine and itself, so a refusal is the missing service's."""
    connect = probe.stage(Stage.CONNECT)
    refused = connect.condition is Condition.CONNECTION_REFUSED and probe.proxy is None
    return met_facts(probe, Stage.CONNECT) if refused and _is_local(probe.endpoint.host) else ()


def _is_local(host: str) -> bool:
    """Whether a host, as it was named, is this machine: ``localhost`` or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@case_rule(Category.NOT_NETWORK)
def not_network(case: Case) -> Finding:
    """The error is about something else: a disk, a snapshot, an application, a crash.

    Decided by: the code at the root of the chain, if the catalogue knows it as no network error.
    Not to be confused with: an error that only wraps a network error; the root decides.
    """
    return _stated(case, "not-network")


@case_rule(Category.SERVER)
def server_side(case: Case) -> Finding:
    """Acronis' service was reached and answered with an error of its own.

    Decided by: a host name that exists only inside Acronis' data centres, or an HTTP status of 500
    or more in the error while the endpoint is genuine and healthy from here. The status alone is a
    suspicion: a proxy on the way can send it as well. So is a peer that hangs up on everybody: a
    firewall or a transparent proxy does the same.
    Not to be confused with: a refusal of the account, ``account-refused``.
    """
    internal = [e for r in case.recognised for e in r.evidence if e.fact == "internal_name"]
    if internal:
        return Finding(Standing.APPLIES, tuple(internal))
    named = suspicions(case, "server-side")
    statuses = [
        e
        for r in case.recognised
        # A row that blames something else has its own reading of the number.
        if "server-side" in r.suspects or not r.suspects
        for e in r.evidence
        if e.fact == "http_status" and _is_5xx(e.value)
    ]
    if hung_up := tuple(e for p in case.probes for e in _hang_ups(p)):
        return Finding(Standing.SUSPECTED, hung_up)
    if case.block is None:
        return Finding(Standing.UNDECIDED, (Evidence("not_stated", "no-block", "case"),))
    if not named and not statuses:
        standing = Standing.RULED_OUT if case.recognised else Standing.UNDECIDED
        return Finding(standing, evidence_of(case.recognised) or _NOT_RECOGNISED)
    shown = evidence_of(named) or tuple(statuses)
    healthy = are_healthy(case.probes)
    certain = healthy and statuses and not blames_untested_proxy(case)
    return Finding(Standing.APPLIES if certain else Standing.SUSPECTED, shown)


def _hang_ups(probe: ProbeResult) -> tuple[Evidence, ...]:
    if not hangs_up_unasked(probe):
        return ()
    stage = Stage.CONNECT if probe.endpoint.transport is Transport.TCP else Stage.HANDSHAKE
    return (fact(probe, stage, "closed_unasked", "yes"),)


def _is_5xx(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdigit() and text[0] == "5"


RULES = (local_port_taken, local_service_down, not_network, server_side)
