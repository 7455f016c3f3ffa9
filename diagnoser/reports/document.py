"""The JSON report: the contract that tools build on. ``schema`` 1; unknown values are null."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256

from diagnoser.catalog import Words
from diagnoser.model import (
    Case,
    CertificateFacts,
    Diagnosis,
    Endpoint,
    ErrorBlock,
    ErrorFrame,
    Evidence,
    Name,
    ProbeResult,
    Recognition,
    Report,
    Skipped,
    TcpFlow,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.reports.wording import standing_of, tell

SCHEMA = 1

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def render(report: Report, words: Words) -> str:
    """The whole report as one JSON object, keys in a fixed order."""
    document: Json = {
        "schema": SCHEMA,
        "tool": {"name": "diagnoser", "version": report.version},
        "generated_at": _time(report.generated_at),
        "vantage": {
            "hostname": report.vantage.hostname,
            "system": report.vantage.system,
            "trust_store": report.vantage.trust_store,
        },
        "cases": [_case(d, report, words) for d in report.diagnoses],
        "skipped": [_skipped(s) for s in report.skipped]
        + [_skipped(s) for d in report.diagnoses for s in d.case.skipped],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _skipped(skipped: Skipped) -> Json:
    return {"source": skipped.source, "reason": skipped.reason}


def identify(case: Case) -> str:
    """A short id that is the same for the same error at the same endpoints."""
    chain = [f.name for f in case.block.frames] if case.block else []
    seed = "|".join([*chain, *(str(e) for e in case.endpoints)])
    return sha256(seed.encode()).hexdigest()[:12]


def _case(diagnosis: Diagnosis, report: Report, words: Words) -> Json:
    case, cause = diagnosis.case, diagnosis.cause
    told = tell(diagnosis, report, words)
    probes = {p.endpoint.key: p for p in case.probes}
    return {
        "id": identify(case),
        "count": case.count,
        "first_seen": case.first_seen,
        "last_seen": case.last_seen,
        "block": None if case.block is None else _block(case.block, case.recognised),
        "endpoints": [_endpoint(e, probes.get(e.key)) for e in case.endpoints],
        "symptom": None if diagnosis.symptom is None else diagnosis.symptom.value,
        "cause": None if cause is None else cause.rule,
        "category": "unknown" if cause is None else cause.category.value,
        "standing": standing_of(diagnosis).value,
        "summary": told.summary,
        "remedy": list(told.remedy),
        "reproduce": list(told.reproduce),
        "verdicts": [
            {
                "rule": v.rule,
                "category": v.category.value,
                "standing": v.finding.standing.value,
                "evidence": [_evidence(e) for e in v.finding.evidence],
            }
            for v in diagnosis.verdicts
        ],
    }


def _evidence(evidence: Evidence) -> Json:
    return {"fact": evidence.fact, "value": evidence.value, "origin": evidence.origin}


def _block(block: ErrorBlock, recognised: tuple[Recognition, ...]) -> Json:
    return {
        "form": block.form,
        "language": block.language,
        "source": block.at.source,
        "line": block.at.line,
        "damage": list(block.damage),
        "frames": [_frame(f) for f in block.frames],
        "recognised": [_recognition(r) for r in recognised],
    }


def _recognition(recognition: Recognition) -> Json:
    return {
        "table": recognition.table,
        "key": recognition.key,
        "evidence": [_evidence(e) for e in recognition.evidence],
        "suspects": list(recognition.suspects),
        "symptom": None if recognition.symptom is None else recognition.symptom.value,
        "proven": recognition.proven,
        "wrapper": recognition.wrapper,
    }


def _frame(frame: ErrorFrame) -> Json:
    # Inner fields carry their way in, so that they cannot shadow the block's own.
    fields: dict[str, Json] = {}
    for field in frame.fields:
        fields[f"{field.path}/{field.key}" if field.path else field.key] = field.value
    return {
        "module": frame.module,
        "code": frame.code,
        "packed": f"0x{frame.packed:08x}",
        "line_info": frame.line_info,
        "fields": fields,
        "message": frame.message,
        "line": frame.at.line,
    }


def _endpoint(endpoint: Endpoint, probe: ProbeResult | None) -> Json:
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "role": endpoint.role.value,
        "server_name": endpoint.server_name,
        "client_certificate": endpoint.client_certificate,
        "transport": endpoint.transport.value,
        "derivation": [_evidence(e) for e in endpoint.derivation],
        "probe": None if probe is None else _probe(probe),
    }


def _probe(probe: ProbeResult) -> Json:
    return {
        "origin": probe.origin.value,
        "at": _time(probe.at),
        "vantage": probe.vantage,
        "proxy": probe.proxy,
        "stages": [
            {
                "stage": s.stage.value,
                "condition": s.condition.value,
                "detail": s.detail,
                "seconds": s.seconds,
                "error": s.error,
            }
            for s in probe.stages
        ],
        "addresses": [
            {
                "address": a.address,
                "port": a.port,
                "condition": a.condition.value,
                "seconds": a.seconds,
                "error": a.error,
            }
            for a in probe.addresses
        ],
        "lookup": None
        if probe.lookup is None
        else {
            "addresses": list(probe.lookup.addresses),
            "hosts_file": list(probe.lookup.hosts_file),
        },
        "tls": None if probe.tls is None else _tls(probe.tls),
        "controls": [
            {
                "control": c.control.value,
                "question": c.question,
                "condition": c.condition.value,
                "detail": c.detail,
                "certificate": None if c.certificate is None else _certificate(c.certificate),
                "answered_at": _time(c.answered_at),
            }
            for c in probe.controls
        ],
    }


def _tls(tls: TlsFacts) -> Json:
    alert = tls.alert
    first = next((v for s in _OPINION_ORDER if (v := tls.verified_by(s))), None)
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "group": tls.group,
        "alert": None
        if alert is None
        else {
            "level": alert.level,
            "number": alert.number,
            "name": alert.name,
            "direction": alert.direction.value,
        },
        "verify": None if first is None else _verified(first),
        "opinions": [_verified(v) for v in tls.verify],
        "verify_errors": [_verified(v) for v in tls.verify_errors],
        "received_chain": [_certificate(c) for c in tls.received_chain],
        "client_certificate_requested": tls.client_certificate_requested,
        "client_certificate_sent": tls.client_certificate_sent,
        "client_ca_names": [_name(n) for n in tls.client_ca_names],
        "aftermath": None if tls.aftermath is None else tls.aftermath.value,
        "bytes_sent": tls.bytes_sent,
        "bytes_received": tls.bytes_received,
        "clear_text": tls.clear_text,
        "ocsp": tls.ocsp,
        "flow": None if tls.flow is None else _flow(tls.flow),
        "client_certificate": None
        if tls.client_certificate is None
        else _certificate(tls.client_certificate),
        "client_certificate_source": tls.client_certificate_source,
    }


def _flow(flow: TcpFlow) -> Json:
    return {
        "unacknowledged": flow.unacknowledged,
        "selectively_acknowledged": flow.selectively_acknowledged,
        "retransmitted": flow.retransmitted,
        "bytes_acknowledged": flow.bytes_acknowledged,
        "out_of_order": flow.out_of_order,
    }


# ``verify`` is the opinion that weighs most for the role; ``opinions`` holds all of them.
_OPINION_ORDER = (TrustStore.ROLE, TrustStore.MOZILLA, TrustStore.SYSTEM)


def _verified(result: VerifyResult) -> Json:
    return {
        "code": result.code,
        "name": result.name,
        "trust_store": result.trust_store.value,
        "depth": result.depth,
    }


def _name(name: Name) -> Json:
    """An object keyed by short names; a repeated attribute becomes a list."""
    found: dict[str, Json] = {}
    for key in dict.fromkeys(a.key for a in name.attributes):
        values = name.values(key)
        found[key] = values[0] if len(values) == 1 else list(values)
    return found


def _certificate(certificate: CertificateFacts) -> Json:
    c = certificate
    return {
        "subject": _name(c.subject),
        "issuer": _name(c.issuer),
        "serial": c.serial,
        "not_before": _time(c.not_before),
        "not_after": _time(c.not_after),
        "dns_names": None if c.dns_names is None else list(c.dns_names),
        "ip_addresses": None if c.ip_addresses is None else list(c.ip_addresses),
        "sha256": c.sha256,
        "key_sha256": c.key_sha256,
        "key": c.key,
        "signature_hash": c.signature_hash,
        "is_authority": c.is_authority,
        "authority_key_identifier": c.authority_key_identifier,
        "subject_key_identifier": c.subject_key_identifier,
        "timestamps": None if c.timestamps is None else [_time(t) for t in c.timestamps],
        "has_revocation_pointers": c.has_revocation_pointers,
        "pem": c.pem,
    }
