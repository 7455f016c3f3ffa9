"""Situations that look like a fault of the way and are none, or another: what must not be certain.

A balancer that has lost one server looks like a filter by name; a way that vanishes, or a firewall
that shuts out whoever has sent a hello, like a lost hello; a firewall that counts connections, like
one that loses large hellos. Each is an address in a network of the test's own.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pki
import pytest
from situations import HERE, Answer, Errand, Expected, Lab, lab

from diagnoser import catalog
from diagnoser.model import Condition, Control, Stage, Standing
from diagnoser.reports.remarks import remarks

pytestmark = pytest.mark.peer

HANDSHAKE, VERIFY = Stage.HANDSHAKE, Stage.VERIFY
SUSPECTED = Standing.SUSPECTED
PORTS = ("network-unreachable", "port-closed", "port-filtered", "not-tls")


@dataclass(frozen=True, slots=True)
class Situation:
    """An address, what the packet filter does there or who answers there, and how it must end.

    Without ``expected`` nothing may be claimed: no rule applies, and none is suspected.
    """

    address: str
    expected: Expected | None
    rules: tuple[str, ...] = ()
    odd: str = ""


SITUATIONS = {
    # All servers share one certificate: what the balancer does not know goes to another of them.
    "balancer-without-this-server": Situation(
        "203.0.113.101",
        Expected(
            HANDSHAKE, Condition.CONNECTION_CLOSED, "handshake-blocked", SUSPECTED,
            evidence={"no_name_answered": "CN=*.acronis.com", "longer_name_answered": "yes"},
            excluded=(*PORTS, "handshake-stalled"),
        ),
        odd="lost-server",
    ),
    "balancer-that-waits-for-this-server": Situation(
        "203.0.113.102",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={
                "lost_packets": "peer-is-silent", "no_name_answered": "CN=*.acronis.com",
                "longer_name_answered": "yes",
            },
            excluded=(*PORTS, "handshake-blocked"),
        ),
        odd="lost-server-silent",
    ),
    # Puts segments together, as most do: told by its objecting to a name below the host's.
    "filter-by-domain": Situation(
        "203.0.113.103",
        Expected(
            HANDSHAKE, Condition.CONNECTION_CLOSED, "handshake-blocked",
            evidence={
                "no_name_answered": "CN=*.acronis.com",
                "longer_name_cut": "probe.filter-by-domain-cloud.acronis.com",
            },
            excluded=(*PORTS, "handshake-stalled"),
        ),
        odd="domain-filter",
    ),
    # Every hello that names the host dies, the others live: by chance alone.
    "pool-mostly-down": Situation("203.0.113.104", None, odd="pool-mostly-down"),
    "way-that-vanishes": Situation(
        "203.0.113.105",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={"lost_packets": "hello-lost", "unopened_again": "network-unreachable"},
            excluded=(*PORTS, "handshake-blocked"),
        ),
        rules=(
            "ip daddr @gone reject with icmp type host-unreachable",
            "ip daddr HERE tcp dport 443 meta length > 150 add @gone { ip daddr } drop",
        ),
    ),
    "shut-out-after-the-hello": Situation(
        "203.0.113.106",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={"lost_packets": "hello-lost", "unopened_again": "connection-timed-out"},
            excluded=(*PORTS, "handshake-blocked"),
        ),
        rules=(
            "ip daddr @shut drop",
            "ip daddr HERE tcp dport 443 meta length > 150 add @shut { ip daddr } drop",
        ),
    ),
    # One connection a second: the next ones are none of the endpoint's fault.
    "few-connections-allowed": Situation(
        "203.0.113.107",
        Expected(
            VERIFY, Condition.MET, "endpoint-healthy",
            excluded=(*PORTS, "handshake-blocked", "handshake-stalled"),
        ),
        rules=(
            "ip daddr HERE tcp dport 443 tcp flags syn "
            "limit rate over 1/minute burst 1 packets drop",
        ),
    ),
}  # fmt: skip


def host(key: str) -> str:
    return f"{key}-cloud.acronis.com"


def _furnish(network: Lab) -> None:
    sets = "".join(
        f"set {name} {{ type ipv4_addr; size 64; flags dynamic; }}\n" for name in ("gone", "shut")
    )
    rules = "\n".join(r.replace("HERE", s.address) for s in SITUATIONS.values() for r in s.rules)
    chain = f"chain in {{\ntype filter hook input priority 0;\n{rules}\n}}\n"
    network.run("nft", "-f", "-", text=f"table inet lab {{\n{sets}{chain}}}\n".encode())
    network.resolve_by(
        "".join(f"host-record={host(k)},{s.address}\n" for k, s in SITUATIONS.items())
    )
    served = [s.address for s in SITUATIONS.values() if not s.odd]
    network.serve_genuine("203.0.113.10", *served, ports=(443,))
    odd = [f"{s.odd}@{s.address}:443" for s in SITUATIONS.values() if s.odd]
    network.start(sys.executable, str(HERE / "oddities.py"), *odd)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed at the same time."""
    with lab("nginx", "dnsmasq") as network:
        _furnish(network)
        network.wait_for("203.0.113.10", 443)
        network.wait_for("203.0.113.104", 443)
        root = pki.public_root().pem
        errands = [Errand(f"{host(k)}:443", root=root, seconds=1.2) for k in SITUATIONS]
        yield dict(zip(SITUATIONS, network.answer(errands), strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_only_what_is_proven_is_certain(answers: dict[str, Answer], key: str) -> None:
    answer, expected = answers[key], SITUATIONS[key].expected
    if expected is None:
        assert answer.diagnosis.cause is None
    else:
        expected.check(answer)
    assert answer.seconds < 2 * 1.2 + 1.5


def test_what_is_answered_the_second_time_was_no_filter(answers: dict[str, Answer]) -> None:
    """The confirmation stands: the first answer to the same question was a coincidence."""
    found = answers["pool-mostly-down"]
    again = found.probe.control(Control.SAME_AGAIN)
    assert again is not None
    assert again.condition is Condition.MET
    assert found.probe.stage(HANDSHAKE).condition is Condition.CONNECTION_CLOSED
    assert found.facts("handshake-blocked")["second_try_answered"] == "yes"
    assert found.finding("handshake-blocked").standing is Standing.UNDECIDED
    assert found.finding("endpoint-healthy").standing not in (Standing.APPLIES, SUSPECTED)


def test_a_connection_that_did_not_open_is_no_lost_hello(answers: dict[str, Answer]) -> None:
    found = answers["few-connections-allowed"]
    large = found.probe.control(Control.LARGE_HELLO)
    assert large is not None
    assert large.condition is Condition.CONNECTION_TIMED_OUT
    assert found.finding("large-hello-lost").standing is Standing.UNDECIDED


def test_a_machine_without_a_free_port_says_nothing_of_the_network() -> None:
    """connect(2): EADDRNOTAVAIL, "all port numbers in the ephemeral range are in use"."""
    with lab("nginx", "dnsmasq") as network:
        network.resolve_by("host-record=full-cloud.acronis.com,203.0.113.10\n")
        network.serve_genuine("203.0.113.10", ports=(443,))
        network.wait_for("203.0.113.10", 443)
        hold = "exec 3<>/dev/tcp/203.0.113.10/443; exec sleep 60"
        network.run("sh", "-c", "echo 50000 50001 > /proc/sys/net/ipv4/ip_local_port_range")
        for _ in range(2):
            network.start("bash", "-c", hold)
        full = "! (exec 3<>/dev/tcp/203.0.113.10/443) 2>/dev/null"
        network.run(
            "bash", "-c", f"for n in $(seq 100); do {full} && exit; sleep 0.02; done; exit 1"
        )
        errand = Errand("full-cloud.acronis.com:443", root=pki.public_root().pem)
        (answer,) = network.answer([errand])
    connect = answer.probe.stage(Stage.CONNECT)
    assert connect.error == errno.EADDRNOTAVAIL
    assert answer.diagnosis.cause is None
    assert answer.facts("network-unreachable")["refused_by"] == "no-free-port"
    told = remarks(answer.diagnosis, catalog.words("en"))
    assert any("no port of its own left" in t for t in told)
