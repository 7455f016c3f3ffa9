"""What a transcript cannot prove: because of its command's options, or because it is an excerpt."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diagnoser.diagnosis import judge
from diagnoser.evidence import Kind, detect, join, read_transcripts
from diagnoser.evidence.narrowing import read_narrowing
from diagnoser.model import Condition, Diagnosis, Stage, Standing, TrustStore
from diagnoser.probing import Trust
from diagnoser.reading.encodings import decode

FILES = Path(__file__).with_name("transcripts")
AT = datetime(2026, 11, 24, tzinfo=UTC)
PUBLIC = Trust(None, (FILES / "public-root.pem").read_bytes(), None)
OPEN = ("none", None)


def text_of(name: str, *options: str) -> str:
    text = decode((FILES / name).read_bytes())
    return text.replace("s_client", " ".join(("s_client", *options)), 1)


def judged(text: str, at: datetime = AT) -> Diagnosis:
    (case,) = join((), read_transcripts(text, "output3.txt", at, PUBLIC))
    return judge(case)


def told(diagnosis: Diagnosis) -> tuple[str, Standing | None]:
    cause = diagnosis.cause
    return (cause.rule, cause.finding.standing) if cause else OPEN


NARROW = (
    "-tls1", "-tls1_1", "-tls1_3", "-ssl3", "-no_tls1_2", "-max_protocol TLSv1.1", "-noservername",
    "-min_protocol TLSv1.3", "-cipher AES128-SHA", "-groups=X448", "--tls1_1", "-ciphersuites 'x'",
)  # fmt: skip


def test_no_login_of_a_proxy_is_told() -> None:
    text = text_of("openssl-3.0-fortinet.txt", "-proxy http://bob:secret@proxy.example.org:3128")
    (probe,) = read_transcripts(text, "output3.txt", AT, PUBLIC)
    assert probe.proxy == "proxy.example.org:3128"


@pytest.mark.parametrize("option", NARROW)
@pytest.mark.parametrize("name", ["version", "reset", "closed", "stalled"])
def test_who_narrows_his_own_hello_learns_nothing_of_the_server(name: str, option: str) -> None:
    diagnosis = judged(text_of(f"openssl-3.0-{name}.txt", option))
    assert told(diagnosis) == OPEN
    (probe,) = diagnosis.case.probes
    assert option.split(maxsplit=1)[0] in probe.stage(Stage.HANDSHAKE).detail
    healthy = next(v for v in diagnosis.verdicts if v.rule == "endpoint-healthy")
    assert healthy.finding.standing is Standing.UNDECIDED


@pytest.mark.parametrize("option", ["-tls1_2", "-no_tls1_3", "-showcerts", "-no_tls1"])
def test_tls_1_2_alone_must_do(option: str) -> None:
    assert told(judged(text_of("openssl-3.0-reset.txt", option)))[0] == "handshake-blocked"
    assert told(judged(text_of("openssl-3.0-management12.txt", option)))[0] == "endpoint-healthy"
    kept = option == "-showcerts"
    found = told(judged(text_of("openssl-3.0-version.txt", option)))
    assert found == (("protocol-too-old", Standing.APPLIES) if kept else OPEN)


def test_what_is_no_tls_is_none_for_any_hello_and_what_is_closed_is_closed() -> None:
    assert told(judged(text_of("openssl-3.0-plain.txt", "-tls1_1")))[0] == "not-tls"
    assert told(judged(text_of("openssl-3.0-refused.txt", "-tls1_1")))[0] == "port-closed"


def test_an_old_version_that_was_asked_for_accuses_nobody() -> None:
    text = text_of("openssl-3.0-management12.txt", "-tls1_1").replace("TLSv1.2", "TLSv1.1")
    assert told(judged(text)) == OPEN
    assert told(judged(text.replace(" -tls1_1", "", 1)))[0] == "protocol-too-old"


def test_an_interceptor_is_one_for_a_narrow_hello_too() -> None:
    text = text_of("openssl-3.0-fortinet.txt", "-tls1_3", "-noservername")
    assert told(judged(text)) == ("tls-intercepted", Standing.APPLIES)


def trusting(*options: str) -> str:
    """An intercepted run that found nothing wrong with the chain."""
    text = text_of("openssl-3.2-storage-cut.txt", *options)
    text = re.sub(r"verify error:num=19[^\n]*\n", "", text)
    return re.sub(r"code: 19 \([^)]*\)", "code: 0 (ok)", text)


@pytest.mark.parametrize(
    "option",
    [
        "-CAfile corp.pem", "-CApath=/etc/corp", "-CAstore x", "-no-CAfile", "-no-CApath",
        "-no-CAstore", "-verifyCAfile corp.pem", '-CAfile "C:\\a b\\corp.pem"',
    ],
)  # fmt: skip
def test_code_0_with_roots_of_ones_own_says_nothing_of_this_machines_store(option: str) -> None:
    diagnosis = judged(trusting(option))
    assert told(diagnosis) == ("tls-intercepted", Standing.APPLIES)
    (probe,) = diagnosis.case.probes
    assert probe.tls is not None
    assert probe.tls.verified_by(TrustStore.SYSTEM) is None
    # The roots for the client's own chain are no roots for the server's.
    plain = judged(trusting("-chainCAfile own.pem"))
    assert told(plain) == ("intercepted-and-trusted-here", Standing.APPLIES)


EXCERPT = """\
$ openssl s_client -connect {host}
CONNECTED(00000003)
depth=1 {issuer}
{error}verify return:1
depth=0 {subject}
verify return:1
"""
SELF_SIGNED = "verify error:num=19:self-signed certificate in certificate chain\n"
FORTINET = "C = US, O = Fortinet, OU = Certificate Authority, CN = FGT60FTK20000000"
DIGICERT = "C = US, O = DigiCert Inc, CN = DigiCert Global G2 TLS RSA SHA256 2020 CA1"


def excerpt(issuer: str, error: str = "", host: str = "eu2-cloud.acronis.com:443") -> str:
    return EXCERPT.format(host=host, issuer=issuer, error=error, subject="CN = *.acronis.com")


@pytest.mark.parametrize("paste", ["whole", "one-line", "stderr-alone"])
def test_lines_of_the_verification_name_the_interceptor(paste: str) -> None:
    text = excerpt(FORTINET, SELF_SIGNED, "baas-fes-eu2.acronis.com:44445")
    if paste == "one-line":
        text = text.replace("\n", " ")
    elif paste == "stderr-alone":
        text = text.replace("CONNECTED(00000003)\n", "")
    assert detect(text.encode()) is Kind.TRANSCRIPT
    diagnosis = judged(text)
    assert told(diagnosis) == ("tls-intercepted", Standing.APPLIES)
    assert diagnosis.cause is not None
    assert any("Fortinet" in e.value for e in diagnosis.cause.finding.evidence)


def test_lines_of_a_good_verification_are_no_verdict() -> None:
    diagnosis = judged(excerpt(DIGICERT))
    assert told(diagnosis) == OPEN
    (probe,) = diagnosis.case.probes
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.UNCLASSIFIED
    stalled = next(v for v in diagnosis.verdicts if v.rule == "handshake-stalled")
    assert stalled.finding.standing is Standing.UNDECIDED


def test_a_certificate_whose_issuer_the_lines_do_not_name_is_no_chain() -> None:
    text = excerpt(DIGICERT).replace(f"depth=1 {DIGICERT}\nverify return:1\n", "")
    diagnosis = judged(text)
    assert told(diagnosis) == OPEN
    (probe,) = diagnosis.case.probes
    assert probe.tls is not None
    assert probe.tls.received_chain == ()


def test_what_follows_the_verification_is_what_ended_the_handshake() -> None:
    reset = excerpt(DIGICERT) + "write:errno=104\n"
    (probe,) = judged(reset).case.probes
    assert probe.stage(Stage.HANDSHAKE).condition is Condition.CONNECTION_RESET


def test_a_lone_connected_line_hangs_only_where_somebody_stopped_it() -> None:
    text = text_of("openssl-3.0-stalled.txt")
    assert told(judged(text)) == ("handshake-stalled", Standing.SUSPECTED)
    assert told(judged(text.replace("^C\n", ""))) == OPEN
    assert told(judged(text.replace("\n^C", "^C"))) == ("handshake-stalled", Standing.SUSPECTED)


@pytest.mark.parametrize("sign", [" \\", " `", " ^", " \\ "])
@pytest.mark.parametrize("prompt", ["    ", "> ", ">> ", "More? "])
def test_a_command_over_several_lines_names_its_host(sign: str, prompt: str) -> None:
    text = text_of("openssl-3.0-refused.txt")
    plain = judged(text).case.probes[0].endpoint
    text = text.replace(" -connect", f"{sign}\n{prompt}-connect")
    assert judged(text).case.probes[0].endpoint == plain
    more = text.replace(":8443", f":8443{sign}\n{prompt}-servername x.acronis.com", 1)
    endpoint = judged(more).case.probes[0].endpoint
    assert (endpoint.key[:2], endpoint.server_name) == (plain.key[:2], "x.acronis.com")


def test_a_healthy_run_that_is_read_years_later_was_healthy() -> None:
    text = text_of("openssl-3.0-management13.txt")
    text = re.sub(r" *Start Time:[^\n]*\n", "", text)
    for at in (AT, AT + timedelta(days=700), AT - timedelta(days=7000)):
        assert told(judged(text, at)) == ("endpoint-healthy", Standing.APPLIES)
    late = AT + timedelta(days=700)
    # It says nothing of dates where it did not look at them, and where it found a fault.
    unlooked = text.replace("s_client", "s_client -no_check_time", 1)
    assert told(judged(unlooked, late))[0] == "certificate-expired"
    past = re.sub(r"Verify return code: \d+ \([^)]*\)", "Verify return code: 10 (x)", text)
    assert told(judged(past, late))[0] == "certificate-expired"


def test_options_are_read_whole() -> None:
    assert read_narrowing("-connect a:443 -tls1_2 -CAfiles -tls1_10 -cert tls1").hello is None
    assert not read_narrowing("-connect a:443 -CAfiles x -cert -CA").own_roots
