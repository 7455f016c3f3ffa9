"""The data tables: what they say is checked at load, and what they must never say."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from diagnoser import catalog
from diagnoser.catalog import loading
from diagnoser.errors import CatalogError
from diagnoser.model import Attribute, Name, Role, Symptom, Transport

CAUSES = {
    "port-closed",
    "port-filtered",
    "network-unreachable",
    "handshake-blocked",
    "handshake-stalled",
    "tls-intercepted",
    "intercepted-and-trusted-here",
    "box-certificate",
    "licence-out-of-sync",
    "account-refused",
    "service-disabled",
    "name-not-found",
    "name-lookup-failed",
    "proxy-refused",
    "proxy-unreachable",
    "proxy-authentication-required",
    "clock-wrong",
    "certificate-expired",
    "name-mismatch",
    "intermediate-missing",
    "root-not-trusted",
    "certificate-revoked",
    "certificate-too-weak",
    "client-certificate-required",
    "client-certificate-expired",
    "client-certificate-refused",
    "not-tls",
    "protocol-too-old",
    "alert-received",
    "server-side",
    "local-port-taken",
    "local-service-down",
    "not-network",
    "endpoint-healthy",
    "no-failure",
    "unexplained",
}
SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "emailAddress": "emailAddress",
}


def name(**attributes: str) -> Name:
    return Name(tuple(Attribute(k, v) for k, v in attributes.items()))


# ---- loading


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables that a test may spoil."""
    copy = tmp_path / "data"
    shutil.copytree(loading.DATA, copy)
    monkeypatch.setattr(loading, "DATA", copy)
    return copy


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("load", "old", "new", "told"),
    [
        ("roles", 'id = "management"', 'id = "management"\nport = 1', "role 1: unknown key 'port'"),
        ("roles", 'id = "registration"', 'id = "management"', "role management stands twice"),
        ("roles", 'id = "registration"', 'id = "butler"', "role 2: key 'id': 'butler'"),
        ("roles", "ports = [443, 8443]", "ports = [443, 0]", "role management: bad port 0"),
        ("roles", "ports = [443, 8443]", "ports = [true]", "key 'ports': True is no int"),
        ("roles", "speaks_http = true\n", "", "role 1: missing key 'speaks_http'"),
        ("roles", "speaks_http = true", 'speaks_http = "no"', "key 'speaks_http': 'no' is no bool"),
        ("roles", "[[role]]", "[[rolle]]", "unknown table 'rolle'"),
        ("hosts", "^account", "^(account", "host 1: key 'pattern': bad regular expression"),
        ("hosts", "ports = [55556]", "ports = [65536]", "bad port 65536"),
        ("ports", "last = 7800", "last = 70000", "bad port 70000"),
        ("ports", "last = 7800", "last = 8443", "8443 to 8443 overlaps"),
        ("ports", "last = 7800", "last = 7700", "7770 to 7700 overlaps"),
        ("ports", 'transport = "tcp"', 'transport = "udp"', "key 'transport': 'udp'"),
        (
            "domains",
            'suffix = "acronis.cloud"',
            'suffix = "acronis.com"',
            "acronis.com stands twice",
        ),
        ("traps", 'id = "unc"', 'id = "consul"', "trap consul stands twice"),
        ("fallbacks", "port = 443\nproven", "port = -1\nproven", "bad port -1"),
        ("issuers", "[[issuer]]", "[[issuer]", "data/endpoints.toml: "),
    ],
)
def test_a_wrong_endpoint_table_names_file_and_key(
    data: Path, load: str, old: str, new: str, told: str
) -> None:
    spoil(data / "endpoints.toml", old, new)
    with pytest.raises(CatalogError, match=r"data/endpoints\.toml") as caught:
        getattr(catalog, load).__wrapped__()
    assert told in str(caught.value)


ROW = """
[[error]]
id = "x"
{more}
title = "t"
suspects = []
wrapper = false
proven = false
source = "s"
"""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("module = 1\ncode = 70000", "'x': key 'module' or 'code' is not a 16-bit number"),
        ("code = 1", "'x': key 'module' or 'message' is needed"),
        ("", "'x': key 'module' or 'message' is needed"),
        ("module = 1\ncode = 2\nmessage = '('", "key 'message': bad regular expression"),
        ("module = 1\nfield = 'code'", "'x': keys 'field' and 'value' come together"),
        ("module = 1\nport = 0", "'x': bad port 0"),
        ("module = 626\ncode = 310", "'x': asks for the same as another row"),
        ("module = '1'", "key 'module': '1' is no int"),
        ("module = 1\nsymptom = 'headache'", "key 'symptom': 'headache'"),
        ("module = 1\nmood = 1", "unknown key 'mood'"),
    ],
)
def test_a_wrong_error_row_names_file_and_key(data: Path, more: str, told: str) -> None:
    path = data / "errors.toml"
    path.write_text(path.read_text("utf-8") + ROW.format(more=more), "utf-8")
    with pytest.raises(CatalogError, match=r"data/errors\.toml") as caught:
        catalog.errors.__wrapped__()
    assert told in str(caught.value)


def test_an_error_id_stands_once(data: Path) -> None:
    path = data / "errors.toml"
    row = ROW.replace('"x"', '"vss"').format(more="module = 9")
    path.write_text(path.read_text("utf-8") + row, "utf-8")
    with pytest.raises(CatalogError, match="'vss': the id stands twice"):
        catalog.errors.__wrapped__()


def test_a_wrong_interceptor_names_file_and_key(data: Path) -> None:
    spoil(data / "interceptors.toml", "issuer = ['O~^Fortinet", "issuer = ['O~^(Fortinet")
    with pytest.raises(CatalogError, match=r"data/interceptors\.toml: interceptor 1: key 'issuer'"):
        catalog.interceptors.__wrapped__()


# ---- contents


@pytest.mark.parametrize("file", ["endpoints.toml", "errors.toml", "interceptors.toml"])
def test_every_row_has_a_source(file: str) -> None:
    held = tomllib.loads((loading.DATA / file).read_text("utf-8"))
    for key, rows in held.items():
        for i, row in enumerate(rows, 1):
            assert row.get("source", "").strip(), f"{file}: {key} {i}"


def test_error_rows_suspect_only_causes_that_exist() -> None:
    for row in catalog.errors():
        assert set(row.suspects) <= CAUSES, row.id
        assert not row.wrapper or "not-network" not in row.suspects, row.id


def test_only_storage_wants_a_client_certificate_and_its_issuer_carries_no_certainty() -> None:
    rows = catalog.roles()
    assert [r.id for r in rows.values() if r.client_certificate] == [Role.STORAGE]
    assert rows[Role.STORAGE].issuer == "acronis-storage"
    assert not rows[Role.STORAGE].issuer_proven
    assert not rows[Role.REGISTRATION].issuer_proven
    assert rows[Role.MANAGEMENT].ports == (443, 8443)


@pytest.mark.parametrize(
    ("host", "port", "role"),
    [
        ("us5-cloud.acronis.com", 443, Role.MANAGEMENT),
        ("us5-cloud.acronis.com", 8443, Role.MANAGEMENT),
        ("us5-cloud.acronis.com", 7780, Role.AGENT_CHANNEL),
        ("eu8.acronis.cloud", None, Role.MANAGEMENT),
        ("rs-us5-cloud.acronis.com", 8443, Role.REGISTRATION),
        ("cloud-rs-xx1.acronis.com", None, Role.REGISTRATION),
        ("baas-fes-us5-acs1.acronis.com", None, Role.STORAGE),
        ("fes-baas.acronis.com", 44445, Role.STORAGE),
        ("abgw-xx2-arp01-r03.acronis.com", None, Role.STORAGE),
        ("us-baas.acronis.com", 443, Role.MANAGEMENT),
        ("agents-us5-cloud.acronis.com", 443, Role.AGENT_CHANNEL),
        ("account.acronis.com", 443, Role.ACCOUNT),
        ("cloud.acronis.com", 443, Role.ACCOUNT),
        ("dl2.acronis.com", 443, Role.DOWNLOAD),
        ("acs01.partner.example", 44445, Role.STORAGE),
        ("ams.example.net", 9877, Role.ON_PREMISES),
        ("graph.example.net", 443, Role.UNKNOWN),
        ("us5-cloud.acronis.com.evil.example", None, Role.UNKNOWN),
        ("US5-CLOUD.acronis.com.", None, Role.MANAGEMENT),
    ],
)
def test_a_host_has_its_role(host: str, port: int | None, role: Role) -> None:
    assert catalog.role_of(host, port)[0] is role


@pytest.mark.parametrize(
    ("host", "port", "catalogued"),
    [
        ("us5-cloud.acronis.com", 8443, True),
        ("eu8.acronis.cloud", 443, True),
        ("us5-cloud.acronis.com", 22, False),
        ("notacronis.com", 443, False),
        ("acronis.com.evil.example", 443, False),
        ("203.0.113.9", 44445, False),
    ],
)
def test_only_acronis_services_are_catalogued(host: str, port: int, catalogued: bool) -> None:
    assert catalog.is_catalogued(host, port) is catalogued


def test_ports_that_do_not_speak_tls_are_known() -> None:
    spoken = {p: catalog.port_row(p) for p in (443, 8443, 44445, 7770, 7780, 7800, 55556, 9876, 80)}
    tcp = {p for p, row in spoken.items() if row is not None and row.transport is Transport.TCP}
    assert tcp == {7770, 7780, 7800, 55556, 9876, 80}
    assert catalog.port_row(7801) is None


def test_the_default_set_for_licences_is_inferred() -> None:
    rows = [r for r in catalog.fallbacks() if r.symptom is Symptom.LICENCE_SYNC]
    assert {(r.host, r.port) for r in rows} == {
        ("account.acronis.com", 443),
        ("cloud.acronis.com", 443),
    }
    assert not any(r.proven for r in rows)


# ---- issuers and interceptors

PUBLIC = [
    name(C="US", O="DigiCert Inc", CN="DigiCert Global G2 TLS RSA SHA256 2020 CA1"),
    name(C="US", O="Let's Encrypt", CN="R11"),
    name(C="US", O="Let's Encrypt", CN="E6"),
    name(C="BE", O="GlobalSign nv-sa", CN="GlobalSign RSA OV SSL CA 2018"),
    name(C="GB", O="Sectigo Limited", CN="Sectigo RSA Domain Validation Secure Server CA"),
    name(C="US", O="Amazon", CN="Amazon RSA 2048 M02"),
    name(C="US", O="Google Trust Services", CN="WR2"),
    name(C="US", O="Microsoft Corporation", CN="Microsoft Azure RSA TLS Issuing CA 04"),
    name(C="US", O="Entrust, Inc.", CN="Entrust Certification Authority - L1K"),
    name(
        C="US",
        ST="Arizona",
        L="Scottsdale",
        O="GoDaddy.com, Inc.",
        OU="http://certs.godaddy.com/repository/",
        CN="Go Daddy Secure Certificate Authority - G2",
    ),
]


@pytest.mark.parametrize("issuer", PUBLIC, ids=str)
def test_a_public_issuer_is_expected_and_no_interceptor(issuer: Name) -> None:
    assert catalog.interceptor(issuer) is None
    row = catalog.expected_issuer(issuer)
    assert row is not None
    assert row.kind == "public"


def test_the_interceptor_of_the_knowledge_base_is_named() -> None:
    """KB 70285: the certificate that a FortiGate put in place of the storage's own."""
    issuer = name(
        C="US",
        ST="California",
        L="Sunnyvale",
        O="Fortinet",
        OU="Certificate Authority",
        CN="FG100E4Q17024322",
        emailAddress="support@fortinet.com",
    )
    row = catalog.interceptor(issuer)
    assert row is not None
    assert (row.vendor, row.kind, row.grade) == ("Fortinet", "net", "A")
    assert catalog.expected_issuer(issuer) is None


def test_the_storage_issuer_is_expected_but_not_proven() -> None:
    row = catalog.expected_issuer(name(C="CH ", O="Acronis", OU="AcronisStorage", CN="CA"))
    assert row is not None
    assert (row.kind, row.proven) == ("acronis-storage", False)


def test_a_name_that_only_mentions_an_organisation_is_not_expected() -> None:
    assert catalog.expected_issuer(name(O="Firewall", CN="DigiCert Inc")) is None
    assert catalog.expected_issuer(name(O="My Amazon")) is None
    assert catalog.expected_issuer(Name(())) is None


@pytest.mark.filterwarnings("ignore")
def test_no_root_of_the_public_bundle_is_taken_for_an_interceptor() -> None:
    roots = x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    assert len(roots) > 100
    for root in roots:
        found = Name(
            tuple(
                Attribute(SHORT.get(a.oid._name, a.oid.dotted_string), str(a.value))
                for a in root.subject
            )
        )
        row = catalog.interceptor(found)
        assert row is None, f"{found} is taken for {row.product if row else ''}"
