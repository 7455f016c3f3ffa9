"""How many handshakes a second, as ratios to ``openssl s_client`` and sslyze in the same run.

    python tests/benchmarks/handshakes.py [--rounds 5] [--sslyze /path/to/its/python]

The client side is pinned to one core, the server to another: nginx (TLS 1.3, P-256). For the second
half every packet, those that open the connection included, is held for 40 ms in either direction
by a network device of this program's own (``tun``, in a network namespace; needs root, skipped
with a reason elsewhere). Rounds are interleaved; medians, with the extremes in brackets. Ratios
carry over to other machines, the numbers do not.

- *diagnoser* is ``probe_all`` over endpoints of distinct names: resolve, connect, handshake, read
  what comes after it, all facts of the chain, and the opinions of two stores of some 120 roots.
- *s_client* is ``openssl s_client -showcerts -CAfile`` with the one root that is needed, one process
  after the other; *s_client, same roots* is given the roots that *diagnoser* holds chains against.
- *sslyze* is its certificate scan inside a running process, 20 servers at a time; it does more than
  one handshake a server. Its Python is given by ``--sslyze`` or ``DIAGNOSER_SSLYZE``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import os
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import certifi

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import pki  # noqa: E402

from diagnoser.diagnosis import Inquiry, Permission, investigate, judge, open_check  # noqa: E402
from diagnoser.model import Condition, Endpoint, Role, Stage, Standing, Transport, Vantage  # noqa: E402
from diagnoser.probing import (  # noqa: E402
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    Trust,
    run,
)

# What is sent to FAR comes back to NEAR; loopback is not held.
DIRECT, NEAR, FAR, PORT = "127.83.44.5", "10.83.44.1", "10.83.44.2", 18443
HOLD = 0.040
# linux/if_tun.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
HOST = "us5-cloud.acronis.com"

NGINX = """
daemon off; worker_processes 1; pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  ssl_session_cache off;
  server {{
    listen {port} ssl backlog=4096; ssl_protocols TLSv1.3;
    ssl_certificate {place}/leaf.pem; ssl_certificate_key {place}/leaf.key;
    location / {{ return 200 'hello'; }}
  }}
}}
"""

SSLYZE = """
import sys, time
from sslyze import *
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
wanted = {ScanCommand.CERTIFICATE_INFO}
asked = [ServerScanRequest(ServerNetworkLocation(f"n{i}-cloud.acronis.com", port, ip_address=host),
                           scan_commands=wanted) for i in range(count)]
begun = time.perf_counter()
scanner = Scanner(concurrent_server_scans_limit=20)
scanner.queue_scans(asked)
ended = [r.scan_result.certificate_info.status.name for r in scanner.get_results() if r.scan_result]
print(time.perf_counter() - begun, ended.count("COMPLETED"))
"""


# --- servers ------------------------------------------------------------------------------------


def hold_packets() -> None:
    """Send every packet for :data:`FAR` back to this machine, :data:`HOLD` seconds later.

    Source and destination change places, so that what :data:`NEAR` sends to the one port arrives
    at the other as if :data:`FAR` had sent it; sums of TCP do not change with the order of the two.
    """
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"held", IFF_TUN | IFF_NO_PI))
    for command in (f"addr add {NEAR}/24 dev held", "link set held up txqueuelen 10000"):
        subprocess.run(["ip", *command.split()], check=True)
    os.set_blocking(device, False)
    waiting: collections.deque[tuple[float, bytes]] = collections.deque()
    print("ready", flush=True)
    while True:
        rest = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        if select.select([device], [], [], rest)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(device, 65536)
                    if packet[0] >> 4 == 4:
                        turned = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                        waiting.append((time.monotonic() + HOLD, turned))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            os.write(device, waiting.popleft()[1])


@contextlib.contextmanager
def serving() -> Iterator[Path]:
    """nginx on the last core, and who holds packets if root; gives the place of ``root.pem``."""
    core = str(max(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as started:
        place = Path(directory)
        place.chmod(0o755)
        (place / "leaf.pem").write_bytes(pki.management().chain_pem)
        (place / "leaf.key").write_bytes(pki.management().key_pem)
        (place / "root.pem").write_bytes(pki.public_root().pem)
        (place / "roots.pem").write_bytes(bundle())
        (place / "nginx.conf").write_text(NGINX.format(place=place, port=PORT), "utf-8")

        def start(*command: str) -> subprocess.Popen[bytes]:
            program = subprocess.Popen(
                ["taskset", "-c", core, *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            )  # fmt: skip
            started.callback(program.wait)
            started.callback(program.terminate)
            return program

        if os.geteuid() == 0:
            holder = start(sys.executable, __file__, "--hold-packets")
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or "nginx"
        start(nginx, "-e", "stderr", "-p", directory, "-c", str(place / "nginx.conf"))
        time.sleep(1.0)
        yield place


# --- what is measured ---------------------------------------------------------------------------


def bundle() -> bytes:
    """The Mozilla bundle with the test's root."""
    return Path(certifi.where()).read_bytes() + pki.public_root().pem


def stores() -> Trust:
    """The bundle, once as this machine's store and once as itself."""
    return Trust(bundle(), bundle(), None)


def probe_many(trust: Trust, address: str, count: int, concurrency: int) -> float:
    """Handshakes a second of ``count`` endpoints; all must be genuine."""
    network = RedirectedNetwork(SystemNetwork(), (Redirection(None, None, address, PORT),))
    endpoints = []
    for number in range(count):
        host = f"n{number}-cloud.acronis.com"
        endpoints.append(Endpoint(host, 443, Role.MANAGEMENT, host, False, Transport.TLS))
    begun = time.perf_counter()
    results = run(
        endpoints, network=network, trust=trust, concurrency=concurrency, now=lambda: pki.NOW
    )
    spent = time.perf_counter() - begun
    for result in results:
        assert result.stage(Stage.VERIFY).condition is Condition.MET, result.stages
        assert result.tls is not None
        assert len(result.tls.received_chain) == 2
    return count / spent


def s_client(place: Path, address: str, count: int, roots: str = "root.pem") -> float:
    """Handshakes a second of ``openssl s_client``, one process after the other."""
    begun = time.perf_counter()
    for _ in range(count):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{address}:{PORT}", "-servername", HOST,
             "-showcerts", "-CAfile", str(place / roots)],
            stdin=subprocess.DEVNULL, capture_output=True, check=True,
        )  # fmt: skip
        assert b"TLSv1.3" in done.stdout
    return count / (time.perf_counter() - begun)


def sslyze(python: str, address: str, count: int) -> float:
    """Servers a second of sslyze's certificate scan, without the time it takes to start."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SSLYZE, address, str(PORT), str(count)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    spent, completed = done.stdout.split()
    assert int(completed) == count, done.stdout
    return count / float(spent)


def one_verdict(trust: Trust, address: str, *, looks_ahead: bool) -> float:
    """Verdicts a second, one endpoint after the other: from the name to a judged case."""
    inquiry = Inquiry(
        network=RedirectedNetwork(SystemNetwork(), (Redirection(None, None, address, PORT),)),
        trust=trust,
        vantage=Vantage("benchmark", "Linux", "certifi"),
        permission=Permission(everything=True),
        now=lambda: pki.NOW,
        looks_ahead=looks_ahead,
    )
    count = 20
    begun = time.perf_counter()
    for _ in range(count):
        (case,) = investigate([open_check(HOST, [443], HOST)], inquiry)
        cause = judge(case).cause
        assert cause is not None
        assert (cause.rule, cause.finding.standing) == ("endpoint-healthy", Standing.APPLIES)
    return count / (time.perf_counter() - begun)


def one_process(place: Path, address: str) -> float:
    """Whole processes of ``diagnoser check`` a second, the interpreter's start included."""
    # The command judges by the machine's clock, and certifi knows no root of a test.
    command = [
        sys.executable, "-m", "diagnoser", "check", f"{HOST}:443", "--quiet", "--connect-to",
        f"{HOST}:443:{address}:{PORT}", "--ca-file", str(place / "root.pem"), "--proxy", "none",
    ]  # fmt: skip
    begun = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False, cwd=TESTS.parent)
    return 1 / (time.perf_counter() - begun)


Measurement = Callable[[], float]


def interleaved(rounds: int, measurements: dict[str, Measurement]) -> dict[str, list[float]]:
    """Every measurement once a round."""
    for name, measure in measurements.items():
        print(f"warming up: {name}", file=sys.stderr)
        measure()
    found: dict[str, list[float]] = {name: [] for name in measurements}
    for number in range(rounds):
        for name, measure in measurements.items():
            found[name].append(measure())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def table(title: str, unit: str, found: dict[str, list[float]], *bases: str) -> None:
    """A Markdown table with the ratio to each base; a ratio is taken round by round."""
    known = [b for b in bases if b in found]
    print(f"\n{title}\n\n| method | {unit} |" + "".join(f" × {b} |" for b in known))
    print("| --- | ---: |" + " ---: |" * len(known))
    for name, values in found.items():
        middle, low, high = statistics.median(values), min(values), max(values)
        ratios = "".join(
            f" {statistics.median(a / b for a, b in zip(values, found[base], strict=True)):.1f} |"
            for base in known
        )
        print(f"| {name} | {middle:.4g} ({low:.4g}-{high:.4g}) |{ratios}")


def main(rounds: int, python: str | None) -> None:
    """Print the tables."""
    cores = sorted(os.sched_getaffinity(0))
    networks = [("Without delay", DIRECT, 600, 40)]
    if os.geteuid() == 0:
        networks.append(("A round trip of 80 ms", FAR, 1000, 5))
    with serving() as place:
        os.sched_setaffinity(0, {cores[0]})
        trust = stores()
        for title, address, many, few in networks:
            asked = _throughput(place, trust, address, many, few)
            if python is not None:
                asked["sslyze"] = partial(sslyze, python, address, 60)
            found = interleaved(rounds, asked)
            table(
                f"{title}, one core for the client",
                "handshakes/s",
                found,
                *list(found)[:2],
                "sslyze",
            )
        verdicts: dict[str, Measurement] = {
            "s_client": partial(s_client, place, DIRECT, 20),
            "one verdict, one handshake": partial(one_verdict, trust, DIRECT, looks_ahead=False),
            "one verdict, and the larger hello tried": partial(
                one_verdict, trust, DIRECT, looks_ahead=True
            ),
            "a whole process of diagnoser check": partial(one_process, place, DIRECT),
        }
        table(
            "One healthy endpoint, without delay", "a second",
            interleaved(rounds, verdicts), "s_client",
        )  # fmt: skip
    if python is None:
        print("\nsslyze: skipped, no --sslyze and no DIAGNOSER_SSLYZE")
    if os.geteuid() != 0:
        print("\n80 ms: skipped, holding packets needs root")
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {len(cores)} cores, {rounds} rounds")


def _throughput(
    place: Path, trust: Trust, address: str, many: int, few: int
) -> dict[str, Measurement]:
    return {
        "s_client": partial(s_client, place, address, few),
        "s_client, same roots": partial(s_client, place, address, few, "roots.pem"),
        "diagnoser, 50 at a time": partial(probe_many, trust, address, many, 50),
        "diagnoser, 200 at a time": partial(probe_many, trust, address, many, 200),
    }


def in_own_network(arguments: list[str]) -> int:
    """This program again, where no other network device is."""
    program = [sys.executable, __file__, "--inside", *arguments]
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *program]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Handshakes a second, as ratios.")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--sslyze", default=os.environ.get("DIAGNOSER_SSLYZE"))
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--hold-packets", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.hold_packets:
        hold_packets()
    elif os.geteuid() == 0 and not chosen.inside:
        sys.exit(in_own_network(sys.argv[1:]))
    else:
        main(chosen.rounds, chosen.sslyze)
