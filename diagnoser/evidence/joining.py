"""Which case a piece of evidence belongs to: joined by endpoint with the error it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnoser.evidence.agreement import agree, worth
from diagnoser.evidence.checkers import Check, endpoints_of, recognise_checks
from diagnoser.evidence.targets import UNKNOWN_HOST, UNKNOWN_PORT
from diagnoser.identifiers import name_matches
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED,
    ASSUMED_TIME,
    Case,
    Endpoint,
    Evidence,
    ProbeResult,
    Role,
    Skipped,
)


def join(
    cases: Sequence[Case],
    probes: Sequence[ProbeResult],
    checks: Sequence[Check] = (),
    moved: Sequence[bool] = (),
) -> tuple[Case, ...]:
    """``cases`` with every probe at the endpoint it is about; the rest become cases of their own.
    Several errors may name one endpoint: the probe is about each of them.

    Of probes that agree the one that saw most stands, and the others are listed as skipped; probes
    that contradict each other are all kept.

    ``moved`` tells for each of ``cases`` whether a connection checker says anything about it.
    Checks without such an error become one case with the endpoints they name, to be probed.
    """
    joined = list(cases)
    known = {e.key for e in endpoints_of(checks)}
    is_told = bool(checks) and not cases and all(p.endpoint.key in known for p in probes)
    if is_told:
        # What failed a test and what passed it are told together.
        joined.append(_of_checks(checks))
    for probe in probes:
        _place(joined, probe)
    for index, is_moved in enumerate(moved):
        rows = recognise_checks(_about(joined[index], checks)) if is_moved else ()
        if rows:
            # First, because the last row stands nearest to the root of the error.
            joined[index] = replace(joined[index], recognised=(*rows, *joined[index].recognised))
            is_told = True
    left = () if is_told else _left(joined, checks)
    # What failed is told by itself where no error speaks of it; what passed proves nothing.
    return tuple(joined) if all(c.passed for c in left) else (*joined, _of_checks(left))


def _place(cases: list[Case], probe: ProbeResult) -> None:
    """Puts ``probe`` at every endpoint of ``cases`` that it is about, or into a case of its own."""
    places = _places(cases, probe)
    if not places:
        cases.append(Case(block=None, endpoints=(probe.endpoint,), probes=(probe,)))
    for index, endpoint, certain in places:
        told = () if certain else (Evidence(ASSUMED, str(endpoint), _source(probe)),)
        facts = (*endpoint.derivation, *_reservations(probe), *told)
        own = replace(endpoint, derivation=facts)
        cases[index] = attach(cases[index], replace(probe, endpoint=own))


def _left(cases: Sequence[Case], checks: Sequence[Check]) -> Sequence[Check]:
    """The checks of endpoints that no observation of ``cases`` shows."""
    shown = {p.endpoint.key for c in cases for p in c.probes}
    return [c for c in checks if all(e.key not in shown for e in endpoints_of((c,)))]


def _of_checks(checks: Sequence[Check]) -> Case:
    """A case without an error: what was tested, and what failed as far as a test can tell."""
    failed = recognise_checks([c for c in checks if not c.passed])
    return Case(block=None, endpoints=endpoints_of(checks), recognised=failed)


def _reservations(probe: ProbeResult) -> tuple[Evidence, ...]:
    """What has to be known of evidence wherever it is joined."""
    return tuple(e for e in probe.endpoint.derivation if e.fact in (ASKED_NAME, ASSUMED_TIME))


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


def _places(cases: Sequence[Case], probe: ProbeResult) -> list[tuple[int, Endpoint, bool]]:
    """The cases, with the endpoint of each, that ``probe`` is about, and whether that is certain.

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
    named = {
        index: endpoint
        for index, endpoint in reversed(candidates)
        if (endpoint.host.lower() == own.host.lower() or endpoint.host in addresses)
        and own.port in (endpoint.port, UNKNOWN_PORT)
    }
    if named or own.host != UNKNOWN_HOST:
        return [(index, endpoint, True) for index, endpoint in sorted(named.items())]
    fitting = [(i, e) for i, e in candidates if _may_be(e, probe)]
    if len({e.key for _, e in fitting}) != 1:
        return []
    return [(i, e, _is_certainly(e, probe)) for i, e in dict(reversed(fitting)).items()]


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


def attach(case: Case, probe: ProbeResult) -> Case:
    """``case`` with one more observation: of two that agree the one that saw more stands, the other
    is listed; those that contradict each other are all kept."""
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
