"""The JSON report: the contract that tools build on. ``schema`` 1; unknown values are null.

It is described once, key by key; the report is written from the description, and its JSON Schema
(:mod:`~diagnoser.reports.schema`) is printed from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from diagnoser.catalog import Words
from diagnoser.model import (
    Case,
    Category,
    Diagnosis,
    Endpoint,
    ErrorBlock,
    ErrorFrame,
    Evidence,
    ProbeResult,
    Recognition,
    Report,
    Role,
    Skipped,
    Standing,
    Symptom,
    Transport,
    Vantage,
    Verdict,
)
from diagnoser.reports.observations import PROBE
from diagnoser.reports.shapes import (
    MOMENT,
    PACKED,
    PORT,
    TEXT,
    TEXTS,
    TRUTH,
    WHOLE,
    Shape,
    exactly,
    keyed,
    many,
    maybe,
    member,
    one_of,
    record,
    word_of,
)
from diagnoser.reports.wording import Wording, standing_of, tell
from diagnoser.rules import CAUSES, UNEXPLAINED

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Told:
    """A judged case with the words that tell it."""

    diagnosis: Diagnosis
    wording: Wording

    @property
    def case(self) -> Case:
        """The case."""
        return self.diagnosis.case


@dataclass(frozen=True, slots=True)
class Document:
    """A report with the words for each of its cases."""

    report: Report
    cases: tuple[Told, ...]

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Everything that was left out, of the run and of its cases."""
        return self.report.skipped + tuple(s for t in self.cases for s in t.case.skipped)


def open_document(report: Report, words: Words) -> Document:
    """Put the words to the cases of ``report``."""
    return Document(report, tuple(Told(d, tell(d, report, words)) for d in report.diagnoses))


def render(report: Report, words: Words) -> str:
    """The whole report as one JSON object, keys in a fixed order."""
    return json.dumps(write(report, words), ensure_ascii=False, indent=2) + "\n"


def write(report: Report, words: Words) -> object:
    """The report as JSON values."""
    return DOCUMENT.write(open_document(report, words))


def identify(case: Case) -> str:
    """A short id that is the same for the same error at the same endpoints."""
    chain = [f.name for f in case.block.frames] if case.block else []
    seed = "|".join([*chain, *(str(e) for e in case.endpoints)])
    return sha256(seed.encode()).hexdigest()[:12]


def _fields(frame: ErrorFrame) -> dict[str, str]:
    # Inner fields carry their way in, so that they cannot shadow the block's own.
    return {f"{f.path}/{f.key}" if f.path else f.key: f.value for f in frame.fields}


def _probes(case: Case) -> list[tuple[Endpoint, ProbeResult | None]]:
    """Every endpoint with every observation of it; a probe's endpoint says where it is from."""
    found: list[tuple[Endpoint, ProbeResult | None]] = []
    for endpoint in {e.key: e for e in case.endpoints}.values():
        seen = [p for p in case.probes if p.endpoint.key == endpoint.key]
        found += [(p.endpoint, p) for p in seen] or [(endpoint, None)]
    return found


_EVIDENCE: Shape[Evidence] = record(
    "evidence",
    "One fact, its value, and where it was seen: file:line, an endpoint and stage, or catalogue.",
    member("fact", TEXT, lambda e: e.fact, "Stable key in snake case."),
    member("value", TEXT, lambda e: e.value),
    member("origin", TEXT, lambda e: e.origin),
)

_SKIPPED: Shape[Skipped] = record(
    "skipped",
    "What was seen and left alone.",
    member("source", TEXT, lambda s: s.source),
    member("reason", TEXT, lambda s: s.reason),
)

_RECOGNITION: Shape[Recognition] = record(
    "recognition",
    "A row of the catalogue that fits the error.",
    member("table", TEXT, lambda r: r.table),
    member("key", TEXT, lambda r: r.key),
    member("evidence", many(_EVIDENCE), lambda r: r.evidence),
    member("suspects", TEXTS, lambda r: r.suspects, "Causes that the row makes one think of."),
    member("symptom", maybe(one_of(Symptom)), lambda r: r.symptom),
    member("proven", TRUTH, lambda r: r.proven, "Seen in a vendor's text or a real log."),
    member("wrapper", TRUTH, lambda r: r.wrapper, "An outer effect, never the cause."),
)

_FRAME: Shape[ErrorFrame] = record(
    "frame",
    "One link of the error's chain.",
    member("module", maybe(WHOLE), lambda f: f.module),
    member("code", maybe(WHOLE), lambda f: f.code),
    member("packed", maybe(PACKED), lambda f: f.packed, "module << 16 | code"),
    member("symbol", maybe(TEXT), lambda f: f.symbol, "The name of an error without a number."),
    member("line_info", maybe(TEXT), lambda f: f.line_info),
    member("fields", keyed(TEXT), _fields),
    member("message", maybe(TEXT), lambda f: f.message),
    member("line", WHOLE, lambda f: f.at.line, "Line of the source, from 1."),
)


@dataclass(frozen=True, slots=True)
class _Block:
    block: ErrorBlock
    recognised: tuple[Recognition, ...]


_BLOCK: Shape[_Block] = record(
    "block",
    "The error as it was read; the last frame is the root cause.",
    member("form", TEXT, lambda b: b.block.form),
    member("language", maybe(TEXT), lambda b: b.block.language, "ISO 639 code."),
    member("source", TEXT, lambda b: b.block.at.source),
    member("line", WHOLE, lambda b: b.block.at.line, "Line of the source, from 1."),
    member("damage", TEXTS, lambda b: b.block.damage, "What could not be read as it stood."),
    member("frames", many(_FRAME), lambda b: b.block.frames),
    member("recognised", many(_RECOGNITION), lambda b: b.recognised),
)

_ENDPOINT: Shape[tuple[Endpoint, ProbeResult | None]] = record(
    "endpoint",
    "One thing to connect to, how it was found, and what it showed.",
    member("host", TEXT, lambda e: e[0].host),
    member("port", PORT, lambda e: e[0].port),
    member("role", one_of(Role), lambda e: e[0].role),
    member("server_name", maybe(TEXT), lambda e: e[0].server_name, "SNI (RFC 6066 section 3)."),
    member("client_certificate", TRUTH, lambda e: e[0].client_certificate, "The role wants one."),
    member("transport", one_of(Transport), lambda e: e[0].transport),
    member("derivation", many(_EVIDENCE), lambda e: e[0].derivation),
    member("probe", maybe(PROBE), lambda e: e[1]),
)

_VERDICT: Shape[Verdict] = record(
    "verdict",
    "What one rule says of the case.",
    member("rule", word_of(CAUSES), lambda v: v.rule),
    member("category", one_of(Category), lambda v: v.category),
    member("standing", one_of(Standing), lambda v: v.finding.standing),
    member(
        "hearsay",
        TRUTH,
        lambda v: v.finding.is_hearsay,
        "A suspicion of the error's words alone: any other suspicion comes before it.",
    ),
    member("evidence", many(_EVIDENCE), lambda v: v.finding.evidence),
)

_CASE: Shape[Told] = record(
    "case",
    "One error (or endpoint to check), judged.",
    member("id", TEXT, lambda t: identify(t.case), "The same for the same error and endpoints."),
    member("count", WHOLE, lambda t: t.case.count, "How often it was seen."),
    member("first_seen", maybe(TEXT), lambda t: t.case.first_seen),
    member("last_seen", maybe(TEXT), lambda t: t.case.last_seen),
    member("times", keyed(WHOLE), lambda t: dict(t.case.times), "Errors of each minute."),
    member(
        "surroundings",
        many(_EVIDENCE),
        lambda t: t.case.surroundings,
        "Settings that the log shows beside the error.",
    ),
    member(
        "block",
        maybe(_BLOCK),
        lambda t: None if t.case.block is None else _Block(t.case.block, t.case.recognised),
        "Null for a case that began with a transcript, a capture or a check.",
    ),
    member(
        "endpoints",
        many(_ENDPOINT),
        lambda t: _probes(t.case),
        "An endpoint stands once for each observation of it; most have one.",
    ),
    member("symptom", maybe(one_of(Symptom)), lambda t: t.diagnosis.symptom),
    member(
        "cause",
        maybe(word_of(c for c in CAUSES if c != UNEXPLAINED)),
        lambda t: None if t.diagnosis.cause is None else t.diagnosis.cause.rule,
    ),
    member(
        "candidates",
        many(word_of(c for c in CAUSES if c != UNEXPLAINED)),
        lambda t: t.wording.candidates,
        "Causes that are equally possible, `cause` the first of them; empty where one is named.",
    ),
    member(
        "category",
        one_of(Category),
        lambda t: Category.UNKNOWN if t.diagnosis.cause is None else t.diagnosis.cause.category,
    ),
    member("standing", one_of(Standing), lambda t: standing_of(t.diagnosis)),
    member("summary", TEXT, lambda t: t.wording.summary),
    member("remedy", TEXTS, lambda t: t.wording.remedy),
    member("reproduce", TEXTS, lambda t: t.wording.reproduce, "Commands that repeat the probe."),
    member("verdicts", many(_VERDICT), lambda t: t.diagnosis.verdicts),
)

_TOOL: Shape[Report] = record(
    "tool",
    "What wrote the report.",
    member("name", exactly("diagnoser"), lambda r: r.version),
    member("version", TEXT, lambda r: r.version),
)

_VANTAGE: Shape[Vantage] = record(
    "vantage",
    "The machine that looked.",
    member("hostname", TEXT, lambda v: v.hostname),
    member("system", TEXT, lambda v: v.system),
    member("trust_store", TEXT, lambda v: v.trust_store),
)

DOCUMENT: Shape[Document] = record(
    "report",
    "A report of diagnoser. Values that are not known are null, never missing.",
    member("schema", exactly(SCHEMA), lambda _: SCHEMA, "The version of this contract."),
    member("tool", _TOOL, lambda d: d.report),
    member("generated_at", MOMENT, lambda d: d.report.generated_at),
    member("vantage", _VANTAGE, lambda d: d.report.vantage),
    member("cases", many(_CASE), lambda d: d.cases),
    member("skipped", many(_SKIPPED), lambda d: d.skipped),
)
