"""Each product's own exemption recipe: every product has one, in every language, and it is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from casebook import make_case

from diagnoser import catalog
from diagnoser.diagnosis import judge
from diagnoser.model import Report, Vantage
from diagnoser.reports.wording import placeholders, tell

NAMED = {
    "Fortinet": "fortigate",
    "Sophos": "sophos",
    "Palo Alto Networks": "palo-alto",
    "Zscaler": "zscaler",
    "Check Point": "check-point",
    "SonicWall": "sonicwall",
    "WatchGuard": "watchguard",
    "Cisco": "cisco",
    "Netskope": "netskope",
    "Kaspersky": "kaspersky",
    "ESET": "eset",
    "Gen Digital": "gen-digital",
    "Bitdefender": "bitdefender",
    "mitmproxy": "developer-proxy",
    "Telerik": "developer-proxy",
    "Mincifry RU": "state-ca",
    "Lenovo/Komodia": "malware",
    "AdGuard": "antivirus",
    "Cato Networks": "gateway",
}


def remedy(table: dict[str, object], language: str = "en") -> tuple[str, ...]:
    vantage = Vantage("machine", "system", "store")
    diagnosis = judge(make_case(table))
    report = Report("0", datetime(2026, 11, 23, tzinfo=UTC), vantage, (diagnosis,))
    return tell(diagnosis, report, catalog.words(language)).remedy


@pytest.mark.parametrize(("vendor", "recipe"), NAMED.items())
def test_a_vendor_has_the_recipe_of_its_own(vendor: str, recipe: str) -> None:
    products = [r for r in catalog.interceptors() if r.vendor == vendor]
    assert products
    for product in products:
        found = catalog.recipe(product)
        assert found is not None
        assert found.id == recipe


def test_every_product_has_a_recipe_and_every_recipe_words_and_a_source() -> None:
    for product in catalog.interceptors():
        assert catalog.recipe(product) is not None, product.product
    ids = {r.id for r in catalog.recipes()}
    assert len(ids) == len(catalog.recipes())
    assert all(r.source for r in catalog.recipes())
    for language in catalog.LANGUAGES:
        assert catalog.words(language).recipes.keys() == ids
    vendors = {r.vendor for r in catalog.interceptors()}
    assert {v for r in catalog.recipes() for v in r.vendors} <= vendors


@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_every_recipe_against_inspection_covers_the_port_without_a_name(language: str) -> None:
    for name, steps in catalog.words(language).recipes.items():
        assert all(placeholders(s) <= {"host", "port"} for s in steps)
        if name not in ("developer-proxy", "state-ca", "malware"):
            assert any("44445" in s for s in steps), name


@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_the_recipe_of_the_product_stands_first_and_no_other(language: str) -> None:
    steps = remedy({"like": "fortinet"}, language)
    assert steps[0].startswith("FortiGate: Security Profiles > SSL/SSH Inspection")
    assert "eu2-cloud.acronis.com" in steps[1]
    assert not any("Sophos" in s for s in steps)


def test_the_device_s_own_certificate_is_no_inspection_to_be_exempted_from() -> None:
    fortinet = {"O": "Fortinet", "CN": "FortiGate"}
    steps = remedy({"leaf": {"subject": fortinet, "issuer": fortinet, "names": []}})
    assert not any("SSL/SSH Inspection" in s for s in steps)


def test_software_on_this_machine_is_told_from_a_gateway() -> None:
    told = {}
    for issuer in ({"CN": "ESET SSL Filter CA"}, {"O": "Zscaler Inc."}, {"O": "mitmproxy"}):
        diagnosis = judge(make_case({"like": "fortinet", "leaf": {"issuer": issuer}, "above": []}))
        assert diagnosis.cause is not None
        evidence = diagnosis.cause.finding.evidence
        told[next(iter(issuer.values()))] = next(
            e.value for e in evidence if e.fact == "interceptor_sits"
        )
    assert told == {
        "ESET SSL Filter CA": "sits-host",
        "Zscaler Inc.": "sits-net",
        "mitmproxy": "sits-dev",
    }
