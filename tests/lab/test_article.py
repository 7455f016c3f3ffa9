"""The block of KB 70285 as it stands there, against closed, intercepted and healthy peers."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pki
import pytest
from test_real_peers import interceptor, needs_mitmproxy, needs_openssl, s_server

from diagnoser import lab
from diagnoser.diagnosis import Inquiry, diagnose
from diagnoser.grammar import read_blocks
from diagnoser.model import Condition, Stage, Vantage
from diagnoser.probing import RedirectedNetwork, Redirection, SystemNetwork

# The hard wrap inside an escape, and the prose behind the message, are the article's own.
ARTICLE = (
    "多くの場合、チェックしなければいけないポートはエラーメッセージに記載されています。\n"
    "エラーコード: 307\nモジュール: 626\n行情報: 0x50e61e3e2e723ba3\n"
    'フィールド: {"$file":"d:\\\\1737\\\\core\\\n'
    'network\\\\astorage\\\\reg_server\\\\lib\\\\ssl_connection.cpp",'
    '"address":"rs-ca01-cloud.acronis.com","$module":"isk_bundle_vsa64_26986","$line":"158",'
    '"port":"8443","$func":"AStorage::RegServer::SslConnection::Execute"}\n'
    "メッセージ: Could not perform SSL_write() call:\n"
)
HOST, PORT = "rs-ca01-cloud.acronis.com", 8443


@pytest.mark.parametrize(
    ("played_by", "cause", "category", "stage", "condition"),
    [
        ("rs-us5-cloud.acronis.com", "port-closed", "closed-port", Stage.CONNECT,
         Condition.CONNECTION_REFUSED),
        ("rs-eu2-cloud.acronis.com", "tls-intercepted", "mitm-certificate", Stage.VERIFY,
         Condition.CERTIFICATE_REJECTED),
        ("eu2-cloud.acronis.com", "endpoint-healthy", "none", Stage.VERIFY, Condition.MET),
    ],
)  # fmt: skip
def test_the_article_gives_one_case_and_the_right_verdict(
    played_by: str, cause: str, category: str, stage: Stage, condition: Condition
) -> None:
    reading = read_blocks(ARTICLE, "article.txt")
    assert reading.faults == ()
    assert [[f.name for f in b.frames] for b in reading.blocks] == [["626/307"]]
    with lab.serve() as peers:
        peer = next(r for r in peers.redirections if r.host == played_by)
        network = RedirectedNetwork(
            SystemNetwork(), (Redirection(HOST, PORT, peer.to_host, peer.to_port),)
        )
        inquiry = Inquiry(
            network=network,
            trust=peers.trust,
            vantage=Vantage("machine", "test", "lab"),
            timeout=2.0,
            now=lambda: datetime.now(UTC),
        )
        diagnoses = diagnose(reading.blocks, inquiry)
    assert len(diagnoses) == 1
    found = diagnoses[0]
    assert [(e.host, e.port) for e in found.case.endpoints] == [(HOST, PORT)]
    origins = {e.fact: e.origin for e in found.case.endpoints[0].derivation}
    assert origins["field_address"] == "article.txt:6"
    assert origins["field_port"] == "article.txt:6"
    assert found.cause is not None
    assert (found.cause.rule, found.cause.category.value) == (cause, category)
    assert found.cause.finding.evidence
    assert found.case.probes[0].stage(stage).condition is condition


@needs_openssl
@needs_mitmproxy
def test_the_article_through_a_real_interceptor_as_a_user_runs_it(tmp_path: Path) -> None:
    with (
        s_server(tmp_path, pki.management(), "-www") as server,
        interceptor(tmp_path, server) as port,
    ):
        done = subprocess.run(
            [
                sys.executable, "-m", "diagnoser", "--format", "json",
                "--connect-to", f"{HOST}:{PORT}:127.0.0.1:{port}",
            ],
            input=ARTICLE.encode(), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr.decode()
    case = json.loads(done.stdout)["cases"][0]
    assert (case["cause"], case["category"], case["standing"]) == (
        "tls-intercepted",
        "mitm-certificate",
        "applies",
    )
    told = {
        e["fact"] for v in case["verdicts"] if v["rule"] == case["cause"] for e in v["evidence"]
    }
    assert {"minted_for_nonsense_name", "issuer_is_interceptor"} <= told
    assert "mitmproxy" in case["summary"]
