"""``diagnoser check --data-center`` as a user runs it, in a lab that plays one data centre."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import certifi
import pki
import pytest
from situations import Lab, lab, nginx_tls

pytestmark = pytest.mark.peer

FRONT, STORAGE, CLOSED = "203.0.113.10", "203.0.113.11", "203.0.113.12"
# The registration server of this data centre has another name than the catalogue guesses.
NAMES = {
    "cloud.acronis.com": FRONT,
    "eu2-cloud.acronis.com": FRONT,
    "baas-fes-eu2.acronis.com": STORAGE,
    "abgw-fra2-arp1.acronis.com": CLOSED,
    "dl.managed-protection.com": FRONT,
}


@pytest.fixture(scope="module")
def network() -> Iterator[Lab]:
    with lab("nginx", "dnsmasq", "openssl") as made:
        made.resolve_by("".join(f"host-record={n},{a}\n" for n, a in NAMES.items()))
        download = pki.issue(
            pki.name(("CN", "dl.managed-protection.com")),
            pki.public_intermediate(),
            names=("dl.managed-protection.com",),
            logged=(pki.NOW,),
        )
        ports = [f"{FRONT}:{p} ssl" for p in (443, 8443, 7780)]
        made.serve_http(
            "front",
            nginx_tls(made, "front", pki.management(), *ports).replace(
                "location", "server_name _; location"
            )
            + nginx_tls(made, "download", download, f"{FRONT}:443 ssl").replace(
                "location", "server_name dl.managed-protection.com; location"
            ),
        )
        storage = pki.storage()
        leaf, key = made.write("s.pem", storage.pem), made.write("s.key", storage.key_pem)
        agents = made.write("agents.pem", pki.client_authority().pem)
        made.start(
            "openssl", "s_server", "-accept", f"{STORAGE}:44445", "-cert", str(leaf), "-key",
            str(key), "-Verify", "3", "-verify_return_error", "-CAfile", str(agents), "-quiet",
        )  # fmt: skip
        made.wait_for(FRONT, 443, 7780)
        made.wait_for(STORAGE, 44445)
        root = made.write("root.pem", pki.public_root().pem)
        made.run("mount", "--bind", str(root), certifi.where())
        yield made


def check(network: Lab, *options: str) -> tuple[int, dict[str, Any]]:
    authority = network.write("storage-ca.pem", pki.storage_authority().pem)
    done = network.command_line(
        "check", *options, "--format", "json", "--proxy", "none", "--quiet",
        "--ca-file", str(authority), clock=f"@{pki.NOW:%Y-%m-%d %H:%M:%S}",
        environment={"SSL_CERT_FILE": str(network.directory / "root.pem")},
    )  # fmt: skip
    assert done.stderr == b"", done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_every_endpoint_of_the_data_centre_gets_its_verdict(network: Lab) -> None:
    status, report = check(network, "--data-center", "EU2")
    causes = {
        tuple(f"{e['host']}:{e['port']}" for e in c["endpoints"]): (c["cause"], c["standing"])
        for c in report["cases"]
    }
    assert causes == {
        ("cloud.acronis.com:443",): ("endpoint-healthy", "applies"),
        (
            "eu2-cloud.acronis.com:443",
            "eu2-cloud.acronis.com:8443",
            "eu2-cloud.acronis.com:7780",
        ): ("endpoint-healthy", "applies"),
        ("baas-fes-eu2.acronis.com:44445",): ("endpoint-healthy", "applies"),
        ("abgw-fra2-arp1.acronis.com:44445",): ("port-closed", "applies"),
        ("dl.managed-protection.com:443",): ("endpoint-healthy", "applies"),
    }
    assert status == 1


def test_a_guessed_name_that_does_not_exist_is_listed_and_nobody_s_fault(network: Lab) -> None:
    _, report = check(network, "--data-center", "eu2")
    (left,) = report["skipped"]
    assert left["source"] == "rs-eu2-cloud.acronis.com"
    assert "guessed" in left["reason"]


def test_a_known_name_that_does_not_exist_is_a_fault(network: Lab) -> None:
    status, report = check(network, "--data-center", "eu8")
    causes = {c["endpoints"][0]["host"]: c["cause"] for c in report["cases"]}
    assert causes["eu8.acronis.cloud"] in ("name-not-found", "name-lookup-failed")
    assert "eu8-cloud.acronis.com" not in causes
    assert status == 1


@pytest.mark.parametrize("options", [(), ("--data-center", "../etc"), ("--data-center", "")])
def test_without_a_place_there_is_a_hint(network: Lab, options: tuple[str, ...]) -> None:
    done = network.command_line("check", *options)
    assert done.returncode == 2
    assert b"hint:" in done.stderr
    assert b"Traceback" not in done.stderr
