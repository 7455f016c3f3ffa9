"""Faults of a chain itself, served by nginx and OpenSSL: each told from what looks the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pki import Issued
from situations import Answer, Expected
from tls_peers import (
    ACCUSING,
    HOST,
    NGINX,
    OPENSSL,
    TELLING,
    Servers,
    Visit,
    answer_all,
    rejected,
    sends,
    server_parts,
    servers,
    signed,
)

from diagnoser import catalog
from diagnoser.certificates import read_name
from diagnoser.model import Condition, Stage, Standing

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="needs nginx and openssl"),
]

DAY = timedelta(days=1)
YEAR = 365 * DAY
WILD = pki.name(("CN", "*.acronis.com"))
SUSPECTED, UNDECIDED = Standing.SUSPECTED, Standing.UNDECIDED
GODADDY = (
    ("C", "US"), ("ST", "Arizona"), ("L", "Scottsdale"), ("O", "GoDaddy.com, Inc."),
    ("CN", "Go Daddy Secure Certificate Authority - G2"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """What is served, and how the diagnosis must end."""

    issued: Callable[[], Issued]
    expected: Expected
    visit: Visit = field(default_factory=Visit)


# --- chains with one fault each -----------------------------------------------------------------


@cache
def named_godaddy() -> Issued:
    """(a CA under the name of Go Daddy's intermediate, with a key of its own)"""
    made = pki.issue(pki.name(*GODADDY), pki.public_root(), authority=True)
    return replace(made, sent=())


def _godaddys_own_key() -> str:
    row = catalog.intermediate(read_name(named_godaddy().subject))
    assert row is not None
    return row.keys[0]


def _pointing_to(key_id: str | None, *, logged: bool) -> Issued:
    parts = server_parts("*.acronis.com", logged=logged)
    if key_id is not None:
        pointer = x509.AuthorityKeyIdentifier(bytes.fromhex(key_id), None, None)
        parts.append((pointer, False))
    return signed(WILD, named_godaddy(), *parts)


def forgotten_intermediate() -> Issued:
    """leaf, logged, pointing to Go Daddy's own key <- (Go Daddy's intermediate)"""
    return _pointing_to(_godaddys_own_key(), logged=True)


def forgotten_and_unlogged() -> Issued:
    """leaf, never logged, pointing to Go Daddy's own key <- (Go Daddy's intermediate)"""
    return _pointing_to(_godaddys_own_key(), logged=False)


def faked_issuer() -> Issued:
    """leaf, never logged, pointing to a key of its own <- (a CA under Go Daddy's name)"""
    own = x509.SubjectKeyIdentifier.from_public_key(named_godaddy().key.public_key())
    return _pointing_to(own.digest.hex(), logged=False)


def faked_issuer_sent() -> Issued:
    """leaf as before <- a CA under Go Daddy's name <- (a root of its own)"""
    root = replace(
        pki.issue(pki.name(("O", "GoDaddy.com, Inc."), ("CN", "Root G2")), None, authority=True),
        sent=(),
    )
    above = pki.issue(pki.name(*GODADDY), root, authority=True)
    return pki.issue(WILD, above, names=("*.acronis.com",), pointers=True)


def out_of_order() -> Issued:
    """leaf, root, intermediate: as in KB 70285"""
    return sends(pki.management(), pki.public_root(), pki.public_intermediate())


@cache
def expired_intermediate() -> Issued:
    """leaf <- intermediate that ran out last week <- (root)"""
    above = pki.issue(
        pki.name(("O", "Example Trust Services"), ("CN", "Example TLS CA G1")),
        pki.public_root(), authority=True, since=pki.NOW - 5 * YEAR, until=pki.NOW - 7 * DAY,
    )  # fmt: skip
    return pki.issue(WILD, above, names=("*.acronis.com",), logged=(pki.NOW - 30 * DAY,))


def expired_root_sent() -> Issued:
    """leaf <- intermediate <- (root), and an old root sent along that ran out"""
    old = pki.issue(
        pki.name(("O", "Example Trust Services"), ("CN", "Example Root R0")), None,
        authority=True, since=pki.NOW - 20 * YEAR, until=pki.NOW - YEAR,
    )  # fmt: skip
    return sends(pki.management(), pki.public_intermediate(), old)


def short_key() -> Issued:
    """leaf with an RSA key of 1024 bits <- intermediate <- (root)"""
    key = rsa.generate_private_key(65537, 1024)
    return signed(WILD, pki.public_intermediate(), *server_parts("*.acronis.com"), key=key)


def for_clients_only() -> Issued:
    """leaf for client authentication only <- intermediate <- (root)"""
    return pki.issue(
        WILD, pki.public_intermediate(), names=("*.acronis.com",), client=True,
        logged=(pki.NOW - DAY,),
    )  # fmt: skip


def leaf_as_authority() -> Issued:
    """leaf <- another leaf, which is no CA <- intermediate <- (root)"""
    stolen = pki.issue(pki.name(("CN", "shop.example.test")), pki.public_intermediate())
    return pki.issue(WILD, stolen, names=("*.acronis.com",), logged=(pki.NOW - DAY,))


@cache
def rsa_root() -> Issued:
    """(root with an RSA key)"""
    parts = (x509.BasicConstraints(ca=True, path_length=None), True)
    name = pki.name(("O", "DigiCert Inc"), ("CN", "Example RSA Root"))
    key = rsa.generate_private_key(65537, 2048)
    return signed(name, None, parts, key=key, since=pki.NOW - YEAR, until=pki.NOW + 30 * YEAR)


def by_digest(directory: Path, digest: str) -> Issued:
    """leaf signed with an old digest <- (root), made by OpenSSL: the library refuses to"""
    root = rsa_root()
    leaf = pki.management()
    for name, content in (
        ("root.pem", root.pem), ("root.key", root.key_pem), ("leaf.key", leaf.key_pem),
        ("ext", b"subjectAltName=DNS:*.acronis.com\nextendedKeyUsage=serverAuth\n"),
    ):  # fmt: skip
        (directory / name).write_bytes(content)
    request = subprocess.run(
        [str(OPENSSL), "req", "-new", "-key", "leaf.key", "-subj", "/CN=*.acronis.com"],
        cwd=directory, check=True, capture_output=True,
    ).stdout  # fmt: skip
    made = subprocess.run(
        [str(OPENSSL), "x509", "-req", f"-{digest}", "-CA", "root.pem", "-CAkey", "root.key",
         "-days", "3650", "-set_serial", "7", "-extfile", "ext"],
        cwd=directory, check=True, capture_output=True, input=request,
    ).stdout  # fmt: skip
    certificate = x509.load_pem_x509_certificate(made)
    return Issued(certificate, leaf.key, (certificate,))


SITUATIONS = {
    "forgotten-intermediate": Situation(
        forgotten_intermediate,
        rejected("intermediate-missing", (20, 21), excluded=("name-mismatch", "certificate-expired"),
                 verify_mozilla="X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY (20)"),
    ),
    "forgotten-and-unlogged": Situation(
        forgotten_and_unlogged,
        rejected("tls-intercepted", (20, 21), SUSPECTED, accuses=True,
                 no_certificate_timestamps="yes"),
    ),
    "faked-issuer": Situation(
        faked_issuer,
        rejected("tls-intercepted", (20, 21), excluded=("intermediate-missing", "box-certificate"),
                 accuses=True),
    ),
    "faked-issuer-with-its-chain": Situation(
        faked_issuer_sent,
        rejected("tls-intercepted", (19, 20), excluded=("intermediate-missing", "box-certificate"),
                 accuses=True),
    ),
    "expired-intermediate": Situation(
        expired_intermediate,
        rejected("certificate-expired", 10, excluded=("name-mismatch", "clock-wrong"),
                 depth="1", expired_subject="O=Example Trust Services, CN=Example TLS CA G1"),
    ),
    "expired-leaf": Situation(
        pki.expired,
        rejected("certificate-expired", 10, excluded=("name-mismatch", "intermediate-missing"),
                 depth="0"),
    ),
    "wrong-name": Situation(
        pki.wrong_name,
        Expected(Stage.VERIFY, Condition.MET, "name-mismatch",
                 evidence={"presented_names": "parked.example.test"},
                 excluded=("certificate-expired", "intermediate-missing", "box-certificate")),
    ),
    "self-signed": Situation(
        pki.self_signed,
        rejected("name-mismatch", 18, excluded=("intermediate-missing", "certificate-expired")),
    ),
    "self-signed-for-the-host": Situation(
        lambda: pki.issue(pki.name(("CN", HOST)), None, names=(HOST,)),
        rejected("tls-intercepted", 18, SUSPECTED, accuses=True,
                 excluded=("intermediate-missing", "name-mismatch", "box-certificate")),
    ),
    "short-key": Situation(
        short_key,
        Expected(Stage.VERIFY, Condition.MET, "certificate-too-weak", SUSPECTED,
                 evidence={"weakness": "RSA 1024 (CN=*.acronis.com)"},
                 excluded=("root-not-trusted", "intermediate-missing")),
    ),
    "for-clients-only": Situation(
        for_clients_only, Expected(Stage.VERIFY, Condition.MET, ""),
    ),
    "signed-by-a-leaf": Situation(
        leaf_as_authority,
        Expected(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "", error=(24, 79)),
    ),
    "order-does-not-matter": Situation(
        out_of_order, Expected(Stage.VERIFY, Condition.MET, "endpoint-healthy"),
    ),
    "an-expired-root-harms-nobody": Situation(
        expired_root_sent,
        Expected(Stage.VERIFY, Condition.MET, "endpoint-healthy", excluded=("certificate-expired",)),
    ),
}  # fmt: skip


def revoked(place: Servers) -> str:
    leaf, above = pki.management(), pki.public_intermediate()
    path = place.write("revoked.der", pki.staple(leaf, above, revoked=True))
    return place.s_server(leaf, "-status_file", str(path))[0]


REVOKED = Expected(
    Stage.VERIFY, Condition.MET, "certificate-revoked", evidence={"ocsp": "revoked"},
    excluded=("certificate-expired", "intermediate-missing", "tls-intercepted"),
)  # fmt: skip


def weakly_signed(digest: str) -> Expected:
    return Expected(
        Stage.VERIFY, Condition.MET, "certificate-too-weak", SUSPECTED,
        evidence={"weakness": f"{digest} (CN=*.acronis.com)"},
        excluded=("root-not-trusted", "certificate-expired"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed several at a time."""
    with servers(tmp_path_factory, "chains") as place:
        visits = {k: (place.nginx(s.issued()), s.visit) for k, s in SITUATIONS.items()}
        visits["revoked"] = (revoked(place), Visit())
        for digest in ("sha1", "md5"):
            # A certificate that OpenSSL makes begins at the real time of the test.
            visits[digest] = (
                place.nginx(by_digest(place.directory, digest)),
                Visit(clock=None, public=rsa_root().pem),
            )
        place.begin(*(where for where, _ in visits.values()))
        made = answer_all([replace(visit, at=where) for where, visit in visits.values()])
        yield dict(zip(visits, made, strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_fault_of_the_chain_is_told(answers: dict[str, Answer], key: str) -> None:
    answer, expected = answers[key], SITUATIONS[key].expected
    if expected.cause:
        expected.check(answer)
        return
    # No rule knows this one: it is called unexplained, and neither healthy nor interception.
    assert answer.diagnosis.cause is None
    decided = answer.probe.stage(expected.stage)
    assert decided.condition is expected.condition
    assert answer.finding("unexplained").standing is Standing.APPLIES
    assert answer.finding("endpoint-healthy").standing not in TELLING
    assert {answer.finding(r).standing for r in ACCUSING} <= {UNDECIDED, Standing.RULED_OUT}


def test_a_staple_tells_that_it_was_revoked(answers: dict[str, Answer]) -> None:
    REVOKED.check(answers["revoked"])


@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_an_old_digest_is_weak_and_nothing_else(answers: dict[str, Answer], digest: str) -> None:
    weakly_signed(digest).check(answers[digest])
