"""What a reader must know of the evidence: whose it is, of when, by which roots or for which name
is not told, or it contradicts itself.

A verdict is over all observations; a remark says where it does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diagnoser.catalog import Words
from diagnoser.health import answers_by_turns, is_healthy
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED,
    ASSUMED_TIME,
    Category,
    Condition,
    Control,
    Diagnosis,
    ProbeResult,
    Role,
    Stage,
    Standing,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.reasoning import lacks_port, narrowed
from diagnoser.reports.phrasing import ending, stage_word, translated

_MOST_SEEN = 6
# How an attempt ends that the next one need not end with.
_LOST = frozenset(
    {
        Condition.CONNECTION_REFUSED, Condition.CONNECTION_TIMED_OUT, Condition.CONNECTION_RESET,
        Condition.CONNECTION_CLOSED, Condition.HANDSHAKE_TIMED_OUT, Condition.NETWORK_UNREACHABLE,
    }
)  # fmt: skip
# Causes that no change of the network mends, and what is no fault of the network.
_NO_NETWORK = frozenset({Category.NOT_NETWORK, Category.LOCAL_SERVICE})
_NO_FAULT = _NO_NETWORK | {
    Category.NONE, Category.UNKNOWN, Category.LICENCE_SYNC, Category.SERVER,
}  # fmt: skip
# What is said of certificates by their dates.
_DATED = ("endpoint-healthy", "certificate-expired", "clock-wrong")


def remarks(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    """One sentence for each assumption and each contradiction, in the words of the reader."""
    say, probes = words.phrases, diagnosis.case.probes
    assumed = [
        say["assumed"].format(source=e.origin, endpoint=p.endpoint)
        for p in probes
        for e in p.endpoint.derivation
        if e.fact == ASSUMED
    ]
    reserved = [r for p in probes for r in _reservations(p, diagnosis, words)]
    differing = []
    for endpoint in dict.fromkeys(str(p.endpoint) for p in probes):
        seen = [p for p in probes if str(p.endpoint) == endpoint and not p.asks_otherwise]
        # Different certificates, all of them good, contradict nothing.
        if len(seen) > 1 and not all(map(is_healthy, seen)):
            told = [_told(p, words) for p in seen[:_MOST_SEEN]]
            told += ["…"] * (len(seen) > _MOST_SEEN)
            differing.append(say["differing"].format(endpoint=endpoint, seen="; ".join(told)))
        if any(map(answers_by_turns, seen)) or _answer_by_turns(seen):
            differing.append(say["intermittent"].format(endpoint=endpoint))
    return (*_beside(diagnosis, words), *dict.fromkeys((*assumed, *reserved)), *differing)


def _beside(diagnosis: Diagnosis, words: Words) -> Iterator[str]:
    """What a probe has proven of the network, where the error is about something else."""
    cause = diagnosis.cause
    if cause is None or cause.category not in _NO_NETWORK:
        return
    proven = [
        v.rule
        for v in diagnosis.verdicts
        if v.finding.standing is Standing.APPLIES and v.category not in _NO_FAULT
    ]
    if proven:
        titles = words.phrases["list_sign"].join(words.causes[r].title for r in proven)
        yield words.phrases["beside"].format(titles=titles)


def _answer_by_turns(seen: Sequence[ProbeResult]) -> bool:
    """Seen from one place and by one way, an endpoint finished a handshake and failed to."""
    for place in {(p.vantage, p.proxy) for p in seen}:
        ends = [_end(p) for p in seen if (p.vantage, p.proxy) == place and not narrowed(p)]
        if True in ends and False in ends:
            return True
    return False


def _end(probe: ProbeResult) -> bool | None:
    """Whether TLS came about; ``None`` where that is not seen, or was refused for a reason."""
    ends = [probe.stage(s).condition for s in (Stage.CONNECT, Stage.HANDSHAKE)]
    if ends[1] in (Condition.MET, Condition.CLIENT_CERTIFICATE_REFUSED):
        return True
    return False if not _LOST.isdisjoint(ends) else None


def _reservations(probe: ProbeResult, diagnosis: Diagnosis, words: Words) -> Iterator[str]:
    """What one observation, taken for what it is, does not say."""
    say, place = words.phrases, translated(probe.vantage, words)
    told = {e.fact: e.value for e in probe.endpoint.derivation}
    if lacks_port(probe):
        yield say["no_free_port"].format(place=place, endpoint=probe.endpoint)
    if (closed := probe.control(Control.SHUT_OUT)) is not None:
        how = words.reasons[closed.condition.value]
        yield say["shut_out"].format(
            place=place, endpoint=probe.endpoint, other=closed.question, how=how
        )
    if (crowd := probe.control(Control.TOGETHER)) is not None:
        how = words.reasons[crowd.condition.value]
        yield say["together"].format(
            place=place, endpoint=probe.endpoint, others=crowd.question, how=how
        )
    if probe.asks_otherwise:
        name = told[ASKED_NAME]
        yield say["asked_otherwise"].format(place=place, endpoint=probe.endpoint, name=name)
    if probe.tls is not None and _is_accepted_by_unknown(probe.tls):
        yield say["store_unknown"].format(place=place, endpoint=probe.endpoint)
    refused = probe.stage(Stage.VERIFY)
    if refused.condition is Condition.CERTIFICATE_REJECTED and not _is_shown(probe):
        code = next((f"{v.name} ({v.code})" for v in _opinions(probe)), f"{refused.error}")
        own = probe.endpoint.role is Role.STORAGE
        unseen = say["issuer_unseen_storage" if own else "issuer_unseen"]
        yield unseen.format(place=place, endpoint=probe.endpoint, code=code)
    rule = diagnosis.cause.rule if diagnosis.cause else None
    dated = probe.tls is not None and bool(probe.tls.received_chain)
    if ASSUMED_TIME in told and dated and rule in _DATED:
        how = say[f"time_{told[ASSUMED_TIME].replace('-', '_')}"]
        yield how.format(place=place, date=f"{probe.at:%Y-%m-%d}")


def _is_shown(probe: ProbeResult) -> bool:
    return probe.tls is not None and bool(probe.tls.received_chain)


def _opinions(probe: ProbeResult) -> tuple[VerifyResult, ...]:
    return probe.tls.verify if probe.tls is not None else ()


def _is_accepted_by_unknown(tls: TlsFacts) -> bool:
    """Code 0, and no store that is known says the same."""
    accepting = [v.trust_store for v in tls.verify if v.code == 0]
    return accepting == [TrustStore.UNKNOWN]


def _told(probe: ProbeResult, words: Words) -> str:
    """Where and when, and how it ended there; of a chain, who issued it."""
    passed = (Condition.MET, Condition.NOT_REACHED)
    ends = [s for s in probe.stages if s.condition not in passed]
    leaf = probe.tls.end_entity if probe.tls else None
    parts = [f"{stage_word(s.stage, words)}: {ending(s, words)}" for s in ends[:1]]
    if is_healthy(probe):
        parts = [words.phrases["seen_healthy"]]
    if leaf is not None:
        parts.append(f"{words.facts['issuer']}: {leaf.issuer}")
    place = translated(probe.vantage, words)
    shown = words.phrases["list_sign"].join(parts) or words.phrases["passed"]
    return f"{place} ({probe.at:%Y-%m-%d %H:%M} UTC): {shown}"
