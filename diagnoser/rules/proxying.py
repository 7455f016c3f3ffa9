"""Does the configured proxy let the connection through? Only a probe that used one can tell."""

from __future__ import annotations

from diagnoser.model import Category, Condition, Finding, ProbeResult, Stage, Standing
from diagnoser.reasoning import by_condition, fact, met_facts, probe_rule

_OWN_FAILURES = (502, 503, 504)


def _without_proxy(probe: ProbeResult) -> Finding | None:
    if probe.proxy is None:
        return Finding(Standing.UNDECIDED, (fact(probe, Stage.TUNNEL, "proxy", "none"),))
    return None


@probe_rule(Category.PROXY)
def proxy_unreachable(probe: ProbeResult) -> Finding:
    """The proxy itself cannot be found or reached.

    Decided by: a proxy is configured and the stage that resolves or opens it failed.
    Not to be confused with: a proxy that answers and refuses, ``proxy-refused``.
    """
    if found := _without_proxy(probe):
        return found
    proxy = fact(probe, Stage.CONNECT, "proxy", probe.proxy)
    for stage in (Stage.RESOLVE, Stage.CONNECT):
        if probe.stage(stage).condition not in (Condition.MET, Condition.NOT_REACHED):
            return Finding(Standing.APPLIES, (proxy, *met_facts(probe, stage)))
    return Finding(Standing.RULED_OUT, (proxy, *met_facts(probe, Stage.CONNECT)))


@probe_rule(Category.PROXY)
def proxy_authentication_required(probe: ProbeResult) -> Finding:
    """The proxy wants a login before it opens a tunnel.

    Decided by: status 407 to CONNECT (RFC 9110 section 15.5.8).
    Not to be confused with: a refusal of this host or port, ``proxy-refused``.
    """
    if found := _without_proxy(probe):
        return found
    proxy = fact(probe, Stage.TUNNEL, "proxy", probe.proxy)
    found = by_condition(probe, Stage.TUNNEL, Condition.PROXY_AUTHENTICATION_REQUIRED)
    return Finding(found.standing, (proxy, *found.evidence))


@probe_rule(Category.PROXY)
def proxy_refused(probe: ProbeResult) -> Finding:
    """The proxy answers, and refuses to open a tunnel to this host or port.

    Decided by: a status other than 2xx and 407 to CONNECT (RFC 9110 section 9.3.6). Many proxies
    allow CONNECT to port 443 only, so that 8443 and 44445 fail while 443 works.
    Not to be confused with: a missing login, ``proxy-authentication-required``.
    """
    if found := _without_proxy(probe):
        return found
    proxy = fact(probe, Stage.TUNNEL, "proxy", probe.proxy)
    found = by_condition(
        probe,
        Stage.TUNNEL,
        Condition.TUNNEL_REFUSED,
        Condition.CONNECTION_CLOSED,
        Condition.CONNECTION_RESET,
        Condition.CONNECTION_TIMED_OUT,
    )
    shown = (proxy, *found.evidence)
    if probe.stage(Stage.TUNNEL).error in _OWN_FAILURES:
        # The proxy was willing and got no further itself (RFC 9110 section 15.6).
        return Finding(Standing.SUSPECTED, shown)
    return Finding(found.standing, shown)


RULES = (proxy_unreachable, proxy_authentication_required, proxy_refused)
