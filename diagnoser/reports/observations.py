"""The part of the JSON report that tells what an endpoint showed, described key by key."""

from __future__ import annotations

from collections.abc import Iterator

from diagnoser.model import (
    AddressResult,
    Aftermath,
    Alert,
    CertificateFacts,
    Condition,
    Control,
    ControlResult,
    Direction,
    Lookup,
    Name,
    Origin,
    ProbeResult,
    Stage,
    StageResult,
    TcpFlow,
    TlsFacts,
    TrustStore,
    VerifyResult,
)
from diagnoser.reports.shapes import (
    MOMENT,
    PORT,
    REAL,
    TEXT,
    TEXTS,
    TRUTH,
    WHOLE,
    Json,
    Shape,
    many,
    maybe,
    member,
    one_of,
    record,
)

# ``verify`` is the opinion that weighs most for the role; ``opinions`` holds all of them.
_OPINION_ORDER = (TrustStore.ROLE, TrustStore.MOZILLA, TrustStore.SYSTEM, TrustStore.UNKNOWN)


def _weightiest(tls: TlsFacts) -> VerifyResult | None:
    return next((v for s in _OPINION_ORDER if (v := tls.verified_by(s))), None)


def _attributes(name: Name) -> Iterator[tuple[str, Json]]:
    """The attributes by short name; one that is repeated has all its values."""
    for key in dict.fromkeys(a.key for a in name.attributes):
        values = name.values(key)
        yield key, values[0] if len(values) == 1 else list(values)


_NAMED: Shape[Name] = Shape(
    lambda name: dict(_attributes(name)),
    lambda _: {
        "type": "object",
        "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
    },
)

_STAGE: Shape[StageResult] = record(
    "stage",
    "How one stage of a probe ended.",
    member("stage", one_of(Stage), lambda s: s.stage),
    member("condition", one_of(Condition), lambda s: s.condition),
    member("detail", TEXT, lambda s: s.detail),
    member("seconds", maybe(REAL), lambda s: s.seconds),
    member("error", maybe(WHOLE), lambda s: s.error, "errno, EAI, HTTP status or alert."),
)

_ADDRESS: Shape[AddressResult] = record(
    "address",
    "One address of the host and how the connection to it ended.",
    member("address", TEXT, lambda a: a.address),
    member("port", PORT, lambda a: a.port),
    member("condition", one_of(Condition), lambda a: a.condition),
    member("seconds", maybe(REAL), lambda a: a.seconds),
    member("error", maybe(WHOLE), lambda a: a.error),
)

_LOOKUP: Shape[Lookup] = record(
    "lookup",
    "What this machine's resolver says of the host.",
    member("addresses", TEXTS, lambda x: x.addresses),
    member("hosts_file", TEXTS, lambda x: x.hosts_file),
    member("nonsense", maybe(TEXTS), lambda x: x.nonsense, "Of a name that cannot exist."),
)

_CERTIFICATE: Shape[CertificateFacts] = record(
    "certificate",
    "One certificate. Names are objects keyed by the usual short names (C, O, OU, CN).",
    member("subject", _NAMED, lambda c: c.subject),
    member("issuer", _NAMED, lambda c: c.issuer),
    member("serial", maybe(TEXT), lambda c: c.serial, "Hexadecimal."),
    member("not_before", maybe(MOMENT), lambda c: c.not_before),
    member("not_after", maybe(MOMENT), lambda c: c.not_after),
    member("dns_names", maybe(TEXTS), lambda c: c.dns_names),
    member("ip_addresses", maybe(TEXTS), lambda c: c.ip_addresses),
    member("sha256", maybe(TEXT), lambda c: c.sha256),
    member("key_sha256", maybe(TEXT), lambda c: c.key_sha256, "Of the SubjectPublicKeyInfo."),
    member("key", maybe(TEXT), lambda c: c.key),
    member("signature_hash", maybe(TEXT), lambda c: c.signature_hash),
    member("is_authority", maybe(TRUTH), lambda c: c.is_authority),
    member("authority_key_identifier", maybe(TEXT), lambda c: c.authority_key_identifier),
    member("subject_key_identifier", maybe(TEXT), lambda c: c.subject_key_identifier),
    member("timestamps", maybe(many(MOMENT)), lambda c: c.timestamps, "Embedded SCTs (RFC 6962)."),
    member("has_revocation_pointers", maybe(TRUTH), lambda c: c.has_revocation_pointers),
    member("pem", maybe(TEXT), lambda c: c.pem, "Null also where redaction took it out."),
)

_CONTROL: Shape[ControlResult] = record(
    "control",
    "An extra exchange that decides between explanations.",
    member("control", one_of(Control), lambda c: c.control),
    member("question", TEXT, lambda c: c.question),
    member("condition", one_of(Condition), lambda c: c.condition),
    member("detail", TEXT, lambda c: c.detail),
    member("certificate", maybe(_CERTIFICATE), lambda c: c.certificate),
    member("answered_at", maybe(MOMENT), lambda c: c.answered_at),
)

_ALERT: Shape[Alert] = record(
    "alert",
    "A TLS alert (RFC 8446 section 6).",
    member("level", WHOLE, lambda a: a.level),
    member("number", WHOLE, lambda a: a.number),
    member("name", TEXT, lambda a: a.name),
    member("direction", one_of(Direction), lambda a: a.direction),
)

_VERIFIED: Shape[VerifyResult] = record(
    "verified",
    "The first fault that one trust store finds with the chain; code 0: none.",
    member("code", WHOLE, lambda v: v.code, "X509_V_ERR number of OpenSSL."),
    member("name", TEXT, lambda v: v.name),
    member("trust_store", one_of(TrustStore), lambda v: v.trust_store),
    member("depth", maybe(WHOLE), lambda v: v.depth),
)

_FLOW: Shape[TcpFlow] = record(
    "flow",
    "What the kernel knew of the connection (Linux TCP_INFO).",
    member("unacknowledged", WHOLE, lambda f: f.unacknowledged),
    member("selectively_acknowledged", WHOLE, lambda f: f.selectively_acknowledged),
    member("retransmitted", WHOLE, lambda f: f.retransmitted),
    member("bytes_acknowledged", WHOLE, lambda f: f.bytes_acknowledged),
    member("out_of_order", maybe(WHOLE), lambda f: f.out_of_order),
)

_TLS: Shape[TlsFacts] = record(
    "tls",
    "What one handshake showed, whether or not it finished.",
    member("version", maybe(TEXT), lambda t: t.version),
    member("cipher", maybe(TEXT), lambda t: t.cipher),
    member("group", maybe(TEXT), lambda t: t.group),
    member("alert", maybe(_ALERT), lambda t: t.alert),
    member("verify", maybe(_VERIFIED), _weightiest, "The opinion that weighs most."),
    member("opinions", many(_VERIFIED), lambda t: t.verify),
    member("opinions_at_server_time", many(_VERIFIED), lambda t: t.verify_at_server_time),
    member("verify_errors", many(_VERIFIED), lambda t: t.verify_errors),
    member("received_chain", many(_CERTIFICATE), lambda t: t.received_chain),
    member("client_certificate_requested", maybe(TRUTH), lambda t: t.client_certificate_requested),
    member("client_certificate_sent", TRUTH, lambda t: t.client_certificate_sent),
    member("client_ca_names", many(_NAMED), lambda t: t.client_ca_names),
    member("aftermath", maybe(one_of(Aftermath)), lambda t: t.aftermath),
    member("bytes_sent", maybe(WHOLE), lambda t: t.bytes_sent),
    member("bytes_received", maybe(WHOLE), lambda t: t.bytes_received),
    member("clear_text", maybe(TEXT), lambda t: t.clear_text, "An answer that was not TLS."),
    member("ocsp", maybe(TEXT), lambda t: t.ocsp),
    member("flow", maybe(_FLOW), lambda t: t.flow),
    member("client_certificate", maybe(_CERTIFICATE), lambda t: t.client_certificate),
    member("client_certificate_source", maybe(TEXT), lambda t: t.client_certificate_source),
    member("narrowed_by", maybe(TEXT), lambda t: t.narrowed_by, "An option such as -tls1_1."),
)

PROBE: Shape[ProbeResult] = record(
    "probe",
    "Everything that one endpoint showed; every stage stands in it once.",
    member("origin", one_of(Origin), lambda p: p.origin),
    member("at", MOMENT, lambda p: p.at),
    member("vantage", TEXT, lambda p: p.vantage),
    member("proxy", maybe(TEXT), lambda p: p.proxy),
    member("stages", many(_STAGE), lambda p: p.stages),
    member("addresses", many(_ADDRESS), lambda p: p.addresses),
    member("lookup", maybe(_LOOKUP), lambda p: p.lookup),
    member("tls", maybe(_TLS), lambda p: p.tls),
    member("controls", many(_CONTROL), lambda p: p.controls),
)
