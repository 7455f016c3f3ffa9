"""One situation seen three ways: live, as a transcript, and in a capture that tcpdump made.

Everything happens in a network namespace of the test's own: servers on loopback addresses, nftables
in front of some, tcpdump on the loopback interface. All three must reach the same cause; where a
capture cannot see as much (TLS 1.3), it says so and accuses nobody.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pki
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from diagnoser.diagnosis import judge
from diagnoser.evidence import read_capture, read_transcripts
from diagnoser.model import Case, Origin, ProbeResult, Stage
from diagnoser.probing import Trust

pytestmark = pytest.mark.peer

PLACES = {
    "closed": 2, "filtered": 3, "prohibited": 4, "resigned": 5, "genuine": 6, "modern": 7,
    "cut": 8, "stalled": 9, "plain": 10, "old": 11, "storage": 12,
}  # fmt: skip
RULES = """
table inet lab {
  chain in {
    type filter hook input priority 0;
    ip daddr 127.0.0.3 drop
    ip daddr 127.0.0.4 tcp dport 8443 reject with icmpx admin-prohibited
    ip daddr 127.0.0.8 tcp dport 8443 meta length > 200 reject with tcp reset
    ip daddr 127.0.0.9 tcp dport 8443 meta length > 200 drop
  }
}
"""
SCRIPT = """
import asyncio, os, pickle, socket, subprocess, sys, threading, time
from diagnoser.model import Endpoint, Role, Transport
from diagnoser.probing import RedirectedNetwork, SystemNetwork, Trust, parse_redirection, probe_all

places = %r
run = lambda *a: subprocess.run(a, check=True, capture_output=True)
run("ip", "link", "set", "lo", "up")
run("nft", "-f", "rules.nft")
run("sysctl", "-w", "net.ipv4.tcp_syn_retries=1")
port = lambda name: 44445 if name == "storage" else 8443
host = lambda name: f"{name}-fes-us5.acronis.com" if name == "storage" else f"{name}-cloud.acronis.com"
started = []
def serve(name, chain, *options):
    started.append(subprocess.Popen(
        ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.{places[name]}:{port(name)}",
         "-cert", chain + ".pem", "-key", chain + ".pem", "-cert_chain", chain + "-chain.pem",
         *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
serve("resigned", "resigned", "-tls1_2")
serve("genuine", "genuine", "-tls1_2")
serve("modern", "genuine")
serve("old", "genuine", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
serve("storage", "storage", "-tls1_2", "-Verify", "1", "-CAfile", "clients.pem")
def plainly():
    server = socket.create_server((f"127.0.0.{places['plain']}", 8443))
    while True:
        peer, _ = server.accept()
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 302 Found\\r\\nLocation: http://portal.example/\\r\\n\\r\\n")
        time.sleep(0.2)
        peer.close()
threading.Thread(target=plainly, daemon=True).start()
open_ports = [socket.create_server((f"127.0.0.{places[n]}", 8443)) for n in ("cut", "stalled")]
dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-w", "lab.pcap"], stderr=subprocess.PIPE)
dump.stderr.readline()
time.sleep(1.0)
root = open("root.pem", "rb").read()
redirections = tuple(
    parse_redirection(f"{host(n)}:{port(n)}:127.0.0.{k}:{port(n)}") for n, k in places.items())
endpoints = [
    Endpoint(host(n), port(n), Role.STORAGE if n == "storage" else Role.MANAGEMENT, host(n),
             n == "storage", Transport.TLS) for n in places]
async def live():
    return await probe_all(endpoints, network=RedirectedNetwork(SystemNetwork(), redirections),
                           trust=Trust(root, root, None), timeout=2.0)
probes = asyncio.run(live())
texts = {}
for name, k in places.items():
    if name == "stalled":
        continue  # s_client would have to be killed, which loses what it had not yet written
    done = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect", f"127.0.0.{k}:{port(name)}",
         "-servername", host(name)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=20)
    command = f"$ openssl s_client -showcerts -connect {host(name)}:{port(name)}\\n"
    texts[name] = command + done.stdout.decode()
time.sleep(4.0)
dump.send_signal(2)
dump.wait(10)
for process in started:
    process.kill()
sys.stdout.buffer.write(pickle.dumps((probes, texts)))
"""
CAUSES = {
    "closed": "port-closed",
    "filtered": "port-filtered",
    "prohibited": "network-unreachable",
    "resigned": "tls-intercepted",
    "genuine": "endpoint-healthy",
    "cut": "handshake-blocked",
    "stalled": "handshake-stalled",
    "plain": "not-tls",
    "old": "protocol-too-old",
    "storage": "endpoint-healthy",
}


def _why_not() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root for a network namespace"
    tools = ("unshare", "ip", "nft", "tcpdump", "openssl", "sysctl")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--net", "nft", "add", "table", "inet", "lab"], check=False, capture_output=True
    )
    return None if tried.returncode == 0 else "namespaces or nftables are not allowed here"


def _write(directory: Path, name: str, issued: pki.Issued) -> None:
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / f"{name}.pem").write_bytes(issued.pem + key)
    above = b"".join(c.public_bytes(Encoding.PEM) for c in issued.sent[1:])
    (directory / f"{name}-chain.pem").write_bytes(above or issued.pem)


Seen = tuple[dict[str, ProbeResult], dict[str, str], Path]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Live probes and transcripts by situation, and the one capture of them all."""
    if reason := _why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("captures")
    # tcpdump gives up its rights before it writes.
    for parent in (directory, *directory.parents[:3]):
        parent.chmod(0o777)
    _write(directory, "genuine", pki.management())
    _write(directory, "resigned", pki.resigned_management())
    _write(directory, "storage", pki.storage())
    (directory / "clients.pem").write_bytes(pki.client_authority().pem)
    (directory / "root.pem").write_bytes(pki.public_root().pem)
    (directory / "rules.nft").write_text(RULES)
    (directory / "lab.py").write_text(SCRIPT % PLACES)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "lab.py"],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr.decode()
    probes, texts = pickle.loads(done.stdout)
    names = {p.endpoint.host.partition("-")[0]: p for p in probes}
    return names, texts, directory / "lab.pcap"


@pytest.fixture(scope="module")
def public() -> Trust:
    return Trust(None, pki.public_root().pem, None)


def cause_of(probe: ProbeResult) -> str:
    cause = judge(Case(None, (probe.endpoint,), (probe,))).cause
    return cause.rule if cause else "none"


def captured(path: Path, trust: Trust) -> dict[str, ProbeResult]:
    with path.open("rb") as stream:
        probes = read_capture(stream, "lab.pcap", trust)
    places = {f"127.0.0.{k}": name for name, k in PLACES.items()}
    return {places[p.addresses[0].address]: p for p in probes}


@pytest.mark.parametrize("name", CAUSES)
def test_live_transcript_and_capture_reach_the_same_cause(
    name: str, seen: Seen, public: Trust
) -> None:
    live, texts, path = seen
    assert cause_of(live[name]) == CAUSES[name]
    assert cause_of(captured(path, public)[name]) == CAUSES[name]
    if name in texts:
        (transcript,) = read_transcripts(texts[name], "output3.txt", datetime.now(UTC), public)
        assert transcript.endpoint.host == live[name].endpoint.host
        assert cause_of(transcript) == CAUSES[name]


def test_tls_1_3_hides_the_certificate_and_the_capture_says_so(seen: Seen, public: Trust) -> None:
    probe = captured(seen[2], public)["modern"]
    assert probe.origin is Origin.CAPTURE
    assert probe.tls is not None
    assert (probe.tls.version, probe.tls.received_chain) == ("TLSv1.3", ())
    assert "TLS 1.3 hides" in probe.stage(Stage.VERIFY).detail
    assert cause_of(probe) == "none"


def test_the_router_that_rejects_is_named(seen: Seen, public: Trust) -> None:
    stage = captured(seen[2], public)["prohibited"].stage(Stage.CONNECT)
    assert "ICMP 3/13 from 127.0.0.4" in stage.detail


def test_the_capture_shows_name_request_and_what_the_portal_said(seen: Seen, public: Trust) -> None:
    probes = captured(seen[2], public)
    assert probes["resigned"].endpoint.server_name == "resigned-cloud.acronis.com"
    storage, plain = probes["storage"].tls, probes["plain"].tls
    assert storage is not None
    assert plain is not None
    assert storage.client_certificate_requested is True
    assert [n.first("CN") for n in storage.client_ca_names] == ["Agents CA"]
    assert plain.clear_text is not None
    assert plain.clear_text.startswith("HTTP/1.1 302 Found")


def _accused(probes: Sequence[ProbeResult]) -> set[str]:
    accusing = ("tls-intercepted", "intercepted-and-trusted-here", "box-certificate")
    return {str(p.endpoint) for p in probes if cause_of(p) in accusing}


def test_gzip_is_read_and_a_cut_capture_accuses_nobody(seen: Seen, public: Trust) -> None:
    data = seen[2].read_bytes()
    packed = read_capture(io.BytesIO(gzip.compress(data)), "lab.pcap.gz", public)
    assert len(packed) == len(read_capture(io.BytesIO(data), "lab.pcap", public))
    half = read_capture(io.BytesIO(gzip.compress(data)[: len(data) // 4]), "cut.pcap.gz", public)
    assert half
    # A connection that was cut before its name arrived may stand alone; it is accused of nothing.
    assert _accused(half) <= _accused(packed)


def test_a_short_snap_length_leaves_a_genuine_server_undecided(
    seen: Seen, public: Trust, tmp_path: Path
) -> None:
    short = tmp_path / "short.pcap"
    tmp_path.chmod(0o777)
    with seen[2].open("rb") as stream:
        head = stream.read(24)
        out = bytearray(head)
        while record := stream.read(16):
            kept = int.from_bytes(record[8:12], "little")
            body = stream.read(kept)[:200]
            out += record[:8] + len(body).to_bytes(4, "little") + record[12:] + body
    short.write_bytes(bytes(out))
    probe = captured(short, public)["genuine"]
    assert cause_of(probe) == "none"
    assert "cut or missing" in probe.stage(Stage.HANDSHAKE).detail
