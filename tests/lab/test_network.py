"""Packet filters, routes and odd servers between an agent and its endpoint, judged whole.

Every situation is an address in a network of the test's own; the names lead there by a resolver
that runs there, too. All are diagnosed at the same time, as ``diagnoser check`` does it.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pki
import pytest
from situations import HERE, Answer, Errand, Expected, Lab, lab

from diagnoser.diagnosis import judge
from diagnoser.evidence import read_report
from diagnoser.model import Condition, Report, Stage, Standing, Vantage
from diagnoser.probing.contexts import Hello, variant
from diagnoser.probing.handshake import Handshake
from diagnoser.reports import render

pytestmark = pytest.mark.peer

CONNECT, HANDSHAKE, VERIFY = Stage.CONNECT, Stage.HANDSHAKE, Stage.VERIFY
SUSPECTED = Standing.SUSPECTED
NAMES = ("name-not-found", "name-lookup-failed", "name-redirected")
PORTAL, OLD = "203.0.113.35", "203.0.113.36"
WAY = (*NAMES, "network-unreachable", "port-closed", "port-filtered")


@dataclass(frozen=True, slots=True)
class Situation:
    """An address, what the packet filter does there, who answers there, and how it must end."""

    address: str
    expected: Expected
    rule: str = ""
    odd: str = ""
    port: int = 443


def without(*named: str) -> tuple[str, ...]:
    return tuple(r for r in WAY if r not in named)


SITUATIONS = {
    "genuine": Situation(
        "203.0.113.10",
        Expected(VERIFY, Condition.MET, "endpoint-healthy", excluded=(
            *WAY, "not-tls", "handshake-blocked", "handshake-stalled", "protocol-too-old",
            "clock-wrong", "certificate-expired", "tls-intercepted", "alert-received",
        )),
    ),
    "host-dropped": Situation(
        "203.0.113.11",
        Expected(
            CONNECT, Condition.CONNECTION_TIMED_OUT, "port-filtered",
            evidence={"silence_of": "every-port-tried", "condition": "connection-timed-out"},
            excluded=without("port-filtered"),
        ),
        rule="tcp flags syn drop",
    ),
    "port-dropped": Situation(
        "203.0.113.12",
        Expected(
            CONNECT, Condition.CONNECTION_TIMED_OUT, "port-filtered",
            evidence={"silence_of": "this-port-only", "other_port": "443 met"},
            excluded=without("port-filtered"),
        ),
        rule="tcp dport 8443 drop",
        port=8443,
    ),
    "rejected-with-reset": Situation(
        "203.0.113.13",
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "port-closed", error=errno.ECONNREFUSED,
            evidence={"error_number": str(errno.ECONNREFUSED)},
            excluded=without("port-closed"),
        ),
        rule="tcp dport 8443 reject with tcp reset",
        port=8443,
    ),
    "nothing-listens": Situation(
        "203.0.113.14",
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "port-closed", error=errno.ECONNREFUSED,
            evidence={"address": "203.0.113.14 connection-refused"},
            excluded=without("port-closed"),
        ),
        port=9443,
    ),
    "local-service-down": Situation(
        "127.0.0.1",
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "local-service-down", error=errno.ECONNREFUSED,
            evidence={"host": "127.0.0.1", "port": "43234"},
            excluded=(*NAMES[:2], "network-unreachable", "port-filtered"),
        ),
        port=43234,
    ),
    "port-unreachable": Situation(
        "203.0.113.15",
        Expected(
            CONNECT, Condition.CONNECTION_REFUSED, "port-closed", error=errno.ECONNREFUSED,
            evidence={"condition": "connection-refused"},
            excluded=without("port-closed"),
        ),
        rule="reject with icmp type port-unreachable",
    ),
    "admin-prohibited": Situation(
        "203.0.113.16",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable",
            error=errno.EHOSTUNREACH, evidence={"error_number": str(errno.EHOSTUNREACH)},
            excluded=without("network-unreachable"),
        ),
        rule="reject with icmp type admin-prohibited",
    ),
    "host-unreachable": Situation(
        "203.0.113.17",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable",
            error=errno.EHOSTUNREACH, evidence={"error_number": str(errno.EHOSTUNREACH)},
            excluded=without("network-unreachable"),
        ),
        rule="reject with icmp type host-unreachable",
    ),
    "net-unreachable": Situation(
        "203.0.113.18",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable",
            error=errno.ENETUNREACH, evidence={"error_number": str(errno.ENETUNREACH)},
            excluded=without("network-unreachable"),
        ),
        rule="reject with icmp type net-unreachable",
    ),
    "route-unreachable": Situation(
        "198.51.100.3",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable",
            error=errno.EHOSTUNREACH, excluded=without("network-unreachable"),
        ),
    ),
    "no-route": Situation(
        "198.51.100.4",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable",
            error=errno.ENETUNREACH, excluded=without("network-unreachable"),
        ),
    ),
    "route-prohibited": Situation(
        "198.51.100.2",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable", error=errno.EACCES,
            evidence={"refused_by": "this-machine"}, excluded=without("network-unreachable"),
        ),
    ),
    "route-blackhole": Situation(
        "198.51.100.1",
        Expected(
            CONNECT, Condition.NETWORK_UNREACHABLE, "network-unreachable", error=errno.EINVAL,
            evidence={"refused_by": "this-machine"}, excluded=without("network-unreachable"),
        ),
    ),
    "hello-dropped": Situation(
        "203.0.113.20",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled",
            evidence={"lost_packets": "hello-lost"},
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        rule="tcp dport 443 meta length > 150 drop",
    ),
    "large-answers-lost": Situation(
        "203.0.113.22",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled",
            evidence={"lost_packets": "answers-lost"},
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        rule="SOURCE tcp sport 443 meta length > 1000 drop",
    ),
    "all-answers-lost": Situation(
        "203.0.113.23",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={"lost_packets": "peer-is-silent"},
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        # An acknowledgement without data has 52 bytes.
        rule="SOURCE tcp sport 443 meta length > 60 drop",
    ),
    "name-dropped": Situation(
        "203.0.113.24",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled",
            evidence={"no_name_answered": "CN=*.acronis.com"},
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        rule="tcp dport 443 NAME drop",
    ),
    "name-reset": Situation(
        "203.0.113.25",
        Expected(
            HANDSHAKE, Condition.CONNECTION_RESET, "handshake-blocked", error=errno.ECONNRESET,
            evidence={"no_name_answered": "CN=*.acronis.com"},
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        rule="tcp dport 443 NAME reject with tcp reset",
    ),
    "every-hello-reset": Situation(
        "203.0.113.26",
        Expected(
            HANDSHAKE, Condition.CONNECTION_RESET, "handshake-blocked", SUSPECTED,
            error=errno.ECONNRESET,
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        rule="tcp dport 443 meta length > 150 reject with tcp reset",
    ),
    "storage-port-only": Situation(
        "203.0.113.27",
        Expected(
            CONNECT, Condition.CONNECTION_TIMED_OUT, "port-filtered",
            evidence={"silence_of": "this-port-only", "other_port": "443 met"},
            excluded=without("port-filtered"),
        ),
        rule="tcp dport 44445 drop",
        port=44445,
    ),
    "closes-at-once": Situation(
        "203.0.113.30",
        Expected(
            HANDSHAKE, Condition.CONNECTION_CLOSED, "server-side", SUSPECTED,
            # Not excluded is "handshake-blocked": a firewall by address cuts unasked as well.
            evidence={"closed_unasked": "yes"}, excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        odd="close",
    ),
    "resets-at-once": Situation(
        "203.0.113.31",
        Expected(
            HANDSHAKE, Condition.CONNECTION_RESET, "server-side", SUSPECTED,
            error=errno.ECONNRESET, evidence={"closed_unasked": "yes"},
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        odd="reset",
    ),
    "silent-server": Situation(
        "203.0.113.32",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled", SUSPECTED,
            evidence={"lost_packets": "peer-is-silent"},
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        odd="silent",
    ),
    "dripping-server": Situation(
        "203.0.113.33",
        Expected(
            HANDSHAKE, Condition.HANDSHAKE_TIMED_OUT, "handshake-stalled",
            excluded=(*WAY, "handshake-blocked", "not-tls"),
        ),
        odd="drip",
    ),
    "ssh-on-the-port": Situation(
        "203.0.113.34",
        Expected(
            HANDSHAKE, Condition.NOT_TLS, "not-tls",
            evidence={"clear_text": "SSH-2.0-OpenSSH_9.9"},
            excluded=(*WAY, "handshake-blocked", "handshake-stalled", "alert-received"),
        ),
        odd="ssh",
    ),
    "captive-portal": Situation(
        PORTAL,
        Expected(
            HANDSHAKE, Condition.NOT_TLS, "not-tls",
            excluded=(*WAY, "handshake-blocked", "handshake-stalled", "alert-received"),
        ),
    ),
    "tls-1.0-only": Situation(
        OLD,
        Expected(
            HANDSHAKE, Condition.FATAL_ALERT, "protocol-too-old", error=70,
            evidence={"alert": "protocol_version(70)"},
            excluded=(*WAY, "handshake-blocked", "handshake-stalled", "not-tls", "alert-received"),
        ),
    ),
    "box-without-tls-1.3": Situation(
        "203.0.113.37",
        Expected(
            HANDSHAKE, Condition.CONNECTION_RESET, "handshake-blocked", SUSPECTED,
            error=errno.ECONNRESET, evidence={"older_tls_answered": "TLSv1.2"},
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        odd="no-tls-1.3",
    ),
    "box-that-kills-tls": Situation(
        "203.0.113.38",
        Expected(
            HANDSHAKE, Condition.CONNECTION_RESET, "handshake-blocked", SUSPECTED,
            error=errno.ECONNRESET,
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        odd="no-tls",
    ),
    "cut-in-the-middle": Situation(
        "203.0.113.39",
        Expected(
            HANDSHAKE, Condition.CONNECTION_CLOSED, "handshake-blocked", SUSPECTED,
            excluded=(*WAY, "handshake-stalled", "not-tls"),
        ),
        odd="half",
    ),
    "large-hello-lost": Situation(
        "203.0.113.21",
        Expected(
            VERIFY, Condition.MET, "large-hello-lost",
            evidence={"large_hello": "handshake-timed-out"},
            excluded=(*WAY, "handshake-stalled", "handshake-blocked", "not-tls"),
        ),
        rule="tcp dport 443 meta length > 1000 drop",
    ),
    "box-without-second-segments": Situation(
        "203.0.113.40",
        Expected(
            VERIFY, Condition.MET, "large-hello-lost",
            evidence={"large_hello": "connection-reset"},
            excluded=(*WAY, "handshake-stalled", "handshake-blocked", "not-tls"),
        ),
        rule="tcp dport 443 meta length > 1400 reject with tcp reset",
    ),
}  # fmt: skip


def host(key: str) -> str:
    """The name of a situation, of the form that Acronis' data centres have."""
    return f"{key.replace('.', '')}-cloud.acronis.com"


def asked(key: str) -> str:
    """What is checked: the name, or this machine itself."""
    situation = SITUATIONS[key]
    here = situation.address.startswith("127.")
    return f"{situation.address if here else host(key)}:{situation.port}"


def _name_match(name: str, hello_of: Hello) -> str:
    """An nftables match on the end of the server name, where one kind of hello has it."""
    handshake = Handshake(variant(hello_of), name)
    hello = handshake.start()
    handshake.close()
    place = hello.index(name.encode()) + len(name) - 8
    return f"@ih,{place * 8},64 0x{name[-8:].encode().hex()}"


def _rule(situation: Situation, name: str) -> str:
    text = situation.rule
    if "NAME" in text:
        # A filter by name reads it wherever it stands; nftables looks at fixed places only.
        return "\n".join(
            f"ip daddr {situation.address} {text.replace('NAME', _name_match(name, hello))}"
            for hello in Hello
        )
    if text.startswith("SOURCE"):
        return text.replace("SOURCE", f"ip saddr {situation.address}")
    return f"ip daddr {situation.address} {text}"


def _furnish(network: Lab) -> None:
    """Routes, filter, resolver and servers for all situations."""
    for kind, last in (("blackhole", 1), ("prohibit", 2), ("unreachable", 3)):
        network.run("ip", "route", "add", kind, f"198.51.100.{last}")
    network.filter("\n".join(_rule(s, host(k)) for k, s in SITUATIONS.items() if s.rule))
    network.resolve_by(
        "".join(f"host-record={host(k)},{s.address}\n" for k, s in SITUATIONS.items())
    )
    served = [
        s.address for k, s in SITUATIONS.items() if not s.odd and s.address.startswith("203.")
    ]
    network.serve_genuine(*(a for a in served if a not in (PORTAL, OLD)))
    network.serve_http(
        "portal", f"server {{ listen {PORTAL}:443; return 302 http://portal.example.test/; }}"
    )
    issued = pki.management()
    chain, key = network.write("old.pem", issued.pem), network.write("old.key", issued.key_pem)
    network.start(
        "openssl", "s_server", "-accept", f"{OLD}:443", "-cert", str(chain),
        "-key", str(key), "-tls1", "-cipher", "DEFAULT@SECLEVEL=0", "-quiet",
    )  # fmt: skip
    odd = [f"{s.odd}@{s.address}:{s.port}" for s in SITUATIONS.values() if s.odd]
    network.start(sys.executable, str(HERE / "oddities.py"), *odd)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed at the same time."""
    with lab("nginx", "dnsmasq", "openssl") as network:
        _furnish(network)
        network.wait_for("203.0.113.10", 443, 8443)
        network.wait_for("203.0.113.34", 443)
        network.wait_for(PORTAL, 443)
        network.wait_for(OLD, 443)
        root = pki.public_root().pem
        errands = [Errand(asked(k), root=root) for k in SITUATIONS]
        yield dict(zip(SITUATIONS, network.answer(errands), strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_situation_is_told(answers: dict[str, Answer], key: str) -> None:
    SITUATIONS[key].expected.check(answers[key])
    # Resolve, connect and handshake within their limits, and a second round of 1.5 s.
    assert answers[key].seconds < 2 + 1.5 + 1.5


@pytest.mark.parametrize("key", SITUATIONS)
def test_a_saved_report_gives_the_same_verdicts(answers: dict[str, Answer], key: str) -> None:
    """What the kernel said of lost packets is saved, too: without it some would differ."""
    live = answers[key].diagnosis
    report = Report("1", pki.NOW, Vantage("lab", "Linux", "lab"), (live,))
    (case,) = read_report(render(report, "json", "en"), "report.json")
    assert case.probes == live.case.probes
    assert judge(case).verdicts == live.verdicts
