"""One run of the tool: read, diagnose, report, exit status. Options become values here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import diagnoser
from diagnoser import probing
from diagnoser.cli import explain_failure, say
from diagnoser.cli.delivery import check_targets, deliver
from diagnoser.cli.gathering import Gathering
from diagnoser.cli.greeting import language_of_environment
from diagnoser.cli.options import Settings
from diagnoser.cli.printing import READ_AS_TEXT, writable
from diagnoser.cli.scopes import scope_of
from diagnoser.cli.wildcards import expand
from diagnoser.deferral import pattern
from diagnoser.diagnosis import (
    Inquiry,
    Permission,
    diagnose,
    investigate,
    judge,
    open_check,
    ports_to_check,
)
from diagnoser.errors import (
    ExitStatus,
    UsageError,
)
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Case,
    Category,
    Diagnosis,
    ErrorBlock,
    Proxy,
    Report,
    Skipped,
    Standing,
    Vantage,
)

_MOST_TOLD = 10
_TARGET = pattern(r"(?P<host>\[[^\]]+\]|[^:\[\]\s/]+)(?::(?P<port>\d{1,5}))?")
_URL = pattern(r"(?P<scheme>https?)://(?:[^/?#@]*@)?(?P<target>[^/?#\s]+)", re.IGNORECASE)
_CREDENTIALS = pattern(r"//[^/?#]*@")
# An IPv6 address alone, which HOST:PORT would need in brackets.
_ADDRESS = pattern(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]{0,15}){2,8}(?:%\w{1,15})?")


def scan(paths: Sequence[str], settings: Settings) -> int:
    """Diagnose all errors of the given files (``-`` is stdin); returns the exit status."""
    paths = expand(paths, os.name)
    check_targets(settings, paths)
    inquiry = prepare(settings)
    gathering = Gathering(settings.ca_file, settings.language, scope_of(settings))
    for path in paths:
        gathering.read(path, quiet=settings.quiet)
        if gathering.interrupted:
            # Who pressed Ctrl-C wants what there is, and wants it now.
            inquiry = replace(inquiry, network=None, trust=None)
            break
    collected = gathering.collected()
    try:
        diagnoses = diagnose(gathering.errors(), inquiry, collected)
    except KeyboardInterrupt:
        gathering.skipped.append(Skipped("probes", "stopped by Ctrl-C: judged without them"))
        inquiry = replace(inquiry, network=None, trust=None)
        diagnoses = diagnose(gathering.errors(), inquiry, collected)
    blocks, skipped, faults = gathering.blocks, gathering.skipped, gathering.faults
    if diagnoses:
        skipped += [Skipped("input", str(f)) for f in faults]
    report = _report(diagnoses, inquiry.vantage, tuple(skipped))
    if not diagnoses:
        for fault in faults:
            explain_failure(fault)
        _tell_skipped(skipped)
        if settings.form == "json":
            _deliver(report, replace(settings, bundle=None), blocks)
        return next((f.status for f in faults), ExitStatus.NO_ERROR_BLOCK)
    _deliver(report, settings, blocks)
    return exit_status(diagnoses, settings)


def _tell_skipped(skipped: Sequence[Skipped]) -> None:
    """What was not read may hold the error that was not found; no report says it."""
    for one in skipped[:_MOST_TOLD]:
        say(f"diagnoser: left out: {one.source}: {one.reason}")
    if len(skipped) > _MOST_TOLD:
        say(f"diagnoser: left out: {len(skipped) - _MOST_TOLD} others; --format json lists all")


def check(
    targets: Sequence[str], server_name: str | None, settings: Settings, data_center: str | None
) -> int:
    """Probe the endpoints that the user named, or those of a data centre; the exit status."""
    if not targets and data_center is None:
        raise UsageError(
            "nothing to check", hint="name a HOST[:PORT], or a data centre: --data-center eu2"
        )
    from diagnoser.cli.data_centers import (  # noqa: PLC0415
        leave_out_guesses,
        open_data_center,
    )

    check_targets(settings)
    inquiry = prepare(settings)
    cases: list[Case] = []
    for target in targets:
        host, port = _host_and_port(target)
        ports = ports_to_check(host) if port is None else (port,)
        is_literal = ":" in host or host.replace(".", "").isdigit()
        cases.append(open_check(host, ports, server_name or (None if is_literal else host)))
    if data_center is not None:
        cases += open_data_center(data_center)
    probed, skipped = leave_out_guesses(investigate(cases, inquiry))
    diagnoses = tuple(judge(c) for c in probed)
    _deliver(_report(diagnoses, inquiry.vantage, skipped), settings, ())
    return exit_status(diagnoses, settings)


def demo(settings: Settings) -> int:
    """Run the samples through the pipeline against the built-in lab on loopback."""
    from diagnoser import lab  # noqa: PLC0415  (servers and key generation, for this command only)

    check_targets(settings)
    if not settings.quiet:
        say("demo: servers on 127.0.0.1 play Acronis, a firewall and a closed port; no internet")
    with lab.serve() as stage:
        inquiry = Inquiry(
            network=probing.RedirectedNetwork(probing.SystemNetwork(), stage.redirections),
            trust=stage.trust,
            credentials=stage.credentials,
            vantage=probing.system_vantage(),
        )
        blocks = [b for s in stage.samples for b in read_blocks(s.text, s.source).blocks]
        diagnoses = diagnose(blocks, inquiry)
    _deliver(_report(diagnoses, inquiry.vantage, ()), settings, ())
    return ExitStatus.NO_FAULT


def exit_status(diagnoses: Sequence[Diagnosis], settings: Settings) -> int:
    """1 if any case has a fault, else 3 if any is undecided, else 0."""
    if settings.exit_zero:
        return ExitStatus.NO_FAULT
    causes = [d.cause for d in diagnoses]
    if any(c is not None and c.category is not Category.NONE for c in causes):
        return ExitStatus.FAULT
    settled = all(c is not None and c.finding.standing is Standing.APPLIES for c in causes)
    return ExitStatus.NO_FAULT if settled else ExitStatus.UNDECIDED


def prepare(settings: Settings) -> Inquiry:
    """Options made into values; raises ``UsageError`` before anything is contacted."""
    vantage = probing.system_vantage()
    redirections = tuple(probing.parse_redirection(r) for r in settings.connect_to)
    credentials, proxy = _credentials(settings), _proxy(settings)
    if proxy is not None and proxy.source is not None and not settings.quiet:
        say(f"using the proxy {proxy} of {proxy.source} (--proxy none goes without)")
    allowed = [_allowed(name) for name in settings.allow]
    named = [*allowed, *(f"{r.host}:{r.port}" for r in redirections if r.host and r.port)]
    network, trust = None, None
    if not settings.offline:
        network = probing.RedirectedNetwork(probing.SystemNetwork(), redirections)
        trust = probing.Trust.load(settings.ca_file)
    return Inquiry(
        network=network,
        trust=trust,
        vantage=vantage,
        permission=Permission(frozenset(n.lower() for n in named), settings.allow_all),
        timeout=settings.timeout,
        proxy=proxy,
        credentials=credentials,
        again=settings.again,
    )


def _allowed(text: str) -> str:
    """HOST or HOST:PORT of ``--allow``; raises ``UsageError`` for what could never fit a host."""
    name = text.strip()
    if _ADDRESS.fullmatch(name) is None:
        _host_and_port(text, "--allow ")
    return name


def _host_and_port(text: str, command: str = "diagnoser check ") -> tuple[str, int | None]:
    match = _TARGET.fullmatch(text.strip())
    if match is None:
        url = _URL.match(text.strip())
        example = "eu-cloud.acronis.com:443"
        if url is not None and (wanted := _TARGET.fullmatch(url["target"])):
            port = wanted["port"] or ("80" if url["scheme"].lower() == "http" else "443")
            example = f"{wanted['host']}:{port}"
        raise UsageError(
            f"{_CREDENTIALS.sub('//', text)!r} is not HOST or HOST:PORT",
            hint=f"{'give' if url else 'for example'} {command}{example}",
        )
    return match["host"].strip("[]").lower(), _port(match["port"]) if match["port"] else None


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise UsageError(f"{text} is no port number", hint="a port is a number from 1 to 65535")
    return port


def _proxy(settings: Settings) -> Proxy | None:
    """The proxy that the user named, else the one that the agent on this machine uses."""
    if settings.proxy == "none" or (settings.proxy is None and settings.connect_to):
        return None
    if settings.proxy is None:
        return None if settings.offline else probing.find_proxy(os.environ)
    try:
        return probing.parse_proxy(settings.proxy)
    except probing.NoProxyAddress as error:
        # The text may hold a password, so it is not repeated.
        raise UsageError(
            "--proxy is not an HTTP proxy's address", hint="for example --proxy http://proxy:3128"
        ) from error


def _credentials(settings: Settings) -> probing.ClientCredentials | None:
    """The agent's certificate: the file that the user named, else the agent's own on this machine.

    It is presented to storage only, and the report says where it came from.
    """
    if settings.client_cert is not None:
        return probing.load_credentials(settings.client_cert, settings.client_key)
    if settings.client_key is not None:
        raise UsageError(
            "--client-key needs the certificate it belongs to", hint="add --client-cert FILE"
        )
    if settings.offline or settings.connect_to:
        return None
    return probing.find_credentials(probing.find_certificates())


def _report(
    diagnoses: Sequence[Diagnosis], vantage: Vantage, skipped: tuple[Skipped, ...]
) -> Report:
    return Report(diagnoser.__version__, datetime.now(UTC), vantage, tuple(diagnoses), skipped)


def language_of(settings: Settings, blocks: Sequence[ErrorBlock]) -> str:
    """``--lang``, else the language of the first block, else that of the environment."""
    if settings.language != "auto":
        return settings.language
    if blocks and blocks[0].language is not None:
        return blocks[0].language
    return language_of_environment()


def _deliver(report: Report, settings: Settings, blocks: Sequence[ErrorBlock]) -> None:
    language = language_of(settings, blocks)
    if settings.language == "auto" and settings.output is None and settings.form in READ_AS_TEXT:
        wanted, language = language, writable(language, sys.stdout)
        if wanted != language and not settings.quiet:
            say(f"this output has no letters for --lang {wanted}; --output FILE writes UTF-8")
    deliver(report, settings, language)
