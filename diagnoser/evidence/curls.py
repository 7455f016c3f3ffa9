"""``curl -v`` transcripts, as probes: what support and users run where there is no openssl.

Whom a run was about stands in its command (``https://HOST:PORT``), else in what curl says itself.
curl prints no chain: of a certificate that it refuses not even the issuer (with OpenSSL), so that
the refusal is told, and who signed it stays open. ``SSL certificate verify ok`` counts as this
machine's opinion only where the text shows that its own roots were asked.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from diagnoser import catalog
from diagnoser.evidence.pastes import tidy
from diagnoser.model import (
    ASKED_NAME,
    ASSUMED_TIME,
    AddressResult,
    Condition,
    Endpoint,
    Evidence,
    Origin,
    ProbeResult,
    Role,
    Transport,
)

if TYPE_CHECKING:
    from diagnoser.evidence.curl_statements import CurlStatements

MOST_RUNS = 500
_LONGEST_RUN = 256 * 1024
_LONGEST_LINE = 4096
_HTTPS = 443

_SAYS = (
    r"(?:(?:Immediate connect fail for|Trying) \[?[0-9A-Fa-f]|Connected to \S{1,255} \("
    r"|Established connection to |(?:Could not|Couldn't) resolve (?:host|proxy)"
    r"|connect to \S{1,60} port \d{1,5} |CONNECT tunnel |About to connect\(\) to )"
)
_EVIDENT = re.compile(rf"(?:^|[\d\-:>\s\]])\*[ ]{{1,3}}{_SAYS}")
_COMMAND = re.compile(
    r"(?:^|[\s/\\$#>;&|\"'(])curl(?:\.exe)?\"?[ \t](?P<options>[^\n]{0,2000})", re.MULTILINE
)
_URL = re.compile(r"\b(?P<scheme>https?)://(?:[^\s/@\"']{1,200}@)?(?P<place>[^\s/?#\"'`]{1,300})")
# Options whose value is a URL that nobody asks for anything.
_OTHER_URL = re.compile(
    r"(?<!\S)(?:-x|--proxy|--preproxy|--socks\S{1,12}|-e|--referer)[= ]?\s*[\"']?$"
)
_ENDED = re.compile(r"(?:^|[\d\-][ \t]{0,8}\d)curl: \(\d{1,3}\)", re.MULTILINE)
_CONTINUED = re.compile(r"(?<=[ \t])[\\`^][ \t]{0,20}\n[ \t]{0,80}(?:>{1,2}[ \t]?|More\?[ \t]?)?")
# Before a line of curl's: the progress meter, times (--trace-time), numbers of transfers.
_BEFORE = re.compile(
    r"^(?:[ \t]*\d[\d \t.kMGT:%\-]{20,160}(?=\*|curl: \()"
    r"|\d\d:\d\d:\d\d\.\d{3,6} (?:\[[\d\-x]{1,12}\] )?(?=[*<>={}]))",
    re.MULTILINE,
)
_BEGINS = re.compile(
    r"\* +(?:Trying |Immediate connect|Host |Hostname |About to connect|Couldn't resolve"
    r"|Could not resolve|Uses proxy env|Added |Connecting to hostname)"
)
_OVER = re.compile(
    r"curl: \(\d|\* (?:Closing connection|Connection #\d+ to host|shutting down connection"
    r"|Issue another request)"
)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_.:-]{0,251}[a-z0-9])?")
_PROXY = re.compile(r"(?<!\S)(?:-x|--proxy[=\s])\s*[\"']?(?P<value>[^\s\"']+)")
_CERT = re.compile(r"(?<!\S)(?:-E|--cert)(?!\S)")
_OWN_ROOTS = re.compile(r"(?<!\S)--(?:cacert|capath)(?![\w-])")
_NARROW = re.compile(
    r"(?<!\S)(?P<option>--tls-max\s+(?:1\.[01]|default\b)|--tlsv1\.3|--sslv[23]"
    r"|--(?:ciphers|tls13-ciphers|curves)\s+\S+)(?!\S)"
)
# Where systems keep the roots that curl takes without being told to.
_SYSTEM_ROOTS = frozenset(
    {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/certs",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Target:
    host: str
    port: int
    told: str
    server_name: str | None
    asked_name: str | None = None
    proxy: str | None = None


def is_curl(text: str) -> bool:
    """Whether ``text`` holds output of curl that says whom it is about; a command alone is none."""
    if _EVIDENT.search(text) is not None:
        return True
    return _ENDED.search(text) is not None and any(map(_url, _COMMAND.finditer(text)))


def read_curls(text: str, source: str, at: datetime) -> tuple[ProbeResult, ...]:
    """One probe for each run of curl in ``text`` that was about TLS, in its order. Never raises.

    ``at`` is when the file was written; the ``Date`` of the server's answer is preferred.
    """
    if not is_curl(text):
        return ()
    found = [
        _probe(run[:_LONGEST_RUN], source, at) for run in _runs(_straightened(text))[:MOST_RUNS]
    ]
    return tuple(p for p in found if p is not None)


def _straightened(text: str) -> str:
    """Every line of curl begins with its sign, and a command stands in one line."""
    bare = _CONTINUED.sub(" ", tidy(text.replace("\r", "\n")))
    return _BEFORE.sub("", bare)


def _runs(text: str) -> list[str]:
    found: list[list[str]] = [[]]
    begun = over = False
    for whole in text.split("\n"):
        line = whole[:_LONGEST_LINE].lstrip(" \t")
        command = line[:1] not in "*<{}" and any(map(_url, _COMMAND.finditer(line)))
        if (command and begun) or (over and _BEGINS.match(line)):
            found.append([])
            begun = over = False
        begun = begun or command or line.startswith(("* ", "curl: ("))
        over = over or _OVER.match(line) is not None
        found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def _url(command: re.Match[str]) -> re.Match[str] | None:
    options = command["options"]
    found = (m for m in _URL.finditer(options) if not _OTHER_URL.search(options[: m.start()]))
    return next(found, None)


def _probe(run: str, source: str, written: datetime) -> ProbeResult | None:
    # Most texts hold no run, and its grammar takes longer to build than they take to read.
    from diagnoser.evidence.curl_outcomes import stages_of, tls_of  # noqa: PLC0415
    from diagnoser.evidence.curl_statements import read_curl  # noqa: PLC0415

    command = _COMMAND.search(run)
    options = command["options"] if command else None
    said = read_curl(run)
    url = _url(command) if command else None
    target = _target(said, url, options or "")
    if target is None or not _tells(said):
        return None
    if _is_plain(said, url) and said.tunnel is None:
        return None
    own_roots = options is None or _OWN_ROOTS.search(options) is not None
    if options is None or not own_roots:
        # It names the roots that it took, or asked Windows itself.
        own_roots = not (_SYSTEM_ROOTS.intersection(said.roots) or said.is_schannel)
    narrow = _NARROW.search(options or "")
    tls = tls_of(
        said,
        own_roots=own_roots,
        shown=_CERT.search(options or "") is not None,
        narrowed_by=narrow["option"] if narrow else None,
    )
    stages = stages_of(said, tls, proxy=target.proxy)
    at, assumed = _time(said, written)
    return ProbeResult(
        endpoint=_endpoint(target, source, assumed),
        stages=stages,
        at=at,
        vantage=f"where {source} was made",
        origin=Origin.TRANSCRIPT,
        tls=tls,
        addresses=()
        if target.proxy is not None
        else _addresses(said, target.port, stages[1].condition),
        proxy=target.proxy,
    )


def _tells(said: CurlStatements) -> bool:
    return bool(said.attempts or said.connected or said.unresolved or said.tunnel) or (
        said.stage_code not in (None, 0)
    )


def _is_plain(said: CurlStatements, url: re.Match[str] | None) -> bool:
    """The run was about plain HTTP, which says nothing of an endpoint that speaks TLS."""
    if said.connected is None:
        return False
    told = said.hello or said.version or said.is_schannel or said.code in (28, 35, 51, 60, 77)
    return url["scheme"] == "http" if url is not None else not told


def _target(said: CurlStatements, url: re.Match[str] | None, options: str) -> _Target | None:
    named = _PROXY.search(options)
    proxy = _bare(named["value"]) if named else said.proxy
    host, port, told = said.host, said.port, "curl's own words"
    if url is not None:
        host, number = _split(url["place"])
        port = number or (_HTTPS if url["scheme"] == "https" else 80)
        told = "command"
    if said.tunnel is not None:
        (host, port), told = said.tunnel, "CONNECT request"
        proxy = proxy or _peer(said)
    elif said.unresolved == "proxy" and url is None:
        return None
    if host is None or not _HOST.fullmatch(host):
        return None
    server_name = None if _is_literal(host) else host
    if proxy is None and said.led is not None:
        # --connect-to leads to another port, and to another host; asked for is the one of the URL.
        port = next((p for _, p, _ in said.attempts if p), port)
        led = said.led.strip("[]").lower()
        if not _is_literal(led) and led != host:
            return _Target(led, port or _HTTPS, told, server_name, server_name)
    return _Target(host, port or _HTTPS, told, server_name, proxy=proxy)


def _split(place: str) -> tuple[str | None, int | None]:
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    return host.strip("[]").rstrip(".").lower(), number if 0 < number < 65536 else None


def _bare(proxy: str) -> str | None:
    """A proxy without scheme and login; ``None`` for the option that switches it off."""
    return proxy.rpartition("//")[2].partition("/")[0].rpartition("@")[2] or None


def _peer(said: CurlStatements) -> str:
    if said.connected is None:
        return "not named"
    address, port = said.connected
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _endpoint(target: _Target, source: str, assumed: str | None) -> Endpoint:
    role, reason = catalog.role_of(target.host, target.port)
    row, known = catalog.roles().get(role), catalog.port_row(target.port)
    tcp = known is not None and known.transport is Transport.TCP
    found = [
        Evidence("transcript_target", f"{target.host} ({target.told})", source),
        Evidence("role", role.value, f"catalogue: {reason}"),
    ]
    if target.asked_name is not None:
        found.append(Evidence(ASKED_NAME, target.asked_name, source))
    if assumed is not None:
        found.append(Evidence(ASSUMED_TIME, assumed, source))
    return Endpoint(
        host=target.host,
        port=target.port,
        role=role,
        server_name=target.server_name,
        client_certificate=row.client_certificate if row and role is not Role.UNKNOWN else False,
        transport=Transport.TCP if tcp else Transport.TLS,
        derivation=tuple(found),
    )


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
    from diagnoser.evidence.curl_outcomes import system_number  # noqa: PLC0415  (as above)

    found = []
    for address, number, reason in said.attempts:
        if not _is_literal(address):
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
