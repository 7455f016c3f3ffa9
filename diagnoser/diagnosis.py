"""From error blocks to diagnoses: derive endpoints, probe each once, let every rule speak."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from diagnoser import catalog, probing
from diagnoser.endpoints import derive, recognise
from diagnoser.errors import UsageError
from diagnoser.evidence import Collected, attach, is_moved_by_checks, join
from diagnoser.grammar.identity import mask_text
from diagnoser.grammar.moments import in_order
from diagnoser.model import (
    Case,
    Category,
    Diagnosis,
    Endpoint,
    ErrorBlock,
    Evidence,
    Finding,
    Network,
    ProbeResult,
    Proxy,
    Role,
    Sighting,
    Skipped,
    Standing,
    Transport,
    Vantage,
    Verdict,
)
from diagnoser.rules import CAUSES, RULES, UNEXPLAINED

if TYPE_CHECKING:
    from diagnoser.probing import ClientCredentials, Trust

_NOTHING = Collected()


@dataclass(frozen=True, slots=True)
class Permission:
    """Which hosts may be connected to: those the catalogue knows, and those the user named.

    ``hosts`` holds ``host`` (any port) or ``host:port``, lower case.
    """

    hosts: frozenset[str] = frozenset()
    everything: bool = False

    def covers(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint`` may be probed. A log alone never widens this."""
        host = endpoint.host.lower()
        return (
            self.everything
            or catalog.is_catalogued(host, endpoint.port)
            or host in self.hosts
            or f"{host}:{endpoint.port}" in self.hosts
            or f"[{host}]:{endpoint.port}" in self.hosts
        )


@dataclass(frozen=True, slots=True)
class Inquiry:
    """How to probe; ``network`` is ``None`` for an offline run. ``timeout`` is seconds a stage.

    ``again`` probes also those endpoints of which there is evidence. ``looks_ahead`` asks what
    works once more, with the larger hello of newer agents.
    """

    network: Network | None
    trust: Trust | None
    vantage: Vantage
    permission: Permission = Permission()
    timeout: float = 5.0
    proxy: Proxy | None = None
    credentials: ClientCredentials | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    again: bool = False
    looks_ahead: bool = True


def open_case(error: ErrorBlock | Sighting) -> Case:
    """What can be said of an error before anything is probed."""
    sighting = error
    if isinstance(sighting, ErrorBlock):
        at = sighting.occurred_at
        sighting = Sighting(sighting, 1, at, at, ((at[:16], 1),) if at else ())
    block = sighting.block
    derivation = derive(block)
    return Case(
        block=block,
        endpoints=derivation.endpoints,
        recognised=recognise(block),
        skipped=derivation.refused,
        count=sighting.count,
        first_seen=sighting.first_seen,
        last_seen=sighting.last_seen,
        times=sighting.times,
        surroundings=sighting.surroundings,
    )


def group(cases: Iterable[Case]) -> tuple[Case, ...]:
    """The same error at the same endpoints is one case, counted; the first place stands."""
    found: dict[object, Case] = {}
    for case in cases:
        block = case.block
        if block is None:
            found[id(case)] = case
            continue
        key = (
            tuple(f.name for f in block.frames),
            tuple(e.key for e in case.endpoints),
            tuple(r.key for r in case.recognised),
            mask_text(block.root.message or ""),
        )
        known = found.get(key)
        found[key] = case if known is None else _joined(known, case)
    return tuple(found.values())


def _joined(known: Case, other: Case) -> Case:
    seen = (known.first_seen, known.last_seen, other.first_seen, other.last_seen)
    times = in_order(t for t in seen if t)
    minutes = dict(known.times)
    for at, count in other.times:
        minutes[at] = minutes.get(at, 0) + count
    return replace(
        known,
        count=known.count + other.count,
        first_seen=times[0] if times else None,
        last_seen=times[-1] if times else None,
        times=tuple(sorted(minutes.items())),
    )


def open_check(host: str, ports: Sequence[int], server_name: str | None) -> Case:
    """A case without an error: endpoints that the user named."""
    endpoints = []
    for port in ports:
        role, source = catalog.role_of(host, port)
        row = catalog.roles().get(role)
        known = catalog.port_row(port)
        tcp = known is not None and known.transport is Transport.TCP
        endpoints.append(
            Endpoint(
                host=host,
                port=port,
                role=role,
                server_name=server_name,
                client_certificate=row.client_certificate if row else False,
                transport=Transport.TCP if tcp else Transport.TLS,
                derivation=(
                    Evidence("asked_for", f"{host}:{port}", "command line"),
                    Evidence("role", role.value, f"catalogue: {source}"),
                ),
            )
        )
    return Case(block=None, endpoints=tuple(endpoints))


def ports_to_check(host: str) -> tuple[int, ...]:
    """The ports of the role that ``host`` has; raises ``UsageError`` where the name tells none."""
    role, _ = catalog.role_of(host, None)
    row = catalog.roles().get(role)
    if role is Role.UNKNOWN or row is None or not row.ports:
        raise UsageError(
            f"the role of {host!r} is not known, so neither are its ports",
            hint=f"name the port: diagnoser check {host}:443",
        )
    return row.ports


def investigate(cases: Sequence[Case], inquiry: Inquiry) -> tuple[Case, ...]:
    """Probe every permitted endpoint of all cases, each once; the rest is listed as skipped."""
    if inquiry.network is None or inquiry.trust is None:
        return tuple(cases)
    wanted = {
        e.key: e
        for c in cases
        for e in c.endpoints
        if inquiry.permission.covers(e) and (inquiry.again or e.key not in _seen(c))
    }
    found: dict[tuple[str, int, str | None], ProbeResult] = {}
    if wanted:
        visit = partial(
            probing.run,
            network=inquiry.network,
            trust=inquiry.trust,
            timeout=inquiry.timeout,
            proxy=inquiry.proxy,
            credentials=inquiry.credentials,
            vantage=inquiry.vantage.hostname,
            now=inquiry.now,
            looks_ahead=inquiry.looks_ahead,
        )
        results = visit(tuple(wanted.values()))
        results = probing.ask_alone(results, inquiry.network, visit, inquiry.timeout)
        found = {r.endpoint.key: r for r in results}
    return tuple(_with_probes(c, found) for c in cases)


def _seen(case: Case) -> set[tuple[str, int, str | None]]:
    """The endpoints of which evidence is there: what failed elsewhere need not fail here. Where it
    does not tell how the connection failed, a handshake does."""
    telling = (p for p in case.probes if not (p.asks_otherwise or p.is_unopened))
    return {p.endpoint.key for p in telling}


def _with_probes(case: Case, found: dict[tuple[str, int, str | None], ProbeResult]) -> Case:
    """What contradicts a live probe is kept beside it: it was seen elsewhere, or before."""
    seen = _seen(case)
    skipped = tuple(
        Skipped(
            str(e),
            "not an Acronis host of the catalogue, so it was not contacted "
            f"(allow it with --allow {e.host})",
        )
        for e in case.endpoints
        if e.key not in found and e.key not in seen
    )
    for endpoint in case.endpoints:
        if endpoint.key in found:
            case = attach(case, replace(found[endpoint.key], endpoint=endpoint))
    return replace(case, skipped=case.skipped + skipped)


def judge(case: Case) -> Diagnosis:
    """Every rule's verdict in rank order; ``unexplained`` speaks last, from the raw facts."""
    verdicts = [Verdict(r.id, r.category, r.decide(case)) for r in RULES]
    telling = (Standing.APPLIES, Standing.SUSPECTED)
    explained = any(v.finding.standing in telling for v in verdicts)
    standing = Standing.RULED_OUT if explained else Standing.APPLIES
    verdicts.append(Verdict(UNEXPLAINED, Category.UNKNOWN, Finding(standing, _raw_facts(case))))
    return Diagnosis(case, tuple(verdicts))


def _raw_facts(case: Case) -> tuple[Evidence, ...]:
    """What is known, unjudged: the chain of codes and how each stage of each probe ended."""
    found = []
    if case.block is not None:
        found += [
            Evidence("error_code", f"{f.name} {f.message or ''}".strip(), str(f.at))
            for f in case.block.frames
        ]
    for probe in case.probes:
        found += [
            Evidence("condition", s.condition.value, f"{probe.endpoint} {s.stage.value}")
            for s in probe.stages
        ]
    return tuple(found)


def diagnose(
    errors: Iterable[ErrorBlock | Sighting], inquiry: Inquiry, collected: Collected = _NOTHING
) -> tuple[Diagnosis, ...]:
    """The whole way from parsed errors to judged cases, in the order of the input.

    ``collected`` is joined to the errors it explains; cases of saved reports are judged as they
    are, nothing of them is probed again.
    """
    cases = group(open_case(e) for e in errors)
    moved = [is_moved_by_checks(c, CAUSES, is_only=len(cases) == 1) for c in cases]
    joined = join(cases, collected.probes, collected.checks, moved)
    return tuple(judge(c) for c in (*investigate(joined, inquiry), *collected.cases))
