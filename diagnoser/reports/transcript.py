"""The handshakes of a report in the manner of ``openssl s_client`` 3.0, for those who read that.

It is a rendering of what diagnoser saw, not openssl's own output, and says so. It can be read back:
``diagnoser scan transcript.txt`` finds in it what a transcript can hold: how the connection
ended, alerts, verify codes and the chain. What s_client cannot show (the extra exchanges that
prove interception, which packets were lost) stands in it as comments only.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import datetime

from diagnoser.deferral import pattern
from diagnoser.evidence.numbers import system_failure, verify_texts
from diagnoser.model import (
    Aftermath,
    Alert,
    CertificateFacts,
    Condition,
    Direction,
    Name,
    Origin,
    ProbeResult,
    Report,
    Stage,
    StageResult,
    TlsFacts,
    Transport,
    TrustStore,
    VerifyResult,
)
from diagnoser.reports.repeats import command

_THREAD = "4007000000000000"
# errno of Linux and what strerror says of it.
_ERRNO = {
    Condition.CONNECTION_REFUSED: (111, "Connection refused"),
    Condition.CONNECTION_TIMED_OUT: (110, "Connection timed out"),
    Condition.NETWORK_UNREACHABLE: (101, "Network is unreachable"),
    Condition.CONNECTION_RESET: (104, "Connection reset by peer"),
}
_LOOKUP = {
    Condition.NAME_NOT_FOUND: "Name or service not known",
    Condition.NAME_LOOKUP_FAILED: "Temporary failure in name resolution",
}
_RECORD = "SSL routines:ssl3_read_n"
# What s_client begins its statements with; in a name or an answer it is no statement.
_STATEMENT = pattern(
    r"CONNECTED|Connecting to|s_client|errno|gethostbyname|getaddrinfo|HTTP CONNECT|error:|depth="
    r"|Certificate chain|Server certificate|certificate available|\b\d{1,2}\s+s:|\b[ia]:|v:Not"
    r"|subject=|issuer=|[Vv]erif|Acceptable client|Client Certificate|Requested Sig|SSL|Cipher is"
    r"|New,|Protocol|Start Time|Cert Status|Session|-----|---|<\.\."
)
_UNREADABLE = pattern(r"[\x00-\x1f\x7f]")
_PLAIN = pattern(r"[^\s,+\"\\/=<>;](?:[^,+\"\\<>;\n]*[^\s,+\"\\<>;])?")


def render(report: Report) -> str:
    """Every probe as one run, the cases in their order; empty where nothing was probed."""
    runs = [_run(p) for d in report.diagnoses for p in d.case.probes]
    if not runs:
        return ""
    head = (
        f"# Written by diagnoser {report.version} from the handshakes it saw, in the manner of\n"
        "# openssl 3.0; not the output of openssl itself. Lines with # are comments.\n"
    )
    return head + "".join("\n" + "\n".join(map(_flat, run)) + "\n" for run in runs)


def _flat(line: str) -> str:
    """One line: what was received cannot begin another."""
    return _UNREADABLE.sub(" ", line)


def _run(probe: ProbeResult) -> list[str]:
    endpoint = probe.endpoint
    seen = "" if probe.origin is Origin.LIVE else f" ({probe.origin.value})"
    lines = [
        f"# {probe.at:%Y-%m-%d %H:%M:%S} UTC, {_quiet(probe.vantage)}{seen}",
        f"# Start Time: {int(probe.at.timestamp())}",
    ]
    if endpoint.transport is Transport.TCP:
        return [*lines, *(f"# {_quiet(x)}" for x in _plain_connection(probe))]
    proxy = "" if probe.proxy is None else f" -proxy {shlex.quote(probe.proxy)}"
    asked = command(endpoint).replace(" -cert AGENT.crt", _own(probe.tls)) + proxy
    program, name, options = asked.partition("s_client")
    lines.append(f"$ {program}{name}{_quiet(options)} 2>&1")
    lines += _before_tls(probe) or _handshake(probe)
    return [*lines, *_comments(probe)]


def _own(tls: TlsFacts | None) -> str:
    """The client certificate of the command: only where one was presented."""
    if tls is None or not tls.client_certificate_sent:
        return ""
    return f" -cert {shlex.quote(tls.client_certificate_source or 'AGENT.crt')}"


def _quiet(text: str) -> str:
    """A comment that a reader of transcripts does not take for a statement."""
    return _STATEMENT.sub("…", _flat(text))


def _plain_connection(probe: ProbeResult) -> list[str]:
    connect = probe.stage(Stage.CONNECT)
    return [command(probe.endpoint), f"{connect.stage.value}: {connect.condition.value}"]


def _error(number: int, where: str, text: str, place: str = "", note: str = "") -> str:
    return f"{_THREAD}:error:{number:08X}:{where}:{text}:{place}:{note}"


def _before_tls(probe: ProbeResult) -> list[str]:
    """What is printed where no connection came about; nothing where one did."""
    resolve, connect, tunnel = (
        probe.stage(s) for s in (Stage.RESOLVE, Stage.CONNECT, Stage.TUNNEL)
    )
    if resolve.condition is not Condition.MET:
        text = _LOOKUP.get(resolve.condition, resolve.detail or "unknown")
        where = "BIO routines:BIO_lookup_ex:system lib"
        # No errno belongs to a resolver's answer; OpenSSL prints whatever was left there.
        return [f"{_THREAD}:error:10080002:{where}::{text}", "connect:errno=0"]
    if connect.condition is not Condition.MET:
        return list(_refused(connect, "connect", "BIO_connect"))
    if tunnel.condition is Condition.MET:
        return []
    if tunnel.error is not None and 100 <= tunnel.error <= 599:
        refusal = f"s_client: HTTP CONNECT failed, reason= {tunnel.error}"
        return [refusal, f"CONNECTED({3:08d})", "---", "no peer certificate available", "---"]
    return [f"# the proxy: {_quiet(tunnel.condition.value)}"]


def _refused(ended: StageResult, call: str, function: str) -> Iterator[str]:
    number, text = _ERRNO.get(ended.condition, (ended.error or 0, ended.condition.value))
    row = None if ended.error is None else system_failure(ended.error)
    if ended.error is not None and row is not None and row.condition is ended.condition:
        number = ended.error
    yield _error(0x80000000 | number, f"system library:{function}", text, "", f"calling {call}()")
    yield f"{call}:errno={number}"


def _handshake(probe: ProbeResult) -> list[str]:
    handshake = probe.stage(Stage.HANDSHAKE)
    tls = probe.tls or TlsFacts()
    chain = tls.received_chain
    silent = handshake.condition is Condition.HANDSHAKE_TIMED_OUT
    if silent and not chain:
        return [f"CONNECTED({3:08d})", "^C"]
    lines = [*_path(tls), *_broken(handshake, tls), f"CONNECTED({3:08d})", "---"]
    lines += _certificates(chain) if chain else ["no peer certificate available", "---"]
    lines += _requests(tls)
    lines += _traffic(handshake, tls)
    return lines


def _path(tls: TlsFacts) -> Iterator[str]:
    """What the machine's own store said, as the lines that s_client writes to stderr."""
    result = _own_opinion(tls)
    if result is None:
        return
    for depth in range(len(tls.received_chain) - 1, -1, -1):
        yield f"depth={depth} {_distinguished(tls.received_chain[depth].subject)}"
        if result.code and (result.depth or 0) == depth:
            yield f"verify error:num={result.code}:{_told(result)}"
        yield "verify return:1"


def _own_opinion(tls: TlsFacts) -> VerifyResult | None:
    """The system's opinion; a chain that nobody verified there has the opinion of the bundle."""
    for store in (TrustStore.SYSTEM, TrustStore.MOZILLA):
        if (found := tls.verified_by(store)) is not None:
            return found
    return next(iter(tls.verify_errors), None)


def _told(result: VerifyResult) -> str:
    name = result.name.removeprefix("X509_V_").removeprefix("ERR_")
    rows = [r for r in verify_texts() if r.number == result.code and r.name == name]
    return rows[0].texts[-1] if rows and rows[0].texts else result.name


def _broken(handshake: StageResult, tls: TlsFacts) -> Iterator[str]:
    """How the handshake failed, in OpenSSL's numbers (sslerr.h; an alert is 1000 + its number)."""
    condition, alert = handshake.condition, tls.alert
    if alert is not None and alert.level == 2:
        yield _alerted(alert)
    elif condition in (Condition.FATAL_ALERT, Condition.CLIENT_CERTIFICATE_REFUSED):
        number = handshake.error if handshake.error is not None else 40
        yield _alerted(Alert(2, number, "alert", Direction.RECEIVED))
    elif condition is Condition.NOT_TLS:
        yield _error(0x0A00010B, "SSL routines:ssl3_get_record", "wrong version number")
    elif condition is Condition.CONNECTION_CLOSED:
        yield _error(0x0A000126, _RECORD, "unexpected eof while reading")
    elif condition is Condition.CONNECTION_RESET:
        number = _ERRNO[condition][0]
        yield f"write:errno={handshake.error or number}"


def _alerted(alert: Alert) -> str:
    name = alert.name.replace("_", " ")
    if alert.direction is Direction.SENT:
        # s_client tells only of refusing a version; other alerts of its own it keeps to itself.
        reason = 258 if alert.number == 70 else 134
        return _error(0x0A000000 | reason, "SSL routines:ssl_choose_client_version", name)
    number = f"SSL alert number {alert.number}"
    where = "SSL routines:ssl3_read_bytes"
    return _error(0x0A000000 | (1000 + alert.number), where, f"tls alert {name}", "", number)


def _certificates(chain: tuple[CertificateFacts, ...]) -> list[str]:
    lines = ["Certificate chain"]
    for depth, certificate in enumerate(chain):
        lines.append(f" {depth} s:{_distinguished(certificate.subject)}")
        lines.append(f"   i:{_distinguished(certificate.issuer)}")
        if certificate.not_before and certificate.not_after:
            first, last = (_when(t) for t in (certificate.not_before, certificate.not_after))
            lines.append(f"   v:NotBefore: {first}; NotAfter: {last}")
        if certificate.pem is not None:
            lines += certificate.pem.strip().splitlines()
    leaf = chain[0]
    return [
        *lines,
        "---",
        "Server certificate",
        f"subject={_distinguished(leaf.subject)}",
        f"issuer={_distinguished(leaf.issuer)}",
        "---",
    ]


def _when(moment: datetime) -> str:
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S %Y} GMT"


def _distinguished(name: Name) -> str:
    """``C = US, O = "x, Inc."``, the notation of openssl 1.1 to 3.1."""
    return ", ".join(f"{_flat(a.key)} = {_value(a.value)}" for a in name.attributes) or "CN = ?"


def _value(text: str) -> str:
    flat = _flat(text)
    if _PLAIN.fullmatch(flat) and not _STATEMENT.search(flat):
        return flat
    escaped = flat.replace("\\", "\\\\").replace('"', '\\"')
    # RFC 4514 section 2.4: a letter may be written as its number, and then begins no statement.
    return f'"{_STATEMENT.sub(_numbered, escaped)}"'


def _numbered(match: re.Match[str]) -> str:
    return "".join(f"\\{ord(letter):02X}" for letter in match[0])


def _requests(tls: TlsFacts) -> list[str]:
    if tls.client_certificate_requested is None:
        return []
    if not tls.client_certificate_requested:
        return ["No client certificate CA names sent"]
    kinds = "Client Certificate Types: RSA sign, DSA sign, ECDSA sign"
    names = [_distinguished(n) for n in tls.client_ca_names]
    if not names:
        return ["No client certificate CA names sent", kinds]
    return ["Acceptable client certificate CA names", *names, kinds]


def _traffic(handshake: StageResult, tls: TlsFacts) -> list[str]:
    received, sent = tls.bytes_received, tls.bytes_sent
    if handshake.condition is Condition.NOT_TLS:
        # s_client stops at the first record header; the true count is in the report.
        received = 5
    elif received is None:
        received = 0 if not tls.received_chain else 1
    opinion = _own_opinion(tls) if tls.received_chain else None
    lines = ["---", f"SSL handshake has read {received} bytes and written {sent or 0} bytes"]
    finished = handshake.condition is Condition.MET or (
        tls.received_chain and tls.version == "TLSv1.3" and tls.cipher
    )
    if tls.ocsp is not None:
        lines.insert(0, f"OCSP response:\n    Cert Status: {_flat(tls.ocsp)}".replace("\n", " "))
    told = f"{opinion.code} ({_told(opinion)})" if opinion else "0 (ok)"
    if opinion and opinion.code:
        lines.append(f"Verification error: {_told(opinion)}")
    elif opinion or not tls.received_chain:
        lines.append("Verification: OK")
    lines.append("---")
    if not finished:
        lines.append("New, (NONE), Cipher is (NONE)")
    elif tls.version is not None:
        lines.append(f"New, {_flat(tls.version)}, Cipher is {_flat(tls.cipher or '(unknown)')}")
    if tls.version is not None and tls.received_chain:
        lines += ["SSL-Session:", f"    Protocol  : {_flat(tls.version)}"]
    if opinion or not tls.received_chain:
        lines.append(f"Verify return code: {told}")
    lines.append("---")
    if tls.aftermath is Aftermath.TICKET:
        lines += ["Post-Handshake New Session Ticket arrived:", "---"]
    return lines


def _comments(probe: ProbeResult) -> Iterator[str]:
    """What s_client has no words for."""
    tls = probe.tls
    for opinion in tls.verify if tls else ():
        yield f"# {opinion.trust_store.value} store: {opinion.name} ({opinion.code})"
    if tls is not None and tls.clear_text:
        yield f"# instead of TLS: {_quiet(tls.clear_text[:200])}"
    for address in probe.addresses:
        yield f"# {_quiet(address.address)} port {address.port}: {address.condition.value}"
    for control in probe.controls:
        shown = (
            "" if control.certificate is None else f", certificate of {control.certificate.subject}"
        )
        told = f"{control.control.value} {control.question}: {control.condition.value}{shown}"
        yield f"# {_quiet(told)}"
