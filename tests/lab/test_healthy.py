"""Servers that are as they should be, in every variation: nobody may be accused of intercepting.

And servers that answer in TLS, or nearly so, and are at fault themselves.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pki import Issued
from situations import Answer, Expected
from tls_peers import (
    ACCUSING,
    HOST,
    NEAR,
    NGINX,
    OPENSSL,
    STORAGE,
    STUNNEL,
    TELLING,
    Servers,
    Visit,
    answer_all,
    healthy,
    rejected,
    sends,
    server_parts,
    servers,
    signed,
)

from diagnoser.model import Category, Condition, Stage, Standing

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="needs nginx and openssl"),
]

DAY = timedelta(days=1)
YEAR = 365 * DAY
WILD = pki.name(("CN", "*.acronis.com"))


@dataclass(frozen=True, slots=True)
class Situation:
    """How the server is made, how it is visited, and how that must end."""

    make: Callable[[Servers], str]
    expected: Expected
    visit: Visit = field(default_factory=Visit)


# --- chains that are odd and right --------------------------------------------------------------


@cache
def older_root() -> Issued:
    """(older root): in a store that does not have the newer one yet"""
    name = pki.name(("C", "US"), ("O", "Example Trust Services"), ("CN", "Example Root R0"))
    made = pki.issue(
        name, None, authority=True, since=pki.NOW - 20 * YEAR, until=pki.NOW + 5 * YEAR
    )
    return replace(made, sent=())


@cache
def cross() -> Issued:
    """cross certificate of the public root's name and key <- (older root)"""
    root = pki.public_root()
    parts = [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(root.key.public_key()), False),
    ]
    return signed(root.subject, older_root(), *parts, key=root.key)


def cross_signed() -> Issued:
    """leaf <- intermediate <- cross certificate <- (older root)"""
    return sends(pki.management(), pki.public_intermediate(), cross())


def long_chain() -> Issued:
    """leaf <- five intermediates <- (root)"""
    above = pki.public_root()
    for number in range(5):
        name = pki.name(("O", "Example Trust Services"), ("CN", f"Example Level {number}"))
        above = pki.issue(name, above, authority=True)
    return pki.issue(
        WILD, above, names=("*.acronis.com",), logged=(pki.NOW - YEAR / 2,), pointers=True
    )


@cache
def plain_root() -> Issued:
    """(root as of 1999): no key identifiers, basicConstraints not critical, no keyUsage"""
    name = pki.name(("C", "US"), ("O", "Example Old Trust"), ("CN", "Example Class 3 Root"))
    made = signed(name, None, (x509.BasicConstraints(ca=True, path_length=None), False))
    return replace(made, sent=())


def below_plain_root() -> Issued:
    """leaf without key identifiers <- (root as of 1999): refused by VERIFY_X509_STRICT alone"""
    return signed(WILD, plain_root(), *server_parts("*.acronis.com"))


def newborn() -> Issued:
    """leaf of an hour ago, logged <- intermediate <- (root): renewed every few days"""
    return pki.issue(
        WILD, pki.public_intermediate(), names=("*.acronis.com",),
        since=pki.NOW - timedelta(hours=1), until=pki.NOW + 6 * DAY,
        logged=(pki.NOW - timedelta(hours=1),), pointers=True,
    )  # fmt: skip


@cache
def new_public_authority() -> Issued:
    """(public CA that is younger than the bundle)"""
    name = pki.name(("C", "CH"), ("O", "Nova Public Trust"), ("CN", "Nova TLS CA 1"))
    return replace(pki.issue(name, None, authority=True, until=pki.NOW + 5 * YEAR), sent=())


def by_new_public_authority() -> Issued:
    """leaf, logged <- (public CA that is younger than the bundle)"""
    return pki.issue(
        WILD, new_public_authority(), names=("*.acronis.com",), logged=(pki.NOW - 30 * DAY,),
        pointers=True,
    )  # fmt: skip


def with_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *names: str) -> Issued:
    """leaf with this key <- intermediate <- (root)"""
    return signed(
        WILD, pki.public_intermediate(), *server_parts(*(names or ("*.acronis.com",))), key=key
    )


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def company_server(*names: str, since: timedelta = 300 * DAY) -> Issued:
    """leaf for a server of the customer's own <- (the company's CA)"""
    return pki.issue(
        pki.name(("CN", names[0])), pki.corporate_root(), names=names, since=pki.NOW - since,
        with_issuer=False,
    )  # fmt: skip


# --- servers ------------------------------------------------------------------------------------


def served(issued: Callable[[], Issued], **directives: str) -> Callable[[Servers], str]:
    return lambda place: place.nginx(issued(), **directives)


def wanting_certificate(
    issued: Callable[[], Issued], authority: Callable[[], Issued], how: str
) -> Callable[[Servers], str]:
    def make(place: Servers) -> str:
        path = place.write(f"{how}-{id(authority)}.pem", authority().pem)
        return place.nginx(issued(), ssl_verify_client=how, ssl_client_certificate=str(path))

    return make


def stapled(place: Servers) -> str:
    leaf = pki.management()
    staple = pki.staple(leaf, pki.public_intermediate(), revoked=False)
    path = place.write("good.der", staple)
    trusted = place.write("above.pem", pki.public_intermediate().pem + pki.public_root().pem)
    return place.nginx(
        leaf, ssl_stapling="on", ssl_stapling_file=str(path), ssl_trusted_certificate=str(trusted)
    )


def strictly_named(place: Servers) -> str:
    """nginx that answers a name it does not have with unrecognized_name(112), as a CDN does."""
    where = place.nginx(sends(pki.management()), server_name=HOST)
    place.nginx(at=where, listen="default_server", ssl_reject_handshake="on")
    return where


def by_ipv6(place: Servers) -> str:
    port = place.place().rpartition(":")[2]
    return place.nginx(pki.management(), at=f"[::1]:{port}")


def behind_stunnel(place: Servers) -> str:
    outer = place.place()
    chain, key = place.files(pki.management())
    path = place.write(
        "stunnel.conf",
        f"foreground = yes\npid =\n[front]\naccept = {outer}\nconnect = {place.address}:19999\n"
        f"cert = {chain}\nkey = {key}\n",
    )
    place.start(str(STUNNEL), str(path))
    return outer


def slowly(place: Servers) -> str:
    """nginx behind a relay that holds every chunk for 150 ms."""
    inner, outer = place.nginx(pki.management()), place.place()
    threading.Thread(target=asyncio.run, args=(_relay(outer, inner, 0.15),), daemon=True).start()
    return outer


async def _relay(outer: str, inner: str, pause: float) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(pause)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, _, port = inner.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(address, int(port))
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    address, _, port = outer.rpartition(":")
    server = await asyncio.start_server(serve, address, int(port))
    async with server:
        await asyncio.sleep(45)


def storage_visit(**more: object) -> Visit:
    return replace(Visit(host=STORAGE, port=44445), **more)  # type: ignore[arg-type]


MANAGEMENT = Visit()
ON_PREMISES = "backup01.contoso.example"

HEALTHY = {
    "two-intermediates-sent": Situation(served(pki.management), healthy()),
    "wildcard-name": Situation(
        served(pki.management), healthy(), Visit(host="eu2-cloud.acronis.com", port=443)
    ),
    "storage-private-ca-asks": Situation(
        wanting_certificate(pki.storage, pki.client_authority, "optional_no_ca"),
        rejected("endpoint-healthy", (18, 19, 20, 21), excluded=("tls-intercepted",),
                 client_certificate="not-sent"),
        storage_visit(),
    ),
    "storage-private-ca-pinned": Situation(
        wanting_certificate(pki.storage, pki.client_authority, "optional_no_ca"),
        healthy(),
        storage_visit(anchor=pki.storage_authority().pem),
    ),
    "storage-private-ca-leaf-only": Situation(
        wanting_certificate(
            lambda: sends(pki.storage()), pki.client_authority, "optional_no_ca"
        ),
        rejected("endpoint-healthy", (20, 21), excluded=("tls-intercepted",)),
        storage_visit(),
    ),
    "cross-signed-newer-root-known": Situation(served(cross_signed), healthy()),
    "cross-signed-older-root-known": Situation(
        served(cross_signed), healthy(), Visit(public=older_root().pem)
    ),
    "root-in-the-middle": Situation(
        served(lambda: sends(pki.management(), pki.public_root(), pki.public_intermediate())),
        healthy(),
    ),
    "root-sent-last": Situation(
        served(lambda: sends(pki.management(), pki.public_intermediate(), pki.public_root())),
        healthy(),
    ),
    "stray-certificate-sent": Situation(
        served(lambda: sends(
            pki.management(), pki.corporate_root(), pki.fortinet_authority(),
            pki.public_intermediate(),
        )),
        healthy(),
    ),
    "leaf-sent-twice": Situation(
        served(lambda: sends(pki.management(), pki.management(), pki.public_intermediate())),
        healthy(),
    ),
    "long-chain": Situation(served(long_chain), healthy()),
    "root-of-1999": Situation(
        served(below_plain_root), healthy(), Visit(public=plain_root().pem)
    ),
    "issued-an-hour-ago": Situation(served(newborn), healthy()),
    "new-public-ca": Situation(
        served(by_new_public_authority),
        rejected("root-not-trusted", (20, 21), Standing.SUSPECTED),
    ),
    "new-public-ca-known-here": Situation(
        served(by_new_public_authority),
        Expected(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "", error=(20, 21)),
        Visit(system=pki.public_root().pem + new_public_authority().pem),
    ),
    "root-missing-here-only": Situation(
        served(pki.management),
        Expected(Stage.VERIFY, Condition.MET, "root-not-trusted", Standing.SUSPECTED),
        Visit(system=pki.corporate_root().pem),
    ),
    "certificate-optional": Situation(
        wanting_certificate(pki.management, pki.client_authority, "optional_no_ca"),
        healthy(client_certificate="not-sent"),
    ),
    "ecdsa-and-rsa": Situation(
        lambda place: place.nginx(pki.management(), with_key(rsa_key())), healthy()
    ),
    "rsa-only": Situation(served(lambda: with_key(rsa_key())), healthy()),
    "p-384": Situation(
        served(lambda: with_key(ec.generate_private_key(ec.SECP384R1()))), healthy()
    ),
    "ed25519": Situation(
        served(lambda: with_key(ed25519.Ed25519PrivateKey.generate())), healthy()  # type: ignore[arg-type]
    ),
    "no-session-tickets": Situation(
        served(pki.management, ssl_session_tickets="off", ssl_session_cache="shared:s:1m"),
        healthy(),
    ),
    "staple-says-good": Situation(stapled, healthy()),
    "ipv6-only": Situation(by_ipv6, healthy()),
    "slow": Situation(slowly, healthy()),
    "http-2": Situation(served(pki.management, listen="http2"), healthy()),
    "tls-1.2-only": Situation(
        served(pki.management, ssl_protocols="TLSv1.2"), healthy(version="TLSv1.2")
    ),
    "tls-1.3-only": Situation(
        served(pki.management, ssl_protocols="TLSv1.3"), healthy(version="TLSv1.3")
    ),
    "only-cbc-ciphers": Situation(
        served(pki.management, ssl_protocols="TLSv1.2",
               ssl_ciphers="ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
        healthy(version="TLSv1.2"),
    ),
    "strict-about-names": Situation(
        strictly_named, rejected("root-not-trusted", (20, 21), Standing.SUSPECTED)
    ),
    "answers-503": Situation(served(pki.management, answer="return 503"), healthy()),
    "backend-wants-tls": Situation(
        # A load balancer that talks plain HTTP to a TLS port passes nginx's own 400 on.
        lambda place: place.nginx(
            pki.management(),
            answer=f"proxy_pass http://{place.nginx(pki.management())}",
        ),
        healthy(),
    ),
    "storage-on-443": Situation(
        wanting_certificate(pki.storage, pki.client_authority, "optional_no_ca"),
        rejected("endpoint-healthy", (18, 19, 20, 21), excluded=("tls-intercepted",)),
        Visit(host=STORAGE, port=443),
    ),
    "storage-of-a-partner": Situation(
        wanting_certificate(
            lambda: company_server("backup.partner.example"), pki.client_authority, "optional_no_ca"
        ),
        healthy(),
        Visit(host="backup.partner.example", port=44445, anchor=pki.corporate_root().pem),
    ),
    "address-in-the-certificate": Situation(
        served(lambda: company_server("10.20.30.40", ON_PREMISES)),
        healthy(),
        Visit(host="10.20.30.40", port=9877, anchor=pki.corporate_root().pem),
    ),
    "on-premises-company-ca": Situation(
        served(lambda: company_server(ON_PREMISES)),
        rejected("root-not-trusted", (20, 21), Standing.SUSPECTED),
        Visit(host=ON_PREMISES, port=9877),
    ),
    "on-premises-company-ca-trusted-here": Situation(
        served(lambda: company_server(ON_PREMISES, since=DAY)),
        Expected(Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "", error=(20, 21)),
        Visit(
            host=ON_PREMISES, port=9877,
            system=pki.public_root().pem + pki.corporate_root().pem,
        ),
    ),
    "on-premises-self-signed": Situation(
        served(lambda: pki.issue(
            pki.name(("CN", ON_PREMISES)), None, names=(ON_PREMISES,), since=pki.NOW - DAY
        )),
        rejected("root-not-trusted", 18, Standing.SUSPECTED),
        Visit(host=ON_PREMISES, port=9877),
    ),
}  # fmt: skip
if STUNNEL is not None:
    HEALTHY["behind-stunnel"] = Situation(behind_stunnel, healthy())


# --- not healthy, and nobody's interception either ----------------------------------------------


def old(version: str) -> Callable[[Servers], str]:
    def make(place: Servers) -> str:
        weak = ("-cipher", "DEFAULT@SECLEVEL=0")
        return place.s_server(with_key(rsa_key()), version, *weak)[0]

    return make


def refusing_every_name(place: Servers) -> str:
    return place.nginx(ssl_reject_handshake="on")


UNAVAILABLE = (
    "Error code: 4\nModule: 1\n"
    f'Fields: {{"$module":"mms","address":"{HOST}","port":"8443","httpStatus":"503"}}\n'
    "Message: HTTP request failed with status 503 (Service Unavailable).\n"
)


def fault(
    condition: Condition, cause: str, error: int | None, *excluded: str, **evidence: str
) -> Expected:
    return Expected(
        Stage.HANDSHAKE, condition, cause, error=error, evidence=evidence,
        excluded=("port-closed", "port-filtered", "handshake-blocked", "handshake-stalled",
                  *excluded),
    )  # fmt: skip


AT_FAULT = {
    "tls-1.0-only": Situation(
        old("-tls1"),
        fault(Condition.FATAL_ALERT, "protocol-too-old", 70, "not-tls", "alert-received",
              alert="protocol_version(70)"),
    ),
    "tls-1.1-only": Situation(
        old("-tls1_1"),
        fault(Condition.FATAL_ALERT, "protocol-too-old", 70, "not-tls", "alert-received"),
    ),
    "nginx-tls-1.0-only": Situation(
        served(lambda: with_key(rsa_key()), ssl_protocols="TLSv1"),
        fault(Condition.FATAL_ALERT, "protocol-too-old", 70, "not-tls", "alert-received"),
    ),
    "no-common-cipher": Situation(
        # An ECDSA certificate cannot serve a cipher for RSA keys.
        served(pki.management, ssl_protocols="TLSv1.2", ssl_ciphers="AES128-SHA:@SECLEVEL=0"),
        fault(Condition.FATAL_ALERT, "alert-received", 40, "not-tls", "protocol-too-old",
              alert="handshake_failure(40)"),
    ),
    "name-refused": Situation(
        refusing_every_name,
        fault(Condition.FATAL_ALERT, "alert-received", 112, "not-tls", "protocol-too-old",
              alert="unrecognized_name(112)"),
    ),
    "plain-http-on-the-port": Situation(
        lambda place: f"{place.address}:19999",
        fault(Condition.NOT_TLS, "not-tls", None, "alert-received"),
    ),
    "error-says-503": Situation(
        served(pki.management, answer="return 503"),
        Expected(Stage.VERIFY, Condition.MET, "server-side", evidence={"http_status": "503"},
                 excluded=NEAR),
        Visit(text=UNAVAILABLE),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed several at a time."""
    with servers(tmp_path_factory, "healthy") as place:
        made = {**HEALTHY, **AT_FAULT}
        places = {key: s.make(place) for key, s in made.items()}
        place.begin(*(p for p in places.values()))
        visits = [replace(s.visit, at=places[key]) for key, s in made.items()]
        yield dict(zip(made, answer_all(visits), strict=True))


@pytest.mark.parametrize("key", HEALTHY)
def test_nobody_is_accused(answers: dict[str, Answer], key: str) -> None:
    answer, expected = answers[key], HEALTHY[key].expected
    accused = [
        v for v in answer.diagnosis.verdicts
        if v.category is Category.MITM_CERTIFICATE and v.finding.standing in TELLING
    ]  # fmt: skip
    assert not accused
    assert {answer.finding(r).standing for r in ACCUSING} <= {
        Standing.RULED_OUT,
        Standing.UNDECIDED,
    }
    if expected.cause:
        expected.check(answer)
    else:
        # Known here and nowhere else, and nothing speaks against it: nothing is claimed.
        assert answer.diagnosis.cause is None
        assert answer.probe.stage(expected.stage).condition is expected.condition
    assert answer.seconds < 8


@pytest.mark.parametrize("key", AT_FAULT)
def test_the_fault_is_told_for_what_it_is(answers: dict[str, Answer], key: str) -> None:
    AT_FAULT[key].expected.check(answers[key])


def test_a_plain_answer_is_quoted(answers: dict[str, Answer]) -> None:
    quoted = answers["plain-http-on-the-port"].facts("not-tls")["clear_text"]
    assert quoted.startswith("HTTP/1.1 400 Bad Request")
