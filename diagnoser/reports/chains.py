"""The chain that arrived and the chain that should have, ready to be drawn side by side."""

from __future__ import annotations

from diagnoser import catalog
from diagnoser.catalog import Words
from diagnoser.model import Category, CertificateFacts, Diagnosis, Name, ProbeResult
from diagnoser.reports.pictures import Link
from diagnoser.scrutiny import expectation, scrutinise

_SHOWN = ("CN", "O", "OU")


def received_links(probe: ProbeResult, diagnosis: Diagnosis, words: Words) -> tuple[Link, ...]:
    """The received certificates, and the issuer of the last if it did not come along."""
    certificates = probe.tls.received_chain if probe.tls else ()
    if not certificates:
        return ()
    foreign = certificates[0].issuer if _is_foreign(probe, diagnosis) else None
    links = [_link(c, foreign, words) for c in certificates]
    last = certificates[-1]
    if not last.is_self_issued:
        is_foreign = last.issuer == foreign
        note = words.phrases["not_received"]
        if is_foreign:
            note = f"{words.phrases['foreign_issuer']} ({note})"
        links.append(Link(_lines(last.issuer), note, is_foreign, is_absent=True))
    return tuple(links)


def expected_links(probe: ProbeResult, words: Words) -> tuple[Link, ...]:
    """What the catalogue expects of the endpoint's role; nothing where it expects nothing."""
    say = words.phrases
    leaf = Link((probe.endpoint.server_name or probe.endpoint.host,))
    kind = expectation(probe.endpoint.role).issuer
    if kind == "public":
        return (leaf, Link((say["expected_public"],)), Link((say["expected_public_root"],)))
    if kind == "acronis-storage":
        return (leaf, Link((say["expected_storage"],)))
    return ()


def _is_foreign(probe: ProbeResult, diagnosis: Diagnosis) -> bool:
    """The chain was proven to be another's, or the verdict on the case says so."""
    seen = scrutinise(probe)
    if seen is None or seen.is_genuine:
        return False
    cause = diagnosis.cause
    blamed = cause is not None and cause.category is Category.MITM_CERTIFICATE
    return seen.is_genuine is False or (
        blamed and catalog.expected_issuer(seen.leaf.issuer) is None
    )


def _link(certificate: CertificateFacts, foreign: Name | None, words: Words) -> Link:
    is_foreign = foreign is not None and certificate.subject == foreign
    lines = _lines(certificate.subject)
    first, last = certificate.not_before, certificate.not_after
    if first and last:
        lines = (*lines, f"{first:%Y-%m-%d} – {last:%Y-%m-%d}")
    return Link(lines, words.phrases["foreign_issuer"] if is_foreign else "", is_foreign)


def _lines(name: Name) -> tuple[str, ...]:
    found = tuple(f"{k}={v}" for k in _SHOWN for v in name.values(k))
    return found[:4] or (str(name) or "–",)
