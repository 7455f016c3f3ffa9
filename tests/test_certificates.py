"""Reading certificates and names, and matching names (RFC 9525)."""

from __future__ import annotations

import warnings
from datetime import timedelta

import pki
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from diagnoser import tls_numbers
from diagnoser.certificates import UnreadableCertificate, read_certificate, read_name
from diagnoser.identifiers import name_matches
from diagnoser.model import Attribute, CertificateFacts, Name


def test_a_public_leaf_gives_every_fact() -> None:
    issued = pki.management()
    facts = read_certificate(issued.der)
    assert str(facts.subject) == "CN=*.acronis.com"
    assert facts.issuer.first("CN") == "Example TLS CA G2"
    assert facts.dns_names == ("*.acronis.com", "acronis.com")
    assert facts.ip_addresses == ()
    assert facts.not_after == pki.NOW + timedelta(days=182.5)
    assert facts.timestamps is not None
    assert [t - facts.timestamps[0] for t in facts.timestamps] == [
        timedelta(0),
        timedelta(seconds=1),
    ]
    assert facts.timestamps[0] == pki.NOW - timedelta(days=182.5)
    assert facts.has_revocation_pointers is True
    assert facts.is_authority is False
    assert facts.key == "EC secp256r1"
    assert facts.signature_hash == "sha256"
    assert facts.serial == f"{issued.certificate.serial_number:x}"
    above = read_certificate(pki.public_intermediate().der)
    assert facts.authority_key_identifier == above.subject_key_identifier
    assert above.is_authority is True
    assert facts.pem is not None
    assert x509.load_pem_x509_certificate(facts.pem.encode()) == issued.certificate


def test_a_minted_leaf_shows_no_log_and_no_revocation_pointer() -> None:
    facts = read_certificate(pki.resigned_by_company().der)
    assert facts.timestamps == ()
    assert facts.has_revocation_pointers is False


def test_the_storage_certificate_is_read_silently_and_unchanged() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = read_certificate(pki.storage().der)
    assert facts.subject.attributes == (
        Attribute("C", "CH "),
        Attribute("L", "Schaffhausen"),
        Attribute("O", "Acronis"),
        Attribute("OU", "AcronisStorage"),
        Attribute("CN", "Front End Server"),
    )


def test_a_certificate_without_alternative_names_has_none_of_them() -> None:
    facts = read_certificate(pki.self_signed().der)
    assert facts.dns_names == ()
    assert facts.is_self_issued


def test_same_key_under_two_names_is_seen() -> None:
    assert (
        read_certificate(pki.management().der).key_sha256
        != read_certificate(pki.wrong_name().der).key_sha256
    )
    again = read_certificate(pki.management().der)
    assert again.key_sha256 == read_certificate(pki.management().der).key_sha256


def test_a_damaged_extension_costs_only_the_facts_of_extensions() -> None:
    der = pki.management().der
    # The length inside the SCT list no longer fits: the extension cannot be read any more.
    at = der.index(bytes.fromhex("060a2b06010401d679020402"))
    damaged = der[: at + 14] + b"\x7f" + der[at + 15 :]
    facts = read_certificate(damaged)
    assert facts.subject.first("CN") == "*.acronis.com"
    assert facts.timestamps is None


@pytest.mark.parametrize("der", [b"", b"\x30", b"garbage", pki.management().der[:-9]])
def test_bytes_that_are_no_certificate_are_refused_by_type(der: bytes) -> None:
    with pytest.raises(UnreadableCertificate):
        read_certificate(der)


def test_damaged_text_in_a_name_is_refused_by_type() -> None:
    der = pki.self_signed().der.replace(b"appliance.local", b"\xff\xfepliance.local")
    with pytest.raises(UnreadableCertificate):
        read_certificate(der)


def test_names_keep_order_short_names_and_dotted_oids() -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "local"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "FG1"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "support@example.test"),
            x509.NameAttribute(ObjectIdentifier("2.5.4.97"), "VATCH-1"),
        ]
    )
    assert str(read_name(name)) == (
        "DC=local, serialNumber=FG1, emailAddress=support@example.test, 2.5.4.97=VATCH-1"
    )


def _facts(
    *, names: tuple[str, ...] = (), addresses: tuple[str, ...] = (), common: str = "x"
) -> CertificateFacts:
    subject = Name((Attribute("CN", common),))
    return CertificateFacts(subject, subject, dns_names=names, ip_addresses=addresses)


@pytest.mark.parametrize(
    ("server_name", "certificate", "matches"),
    [
        ("rs-us5-cloud.acronis.com", _facts(names=("*.acronis.com",)), True),
        ("RS-US5-cloud.Acronis.COM.", _facts(names=("*.ACRONIS.com",)), True),
        ("a.b.acronis.com", _facts(names=("*.acronis.com",)), False),
        ("acronis.com", _facts(names=("*.acronis.com",)), False),
        (".acronis.com", _facts(names=("*.acronis.com",)), False),
        ("acronis.com", _facts(names=("*.com",)), False),
        ("a.acronis.com", _facts(names=("a*.acronis.com",)), False),
        ("a.acronis.com", _facts(names=("*",)), False),
        ("evil-acronis.com", _facts(names=("acronis.com",)), False),
        ("müller.example", _facts(names=("xn--mller-kva.example",)), True),
        ("10.1.2.3", _facts(addresses=("10.1.2.3",)), True),
        ("10.1.2.3", _facts(names=("10.1.2.3",)), False),
        ("2001:db8::1", _facts(addresses=("2001:db8:0:0::1",)), True),
        ("a.acronis.com", _facts(common="a.acronis.com"), True),
        ("a.acronis.com", _facts(common="*.acronis.com"), True),
        ("a.acronis.com", _facts(common="a.acronis.com", names=("b.acronis.com",)), False),
        ("a.acronis.com", _facts(common="a.acronis.com", addresses=("10.0.0.1",)), False),
    ],
)
def test_names_match_as_rfc_9525_says(
    server_name: str, certificate: CertificateFacts, matches: bool
) -> None:
    assert name_matches(server_name, certificate) is matches


def test_numbers_have_their_official_names() -> None:
    assert tls_numbers.verify_code_name(0) == "X509_V_OK"
    assert tls_numbers.verify_code_name(20) == "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    assert tls_numbers.verify_code_name(4711) == "unknown verify code 4711"
    assert tls_numbers.alert_name(116) == "certificate_required"
    assert tls_numbers.alert_name(255) == "unknown_alert"
