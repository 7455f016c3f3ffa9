"""Real TLS servers on loopback addresses of a test module's own, and whole diagnoses of them.

Linux routes all of 127.0.0.0/8 to the loopback interface: a module takes a random address there
and can use any port on it, 8443 and 44445 included, without asking for root and without meeting
another test. One nginx serves all chains of a module, a port each; what nginx cannot do, OpenSSL's
own server does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from pki import Issued
from situations import HERE, Answer, Expected, Lab, which

from diagnoser.diagnosis import Inquiry, Permission, diagnose, investigate, judge, open_check
from diagnoser.grammar import read_blocks
from diagnoser.model import Case, Condition, Stage, Standing, Vantage
from diagnoser.probing import (
    ClientCredentials,
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    Trust,
    parse_proxy,
)

HOST, STORAGE = "us5-cloud.acronis.com", pki.STORAGE_HOST
REGISTRATION = pki.HOST
NGINX, OPENSSL, STUNNEL = which("nginx"), which("openssl"), which("stunnel")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl program")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Visit:
    """One whole diagnosis, as ``diagnoser check HOST:PORT`` makes it.

    ``at`` is where the connection really goes (``address:port``), ``None`` leaves it to the
    resolver. ``system`` is what this machine trusts, ``public`` the Mozilla bundle, ``anchor`` a
    ``--ca-file``. ``with_also`` are further endpoints of the same case, each with its ``at``. With
    ``text`` an error is pasted instead. ``clock`` ``None`` is the machine's own.
    """

    at: str | None = None
    host: str = HOST
    port: int = 8443
    system: bytes = b""
    public: bytes = b""
    anchor: bytes | None = None
    shown: tuple[bytes, bytes] | None = None
    proxy: str | None = None
    server_name: str | None = ""
    clock: datetime | None = pki.NOW
    with_also: tuple[tuple[str, int, str], ...] = ()
    text: str = ""
    seconds: float = 4.0


def presenting(issued: Issued) -> tuple[bytes, bytes]:
    """Certificate and key of an agent, as :attr:`Visit.shown`."""
    return issued.pem, issued.key_pem


def answer_all(visits: Sequence[Visit]) -> list[Answer]:
    """Make all diagnoses, several at a time."""
    # Filters of warnings belong to the process: threads that set them aside undo each other's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(_answer, visits))


def work() -> None:
    """The same in another process: visits from stdin, answers to stdout."""
    sys.stdout.buffer.write(pickle.dumps(answer_all(pickle.load(sys.stdin.buffer))))


def _led(host: str, port: int, at: str) -> Redirection:
    address, _, number = at.rpartition(":")
    return Redirection(host, port, address.strip("[]"), int(number))


def _case(host: str, port: int, server_name: str | None) -> Case:
    literal = ":" in host or host.replace(".", "").isdigit()
    return open_check(host, [port], (None if literal else host) if server_name == "" else None)


def _answer(visit: Visit) -> Answer:
    led = [] if visit.at is None else [_led(visit.host, visit.port, visit.at)]
    led += [_led(*also) for also in visit.with_also if also[2]]
    public = visit.public or pki.public_root().pem
    inquiry = Inquiry(
        network=RedirectedNetwork(SystemNetwork(), led),
        trust=Trust(visit.system or public, public, visit.anchor),
        vantage=Vantage("lab", "Linux", "lab"),
        permission=Permission(everything=True),
        timeout=visit.seconds,
        proxy=None if visit.proxy is None else parse_proxy(visit.proxy),
        credentials=None if visit.shown is None else ClientCredentials(*visit.shown, "agent.crt"),
        now=lambda: visit.clock or datetime.now(UTC),
    )
    begun = time.monotonic()
    if visit.text:
        (found,) = diagnose(read_blocks(visit.text, "error.txt").blocks, inquiry)
        return Answer(found, time.monotonic() - begun)
    case = _case(visit.host, visit.port, visit.server_name)
    more = [e for h, p, _ in visit.with_also for e in _case(h, p, "").endpoints]
    (case,) = investigate([replace(case, endpoints=(*case.endpoints, *more))], inquiry)
    return Answer(judge(case), time.monotonic() - begun)


def answer_inside(lab: Lab, visits: Sequence[Visit]) -> list[Answer]:
    """Make all diagnoses by a process in a network of the test's own."""
    paths = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE)))
    command = (
        "env",
        f"PYTHONPATH={paths}",
        sys.executable,
        "-c",
        "import tls_peers as t; t.work()",
    )
    answers: list[Answer] = pickle.loads(lab.run(*command, text=pickle.dumps(list(visits))))
    return answers


# --- what situations are checked for ----------------------------------------------------------

ACCUSING = ("tls-intercepted", "intercepted-and-trusted-here", "box-certificate")
TELLING = (Standing.APPLIES, Standing.SUSPECTED)
NEAR = ("port-closed", "port-filtered", "not-tls", "handshake-blocked", "handshake-stalled")


def healthy(*, stage: Stage = Stage.VERIFY, **more: str) -> Expected:
    """Genuine and working; everything that could be confused with a fault is ruled out."""
    return Expected(
        stage, Condition.MET, "endpoint-healthy", evidence=more,
        excluded=(*NEAR, "protocol-too-old", "alert-received", "tls-intercepted"),
    )  # fmt: skip


def rejected(
    cause: str,
    code: int | tuple[int, ...],
    standing: Standing = Standing.APPLIES,
    /,
    *,
    excluded: Sequence[str] = (),
    accuses: bool = False,
    **evidence: str,
) -> Expected:
    """A finished handshake whose chain the counting stores reject with ``code``."""
    return Expected(
        Stage.VERIFY, Condition.CERTIFICATE_REJECTED, cause, standing, code, evidence,
        (*NEAR, *excluded), accuses,
    )  # fmt: skip


# --- certificates that pki has no use for elsewhere -------------------------------------------


def signed(
    subject: x509.Name,
    issuer: Issued | None,
    *extensions: tuple[x509.ExtensionType, bool],
    key: Key | None = None,
    since: datetime = pki.NOW - timedelta(days=180),
    until: datetime = pki.NOW + timedelta(days=180),
) -> Issued:
    """A certificate that has exactly these extensions, each with its criticality."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    return Issued(made, key, (made, *(issuer.sent if issuer else ())))  # type: ignore[arg-type]


def server_parts(
    *names: str, logged: bool = True, pointers: bool = True
) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions of a publicly issued server certificate for ``names``."""
    general = [pki._general_name(n) for n in names]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName(general), False), (usage, False),
    ]  # fmt: skip
    if logged:
        found.append((pki.sct_list(pki.NOW - timedelta(days=180)), False))
    if pointers:
        where = x509.UniformResourceIdentifier("http://crl.example.test/ca.crl")
        point = x509.DistributionPoint([where], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def sends(issued: Issued, *chain: Issued) -> Issued:
    """The same server with another choice of what it sends behind its own certificate."""
    return replace(issued, sent=(issued.certificate, *(c.certificate for c in chain)))


def key_pem(key: Key) -> bytes:
    """A private key in PEM form."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


# --- servers ----------------------------------------------------------------------------------


def own_address() -> str:
    """A loopback address that nobody else uses."""
    rest = random.SystemRandom()
    return f"127.{rest.randint(16, 250)}.{rest.randint(1, 250)}.{rest.randint(2, 250)}"


def wait_until_open(*places: str) -> None:
    """Until every ``address:port`` accepts connections."""
    for place in places:
        address, _, port = place.rpartition(":")
        for _ in range(200):
            with (
                contextlib.suppress(OSError),
                socket.create_connection((address.strip("[]"), int(port)), 1),
            ):
                break
            time.sleep(0.03)
        else:
            raise AssertionError(f"nothing listens on {place}")


_NGINX = """
daemon off; master_process off; pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  ssl_ciphers DEFAULT:@SECLEVEL=0;
  server {{ listen {address}:19999; return 200 'hello'; }}
{servers}
}}
"""


@dataclass
class Servers:
    """Servers on one loopback address; those of nginx start together when it is asked for."""

    directory: Path
    address: str = field(default_factory=own_address)
    _blocks: list[str] = field(default_factory=list)
    _ports: Iterator[int] = field(default_factory=lambda: itertools.count(20001))
    _programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write(self, name: str, content: str | bytes) -> Path:
        """A file that only the servers of this test read."""
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def place(self) -> str:
        """An ``address:port`` that is not taken."""
        return f"{self.address}:{next(self._ports)}"

    def files(self, issued: Issued) -> tuple[Path, Path]:
        """What a server sends, and its key, as files."""
        number = next(self._ports)
        return (
            self.write(f"{number}.pem", issued.chain_pem or issued.pem),
            self.write(f"{number}.key", issued.key_pem),
        )

    def nginx(self, *issued: Issued, at: str | None = None, **directives: str) -> str:
        """One server of nginx with these certificates (one a kind of key); gives its place.

        Underscores of ``directives`` are nginx's own; ``listen`` adds to the listen directive and
        ``answer`` is what the one location does.
        """
        place = at or self.place()
        listen = directives.pop("listen", "")
        answer = directives.pop("answer", "return 200 'hello'")
        lines = [f"listen {place} ssl {listen};"]
        for one in issued:
            chain, key = self.files(one)
            lines += [f"ssl_certificate {chain};", f"ssl_certificate_key {key};"]
        directives.setdefault("ssl_protocols", "TLSv1.2 TLSv1.3")
        lines += [f"{key} {value};" for key, value in directives.items()]
        self._blocks.append(f"server {{ {' '.join(lines)} location / {{ {answer}; }} }}")
        return place

    def start(self, *command: str) -> Path:
        """Start a program in the directory; what it says is in the file that is returned."""
        log = self.directory / f"{Path(command[0]).name}-{len(self._programs)}.log"
        with log.open("wb") as file:
            self._programs.append(
                subprocess.Popen(
                    command, cwd=self.directory, stdin=subprocess.PIPE, stdout=file,
                    stderr=subprocess.STDOUT,
                )
            )  # fmt: skip
        return log

    def s_server(self, issued: Issued, *options: str) -> tuple[str, Path]:
        """``openssl s_server``: its place, and the file with what it says of its clients."""
        place = self.place()
        chain, key = self.files(issued)
        command = [
            str(OPENSSL),
            "s_server",
            "-accept",
            place,
            "-cert",
            str(chain),
            "-key",
            str(key),
        ]
        if len(issued.sent) > 1:
            above = issued.chain_pem.removeprefix(issued.pem)
            command += ["-cert_chain", str(self.write(f"{chain.stem}-above.pem", above))]
        log = self.start(*command, *options)
        return place, log

    def begin(self, *further: str) -> None:
        """Start nginx, and wait for it and for ``further`` places."""
        text = _NGINX.format(
            place=self.directory, address=self.address, servers="\n".join(self._blocks)
        )
        path = self.write("nginx.conf", text)
        if self._blocks:
            self.start(str(NGINX), "-e", "stderr", "-p", str(self.directory), "-c", str(path))
            further = (f"{self.address}:19999", *further)
        wait_until_open(*further)

    def close(self) -> None:
        """End every program."""
        for program in self._programs:
            program.send_signal(signal.SIGTERM)
        for program in self._programs:
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            if program.stdin is not None:
                program.stdin.close()


@contextlib.contextmanager
def servers(factory: pytest.TempPathFactory, name: str) -> Iterator[Servers]:
    """Servers of one module; skipped where loopback has one address only (macOS)."""
    made = Servers(factory.mktemp(name))
    with socket.socket() as tried:
        try:
            tried.bind((made.address, 0))
        except OSError:
            pytest.skip("this system's loopback has no address but 127.0.0.1")
    try:
        yield made
    finally:
        made.close()


def mitmdump() -> str | None:
    """mitmproxy lives in an environment of its own: it pins an older cryptography."""
    here = Path(__file__).parents[2] / ".venv-mitmproxy" / "bin" / "mitmdump"
    named = os.environ.get("DIAGNOSER_MITMDUMP")
    return named or shutil.which("mitmdump") or (str(here) if here.exists() else None)
