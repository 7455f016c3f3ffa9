"""What a reader must know of the evidence: whose it is was assumed, or it contradicts itself.

A verdict is over all observations; a remark says where it does not hold.
"""

from __future__ import annotations

from diagnoser.catalog import Words
from diagnoser.model import ASSUMED, Condition, Diagnosis, ProbeResult
from diagnoser.reports.phrasing import ending, stage_word, translated
from diagnoser.scrutiny import is_healthy

_MOST_SEEN = 6


def remarks(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    """One sentence for each assumption and each contradiction, in the words of the reader."""
    say, probes = words.phrases, diagnosis.case.probes
    assumed = [
        say["assumed"].format(source=e.origin, endpoint=p.endpoint)
        for p in probes
        for e in p.endpoint.derivation
        if e.fact == ASSUMED
    ]
    differing = []
    for endpoint in dict.fromkeys(str(p.endpoint) for p in probes):
        seen = [p for p in probes if str(p.endpoint) == endpoint]
        # Different certificates, all of them good, contradict nothing.
        if len(seen) > 1 and not all(map(is_healthy, seen)):
            told = [_told(p, words) for p in seen[:_MOST_SEEN]]
            told += ["…"] * (len(seen) > _MOST_SEEN)
            differing.append(say["differing"].format(endpoint=endpoint, seen="; ".join(told)))
    return (*dict.fromkeys(assumed), *differing)


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
