"""Does the configured proxy let the connection through? Only a probe that used one can tell."""

from __future__ import annotations

from diagnoser.model import (
    Case,
    Category,
    Condition,
    Control,
    Evidence,
    Finding,
    ProbeResult,
    Stage,
    Standing,
)
from diagnoser.reasoning import (
    by_condition,
    case_rule,
    fact,
    lacks_port,
    met_facts,
    probe_rule,
    unprobed,
)

# Squid 5 answers 500 where the name cannot be resolved, older ones 503 (measured). Of SOCKS: no
# network, no host, refused there, TTL expired, and failures of any kind (RFC 1928 section 6).
_OWN_FAILURES = (500, 502, 503, 504, 1, 3, 4, 5, 6, 91)
# What an agent that does not know of the proxy would report.
_NO_WAY_OUT = (
    "port-closed",
    "port-filtered",
    "network-unreachable",
    "name-not-found",
    "name-lookup-failed",
)


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
    if lacks_port(probe):
        shown = fact(probe, Stage.CONNECT, "refused_by", "no-free-port")
        return Finding(Standing.UNDECIDED, (proxy, *met_facts(probe, Stage.CONNECT), shown))
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

    Decided by: a status other than 2xx and 407 to CONNECT (RFC 9110 section 9.3.6), no answer, or
    one that is no HTTP; of a SOCKS proxy any reply but success. Many proxies allow CONNECT to port
    443 only, so that 8443 and 44445 fail while 443 works. Suspected with 500 and 502 to 504, and
    with such replies of SOCKS, where the proxy got no further itself.
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


@case_rule(Category.PROXY)
def proxy_not_used(case: Case) -> Finding:
    """From this machine the endpoint opens only through a proxy of which the agent knows nothing.

    Decided by: the tunnel through the proxy of the environment stands, a direct connection does
    not come about, and the agent's own settings on this machine name no proxy. It applies where
    the error, too, speaks of a connection or a name that failed; else it is suspected.
    Not to be confused with: a proxy that is set and does not let through, ``proxy-refused``.
    """
    if not case.probes:
        return Finding(Standing.UNDECIDED, (unprobed(case),))
    closed = [p for p in case.probes if _opens_through_proxy_only(p)]
    if not closed:
        known = [c for p in case.probes if (c := p.control(Control.DIRECT))]
        standing = Standing.RULED_OUT if known else Standing.UNDECIDED
        return Finding(standing, tuple(e for p in case.probes for e in _ways(p)))
    blamed = {s for r in case.recognised for s in r.suspects}
    standing = Standing.SUSPECTED if blamed.isdisjoint(_NO_WAY_OUT) else Standing.APPLIES
    return Finding(standing, tuple(e for p in closed for e in _ways(p)))


def _opens_through_proxy_only(probe: ProbeResult) -> bool:
    direct = probe.control(Control.DIRECT)
    tunnelled = probe.stage(Stage.TUNNEL).condition is Condition.MET
    return direct is not None and tunnelled and direct.condition is not Condition.MET


def _ways(probe: ProbeResult) -> tuple[Evidence, ...]:
    direct = probe.control(Control.DIRECT)
    shown = (
        fact(probe, Stage.TUNNEL, "host", probe.endpoint.host),
        fact(probe, Stage.TUNNEL, "port", probe.endpoint.port),
        fact(probe, Stage.TUNNEL, "proxy", probe.proxy or "none"),
    )
    if direct is None:
        return shown
    return (*shown, fact(probe, Stage.CONNECT, "direct", direct.condition.value))


RULES = (proxy_unreachable, proxy_authentication_required, proxy_refused, proxy_not_used)
