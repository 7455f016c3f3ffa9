"""Which case a piece of evidence belongs to: joined by endpoint with the error it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnoser.evidence.checkers import Check, endpoints_of, recognise_checks
from diagnoser.evidence.transcripts import UNKNOWN_HOST, UNKNOWN_PORT
from diagnoser.identifiers import name_matches
from diagnoser.model import Case, Condition, Endpoint, Origin, ProbeResult, Role, Stage

# Of two observations of one endpoint the one that saw more of it stands; live beats hearsay.
_ORIGINS = (Origin.LIVE, Origin.TRANSCRIPT, Origin.CAPTURE)


def join(
    cases: Sequence[Case],
    probes: Sequence[ProbeResult],
    checks: Sequence[Check] = (),
    moved: Sequence[bool] = (),
) -> tuple[Case, ...]:
    """``cases`` with every probe at the endpoint it is about; the rest become cases of their own.

    ``moved`` tells for each case whether a connection checker says anything about it. Checks
    without an error become one case with the endpoints they name, to be probed.
    """
    joined = list(cases)
    for probe in probes:
        place = _place(joined, probe)
        if place is None:
            joined.append(Case(block=None, endpoints=(probe.endpoint,), probes=(probe,)))
            continue
        index, endpoint = place
        joined[index] = _with_probe(joined[index], replace(probe, endpoint=endpoint))
    recognised = recognise_checks(checks)
    if recognised and any(moved):
        for index, is_moved in enumerate(moved):
            if is_moved:
                # First, because the last row stands nearest to the root of the error.
                known = (*recognised, *joined[index].recognised)
                joined[index] = replace(joined[index], recognised=known)
    elif checks and not joined:
        joined.append(Case(block=None, endpoints=endpoints_of(checks)))
    return tuple(joined)


def _place(cases: Sequence[Case], probe: ProbeResult) -> tuple[int, Endpoint] | None:
    """The case and the endpoint of it that ``probe`` is about.

    By host and port; by address, where the error named one; and where the evidence does not know
    its host, only if there is no choice.
    """
    own = probe.endpoint
    addresses = {a.address for a in probe.addresses}
    # Two observations of nobody knows whom are not of the same.
    candidates = [
        (i, e) for i, c in enumerate(cases) for e in c.endpoints if e.host != UNKNOWN_HOST
    ]
    for index, endpoint in candidates:
        same = endpoint.host.lower() == own.host.lower() or endpoint.host in addresses
        if same and own.port in (endpoint.port, UNKNOWN_PORT):
            return index, endpoint
    if own.host != UNKNOWN_HOST:
        return None
    fitting = {e.key: (i, e) for i, e in reversed(candidates) if _may_be(e, probe)}
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _may_be(endpoint: Endpoint, probe: ProbeResult) -> bool:
    """Whether evidence without a host can be about ``endpoint``."""
    if probe.endpoint.port not in (endpoint.port, UNKNOWN_PORT):
        return False
    if probe.endpoint.role is not Role.UNKNOWN:
        return endpoint.role is probe.endpoint.role
    leaf = probe.tls.end_entity if probe.tls else None
    if leaf is None or endpoint.server_name is None:
        return True
    # A device answers under its own name: only somebody else's name speaks against it.
    return name_matches(endpoint.server_name, leaf) or leaf.is_self_issued


def _with_probe(case: Case, probe: ProbeResult) -> Case:
    known = [p for p in case.probes if p.endpoint.key == probe.endpoint.key]
    if known and _worth(known[0]) >= _worth(probe):
        return case
    kept = tuple(p for p in case.probes if p.endpoint.key != probe.endpoint.key)
    return replace(case, probes=(*kept, probe))


def _worth(probe: ProbeResult) -> tuple[int, int, int]:
    """How much of an endpoint a probe has seen: a certificate first, then how far it came."""
    chain = 1 if probe.tls is not None and probe.tls.received_chain else 0
    unread = (Condition.NOT_REACHED, Condition.UNCLASSIFIED)
    known = sum(probe.stage(s).condition not in unread for s in Stage)
    return chain, known, -_ORIGINS.index(probe.origin)
