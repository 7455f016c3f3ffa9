"""``check --data-center``: every endpoint an agent needs there, as far as the catalogue knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.diagnosis import open_check
from diagnoser.errors import UsageError
from diagnoser.model import Case, Condition, Evidence, ProbeResult, Role, Skipped, Stage

_NAME = pattern(r"[a-z]{2,8}[0-9]{0,3}")
_GUESSED = "data_center_guessed"


def open_data_center(name: str) -> tuple[Case, ...]:
    """A case for each host that an agent of this data centre needs.

    Names that were seen stand instead of guesses of the same role; what is guessed is marked so in
    its derivation. Raises ``UsageError`` where ``name`` cannot be that of a data centre.
    """
    place = name.strip().lower()
    if not _NAME.fullmatch(place):
        raise UsageError(
            f"{name!r} is not the name of a data centre",
            hint="it stands in the address of the console: eu2 in https://eu2-cloud.acronis.com",
        )
    found: dict[str, Case] = {}
    for host, ports, fact, source in _hosts(place):
        told = Evidence(fact, place, f"catalogue: {source}")
        case = open_check(host, ports, host)
        endpoints = (replace(e, derivation=(told, *e.derivation[1:])) for e in case.endpoints)
        found.setdefault(host, replace(case, endpoints=tuple(endpoints)))
    return tuple(found.values())


def _hosts(place: str) -> Iterator[tuple[str, tuple[int, ...], str, str]]:
    known = next((r for r in catalog.data_centers() if r.id == place), None)
    seen: dict[Role, list[str]] = {}
    for host in known.hosts if known else ():
        seen.setdefault(catalog.role_of(host, None)[0], []).append(host)
    for service in catalog.services():
        host = service.host.format(dc=place)
        names = seen.get(catalog.role_of(host, None)[0], []) if not service.proven else []
        if known is not None and names:
            yield from ((n, service.ports, "data_center", known.source) for n in names)
        else:
            fact = "data_center" if service.proven else _GUESSED
            yield host, service.ports, fact, service.source


def leave_out_guesses(cases: Sequence[Case]) -> tuple[tuple[Case, ...], tuple[Skipped, ...]]:
    """Without those guessed names that do not exist; they are listed, and no fault of anybody.

    A resolver that finds no name of the place at all says nothing of a guess: then all are kept.
    """
    everywhere = {s.host for s in catalog.services() if "{dc}" not in s.host}
    found = {
        _place(p)
        for c in cases
        for p in c.probes
        if p.endpoint.host not in everywhere and p.stage(Stage.RESOLVE).condition is Condition.MET
    }
    kept, left = [], []
    for case in cases:
        refuted = case.probes and all(map(_is_guess_refuted, case.probes))
        if refuted and _place(case.probes[0]) in found:
            host = case.endpoints[0].host
            left.append(Skipped(host, "there is no such name; the catalogue only guessed it"))
        else:
            kept.append(case)
    return tuple(kept), tuple(left)


def _place(probe: ProbeResult) -> str | None:
    """The data centre that an endpoint was looked up for; ``None`` if the user named it."""
    told = (e.value for e in probe.endpoint.derivation if e.fact in ("data_center", _GUESSED))
    return next(told, None)


def _is_guess_refuted(probe: ProbeResult) -> bool:
    guessed = any(e.fact == _GUESSED for e in probe.endpoint.derivation)
    return guessed and probe.stage(Stage.RESOLVE).condition is Condition.NAME_NOT_FOUND
