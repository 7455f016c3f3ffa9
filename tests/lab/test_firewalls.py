"""Real packet filters in a network namespace of the test's own: nothing of this machine changes.

The probe runs as a subprocess inside the namespace, on its loopback interface, where nftables
drops, rejects and resets; its result comes back pickled.
"""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diagnoser.model import Condition, ProbeResult, Stage

pytestmark = pytest.mark.peer

RULES = """
table inet lab {
  chain in {
    type filter hook input priority 0;
    tcp dport 10001 drop
    tcp dport 10002 reject with icmpx admin-prohibited
    tcp dport 10003 reject with tcp reset
    tcp dport 10004 reject with icmpx port-unreachable
    tcp dport 10005 meta length > 200 reject with tcp reset
    tcp dport 10006 meta length > 200 drop
    meta l4proto icmp accept
  }
}
"""

PROBE = """
import asyncio, pickle, socket, sys
from diagnoser.model import Endpoint, Role, Transport
from diagnoser.probing import SystemNetwork, Trust, probe_all

async def main():
    listening = [socket.create_server(("127.0.0.1", p)) for p in (10005, 10006)]
    name = "rs-us5-cloud.acronis.com"
    endpoints = [
        Endpoint(host, port, Role.STORAGE, name, False, Transport.TLS)
        for host, port in [("127.0.0.1", p) for p in range(10000, 10007)] + [("192.0.2.1", 10007)]
    ]
    results = await probe_all(
        endpoints, network=SystemNetwork(), trust=Trust(None, None, None), timeout=1.0
    )
    for server in listening:
        server.close()
    sys.stdout.buffer.write(pickle.dumps(results))

asyncio.run(main())
"""


def _why_not() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root for a network namespace"
    missing = [tool for tool in ("unshare", "ip", "nft") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--net", "nft", "add", "table", "inet", "lab"], check=False, capture_output=True
    )
    return None if tried.returncode == 0 else "namespaces or nftables are not allowed here"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, ProbeResult]:
    """One probe of every port behind the rules, keyed by port."""
    if reason := _why_not():
        pytest.skip(reason)
    directory: Path = tmp_path_factory.mktemp("lab")
    (directory / "rules.nft").write_text(RULES)
    (directory / "probe.py").write_text(PROBE)
    script = 'ip link set lo up && nft -f "$1/rules.nft" && exec "$2" -W error "$1/probe.py"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "sh", str(directory), sys.executable],
        check=False,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found: list[ProbeResult] = pickle.loads(done.stdout)
    return {r.endpoint.port: r for r in found}


@pytest.mark.parametrize(
    ("port", "stage", "condition", "number"),
    [
        (10000, Stage.CONNECT, Condition.CONNECTION_REFUSED, errno.ECONNREFUSED),
        (10001, Stage.CONNECT, Condition.CONNECTION_TIMED_OUT, None),
        (10002, Stage.CONNECT, Condition.NETWORK_UNREACHABLE, errno.EHOSTUNREACH),
        (10003, Stage.CONNECT, Condition.CONNECTION_REFUSED, errno.ECONNREFUSED),
        (10004, Stage.CONNECT, Condition.CONNECTION_REFUSED, errno.ECONNREFUSED),
        (10005, Stage.HANDSHAKE, Condition.CONNECTION_RESET, errno.ECONNRESET),
        (10006, Stage.HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, None),
        (10007, Stage.CONNECT, Condition.NETWORK_UNREACHABLE, errno.ENETUNREACH),
    ],
    ids=[
        "closed",
        "dropped",
        "admin-prohibited",
        "reset",
        "port-unreachable",
        "hello-reset",
        "hello-dropped",
        "no-route",
    ],
)
def test_a_packet_filter_is_told_by_number(
    results: dict[int, ProbeResult],
    port: int,
    stage: Stage,
    condition: Condition,
    number: int | None,
) -> None:
    found = results[port].stage(stage)
    assert (found.condition, found.error) == (condition, number)
    place = list(Stage).index(stage)
    conditions = [s.condition for s in results[port].stages]
    assert set(conditions[:place]) == {Condition.MET}
    assert set(conditions[place + 1 :]) == {Condition.NOT_REACHED}


def test_a_dropped_hello_shows_bytes_out_and_none_in(results: dict[int, ProbeResult]) -> None:
    tls = results[10006].tls
    assert tls is not None
    assert tls.bytes_received == 0
    assert (tls.bytes_sent or 0) > 200
