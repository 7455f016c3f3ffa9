"""How a rule is made: a pure function that reads a case and answers with evidence.

A *probe rule* judges one probe at a time; over several endpoints the strongest answer stands. A
*case rule* sees the whole case. What the error block itself says can raise an answer from
*undecided* to *suspected*, never to *applies*: a suspicion is all that words can carry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diagnoser.model import (
    ASSUMED,
    Case,
    Category,
    Condition,
    Evidence,
    Finding,
    Origin,
    ProbeResult,
    Recognition,
    Stage,
    Standing,
)

CaseRule = Callable[[Case], Finding]
ProbeRule = Callable[[ProbeResult], Finding]

_STRENGTH = (Standing.APPLIES, Standing.SUSPECTED, Standing.UNDECIDED, Standing.RULED_OUT)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its id (the function's name in kebab case), category, law and documentation."""

    id: str
    category: Category
    decide: CaseRule
    documentation: str


def _identify(function: Callable[..., Finding]) -> tuple[str, str]:
    return function.__name__.replace("_", "-"), function.__doc__ or ""


def case_rule(category: Category) -> Callable[[CaseRule], Rule]:
    """Make a rule of a function over the whole case."""

    def make(function: CaseRule) -> Rule:
        identity, documentation = _identify(function)
        return Rule(identity, category, function, documentation)

    return make


def probe_rule(category: Category) -> Callable[[ProbeRule], Rule]:
    """Make a rule of a function over one probe; the block's own suspicion is added here, once."""

    def make(function: ProbeRule) -> Rule:
        identity, documentation = _identify(function)

        def decide(case: Case) -> Finding:
            suspicion = suspicions(case, identity)
            if not case.probes:
                standing = Standing.SUSPECTED if suspicion else Standing.UNDECIDED
                return Finding(standing, evidence_of(suspicion) or (unprobed(case),))
            findings = [_as_far_as_known(function(probe), probe) for probe in case.probes]
            standing = min((f.standing for f in findings), key=_STRENGTH.index)
            evidence = tuple(e for f in findings if f.standing is standing for e in f.evidence)
            if standing is Standing.UNDECIDED and suspicion:
                return Finding(Standing.SUSPECTED, evidence_of(suspicion) + evidence)
            return Finding(standing, evidence)

        return Rule(identity, category, decide, documentation)

    return make


def _as_far_as_known(found: Finding, probe: ProbeResult) -> Finding:
    """Of evidence that does not name its endpoint nothing is certain, for or against."""
    shown = tuple(e for e in probe.endpoint.derivation if e.fact == ASSUMED)
    if not shown:
        return found
    if found.standing is Standing.APPLIES:
        return Finding(Standing.SUSPECTED, found.evidence + shown)
    if found.standing is Standing.RULED_OUT:
        return Finding(Standing.UNDECIDED, found.evidence + shown)
    return found


def suspicions(case: Case, rule: str) -> tuple[Recognition, ...]:
    """The catalogue rows that fit the block and name ``rule`` as a possible cause."""
    return tuple(r for r in case.recognised if rule in r.suspects)


def evidence_of(recognitions: tuple[Recognition, ...]) -> tuple[Evidence, ...]:
    """The evidence of several recognitions, in order."""
    return tuple(e for r in recognitions for e in r.evidence)


def unprobed(case: Case) -> Evidence:
    """Why there is no probe to judge by."""
    if not case.endpoints:
        return Evidence("not_probed", "no-endpoint", "case")
    return Evidence("not_probed", "not-asked", "case")


def fact(probe: ProbeResult, stage: Stage, name: str, value: object) -> Evidence:
    """One fact of a probe; its origin names the endpoint and the stage."""
    return Evidence(name, str(value), f"{probe.endpoint} {stage.value}")


def met_facts(probe: ProbeResult, stage: Stage) -> tuple[Evidence, ...]:
    """How a stage ended, with the endpoint that the words need."""
    result = probe.stage(stage)
    found = [
        fact(probe, stage, "host", probe.endpoint.host),
        fact(probe, stage, "port", probe.endpoint.port),
        fact(probe, stage, "condition", result.condition.value),
    ]
    if result.error is not None:
        found.append(fact(probe, stage, "error_number", result.error))
    if result.detail:
        found.append(fact(probe, stage, "detail", result.detail))
    return tuple(found)


def narrowed(probe: ProbeResult) -> tuple[Evidence, ...]:
    """The option of an s_client command for which the failed handshake says nothing of the peer;
    empty where there is none. What is no TLS is none for any hello, and once the peer has shown
    its certificate the hello was good enough."""
    tls = probe.tls
    if tls is None or tls.narrowed_by is None or tls.received_chain:
        return ()
    if probe.stage(Stage.HANDSHAKE).condition in (Condition.MET, Condition.NOT_TLS):
        return ()
    return (fact(probe, Stage.HANDSHAKE, "narrowed_by", tls.narrowed_by),)


def by_condition(probe: ProbeResult, stage: Stage, *sought: Condition) -> Finding:
    """Applies if the stage ended in one of ``sought``; undecided if it was never reached, if the
    evidence does not show how it ended, or if that was the command's own doing."""
    condition = probe.stage(stage).condition
    unseen = condition is Condition.UNCLASSIFIED and probe.origin is not Origin.LIVE
    if condition is Condition.NOT_REACHED or unseen:
        return Finding(Standing.UNDECIDED, met_facts(probe, stage))
    if stage is Stage.HANDSHAKE and (shown := narrowed(probe)):
        return Finding(Standing.UNDECIDED, met_facts(probe, stage) + shown)
    standing = Standing.APPLIES if condition in sought else Standing.RULED_OUT
    return Finding(standing, met_facts(probe, stage))
