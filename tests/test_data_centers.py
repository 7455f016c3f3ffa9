"""Which guessed names of a data centre are left out: only where a name of that place resolves."""

from __future__ import annotations

from dataclasses import replace

from casebook import make_case

from diagnoser.cli.data_centers import leave_out_guesses, open_data_center
from diagnoser.model import Case

NOT_FOUND = {"stages": {"resolve": ["name-not-found", -2]}}


def probed(case: Case, *, resolves: bool) -> Case:
    shown = {"like": "genuine"} if resolves else NOT_FOUND
    probes = (
        replace(make_case({**shown, "endpoint": str(e)}).probes[0], endpoint=e)
        for e in case.endpoints
    )
    return replace(case, probes=tuple(probes))


def left_out(*resolving: str) -> set[str]:
    cases = open_data_center("eu2")
    hosts = {c.endpoints[0].host for c in cases}
    assert {"rs-eu2-cloud.acronis.com", *resolving} <= hosts
    kept, left = leave_out_guesses(
        [probed(c, resolves=c.endpoints[0].host in resolving) for c in cases]
    )
    gone = {s.source for s in left}
    assert {c.endpoints[0].host for c in kept} == hosts - gone
    return gone


def test_a_guess_is_left_out_where_another_name_of_the_place_resolves() -> None:
    assert left_out("eu2-cloud.acronis.com") == {"rs-eu2-cloud.acronis.com"}


def test_a_resolver_that_finds_nothing_refutes_no_guess() -> None:
    assert left_out() == set()


def test_a_name_of_no_place_says_nothing_of_one() -> None:
    assert left_out("cloud.acronis.com", "dl.managed-protection.com") == set()
