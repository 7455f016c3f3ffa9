"""Peers that nobody here wrote: OpenSSL's own server and mitmproxy, on loopback."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pki
import pytest
from pki import Issued
from tls_peers import mitmdump

from diagnoser.model import (
    Aftermath,
    Condition,
    Control,
    Endpoint,
    ProbeResult,
    Role,
    Stage,
    Transport,
    TrustStore,
)
from diagnoser.probing import ClientCredentials, SystemNetwork, Trust, run

pytestmark = pytest.mark.peer

OPENSSL = shutil.which("openssl")
VERSIONS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}


@contextlib.contextmanager
def s_server(directory: Path, issued: Issued, *options: str) -> Iterator[int]:
    """``openssl s_server`` with a certificate and its chain; gives the port."""
    (directory / "leaf.pem").write_bytes(issued.pem)
    (directory / "key.pem").write_bytes(issued.key_pem)
    (directory / "agents.pem").write_bytes(pki.client_authority().pem)
    command = [str(OPENSSL), "s_server", "-accept", "127.0.0.1:0", "-cert", "leaf.pem"]
    command += ["-key", "key.pem"]
    if len(issued.sent) > 1:
        above = issued.chain_pem.removeprefix(issued.pem)
        (directory / "above.pem").write_bytes(above)
        command += ["-cert_chain", "above.pem"]
    with subprocess.Popen(
        [*command, *options],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as server:
        try:
            assert server.stdout is not None
            port = None
            for line in server.stdout:
                if found := re.match(rb"ACCEPT .*:(\d+)\s*$", line):
                    port = int(found.group(1))
                    break
            assert port is not None, "s_server did not start"
            yield port
        finally:
            server.kill()


def visit(
    port: int,
    trust: Trust,
    *,
    role: Role = Role.MANAGEMENT,
    credentials: ClientCredentials | None = None,
    at: datetime = pki.NOW,
) -> ProbeResult:
    name = pki.STORAGE_HOST if role is Role.STORAGE else pki.HOST
    endpoint = Endpoint("127.0.0.1", port, role, name, role is Role.STORAGE, Transport.TLS)
    network = SystemNetwork()
    return run([endpoint], network=network, trust=trust, credentials=credentials, now=lambda: at)[0]


needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl program on PATH")


@needs_openssl
@pytest.mark.parametrize("version", VERSIONS)
def test_s_server_with_a_public_chain_is_healthy(
    tmp_path: Path, trust: Trust, version: str
) -> None:
    with s_server(tmp_path, pki.management(), VERSIONS[version]) as port:
        result = visit(port, trust)
    assert [s.condition for s in result.stages] == [Condition.MET] * 5
    assert result.tls is not None
    assert result.tls.version == version
    assert result.tls.client_certificate_requested is False
    assert len(result.tls.received_chain) == 2
    # TLS 1.2 has nothing to say after the handshake, and is not waited for.
    assert result.tls.aftermath is (Aftermath.TICKET if version == "TLSv1.3" else None)


@needs_openssl
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("shown", "condition", "numbers"),
    [
        (None, Condition.CLIENT_CERTIFICATE_REFUSED, {"TLSv1.2": 40, "TLSv1.3": 116}),
        (pki.client, Condition.MET, {}),
        (pki.expired_client, Condition.CLIENT_CERTIFICATE_REFUSED, dict.fromkeys(VERSIONS, 45)),
        (pki.unknown_client, Condition.CLIENT_CERTIFICATE_REFUSED, dict.fromkeys(VERSIONS, 48)),
    ],
)
def test_s_server_with_verify_judges_the_client_certificate(
    tmp_path: Path,
    storage_trust: Trust,
    version: str,
    shown: Callable[[], Issued] | None,
    condition: Condition,
    numbers: dict[str, int],
) -> None:
    options = [VERSIONS[version], "-Verify", "3", "-verify_return_error", "-CAfile", "agents.pem"]
    credentials = None
    if shown is not None:
        issued = shown()
        credentials = ClientCredentials(issued.pem, issued.key_pem)
    with s_server(tmp_path, pki.storage(), *options) as port:
        result = visit(port, storage_trust, role=Role.STORAGE, credentials=credentials)
    handshake = result.stage(Stage.HANDSHAKE)
    assert (handshake.condition, handshake.error) == (condition, numbers.get(version))
    assert result.tls is not None
    assert result.tls.client_certificate_requested is True
    assert result.tls.client_certificate_sent is (shown is not None)
    assert result.tls.client_ca_names[0].first("OU") == "AcronisStorage"
    assert result.tls.received_chain[0].subject.first("C") == "CH "
    pinned = result.tls.verified_by(TrustStore.ROLE)
    assert pinned is not None
    assert pinned.code == 0


@needs_openssl
def test_s_server_that_wants_another_name_answers_with_a_fatal_alert(
    tmp_path: Path, trust: Trust
) -> None:
    options = ["-servername", "other.example", "-servername_fatal"]
    (tmp_path / "leaf2.pem").write_bytes(pki.wrong_name().pem)
    (tmp_path / "key2.pem").write_bytes(pki.wrong_name().key_pem)
    options += ["-cert2", "leaf2.pem", "-key2", "key2.pem"]
    with s_server(tmp_path, pki.wrong_name(), *options) as port:
        result = visit(port, trust)
    handshake = result.stage(Stage.HANDSHAKE)
    assert (handshake.condition, handshake.error) == (Condition.FATAL_ALERT, 112)
    assert result.stage(Stage.VERIFY).condition is Condition.NOT_REACHED


@needs_openssl
@pytest.mark.parametrize("status", ["good", "revoked"])
def test_a_stapled_answer_signed_by_the_ca_tells_revocation(
    tmp_path: Path, trust: Trust, status: str
) -> None:
    leaf, ca = pki.management(), pki.public_intermediate()
    (tmp_path / "staple.der").write_bytes(pki.staple(leaf, ca, revoked=status == "revoked"))
    with s_server(tmp_path, leaf, "-status_file", "staple.der") as port:
        result = visit(port, trust)
    assert result.tls is not None
    assert result.tls.ocsp == status


@needs_openssl
def test_a_stapled_answer_signed_by_somebody_else_is_not_believed(
    tmp_path: Path, trust: Trust
) -> None:
    leaf, stranger = pki.management(), pki.corporate_root()
    (tmp_path / "staple.der").write_bytes(pki.staple(leaf, stranger, revoked=True))
    with s_server(tmp_path, leaf, "-status_file", "staple.der") as port:
        result = visit(port, trust)
    assert result.tls is not None
    assert result.tls.ocsp is None


def test_a_port_where_nothing_listens_is_refused(trust: Trust) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = visit(taken.getsockname()[1], trust)
    connect = result.stage(Stage.CONNECT)
    assert connect.condition is Condition.CONNECTION_REFUSED
    assert connect.error in (111, 61, 10061, 1225)
    assert result.tls is None


# --- a real interceptor ---------------------------------------------------------------------------


MITMDUMP = mitmdump()
needs_mitmproxy = pytest.mark.skipif(
    MITMDUMP is None, reason="no mitmdump: set DIAGNOSER_MITMDUMP or make .venv-mitmproxy"
)


def _free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port: int = probe_socket.getsockname()[1]
        return port


@contextlib.contextmanager
def interceptor(directory: Path, upstream: int) -> Iterator[int]:
    """mitmproxy in reverse mode in front of a genuine server; its CA lies in ``directory``."""
    port = _free_port()
    command = [str(MITMDUMP), "--quiet", "--mode", f"reverse:https://127.0.0.1:{upstream}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", str(port), "--ssl-insecure"]
    command += ["--set", f"confdir={directory}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield port
        finally:
            proxy.terminate()


@needs_openssl
@needs_mitmproxy
def test_mitmproxy_before_a_management_endpoint_is_seen_minting(
    tmp_path: Path, trust: Trust
) -> None:
    with (
        s_server(tmp_path, pki.management(), "-www") as server,
        interceptor(tmp_path, server) as port,
    ):
        result = visit(port, trust)
        anchored = Trust(
            (tmp_path / "mitmproxy-ca-cert.pem").read_bytes(), pki.public_root().pem, None
        )
        # mitmproxy's own CA is as old as this test.
        trusted_here = visit(port, anchored, at=datetime.now(UTC))
    assert result.stage(Stage.HANDSHAKE).condition is Condition.MET
    assert result.stage(Stage.VERIFY).condition is Condition.CERTIFICATE_REJECTED
    assert result.tls is not None
    leaf = result.tls.end_entity
    assert leaf is not None
    assert leaf.issuer.first("O") == "mitmproxy"
    assert leaf.timestamps == ()
    assert leaf.has_revocation_pointers is False
    control = result.control(Control.NONSENSE_NAME)
    assert control is not None
    assert control.certificate is not None
    assert control.certificate.dns_names is not None
    assert control.question in control.certificate.dns_names
    assert trusted_here.tls is not None
    assert {v.trust_store: v.code == 0 for v in trusted_here.tls.verify} == {
        TrustStore.SYSTEM: True,
        TrustStore.MOZILLA: False,
    }
    assert trusted_here.stage(Stage.VERIFY).condition is Condition.CERTIFICATE_REJECTED


@needs_openssl
@needs_mitmproxy
def test_mitmproxy_before_storage_cannot_pass_on_the_certificate_request(
    tmp_path: Path, storage_trust: Trust
) -> None:
    options = ["-Verify", "3", "-CAfile", "agents.pem"]
    with s_server(tmp_path, pki.storage(), *options) as server:
        genuine = visit(server, storage_trust, role=Role.STORAGE)
        with interceptor(tmp_path, server) as port:
            intercepted = visit(port, storage_trust, role=Role.STORAGE)
    assert genuine.tls is not None
    assert genuine.tls.client_certificate_requested is True
    assert intercepted.stage(Stage.HANDSHAKE).condition is Condition.MET
    assert intercepted.tls is not None
    assert intercepted.tls.client_certificate_requested is False
    assert intercepted.stage(Stage.VERIFY).condition is Condition.CERTIFICATE_REJECTED
