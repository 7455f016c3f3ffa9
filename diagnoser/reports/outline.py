"""The order in which a case is told; text and Markdown differ only in how they set it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diagnoser.catalog import Words
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED_TIME,
    Category,
    CertificateFacts,
    Condition,
    Diagnosis,
    Evidence,
    Origin,
    ProbeResult,
    Report,
    Skipped,
    Stage,
    Standing,
    Verdict,
)
from diagnoser.reports.courses import course, sparkline
from diagnoser.reports.phrasing import (
    control_word,
    described,
    ending,
    origin_word,
    outcome,
    spent,
    stage_word,
    translated,
)
from diagnoser.reports.unnamed import name_unnamed
from diagnoser.reports.wording import (
    Wording,
    fact_label,
    fact_value,
    standing_of,
    tell,
)

_REPEATED = ("host", "port")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines; ``ordered`` asks for numbers, ``code`` for fixed pitch.

    ``count`` is how many things the lines name, where that is not one a line.
    """

    key: str
    heading: str
    lines: tuple[str, ...]
    ordered: bool = False
    code: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """One case ready to be set: headline, summary, sections."""

    mark: str
    headline: str
    summary: str
    sections: tuple[Section, ...]


def outline(diagnosis: Diagnosis, report: Report, words: Words) -> Outline:
    """Put one case in order, in the words of one language."""
    told = tell(diagnosis, report, words)
    cause = diagnosis.cause
    standing = standing_of(diagnosis)
    identity = words.phrases[standing.value]
    if cause is not None and not told.is_open:
        identity = f"{cause.rule}, {identity}"
    named = diagnosis.case.endpoints
    return Outline(
        mark=mark(cause, standing),
        headline=f"{told.title} [{identity}]",
        summary=told.summary,
        sections=tuple(
            replace(s, lines=tuple(name_unnamed(x, named, words) for x in s.lines))
            for s in _sections(diagnosis, told, words)
            if s.lines
        ),
    )


def mark(cause: Verdict | None, standing: Standing) -> str:
    """Two signs for the verdict, so that it is never told by colour alone."""
    if cause is None:
        return "?"
    if cause.category is Category.NONE:
        return "OK"
    return "!!" if standing is Standing.APPLIES else "!?"


def _sections(diagnosis: Diagnosis, told: Wording, words: Words) -> list[Section]:
    say = words.phrases
    case = diagnosis.case
    return [
        Section("remedy", say["remedy"], told.remedy, ordered=True),
        Section("error", say["error"], _error_lines(diagnosis, words)),
        Section("endpoint", say["endpoint"], _endpoint_lines(diagnosis, words)),
        Section(
            "probe", say["probe"], tuple(x for p in case.probes for x in _probe_lines(p, words))
        ),
        Section(
            "chain",
            say["chain"],
            tuple(x for p in case.probes for x in _chain_lines(p, words)),
            code=True,
        ),
        Section("evidence", say["evidence"], _evidence_lines(diagnosis, words)),
        Section(
            "also",
            say["candidates" if told.is_open else "also"],
            _others(diagnosis, told, words),
        ),
        _titles("ruled_out", diagnosis, Standing.RULED_OUT, words),
        _titles("open", diagnosis, Standing.UNDECIDED, words),
        Section("reproduce", say["reproduce"], told.reproduce, code=True),
        Section("skipped", say["skipped"], _skipped_lines(case.skipped, words)),
    ]


def _skipped_lines(skipped: tuple[Skipped, ...], words: Words) -> tuple[str, ...]:
    return tuple(f"{s.source}: {translated(s.reason, words)}" for s in skipped)


def _error_lines(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    case, say = diagnosis.case, words.phrases
    if case.block is None:
        return ()
    lines = []
    for frame in case.block.frames:
        message = " ".join((frame.message or "").split())
        shown = message if len(message) <= 160 else message[:157] + "..."
        number = "" if frame.packed is None else f" (0x{frame.packed:08x})"
        lines.append(f"{frame.name}{number} {shown}".rstrip() + f"  [{frame.at}]")
    if case.count > 1:
        span = f", {case.first_seen} – {case.last_seen}" if case.first_seen else ""
        lines.append(f"{say['seen']} {case.count} {say['times']}{span}")
        found = course(case)
        if found is not None:
            lines.append(f"|{sparkline(found)}|")
    if diagnosis.symptom is not None:
        lines.append(f"{say['symptom']}: {say[diagnosis.symptom.value.replace('-', '_')]}")
    lines += [f"{say['damage']}: {translated(d, words)}" for d in case.block.damage]
    return tuple(lines)


def _endpoint_lines(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    say = words.phrases
    lines = []
    for endpoint in diagnosis.case.endpoints:
        origin = say["list_sign"].join(
            f"{fact_label(e, words)} [{origin_word(e.origin, words)}]"
            for e in endpoint.derivation
            if e.fact not in (ASKED_NAME, ASSUMED_TIME)
        )
        lines.append(f"{described(endpoint, words)} {say['from']} {origin}")
    if not lines:
        lines.append(words.reasons["no-endpoint"])
    return tuple(lines)


def _probe_lines(probe: ProbeResult, words: Words) -> list[str]:
    say = words.phrases
    parts = []
    for stage in probe.stages:
        if stage.condition is Condition.NOT_REACHED:
            continue
        if stage.stage is Stage.TUNNEL and probe.proxy is None:
            continue
        shown = ending(stage, words)
        if stage.condition is not Condition.MET:
            shown = shown.upper()
        parts.append(f"{stage_word(stage.stage, words)}: {shown} {spent(stage)}".rstrip())
    lines = [f"{probe.endpoint}: " + " · ".join(parts) + _hearsay(probe, words)]
    lines += [
        f"  {stage_word(s.stage, words)}: {translated(s.detail, words)}"
        for s in probe.stages
        if s.condition not in (Condition.MET, Condition.NOT_REACHED) and s.detail
    ]
    if probe.proxy:
        lines.append(f"  {say['proxy']}: {probe.proxy}")
    if len(probe.addresses) > 1 or any(a.condition is not Condition.MET for a in probe.addresses):
        shown = say["list_sign"].join(
            f"{a.address} {words.reasons[a.condition.value]}" for a in probe.addresses
        )
        lines.append(f"  {say['addresses']}: {shown}")
    lines += [
        f"  {say['controls']}: {control_word(c.control, words)} {c.question} → {outcome(c, words)}"
        for c in probe.controls
    ]
    return lines


def _hearsay(probe: ProbeResult, words: Words) -> str:
    """Where the facts come from, if this machine did not see them itself."""
    if probe.origin is Origin.LIVE:
        return ""
    kind, place = words.reasons[probe.origin.value], translated(probe.vantage, words)
    return f" [{kind}{words.phrases['list_sign']}{place}]"


def _chain_lines(probe: ProbeResult, words: Words) -> list[str]:
    """The received chain in the manner of s_client: subject, issuer, validity."""
    lines = []
    for depth, certificate in enumerate(probe.tls.received_chain if probe.tls else ()):
        lines.append(f"{depth} s: {certificate.subject}")
        lines.append(f"  i: {certificate.issuer}")
        lines.append(f"  {words.phrases['valid']}: {_validity(certificate)}")
    if lines:
        lines.insert(0, f"{probe.endpoint}")
    return lines


def _validity(certificate: CertificateFacts) -> str:
    first, last = certificate.not_before, certificate.not_after
    if first is None or last is None:
        return "?"
    return f"{first:%Y-%m-%d} – {last:%Y-%m-%d}"


def cause_evidence(diagnosis: Diagnosis) -> tuple[Evidence, ...]:
    """What the cause rests on (or the lack of one) and what the log says beside it, each once."""
    verdict = diagnosis.cause or diagnosis.verdicts[-1]
    every = (*verdict.finding.evidence, *diagnosis.case.surroundings)
    return tuple(dict.fromkeys(e for e in every if e.fact not in _REPEATED))


def _evidence_lines(diagnosis: Diagnosis, words: Words) -> tuple[str, ...]:
    return tuple(_line(e, words) for e in cause_evidence(diagnosis))


def _line(evidence: Evidence, words: Words) -> str:
    origin = origin_word(evidence.origin, words)
    return f"{fact_label(evidence, words)}: {fact_value(evidence, words)}  [{origin}]"


def _others(diagnosis: Diagnosis, told: Wording, words: Words) -> tuple[str, ...]:
    """Whatever else applies or is suspected, so that a second fault is not hidden by the first.

    Where no single cause is named, all that are equally possible.
    """
    cause = diagnosis.cause
    telling = {Standing.APPLIES}
    # What the error alone suggests is settled once a fault was seen.
    if cause is not None and cause.finding.standing is Standing.SUSPECTED:
        telling.add(Standing.SUSPECTED)
    return tuple(
        f"{v.rule} ({words.phrases[v.finding.standing.value]}): {words.causes[v.rule].title}"
        for v in diagnosis.verdicts
        if (v.rule in told.candidates if told.is_open else v is not cause)
        and v.finding.standing in telling
        and v.category is not Category.UNKNOWN
    )


def _titles(key: str, diagnosis: Diagnosis, standing: Standing, words: Words) -> Section:
    """The causes of one standing by their titles, in one line."""
    found = [
        words.causes[v.rule].title
        for v in diagnosis.verdicts
        if v.finding.standing is standing and v.category is not Category.UNKNOWN
    ]
    lines = (words.phrases["title_sign"].join(found),) if found else ()
    return Section(key, words.phrases[key], lines, count=len(found))
