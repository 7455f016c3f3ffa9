"""One run of ``openssl s_client`` as a probe.

``Verify return code`` is not believed by itself: 0 is printed when no certificate came at all, and
19, 20, 21 by every openssl without a store of roots (KB 70285: the good example has 19). Where
the PEM is whole the chain is verified again, against the public bundle and the role's anchors; the
code of the transcript counts as the opinion of the machine it was made on only where it says more
than "no such root in my store".

A run without its command line does not say whom it is about. Its endpoint then is the one name that
the certificate bears, else :data:`UNKNOWN_HOST`; port 0 reads "not known".
:mod:`~diagnoser.evidence.joining` may know better from the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.evidence.narrowing import WHOLE, Narrowing, read_narrowing
from diagnoser.evidence.outcomes import stages_of, tls_of
from diagnoser.evidence.statements import Statements, read_statements
from diagnoser.evidence.targets import (
    UNKNOWN_HOST,
    UNKNOWN_PORT,
    is_literal,
    is_name,
    read_port,
    split_target,
    without_login,
)
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
    from diagnoser.probing import Trust

# A run with a long chain, a session and its tickets has some 20 KiB.
_LONGEST_RUN = 512 * 1024

_COMMAND = pattern(r"\bs_client\b(?P<options>(?:(?!CONNECTED\(|Connecting to )[^\n]){0,2000})")
_OPTION = r"(?<!\S)-{1,2}%s[= ]\s*[\"']?([^\s\"']+)"
_CONNECT, _HOST_OPTION, _PORT_OPTION, _NAME, _CERT, _PROXY = (
    pattern(_OPTION % name) for name in ("connect", "host", "port", "servername", "cert", "proxy")
)
# Return codes of a run in which the dates were looked at and found right.
_DATED = frozenset({0, 19, 20, 21})
_DATED_BY_OLD = frozenset({0})
_DATE_FAULTS = frozenset({9, 10, 13, 14})
_PEER = pattern(r"Connecting to ([0-9a-fA-F.:]{3,45})")


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


def probe_of(run: str, source: str, written: datetime, trust: Trust | None) -> ProbeResult | None:
    """The probe that a run stands for; ``None`` where its text says nothing.

    ``written`` is when the file was; the run's own ``Start Time`` is preferred. Of the machine
    where it was made only the name of the file is known.
    """
    command, said = _COMMAND.search(run), read_statements(run[:_LONGEST_RUN])
    if _says_nothing(said):
        return None
    target = _target(command["options"] if command else None, run)
    at = said.started or _within_dates(said, target, written)
    endpoint = _endpoint(said, target, source, _reservations(said, target, source, at, written))
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


def _says_nothing(said: Statements) -> bool:
    told = said.connected or said.chain or said.verified or said.failures or said.no_certificate
    return not told and said.lookup is None and said.proxy_status is None and not said.codes


def _target(told: str | None, run: str) -> _Target:
    """Whom ``run`` was about; ``told`` are the options of its command, ``None`` without one."""
    options = told or ""
    given = _CONNECT.search(options)
    host, port = split_target(given[1]) if given else (None, None)
    if given is None and (named := _HOST_OPTION.search(options)):
        host, _ = split_target(named[1])
        number = _PORT_OPTION.search(options)
        port = read_port(number[1]) if number else None
    name, proxy = _NAME.search(options), _PROXY.search(options)
    server_name = name[1].lower().rstrip(".") if name and is_name(name[1]) else None
    address = None
    if peers := _PEER.findall(run):
        # Tried one after the other; the last one decided.
        address, _ = split_target(peers[-1])
    elif host is not None and is_literal(host):
        address = host
    if host is None or is_literal(host):
        # Connected to by address, but asked for by name.
        host = server_name or host or address
    return _Target(
        host=host,
        port=port,
        server_name=server_name,
        hides_name="-noservername" in options,
        narrowing=read_narrowing(told),
        shows_certificate=_CERT.search(options) is not None,
        proxy=without_login(proxy[1]) if proxy else None,
        address=address if address and proxy is None and is_literal(address) else None,
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


def _endpoint(
    said: Statements, target: _Target, source: str, told_beside: tuple[Evidence, ...]
) -> Endpoint:
    leaf = said.chain[0] if said.chain else None
    told, host = "command", target.host
    untold = host is None or (
        is_literal(host) and target.server_name is None and target.port is None
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
            *told_beside,
        ),
    )


def _only_name(leaf: CertificateFacts) -> str | None:
    names = leaf.dns_names or leaf.subject.values("CN")
    # A wildcard stands for any host, so that no name beside it is the one.
    hosts = [n.lower() for n in names if "." in n and is_name(n)]
    return hosts[0] if len(names) == len(hosts) == 1 else None


def _reference(
    host: str, said: Statements, target: _Target, leaf: CertificateFacts | None
) -> str | None:
    """The name that the certificate is held against. Before 1.1.1 no SNI was sent unless asked
    for, so that a default certificate for another name proves nothing."""
    if target.server_name is not None:
        return target.server_name
    if host == UNKNOWN_HOST or is_literal(host):
        return None
    matches = leaf is not None and name_matches(host, leaf)
    return None if (said.slashed or target.hides_name) and not matches else host


def _reservations(
    said: Statements, target: _Target, source: str, at: datetime, written: datetime
) -> tuple[Evidence, ...]:
    """What has to be known of a run beside whom it is about."""
    found = []
    name, host = target.server_name, target.host
    if name is not None and host is not None and name != host and not is_literal(host):
        found.append(Evidence(ASKED_NAME, name, source))
    if said.started is None:
        told = "when-saved" if at == written else "within-validity"
        found.append(Evidence(ASSUMED_TIME, told, source))
    return tuple(found)
