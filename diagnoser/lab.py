"""The built-in lab behind ``diagnoser demo``: real servers on loopback, real handshakes.

Four peers play the cases that the tool exists for: a closed port, an interceptor that re-signs TLS
the way a FortiGate does (it mints a certificate for whatever name is asked), a genuine management
service, and storage with its private CA that demands a client certificate. Keys and certificates
are made at start and live in a temporary directory only while Python loads them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from diagnoser.model import Address
from diagnoser.probing import ClientCredentials, Redirection, Trust

_LOOPBACK = "127.0.0.1"
_PATIENCE = 2.0

_CLOSED = ("rs-us5-cloud.acronis.com", 8443)
_INTERCEPTED = ("rs-eu2-cloud.acronis.com", 8443)
_GENUINE = (("eu2-cloud.acronis.com", 443), ("eu2-cloud.acronis.com", 8443))
_STORAGE = ("baas-fes-eu2.acronis.com", 44445)

_SAMPLES = (
    "labelled-en-ssl-write.txt",
    "labelled-ja-ssl-write.txt",
    "licence-sync-en.txt",
    "storage-refused-en.txt",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample log that comes with the package."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Lab:
    """Running servers, and how to reach and trust them."""

    redirections: tuple[Redirection, ...]
    trust: Trust
    credentials: ClientCredentials
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key and the certificates to send after it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain_pem(self) -> bytes:
        """The certificate and those above it, PEM."""
        return b"".join(
            c.public_bytes(serialization.Encoding.PEM) for c in (self.certificate, *self.above)
        )

    @property
    def key_pem(self) -> bytes:
        """The private key, PEM, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def _name(**attributes: str) -> x509.Name:
    known = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "CN": NameOID.COMMON_NAME,
        "L": NameOID.LOCALITY_NAME,
    }
    return x509.Name([x509.NameAttribute(known[k], v) for k, v in attributes.items()])


def _logged_at(at: datetime) -> x509.UnrecognizedExtension:
    """A list of one SCT (RFC 6962 section 3.3) within its OCTET STRING."""
    moment = int(at.timestamp() * 1000).to_bytes(8)
    # Version, log, moment, no extensions, ecdsa with SHA-256, a signature of no length.
    sct = bytes(33) + moment + bytes(2) + b"\x04\x03" + bytes(2)
    body = (len(sct) + 2).to_bytes(2) + len(sct).to_bytes(2) + sct
    kind = x509.PrecertificateSignedCertificateTimestamps.oid
    return x509.UnrecognizedExtension(kind, b"\x04" + len(body).to_bytes(1) + body)


def _issue(
    subject: x509.Name,
    issuer: Identity | None,
    host: str | None = None,
    *,
    client: bool = False,
    logged: bool = False,
) -> Identity:
    """A certificate signed by ``issuer`` (by itself if ``None``): a CA unless it has a purpose.

    With ``logged`` it bears a timestamp as public logs give them, with an empty signature.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    is_authority = host is None and not client
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if host is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if logged:
        builder = builder.add_extension(_logged_at(now), critical=False)
    signer = issuer.key if issuer else key
    certificate = builder.sign(signer, hashes.SHA256())
    is_root = issuer is not None and issuer.certificate.subject == issuer.certificate.issuer
    above = (issuer.certificate, *issuer.above) if issuer and not is_root else ()
    return Identity(certificate, key, above)


def _context(identity: Identity, client_authority: Identity | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="diagnoser-") as folder:
        file = Path(folder) / "identity.pem"
        file.touch(mode=0o600)
        file.write_bytes(identity.chain_pem + identity.key_pem)
        context.load_cert_chain(file)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authority.chain_pem.decode())
    return context


def _interceptor(authority: Identity) -> ssl.SSLContext:
    """Mints a certificate for every name it is asked for, as a re-signing firewall does."""
    default = _context(_issue(_name(CN="device.lan"), authority, "device.lan"))

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name:
            connection.context = _context(_issue(_name(CN=name), authority, name))

    default.sni_callback = choose
    return default


class _Server:
    """Accepts on a loopback port, shakes hands, closes; ends with :meth:`close`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server((_LOOPBACK, 0))
        self.address = Address(_LOOPBACK, self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        with (
            contextlib.suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as secured,
        ):
            secured.recv(1)

    def close(self) -> None:
        # A blocked accept() does not notice close() on Linux; shutdown() wakes it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE)


def _closed_port() -> tuple[Address, Callable[[], None]]:
    """A port that refuses: bound, so that nobody else takes it, and never listening."""
    holder = socket.socket()
    holder.bind((_LOOPBACK, 0))
    return Address(_LOOPBACK, holder.getsockname()[1]), holder.close


def _redirect(endpoint: tuple[str, int], address: Address) -> Redirection:
    return Redirection(endpoint[0], endpoint[1], address.host, address.port)


def samples() -> tuple[Sample, ...]:
    """The sample logs that the demonstration feeds through the pipeline."""
    beside = Path(__file__).with_name("sample_logs")
    folder = beside if beside.is_dir() else Path(__file__).parents[1] / "sample_logs"
    return tuple(Sample(n, (folder / n).read_text("utf-8")) for n in _SAMPLES)


@contextlib.contextmanager
def serve() -> Iterator[Lab]:
    """Run the lab for the time of the ``with`` block."""
    public_root = _issue(_name(O="diagnoser lab", CN="Public Root (lab)"), None)
    public = _issue(_name(O="diagnoser lab", CN="Public Issuing CA (lab)"), public_root)
    fortinet = _issue(
        _name(
            C="US", L="Sunnyvale", O="Fortinet", OU="Certificate Authority", CN="FGT60FTK20000000"
        ),
        None,
    )
    acronis = _issue(_name(C="CH", O="Acronis", OU="AcronisStorage", CN="Storage CA (lab)"), None)
    stranger = _issue(_name(O="Acronis", CN="Storage CA of another data centre (lab)"), None)
    front_end = _name(
        C="CH", L="Schaffhausen", O="Acronis", OU="AcronisStorage", CN="Front End Server"
    )
    agent = _issue(_name(CN="agent of the lab"), stranger, client=True)
    genuine = _context(_issue(_name(CN="*.acronis.com"), public, "*.acronis.com", logged=True))
    storage = _context(_issue(front_end, acronis, "front-end-server"), client_authority=acronis)
    with contextlib.ExitStack() as stack:
        closed, release = _closed_port()
        stack.callback(release)
        peers = [(_INTERCEPTED, _interceptor(fortinet)), (_STORAGE, storage)]
        peers += [(endpoint, genuine) for endpoint in _GENUINE]
        redirections = [_redirect(_CLOSED, closed)]
        for endpoint, context in peers:
            server = _Server(context)
            stack.callback(server.close)
            redirections.append(_redirect(endpoint, server.address))
        yield Lab(
            redirections=tuple(redirections),
            trust=Trust(public_root.chain_pem, public_root.chain_pem, None),
            credentials=ClientCredentials(agent.chain_pem, agent.key_pem),
            samples=samples(),
        )
