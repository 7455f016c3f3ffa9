"""What a transcript leaves open although it is whole: whose roots, of when, asked for which name."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_cli import closed_port, diagnoser
from test_evidence_options import FORTINET, PUBLIC, SELF_SIGNED, excerpt, text_of, told, trusting
from test_evidence_pastes import powershell

from diagnoser.diagnosis import judge, open_case
from diagnoser.evidence import join, read_transcripts
from diagnoser.grammar import read_blocks
from diagnoser.model import Condition, Diagnosis, Report, Stage, Standing, TrustStore, Vantage
from diagnoser.reports import render

AT = datetime(2026, 11, 24, tzinfo=UTC)
HERE = Vantage("m", "s", "t")
LANGUAGES = ("en", "ja")
ERROR = """\
Error code: 307
Module: 626
Fields: {"$module":"isk_bundle_vsa64_26986","address":"rs-us5-cloud.acronis.com","port":"8443"}
Message: Could not perform SSL_write() call:
"""


def judged(text: str, *, error: str = "", at: datetime = AT) -> Diagnosis:
    cases = [open_case(b) for b in read_blocks(error, "error.txt").blocks]
    (case,) = join(cases, read_transcripts(text, "output3.txt", at, PUBLIC))
    return judge(case)


def shown(diagnosis: Diagnosis, language: str = "en") -> str:
    text = render(Report("0", AT, HERE, (diagnosis,)), "text", language)
    return (" " if language == "en" else "").join(text.split())


def without_command(text: str) -> str:
    return re.sub(r"^\$ [^\n]*\n", "", text)


# --- whose roots ------------------------------------------------------------------------------

ROOTS = {"en": "whose roots accepted", "ja": "どのルート証明書によるものかは不明"}


@pytest.mark.parametrize(
    "text",
    [
        without_command(trusting()),
        trusting("-CAfile corp.pem"),
        without_command(trusting()).replace("\n", " "),
        "notes\n" + without_command(trusting()),
    ],
)
def test_code_0_of_roots_that_nobody_named_is_no_trust_of_that_machine(text: str) -> None:
    diagnosis = judged(text)
    assert told(diagnosis) == ("tls-intercepted", Standing.APPLIES)
    (probe,) = diagnosis.case.probes
    assert probe.tls is not None
    assert probe.tls.verified_by(TrustStore.SYSTEM) is None
    unknown = probe.tls.verified_by(TrustStore.UNKNOWN)
    assert unknown is not None
    assert unknown.code == 0
    assert probe.stage(Stage.VERIFY).condition is Condition.UNCLASSIFIED
    for language in LANGUAGES:
        assert ROOTS[language] in shown(diagnosis, language)


def test_with_its_command_code_0_is_the_machines_own() -> None:
    diagnosis = judged(trusting())
    assert told(diagnosis) == ("intercepted-and-trusted-here", Standing.APPLIES)
    assert ROOTS["en"] not in shown(diagnosis)


def test_a_command_that_powershell_shortened_may_have_named_its_roots() -> None:
    text = powershell(trusting(), prompt=False).replace("\r\n", "\n")
    assert told(judged(text))[0] == "intercepted-and-trusted-here"
    cut = re.sub(r"(?m)^(\+ openssl s_client .*?-connect \S+).*$", r"\1 -CAfi ...", text, count=1)
    assert cut != text
    assert told(judged(cut))[0] == "tls-intercepted"


def test_an_unlisted_issuer_that_an_unknown_store_trusts_is_not_proven() -> None:
    """KB 70285: who issued it decides; a store that nobody knows makes it no interception."""
    text = without_command(text_of("openssl-3.0-management13.txt"))
    text = re.sub(r"verify error:num=20[^\n]*\n", "", text)
    text = re.sub(r"code: 20 \([^)]*\)", "code: 0 (ok)", text)
    cases = join((), read_transcripts(text, "output3.txt", AT))
    cause = judge(cases[0]).cause
    assert cause is None or cause.finding.standing is not Standing.APPLIES
    # With the public bundle the chain proves itself, and the code is not needed.
    healthy = judged(text)
    assert healthy.case.probes[0].tls is not None
    assert ROOTS["en"] not in shown(healthy)


def test_other_codes_of_unknown_roots_are_kept() -> None:
    text = re.sub(r"code: \d+ \([^)]*\)", "code: 66 (EE certificate key too weak)", trusting())
    weak = judged(without_command(text))
    verdict = next(v for v in weak.verdicts if v.rule == "certificate-too-weak")
    assert verdict.finding.standing is Standing.SUSPECTED


# --- of when ----------------------------------------------------------------------------------

WITHIN = {"en": "within the validity of the certificate, since", "ja": "有効期間内の"}
SAVED = {"en": "is assumed, when it was saved or pasted", "ja": "保存または貼り付けの日付"}


def undated() -> str:
    text = text_of("openssl-3.0-management13.txt")
    return re.sub(r" *Start Time:[^\n]*\n", "", text)


@pytest.mark.parametrize("error", ["", ERROR])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_date_that_is_not_in_the_text_is_said_to_be_assumed(language: str, error: str) -> None:
    late = judged(undated(), error=error, at=datetime(2031, 1, 1, tzinfo=UTC))
    assert told(late) == ("endpoint-healthy", Standing.APPLIES)
    assert WITHIN[language] in shown(late, language)
    assert "2027-05-25" in shown(late, language)
    assert SAVED[language] in shown(judged(undated(), error=error), language)
    told_time = judged(text_of("openssl-3.0-management12.txt"))
    assert told(told_time)[0] == "endpoint-healthy"
    for sentence in (WITHIN[language], SAVED[language]):
        assert sentence not in shown(told_time, language)


def test_a_date_that_decides_nothing_is_not_spoken_of() -> None:
    fortinet = re.sub(r" *Start Time:[^\n]*\n", "", text_of("openssl-3.0-fortinet.txt"))
    for text in (fortinet, text_of("openssl-3.0-refused.txt")):
        assert "is assumed" not in shown(judged(text))


# --- asked for which name ---------------------------------------------------------------------

NAME = {"en": "was asked for the name other.example", "ja": "other.exampleという名前"}


def asked_for(name: str, text: str) -> str:
    return text.replace("s_client", f"s_client -servername {name}", 1)


@pytest.mark.parametrize("error", ["", ERROR])
@pytest.mark.parametrize("name", ["other.example", "cloud.example.org"])
def test_a_mismatch_found_for_another_name_is_none_of_the_agents(name: str, error: str) -> None:
    plain = text_of("openssl-3.0-management13.txt")
    assert told(judged(plain, error=error))[0] == "endpoint-healthy"
    diagnosis = judged(asked_for(name, plain), error=error)
    assert told(diagnosis)[0] != "name-mismatch"
    verdict = next(v for v in diagnosis.verdicts if v.rule == "name-mismatch")
    assert verdict.finding.standing is Standing.UNDECIDED
    healthy = next(v for v in diagnosis.verdicts if v.rule == "endpoint-healthy")
    assert healthy.finding.standing is Standing.UNDECIDED
    assert f"asked for the name {name}" in shown(diagnosis)


def test_what_is_said_of_another_name_is_said_in_both_languages() -> None:
    diagnosis = judged(asked_for("other.example", text_of("openssl-3.0-management13.txt")))
    for language in LANGUAGES:
        assert NAME[language] in shown(diagnosis, language)


def test_a_mismatch_for_the_hosts_own_name_stays_one() -> None:
    text = text_of("openssl-3.0-management13.txt").replace("rs-us5-cloud.acronis.com", "eu.a.org")
    assert told(judged(text))[0] == "name-mismatch"
    assert told(judged(asked_for("EU.a.org.", text)))[0] == "name-mismatch"
    # Connected to by address, asked for by name: that is the agent's own name.
    by_address = text.replace("-connect eu.a.org:", "-connect 192.0.2.7:")
    assert told(judged(asked_for("eu.a.org", by_address)))[0] == "name-mismatch"


@pytest.mark.parametrize("error", ["", ERROR])
def test_an_interceptor_met_under_another_name_is_a_suspicion(error: str) -> None:
    text = excerpt(FORTINET, SELF_SIGNED, "rs-us5-cloud.acronis.com:8443")
    assert told(judged(text, error=error)) == ("tls-intercepted", Standing.APPLIES)
    diagnosis = judged(asked_for("other.example", text), error=error)
    assert told(diagnosis) == ("tls-intercepted", Standing.SUSPECTED)


@pytest.mark.parametrize(
    ("name", "cause"),
    [("refused", "port-closed"), ("plain", "not-tls"), ("dns", "name-lookup-failed")],
)
def test_what_needs_no_name_is_as_certain_with_another(name: str, cause: str) -> None:
    text = asked_for("other.example", text_of(f"openssl-3.0-{name}.txt"))
    assert told(judged(text)) == (cause, Standing.APPLIES)


def test_the_run_for_the_hosts_own_name_decides() -> None:
    own = text_of("openssl-3.0-management13.txt")
    other = asked_for(
        "other.example", excerpt(FORTINET, SELF_SIGNED, "rs-us5-cloud.acronis.com:8443")
    )
    for text in (own + other, other + own):
        diagnosis = judged(text, error=ERROR)
        assert told(diagnosis)[0] == "endpoint-healthy"
        assert NAME["en"] in shown(diagnosis)


def test_what_was_asked_for_another_name_leaves_the_endpoint_to_be_probed(tmp_path: Path) -> None:
    own = text_of("openssl-3.0-management13.txt")
    (tmp_path / "error.txt").write_text(ERROR)
    held, port = closed_port()
    with held:
        for text, origins in (
            (own, ["transcript"]),
            (asked_for("other.example", own), ["transcript", "live"]),
        ):
            (tmp_path / "output3.txt").write_text(text)
            done = diagnoser(
                "scan", str(tmp_path / "error.txt"), str(tmp_path / "output3.txt"), "--format", "json",
                "--connect-to", f"rs-us5-cloud.acronis.com:8443:127.0.0.1:{port}", expect=None,
            )  # fmt: skip
            (case,) = json.loads(done.stdout)["cases"]
            assert [e["probe"]["origin"] for e in case["endpoints"]] == origins
            assert (case["cause"] == "port-closed") is ("live" in origins)


# --- how it failed, and whether it does every time ----------------------------------------------

UNTOLD = """\
$ openssl s_client -connect rs-us5-cloud.acronis.com:8443
connect: Connection timed out
connect:errno=0
"""


@pytest.mark.parametrize("error", ["", ERROR])
def test_a_connection_that_failed_for_an_untold_reason_did_not_open(error: str) -> None:
    diagnosis = judged(UNTOLD, error=error)
    assert told(diagnosis) == ("port-closed", Standing.SUSPECTED)
    assert "No TCP connection opened to rs-us5-cloud.acronis.com:8443" in shown(diagnosis)
    assert "Port closed, Port filtered. Either way" in shown(diagnosis)


def test_the_stand_in_for_a_host_is_not_told_there_either() -> None:
    text = shown(judged(without_command(UNTOLD)))
    assert "unknown-host" not in text
    assert "No TCP connection opened to" in text


NOW_AND_THEN = {
    "en": "answered at one attempt and failed at another",
    "ja": "応答した試行と失敗した",
}


@pytest.mark.parametrize("failed", ["refused", "reset", "closed", "stalled"])
@pytest.mark.parametrize("error", ["", ERROR])
def test_what_passes_now_and_then_is_said_to(failed: str, error: str) -> None:
    passed, lost = text_of("openssl-3.0-management13.txt"), text_of(f"openssl-3.0-{failed}.txt")
    lost = re.sub(r"-connect \S+", "-connect rs-us5-cloud.acronis.com:8443", lost)
    for text in (passed + lost, lost + passed + lost):
        for language in LANGUAGES:
            assert NOW_AND_THEN[language] in shown(judged(text, error=error), language)
    for text in (passed + passed, lost + lost, passed + lost.replace("s_client", "s_client -tls1")):
        if failed == "refused" and "-tls1" in text:
            continue
        assert NOW_AND_THEN["en"] not in shown(judged(text, error=error))
