"""Storage that wants the agent's certificate: OpenSSL's server refuses and accepts, and both sides
are asked what they saw.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pki import Issued
from situations import Answer, Expected
from tls_peers import (
    HOST,
    NEAR,
    OPENSSL,
    STORAGE,
    Servers,
    Visit,
    answer_all,
    presenting,
    servers,
)

from diagnoser import catalog
from diagnoser.model import Aftermath, Condition, Report, Stage, Standing, Vantage
from diagnoser.reports.wording import tell

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(OPENSSL is None, reason="no openssl program on PATH"),
]

REFUSED, MET, SUSPECTED = Condition.CLIENT_CERTIFICATE_REFUSED, Condition.MET, Standing.SUSPECTED
AGENT = pki.client().subject.rfc4514_string().partition(",")[0].removeprefix("CN=")
EVER = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))
VERSIONS = {"1.2": "-tls1_2", "1.3": "-tls1_3"}
STRICT = ("-Verify", "3", "-verify_return_error")
CLIENT = ("client-certificate-expired", "client-certificate-refused", "client-certificate-required")
FIREWALL = (*NEAR, "tls-intercepted", "intercepted-and-trusted-here", "box-certificate")


# --- agents' certificates -----------------------------------------------------------------------


def _agent(since: datetime, until: datetime, *, client: bool = True) -> Issued:
    subject = pki.client().subject
    authority = pki.client_authority()
    return pki.issue(subject, authority, client=client, since=since, until=until, with_issuer=False)


def of_the_future() -> Issued:
    """client leaf of 2045 <- (agents' CA)"""
    return _agent(datetime(2045, 1, 1, tzinfo=UTC), EVER[1])


def for_servers() -> Issued:
    """leaf that may only serve <- (agents' CA)"""
    return _agent(*EVER, client=False)


def tampered() -> Issued:
    """client leaf whose signature no longer fits <- (agents' CA)"""
    issued = pki.client()
    der = bytearray(issued.der)
    der[-1] ^= 1
    return replace(issued, certificate=x509.load_der_x509_certificate(bytes(der)))


def by_itself() -> Issued:
    """client leaf that signs itself"""
    return pki.issue(pki.client().subject, None, client=True, since=EVER[0], until=EVER[1])


def expired_and_unknown() -> Issued:
    """client leaf that ran out in 2020 <- (a CA the server does not know)"""
    return pki.issue(
        pki.client().subject, pki.corporate_root(), client=True, since=EVER[0],
        until=datetime(2020, 1, 1, tzinfo=UTC), with_issuer=False,
    )  # fmt: skip


def revocation_list() -> bytes:
    """The agents' CA has revoked the usual agent's certificate."""
    authority, today = pki.client_authority(), datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder(pki.client().certificate.serial_number, today)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(today - timedelta(days=1))
        .next_update(today + timedelta(days=30))
        .add_revoked_certificate(entry.build())
        .sign(authority.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


# --- situations ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Situation:
    """What the agent shows to a server with these options, and how it must end."""

    shown: Callable[[], Issued] | None
    expected: Expected
    options: tuple[str, ...] = STRICT
    serves: Callable[[], Issued] = pki.storage
    host: str = STORAGE
    port: int = 44445
    text: str = ""


def without(*named: str) -> tuple[str, ...]:
    return tuple(r for r in CLIENT if r not in named)


def refused(cause: str, number: int, name: str, **more: str) -> Expected:
    told = {"alert": f"{name}({number})", "client_certificate": "sent", **more}
    return Expected(
        Stage.HANDSHAKE, REFUSED, cause, error=number, evidence=told,
        excluded=(*FIREWALL, "root-not-trusted", *without(cause)),
    )  # fmt: skip


def unshown(number: int) -> Expected:
    """Storage that refuses a probe without a certificate has done what it should."""
    return Expected(
        Stage.HANDSHAKE, REFUSED, "endpoint-healthy", error=number,
        evidence={"client_certificate": "not-sent"}, excluded=FIREWALL,
    )  # fmt: skip


ACCEPTED = Expected(
    Stage.HANDSHAKE, MET, "endpoint-healthy", excluded=(*FIREWALL, *CLIENT)
)  # fmt: skip

ERROR = (
    "Error code: 401\nModule: 667\n"
    f'Fields: {{"$module":"service_process","address":"{STORAGE}","port":"44445"}}\n'
    "Message: Certificate is revoked.\n"
)

SITUATIONS: dict[str, Situation] = {}
for _version, _option in VERSIONS.items():
    _options = (*STRICT, _option)
    SITUATIONS |= {
        f"none-{_version}": Situation(None, unshown(116 if _version == "1.3" else 40), _options),
        f"accepted-{_version}": Situation(pki.client, ACCEPTED, _options),
        f"expired-{_version}": Situation(
            pki.expired_client,
            refused("client-certificate-expired", 45, "certificate_expired",
                    client_not_after="2020-01-01 00:00:00+00:00"),
            _options,
        ),
        f"unknown-ca-{_version}": Situation(
            pki.unknown_client,
            refused("client-certificate-refused", 48, "unknown_ca",
                    client_issuer_is="issuer-not-listed"),
            _options,
        ),
        f"self-signed-{_version}": Situation(
            by_itself, refused("client-certificate-refused", 48, "unknown_ca"), _options
        ),
        f"bad-{_version}": Situation(
            of_the_future,
            refused("client-certificate-refused", 42, "bad_certificate",
                    client_issuer_is="issuer-listed", client_file="agent.crt"),
            _options,
        ),
        f"unsupported-{_version}": Situation(
            for_servers,
            refused("client-certificate-refused", 43, "unsupported_certificate"), _options,
        ),
        f"revoked-{_version}": Situation(
            pki.client, refused("client-certificate-refused", 44, "certificate_revoked"),
            (*_options, "-crl_check", "-CRL", "agents.crl"),
        ),
        f"tampered-{_version}": Situation(
            tampered, refused("client-certificate-refused", 51, "decrypt_error"), _options
        ),
    }  # fmt: skip
SITUATIONS |= {
    "required-where-none-is-expected": Situation(
        None,
        Expected(
            Stage.HANDSHAKE, REFUSED, "client-certificate-required", error=116,
            evidence={"alert": "certificate_required(116)", "client_certificate": "not-sent"},
            excluded=FIREWALL,
        ),
        serves=pki.management, host=HOST, port=8443,
    ),
    "held-back-where-none-is-expected": Situation(
        pki.client,
        Expected(
            Stage.HANDSHAKE, REFUSED, "client-certificate-required", error=116,
            evidence={"client_certificate": "not-sent"}, excluded=FIREWALL,
        ),
        serves=pki.management, host=HOST, port=8443,
    ),
    "optional-where-none-is-expected": Situation(
        pki.client,
        Expected(
            Stage.VERIFY, MET, "endpoint-healthy", evidence={"client_certificate": "not-sent"},
            excluded=FIREWALL,
        ),
        options=("-verify", "3"), serves=pki.management, host=HOST, port=8443,
    ),
    "optional-on-storage": Situation(pki.client, ACCEPTED, options=("-verify", "3")),
    "expired-and-the-peer-says-something-else": Situation(
        # Its issuer is not known there either, and the server names what it finds first. The date
        # of the file stays a suspicion of its own.
        expired_and_unknown,
        replace(refused("client-certificate-refused", 48, "unknown_ca"), excluded=FIREWALL),
    ),
    "the-error-says-so-and-none-is-at-hand": Situation(
        None,
        Expected(
            Stage.HANDSHAKE, REFUSED, "client-certificate-refused", SUSPECTED, 116,
            excluded=FIREWALL,
        ),
        text=ERROR,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """The answers, and what each server said of its clients."""

    answers: dict[str, Answer]
    logs: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All situations, diagnosed several at a time."""
    with servers(tmp_path_factory, "clients") as place:
        place.write("agents.pem", pki.client_authority().pem)
        place.write("agents.crl", revocation_list())
        made = {k: _serve(place, s) for k, s in SITUATIONS.items()}
        place.begin(*(where for where, _ in made.values()))
        visits = [_visit(s, made[k][0]) for k, s in SITUATIONS.items()]
        answers = dict(zip(SITUATIONS, answer_all(visits), strict=True))
        place.close()
        yield World(answers, {k: log.read_text("utf-8") for k, (_, log) in made.items()})


def _serve(place: Servers, situation: Situation) -> tuple[str, Path]:
    return place.s_server(situation.serves(), *situation.options, "-CAfile", "agents.pem")


def _visit(situation: Situation, where: str) -> Visit:
    return Visit(
        where, situation.host, situation.port, text=situation.text,
        shown=None if situation.shown is None else presenting(situation.shown()),
    )  # fmt: skip


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_answer_to_the_agents_certificate_is_told(world: World, key: str) -> None:
    SITUATIONS[key].expected.check(world.answers[key])


@pytest.mark.parametrize("key", SITUATIONS)
def test_only_storage_ever_sees_the_agents_certificate(world: World, key: str) -> None:
    situation, log = SITUATIONS[key], world.logs[key]
    assert "ACCEPT" in log
    showed = situation.shown is not None and situation.host == STORAGE
    tls = world.answers[key].probe.tls
    assert tls is not None
    assert tls.client_certificate_requested is True
    assert tls.client_certificate_sent is showed
    # The server prints the subject of every certificate that a client sends.
    assert (AGENT in log) is showed, log


def test_acceptance_is_told_by_what_came_after(world: World) -> None:
    """TLS 1.3 refuses late: a finished handshake alone is no acceptance."""
    after = {v: world.answers[f"accepted-{v}"].probe.tls for v in VERSIONS}
    assert after["1.3"] is not None
    assert after["1.3"].aftermath is Aftermath.TICKET
    assert after["1.3"].version == "TLSv1.3"
    assert after["1.2"] is not None
    assert after["1.2"].version == "TLSv1.2"


@pytest.mark.parametrize("key", ["expired-1.3", "unknown-ca-1.2", "bad-1.3"])
@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_the_direction_of_the_refusal_is_said(world: World, key: str, language: str) -> None:
    diagnosis = world.answers[key].diagnosis
    report = Report("0", pki.NOW, Vantage("m", "s", "t"), (diagnosis,))
    summary = tell(diagnosis, report, catalog.words(language)).summary
    said = {
        "en": f"The storage at {STORAGE}:44445 refuses the agent",
        "ja": f"{STORAGE}:44445",
    }[language]
    assert said in summary


# --- the file is looked at before anybody is contacted ------------------------------------------


def _check(*options: str, port: str = "1") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "diagnoser", "check", f"{STORAGE}:44445",
         "--connect-to", f"{STORAGE}:44445:127.0.0.1:{port}", "--proxy", "none", *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        (None, None, "cannot be read"),
        (b"no certificate\n", None, "no certificate in PEM form"),
        (pki.client().der, None, "no certificate in PEM form"),
        (pki.client().pem, None, "no private key in it"),
        (pki.client().pem, pki.unknown_client().key_pem, "does not belong to the certificate"),
    ],
    ids=["missing", "no-pem", "der", "no-key", "another-key"],
)
def test_an_unusable_file_is_told_and_nobody_is_contacted(
    tmp_path: Path, certificate: bytes | None, key: bytes | None, told: str
) -> None:
    path = tmp_path / "agent.crt"
    options = ["--client-cert", str(path)]
    if certificate is not None:
        path.write_bytes(certificate)
    if key is not None:
        (tmp_path / "agent.key").write_bytes(key)
        options += ["--client-key", str(tmp_path / "agent.key")]
    done = _check(*options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert told in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
