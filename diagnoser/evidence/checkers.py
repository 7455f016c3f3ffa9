"""Output of Acronis' connection checkers and installers: which ports they say are open.

They open a TCP connection and look no further, so "OK" says nothing of TLS: under an inspecting
firewall they report success while backups fail (KB 70285). Wordings: msp_port_checker (``Check for
HOST PORT Ok``), the older tool (``Verifying connection to IP on port N...SUCCESS!``), registration
(KB 60593). Windows PowerShell's ``Test-NetConnection HOST -Port N`` does the same, and names its
properties in English in every language (learn.microsoft.com). No published output of Acronis'
tools shows a failed check; any word but success is taken for one, if it is all that follows or
begins to tell a failure: articles have sentences with "check for" too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyparsing as pp

from diagnoser import catalog
from diagnoser.deferral import pattern
from diagnoser.evidence.targets import endpoint_of
from diagnoser.model import (
    Case,
    Category,
    Endpoint,
    Evidence,
    Location,
    Recognition,
)

TABLE = "checkers"
_MOST_CHECKS = 2000
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]{0,252}[A-Za-z0-9])?"
_ANCHOR = pattern(
    r"^(?=[^\n]{0,400}(?:Check for |Verifying connection to |Performing Name Resolution for"
    r"|ComputerName {1,20}: |TCP connect to \(|Outgoing connections are not available"
    r"|Failed to connect to host \"))[^\n]*$",
    re.MULTILINE,
)
_PORT = pp.Regex(r"\d{1,5}(?!\d)").set_parse_action(lambda t: int(str(t[0])))
_WORD = pp.Regex(r"[A-Za-z]+!?")
_NEW = pp.Suppress("Check for") + pp.Regex(_HOST)("host") + _PORT("port") + pp.Opt(_WORD)("word")
_OLD = (
    pp.Suppress("Verifying connection to")
    + pp.Regex(_HOST)("host")
    + pp.Suppress("on port")
    + _PORT("port")
    + pp.Suppress(pp.Regex(r"\.{2,}"))
    + pp.Opt(_WORD)("word")
)
_LOOKUP = (
    pp.Suppress("Performing Name Resolution for:")
    + pp.Regex(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")("host")
    + pp.Suppress(pp.Regex(r"\.{2,}"))
    + pp.Opt(_WORD)("word")
)
_REFUSED = (
    pp.Suppress("Failed to connect to host")
    + pp.QuotedString('"')("host")
    + pp.Suppress("via port")
    + _PORT("port")
)
# The record of Test-NetConnection below its first property; without a port it only pings.
_TESTED_PORT = pattern(r"^RemotePort {1,20}: (\d{1,5})[ \t\r]*$", re.MULTILINE)
_TESTED = pattern(r"^TcpTestSucceeded {1,20}: (True|False)[ \t\r]*$", re.MULTILINE)
_ADDRESS = pattern(
    r"^RemoteAddress {1,20}: ([0-9A-Fa-f.:]{2,45})(?:%\d{1,9})?[ \t\r]*$", re.MULTILINE
)
# All that is left of a record where only True or False was asked for.
_WARNED = pattern(r"TCP connect to \(([0-9A-Fa-f.:]{2,45})(?:%\d{1,9})? : (\d{1,5})\) failed")
_ASKED = pattern(
    rf"(?:Test-NetConnection|\btnc)[ \t]{{1,20}}(?:-ComputerName[ \t]{{1,20}})?[\"']?({_HOST})",
    re.IGNORECASE,
)
_COMPUTER = pattern(rf"ComputerName {{1,20}}: ({_HOST}?)[ \t\r]*$")
_LISTED_COMPUTER = pattern(rf"ComputerName {{1,20}}: {_HOST}?[ \t\r]*$", re.MULTILINE)
_LISTED = pattern(rf"({_HOST}?):(\d{{1,5}})\b")
_SUCCESS = frozenset({"ok", "success!", "success"})
_FAILURE = frozenset(
    {"fail", "failed", "failed!", "failure", "error", "refused", "timeout", "timed", "closed"}
    | {"blocked", "unreachable", "not", "no", "cannot", "could"}
)
_GOES_ON = pattern(r"[ \t]*[A-Za-z]")
# What a checker could have found out; an error that is proven to be something else stays that.
_NETWORK = frozenset(
    {Category.CLOSED_PORT, Category.MITM_CERTIFICATE, Category.DNS, Category.PROXY}
    | {Category.PROTOCOL, Category.CERTIFICATE, Category.CLIENT_CERTIFICATE, Category.SERVER}
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a checker: the host (a name or an address), its port, and whether it is open.

    ``port`` is ``None`` for a name lookup. ``address`` is the one that Test-NetConnection tried;
    no other checker tells it.
    """

    host: str
    port: int | None
    passed: bool
    at: Location
    address: str | None = None


def is_checker(text: str) -> bool:
    """Whether ``text`` holds a line of a checker."""
    return next(iter(_checks(text, "", 1)), None) is not None


def read_checks(text: str, source: str) -> tuple[Check, ...]:
    """Every line of a checker in ``text``, in its order. Never raises."""
    return tuple(_checks(text, source, _MOST_CHECKS))


def _checks(text: str, source: str, most: int) -> list[Check]:
    found: list[Check] = []
    line, place = 1, 0
    for anchor in _ANCHOR.finditer(text):
        line, place = line + text.count("\n", place, anchor.start()), anchor.start()
        following = text[anchor.end() : anchor.end() + 1000]
        if (warned := _WARNED.search(anchor[0][:1000])) is not None:
            before = text[max(0, anchor.start() - 600) : anchor.start()]
            found += _read_warning(warned, before, following, Location(source, line))
        else:
            found += _read_line(anchor[0][:1000], following, Location(source, line))
        if len(found) >= most:
            break
    return found[:most]


def _read_line(line: str, following: str, at: Location) -> list[Check]:
    if "Outgoing connections are not available" in line:
        # The hosts stand behind the colon, or on the lines below.
        listed = line.partition(":")[2] + following.split("\n\n", maxsplit=1)[0]
        pairs = [(h, int(p)) for h, p in _LISTED.findall(listed) if 0 < int(p) < 65536]
        return [Check(h.lower(), p, passed=False, at=at) for h, p in pairs[:50]]
    if (computer := _COMPUTER.search(line)) is not None:
        return _read_record(computer[1], following, at)
    line = line.expandtabs()
    for grammar in (_NEW, _OLD, _LOOKUP, _REFUSED):
        match = next(iter(grammar.scan_string(line, max_matches=1)), None)
        if match is None:
            continue
        tokens, _, end = match
        port = int(tokens["port"]) if "port" in tokens else None
        if port is not None and not 0 < port < 65536:
            return []
        word = str(tokens["word"]).lower() if "word" in tokens else ""
        if grammar is not _REFUSED and not _is_result(word, line[end:]):
            return []
        if grammar is _NEW and not re.search("[.:]", str(tokens["host"])):
            return []
        return [Check(str(tokens["host"]).lower().rstrip("."), port, word in _SUCCESS, at)]
    return []


def _is_result(word: str, rest: str) -> bool:
    """Whether ``word`` tells how a check ended: not where the line was cut off in front of it, nor
    where it is one of a sentence."""
    return bool(word) and (word in _FAILURE or _GOES_ON.match(rest) is None)


def _read_record(host: str, following: str, at: Location) -> list[Check]:
    """A record of Test-NetConnection, which goes on until the next one begins."""
    record = following.partition("ComputerName")[0]
    number, tested = _TESTED_PORT.search(record), _TESTED.search(record)
    if number is None or tested is None or not 0 < int(number[1]) < 65536:
        return []
    address = _ADDRESS.search(record)
    return [
        Check(
            host.lower().rstrip("."),
            int(number[1]),
            tested[1] == "True",
            at,
            address[1] if address else None,
        )
    ]


def _read_warning(warned: re.Match[str], before: str, following: str, at: Location) -> list[Check]:
    """The warning of a failed test; a record that follows says the same and more."""
    address, port = warned[1], int(warned[2])
    record = following.partition("TCP connect to (")[0]
    whole = all(p.search(record) for p in (_LISTED_COMPUTER, _TESTED_PORT, _TESTED))
    if whole or not 0 < port < 65536:
        return []
    asked = _ASKED.findall(before)
    host = asked[-1].lower().rstrip(".") if asked else address
    return [Check(host, port, passed=False, at=at, address=address)]


def endpoints_of(checks: Sequence[Check]) -> tuple[Endpoint, ...]:
    """What the checks were about, so that it can be probed down to the certificate."""
    found: dict[tuple[str, int], Endpoint] = {}
    for check in checks:
        if check.port is None or (check.host, check.port) in found:
            continue
        facts = [Evidence("checker_target", f"{check.host}:{check.port}", str(check.at))]
        if not check.passed:
            facts.append(Evidence("checker_failed", _shown(check), str(check.at)))
        found[check.host, check.port] = endpoint_of(check.host, check.port, tuple(facts))
    return tuple(found.values())


def recognise_checks(checks: Sequence[Check]) -> tuple[Recognition, ...]:
    """What the checks make likely beside an error.

    All passed: a firewall that inspects TLS (KB 70285), which a TCP connection cannot show. Some
    failed: those ports. A checker proves neither.
    """
    if not checks:
        return ()
    failed = [c for c in checks if not c.passed]
    if failed:
        needed = [c for c in failed if c.port is None or _is_needed(c.host, c.port)]
        shown = tuple(Evidence("checker_failed", _shown(c), str(c.at)) for c in needed[:20])
        return _failed(shown, ports=any(c.port is not None for c in needed))
    counted = Evidence("checker_passed", f"{len(checks)} of {len(checks)}", str(checks[0].at))
    proof = Evidence("proving_command", proving_command(checks), "KB 70285")
    suspects = ("tls-intercepted",)
    return (Recognition(TABLE, "checker-all-ok", (counted, proof), suspects, wrapper=True),)


def recall_checks(endpoints: Sequence[Endpoint]) -> tuple[Recognition, ...]:
    """What failed, as the endpoints of a saved case without an error tell it."""
    needed = [e for e in endpoints if _is_needed(e.host, e.port)]
    shown = [f for e in needed for f in e.derivation if f.fact == "checker_failed"]
    return _failed(tuple(shown[:20]), ports=True)


def _failed(shown: tuple[Evidence, ...], *, ports: bool) -> tuple[Recognition, ...]:
    suspects = ("port-closed", "port-filtered") if ports else ("name-lookup-failed",)
    return (Recognition(TABLE, "checker-failed", shown, suspects, wrapper=True),) if shown else ()


def _is_needed(host: str, port: int) -> bool:
    """Whether an agent may need that port there: a printer's is nobody's fault."""
    return catalog.in_domain(host) or catalog.port_row(port) is not None


def _shown(check: Check) -> str:
    return check.host if check.port is None else f"{check.host}:{check.port}"


def proving_command(checks: Sequence[Check]) -> str:
    """The command that shows who issued the certificate: the storage port first."""
    ports = [c for c in checks if c.port is not None]
    storage = [c for c in ports if c.port == 44445]
    for check in (*storage, *ports):
        certificate = " -cert AGENT.crt" if check.port == 44445 else ""
        return f"openssl s_client -showcerts -connect {check.host}:{check.port}{certificate} 2>&1"
    return "openssl s_client -showcerts -connect HOST:PORT 2>&1"


def is_moved_by_checks(
    case: Case, categories: dict[str, Category], *, is_only: bool = True
) -> bool:
    """Whether checks say anything about a case: not where its cause is proven to be no network.

    Of several errors (not ``is_only``) only those that speak of a connection, by the catalogue or
    by an endpoint: a disk that is full beside a blocked port is not the port's doing.
    """
    if case.block is None:
        return False
    proven = [r for r in case.recognised if r.proven and not r.wrapper and r.suspects]
    if proven:
        return any(categories.get(s) in _NETWORK for s in proven[-1].suspects)
    suspects = {s for r in case.recognised for s in r.suspects}
    speaks_of_network = any(categories.get(s) in _NETWORK for s in suspects)
    return is_only or speaks_of_network or bool(case.endpoints)
