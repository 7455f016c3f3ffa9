"""Can the host be found and its port be opened? Decided by how the first two stages ended.

Only suspected where the error shows that the agent took another way or got further.
"""

from __future__ import annotations

import ipaddress

from diagnoser import catalog
from diagnoser.model import (
    Category,
    Condition,
    Control,
    Evidence,
    Finding,
    ProbeResult,
    Role,
    Stage,
    Standing,
)
from diagnoser.reasoning import (
    as_the_agent_saw_it,
    by_condition,
    fact,
    lacks_port,
    met_facts,
    probe_rule,
)
from diagnoser.scrutiny import scrutinise

# RFC 1918, RFC 6598 (carrier-grade NAT), RFC 3927, RFC 4193, RFC 4291 section 2.5.6.
_PRIVATE = tuple(
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
_AT_ONCE = 0.5
# EPERM, EACCES and EINVAL of Linux and macOS, as a saved report keeps them; WSAEACCES, and the
# ERROR_ACCESS_DENIED that Windows gives in its place (as an errno, 5 says nothing of a network).
_FORBIDDEN_HERE = (1, 13, 22, 10013, 5)


def _behind_proxy(probe: ProbeResult, stage: Stage) -> Finding | None:
    """With a proxy the first stages tell of the proxy; the tunnel tells of the host."""
    if probe.proxy is None:
        return None
    if probe.stage(Stage.TUNNEL).condition is Condition.MET:
        return Finding(Standing.RULED_OUT, met_facts(probe, Stage.TUNNEL))
    return Finding(Standing.UNDECIDED, (fact(probe, stage, "proxy", probe.proxy),))


def _unopened(probe: ProbeResult) -> Finding | None:
    """That no connection opened is told, and not whether it was refused or met silence."""
    if not probe.is_unopened:
        return None
    shown = (*met_facts(probe, Stage.CONNECT), fact(probe, Stage.CONNECT, "unopened", "yes"))
    return Finding(Standing.SUSPECTED, shown)


def _addresses(probe: ProbeResult) -> tuple[Evidence, ...]:
    return tuple(
        fact(probe, Stage.CONNECT, "address", f"{a.address} {a.condition.value}")
        for a in probe.addresses
    )


@as_the_agent_saw_it
@probe_rule(Category.DNS)
def name_not_found(probe: ProbeResult) -> Finding:
    """The host name does not exist, or has no address, for this machine's resolver.

    Decided by: the resolver's own code (EAI_NONAME or EAI_NODATA, RFC 3493 section 6.1).
    Not to be confused with: a resolver that gives no answer, which is ``name-lookup-failed``.
    """
    return _behind_proxy(probe, Stage.RESOLVE) or by_condition(
        probe, Stage.RESOLVE, Condition.NAME_NOT_FOUND
    )


@as_the_agent_saw_it
@probe_rule(Category.DNS)
def name_lookup_failed(probe: ProbeResult) -> Finding:
    """The resolver gave no usable answer: it failed, refused, or stayed silent.

    Decided by: EAI_AGAIN or EAI_FAIL, or no answer within the time limit.
    Not to be confused with: an answer that the name does not exist, ``name-not-found``.
    """
    if found := _behind_proxy(probe, Stage.RESOLVE):
        return found
    found = by_condition(probe, Stage.RESOLVE, Condition.NAME_LOOKUP_FAILED)
    seconds = probe.stage(Stage.RESOLVE).seconds
    if found.standing is not Standing.APPLIES or seconds is None:
        return found
    # Both give EAI_AGAIN; a resolver that answers SERVFAIL does so at once (measured).
    how = "resolver-answers-failure" if seconds < _AT_ONCE else "resolver-is-silent"
    return Finding(Standing.APPLIES, (*found.evidence, fact(probe, Stage.RESOLVE, "resolver", how)))


def _kind(address: str) -> str:
    """Where an address can be: ``loopback`` (or nowhere), ``private``, or ``public``."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        # A redacted report hides the address and keeps its kind.
        return "private" if address.startswith("private-addr-") else "public"
    if found.is_loopback or found.is_unspecified:
        return "loopback"
    inside = any(found in n for n in _PRIVATE if n.version == found.version)
    return "private" if inside else "public"


def _is_another(probe: ProbeResult) -> bool:
    """What answers is not the service that was asked for: not TLS, or certified as another."""
    if probe.stage(Stage.HANDSHAKE).condition is Condition.NOT_TLS:
        return True
    seen = scrutinise(probe)
    storage = probe.endpoint.role is Role.STORAGE
    return seen is not None and seen.is_named_right is False and not storage


@probe_rule(Category.DNS)
def name_redirected(probe: ProbeResult) -> Finding:
    """The name leads to this machine, into the own network, or where the hosts file says.

    Decided by: a public Acronis name whose addresses are loopback or unspecified, or that the hosts
    file maps to such or to a private address; a resolver that gives the same address for a name
    that cannot exist, as a captive portal's does; private addresses where something else answers,
    without TLS or with a certificate for another name. Suspected with other private answers of the
    resolver and with a public address in the hosts file; ruled out where the genuine service
    answers there.
    Not to be confused with: a name that has no address at all, ``name-not-found``.
    """
    lookup = probe.lookup
    if lookup is None or not catalog.in_domain(probe.endpoint.host):
        standing = Standing.UNDECIDED if lookup is None else Standing.RULED_OUT
        return Finding(standing, met_facts(probe, Stage.RESOLVE))
    shown = (
        fact(probe, Stage.RESOLVE, "host", probe.endpoint.host),
        fact(probe, Stage.RESOLVE, "port", probe.endpoint.port),
        fact(probe, Stage.RESOLVE, "address", ", ".join(lookup.addresses)),
        *(fact(probe, Stage.RESOLVE, "hosts_file", a) for a in lookup.hosts_file),
    )
    kinds = {_kind(a) for a in lookup.addresses}
    seen = scrutinise(probe)
    genuine = seen is not None and seen.is_genuine
    hijacked = sorted({*lookup.addresses} & {*(lookup.nonsense or ())})
    if hijacked:
        told = ", ".join(hijacked)
        shown = (*shown, fact(probe, Stage.RESOLVE, "same_answer_for_nonsense", told))
    if genuine or not (lookup.hosts_file or hijacked or kinds - {"public"}):
        return Finding(Standing.RULED_OUT, shown)
    inward = any(_kind(a) != "public" for a in lookup.hosts_file)
    inside = "public" not in kinds and _is_another(probe)
    certain = inward or inside or kinds == {"loopback"} or bool(hijacked)
    return Finding(Standing.APPLIES if certain else Standing.SUSPECTED, shown)


@as_the_agent_saw_it
@probe_rule(Category.CLOSED_PORT)
def network_unreachable(probe: ProbeResult) -> Finding:
    """No route leads to any address of the host, or a router on the way refuses to carry it.

    Decided by: ENETUNREACH or EHOSTUNREACH on every address (ICMP destination unreachable,
    RFC 792; a firewall that rejects with ICMP gives the same number); or this machine refuses it
    before a packet leaves (EACCES, EPERM, a black hole's EINVAL, ip-route(8); Winsock's 10013).
    Undecided where this machine has no port of its own left for a connection (EADDRNOTAVAIL).
    Not to be confused with: silence, which is ``port-filtered``.
    """
    found = _behind_proxy(probe, Stage.CONNECT) or by_condition(
        probe, Stage.CONNECT, Condition.NETWORK_UNREACHABLE
    )
    shown = found.evidence + _addresses(probe)
    if probe.proxy is None and lacks_port(probe):
        shown = (*shown, fact(probe, Stage.CONNECT, "refused_by", "no-free-port"))
        return Finding(Standing.UNDECIDED, shown)
    if found.standing is Standing.APPLIES and probe.addresses:
        if all(":" in a.address for a in probe.addresses):
            shown = (*shown, fact(probe, Stage.CONNECT, "only_addresses", "IPv6"))
        if all(a.error in _FORBIDDEN_HERE for a in probe.addresses):
            shown = (*shown, fact(probe, Stage.CONNECT, "refused_by", "this-machine"))
    return Finding(found.standing, shown)


@as_the_agent_saw_it
@probe_rule(Category.CLOSED_PORT)
def port_closed(probe: ProbeResult) -> Finding:
    """The connection attempt was answered with a refusal.

    Decided by: ECONNREFUSED, the RST that answers our SYN (RFC 9293 section 3.5.2). A firewall
    that rejects with a reset looks the same from here; either way the port is not open. Suspected
    where evidence shows that no connection opened, and not how it failed; undecided where another
    endpoint that had opened is shut as well by then, as by a limit on connections.
    Not to be confused with: a port that says nothing at all, ``port-filtered``.
    """
    found = (
        _behind_proxy(probe, Stage.CONNECT)
        or _unopened(probe)
        or by_condition(probe, Stage.CONNECT, Condition.CONNECTION_REFUSED)
    )
    return _unless_shut_out(probe, Finding(found.standing, found.evidence + _addresses(probe)))


@as_the_agent_saw_it
@probe_rule(Category.CLOSED_PORT)
def port_filtered(probe: ProbeResult) -> Finding:
    """Nothing answered the connection attempt: no acceptance, no refusal.

    Decided by: no answer to the SYN within the time limit, or ETIMEDOUT, on every address. Whether
    another port of the same address answers tells a filter of this port from a silent host.
    Suspected where evidence shows that no connection opened, and not how it failed; undecided where
    another endpoint that had opened is silent as well by then: this machine has been shut out.
    Not to be confused with: a refusal, ``port-closed``; a host that is down is silent as well.
    """
    found = (
        _behind_proxy(probe, Stage.CONNECT)
        or _unopened(probe)
        or by_condition(probe, Stage.CONNECT, Condition.CONNECTION_TIMED_OUT)
    )
    shown = found.evidence + _addresses(probe) + _other_ports(probe)
    return _unless_shut_out(probe, Finding(found.standing, shown))


def _unless_shut_out(probe: ProbeResult, found: Finding) -> Finding:
    """What had opened in the same round does so no more: then nothing is known of this port."""
    control = probe.control(Control.SHUT_OUT)
    if control is None or found.standing is not Standing.APPLIES:
        return found
    shown = fact(probe, Stage.CONNECT, "shut_out", f"{control.question} {control.condition.value}")
    return Finding(Standing.UNDECIDED, (*found.evidence, shown))


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


RULES = (
    name_not_found,
    name_lookup_failed,
    name_redirected,
    network_unreachable,
    port_closed,
    port_filtered,
)
