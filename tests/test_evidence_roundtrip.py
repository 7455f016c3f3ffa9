"""Whatever a probe can have seen: written into a report and judged again, it says the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pki
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reports import report

from diagnoser import catalog
from diagnoser.certificates import read_certificate as read_der
from diagnoser.diagnosis import judge
from diagnoser.evidence import read_report
from diagnoser.model import (
    AddressResult,
    Aftermath,
    Alert,
    Attribute,
    Case,
    CertificateFacts,
    Condition,
    Control,
    ControlResult,
    Direction,
    Endpoint,
    ErrorBlock,
    ErrorFrame,
    Evidence,
    Field,
    Location,
    Lookup,
    Name,
    Origin,
    ProbeResult,
    Recognition,
    Role,
    Stage,
    StageResult,
    Symptom,
    TcpFlow,
    TlsFacts,
    Transport,
    TrustStore,
    VerifyResult,
)
from diagnoser.reports import render
from diagnoser.rules import CAUSES
from diagnoser.tls_numbers import alert_name, verify_code_name

T = TypeVar("T")
AT = Location("error.txt", 3)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WORD = st.text("abcdefghij XYZ0123456789.-_日é", max_size=12)
HOSTS = st.sampled_from(
    [
        "eu2-cloud.acronis.com",
        "baas-fes-us5.acronis.com",
        "backup01.contoso.example",
        "203.0.113.7",
        "2001:db8::1",
        "127.0.0.1",
        "unknown-host.invalid",
    ]
)
PORTS = st.sampled_from([0, 443, 7780, 8443, 9876, 9877, 44445, 55556])
SMALL = st.integers(0, 70000)
MOMENTS = st.integers(-900, 900).map(lambda days: NOW + timedelta(days=days))
SECONDS = st.none() | st.sampled_from([0.001, 0.25, 5.0])
TRUTH = st.booleans()


def maybe(of: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | of


def some(of: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(of, max_size=most).map(tuple)


VALUES = WORD | st.sampled_from(["Acronis", "AcronisStorage", "CH ", "Fortinet", "*.acronis.com"])
# By the contract a name is an object by key: repeated keys stand together, as in every real one.
NAMES = st.dictionaries(
    st.sampled_from(["C", "O", "OU", "CN", "emailAddress", "1.2.3.4"]),
    st.lists(VALUES, min_size=1, max_size=2),
    max_size=3,
).map(lambda d: Name(tuple(Attribute(k, v) for k, values in d.items() for v in values)))
MADE = st.builds(
    CertificateFacts,
    NAMES,
    NAMES,
    serial=maybe(st.just("1f")),
    not_before=maybe(MOMENTS),
    not_after=maybe(MOMENTS),
    dns_names=maybe(
        some(HOSTS | st.sampled_from(["*.acronis.com", "probe-0123456789abcdef.invalid"]))
    ),
    ip_addresses=maybe(some(st.just("203.0.113.7"))),
    sha256=maybe(st.sampled_from(["0" * 64, "1" * 64])),
    key_sha256=maybe(st.sampled_from(["a" * 64, "b" * 64])),
    key=maybe(st.sampled_from(["RSA 1024", "RSA 2048", "EC secp256r1", "DSA 1024"])),
    signature_hash=maybe(st.sampled_from(["sha1", "md5", "sha256"])),
    is_authority=maybe(TRUTH),
    authority_key_identifier=maybe(st.sampled_from(["aa", "bb"])),
    subject_key_identifier=maybe(st.sampled_from(["aa", "bb"])),
    timestamps=maybe(some(MOMENTS)),
    has_revocation_pointers=maybe(TRUTH),
)
REAL = st.sampled_from(
    [pki.management, pki.storage, pki.resigned_management, pki.expired, pki.self_signed]
).map(lambda made: read_der(made().der))
CERTIFICATES = MADE | REAL
VERIFIED = st.builds(
    lambda code, store, depth: VerifyResult(code, verify_code_name(code), store, depth),
    st.integers(0, 101),
    st.sampled_from(TrustStore),
    maybe(st.integers(0, 5)),
)
ALERTS = st.builds(
    lambda level, number, way: Alert(level, number, alert_name(number), way),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 10, 20, 40, 42, 44, 45, 46, 48, 49, 70, 80, 112, 116, 255]),
    st.sampled_from(Direction),
)
TLS = st.builds(
    TlsFacts,
    version=maybe(st.sampled_from(["TLSv1", "TLSv1.2", "TLSv1.3"])),
    cipher=maybe(WORD),
    group=maybe(WORD),
    alert=maybe(ALERTS),
    verify=some(VERIFIED),
    verify_errors=some(VERIFIED),
    received_chain=some(CERTIFICATES),
    client_certificate_requested=maybe(TRUTH),
    client_certificate_sent=TRUTH,
    client_ca_names=some(NAMES),
    aftermath=maybe(st.sampled_from(Aftermath)),
    bytes_sent=maybe(SMALL),
    bytes_received=maybe(SMALL),
    clear_text=maybe(st.sampled_from(["HTTP/1.1 302 Found", "SSH-2.0-x", ""])),
    ocsp=maybe(st.sampled_from(["good", "revoked", "unknown"])),
    flow=maybe(st.builds(TcpFlow, *[st.integers(0, 2000)] * 4, maybe(st.integers(0, 9)))),
    client_certificate=maybe(CERTIFICATES),
    client_certificate_source=maybe(st.just("agent.pem")),
    verify_at_server_time=some(VERIFIED),
)
CONDITIONS = st.sampled_from(Condition)
STAGES = st.tuples(
    *(
        st.builds(
            StageResult,
            st.just(s),
            CONDITIONS | st.just(Condition.MET),
            WORD,
            SECONDS,
            maybe(SMALL),
        )
        for s in Stage
    )
)
ENDPOINTS = st.builds(
    Endpoint,
    HOSTS,
    PORTS,
    st.sampled_from(Role),
    maybe(HOSTS),
    TRUTH,
    st.sampled_from(Transport),
    some(st.builds(Evidence, st.just("field_address"), WORD, st.just("error.txt:4")), 1),
)
ADDRESSES = st.sampled_from(["203.0.113.7", "2001:db8::1", "127.0.0.1", "10.1.2.3"])


@st.composite
def probes(draw: st.DrawFn, endpoint: Endpoint) -> ProbeResult:
    return ProbeResult(
        endpoint=endpoint,
        stages=draw(STAGES),
        at=NOW,
        vantage=draw(st.sampled_from(["", "pc-7", "where output3.txt was made"])),
        origin=draw(st.sampled_from(Origin)),
        tls=draw(maybe(TLS)),
        addresses=draw(some(st.builds(AddressResult, ADDRESSES, PORTS, CONDITIONS, SECONDS, maybe(SMALL)))),
        controls=draw(
            some(
                st.builds(
                    ControlResult,
                    st.sampled_from(Control),
                    WORD | st.sampled_from(["443", "8443", "probe-0123456789abcdef.invalid"]),
                    CONDITIONS,
                    WORD,
                    maybe(CERTIFICATES),
                    maybe(MOMENTS),
                ),
                6,
            )
        ),
        proxy=draw(maybe(st.just("proxy.contoso.example:3128"))),
        lookup=draw(
            maybe(st.builds(Lookup, some(ADDRESSES), some(ADDRESSES), maybe(some(ADDRESSES))))
        ),
    )  # fmt: skip


FRAMES = st.builds(
    ErrorFrame,
    maybe(st.integers(0, 65535)),
    maybe(st.integers(0, 65535)),
    maybe(st.just("0x50e61e3e2e723ba3")),
    some(st.builds(Field, st.sampled_from(["address", "port", "code"]), WORD, st.just(AT)), 2),
    maybe(WORD),
    st.just(AT),
    maybe(st.just("AGENT_CORE/UNKNOWN_CA")),
)
BLOCKS = st.builds(
    ErrorBlock,
    st.just("labelled"),
    maybe(st.sampled_from(["en", "ja"])),
    st.lists(FRAMES, min_size=1, max_size=3).map(tuple),
    st.just(AT),
    st.just(""),
    some(WORD, 1),
)
ROWS = st.builds(
    Recognition,
    st.sampled_from(["errors", "checkers", "endpoints"]),
    WORD,
    some(
        st.builds(
            Evidence,
            st.sampled_from(["error_code", "http_status", "proving_command"]),
            WORD,
            st.just("error.txt:3"),
        )
    ),
    some(st.sampled_from(sorted(CAUSES))),
    maybe(st.sampled_from(Symptom)),
    TRUTH,
    TRUTH,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    endpoints = draw(st.lists(ENDPOINTS, max_size=2, unique_by=lambda e: e.key))
    probed = [e for e in endpoints if draw(st.integers(0, 3))]
    block = draw(maybe(BLOCKS))
    return Case(
        block=block,
        endpoints=tuple(endpoints),
        probes=tuple(draw(probes(e)) for e in probed),
        # Rows are recognised on an error, or beside one.
        recognised=draw(some(ROWS)) if block is not None else (),
        count=draw(st.integers(1, 9)),
        first_seen=draw(maybe(st.just("2026-11-23 09:58:03"))),
        last_seen=draw(maybe(st.just("2026-11-23 10:58:03"))),
    )


def replayed(case: Case) -> Case:
    (again,) = read_report(render(report(judge(case)), "json", "en"), "report.json")
    return again


@settings(max_examples=150, deadline=None)
@given(cases())
def test_what_was_stored_is_judged_as_it_was_live(case: Case) -> None:
    again = replayed(case)
    assert again.probes == case.probes
    assert again.endpoints == case.endpoints
    assert again.recognised == case.recognised
    assert judge(again).verdicts == judge(case).verdicts
    assert (again.count, again.first_seen, again.last_seen) == (
        case.count,
        case.first_seen,
        case.last_seen,
    )


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("origin", Origin)
def test_every_condition_of_every_stage_comes_back(
    condition: Condition, stage: Stage, origin: Origin
) -> None:
    role, _ = catalog.role_of("baas-fes-us5.acronis.com", 44445)
    endpoint = Endpoint(
        "baas-fes-us5.acronis.com", 44445, role, None, client_certificate=True,
        transport=Transport.TLS,
    )  # fmt: skip
    place = tuple(Stage).index(stage)
    stages = tuple(
        StageResult(
            s,
            condition if i == place else Condition.MET if i < place else Condition.NOT_REACHED,
        )
        for i, s in enumerate(Stage)
    )
    tls = TlsFacts(received_chain=(read_der(pki.storage().der),)) if place > 2 else None
    case = Case(
        None, (endpoint,), (ProbeResult(endpoint, stages, NOW, "pc-7", origin, tls),)
    )  # fmt: skip
    again = replayed(case)
    assert again.probes == case.probes
    assert judge(again).verdicts == judge(case).verdicts
