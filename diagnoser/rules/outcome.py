"""Nothing is wrong here: the endpoint works, or the text tells of no failure."""

from __future__ import annotations

from diagnoser.health import are_healthy, is_healthy, opens
from diagnoser.model import (
    Case,
    Category,
    Condition,
    Control,
    Evidence,
    Finding,
    Origin,
    ProbeResult,
    Stage,
    Standing,
    Transport,
)
from diagnoser.reasoning import blames_untested_proxy, case_rule, fact, unprobed
from diagnoser.scrutiny import scrutinise

_UNTESTED_CLIENT = ("client-certificate-refused", "client-certificate-expired")


def _shown(probe: ProbeResult) -> tuple[Evidence, ...]:
    found = [
        fact(probe, Stage.CONNECT, "host", probe.endpoint.host),
        fact(probe, Stage.CONNECT, "port", probe.endpoint.port),
    ]
    if probe.endpoint.transport is Transport.TLS:
        found.append(fact(probe, Stage.CONNECT, "healthy_endpoint", probe.endpoint))
    elif opens(probe):
        found.append(fact(probe, Stage.CONNECT, "open_port", probe.endpoint))
    found += [
        fact(probe, Stage.CONNECT, "dead_address", f"{a.address} {a.condition.value}")
        for a in probe.addresses
        if a.condition is not Condition.MET
    ]
    tls = probe.tls
    if probe.endpoint.transport is Transport.TCP:
        found.append(fact(probe, Stage.CONNECT, "transport", "tcp"))
    elif tls is not None and tls.end_entity is not None:
        found.append(fact(probe, Stage.HANDSHAKE, "issuer", tls.end_entity.issuer))
        if tls.version is not None:
            found.append(fact(probe, Stage.HANDSHAKE, "version", tls.version))
        if tls.client_certificate_requested and not tls.client_certificate_sent:
            found.append(fact(probe, Stage.HANDSHAKE, "client_certificate", "not-sent"))
    return tuple(found)


def _is_as_expected(probe: ProbeResult) -> bool:
    """A transcript without dates and keys, but with the right names: no proof, a good sign."""
    seen = scrutinise(probe) if probe.origin is Origin.TRANSCRIPT else None
    met = probe.stage(Stage.HANDSHAKE).condition is Condition.MET
    return met and seen is not None and seen.is_as_expected


def _needs_proxy(probe: ProbeResult) -> bool:
    direct = probe.control(Control.DIRECT)
    return direct is not None and direct.condition is not Condition.MET


@case_rule(Category.NONE)
def endpoint_healthy(case: Case) -> Finding:
    """Every endpoint is reached, genuine, and does what its role should, from this machine, now.

    Decided by: all stages met, and the chain leads to a public root (or, for storage, bears
    Acronis' own marks). A fault that the error reports is then not there any more, or not here.
    Suspected where all that is known is that a port without TLS opens.
    Not to be confused with: "nothing was tested", which is undecided.
    """
    if not case.probes:
        return Finding(Standing.UNDECIDED, (unprobed(case),))
    healthy = are_healthy(case.probes)
    shown = tuple(e for p in case.probes for e in _shown(p))
    if healthy is False:
        return Finding(Standing.RULED_OUT, shown)
    unsent = any(
        p.endpoint.client_certificate and not (p.tls and p.tls.client_certificate_sent)
        for p in case.probes
    )
    # The error blames the client certificate and the probe had none to show: that stays open.
    suspects = {s for r in case.recognised for s in r.suspects}
    untested = unsent and not suspects.isdisjoint(_UNTESTED_CLIENT)
    # So it does where the error blames a proxy, and the probe went around it.
    untested = untested or blames_untested_proxy(case)
    # Healthy through a proxy that the agent may not know of, and not without it.
    untested = untested or (case.block is not None and any(map(_needs_proxy, case.probes)))
    if healthy is None or untested:
        expected = all(is_healthy(p) or opens(p) or _is_as_expected(p) for p in case.probes)
        told = Standing.UNDECIDED if untested or not expected else Standing.SUSPECTED
        return Finding(told, shown)
    if len({p.endpoint.key for p in case.probes}) < len(case.endpoints):
        return Finding(Standing.UNDECIDED, shown)
    return Finding(Standing.APPLIES, shown)


@case_rule(Category.NONE)
def no_failure(case: Case) -> Finding:
    """The text reports success: code 0, and nothing but that in the chain.

    Decided by: module 0 and code 0 in every frame; a zero below a real error says nothing.
    Not to be confused with: module 0 with another code, an error of Windows itself.
    """
    if case.block is None:
        return Finding(Standing.UNDECIDED, (Evidence("not_stated", "no-block", "case"),))
    shown = tuple(Evidence("error_code", f.name, str(f.at)) for f in case.block.frames)
    zero = all(f.packed == 0 for f in case.block.frames)
    return Finding(Standing.APPLIES if zero else Standing.RULED_OUT, shown)


RULES = (no_failure, endpoint_healthy)
