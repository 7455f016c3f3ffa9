"""``diagnoser explain`` for the numbers that TLS and sockets leave behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.cli.explaining import explain, parse_code
from diagnoser.cli.numbers import explain_number
from diagnoser.errors import UsageError
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
        ("1225", "Windows error 1225: ERROR_CONNECTION_REFUSED"),
        ("wsa:64", "ERROR_NETNAME_DELETED"),
        ("10061", "port-closed"),
        ("curl:60", "tls-intercepted"),
        ("X509_V_ERR_CERT_HAS_EXPIRED", "certificate-expired"),
        ("CERT_HAS_EXPIRED", "verify code 10"),
        ("unable to get local issuer certificate", "verify code 20"),
        ("unknown_ca", "alert unknown_ca(48)"),
        ("tlsv1 alert unknown ca", "alert unknown_ca(48)"),
        ("alert:handshake_failure", "handshake_failure(40)"),
        ("WSAECONNREFUSED", "Winsock error 10061"),
        ("ECONNREFUSED", "errno 61"),
        ("CURLE_PEER_FAILED_VERIFICATION", "libcurl error 60"),
        ("connect:errno=10061", "WSAECONNREFUSED"),
        ("write:errno=104", "handshake-blocked"),
        ("0x0A000410", "handshake_failure(40)"),
        ("verify error:num=19", "SELF_SIGNED_CERT_IN_CHAIN"),
        ("verify error:num=24:invalid CA certificate", "verify code 79"),
        ("Verify return code: 20 (unable to get local issuer certificate)", "proves nothing"),
        (
            "40179383C07F0000:error:8000006F:system library:BIO_connect:Connection refused:"
            "../crypto/bio/bio_sock2.c:117:calling connect()",
            "port-closed",
        ),
        (
            "140735:error:1407742E:SSL routines:SSL23_GET_SERVER_HELLO:tlsv1 alert protocol "
            "version:s23_clnt.c:802:",
            "protocol-too-old",
        ),
    ],
)
def test_each_number_is_told(topic: str, said: str) -> None:
    page = explain_number(topic, words_for("en"))
    assert page is not None
    assert said in page


@pytest.mark.parametrize(
    "topic", ["nonsense", "0x02720133", "alert:250", "curl:", "²", "ok then", "errno="]
)
def test_what_is_no_such_number_is_left_to_others(topic: str) -> None:
    assert explain_number(topic, words_for("en")) is None


@pytest.mark.parametrize(
    ("topic", "heads"),
    [
        ("10", ("TLS alert unexpected_message(10)", "verify code 10:")),
        ("20", ("TLS alert bad_record_mac(20)", "verify code 20:")),
        ("60", ("verify code 60:", "libcurl error 60:", "errno 60: ETIMEDOUT")),
        ("28", ("verify code 28:", "libcurl error 28:")),
    ],
)
def test_a_bare_number_is_told_in_every_reading(topic: str, heads: tuple[str, ...]) -> None:
    page = explain_number(topic, words_for("en"))
    assert page is not None
    assert [h for h in heads if h not in page] == []


def test_one_line_is_told_once() -> None:
    line = "1:error:0A000410:SSL routines:ssl3_read_bytes:alert:rec_layer_s3.c:1605:SSL alert number 40"
    page = explain_number(line, words_for("en"))
    assert page is not None
    assert page.count("client-certificate-required") == 1


def test_an_error_of_acronis_stays_one_whatever_else_its_number_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain("626/307", "en")
    assert capsys.readouterr().out.startswith("626/307 = 0x02720133")
    explain("0x0A000410", "en")
    assert capsys.readouterr().out.startswith("OpenSSL error code 0A000410")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("307 626", 626 << 16 | 307),
        ("626 307", 626 << 16 | 307),
        ("626, 307", 626 << 16 | 307),
        ("9 8", None),  # neither order is known: nobody can say which it is
    ],
)
def test_two_numbers_are_an_error_in_the_order_that_is_known(text: str, code: int | None) -> None:
    assert parse_code(text) == code


@given(st.text(max_size=60))
def test_no_topic_breaks_the_page(topic: str) -> None:
    for prefix in ("", "alert:", "verify error:num=", "error:", "errno=", "0x"):
        explain_number(prefix + topic, words_for("en"))


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("307", "  626/307: TLS with the registration server failed"),
        ("22", "  309/22: a command failed"),
        ("22", "verify code 22:"),
        ("TLS-Intercepted", "tls-intercepted (mitm-certificate)"),
        ("license out of sync", "licence-out-of-sync (licence-sync)"),
        ("0x80072ee7", "Windows 0x80072ee7 (12007)\n\nthe host name was not found"),
        ("2147954407", "may be: name-not-found"),
        ("12007", "may be: name-not-found"),
        ("0x8007274d", "Winsock error 10061: WSAECONNREFUSED"),
        ("0x80090325", "Windows 0x80090325\n"),
    ],
)
def test_half_an_error_a_windows_number_and_a_cause_in_any_spelling_are_known(
    topic: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(topic, "en")
    shown = capsys.readouterr().out
    assert said in shown
    assert "Not in the catalogue" not in shown


@pytest.mark.parametrize(
    ("topic", "suggested"),
    [
        ("tls-intercpted", "tls-intercepted"),
        ("licence", "licence-out-of-sync"),
        ("license", "licence-out-of-sync"),
        ("port", "port-filtered"),
    ],
)
def test_a_cause_that_is_nearly_named_is_suggested(topic: str, suggested: str) -> None:
    with pytest.raises(UsageError) as error:
        explain(topic, "en")
    assert suggested in str(error.value.hint)


def test_what_nobody_knows_stays_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    explain("12345/54321", "en")
    assert "Not in the catalogue" in capsys.readouterr().out
    with pytest.raises(UsageError) as error:
        explain("nonsense", "en")
    assert "626/307" in str(error.value.hint)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_law_of_a_rule_is_shown_in_every_language_without_marks(
    language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explain("port-closed", language)
    shown = capsys.readouterr().out
    assert "Decided by: ECONNREFUSED" in shown
    assert "``" not in shown
    assert ("英語のみ" in shown) is (language == "ja")


@pytest.mark.parametrize(
    ("topic", "head"),
    [("0x80070718", "Windows 0x80070718 (1816)"), ("2147749890", "Windows 0x80041002")],
)
def test_a_status_of_windows_is_no_number_of_an_agent(
    topic: str, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for language in ("en", "ja"):
        explain(topic, language)
        page = capsys.readouterr().out
        assert page.startswith(f"{head}\n")
        assert f"certutil -error {head.split()[1]}" in page
        assert "/" not in page
