"""One run of ``curl -v`` as a probe.

Whom a run was about stands in its command (``https://HOST:PORT``), else in what curl says itself.
curl prints no chain: of a certificate that it refuses not even the issuer (with OpenSSL), so that
the refusal is told, and who signed it stays open. ``SSL certificate verify ok`` counts as this
machine's opinion only where the text shows that its own roots were asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.evidence.curl_commands import Command, read_command
from diagnoser.evidence.curl_outcomes import stages_of, system_number
from diagnoser.evidence.curl_statements import CurlStatements, read_curl
from diagnoser.evidence.curl_tls import tls_of, without_tls
from diagnoser.evidence.targets import endpoint_of, is_inside, is_literal, is_name
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED_TIME,
    AddressResult,
    Condition,
    Endpoint,
    Evidence,
    Origin,
    ProbeResult,
    Stage,
)

_HTTPS = 443
_NOTED = pattern(r"^\* ", re.MULTILINE)
_NOT_NAMED = "not named"
# Numbers of curl that a handshake ends with.
_OF_TLS = frozenset({28, 35, 51, 60, 77})
# Where systems keep the roots that curl takes without being told to.
_SYSTEM_ROOTS = frozenset(
    {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/certs",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "none",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom a run was about, and ``told`` by what; ``asked_name`` is set where ``--connect-to`` led
    it to another host than the one it asks for."""

    host: str
    port: int
    told: str
    server_name: str | None
    asked_name: str | None = None
    proxy: str | None = None


def probe_of(run: str, above: str, source: str, written: datetime) -> ProbeResult | None:
    """The probe that a run stands for; ``None`` where it tells nothing of an endpoint with TLS.

    ``above`` is the line of the command, if it does not stand in the run. ``written`` is when the
    file was; the ``Date`` of the server's answer is preferred.
    """
    command, said = read_command(run), read_curl(run)
    given = command or read_command(above)
    target = _target(said, command)
    if target is None or not _tells(said) or _is_plain(said, command):
        return None
    if given is None and not _NOTED.search(run) and not catalog.in_domain(target.host):
        # The failure alone, of anybody's script.
        return None
    if given is not None and given.is_parallel:
        # Lines of transfers at the same time do not tell whose they are.
        return None
    # It names the roots that it took, or asked Windows itself.
    is_known = said.is_schannel or bool(said.roots)
    own_roots = not is_known or not _SYSTEM_ROOTS.issuperset(said.roots)
    tls = tls_of(
        said,
        own_roots=own_roots or (given is not None and given.has_own_roots),
        shown=given is not None and given.shows_certificate,
        narrowed_by=given.narrowed_by if given else None,
    )
    speaks_tls = said.has_tls_proxy or (given is not None and given.has_tls_proxy)
    if said.tunnel is None and target.proxy is not None and speaks_tls:
        # It did not get past the proxy's own certificate.
        said, tls = without_tls(said), None
    stages = stages_of(
        said,
        tls,
        proxy=target.proxy,
        only_six=given is not None and given.only_six,
        is_inside=said.connected is None and tls is not None,
    )
    connected = stages[tuple(Stage).index(Stage.CONNECT)].condition
    at, assumed = _time(said, written)
    return ProbeResult(
        endpoint=_endpoint(target, source, assumed),
        stages=stages,
        at=at,
        vantage=f"where {source} was made",
        origin=Origin.TRANSCRIPT,
        tls=tls,
        # Those of a proxy are not the endpoint's.
        addresses=() if target.proxy is not None else _addresses(said, target.port, connected),
        proxy=target.proxy,
    )


def _tells(said: CurlStatements) -> bool:
    noted = bool(said.attempts or said.connected or said.unresolved or said.tunnel)
    return noted or said.stage_code not in (None, 0)


def _is_plain(said: CurlStatements, command: Command | None) -> bool:
    """The run was about plain HTTP, which says nothing of an endpoint that speaks TLS."""
    if said.connected is None or said.tunnel is not None:
        return False
    if command is not None and command.scheme is not None:
        return command.scheme == "http"
    return not (said.hello or said.version or said.is_schannel or said.code in _OF_TLS)


def _target(said: CurlStatements, command: Command | None) -> _Target | None:
    is_named = command is not None and command.scheme is not None
    is_led = said.is_led or (command is not None and command.leads)
    proxy = said.proxy if command is None or command.proxy is None else command.proxy or None
    host, port, told = said.host, said.port, "curl's own words"
    if command is not None and is_named:
        host, port, told = command.host, command.port, "command"
    if said.tunnel is not None:
        (host, port), told = said.tunnel, "CONNECT request"
        proxy = proxy or (_place(*said.connected) if said.connected else _NOT_NAMED)
    elif said.unresolved == "proxy" and not is_named:
        return None
    elif proxy is None and is_named and not is_led and said.host and said.host != host:
        # Whom it went to is not whom it asked for: a proxy that the command does not name.
        proxy = _place(said.host, said.port)
    if proxy is None and (said.is_proxys or said.unresolved == "proxy"):
        proxy = _NOT_NAMED
    if host is None or not (is_literal(host) or is_name(host)):
        return None
    server_name = None if is_literal(host) else host
    tried = [(a, p) for a, p, _ in said.attempts]
    tried += [said.connected] if said.connected is not None else []
    if is_led and proxy is None and (inside := next((t for t in tried if is_inside(t[0])), None)):
        # No service of Acronis is there: it is that address which the run is about.
        return _Target(inside[0].lower(), inside[1] or port or _HTTPS, told, server_name)
    if proxy is None and not is_led and said.tunnel is None:
        # A proxy of .curlrc is named nowhere else.
        elsewhere = (_place(a, p) for a, p in tried if p is not None and p != (port or _HTTPS))
        proxy = next(elsewhere, None)
    if proxy is None and said.led is not None:
        # --connect-to leads to another port, and to another host; asked for is the one of the URL.
        port = next((p for _, p, _ in said.attempts if p), port)
        led = said.led.strip("[]").lower()
        if not is_literal(led) and led != host:
            return _Target(led, port or _HTTPS, told, server_name, server_name)
    return _Target(host, port or _HTTPS, told, server_name, proxy=proxy)


def _place(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _endpoint(target: _Target, source: str, assumed: str | None) -> Endpoint:
    fact = Evidence("transcript_target", f"{target.host} ({target.told})", source)
    found = endpoint_of(target.host, target.port, (fact,))
    beside = []
    if target.asked_name is not None:
        beside.append(Evidence(ASKED_NAME, target.asked_name, source))
    if assumed is not None:
        beside.append(Evidence(ASSUMED_TIME, assumed, source))
    return replace(found, server_name=target.server_name, derivation=(*found.derivation, *beside))


def _time(said: CurlStatements, written: datetime) -> tuple[datetime, str | None]:
    """When the run was, and how that was found where the text does not say."""
    if said.server_time is not None:
        return said.server_time, None
    if said.is_accepted and said.not_before is not None and said.not_after is not None:
        # curl refuses a certificate whose dates are over.
        within = max(said.not_before, min(written, said.not_after))
        return within, "when-saved" if within == written else "within-validity"
    return written, "when-saved"


def _addresses(said: CurlStatements, port: int, ended: Condition) -> tuple[AddressResult, ...]:
    """Every address that was tried, with how it ended; the one that answered is the last."""
    found = []
    for address, number, reason in said.attempts:
        if not is_literal(address):
            continue
        row = system_number(reason) if reason is not None else None
        condition = Condition.UNCLASSIFIED if reason is not None else Condition.NOT_REACHED
        if row is not None:
            condition = row.condition
        elif said.connected is not None and said.connected[0] == address:
            condition = Condition.MET
        elif reason is None and said.connected is None:
            condition = ended
        if condition is not Condition.NOT_REACHED:
            error = row.number if row is not None else None
            found.append(AddressResult(address, number or port, condition, None, error))
    return tuple(found)
