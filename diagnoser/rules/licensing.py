"""Licence synchronisation and account trouble: an answer of the service, not a failed handshake.

What remains when the management endpoints are reached, genuine and healthy, and the error speaks
of licences. With a failed handshake that failure is the cause, and licence sync only its symptom.
"""

from __future__ import annotations

from diagnoser.health import are_healthy, is_healthy
from diagnoser.model import Case, Category, Evidence, Finding, Role, Standing, Symptom
from diagnoser.reasoning import (
    blames_untested_proxy,
    case_rule,
    evidence_of,
    of_root,
    states_alone,
    suspicions,
)

_MANAGEMENT_PORTS = frozenset({443, 8443})


def _unstated(case: Case) -> Finding | None:
    """What no error says cannot be ruled out by it."""
    if case.block is not None and case.recognised:
        return None
    reason = "no-block" if case.block is None else "no-row"
    return Finding(Standing.UNDECIDED, (Evidence("not_stated", reason, "case"),))


def _proof(case: Case) -> tuple[Evidence, ...]:
    return tuple(
        Evidence("healthy_endpoint", f"{p.endpoint}", f"{p.endpoint} verify")
        for p in case.probes
        if is_healthy(p)
    )


def _tested_whole(case: Case) -> bool:
    """Both management ports of some host were tested, or the account service was."""
    tested: dict[str, set[int]] = {}
    for probe in case.probes:
        tested.setdefault(probe.endpoint.host, set()).add(probe.endpoint.port)
    accounts = any(p.endpoint.role is Role.ACCOUNT for p in case.probes)
    return accounts or any(ports >= _MANAGEMENT_PORTS for ports in tested.values())


def _is_settled(case: Case) -> bool:
    """Whether the error itself says at its root that it is the licences.

    A root that speaks of something else (an account, a full disk, a connection that failed when
    the agent made it) is another reason, however well all is found from here.
    """
    return any("licence-out-of-sync" in r.suspects for r in of_root(case))


@case_rule(Category.LICENCE_SYNC)
def licence_out_of_sync(case: Case) -> Finding:
    """Licences are out of sync with the Acronis account, and the network is not the reason.

    Decided by: the error speaks of licences, and the management endpoints (443 and 8443, KB 70285)
    are reached, genuine and healthy from here. If one of them fails, that failure is the cause.
    Undecided where the error blames a proxy that no probe went through; suspected where the root
    of the chain is not known or speaks of something else.
    Not to be confused with: wrong credentials, ``account-refused``; a service that is switched
    off, ``service-disabled``.
    """
    if found := _unstated(case):
        return found
    named = suspicions(case, "licence-out-of-sync")
    if not named:
        return Finding(Standing.RULED_OUT, evidence_of(case.recognised))
    shown = evidence_of(named)
    if not case.probes:
        return Finding(Standing.SUSPECTED, shown)
    healthy = are_healthy(case.probes)
    if healthy is False:
        return Finding(Standing.UNDECIDED, shown)
    if blames_untested_proxy(case):
        return Finding(Standing.UNDECIDED, shown)
    if not healthy:
        return Finding(Standing.SUSPECTED, shown)
    # A message that names the synchronisation of licences says so itself, whatever its wording.
    spoken = any(r.proven or r.symptom is Symptom.LICENCE_SYNC for r in named)
    certain = _tested_whole(case) and spoken and _is_settled(case)
    standing = Standing.APPLIES if certain else Standing.SUSPECTED
    return Finding(standing, shown + _proof(case))


def _answered(case: Case, rule: str) -> Finding:
    """The service's own words: they prove that it was reached when it said them."""
    if found := _unstated(case):
        return found
    named = suspicions(case, rule)
    if not named:
        return Finding(Standing.RULED_OUT, evidence_of(case.recognised))
    # From an endpoint that is not proven genuine the answer of somebody else would look the same.
    genuine = not case.probes or are_healthy(case.probes)
    certain = states_alone(case, rule) and genuine
    return Finding(Standing.APPLIES if certain else Standing.SUSPECTED, evidence_of(named))


@case_rule(Category.LICENCE_SYNC)
def account_refused(case: Case) -> Finding:
    """The service answered and refused the account: credentials, second factor, wrong account kind.

    Decided by: the code of the service's own answer (100/2, code 1037 of KB 65089).
    Not to be confused with: a proxy that wants a login, ``proxy-authentication-required``.
    """
    return _answered(case, "account-refused")


@case_rule(Category.LICENCE_SYNC)
def service_disabled(case: Case) -> Finding:
    """The service answered that a service or quota is not available to this account.

    Decided by: the code of the service's own answer (657/30: the cloud storage is disabled).
    Not to be confused with: licences that are there but not synchronised, ``licence-out-of-sync``.
    """
    return _answered(case, "service-disabled")


RULES = (account_refused, service_disabled, licence_out_of_sync)
