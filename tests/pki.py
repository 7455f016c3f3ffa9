"""Certificates with one defect each, made on the fly; every docstring draws what is sent.

``A <- B`` reads "A is signed by B"; ``( )`` marks a certificate that is not sent. All keys are
P-256, all times explicit. :data:`NOW` is the clock the tests judge by.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOST = "rs-us5-cloud.acronis.com"
STORAGE_HOST = "baas-fes-us5.acronis.com"

_YEAR = timedelta(days=365)
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_KEYS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and what a server sends with it (itself first)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    sent: tuple[x509.Certificate, ...]

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def subject(self) -> x509.Name:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return self.certificate.subject

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def chain_ders(self) -> tuple[bytes, ...]:
        return tuple(c.public_bytes(Encoding.DER) for c in self.sent)

    @property
    def chain_pem(self) -> bytes:
        return b"".join(c.public_bytes(Encoding.PEM) for c in self.sent)


def name(*attributes: tuple[str, str]) -> x509.Name:
    """A distinguished name; lengths are not checked, since ``C="CH "`` is wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return x509.Name([x509.NameAttribute(_KEYS[k], v, _validate=False) for k, v in attributes])


def sct_list(*times: datetime) -> x509.UnrecognizedExtension:
    """An embedded SCT list (RFC 6962 section 3.3) with empty signatures."""
    body = b""
    for number, time in enumerate(times):
        log, stamp = bytes([number]) * 32, int(time.timestamp() * 1000)
        sct = (
            b"\0" + log + struct.pack(">QH", stamp, 0) + b"\x04\x03" + struct.pack(">H", 2) + b"00"
        )
        body += struct.pack(">H", len(sct)) + sct
    inner = struct.pack(">H", len(body)) + body
    length = bytes([len(inner)]) if len(inner) < 128 else b"\x82" + struct.pack(">H", len(inner))
    return x509.UnrecognizedExtension(_SCT_LIST, b"\x04" + length + inner)


def issue(
    subject: x509.Name,
    issuer: Issued | None,
    *,
    names: tuple[str, ...] = (),
    authority: bool = False,
    since: datetime = NOW - _YEAR / 2,
    until: datetime = NOW + _YEAR / 2,
    logged: tuple[datetime, ...] = (),
    pointers: bool = False,
    client: bool = False,
    with_issuer: bool = True,
) -> Issued:
    """One certificate signed by ``issuer``, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = key if issuer is None else issuer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False
        )
    if not authority:
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if logged:
        builder = builder.add_extension(sct_list(*logged), critical=False)
    if pointers:
        point = x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://crl.example.test/ca.crl")], None, None, None
        )
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    above = issuer.sent if issuer is not None and with_issuer else ()
    return Issued(certificate, key, (certificate, *above))


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@cache
def public_root() -> Issued:
    """(root): the CA that the tests put into the Mozilla store; never sent."""
    root = issue(
        name(("C", "US"), ("O", "Example Trust Services"), ("CN", "Example Root R1")),
        None,
        authority=True,
        since=NOW - 10 * _YEAR,
        until=NOW + 10 * _YEAR,
    )
    return Issued(root.certificate, root.key, ())


@cache
def public_intermediate() -> Issued:
    """intermediate <- (root)"""
    return issue(
        name(("C", "US"), ("O", "Example Trust Services"), ("CN", "Example TLS CA G2")),
        public_root(),
        authority=True,
        since=NOW - 5 * _YEAR,
        until=NOW + 5 * _YEAR,
    )


@cache
def management() -> Issued:
    """leaf with two SCTs <- intermediate <- (root): a healthy management endpoint"""
    return issue(
        name(("CN", "*.acronis.com")),
        public_intermediate(),
        names=("*.acronis.com", "acronis.com"),
        logged=(NOW - _YEAR / 2, NOW - _YEAR / 2 + timedelta(seconds=1)),
        pointers=True,
    )


@cache
def missing_intermediate() -> Issued:
    """leaf with two SCTs <- (intermediate) <- (root): the server forgot the intermediate"""
    return issue(
        name(("CN", "*.acronis.com")),
        public_intermediate(),
        names=("*.acronis.com",),
        logged=(NOW - _YEAR / 2, NOW - _YEAR / 2),
        pointers=True,
        with_issuer=False,
    )


@cache
def expired() -> Issued:
    """expired leaf <- intermediate <- (root)"""
    return issue(
        name(("CN", "*.acronis.com")),
        public_intermediate(),
        names=("*.acronis.com",),
        since=NOW - 2 * _YEAR,
        until=NOW - timedelta(days=3),
        logged=(NOW - 2 * _YEAR,),
    )


@cache
def not_yet_valid() -> Issued:
    """leaf of next month <- intermediate <- (root)"""
    return issue(
        name(("CN", "*.acronis.com")),
        public_intermediate(),
        names=("*.acronis.com",),
        since=NOW + timedelta(days=30),
        until=NOW + _YEAR,
        logged=(NOW + timedelta(days=30),),
    )


@cache
def wrong_name() -> Issued:
    """leaf for another host <- intermediate <- (root)"""
    return issue(
        name(("CN", "parked.example.test")),
        public_intermediate(),
        names=("parked.example.test",),
        logged=(NOW - _YEAR / 2,),
    )


@cache
def self_signed() -> Issued:
    """leaf that signs itself: a device's default certificate"""
    return issue(name(("O", "Appliance"), ("CN", "appliance.local")), None)


@cache
def storage_authority() -> Issued:
    """storage CA, self-signed: Acronis' own hierarchy, in no public store"""
    return issue(
        name(("C", "CH "), ("O", "Acronis"), ("OU", "AcronisStorage"), ("CN", "Storage Root")),
        None,
        authority=True,
        since=NOW - 5 * _YEAR,
        until=NOW + 5 * _YEAR,
    )


@cache
def storage() -> Issued:
    """front end with C="CH " <- storage CA: a healthy storage endpoint"""
    return issue(
        name(
            ("C", "CH "),
            ("L", "Schaffhausen"),
            ("O", "Acronis"),
            ("OU", "AcronisStorage"),
            ("CN", "Front End Server"),
        ),
        storage_authority(),
    )


@cache
def fortinet_authority() -> Issued:
    """(CA of a FortiGate, self-signed)"""
    root = issue(
        name(
            ("C", "US"),
            ("ST", "California"),
            ("L", "Sunnyvale"),
            ("O", "Fortinet"),
            ("OU", "Certificate Authority"),
            ("CN", "FG100FTK20000001"),
            ("emailAddress", "support@fortinet.com"),
        ),
        None,
        authority=True,
        since=NOW - 5 * _YEAR,
        until=NOW + 5 * _YEAR,
    )
    return Issued(root.certificate, root.key, ())


@cache
def resigned_storage() -> Issued:
    """front end's subject <- (FortiGate's CA): subject kept, issuer swapped"""
    return issue(storage().subject, fortinet_authority(), with_issuer=False)


@cache
def resigned_management() -> Issued:
    """minted *.acronis.com of two days ago <- (FortiGate's CA)"""
    return issue(
        name(("CN", "*.acronis.com")),
        fortinet_authority(),
        names=("*.acronis.com",),
        since=NOW - timedelta(days=2),
        with_issuer=False,
    )


@cache
def corporate_root() -> Issued:
    """(a company's own CA that no list knows)"""
    root = issue(
        name(("O", "Contoso Widgets"), ("CN", "Contoso Issuing CA 3")),
        None,
        authority=True,
        since=NOW - 5 * _YEAR,
        until=NOW + 5 * _YEAR,
    )
    return Issued(root.certificate, root.key, ())


@cache
def resigned_by_company() -> Issued:
    """minted *.acronis.com <- (company CA): interception without a vendor's name"""
    return issue(
        name(("CN", "*.acronis.com")),
        corporate_root(),
        names=("*.acronis.com",),
        since=NOW - timedelta(hours=1),
        with_issuer=False,
    )


def minted(server_name: str) -> Issued:
    """leaf for whatever name is asked <- (company CA): what an interceptor does on demand"""
    return issue(
        name(("CN", server_name)), corporate_root(), names=(server_name,), with_issuer=False
    )


# OpenSSL servers check client certificates by the real clock, hence the wide spans below.
_LONG_AGO, _FAR_OFF = datetime(2015, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)


@cache
def client_authority() -> Issued:
    """(CA of the agents, self-signed)"""
    root = issue(
        name(("C", "CH "), ("O", "Acronis"), ("OU", "AcronisStorage"), ("CN", "Agents CA")),
        None,
        authority=True,
        since=_LONG_AGO,
        until=_FAR_OFF,
    )
    return Issued(root.certificate, root.key, ())


def _client(issuer: Issued, until: datetime) -> Issued:
    subject = name(("O", "Acronis"), ("CN", "4F1D2C3B-0000-4000-8000-00000000A9E7"))
    return issue(subject, issuer, client=True, since=_LONG_AGO, until=until, with_issuer=False)


@cache
def client() -> Issued:
    """client leaf <- (agents' CA)"""
    return _client(client_authority(), _FAR_OFF)


@cache
def expired_client() -> Issued:
    """client leaf that ran out in 2020 <- (agents' CA)"""
    return _client(client_authority(), datetime(2020, 1, 1, tzinfo=UTC))


@cache
def unknown_client() -> Issued:
    """client leaf <- (a CA the server does not know)"""
    return _client(corporate_root(), _FAR_OFF)


def staple(leaf: Issued, signer: Issued, *, revoked: bool) -> bytes:
    """An OCSP answer about ``leaf`` (RFC 6960) that ``signer`` signed."""
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf.certificate,
        issuer=public_intermediate().certificate,
        algorithm=hashes.SHA1(),
        cert_status=status,
        this_update=NOW - timedelta(days=1),
        next_update=NOW + timedelta(days=6),
        revocation_time=NOW - timedelta(days=2) if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)
