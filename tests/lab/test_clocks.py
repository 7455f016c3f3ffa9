"""A machine whose clock is wrong, by faketime around the whole process; the servers' is right.

The genuine services are nginx with the time at which the certificates of the tests are valid; their
HTTP answers tell it. Storage speaks no HTTP, so nothing there can confirm a clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import certifi
import pki
import pytest
from situations import Answer, Errand, Expected, Lab, lab, nginx_tls

from diagnoser.model import Condition, Stage, Standing

pytestmark = pytest.mark.peer

GOOD, EXPIRED, LATER, SILENT = (f"203.0.113.{n}" for n in (10, 11, 12, 13))
RIGHT = f"@{pki.NOW:%Y-%m-%d %H:%M:%S}"
NOT_YET, EXPIRED_CODE = 9, 10
BLAMELESS = (
    "port-closed", "port-filtered", "handshake-blocked", "handshake-stalled", "not-tls",
    "tls-intercepted", "intercepted-and-trusted-here", "box-certificate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """What the machine believes, who is asked, and how it must end."""

    clock: str
    address: str
    expected: Expected


def wrong(
    code: int, standing: Standing = Standing.APPLIES, *, excluded: tuple[str, ...] = BLAMELESS
) -> Expected:
    return Expected(
        Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "clock-wrong", standing, error=code,
        excluded=excluded,
    )  # fmt: skip


SITUATIONS = {
    "right": Situation(
        RIGHT,
        GOOD,
        Expected(
            Stage.VERIFY, Condition.MET, "endpoint-healthy",
            excluded=(*BLAMELESS, "clock-wrong", "certificate-expired"),
        ),
    ),
    "years-behind": Situation("@2019-03-01 08:00:00", GOOD, wrong(NOT_YET)),
    "years-ahead": Situation("@2034-03-01 08:00:00", GOOD, wrong(EXPIRED_CODE)),
    "a-dead-battery": Situation("@2000-01-01 00:00:10", GOOD, wrong(NOT_YET)),
    # The certificate is valid at both times: nothing fails, and nobody is blamed.
    "hours-ahead": Situation(
        f"@{pki.NOW:%Y-%m-%d} 19:00:00",
        GOOD,
        Expected(Stage.VERIFY, Condition.MET, "endpoint-healthy", excluded=BLAMELESS),
    ),
    "right-and-the-certificate-expired": Situation(
        RIGHT,
        EXPIRED,
        Expected(
            Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "certificate-expired",
            error=EXPIRED_CODE, excluded=(*BLAMELESS, "clock-wrong"),
        ),
    ),
    # The logs' own signatures are younger than the machine's time (RFC 6962 section 3.2).
    "behind-and-the-server-tells-no-time": Situation(RIGHT, LATER, wrong(NOT_YET)),
    "ahead-and-the-server-tells-no-time": Situation(
        "@2034-03-01 08:00:00",
        SILENT,
        Expected(
            Stage.VERIFY, Condition.CERTIFICATE_REJECTED, "certificate-expired",
            # Nothing confirms the clock, so nothing is certain, interception least of all.
            Standing.SUSPECTED, error=EXPIRED_CODE, excluded=BLAMELESS[:5],
        ),
    ),
}  # fmt: skip


def host(key: str) -> str:
    return f"{key}-cloud.acronis.com"


def _furnish(network: Lab) -> None:
    network.resolve_by(
        "".join(f"host-record={host(k)},{s.address}\n" for k, s in SITUATIONS.items())
    )
    network.serve_genuine(GOOD, clock=RIGHT)
    expired = nginx_tls(network, "expired", pki.expired(), f"{EXPIRED}:443 ssl")
    network.serve_http("expired", expired, clock=RIGHT)
    for name, issued, address in (
        ("later", pki.not_yet_valid(), LATER),
        ("silent", pki.management(), SILENT),
    ):
        leaf = network.write(f"{name}.pem", issued.pem)
        above = network.write(f"{name}-above.pem", issued.chain_pem.removeprefix(issued.pem))
        key = network.write(f"{name}.key", issued.key_pem)
        network.start(
            "openssl", "s_server", "-accept", f"{address}:443", "-cert", str(leaf),
            "-key", str(key), "-cert_chain", str(above), "-quiet",
        )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Iterator[Lab]:
    with lab("nginx", "dnsmasq", "openssl", "faketime") as made:
        _furnish(made)
        for address in (GOOD, EXPIRED, LATER, SILENT):
            made.wait_for(address, 443)
        yield made


@pytest.fixture(scope="module")
def answers(network: Lab) -> dict[str, Answer]:
    """All situations; those of one time by one process."""
    found: dict[str, Answer] = {}
    for clock in sorted({s.clock for s in SITUATIONS.values()}):
        keys = [k for k, s in SITUATIONS.items() if s.clock == clock]
        root = pki.public_root().pem
        errands = [Errand(f"{host(k)}:443", root=root, clock=None) for k in keys]
        found |= dict(zip(keys, network.answer(errands, clock=clock), strict=True))
    return found


@pytest.mark.parametrize("key", SITUATIONS)
def test_the_clock_is_judged_before_any_date(answers: dict[str, Answer], key: str) -> None:
    SITUATIONS[key].expected.check(answers[key])


@pytest.mark.parametrize("key", ["years-behind", "years-ahead", "a-dead-battery"])
def test_the_server_s_own_time_is_the_evidence(answers: dict[str, Answer], key: str) -> None:
    facts = answers[key].facts("clock-wrong")
    assert facts["server_time"].startswith(f"{pki.NOW:%Y-%m-%d %H:}")
    assert facts["machine_time"][:4] == SITUATIONS[key].clock[1:5]
    expired = answers[key].finding("certificate-expired").standing
    assert expired in (Standing.RULED_OUT, Standing.UNDECIDED)


def test_an_expired_certificate_is_believed_once_the_clock_is_confirmed(
    answers: dict[str, Answer],
) -> None:
    found = answers["right-and-the-certificate-expired"]
    assert "server_time" in found.facts("clock-wrong")
    assert found.facts("certificate-expired")["expired_subject"] == "CN=*.acronis.com"


def test_the_command_line_says_so_too(network: Lab) -> None:
    """As a user runs it, on a machine whose stores hold the tests' root and nothing else."""
    root = network.write("root.pem", pki.public_root().pem)
    network.run("mount", "--bind", str(root), certifi.where())
    done = network.command_line(
        "check", f"{host('right')}:443", "--format", "json", "--proxy", "none", "--quiet",
        clock="@2019-03-01 08:00:00", environment={"SSL_CERT_FILE": str(root)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"")
    case = json.loads(done.stdout)["cases"][0]
    assert (case["cause"], case["category"], case["standing"]) == (
        "clock-wrong",
        "clock",
        "applies",
    )
    assert "2019-03-01" in case["summary"]
