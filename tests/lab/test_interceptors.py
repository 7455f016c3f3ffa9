"""Whoever re-signs TLS between agent and Acronis: real interceptors, and products by their names.

mitmproxy and Squid run in a network of the test's own, as a proxy that is asked, as one behind
another, and unasked with packets led to it. The names of products are served by nginx on loopback.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pki
import pytest
from pki import Issued
from situations import Answer, Expected, Lab, lab, nginx_tls
from tls_peers import (
    HOST,
    NEAR,
    NGINX,
    OPENSSL,
    REGISTRATION,
    STORAGE,
    Visit,
    answer_all,
    answer_inside,
    healthy,
    mitmdump,
    presenting,
    rejected,
    sends,
    servers,
)

from diagnoser import catalog
from diagnoser.model import Condition, Report, Stage, Standing, Vantage
from diagnoser.reports.wording import tell

pytestmark = pytest.mark.peer

DAY = timedelta(days=1)
YEAR = 365 * DAY
SUSPECTED, RULED_OUT = Standing.SUSPECTED, Standing.RULED_OUT
CHAIN = ("name-mismatch", "certificate-expired", "clock-wrong", "intermediate-missing")


# --- real interceptors --------------------------------------------------------------------------

GENUINE, KEEPER, SECOND = "203.0.113.10", "203.0.113.11", "203.0.113.14"
LED, LED_KEEPER = "203.0.113.12", "203.0.113.13"
MITM, OUTWARDS = "203.0.113.20", "203.0.113.21"
PLAIN, BUMP, COPY = "203.0.113.30:3128", "203.0.113.31:3128", "203.0.113.32:3128"
REGULAR, BEHIND, LED_TO = f"{MITM}:8080", f"{MITM}:8081", f"{MITM}:8082"
OTHER, LED_HOST = "eu2-cloud.acronis.com", "us6-cloud.acronis.com"
LED_STORAGE = "baas-fes-us6.acronis.com"
HELPER = Path("/usr/lib/squid/security_file_certgen")

# ssl_bump as its documentation shows it (wiki.squid-cache.org, Features/SslPeekAndSplice): asked
# at BUMP it answers before it has seen the server, at COPY it copies the server's certificate.
SQUID = """
http_port {plain}
http_port {bump} ssl-bump tls-cert={place}/bump.pem generate-host-certificates=on
http_port {copy} name=copy ssl-bump tls-cert={place}/bump.pem generate-host-certificates=on
sslcrtd_program {helper} -s {place}/db -M 4MB
sslcrtd_children 1
acl lab src 203.0.113.0/24
acl copying myportname copy
acl first at_step SslBump1
ssl_bump peek copying first
ssl_bump bump all
sslproxy_cert_error allow all
tls_outgoing_options flags=DONT_VERIFY_PEER
http_access allow lab
http_access deny all
dns_nameservers 203.0.113.53
access_log none
cache_log {place}/squid.log
cache deny all
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname bump.lab
cache_effective_user nobody
"""

# Who asks is led away; what the interceptor itself sends bears another source address.
REDIRECT = f"""
table ip lead {{
  chain out {{
    type nat hook output priority -100;
    ip saddr != {OUTWARDS} ip daddr {{ {LED}, {LED_KEEPER} }} tcp dport {{ 443, 8443, 44445 }} \
      dnat to {LED_TO}
  }}
}}
"""


@cache
def web_access() -> Issued:
    """(a company's CA for its proxy, by which no product can be told)"""
    return pki.issue(
        pki.name(("O", "Contoso Widgets"), ("CN", "Contoso Web Access 2")), None, authority=True,
        since=pki.NOW - YEAR, until=pki.NOW + 20 * YEAR,
    )  # fmt: skip


def for_host(host: str) -> Issued:
    """leaf for one host alone, logged <- intermediate <- (root)"""
    return pki.issue(
        pki.name(("CN", host)), pki.public_intermediate(), names=(host,), pointers=True,
        logged=(pki.NOW - YEAR / 2,),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Met:
    """A visit, who is trusted here besides the public root, and how it must end."""

    visit: Visit
    expected: Expected
    trusted: str = ""


def intercepted(
    cause: str = "tls-intercepted", *, excluded: tuple[str, ...] = (), **evidence: str
) -> Expected:
    return rejected(
        cause, (19, 20, 21), excluded=("box-certificate", *CHAIN, *excluded),
        accuses=True, **evidence,
    )  # fmt: skip


BY_MITMPROXY = intercepted(
    minted_for_nonsense_name="yes", issuer_is_interceptor="mitmproxy",
    interceptor="mitmproxy (mitmproxy)", interceptor_sits="sits-dev",
)  # fmt: skip
UNASKED = intercepted(certificate_request="none", excluded=("client-certificate-refused",))
STORAGE_VISIT = Visit(host=STORAGE, port=44445, shown=presenting(pki.client()), clock=None)

REAL = {
    "nobody-between": Met(Visit(), healthy()),
    "squid-that-only-tunnels": Met(Visit(proxy=f"http://{PLAIN}"), healthy()),
    "mitmproxy-asked": Met(Visit(proxy=f"http://{REGULAR}", clock=None), BY_MITMPROXY),
    "mitmproxy-asked-and-trusted-here": Met(
        Visit(proxy=f"http://{REGULAR}", clock=None),
        replace(BY_MITMPROXY, cause="intercepted-and-trusted-here"),
        "mitmproxy",
    ),
    "mitmproxy-asked-and-named-as-ca-file": Met(
        # --ca-file says nothing of this machine's store, nor of a role whose issuer is proven public.
        Visit(proxy=f"http://{REGULAR}", clock=None),
        Expected(
            Stage.VERIFY, Condition.MET, "tls-intercepted",
            evidence={"issuer_is_interceptor": "mitmproxy", "verify_role": "X509_V_OK (0)"},
            excluded=(*NEAR, "box-certificate", *CHAIN), accuses=True,
        ),
        "mitmproxy as anchor",
    ),
    "mitmproxy-asked-for-storage": Met(
        replace(STORAGE_VISIT, proxy=f"http://{REGULAR}"),
        replace(UNASKED, evidence={**UNASKED.evidence, **BY_MITMPROXY.evidence}),
    ),
    "mitmproxy-behind-squid": Met(Visit(proxy=f"http://{BEHIND}", clock=None), BY_MITMPROXY),
    "mitmproxy-unasked": Met(Visit(host=LED_HOST, clock=None), BY_MITMPROXY),
    "mitmproxy-unasked-on-443": Met(Visit(host=LED_HOST, port=443, clock=None), BY_MITMPROXY),
    "mitmproxy-unasked-and-trusted-here": Met(
        Visit(host=LED_HOST, clock=None),
        replace(BY_MITMPROXY, cause="intercepted-and-trusted-here"),
        "mitmproxy",
    ),
    "mitmproxy-unasked-before-storage": Met(
        replace(STORAGE_VISIT, host=LED_STORAGE),
        replace(UNASKED, evidence={**UNASKED.evidence, **BY_MITMPROXY.evidence}),
    ),
    "squid-bumps": Met(
        Visit(proxy=f"http://{BUMP}"), intercepted(minted_for_nonsense_name="yes")
    ),
    "squid-bumps-and-is-trusted-here": Met(
        Visit(proxy=f"http://{BUMP}"),
        intercepted("intercepted-and-trusted-here", minted_for_nonsense_name="yes"),
        "squid",
    ),
    "squid-bumps-storage": Met(replace(STORAGE_VISIT, proxy=f"http://{BUMP}", clock=pki.NOW),
                               UNASKED),
    "squid-copies": Met(
        # It keeps names and dates of the genuine certificate and mints for no other name: there
        # is no proof at one endpoint, and no product's name.
        Visit(proxy=f"http://{COPY}"),
        replace(intercepted(no_certificate_timestamps="yes"), standing=SUSPECTED),
    ),
    "squid-copies-two-hosts": Met(
        Visit(proxy=f"http://{COPY}", with_also=((OTHER, 8443, ""),)),
        intercepted(shared_key=f"{OTHER}:8443"),
    ),
    "squid-copies-and-is-trusted-here": Met(
        Visit(proxy=f"http://{COPY}"),
        intercepted("intercepted-and-trusted-here", trusted_only_here="yes"),
        "squid",
    ),
    "squid-copies-storage": Met(replace(STORAGE_VISIT, proxy=f"http://{COPY}", clock=pki.NOW),
                                UNASKED),
    "two-hosts-and-nobody-between": Met(Visit(with_also=((OTHER, 8443, ""),)), healthy()),
}  # fmt: skip


def _furnish(network: Lab) -> None:
    """Genuine endpoints, a resolver, and everybody who could stand between."""
    known = {HOST: GENUINE, OTHER: SECOND, STORAGE: KEEPER, LED_HOST: LED, LED_STORAGE: LED_KEEPER}
    network.resolve_by("".join(f"host-record={host},{at}\n" for host, at in known.items()))
    blocks = [
        nginx_tls(network, host, for_host(host), *(f"{at}:{p} ssl" for p in (443, 8443)))
        for host, at in known.items()
        if at in (GENUINE, SECOND, LED)
    ]
    network.serve_http("genuine", "".join(blocks))
    agents = network.write("agents.pem", pki.client_authority().pem)
    chain = network.write("storage.pem", pki.storage().chain_pem)
    key = network.write("storage.key", pki.storage().key_pem)
    network.start(
        "openssl", "s_server", "-accept", "44445", "-cert", str(chain), "-key", str(key),
        "-Verify", "3", "-verify_return_error", "-CAfile", str(agents), "-quiet",
    )  # fmt: skip
    _start_mitmproxy(network)
    _start_squid(network)
    network.run("nft", "-f", "-", text=REDIRECT.encode())


def _start_mitmproxy(network: Lab) -> None:
    modes = (f"regular@{REGULAR}", f"upstream:http://{PLAIN}@{BEHIND}", f"transparent@{LED_TO}")
    network.start(
        str(mitmdump()), "--quiet", *(word for mode in modes for word in ("--mode", mode)),
        "--ssl-insecure", "--set", f"confdir={network.directory}/mitmproxy",
        "--set", f"connect_addr={OUTWARDS}",
    )  # fmt: skip


def _start_squid(network: Lab) -> None:
    place = network.directory / "squid"
    place.mkdir()
    own = web_access()
    (place / "bump.pem").write_bytes(own.pem + own.key_pem)
    text = SQUID.format(plain=PLAIN, bump=BUMP, copy=COPY, place=place, helper=HELPER)
    (place / "squid.conf").write_text(text, "utf-8")
    network.run(str(HELPER), "-c", "-s", f"{place}/db", "-M", "4MB")
    for path in (place, *place.rglob("*")):
        shutil.chown(path, "nobody")
    network.start("squid", "-N", "-f", str(place / "squid.conf"))


@pytest.fixture(scope="module")
def real() -> Iterator[dict[str, Answer]]:
    """All visits to real interceptors, several at a time."""
    if mitmdump() is None:
        pytest.skip("no mitmdump: set DIAGNOSER_MITMDUMP or make .venv-mitmproxy")
    if not HELPER.exists():
        pytest.skip("no Squid that can intercept (squid-openssl)")
    with lab("nginx", "openssl", "dnsmasq", "squid") as network:
        _furnish(network)
        network.wait_for(GENUINE, 443, 8443)
        network.wait_for(KEEPER, 44445)
        network.wait_for(MITM, 8080, 8081, 8082)
        for place in (PLAIN, BUMP, COPY):
            address, _, port = place.partition(":")
            network.wait_for(address, int(port))
        public = pki.public_root().pem
        trusted = {
            "": b"",
            "squid": web_access().pem,
            "mitmproxy": (network.directory / "mitmproxy/mitmproxy-ca-cert.pem").read_bytes(),
        }
        visits = [
            replace(m.visit, public=public, system=public, anchor=trusted["mitmproxy"])
            if m.trusted.endswith("as anchor")
            else replace(m.visit, public=public, system=public + trusted[m.trusted])
            for m in REAL.values()
        ]
        yield dict(zip(REAL, answer_inside(network, visits), strict=True))


@pytest.mark.parametrize("key", REAL)
def test_a_real_interceptor_is_told(real: dict[str, Answer], key: str) -> None:
    answer, expected = real[key], REAL[key].expected
    probe = answer.diagnosis.case.probes[0]
    answer_of_first = replace(
        answer,
        diagnosis=replace(answer.diagnosis, case=replace(answer.diagnosis.case, probes=(probe,))),
    )
    expected.check(answer_of_first)
    # Everyone here answers in TLS; who trusts the interceptor is told apart from who does not.
    other = {"tls-intercepted", "intercepted-and-trusted-here"} - {expected.cause}
    if expected.accuses and not REAL[key].trusted:
        assert {answer.finding(r).standing for r in other} == {RULED_OUT}


@pytest.mark.parametrize("key", [k for k in REAL if "storage" in k])
def test_an_interceptor_is_shown_no_certificate(real: dict[str, Answer], key: str) -> None:
    """It cannot ask for what it cannot pass on, and so the agent's own stays where it is."""
    tls = real[key].probe.tls
    assert tls is not None
    assert tls.client_certificate is not None
    assert tls.client_certificate_requested is False
    assert tls.client_certificate_sent is False


# --- products by the names they bear ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Product:
    """The distinguished name of a product's CA, and what must be told of it."""

    issuer: tuple[tuple[str, str], ...]
    told: str
    sits: str
    recipe: str
    standing: Standing = Standing.APPLIES


FORTIGATE = (
    ("C", "US"), ("ST", "California"), ("L", "Sunnyvale"), ("O", "Fortinet"),
    ("OU", "Certificate Authority"), ("CN", "FG200FTK22900417"),
    ("emailAddress", "support@fortinet.com"),
)  # fmt: skip
PRODUCTS = {
    "fortigate": Product(FORTIGATE, "FortiGate SSL inspection (Fortinet)", "net", "fortigate"),
    "fortigate-untrusted": Product(
        (("O", "Fortinet"), ("CN", "Fortinet_CA_Untrusted")), "FortiGate default CA (Fortinet)",
        "net", "fortigate",
    ),
    "sophos": Product(
        (("C", "GB"), ("O", "Sophos"), ("OU", "NSG"), ("CN", "Sophos SSL CA_C01001BPQX4")),
        "Sophos Firewall (XG/XGS) (Sophos)", "net", "sophos",
    ),
    "palo-alto": Product(
        (("O", "Example Corp"), ("CN", "Forward-Trust-CA")),
        "Palo Alto decryption (admin-made CA) (Palo Alto Networks)", "net", "palo-alto",
    ),
    "zscaler": Product(
        (("C", "US"), ("O", "Zscaler Inc."), ("OU", "Zscaler Inc."),
         ("CN", "Zscaler Intermediate Root CA (zscalerthree.net) (t) ")),
        "Zscaler (Zscaler)", "net", "zscaler",
    ),
    "sonicwall": Product(
        (("C", "US"), ("O", "SonicWALL Inc."), ("CN", "SonicWALL Firewall DPI-SSL")),
        "SonicWall DPI-SSL (SonicWall)", "net", "sonicwall",
    ),
    "watchguard": Product(
        (("O", "WatchGuard_Technologies"), ("OU", "Fireware"),
         ("CN", "Fireware HTTPS Proxy (SN 80EE01A4B2 2024-03-01) CA")),
        "WatchGuard HTTPS proxy (WatchGuard)", "net", "watchguard",
    ),
    "cisco": Product(
        (("O", "Cisco"), ("CN", "Cisco Umbrella Secondary SubCA fra-SG")),
        "Cisco Umbrella (Cisco)", "net", "cisco",
    ),
    "netskope": Product(
        (("C", "US"), ("O", "Netskope Inc."), ("CN", "ca.example.goskope.com"),
         ("emailAddress", "certadmin@netskope.com")),
        "Netskope (Netskope)", "net", "netskope",
    ),
    "check-point": Product(
        (("O", "mgmt..a1b2c3"),), "Check Point internal CA (Check Point)", "net", "check-point",
        SUSPECTED,
    ),
    "kaspersky": Product(
        (("O", "AO Kaspersky Lab"), ("CN", "Kaspersky Anti-Virus Personal Root Certificate")),
        "Kaspersky (Kaspersky)", "host", "kaspersky",
    ),
    "eset": Product(
        (("C", "SK"), ("O", "ESET, spol. s r. o."), ("CN", "ESET SSL Filter CA")),
        "ESET (ESET)", "host", "eset",
    ),
    "avast": Product(
        (("OU", "generated by Avast Antivirus for SSL/TLS scanning"),
         ("O", "Avast Web/Mail Shield"), ("CN", "Avast Web/Mail Shield Root")),
        "Avast (Gen Digital)", "host", "gen-digital",
    ),
    "avg": Product(
        (("O", "AVG Web/Mail Shield"), ("CN", "AVG Web/Mail Shield Root")),
        "AVG (Gen Digital)", "host", "gen-digital",
    ),
    "norton": Product(
        (("O", "Norton Web/Mail Shield"), ("CN", "Norton Web/Mail Shield Root")),
        "Norton (Gen Digital)", "host", "gen-digital",
    ),
    "bitdefender": Product(
        (("C", "US"), ("O", "Bitdefender"), ("OU", "IDS"),
         ("CN", "Bitdefender Personal CA.avfree000")),
        "Bitdefender (Bitdefender)", "host", "bitdefender",
    ),
    "fiddler": Product(
        (("O", "DO_NOT_TRUST"), ("CN", "DO_NOT_TRUST_FiddlerRoot")), "Fiddler (Telerik)", "dev",
        "developer-proxy",
    ),
    "charles": Product(
        (("O", "XK72 Ltd"), ("OU", "https://charlesproxy.com/ssl"),
         ("CN", "Charles Proxy CA (1 Jan 2026, desk)")),
        "Charles (XK72)", "dev", "developer-proxy",
    ),
    "burp": Product(
        (("O", "PortSwigger"), ("CN", "PortSwigger CA")), "Burp Suite (PortSwigger)", "dev",
        "developer-proxy",
    ),
    "russian-state": Product(
        (("C", "RU"), ("O", "The Ministry of Digital Development and Communications"),
         ("CN", "Russian Trusted Sub CA")),
        "Russian state CA (Mincifry RU)", "gov", "state-ca",
    ),
    "superfish": Product(
        (("O", "Superfish, Inc."), ("CN", "Superfish, Inc.")), "Superfish (Lenovo/Komodia)", "mal",
        "malware",
    ),
}  # fmt: skip


def resigned(
    issuer: tuple[tuple[str, str], ...], names: tuple[str, ...] = ("*.acronis.com",)
) -> Issued:
    """leaf with the genuine subject and dates, as products copy them <- (the product's CA)"""
    above = replace(pki.issue(pki.name(*issuer), None, authority=True), sent=())
    return pki.issue(pki.name(("CN", names[0])), above, names=names, with_issuer=False)


def own_certificate(*subject: tuple[str, str]) -> Issued:
    """the device's own certificate, self-signed, for its own name"""
    return pki.issue(pki.name(*subject), None, names=("192.168.1.99",))


def below_own(issuer: tuple[tuple[str, str], ...], *subject: tuple[str, str]) -> Issued:
    """the device's own certificate <- (the device's CA)"""
    above = replace(pki.issue(pki.name(*issuer), None, authority=True), sent=())
    return pki.issue(pki.name(*subject), above, names=("192.168.1.99",), with_issuer=False)


COMPANY = (("O", "Contoso Widgets"), ("CN", "Contoso Issuing CA 3"))


def box(**evidence: str) -> Expected:
    return rejected(
        "box-certificate", (18, 19, 20, 21), accuses=True, **evidence,
        excluded=("tls-intercepted", "intercepted-and-trusted-here", "certificate-expired"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forged:
    """What is served without any interceptor at work, and how it must end."""

    issued: Callable[[], Issued]
    expected: Expected
    visit: Visit = field(default_factory=Visit)


FORGED = {
    "leaf-only-fresh-unknown-ca": Forged(
        pki.resigned_by_company,
        intercepted(freshly_minted=str((pki.NOW - timedelta(hours=1)).replace(microsecond=0))),
    ),
    "leaf-only-old-unknown-ca": Forged(
        lambda: resigned(COMPANY),
        replace(intercepted(no_certificate_timestamps="yes"), standing=SUSPECTED,
                excluded=(*NEAR, "box-certificate", *CHAIN)),
    ),
    "chain-sent-old-unknown-ca": Forged(
        lambda: sends(resigned_below(corporate()), corporate()),
        replace(intercepted(no_certificate_timestamps="yes"), standing=SUSPECTED,
                excluded=(*NEAR, "box-certificate", *CHAIN)),
    ),
    "unknown-ca-trusted-here": Forged(
        lambda: resigned_below(corporate()),
        intercepted("intercepted-and-trusted-here", trusted_only_here="yes"),
        Visit(system=pki.public_root().pem + pki.corporate_root().pem),
    ),
    "unknown-ca-trusted-here-at-a-registration-server": Forged(
        # That it has a public certificate is inferred: an inferred row carries no certainty.
        lambda: resigned_below(corporate()),
        replace(
            intercepted("intercepted-and-trusted-here", trusted_only_here="yes"),
            standing=SUSPECTED, excluded=(*NEAR, "box-certificate", *CHAIN),
        ),
        Visit(host=REGISTRATION, system=pki.public_root().pem + pki.corporate_root().pem),
    ),
    "unknown-ca-given-as-anchor": Forged(
        # --ca-file may name the company's root for another host: it makes no service genuine.
        lambda: resigned_below(corporate()),
        Expected(
            Stage.VERIFY, Condition.MET, "tls-intercepted", SUSPECTED,
            evidence={"no_certificate_timestamps": "yes"}, accuses=True,
        ),
        Visit(anchor=pki.corporate_root().pem),
    ),
    "storage-subject-copied": Forged(
        pki.resigned_storage,
        intercepted(certificate_request="none", issuer_is_interceptor="FortiGate SSL inspection"),
        Visit(host=STORAGE, port=44445),
    ),
    "storage-unasked-unknown-ca": Forged(
        lambda: resigned(COMPANY, (STORAGE,)), intercepted(certificate_request="none"),
        Visit(host=STORAGE, port=44445),
    ),
    "block-page-of-fortigate": Forged(
        lambda: own_certificate(("O", "Fortinet"), ("OU", "FortiGate"), ("CN", "FG200FTK22900417")),
        box(interceptor="FortiGate SSL inspection (serial CN) (Fortinet)"),
    ),
    "fortigate-itself-below-its-ca": Forged(
        lambda: below_own(FORTIGATE, ("O", "Fortinet"), ("CN", "FG200FTK22900417")),
        box(interceptor="FortiGate SSL inspection (Fortinet)"),
    ),
    "management-page-of-sonicwall": Forged(
        lambda: own_certificate(
            ("O", "HTTPS Management Certificate for SonicWALL (self-signed)"), ("CN", "192.168.168.168")
        ),
        box(interceptor="SonicWall management certificate (SonicWall)"),
    ),
    "block-page-of-check-point": Forged(
        lambda: own_certificate(("O", "Check Point"), ("OU", "Security Gateway"), ("CN", "gw-a")),
        box(interceptor="Check Point gateway (own certificate) (Check Point)"),
    ),
}  # fmt: skip


def corporate() -> Issued:
    """the company's CA, as a server would send it"""
    root = pki.corporate_root()
    return replace(root, sent=(root.certificate,))


def resigned_below(above: Issued) -> Issued:
    """leaf as old as the genuine one <- (company CA)"""
    return pki.issue(
        pki.name(("CN", "*.acronis.com")), above, names=("*.acronis.com",), with_issuer=False
    )


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """All chains that bear a product's name, and all that are forged without one."""
    if NGINX is None or OPENSSL is None:
        pytest.skip("needs nginx and openssl")
    with servers(tmp_path_factory, "named") as place:
        visits = {k: Visit(place.nginx(resigned(p.issuer))) for k, p in PRODUCTS.items()}
        for key, forged in FORGED.items():
            visits[key] = replace(forged.visit, at=place.nginx(forged.issued()))
        place.begin()
        yield dict(zip(visits, answer_all(list(visits.values())), strict=True))


@pytest.mark.parametrize("key", PRODUCTS)
def test_a_product_is_told_by_its_name(named: dict[str, Answer], key: str) -> None:
    product = PRODUCTS[key]
    expected = rejected(
        "tls-intercepted", (19, 20, 21), product.standing, accuses=True,
        excluded=("intercepted-and-trusted-here", "box-certificate", *CHAIN),
        interceptor=product.told, interceptor_sits=f"sits-{product.sits}", recipe=product.recipe,
    )  # fmt: skip
    expected.check(named[key])


@pytest.mark.parametrize("language", catalog.LANGUAGES)
@pytest.mark.parametrize("key", PRODUCTS)
def test_a_product_has_its_own_remedy_and_nobody_elses(
    named: dict[str, Answer], key: str, language: str
) -> None:
    diagnosis = named[key].diagnosis
    report = Report("0", pki.NOW, Vantage("m", "s", "t"), (diagnosis,))
    words = catalog.words(language)
    remedy = tell(diagnosis, report, words).remedy
    for recipe, steps in words.recipes.items():
        filled = [s.format(host=HOST, port=8443) for s in steps]
        assert (filled == list(remedy[: len(filled)])) is (recipe == PRODUCTS[key].recipe)
    if PRODUCTS[key].sits in ("net", "host"):
        assert any("44445" in step for step in remedy)


@pytest.mark.parametrize("key", FORGED)
def test_a_forged_chain_is_told(named: dict[str, Answer], key: str) -> None:
    FORGED[key].expected.check(named[key])


def test_the_kinds_are_told_apart(named: dict[str, Answer]) -> None:
    """On this machine, on the network, a developer's tool, a state, harmful software."""
    sits = {k: named[k].facts("tls-intercepted")["interceptor_sits"] for k in PRODUCTS}
    assert {k for k, v in sits.items() if v == "sits-host"} == {
        "kaspersky", "eset", "avast", "avg", "norton", "bitdefender",
    }  # fmt: skip
    assert {sits[k] for k in ("fiddler", "charles", "burp")} == {"sits-dev"}
    assert (sits["russian-state"], sits["superfish"]) == ("sits-gov", "sits-mal")
