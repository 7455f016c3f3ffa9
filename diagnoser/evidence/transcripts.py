"""``openssl s_client`` transcripts of every version since 0.9.8, as probes.

``Verify return code`` is not believed by itself: 0 is printed when no certificate came at all, and
19, 20, 21 by every openssl without a store of roots (KB 70285: the good example has 19). Where
the PEM is whole the chain is verified again, against the public bundle and the role's anchors; the
code of the transcript counts as the opinion of the machine it was made on only where it says more
than "no such root in my store".

A transcript without its command line does not say whom it is about. Its endpoint then is the one
name that the certificate bears, else :data:`UNKNOWN_HOST`, which never resolves (RFC 6761 section
6.4); port 0 reads "not known". :mod:`~diagnoser.evidence.joining` may know better from the error.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.evidence.names import KEYS
from diagnoser.evidence.narrowing import WHOLE, Narrowing, read_narrowing
from diagnoser.evidence.pastes import ECHO, tidy
from diagnoser.identifiers import name_matches
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED_TIME,
    AddressResult,
    CertificateFacts,
    Condition,
    Endpoint,
    Evidence,
    Origin,
    ProbeResult,
    Role,
    Stage,
    Transport,
)

if TYPE_CHECKING:
    from diagnoser.evidence.statements import Statements
    from diagnoser.probing import Trust

UNKNOWN_HOST = "unknown-host.invalid"
UNKNOWN_PORT = 0
MOST_RUNS = 500
# A run with a long chain, a session and its tickets has some 20 KiB.
LONGEST_RUN = 512 * 1024

_COMMAND = re.compile(r"\bs_client\b(?P<options>(?:(?!CONNECTED\(|Connecting to )[^\n]){0,2000})")
# The first entry of a chain; where the heading is lost, it alone says that a chain begins.
_FIRST = rf"(?<![\w.=:])0\s{{1,4}}s:\s?(?=/?(?:{KEYS}|[\d.]+)\s?=)"
_ANCHOR = re.compile(
    rf"(?P<echoed>{ECHO}[^\n]*)|(?P<first>{_FIRST})|(?P<command>\bs_client\b(?!:))"
    r"|(?P<connected>CONNECTED\()|(?P<begun>Connecting to [0-9a-fA-F])"
    r"|(?P<chain>Certificate chain)"
    r"|(?P<failed>connect:errno=|gethostbyname failure)|(?P<proxied>HTTP CONNECT failed)"
)
_OVER = re.compile(
    r"^(?:closed|DONE|---|read R BLOCK|read:errno=\d+|write:errno=\d+|connect:errno=-?\d+"
    r"|\s*Verify return code:[^\n]*|\s*Extended master secret:[^\n]*|\s*Max Early Data:[^\n]*)$",
    re.MULTILINE,
)
# Anchors of what a run led to, as against those of how it began.
_RESULTS = frozenset({"connected", "chain", "first", "failed"})
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,251}[a-z0-9])?\.?", re.IGNORECASE)
_OPTION = r"(?<!\S)-{1,2}%s[= ]\s*[\"']?([^\s\"']+)"
_CONNECT, _HOST_OPTION, _PORT_OPTION, _NAME, _CERT, _PROXY = (
    re.compile(_OPTION % name)
    for name in ("connect", "host", "port", "servername", "cert", "proxy")
)
# Return codes of a run in which the dates were looked at and found right.
_DATED = frozenset({0, 19, 20, 21})
_DATED_BY_OLD = frozenset({0})
_DATE_FAULTS = frozenset({9, 10, 13, 14})
_PEER = re.compile(r"Connecting to ([0-9a-fA-F.:]{3,45})")
_EVIDENT = re.compile(
    r"CONNECTED\([0-9A-Fa-f]{8}\)|(?m:^[ \t>]*Certificate chain\b)|Certificate chain\s+0 s:"
    rf"|{_FIRST}"
    r"|connect:errno=-?\d|verify error:num=\d|Verify return code: ?\d|no peer certificate available"
    rf"|(?m:^[ \t>]*depth=\d{{1,2}} /?(?:{KEYS}) ?=)"
)


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom a run was about, as far as its command or the text says."""

    host: str | None = None
    port: int | None = None
    server_name: str | None = None
    hides_name: bool = False
    shows_certificate: bool = False
    narrowing: Narrowing = WHOLE
    proxy: str | None = None
    address: str | None = None


def is_transcript(text: str) -> bool:
    """Whether ``text`` holds output of s_client; a command alone is none."""
    return _EVIDENT.search(text) is not None


def read_transcripts(
    text: str, source: str, at: datetime, trust: Trust | None = None
) -> tuple[ProbeResult, ...]:
    """One probe for each run of s_client in ``text``, in its order. Never raises.

    ``at`` is when the file was written; the run's own ``Start Time`` is preferred. The vantage is
    the machine where the file was made, of which only the name of the file is known. Runs that
    repeat another one's end-entity certificate without saying whom they asked are left out.
    """
    if not is_transcript(text):
        return ()
    # Most texts hold none, and its grammar takes longer to build than they take to read.
    from diagnoser.evidence.statements import read_statements  # noqa: PLC0415

    found: list[ProbeResult] = []
    for run in _runs(tidy(text))[:MOST_RUNS]:
        command = _COMMAND.search(run)
        said = read_statements(run[:LONGEST_RUN])
        if _says_nothing(said):
            continue
        target = _target(command["options"] if command else None, run)
        found.append(_probe(said, target, source, at, trust))
    return tuple(p for p in found if not _is_repeated(p, found))


def _says_nothing(said: Statements) -> bool:
    told = said.connected or said.chain or said.verified or said.failures or said.no_certificate
    return not told and said.lookup is None and said.proxy_status is None and not said.codes


def _runs(text: str) -> list[str]:
    """Cut where the next run begins; a run's errors may stand above its ``CONNECTED`` line."""
    cuts, told = [0], 0
    seen: set[str] = set()
    for match in _ANCHOR.finditer(text):
        kind = match.lastgroup or ""
        over = seen & _RESULTS
        again = {
            "command": bool(over) or bool(seen & {"command", "echoed", "proxied"}),
            "echoed": bool(over) and _OVER.search(text, told, match.start()) is not None,
            "connected": bool(over),
            "begun": bool(over),
            "chain": bool(seen & {"chain", "first"}),
            "first": "first" in seen,
            "failed": bool(over),
            # The connection to the proxy is open; the line about that may stand above or below.
            "proxied": bool(seen & {"chain", "first", "proxied"}),
        }[kind]
        if again:
            start = match.start()
            if kind == "command":
                start = text.rfind("\n", cuts[-1], start) + 1 or start
            elif kind != "echoed":
                ends = [m.end() for m in _OVER.finditer(text, max(told, cuts[-1]), start)]
                start = ends[-1] if ends else start
            cuts.append(max(start, cuts[-1]))
            seen = set()
        seen.add(kind)
        if kind in _RESULTS:
            told = match.start()
    return [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True) if b > a]


def _target(told: str | None, run: str) -> _Target:
    options = told or ""
    given = _CONNECT.search(options)
    host, port = _split(given[1]) if given else (None, None)
    if given is None and (named := _HOST_OPTION.search(options)):
        host, _ = _split(named[1])
        number = _PORT_OPTION.search(options)
        port = int(number[1]) if number and number[1].isdigit() else None
    name, proxy = _NAME.search(options), _PROXY.search(options)
    server_name = name[1].lower().rstrip(".") if name and _HOST.fullmatch(name[1]) else None
    address = None
    if peers := _PEER.findall(run):
        # Tried one after the other; the last one decided.
        address, _ = _split(f"[{peers[-1]}]" if ":" in peers[-1] else peers[-1])
    elif host is not None and _is_literal(host):
        address = host
    if host is None or _is_literal(host):
        # Connected to by address, but asked for by name.
        host = server_name or host or address
    return _Target(
        host=host,
        port=port if port is not None and 0 < port < 65536 else None,
        server_name=server_name,
        hides_name="-noservername" in options,
        narrowing=read_narrowing(told),
        shows_certificate=_CERT.search(options) is not None,
        proxy=proxy[1] if proxy else None,
        address=address if address and proxy is None and _is_literal(address) else None,
    )


def _within_dates(said: Statements, target: _Target, written: datetime) -> datetime:
    """When the run was, if its text does not say: when the file was ``written``, but no later (and
    no earlier) than the certificate was valid, where s_client itself found no fault with dates.

    Measured with OpenSSL 3.0: the last fault stands as the return code, and dates are looked at
    last, with or without a store of roots. Older ones stop at the first fault, so that only 0
    speaks for the dates there.
    """
    leaf = said.chain[0] if said.chain else None
    if leaf is None or leaf.not_before is None or leaf.not_after is None:
        return written
    faultless = _DATED_BY_OLD if said.slashed else _DATED
    code = said.verify_code[0] if said.verify_code and not said.failed_cipher else None
    faults = {number for number, _, _ in said.verify_errors}
    if code not in faultless or faults & _DATE_FAULTS or target.narrowing.ignores_dates:
        return written
    ends = [c.not_after for c in said.chain if c.not_after and c.not_after >= leaf.not_before]
    return max(leaf.not_before, min(written, *ends))


def _split(text: str) -> tuple[str | None, int | None]:
    """``host:port``, ``[v6]:port`` or a host alone; nothing for what can be no host."""
    bare = text.strip("\"'")
    host, colon, port = bare.rpartition(":")
    if not colon or (bare.startswith("[") and bare.endswith("]")):
        host, port = bare, ""
    host = host.strip("[]").rstrip(".").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            return None, None
    return host, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _endpoint(said: Statements, target: _Target, source: str) -> Endpoint:
    leaf = said.chain[0] if said.chain else None
    told, host = "command", target.host
    untold = host is None or (
        _is_literal(host) and target.server_name is None and target.port is None
    )
    if untold and leaf is not None and (only := _only_name(leaf)) is not None:
        told, host = "certificate", only
    known = host is not None
    name = host or UNKNOWN_HOST
    is_storage = leaf is not None and "AcronisStorage" in leaf.subject.values("OU")
    role, reason = catalog.role_of(name, target.port) if known else (Role.UNKNOWN, "no name")
    if role is Role.UNKNOWN and is_storage:
        role, reason = Role.STORAGE, "subject OU=AcronisStorage (KB 70285)"
    row = catalog.roles()[role]
    fallback = row.ports[0] if role is not Role.UNKNOWN and len(row.ports) == 1 else UNKNOWN_PORT
    return Endpoint(
        host=name,
        port=target.port or fallback,
        role=role,
        server_name=_reference(name, said, target, leaf),
        client_certificate=row.client_certificate,
        transport=Transport.TLS,
        derivation=(
            Evidence("transcript_target", f"{name} ({told if known else 'not told'})", source),
            Evidence("role", role.value, f"catalogue: {reason}"),
        ),
    )


def _only_name(leaf: CertificateFacts) -> str | None:
    names = leaf.dns_names or leaf.subject.values("CN")
    # A wildcard stands for any host, so that no name beside it is the one.
    hosts = [n.lower() for n in names if "." in n and _HOST.fullmatch(n)]
    return hosts[0] if len(names) == len(hosts) == 1 else None


def _reference(
    host: str, said: Statements, target: _Target, leaf: CertificateFacts | None
) -> str | None:
    """The name that the certificate is held against. Before 1.1.1 no SNI was sent unless asked
    for, so that a default certificate for another name proves nothing."""
    if target.server_name is not None:
        return target.server_name
    if host == UNKNOWN_HOST or _is_literal(host):
        return None
    matches = leaf is not None and name_matches(host, leaf)
    return None if (said.slashed or target.hides_name) and not matches else host


def _reservations(
    said: Statements, target: _Target, source: str, at: datetime, written: datetime
) -> tuple[Evidence, ...]:
    """What has to be known of a run beside whom it is about."""
    found = []
    name, host = target.server_name, target.host
    if name is not None and host is not None and name != host and not _is_literal(host):
        found.append(Evidence(ASKED_NAME, name, source))
    if said.started is None:
        told = "when-saved" if at == written else "within-validity"
        found.append(Evidence(ASSUMED_TIME, told, source))
    return tuple(found)


def _probe(
    said: Statements, target: _Target, source: str, written: datetime, trust: Trust | None
) -> ProbeResult:
    from diagnoser.evidence.outcomes import stages_of, tls_of  # noqa: PLC0415  (as above)

    at = said.started or _within_dates(said, target, written)
    endpoint = _endpoint(said, target, source)
    told = _reservations(said, target, source, at, written)
    endpoint = replace(endpoint, derivation=(*endpoint.derivation, *told))
    tls = tls_of(said, at, trust, shown=target.shows_certificate, narrowing=target.narrowing)
    stages = stages_of(said, tls, proxy=target.proxy)
    connected = stages[tuple(Stage).index(Stage.CONNECT)]
    address = target.address if connected.condition is not Condition.NOT_REACHED else None
    return ProbeResult(
        endpoint=endpoint,
        stages=stages,
        at=at,
        vantage=f"where {source} was made",
        origin=Origin.TRANSCRIPT,
        tls=tls,
        addresses=()
        if address is None
        else (AddressResult(address, endpoint.port, connected.condition, None, connected.error),),
        proxy=target.proxy or ("not named" if said.proxy_status is not None else None),
    )


def _is_repeated(probe: ProbeResult, found: list[ProbeResult]) -> bool:
    """An excerpt of another run: the same certificate, and not a word on whom it was asked of."""
    leaf = probe.tls.end_entity if probe.tls else None
    if leaf is None or probe.endpoint.host != UNKNOWN_HOST:
        return False
    return any(
        other is not probe
        and other.endpoint.host != UNKNOWN_HOST
        and other.tls is not None
        and other.tls.end_entity is not None
        and (other.tls.end_entity.subject, other.tls.end_entity.issuer)
        == (leaf.subject, leaf.issuer)
        for other in found
    )
