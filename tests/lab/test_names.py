"""What a resolver and a hosts file can do to a name, asked of real ones in a lab of the test's own.

dnsmasq answers, with a server behind it that fails or is silent where a situation wants that; the
hosts file and resolv.conf are the lab's. Every situation is a name, judged whole.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pki
import pytest
from situations import HERE, Answer, Errand, Expected, Lab, lab, nginx_tls

from diagnoser.model import Condition, Stage

pytestmark = pytest.mark.peer

RESOLVE, CONNECT, HANDSHAKE, VERIFY = Stage.RESOLVE, Stage.CONNECT, Stage.HANDSHAKE, Stage.VERIFY
GOOD, DEAD, PORTAL = "203.0.113.10", "203.0.113.11", "203.0.113.80"
GOOD_6, AWAY_6 = "2001:db8:0:1::10", "2001:db8:ffff::1"
INSIDE = "192.168.77.1"
FAILING, SILENT, REFUSING = "203.0.113.54", "203.0.113.55", "203.0.113.56"
NAMES = ("name-not-found", "name-lookup-failed", "name-redirected")
PORTS = ("network-unreachable", "port-closed", "port-filtered")


@dataclass(frozen=True, slots=True)
class Situation:
    """A name: what dnsmasq is told of it, what the hosts file says, and how it must end."""

    expected: Expected
    record: str = ""
    hosts: str = ""
    target: str = ""
    needs_ipv6: bool = False


def healthy(**evidence: str) -> Expected:
    return Expected(
        VERIFY, Condition.MET, "endpoint-healthy", evidence=evidence, excluded=(*NAMES, *PORTS)
    )


UNREACHABLE_6 = Expected(
    CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable", error=errno.ENETUNREACH,
    evidence={"only_addresses": "IPv6"},
    excluded=("name-not-found", "name-lookup-failed", "port-closed", "port-filtered"),
)  # fmt: skip

SITUATIONS = {
    "nxdomain": Situation(
        Expected(
            RESOLVE, Condition.NAME_NOT_FOUND, "name-not-found", error=socket.EAI_NONAME,
            evidence={"error_number": str(int(socket.EAI_NONAME))},
            excluded=("name-lookup-failed",),
        ),
    ),
    "nodata": Situation(
        Expected(
            RESOLVE, Condition.NAME_NOT_FOUND, "name-not-found", error=-5,
            evidence={"error_number": "-5"}, excluded=("name-lookup-failed",),
        ),
        record="txt-record=HOST,text",
    ),
    "servfail": Situation(
        Expected(
            RESOLVE, Condition.NAME_LOOKUP_FAILED, "name-lookup-failed", error=socket.EAI_AGAIN,
            evidence={"resolver": "resolver-answers-failure"}, excluded=("name-not-found",),
        ),
        record=f"server=/HOST/{FAILING}",
    ),
    "refused": Situation(
        Expected(
            RESOLVE, Condition.NAME_LOOKUP_FAILED, "name-lookup-failed", error=socket.EAI_AGAIN,
            evidence={"resolver": "resolver-answers-failure"}, excluded=("name-not-found",),
        ),
        record=f"server=/HOST/{REFUSING}",
    ),
    "silent": Situation(
        Expected(
            RESOLVE, Condition.NAME_LOOKUP_FAILED, "name-lookup-failed",
            evidence={"resolver": "resolver-is-silent"}, excluded=("name-not-found",),
        ),
        record=f"server=/HOST/{SILENT}",
    ),
    "hosts-to-this-machine": Situation(
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "name-redirected", error=errno.ECONNREFUSED,
            evidence={"hosts_file": "127.0.0.1", "address": "127.0.0.1"},
            excluded=("name-not-found", "name-lookup-failed", "port-filtered"),
        ),
        record=f"host-record=HOST,{GOOD}",
        hosts="127.0.0.1",
    ),
    "hosts-to-the-own-network": Situation(
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "name-redirected", error=errno.ECONNREFUSED,
            evidence={"hosts_file": INSIDE, "address": INSIDE},
            excluded=("name-not-found", "name-lookup-failed", "port-filtered"),
        ),
        record=f"host-record=HOST,{GOOD}",
        hosts=INSIDE,
        target="HOST:8443",
    ),
    "hosts-to-the-genuine-service": Situation(healthy(), hosts=GOOD),
    "sinkhole": Situation(
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "name-redirected", error=errno.ECONNREFUSED,
            evidence={"address": "127.0.0.1"},
            excluded=("name-not-found", "name-lookup-failed", "port-filtered"),
        ),
        record="address=/HOST/127.0.0.1",
    ),
    "nowhere": Situation(
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "name-redirected", error=errno.ECONNREFUSED,
            evidence={"address": "0.0.0.0"},
            excluded=("name-not-found", "name-lookup-failed", "port-filtered"),
        ),
        record="address=/HOST/0.0.0.0",
    ),
    "private-address": Situation(
        Expected(
            HANDSHAKE, Condition.MET, "name-redirected",
            evidence={"address": INSIDE},
            excluded=("name-not-found", "name-lookup-failed", *PORTS, "handshake-blocked"),
            # Whose certificate the router shows is a question of its own.
            accuses=True,
        ),
        record=f"host-record=HOST,{INSIDE}",
    ),
    "portal-for-every-name": Situation(
        Expected(
            HANDSHAKE, Condition.NOT_TLS, "name-redirected",
            evidence={"same_answer_for_nonsense": PORTAL, "address": PORTAL},
            excluded=("name-not-found", "name-lookup-failed", *PORTS, "handshake-blocked"),
        ),
        record=f"host-record=HOST,{PORTAL}\naddress=/invalid/{PORTAL}",
    ),
    "one-dead-address": Situation(
        healthy(dead_address=f"{DEAD} connection-timed-out"),
        record=f"host-record=HOST,{DEAD}\nhost-record=HOST,{GOOD}",
    ),
    "one-closed-address": Situation(
        healthy(dead_address="203.0.113.12 connection-refused"),
        record=f"host-record=HOST,{GOOD}\nhost-record=HOST,203.0.113.12",
    ),
    "all-addresses-dead": Situation(
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "port-closed", error=errno.ECONNREFUSED,
            evidence={"condition": "connection-refused"},
            excluded=("network-unreachable", "port-filtered", *NAMES),
        ),
        record=f"host-record=HOST,{DEAD}\nhost-record=HOST,203.0.113.12",
    ),
    "ipv6-without-a-route": Situation(
        UNREACHABLE_6, record=f"host-record=HOST,{AWAY_6}", needs_ipv6=True
    ),
    "ipv6-literal-without-a-route": Situation(
        UNREACHABLE_6, target=f"[{AWAY_6}]:443", needs_ipv6=True
    ),
    "ipv6-only": Situation(healthy(), record=f"host-record=HOST,{GOOD_6}", needs_ipv6=True),
    "ipv6-dead-and-ipv4-good": Situation(
        healthy(dead_address=f"{AWAY_6} network-unreachable"),
        record=f"host-record=HOST,{GOOD},{AWAY_6}",
        needs_ipv6=True,
    ),
    "alias": Situation(healthy(), record=f"host-record=edge.example.com,{GOOD}\ncname=HOST,edge.example.com"),
}  # fmt: skip


def host(key: str) -> str:
    return f"{key}-cloud.acronis.com"


def _furnish(network: Lab) -> None:
    network.run("ip", "addr", "add", f"{INSIDE}/32", "dev", "lo")
    network.filter(f"ip daddr {SILENT} drop\nip daddr {DEAD} tcp flags syn drop")
    records = [s.record.replace("HOST", host(k)) for k, s in SITUATIONS.items() if s.record]
    lines = [f"{s.hosts} {host(k)}" for k, s in SITUATIONS.items() if s.hosts]
    network.resolve_by("\n".join(records), hosts="\n".join(lines) + "\n")
    where = [GOOD, *([f"[{GOOD_6}]"] if has_ipv6() else [])]
    network.serve_genuine(*where)
    own = nginx_tls(network, "router", pki.self_signed(), f"{INSIDE}:443 ssl")
    portal = f"server {{ listen {PORTAL}:443; return 302 http://portal.example.test/; }}"
    network.serve_http("others", own + portal)
    resolvers = [f"servfail@{FAILING}:53", f"refused@{REFUSING}:53"]
    network.start(sys.executable, str(HERE / "oddities.py"), *resolvers)


def has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def asked(key: str) -> str:
    return (SITUATIONS[key].target or "HOST:443").replace("HOST", host(key))


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """All names, diagnosed at the same time."""
    with lab("nginx", "dnsmasq") as network:
        _furnish(network)
        network.wait_for(GOOD, 443)
        network.wait_for(PORTAL, 443)
        keys = [k for k, s in SITUATIONS.items() if has_ipv6() or not s.needs_ipv6]
        root = pki.public_root().pem
        found = network.answer([Errand(asked(k), root=root) for k in keys])
        yield dict(zip(keys, found, strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_name_is_told(answers: dict[str, Answer], key: str) -> None:
    if key not in answers:
        pytest.skip("this machine has no IPv6")
    SITUATIONS[key].expected.check(answers[key])
    assert answers[key].seconds < 2 + 1.5 + 1.5


def test_every_address_is_probed_for_itself(answers: dict[str, Answer]) -> None:
    found = {a.address: a.condition for a in answers["one-dead-address"].probe.addresses}
    assert found == {GOOD: Condition.MET, DEAD: Condition.CONNECTION_TIMED_OUT}
    closed = {a.address: a.condition for a in answers["all-addresses-dead"].probe.addresses}
    assert closed[DEAD] is Condition.CONNECTION_TIMED_OUT
