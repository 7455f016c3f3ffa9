"""Can the host be found and its port be opened? Decided by how the first two stages ended."""

from __future__ import annotations

from diagnoser.model import (
    Category,
    Condition,
    Control,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
)
from diagnoser.reasoning import by_condition, fact, met_facts, probe_rule


def _behind_proxy(probe: ProbeResult, stage: Stage) -> Finding | None:
    """With a proxy the first stages tell of the proxy; the tunnel tells of the host."""
    if probe.proxy is None:
        return None
    if probe.stage(Stage.TUNNEL).condition is Condition.MET:
        return Finding(Standing.RULED_OUT, met_facts(probe, Stage.TUNNEL))
    return Finding(Standing.UNDECIDED, (fact(probe, stage, "proxy", probe.proxy),))


def _addresses(probe: ProbeResult) -> tuple[Evidence, ...]:
    return tuple(
        fact(probe, Stage.CONNECT, "address", f"{a.address} {a.condition.value}")
        for a in probe.addresses
    )


@probe_rule(Category.DNS)
def name_not_found(probe: ProbeResult) -> Finding:
    """The host name does not exist, or has no address, for this machine's resolver.

    Decided by: the resolver's own code (EAI_NONAME or EAI_NODATA, RFC 3493 section 6.1).
    Not to be confused with: a resolver that gives no answer, which is ``name-lookup-failed``.
    """
    return _behind_proxy(probe, Stage.RESOLVE) or by_condition(
        probe, Stage.RESOLVE, Condition.NAME_NOT_FOUND
    )


@probe_rule(Category.DNS)
def name_lookup_failed(probe: ProbeResult) -> Finding:
    """The resolver gave no usable answer: it failed, refused, or stayed silent.

    Decided by: EAI_AGAIN or EAI_FAIL, or no answer within the time limit.
    Not to be confused with: an answer that the name does not exist, ``name-not-found``.
    """
    return _behind_proxy(probe, Stage.RESOLVE) or by_condition(
        probe, Stage.RESOLVE, Condition.NAME_LOOKUP_FAILED
    )


@probe_rule(Category.CLOSED_PORT)
def network_unreachable(probe: ProbeResult) -> Finding:
    """No route leads to any address of the host, or a router on the way refuses to carry it.

    Decided by: ENETUNREACH or EHOSTUNREACH on every address (ICMP destination unreachable,
    RFC 792; a firewall that rejects with ICMP gives the same number).
    Not to be confused with: silence, which is ``port-filtered``.
    """
    found = _behind_proxy(probe, Stage.CONNECT) or by_condition(
        probe, Stage.CONNECT, Condition.NETWORK_UNREACHABLE
    )
    return Finding(found.standing, found.evidence + _addresses(probe))


@probe_rule(Category.CLOSED_PORT)
def port_closed(probe: ProbeResult) -> Finding:
    """The connection attempt was answered with a refusal.

    Decided by: ECONNREFUSED, the RST that answers our SYN (RFC 9293 section 3.5.2). A firewall
    that rejects with a reset looks the same from here; either way the port is not open.
    Not to be confused with: a port that says nothing at all, ``port-filtered``.
    """
    found = _behind_proxy(probe, Stage.CONNECT) or by_condition(
        probe, Stage.CONNECT, Condition.CONNECTION_REFUSED
    )
    return Finding(found.standing, found.evidence + _addresses(probe))


@probe_rule(Category.CLOSED_PORT)
def port_filtered(probe: ProbeResult) -> Finding:
    """Nothing answered the connection attempt: no acceptance, no refusal.

    Decided by: no answer to the SYN within the time limit, or ETIMEDOUT, on every address. Whether
    another port of the same address answers tells a filter of this port from a silent host.
    Not to be confused with: a refusal, ``port-closed``; a host that is down is silent as well.
    """
    found = _behind_proxy(probe, Stage.CONNECT) or by_condition(
        probe, Stage.CONNECT, Condition.CONNECTION_TIMED_OUT
    )
    return Finding(found.standing, found.evidence + _addresses(probe) + _other_ports(probe))


def _other_ports(probe: ProbeResult) -> tuple[Evidence, ...]:
    """How other ports of the same addresses answered: a refusal is an answer, too."""
    asked = [c for c in probe.controls if c.control is Control.OTHER_PORT]
    answers = (Condition.MET, Condition.CONNECTION_REFUSED)
    found = [
        fact(probe, Stage.CONNECT, "other_port", f"{c.question} {c.condition.value}") for c in asked
    ]
    if asked:
        alone = any(c.condition in answers for c in asked)
        scope = "this-port-only" if alone else "every-port-tried"
        found.append(fact(probe, Stage.CONNECT, "silence_of", scope))
    return tuple(found)


RULES = (name_not_found, name_lookup_failed, network_unreachable, port_closed, port_filtered)
