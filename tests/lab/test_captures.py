"""One situation seen three ways: live, as a transcript, and in a capture that tcpdump made.

Everything happens in a network namespace of the test's own: servers on addresses for documentation
(RFC 5737), nftables in front of some, tcpdump on the loopback interface that bears them all. All three must reach the same cause; where a
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
    "cut": 8, "stalled": 9, "plain": 10, "old": 11, "storage": 12, "expired": 13, "device": 14,
    "short": 15, "hangup": 16, "foreign": 17, "lapsed": 18, "served": 19, "denied": 20, "login": 21,
}  # fmt: skip
RULES = """
table inet lab {
  chain in {
    type filter hook input priority 0;
    ip daddr 203.0.113.3 drop
    ip daddr 203.0.113.4 tcp dport 8443 reject with icmpx admin-prohibited
    ip daddr 203.0.113.8 tcp dport 8443 meta length > 200 reject with tcp reset
    ip daddr 203.0.113.9 tcp dport 8443 meta length > 200 drop
  }
}
"""
SCRIPT = """
import asyncio, contextlib, os, pickle, socket, subprocess, sys, threading, time
from pathlib import Path
from diagnoser.model import Endpoint, Proxy, Role, Transport
from diagnoser.probing import (
    RedirectedNetwork, SystemNetwork, Trust, load_credentials, parse_redirection, probe_all)

places, dumps = GIVEN
run = lambda *a: subprocess.run(a, check=True, capture_output=True)
run("ip", "link", "set", "lo", "up")
for k in places.values():
    run("ip", "address", "add", f"203.0.113.{k}", "dev", "lo")
run("nft", "-f", "rules.nft")
run("sysctl", "-w", "net.ipv4.tcp_syn_retries=1")
own = {"foreign": "unknown-client", "lapsed": "expired-client", "served": "client"}
stores = {"storage", *own}
proxies = {"denied": b"HTTP/1.1 403 Forbidden", "login": b"HTTP/1.1 407 Proxy Authentication Required"}
port = lambda name: 44445 if name in stores else 3128 if name in proxies else 8443
host = lambda name: f"{name}-fes-us5.acronis.com" if name in stores else f"{name}-cloud.acronis.com"
target = lambda name: (host(name), 8443 if name in proxies else port(name))
started = []
def serve(name, chain, *options):
    started.append(subprocess.Popen(
        ["openssl", "s_server", "-quiet", "-accept", f"203.0.113.{places[name]}:{port(name)}",
         "-cert", chain + ".pem", "-key", chain + ".pem", "-cert_chain", chain + "-chain.pem",
         *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
serve("resigned", "resigned", "-tls1_2")
serve("genuine", "genuine", "-tls1_2")
serve("modern", "genuine")
serve("old", "genuine", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
serve("expired", "expired", "-tls1_2")
serve("device", "device", "-tls1_2")
serve("short", "short", "-tls1_2")
for name in stores:
    serve(name, "storage", "-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", "clients.pem")
def answer(name, text):
    def serve_one(peer):
        with peer, contextlib.suppress(OSError):
            peer.recv(4096)
            peer.sendall(text)
            time.sleep(0.2)
    server = socket.create_server((f"203.0.113.{places[name]}", port(name)))
    while True:
        threading.Thread(target=serve_one, args=server.accept()[:1], daemon=True).start()
answers = {"plain": b"HTTP/1.1 302 Found\\r\\nLocation: http://portal.example/\\r\\n\\r\\n",
           "hangup": b"", **{n: a + b"\\r\\nContent-Length: 0\\r\\n\\r\\n" for n, a in proxies.items()}}
for name, text in answers.items():
    threading.Thread(target=answer, args=(name, text), daemon=True).start()
open_ports = [socket.create_server((f"203.0.113.{places[n]}", 8443)) for n in ("cut", "stalled")]
dumps = [
    subprocess.Popen(["tcpdump", "-U", *options, "-w", f"{name}.pcap"], stderr=subprocess.PIPE)
    for name, options in dumps.items()]
for dump in dumps:
    dump.stderr.readline()
time.sleep(1.0)
root = open("root.pem", "rb").read()
redirections = tuple(
    parse_redirection(f"{host(n)}:{port(n)}:203.0.113.{k}:{port(n)}") for n, k in places.items())
endpoint = lambda n: Endpoint(
    *target(n), Role.STORAGE if n in stores else Role.MANAGEMENT, host(n), n in stores, Transport.TLS)
async def live(*names, **how):
    return await probe_all([endpoint(n) for n in names], timeout=2.0, trust=Trust(root, root, None),
                           network=RedirectedNetwork(SystemNetwork(), redirections), **how)
async def all_of_them():
    return await asyncio.gather(
        live(*(places.keys() - own.keys() - proxies.keys())),
        *(live(n, credentials=load_credentials(Path(c + ".pem"), None)) for n, c in own.items()),
        *(live(n, proxy=Proxy(f"203.0.113.{places[n]}", 3128)) for n in proxies))
probes = [p for found in asyncio.run(all_of_them()) for p in found]
texts = {}
for name, k in places.items():
    if name == "stalled":
        continue  # s_client would have to be killed, which loses what it had not yet written
    options = ["-cert", own[name] + ".pem"] if name in own else []
    there = f"203.0.113.{k}:{port(name)}"
    if name in proxies:
        options, there = ["-proxy", there], "%s:%d" % target(name)
    done = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect", there, "-servername", host(name), *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    command = "$ openssl s_client -showcerts -connect %s:%d " % target(name) + " ".join(options)
    texts[name] = command + "\\n" + done.stdout.decode()
time.sleep(4.0)
for dump in dumps:
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
    "expired": "certificate-expired",
    "device": "name-mismatch",
    "short": "root-not-trusted",
    "hangup": "handshake-blocked",
    "foreign": "client-certificate-refused",
    "lapsed": "client-certificate-expired",
    "served": "endpoint-healthy",
    "denied": "proxy-refused",
    "login": "proxy-authentication-required",
}
# Captures of the same traffic, each as another habit leaves it.
DUMPS = {
    "lab": ["-i", "lo"],
    "cooked-2": ["-i", "any"],
    "cooked": ["-i", "any", "-y", "LINUX_SLL"],
    "nano": ["-i", "lo", "--time-stamp-precision=nano"],
    "snap": ["-i", "lo", "-s", "200"],
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
    _write(directory, "expired", pki.expired())
    _write(directory, "device", pki.self_signed())
    _write(directory, "short", pki.missing_intermediate())
    _write(directory, "client", pki.client())
    _write(directory, "unknown-client", pki.unknown_client())
    _write(directory, "expired-client", pki.expired_client())
    (directory / "clients.pem").write_bytes(pki.client_authority().pem)
    (directory / "root.pem").write_bytes(pki.public_root().pem)
    (directory / "rules.nft").write_text(RULES)
    (directory / "lab.py").write_text(SCRIPT.replace("GIVEN", repr((PLACES, DUMPS))))
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
    places = {f"203.0.113.{k}": name for name, k in PLACES.items()}
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
    assert "ICMP 3/13 from 203.0.113.4" in stage.detail


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


@pytest.mark.parametrize("name", ["cooked", "cooked-2", "nano"])
def test_each_way_to_capture_shows_the_same(name: str, seen: Seen, public: Trust) -> None:
    probes = captured(seen[2].with_name(f"{name}.pcap"), public)
    assert {n: cause_of(p) for n, p in probes.items() if n in CAUSES} == CAUSES


def test_a_short_snap_length_costs_what_it_cut_and_accuses_nobody(
    seen: Seen, public: Trust
) -> None:
    probes = captured(seen[2].with_name("snap.pcap"), public)
    causes = {n: cause_of(p) for n, p in probes.items() if n in CAUSES}
    # What 200 bytes of each packet tell; certificates are longer.
    short = ("closed", "filtered", "prohibited", "cut", "stalled", "plain", "denied", "login")
    assert {n: causes[n] for n in short} == {n: CAUSES[n] for n in short}
    assert {causes[n] for n in ("genuine", "resigned", "expired", "foreign")} == {"none"}
    detail = probes["genuine"].stage(Stage.HANDSHAKE).detail
    assert detail == "packets are cut or missing in the capture"
