"""Real proxies between an agent and its endpoint: Squid, and what only looks like one.

Squid runs with the CONNECT policy of its own default configuration, once open and once behind a
login. Every situation is a proxy and an endpoint; all are diagnosed at the same time.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pki
import pytest
from situations import HERE, Answer, Errand, Expected, Lab, lab, which

from diagnoser.model import Condition, Control, Report, Stage, Standing, Vantage
from diagnoser.reports import render

pytestmark = pytest.mark.peer

GOOD, BEHIND = "203.0.113.10", "203.0.113.11"
OPEN, LOGIN = "203.0.113.60:3128", "203.0.113.61:3128"
DEAD, DROPPED, SILENT, MAIL = (f"203.0.113.{n}:3128" for n in (62, 63, 64, 65))
PASSWORD = "tr0ub4dor"
GOOD_HOST, BEHIND_HOST = "open-cloud.acronis.com", "behind-cloud.acronis.com"
STORAGE_HOST = "baas-fes-lab.acronis.com"
RESOLVE, CONNECT, TUNNEL, VERIFY = Stage.RESOLVE, Stage.CONNECT, Stage.TUNNEL, Stage.VERIFY
PROXY_RULES = ("proxy-unreachable", "proxy-authentication-required", "proxy-refused")

# The access rules of squid.conf as it is installed (squid-cache.org, "Default Config"), without
# the ports for other protocols than HTTP.
SQUID = """
http_port {open} name=open
http_port {login} name=login
acl lab src 203.0.113.0/24
acl SSL_ports port 443
acl Safe_ports port 80
acl Safe_ports port 443
acl Safe_ports port 1025-65535
auth_param basic program {helper} {passwords}
auth_param basic realm lab
acl behind_login myportname login
acl known proxy_auth REQUIRED
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access deny behind_login !known
http_access allow lab
http_access deny all
dns_nameservers 203.0.113.53
dns_v4_first on
connect_timeout 1 seconds
forward_timeout 1 seconds
access_log none
cache_log /dev/null
cache deny all
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname proxy.lab
"""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is asked for, through which proxy, and how it must end."""

    expected: Expected
    target: str = f"{GOOD_HOST}:443"
    proxy: str | None = None
    environment: str = ""
    text: str = ""
    agent: bool = False


def without(*named: str) -> tuple[str, ...]:
    return tuple(r for r in PROXY_RULES if r not in named)


HEALTHY = Expected(
    VERIFY, Condition.MET, "endpoint-healthy",
    excluded=(*PROXY_RULES, "port-closed", "port-filtered", "network-unreachable"),
)  # fmt: skip


def refused(error: int | None, **evidence: str) -> Expected:
    return Expected(
        TUNNEL, Condition.TUNNEL_REFUSED, "proxy-refused", error=error, evidence=evidence,
        excluded=without("proxy-refused"),
    )  # fmt: skip


def failed(*errors: int, **evidence: str) -> Expected:
    """The proxy was willing and did not get through itself."""
    return Expected(
        TUNNEL, Condition.TUNNEL_REFUSED, "proxy-refused", Standing.SUSPECTED, error=errors,
        evidence=evidence, excluded=without("proxy-refused"),
    )  # fmt: skip


def wants_login(detail: str) -> Expected:
    return Expected(
        TUNNEL, Condition.PROXY_AUTHENTICATION_REQUIRED, "proxy-authentication-required",
        error=407, evidence={"detail": detail, "proxy": LOGIN},
        excluded=without("proxy-authentication-required"),
    )  # fmt: skip


TIMED_OUT = (
    "Error code: 28\nModule: 550\nLine info: 0x7a2f01c3d5e6b789\n"
    f'Fields: {{"address":"{BEHIND_HOST}","port":"443","$module":"mms_vsa64_28001"}}\n'
    "Message: Connection timed out.\n"
)

SITUATIONS = {
    "port-443-passes": Situation(HEALTHY, proxy=f"http://{OPEN}"),
    "port-8443-refused": Situation(
        refused(403, error_number="403", port="8443", detail="403 Forbidden (ERR_ACCESS_DENIED)"),
        f"{GOOD_HOST}:8443",
        f"http://{OPEN}",
    ),
    "port-44445-refused": Situation(
        refused(403, error_number="403", port="44445"), f"{STORAGE_HOST}:44445", f"http://{OPEN}"
    ),
    "login-missing": Situation(wants_login("offers Basic"), proxy=f"http://{LOGIN}"),
    "login-wrong": Situation(
        wants_login("the login was refused; offers Basic"), proxy=f"http://guest:no@{LOGIN}"
    ),
    "login-right": Situation(HEALTHY, proxy=f"http://agent:{PASSWORD}@{LOGIN}"),
    "proxy-cannot-resolve": Situation(
        # ERR_CANNOT_FORWARD of Squid 5, ERR_DNS_FAIL of others.
        failed(500, 503),
        "nowhere-cloud.acronis.com:443",
        f"http://{OPEN}",
    ),
    "proxy-is-refused-itself": Situation(
        failed(503, detail="503 Service Unavailable (ERR_CONNECT_FAIL)"),
        "closed-cloud.acronis.com:443",
        f"http://{OPEN}",
    ),
    "proxy-dead": Situation(
        Expected(
            CONNECT,
            Condition.CONNECTION_REFUSED,
            "proxy-unreachable",
            error=errno.ECONNREFUSED,
            evidence={"proxy": DEAD, "condition": "connection-refused"},
        ),
        proxy=f"http://{DEAD}",
    ),
    "proxy-dropped": Situation(
        Expected(
            CONNECT,
            Condition.CONNECTION_TIMED_OUT,
            "proxy-unreachable",
            evidence={"proxy": DROPPED, "condition": "connection-timed-out"},
        ),
        proxy=f"http://{DROPPED}",
    ),
    "proxy-has-no-address": Situation(
        Expected(
            RESOLVE,
            Condition.NAME_NOT_FOUND,
            "proxy-unreachable",
            error=socket.EAI_NONAME,
            evidence={"proxy": "proxy.example.com:3128", "condition": "name-not-found"},
        ),
        proxy="http://proxy.example.com:3128",
    ),
    "proxy-silent": Situation(
        Expected(
            TUNNEL,
            Condition.CONNECTION_TIMED_OUT,
            "proxy-refused",
            evidence={"proxy": SILENT, "condition": "connection-timed-out"},
            excluded=without("proxy-refused"),
        ),
        proxy=f"http://{SILENT}",
    ),
    "no-proxy-at-all": Situation(refused(None, proxy=MAIL), proxy=f"http://{MAIL}"),
    "the-agent-s-own-proxy": Situation(HEALTHY, f"{BEHIND_HOST}:443", agent=True),
    # Direct connections are dropped; a user's environment has the proxy, the agent has none.
    "proxy-needed-and-not-used": Situation(
        Expected(
            VERIFY,
            Condition.MET,
            "proxy-not-used",
            evidence={"direct": "connection-timed-out", "proxy": f"{OPEN} (HTTPS_PROXY)"},
            excluded=PROXY_RULES,
        ),
        environment=f"http://{OPEN}",
        text=TIMED_OUT,
    ),
    "proxy-not-needed": Situation(HEALTHY, environment=f"http://{OPEN}"),
    "without-the-proxy": Situation(
        Expected(
            CONNECT,
            Condition.CONNECTION_TIMED_OUT,
            "port-filtered",
            evidence={"silence_of": "every-port-tried"},
            excluded=("port-closed", "network-unreachable", "name-not-found"),
        ),
        f"{BEHIND_HOST}:443",
    ),
}

GLOBAL_CONFIG = f"""<?xml version="1.0" ?>
<registry name="Global">
  <key name="HttpProxy">
    <value name="Enabled" type="Tdword">"1"</value>
    <value name="Host" type="TString">"{LOGIN.partition(":")[0]}"</value>
    <value name="Port" type="Tdword">"{LOGIN.partition(":")[2]}"</value>
    <value name="Login" type="TString">"agent"</value>
    <value name="Password" type="TString">"{PASSWORD}"</value>
  </key>
</registry>
"""


def _helper() -> str | None:
    """The program that checks passwords for Squid; its place differs from system to system."""
    places = ("/usr/lib/squid", "/usr/lib64/squid", "/usr/libexec/squid")
    found = (Path(p, "basic_ncsa_auth") for p in places)
    return next((str(p) for p in found if p.exists()), None)


def _furnish(network: Lab) -> None:
    # A proxy's own way out is another one: its packets come from its addresses.
    proxies = "{ 203.0.113.60, 203.0.113.61 }"
    network.filter(
        f"ip daddr {BEHIND} ip saddr != {proxies} tcp flags syn drop\n"
        f"ip daddr {DROPPED.partition(':')[0]} drop"
    )
    names = {
        GOOD_HOST: GOOD, STORAGE_HOST: GOOD, BEHIND_HOST: BEHIND,
        "closed-cloud.acronis.com": "203.0.113.12",
    }  # fmt: skip
    network.resolve_by("".join(f"host-record={n},{a}\n" for n, a in names.items()))
    network.serve_genuine(GOOD, BEHIND)
    hashed = network.run("openssl", "passwd", "-apr1", PASSWORD).decode().strip()
    # Squid judges one user's logins together, so the wrong password is another user's.
    passwords = network.write("passwords", f"agent:{hashed}\nguest:{hashed}\n")
    settings = SQUID.format(open=OPEN, login=LOGIN, helper=_helper(), passwords=passwords)
    settings += f"tcp_outgoing_address {OPEN.partition(':')[0]}\n"
    network.start("squid", "-N", "-f", str(network.write("squid.conf", settings)))
    odd = [f"silent@{SILENT}", f"mail@{MAIL}"]
    network.start(sys.executable, str(HERE / "oddities.py"), *odd)
    agent = network.directory / "agent" / "etc" / "Acronis"
    agent.mkdir(parents=True)
    (agent / "Global.config").write_text(GLOBAL_CONFIG)


def errand(key: str, directory: Path) -> Errand:
    situation = SITUATIONS[key]
    return Errand(
        target=situation.target,
        text=situation.text,
        proxy=situation.proxy,
        root=pki.public_root().pem,
        environment=(("HTTPS_PROXY", situation.environment),),
        settings=directory / "agent" if situation.agent else directory / "nothing",
    )


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed at the same time."""
    if _helper() is None and which("squid"):
        pytest.skip("needs Squid's basic_ncsa_auth")
    with lab("squid", "nginx", "dnsmasq", "openssl") as network:
        _furnish(network)
        network.wait_for(GOOD, 443)
        network.wait_for("203.0.113.61", 3128)
        network.wait_for("203.0.113.65", 3128)
        found = network.answer([errand(k, network.directory) for k in SITUATIONS])
        yield dict(zip(SITUATIONS, found, strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_proxy_is_told(answers: dict[str, Answer], key: str) -> None:
    SITUATIONS[key].expected.check(answers[key])
    assert answers[key].seconds < 2 + 1.5 + 1.5


@pytest.mark.parametrize("key", ["login-wrong", "login-right", "the-agent-s-own-proxy"])
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_no_report_shows_a_password(answers: dict[str, Answer], key: str, form: str) -> None:
    vantage = Vantage("lab", "Linux", "lab")
    report = Report("1", pki.NOW, vantage, (answers[key].diagnosis,))
    shown = render(report, form, "en")
    assert LOGIN in shown
    assert PASSWORD not in shown
    assert "guest:no" not in shown


def test_the_agent_s_setting_is_named_and_nothing_goes_around_it(
    answers: dict[str, Answer],
) -> None:
    probe = answers["the-agent-s-own-proxy"].probe
    assert probe.proxy is not None
    assert probe.proxy.startswith(f"{LOGIN} (")
    assert probe.proxy.endswith("etc/Acronis/Global.config)")
    assert probe.control(Control.DIRECT) is None


def test_what_the_proxy_itself_met_is_in_the_json_report(answers: dict[str, Answer]) -> None:
    diagnosis = answers["proxy-is-refused-itself"].diagnosis
    report = Report("1", pki.NOW, Vantage("lab", "Linux", "lab"), (diagnosis,))
    case = json.loads(render(report, "json", "en"))["cases"][0]
    stages = {s["stage"]: s for s in case["endpoints"][0]["probe"]["stages"]}
    assert stages["tunnel"]["error"] == 503
    assert "ERR_CONNECT_FAIL" in stages["tunnel"]["detail"]


def test_what_answers_in_place_of_a_proxy_is_quoted(answers: dict[str, Answer]) -> None:
    detail = answers["no-proxy-at-all"].facts("proxy-refused")["detail"]
    assert detail.startswith("no HTTP answer: 220 mail.example.test ESMTP")
