"""Faults of the received chain itself, in the terms of RFC 5280 and RFC 9525."""

from __future__ import annotations

from diagnoser.identifiers import name_matches
from diagnoser.model import (
    Category,
    CertificateFacts,
    Control,
    Evidence,
    Finding,
    ProbeResult,
    Role,
    Stage,
    Standing,
    TrustStore,
)
from diagnoser.reasoning import fact, met_facts, probe_rule
from diagnoser.scrutiny import Scrutiny, scrutinise, weaknesses

_NO_ISSUER = (20, 21)
_UNTRUSTED = (2, 18, 19, 20, 21, 27)
_WEAK = (66, 67, 68)
_EXPIRED, _REVOKED, _OTHER_NAME = 10, 23, 62


def _no_chain(probe: ProbeResult) -> Finding:
    return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))


def _no_chain_but(probe: ProbeResult, code: int) -> Finding:
    """Without a certificate to look at, whoever refused it told the verify code: a suspicion."""
    found = _no_chain(probe)
    verify = probe.tls.verify if probe.tls else ()
    if probe.tls is None or probe.tls.received_chain or all(v.code != code for v in verify):
        return found
    return Finding(Standing.SUSPECTED, found.evidence + _opinions(probe))


def _leaf_facts(probe: ProbeResult, leaf: CertificateFacts) -> tuple[Evidence, ...]:
    return (
        fact(probe, Stage.VERIFY, "host", probe.endpoint.host),
        fact(probe, Stage.VERIFY, "port", probe.endpoint.port),
        fact(probe, Stage.VERIFY, "subject", leaf.subject),
        fact(probe, Stage.VERIFY, "issuer", leaf.issuer),
    )


def _opinions(probe: ProbeResult) -> tuple[Evidence, ...]:
    if probe.tls is None:
        return ()
    return tuple(
        fact(probe, Stage.VERIFY, f"verify_{v.trust_store.value}", f"{v.name} ({v.code})")
        for v in probe.tls.verify
    )


@probe_rule(Category.CERTIFICATE)
def certificate_expired(probe: ProbeResult) -> Finding:
    """A certificate of the received chain is past its notAfter date.

    Decided by: the date itself, believed only where the server's clock agrees with ours;
    otherwise suspected (RFC 5280 section 4.1.2.5).
    Not to be confused with: a wrong clock on this machine, ``clock-wrong``.
    """
    chain = probe.tls.received_chain if probe.tls else ()
    if not any(c.not_after for c in chain):
        return _no_chain_but(probe, _EXPIRED)
    shown = (
        *_leaf_facts(probe, chain[0]),
        fact(probe, Stage.VERIFY, "machine_time", probe.at),
    )
    # A root that was sent along and has expired harms nobody: anchors are taken from the store.
    over = [
        (n, c)
        for n, c in enumerate(chain)
        if c.not_after is not None and c.not_after < probe.at and (n == 0 or not c.is_self_issued)
    ]
    if not over:
        return Finding(Standing.RULED_OUT, shown)
    depth, certificate = over[0]
    shown = (
        *shown,
        fact(probe, Stage.VERIFY, "expired_subject", certificate.subject),
        fact(probe, Stage.VERIFY, "not_after", certificate.not_after),
        fact(probe, Stage.VERIFY, "depth", depth),
    )
    control = probe.control(Control.SERVER_CLOCK)
    if control is not None and control.answered_at is not None:
        shown = (*shown, fact(probe, Stage.VERIFY, "server_time", control.answered_at))
        past = certificate.not_after is not None and certificate.not_after < control.answered_at
        return Finding(Standing.APPLIES if past else Standing.RULED_OUT, shown)
    return Finding(Standing.SUSPECTED, shown)


@probe_rule(Category.CERTIFICATE)
def name_mismatch(probe: ProbeResult) -> Finding:
    """The certificate does not name the host that was asked for.

    Decided by: no presented identifier matches the reference identifier (RFC 9525 section 6).
    Acronis storage presents "Front End Server" and is not checked by name. Who issued it tells
    where the connection ended. Undecided where another name was sent (``-servername``) than the
    host's: to that a server may well answer with its default certificate.
    Not to be confused with: the firewall's own certificate, ``box-certificate``.
    """
    leaf = probe.tls.end_entity if probe.tls else None
    if leaf is None or leaf.dns_names is None or probe.asked_name is None:
        return _no_chain(probe) if probe.asks_otherwise else _no_chain_but(probe, _OTHER_NAME)
    shown = (
        *_leaf_facts(probe, leaf),
        fact(probe, Stage.VERIFY, "presented_names", ", ".join(leaf.dns_names) or "none"),
    )
    if probe.endpoint.role is Role.STORAGE or name_matches(probe.asked_name, leaf):
        return Finding(Standing.RULED_OUT, shown)
    if probe.asks_otherwise:
        return Finding(Standing.UNDECIDED, shown)
    return Finding(Standing.APPLIES, shown)


@probe_rule(Category.CERTIFICATE)
def intermediate_missing(probe: ProbeResult) -> Finding:
    """The server sends its own certificate without the intermediate that signed it.

    Decided by: the issuer is a public CA, it was not sent, and no store can bridge the gap
    (X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY). Certain only if the certificate was publicly
    logged and the peer does not mint certificates; ruled out where it points to a key that the
    named CA does not have.
    Not to be confused with: an interceptor that sends its leaf alone, the same verify code.
    """
    seen = scrutinise(probe)
    if seen is None or probe.tls is None:
        return _no_chain(probe)
    public = probe.tls.verified_by(TrustStore.MOZILLA)
    shown = (*_leaf_facts(probe, seen.leaf), *_opinions(probe))
    sent = any(c.subject == seen.leaf.issuer for c in probe.tls.received_chain[1:])
    if public is None:
        return Finding(Standing.UNDECIDED, shown)
    if seen.has_foreign_key:
        key = fact(probe, Stage.VERIFY, "foreign_issuer_key", seen.leaf.authority_key_identifier)
        return Finding(Standing.RULED_OUT, (*shown, key))
    if public.code not in _NO_ISSUER or sent or seen.leaf.is_self_issued or seen.is_minted:
        return Finding(Standing.RULED_OUT, shown)
    if seen.issuer is None or seen.issuer.kind != "public":
        return Finding(Standing.UNDECIDED if seen.is_logged else Standing.RULED_OUT, shown)
    certain = seen.is_logged and seen.is_minted is False
    return Finding(Standing.APPLIES if certain else Standing.SUSPECTED, shown)


def _is_expected_untrusted(seen: Scrutiny) -> bool:
    return seen.role.id is Role.STORAGE or bool(seen.is_anchored)


@probe_rule(Category.CERTIFICATE)
def root_not_trusted(probe: ProbeResult) -> Finding:
    """The chain ends at a CA that this machine's store, or every public store, does not know.

    Decided by: the verify codes of the stores. Where the Mozilla bundle accepts the chain and only
    this machine does not, its store lacks the root. Suspected only, wherever interception would
    explain the same codes.
    Not to be confused with: Acronis storage, whose private CA is not trusted anywhere by design.
    """
    seen = scrutinise(probe)
    if seen is None or probe.tls is None:
        return _no_chain(probe)
    shown = (*_leaf_facts(probe, seen.leaf), *_opinions(probe))
    # Of a transcript or capture only the public stores have an opinion.
    system = probe.tls.verified_by(TrustStore.SYSTEM) or probe.tls.verified_by(TrustStore.MOZILLA)
    if system is None:
        return Finding(Standing.UNDECIDED, shown)
    if system.code not in _UNTRUSTED or _is_expected_untrusted(seen):
        return Finding(Standing.RULED_OUT, shown)
    if seen.is_public is None and seen.issuer is not None and seen.issuer.kind == "public":
        # KB 70285: an openssl without a store distrusts every chain, good ones too.
        return Finding(Standing.UNDECIDED, shown)
    sent = any(c.subject == seen.leaf.issuer for c in probe.tls.received_chain[1:])
    open_to_doubt = (
        bool(seen.is_public)
        # What the failing machine itself trusts is then not known.
        or probe.tls.verified_by(TrustStore.SYSTEM) is None
        # Self-signed is how such a server is installed.
        or seen.role.id is Role.ON_PREMISES
        # Who re-signs can copy the timestamps of the genuine certificate, and nobody here checks
        # their signatures: where a public root is expected, no other one is just unknown.
        or seen.role.issuer == "public"
        # Where the chain breaks off, nobody knows which root it would have led to.
        or (system.code in _NO_ISSUER and not sent)
    )
    return Finding(Standing.SUSPECTED if open_to_doubt else Standing.APPLIES, shown)


@probe_rule(Category.CERTIFICATE)
def certificate_revoked(probe: ProbeResult) -> Finding:
    """The CA has revoked the server's certificate.

    Decided by: the stapled OCSP answer (RFC 6960, RFC 6066 section 8); without one, undecided.
    Not to be confused with: a certificate that has run out, ``certificate-expired``.
    """
    status = probe.tls.ocsp if probe.tls else None
    shown = (
        *met_facts(probe, Stage.HANDSHAKE),
        fact(probe, Stage.VERIFY, "ocsp", status or "none"),
    )
    if status == "revoked":
        return Finding(Standing.APPLIES, shown)
    if status is None and (told := _no_chain_but(probe, _REVOKED)).standing is Standing.SUSPECTED:
        return told
    return Finding(Standing.RULED_OUT if status == "good" else Standing.UNDECIDED, shown)


@probe_rule(Category.CERTIFICATE)
def certificate_too_weak(probe: ProbeResult) -> Finding:
    """A key or signature of the chain is weaker than current TLS libraries accept.

    Decided by: an RSA key below 2048 bits, a curve below 224 bits, or a signature with MD5 or SHA-1
    (not that of a self-signed root, which nobody checks), in the certificates received; or verify
    codes 66 to 68 (EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK).
    Suspected only: which strength the agent's own library demands is not known.
    Not to be confused with: an old protocol version, ``protocol-too-old``.
    """
    tls = probe.tls
    if tls is None or not tls.received_chain:
        return _no_chain(probe)
    found = [fact(probe, Stage.VERIFY, "weakness", w) for w in weaknesses(tls)]
    weak = bool(found) or any(v.code in _WEAK for v in (*tls.verify, *tls.verify_errors))
    shown = (*_leaf_facts(probe, tls.received_chain[0]), *_opinions(probe), *found)
    return Finding(Standing.SUSPECTED if weak else Standing.RULED_OUT, shown)


RULES = (
    name_mismatch,
    certificate_expired,
    certificate_revoked,
    intermediate_missing,
    root_not_trusted,
    certificate_too_weak,
)
