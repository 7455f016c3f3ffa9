"""``diagnoser explain`` for the numbers that TLS and sockets leave behind."""

from __future__ import annotations

import pytest

from diagnoser.cli.numbers import explain_number
from diagnoser.reports.wording import words_for


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("0A000410", "handshake_failure(40)"),
        ("1407742E", "protocol_version(70)"),
        ("8000274D", "WSAECONNREFUSED (10061)"),
        ("verify:19", "SELF_SIGNED_CERT_IN_CHAIN"),
        ("24", "INVALID_CA"),
        ("alert:48", "unknown_ca(48)"),
        ("10061", "port-closed"),
        ("curl:60", "tls-intercepted"),
        ("X509_V_ERR_CERT_HAS_EXPIRED", "certificate-expired"),
    ],
)
def test_each_number_is_told(topic: str, said: str) -> None:
    page = explain_number(topic, words_for("en"))
    assert page is not None
    assert said in page


@pytest.mark.parametrize("topic", ["nonsense", "0x02720133", "alert:250", "curl:", "²"])
def test_what_is_no_such_number_is_left_to_others(topic: str) -> None:
    assert explain_number(topic, words_for("en")) is None
