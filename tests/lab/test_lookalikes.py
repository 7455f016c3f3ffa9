"""Situations that look like a fault of the way and are none, or another: what must not be certain.

A balancer that has lost one server looks like a filter by name; a way that vanishes, or a firewall
that shuts out whoever has sent a hello, like a lost hello; a firewall that counts connections, like
one that loses large hellos. And what is good at one address of a name, and not at the other. Each
is an address in a network of the test's own.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pki
import pytest
from situations import HERE, Answer, Errand, Expected, Lab, lab, nginx_tls

from diagnoser import catalog
from diagnoser.model import Condition, Control, Stage, Standing
from diagnoser.reports.remarks import remarks

pytestmark = pytest.mark.peer

HANDSHAKE, VERIFY = Stage.HANDSHAKE, Stage.VERIFY
SUSPECTED = Standing.SUSPECTED
GENUINE, GENUINE_6, INSPECTED = "203.0.113.10", "2001:db8:0:1::10", "203.0.113.108"
PORTS = ("network-unreachable", "port-closed", "port-filtered", "not-tls")


@dataclass(frozen=True, slots=True)
class Situation:
    """An address, what the packet filter does there or who answers there, and how it must end.

    Without ``expected`` nothing may be claimed: no rule applies, and none is suspected. ``others``
    are further addresses of the same name.
    """

    address: str
    expected: Expected | None
    rules: tuple[str, ...] = ()
    odd: str = ""
    others: tuple[str, ...] = ()
    seconds: float = 1.2
    needs_ipv6: bool = False


SITUATIONS = {
    # The firewall inspects IPv4 and lets IPv6 pass, which is what this machine prefers.
    "inspected-on-ipv4-only": Situation(
        INSPECTED,
        Expected(
            VERIFY, Condition.CERTIFICATE_REJECTED, "tls-intercepted", error=(19, 20),
            evidence={
                "interceptor": "FortiGate SSL inspection (Fortinet)",
                "this_address": f"{INSPECTED}:443", "good_address": GENUINE_6,
            },
            excluded=(*PORTS, "box-certificate"), accuses=True,
        ),
        others=(GENUINE_6,),
        needs_ipv6=True,
    ),
    # One address of two is exempted; the resolver gives now this one first and now that.
    "inspected-at-one-address": Situation(
        INSPECTED,
        Expected(
            VERIFY, Condition.CERTIFICATE_REJECTED, "tls-intercepted", error=(19, 20),
            evidence={"interceptor": "FortiGate SSL inspection (Fortinet)"},
            excluded=(*PORTS, "box-certificate"), accuses=True,
        ),
        others=(GENUINE,),
    ),
    "silent-at-one-address": Situation(
        "203.0.113.109",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={"lost_packets": "peer-is-silent"},
            excluded=PORTS,
        ),
        odd="silent",
        others=(GENUINE,),
    ),
    "good-at-every-address": Situation(
        GENUINE,
        Expected(
            VERIFY, Condition.MET, "endpoint-healthy",
            excluded=(*PORTS, "handshake-blocked", "handshake-stalled", "tls-intercepted"),
        ),
        others=(GENUINE_6,),
        needs_ipv6=True,
    ),
    # Slower than the shortest wait of a second round: it is as slow each time, and answers.
    "slow-and-good": Situation(
        "203.0.113.110",
        Expected(
            VERIFY, Condition.MET, "endpoint-healthy",
            excluded=(*PORTS, "handshake-blocked", "handshake-stalled", "large-hello-lost"),
        ),
        odd="slow",
        seconds=4.0,
    ),
    # What time is left for the second address is less than the first one needed.
    "slow-at-every-address": Situation(
        "203.0.113.112",
        Expected(
            VERIFY, Condition.MET, "endpoint-healthy",
            excluded=(*PORTS, "handshake-blocked", "handshake-stalled", "large-hello-lost"),
        ),
        odd="slow",
        others=("203.0.113.110",),
        seconds=2.2,
    ),
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
    # A filter that says so. The server could have sent the alert: whose it is, is not told.
    "filter-with-an-alert": Situation(
        "203.0.113.111",
        Expected(
            HANDSHAKE, Condition.FATAL_ALERT, "alert-received", error=49,
            excluded=(*PORTS, "handshake-blocked", "handshake-stalled"),
        ),
        odd="name-filter-with-alert",
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


def has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


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
        "".join(
            f"host-record={host(k)},{a}\n"
            for k, s in SITUATIONS.items()
            for a in (s.address, *s.others)
        )
    )
    served = [s.address for s in SITUATIONS.values() if s.rules]
    six = [f"[{GENUINE_6}]"] if has_ipv6() else []
    network.serve_genuine(GENUINE, *six, *served, ports=(443,))
    inspected = nginx_tls(network, "box", pki.resigned_management(), f"{INSPECTED}:443 ssl")
    network.serve_http("box", inspected)
    odd = [f"{s.odd}@{s.address}:443" for s in SITUATIONS.values() if s.odd]
    network.start(sys.executable, str(HERE / "oddities.py"), *odd)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed at the same time."""
    with lab("nginx", "dnsmasq") as network:
        _furnish(network)
        for address in (GENUINE, INSPECTED, "203.0.113.104"):
            network.wait_for(address, 443)
        root = pki.public_root().pem
        keys = [k for k, s in SITUATIONS.items() if has_ipv6() or not s.needs_ipv6]
        errands = [Errand(f"{host(k)}:443", root=root, seconds=SITUATIONS[k].seconds) for k in keys]
        yield dict(zip(keys, network.answer(errands), strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_only_what_is_proven_is_certain(answers: dict[str, Answer], key: str) -> None:
    if key not in answers:
        pytest.skip("this machine has no IPv6")
    answer, expected = answers[key], SITUATIONS[key].expected
    if expected is None:
        assert answer.diagnosis.cause is None
    else:
        expected.check(answer)
    assert answer.seconds < 2 * SITUATIONS[key].seconds + 1.5


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


def test_that_another_name_is_answered_stands_beside_an_alert(answers: dict[str, Answer]) -> None:
    told = answers["filter-with-an-alert"].facts("alert-received")
    assert told["other_name_answered"].endswith(".invalid")


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
