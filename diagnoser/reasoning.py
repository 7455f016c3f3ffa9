"""How a rule is made: a pure function that reads a case and answers with evidence.

A *probe rule* judges one probe at a time; over several endpoints the strongest answer stands. A
*case rule* sees the whole case. What the error block itself says can raise an answer from
*undecided* to *suspected*, never to *applies*: a suspicion is all that words can carry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from diagnoser.model import (
    ASKED_NAME,
    ASSUMED,
    Case,
    Category,
    Condition,
    Control,
    Evidence,
    Finding,
    Origin,
    ProbeResult,
    Recognition,
    Stage,
    Standing,
    with_own_name,
)

CaseRule = Callable[[Case], Finding]
ProbeRule = Callable[[ProbeResult], Finding]

_PROXY_CAUSES = ("proxy-unreachable", "proxy-authentication-required", "proxy-refused")
_DOUBTS = (ASSUMED, ASKED_NAME)
# What a peer may answer otherwise to another server name.
_OF_NAME = (
    "tls-intercepted", "intercepted-and-trusted-here", "box-certificate", "handshake-blocked",
    "handshake-stalled", "protocol-too-old", "certificate-expired", "name-mismatch",
    "intermediate-missing", "root-not-trusted", "certificate-revoked", "certificate-too-weak",
    "client-certificate-required", "client-certificate-refused", "client-certificate-expired",
    "alert-received", "large-hello-lost",
)  # fmt: skip
# What only shows once a connection stands, as the suspects of a catalogue row are spelt.
_CONNECTED = frozenset(
    {
        "not-tls", "tls-intercepted", "handshake-blocked", "handshake-stalled", "protocol-too-old",
        "certificate-expired", "name-mismatch", "intermediate-missing", "root-not-trusted",
        "certificate-revoked", "certificate-too-weak", "clock-wrong", "client-certificate-required",
        "client-certificate-refused", "client-certificate-expired", "alert-received", "server-side",
    }
)  # fmt: skip
# What only the service itself says.
_ANSWERED = frozenset({"server-side", "account-refused", "service-disabled"})
# EADDRNOTAVAIL of Linux and of macOS, WSAEADDRNOTAVAIL.
_NO_PORT = (99, 49, 10049)
_ABOUT_CERTIFICATES = (
    Category.MITM_CERTIFICATE,
    Category.CERTIFICATE,
    Category.CLIENT_CERTIFICATE,
)
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
            suspicion = _suspicions_of_the_way(case, identity)
            if not case.probes:
                standing = Standing.SUSPECTED if suspicion else Standing.UNDECIDED
                return Finding(standing, evidence_of(suspicion) or (unprobed(case),))
            probes = with_own_name(case.probes) if identity in _OF_NAME else case.probes
            seen = [function(p) for p in probes]
            findings = [_as_far_as_known(identity, f, p) for f, p in zip(seen, probes, strict=True)]
            standing = min((f.standing for f in findings), key=_STRENGTH.index)
            evidence = tuple(e for f in findings if f.standing is standing for e in f.evidence)
            if standing is Standing.UNDECIDED and suspicion:
                hearsay = category in _ABOUT_CERTIFICATES and _is_without_chain(case)
                if all(f.standing is Standing.RULED_OUT for f in seen):
                    # If it is about this endpoint, what was collected speaks against the words.
                    hearsay, evidence = True, tuple(e for e in evidence if e.fact not in _DOUBTS)
                return Finding(Standing.SUSPECTED, evidence_of(suspicion) + evidence, hearsay)
            return Finding(standing, evidence)

        return Rule(identity, category, decide, documentation)

    return make


def _as_far_as_known(rule: str, found: Finding, probe: ProbeResult) -> Finding:
    """Of evidence that does not name its endpoint nothing is certain, for or against; nor of what
    was asked for another name than the agent asks for, where the answer may depend on it."""
    doubts = _DOUBTS if probe.asks_otherwise and rule in _OF_NAME else (ASSUMED,)
    shown = tuple(e for e in probe.endpoint.derivation if e.fact in doubts)
    if not shown:
        return found
    if found.standing is Standing.APPLIES:
        return Finding(Standing.SUSPECTED, found.evidence + shown)
    if found.standing is Standing.RULED_OUT:
        return Finding(Standing.UNDECIDED, found.evidence + shown)
    return found


def _is_without_chain(case: Case) -> bool:
    """A handshake was begun and failed, and no probe of the case was shown a certificate."""
    ended = [p.stage(Stage.HANDSHAKE).condition for p in case.probes]
    if all(c in (Condition.MET, Condition.NOT_REACHED) for c in ended):
        return False
    return all(p.tls is None or p.tls.end_entity is None for p in case.probes)


def suspicions(case: Case, rule: str) -> tuple[Recognition, ...]:
    """The catalogue rows that fit the block and name ``rule`` as a possible cause."""
    return tuple(r for r in case.recognised if rule in r.suspects)


def _suspicions_of_the_way(case: Case, rule: str) -> tuple[Recognition, ...]:
    """The same for a cause on the way to the service. Where the root is known to be the service's
    own answer, the way was good, whatever the frames above it may come from otherwise."""
    root = of_root(case)
    suspects = {s for r in root for s in r.suspects}
    is_proven = any(r.proven and not r.wrapper for r in root)
    if is_proven and suspects and suspects <= _ANSWERED:
        return tuple(r for r in root if rule in r.suspects)
    return suspicions(case, rule)


def evidence_of(recognitions: tuple[Recognition, ...]) -> tuple[Evidence, ...]:
    """The evidence of several recognitions, in order."""
    return tuple(e for r in recognitions for e in r.evidence)


def of_root(case: Case) -> tuple[Recognition, ...]:
    """The rows about the error at the root of the chain; empty where the catalogue knows none.

    What follows below a known frame and is not known itself can be anything. Zeros at the end say
    nothing, and a block that was not read has no root.
    """
    if case.block is None or not case.block.frames:
        return ()
    frames = [f for f in case.block.frames if f.packed != 0] or case.block.frames
    named, line = f"{frames[-1].name} ", f":{frames[-1].at.line}"
    return tuple(
        r
        for r in case.recognised
        if any(f"{e.value} ".startswith(named) and e.origin.endswith(line) for e in _codes(r))
    )


def _codes(recognition: Recognition) -> list[Evidence]:
    """The numbers that a row was found by; a row about a heading has none."""
    return [e for e in recognition.evidence if e.fact == "error_code"]


def states_alone(case: Case, rule: str) -> bool:
    """Whether the error itself says for certain that ``rule`` is the cause.

    That takes a proven row about the root of the chain (or the heading above all of it) which
    names this cause and no other: a frame further out is an effect, an inferred row a suspicion.
    """
    telling = [r for r in case.recognised if not r.wrapper]
    named = suspicions(case, rule)
    nearest = telling[-1] if telling else named[-1] if named else None
    if nearest is None or not nearest.proven or nearest.suspects != (rule,):
        return False
    root = of_root(case)
    return nearest in root or bool(root and not _codes(nearest))


def as_the_agent_saw_it(rule: Rule) -> Rule:
    """Lower a fault of the way outwards where the error itself shows that the agent's was another.

    An error is often pasted on another machine: a name that one cannot resolve is no fault of an
    agent that had a connection. And where the agent's way leads through a proxy which it blames,
    a direct way that is closed is as it should be.
    """

    def decide(case: Case) -> Finding:
        finding = rule.decide(case)
        if finding.standing is not Standing.APPLIES:
            return finding
        root = of_root(case)
        suspects = {s for r in root for s in r.suspects}
        if suspects and suspects.issubset(_PROXY_CAUSES) and blames_untested_proxy(case):
            told = "agent_used_proxy"
        elif rule.category is Category.DNS and any(map(_had_connection, root)):
            told = "agent_got_further"
        else:
            return finding
        evidence = Evidence(told, "yes", root[-1].evidence[0].origin)
        return Finding(Standing.SUSPECTED, (*finding.evidence, evidence))

    return replace(rule, decide=decide)


def _had_connection(recognition: Recognition) -> bool:
    """Whether whoever told this had a connection, or the refusal that only a host can send."""
    suspects = frozenset(recognition.suspects)
    if recognition.proven and suspects in ({"account-refused"}, {"service-disabled"}):
        return True
    return bool(suspects) and (suspects == {"port-closed"} or suspects <= _CONNECTED)


def blames_untested_proxy(case: Case) -> bool:
    """Whether the error blames a proxy and every probe went around it: that path stays open."""
    suspects = {s for r in case.recognised for s in r.suspects}
    direct = all(p.proxy is None for p in case.probes)
    return direct and not suspects.isdisjoint(_PROXY_CAUSES)


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


def lacks_port(probe: ProbeResult) -> bool:
    """This machine had no port of its own left for a connection (EADDRNOTAVAIL, connect(2))."""
    connect = probe.stage(Stage.CONNECT)
    return connect.condition is Condition.UNCLASSIFIED and connect.error in _NO_PORT


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


def good_address(probe: ProbeResult) -> tuple[Evidence, ...]:
    """The address of the same name that is answered as it should be, where another is not."""
    other = probe.control(Control.OTHER_ADDRESS)
    return () if other is None else (fact(probe, Stage.CONNECT, "good_address", other.question),)


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
