"""Chains of a re-signer who copies more than most do, and clocks that hide how old his chains are.

Served by a real nginx, without any interceptor at work. Whatever cannot be told from the genuine
service, or from a fault of somebody else, may be suspected at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

import pki
import pytest
from cryptography import x509
from pki import Issued
from situations import Answer, Expected
from tls_peers import (
    NEAR,
    NGINX,
    OPENSSL,
    STORAGE,
    TELLING,
    Servers,
    Visit,
    answer_all,
    rejected,
    servers,
    signed,
)

from diagnoser.model import Condition, Stage, Standing

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="needs nginx and openssl"),
]

YEAR = timedelta(days=365)
SUSPECTED = Standing.SUSPECTED
PUBLIC, OWN = pki.public_root().pem, pki.corporate_root().pem
STORAGE_VISIT = Visit(host=STORAGE, port=44445)


def cloned(genuine: Issued) -> Issued:
    """leaf with every name, date and extension of the genuine one, timestamps included <- company
    CA, sent along"""
    of, above = genuine.certificate, pki.corporate_root()
    key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key())
    copied = [
        (key_id if isinstance(e.value, x509.AuthorityKeyIdentifier) else e.value, e.critical)
        for e in of.extensions
    ]
    since, until = of.not_valid_before_utc, of.not_valid_after_utc
    made = signed(genuine.subject, above, *copied, since=since, until=until)
    return replace(made, sent=(made.certificate, above.certificate))


@cache
def clone() -> Issued:
    """the clone of a management server's certificate"""
    return cloned(pki.management())


@cache
def storage_clone() -> Issued:
    """the clone of storage's certificate"""
    return cloned(pki.storage())


def unlogged() -> Issued:
    """leaf of a year ago for the genuine names, in no log <- (company CA)"""
    return pki.issue(
        pki.name(("CN", "*.acronis.com")), pki.corporate_root(), names=("*.acronis.com",),
        since=pki.NOW - YEAR, with_issuer=False,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """What is served, whom it asks for certificates, who visits, and how it must end."""

    issued: Callable[[], Issued]
    expected: Expected
    visit: Visit = field(default_factory=Visit)
    asks: Callable[[], Issued] | None = None


SITUATIONS = {
    # Nobody here can check the signature of a log: a new public CA looks the same.
    "timestamps-copied": Situation(
        clone,
        rejected("root-not-trusted", 19, SUSPECTED, excluded=("name-mismatch", "box-certificate")),
    ),
    "timestamps-copied-and-root-given": Situation(
        clone,
        Expected(
            Stage.VERIFY, Condition.MET, "root-not-trusted", SUSPECTED,
            excluded=(*NEAR, "name-mismatch"),
        ),
        Visit(anchor=PUBLIC + OWN),
    ),
    "storage-in-the-name-of-acronis": Situation(
        storage_clone,
        rejected(
            "intercepted-and-trusted-here", (19, 20), SUSPECTED, excluded=("box-certificate",),
            accuses=True, trusted_only_here="yes",
        ),
        replace(STORAGE_VISIT, system=PUBLIC + OWN),
        asks=pki.client_authority,
    ),
    "clock-ten-years-behind": Situation(
        unlogged,
        rejected(
            "tls-intercepted", (9, 20), SUSPECTED, accuses=True, no_certificate_timestamps="yes",
        ),
        Visit(clock=pki.NOW - 10 * YEAR),
    ),
}  # fmt: skip


def _serve(place: Servers, situation: Situation) -> str:
    if situation.asks is None:
        return place.nginx(situation.issued())
    path = place.write("asks.pem", situation.asks().pem)
    wanted = {"ssl_verify_client": "optional_no_ca", "ssl_client_certificate": str(path)}
    return place.nginx(situation.issued(), **wanted)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """All situations, diagnosed several at a time."""
    with servers(tmp_path_factory, "forgeries") as place:
        visits = [replace(s.visit, at=_serve(place, s)) for s in SITUATIONS.values()]
        place.begin()
        yield dict(zip(SITUATIONS, answer_all(visits), strict=True))


@pytest.mark.parametrize("key", SITUATIONS)
def test_a_copy_is_neither_called_good_nor_certain(answers: dict[str, Answer], key: str) -> None:
    answer = answers[key]
    SITUATIONS[key].expected.check(answer)
    assert answer.finding("endpoint-healthy").standing not in TELLING


def test_what_begins_in_the_future_is_not_called_fresh(answers: dict[str, Answer]) -> None:
    assert "freshly_minted" not in answers["clock-ten-years-behind"].facts("tls-intercepted")
