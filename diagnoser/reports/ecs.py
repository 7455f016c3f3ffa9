"""NDJSON for log pipelines: one object a case, in the field names of the Elastic Common Schema.

Source: ECS 8.17 field reference (elastic.co/guide/en/ecs/8.17). What ECS has no name for stands
under ``diagnoser``. Fields that are not known are left out, as ECS wants it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import datetime

from diagnoser.catalog import Words
from diagnoser.model import (
    Case,
    Category,
    Condition,
    Diagnosis,
    Endpoint,
    ProbeResult,
    Report,
    Stage,
    Standing,
)
from diagnoser.reports.document import identify
from diagnoser.reports.shapes import Json, write_moment
from diagnoser.reports.wording import standing_of, tell

VERSION = "8.17.0"
_CATEGORIES: dict[Category, tuple[str, ...]] = {
    Category.LICENCE_SYNC: ("authentication",),
    Category.LOCAL_SERVICE: ("host",),
    Category.NOT_NETWORK: ("host",),
    Category.CLOCK: ("host",),
}


def render(report: Report, words: Words) -> str:
    """One line a case; nothing where there is none."""
    return "".join(
        json.dumps(_without_gaps(_case(d, report, words)), ensure_ascii=False) + "\n"
        for d in report.diagnoses
    )


def _case(diagnosis: Diagnosis, report: Report, words: Words) -> dict[str, Json]:
    case, cause = diagnosis.case, diagnosis.cause
    told = tell(diagnosis, report, words)
    probe = _telling_probe(case)
    endpoint = probe.endpoint if probe else next(iter(case.endpoints), None)
    category = Category.UNKNOWN if cause is None else cause.category
    return {
        "@timestamp": write_moment(report.generated_at),
        "ecs": {"version": VERSION},
        "message": told.summary,
        "event": _event(diagnosis, category, told.summary),
        "agent": {"type": "diagnoser", "version": report.version},
        "host": {"hostname": report.vantage.hostname, "os": {"full": report.vantage.system}},
        "destination": None if endpoint is None else _destination(endpoint, probe),
        "network": {"transport": "tcp", "protocol": None if probe is None else "tls"},
        "tls": None if probe is None else _tls(probe),
        "error": _error(case, probe),
        "log": None
        if case.block is None
        else {
            "file": {"path": case.block.at.source},
            "origin": {"file": {"line": case.block.at.line}},
        },
        "rule": None
        if cause is None
        else {"id": cause.rule, "name": told.title, "category": category.value},
        "diagnoser": {
            "case_id": identify(case),
            "cause": None if cause is None else cause.rule,
            "candidates": list(told.candidates),
            "category": category.value,
            "standing": standing_of(diagnosis).value,
            "symptom": None if diagnosis.symptom is None else diagnosis.symptom.value,
            "count": case.count,
            "first_seen": case.first_seen,
            "last_seen": case.last_seen,
            "role": None if endpoint is None else endpoint.role.value,
            "origin": None if probe is None else probe.origin.value,
            "remedy": list(told.remedy),
            "reproduce": list(told.reproduce),
        },
    }


def _event(diagnosis: Diagnosis, category: Category, reason: str) -> dict[str, Json]:
    cause = diagnosis.cause
    is_fault = cause is not None and cause.category is not Category.NONE
    settled = cause is not None and cause.finding.standing is Standing.APPLIES
    outcome = "unknown" if not settled else "failure" if is_fault else "success"
    return {
        "kind": "alert" if is_fault else "event",
        "category": list(_CATEGORIES.get(category, ("network",))),
        "type": ["error"] if is_fault else ["info"],
        "action": "diagnosed",
        "module": "diagnoser",
        "dataset": "diagnoser.case",
        "outcome": outcome,
        "reason": reason,
        "code": None if cause is None else cause.rule,
        "start": _date(diagnosis.case.first_seen),
        "end": _date(diagnosis.case.last_seen),
    }


def _telling_probe(case: Case) -> ProbeResult | None:
    """The probe that failed first, else the first."""
    failed = (p for p in case.probes if _broken(p) is not None)
    return next(failed, next(iter(case.probes), None))


def _broken(probe: ProbeResult) -> Condition | None:
    ends = (s.condition for s in probe.stages)
    return next((c for c in ends if c not in (Condition.MET, Condition.NOT_REACHED)), None)


def _destination(endpoint: Endpoint, probe: ProbeResult | None) -> dict[str, Json]:
    host = endpoint.host
    addresses = [a.address for a in probe.addresses] if probe else []
    found = next((a for a in (host, *addresses) if _is_address(a)), None)
    return {
        "address": host,
        "domain": None if _is_address(host) else host,
        "ip": found,
        "port": endpoint.port or None,
    }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _tls(probe: ProbeResult) -> dict[str, Json] | None:
    tls = probe.tls
    if tls is None:
        return None
    leaf = tls.end_entity
    protocol, _, version = (tls.version or "").partition("v")
    return {
        "established": probe.stage(Stage.HANDSHAKE).condition is Condition.MET,
        "version": (version if "." in version else f"{version}.0") if version else None,
        "version_protocol": protocol.lower() or None,
        "cipher": tls.cipher,
        "client": {
            "server_name": probe.endpoint.server_name,
            "subject": None
            if tls.client_certificate is None
            else str(tls.client_certificate.subject),
        },
        "server": None
        if leaf is None
        else {
            "issuer": str(leaf.issuer),
            "subject": str(leaf.subject),
            "not_before": None if leaf.not_before is None else write_moment(leaf.not_before),
            "not_after": None if leaf.not_after is None else write_moment(leaf.not_after),
            "hash": {"sha256": None if leaf.sha256 is None else leaf.sha256.upper()},
            # RFC 7468 armour off: ECS wants the base64 alone.
            "certificate_chain": [
                re.sub(r"-----[^-]*-----|\s", "", c.pem) for c in tls.received_chain if c.pem
            ],
        },
    }


def _error(case: Case, probe: ProbeResult | None) -> dict[str, Json] | None:
    block = case.block
    condition = None if probe is None else _broken(probe)
    if block is None and condition is None:
        return None
    return {
        "code": None if block is None else block.root.name,
        "message": None if block is None else block.root.message,
        "type": None if condition is None else condition.value,
    }


def _date(text: str | None) -> str | None:
    """A moment of a log in the form that a pipeline reads; ``None`` for what has no zone."""
    if text is None:
        return None
    try:
        # Agents write the milliseconds behind a colon: 2018-08-16T22:04:16:969-03:00.
        moment = datetime.fromisoformat(re.sub(r"(T\d\d:\d\d:\d\d):", r"\1.", text))
    except ValueError:
        return None
    return write_moment(moment) if moment.tzinfo else None


def _without_gaps(value: Json) -> Json:
    """``value`` without nulls and what is empty without them."""
    if not isinstance(value, dict):
        return value
    kept = {k: _without_gaps(v) for k, v in value.items() if v is not None}
    return {k: v for k, v in kept.items() if v not in ({}, [])}
