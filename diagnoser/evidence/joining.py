"""Which case a piece of evidence belongs to: joined by endpoint with the error it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnoser.evidence.agreement import agree, worth
from diagnoser.evidence.checkers import Check, endpoints_of, recognise_checks
from diagnoser.evidence.transcripts import UNKNOWN_HOST, UNKNOWN_PORT
from diagnoser.identifiers import name_matches
from diagnoser.model import ASSUMED, Case, Endpoint, Evidence, ProbeResult, Role, Skipped


def join(
    cases: Sequence[Case],
    probes: Sequence[ProbeResult],
    checks: Sequence[Check] = (),
    moved: Sequence[bool] = (),
) -> tuple[Case, ...]:
    """``cases`` with every probe at the endpoint it is about; the rest become cases of their own.

    Of probes that agree the one that saw most stands, and the others are listed as skipped; probes
    that contradict each other are all kept.

    ``moved`` tells for each case whether a connection checker says anything about it. Checks
    without such an error become one case with the endpoints they name, to be probed.
    """
    joined = list(cases)
    for probe in probes:
        place = _place(joined, probe)
        if place is None:
            joined.append(Case(block=None, endpoints=(probe.endpoint,), probes=(probe,)))
            continue
        index, endpoint, certain = place
        if not certain:
            told = Evidence(ASSUMED, str(endpoint), _source(probe))
            endpoint = replace(endpoint, derivation=(*endpoint.derivation, told))
        joined[index] = _with_probe(joined[index], replace(probe, endpoint=endpoint))
    is_told = False
    for index, is_moved in enumerate(moved):
        rows = recognise_checks(_about(joined[index], checks)) if is_moved else ()
        if rows:
            # First, because the last row stands nearest to the root of the error.
            joined[index] = replace(joined[index], recognised=(*rows, *joined[index].recognised))
            is_told = True
    if checks and not is_told and (not joined or not all(c.passed for c in checks)):
        # What failed is told by itself where no error speaks of it; what passed proves nothing.
        joined.append(Case(block=None, endpoints=endpoints_of(checks)))
    return tuple(joined)


def _about(case: Case, checks: Sequence[Check]) -> Sequence[Check]:
    """The checks that say something about ``case``: all that passed, or what failed at its port.

    Where the error itself shows that a connection stood, none that failed: it was another one.
    """
    failed = [c for c in checks if not c.passed]
    if not failed:
        return checks
    places = {e.host.lower() for e in case.endpoints} | {e.port for e in case.endpoints}
    near = [c for c in failed if not places or not places.isdisjoint({c.host, c.port})]
    suspects = {s for r in case.recognised for s in r.suspects}
    named = {s for r in recognise_checks(near) for s in r.suspects}
    return () if suspects and suspects.isdisjoint(named) else near


def _source(probe: ProbeResult) -> str:
    """The file that a probe was read from."""
    facts = ("transcript_target", "capture_target")
    named = (e.origin for e in probe.endpoint.derivation if e.fact in facts)
    return next(named, probe.vantage)


def _place(cases: Sequence[Case], probe: ProbeResult) -> tuple[int, Endpoint, bool] | None:
    """The case and the endpoint of it that ``probe`` is about, and whether that is certain.

    By host and port; by address, where the error named one; and where the evidence does not know
    its host, only if there is no choice: then it is certain where the certificate or the role
    speaks for it, else assumed.
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
            return index, endpoint, True
    if own.host != UNKNOWN_HOST:
        return None
    fitting = {e.key: (i, e) for i, e in reversed(candidates) if _may_be(e, probe)}
    if len(fitting) != 1:
        return None
    ((index, endpoint),) = fitting.values()
    return index, endpoint, _is_certainly(endpoint, probe)


def _is_certainly(endpoint: Endpoint, probe: ProbeResult) -> bool:
    """Something of evidence without a host is about ``endpoint`` and hardly any other."""
    if probe.endpoint.role is not Role.UNKNOWN:
        return True
    leaf = probe.tls.end_entity if probe.tls else None
    name = endpoint.server_name
    return leaf is not None and name is not None and name_matches(name, leaf)


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
    same = [p for p in case.probes if p.endpoint.key == probe.endpoint.key and agree(p, probe)]
    if not same:
        return replace(case, probes=(*case.probes, probe))
    # What was cut short agrees with two that contradict each other: it stands for one of them only.
    known = max(same, key=worth)
    best, rest = (probe, known) if worth(probe) > worth(known) else (known, probe)
    reason = f"another observation agrees and shows as much: {rest.vantage}"
    kept = tuple(best if p is known else p for p in case.probes)
    skipped = dict.fromkeys((*case.skipped, Skipped(str(rest.endpoint), reason)))
    return replace(case, probes=kept, skipped=tuple(skipped))
