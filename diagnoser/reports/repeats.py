"""The commands that repeat the probes of a case by hand, as its reader's system has them."""

from __future__ import annotations

import shlex

from diagnoser.model import (
    Address,
    AddressResult,
    Condition,
    Diagnosis,
    Endpoint,
    Origin,
    ProbeResult,
    Transport,
    Vantage,
)
from diagnoser.reports.unnamed import target_of


def repeat_by_hand(diagnosis: Diagnosis, vantage: Vantage) -> tuple[str, ...]:
    """A command for each endpoint of the case, to be given where the report is made."""
    probes = {p.endpoint.key: p for p in diagnosis.case.probes}
    on_windows = vantage.system.startswith("Windows")
    return tuple(
        command(e, probes.get(e.key), on_windows=on_windows) for e in diagnosis.case.endpoints
    )


def command(
    endpoint: Endpoint, probe: ProbeResult | None = None, *, on_windows: bool = False
) -> str:
    """The command that repeats the probe of one endpoint by hand (KB 70285).

    With ``probe``, where that went: the user may have led the connection elsewhere. Windows has no
    ``nc``; its PowerShell opens a connection with a command of its own.
    """
    led = None if probe is None else _led_to(probe)
    target = shlex.quote(
        target_of(endpoint) if led is None else str(Address(led.address, led.port))
    )
    if endpoint.transport is Transport.TCP:
        host, port = (endpoint.host, endpoint.port) if led is None else (led.address, led.port)
        if on_windows:
            return f"Test-NetConnection {shlex.quote(host)} -Port {port}"
        return f"nc -vz {shlex.quote(host)} {port}"
    parts = ["openssl s_client -showcerts -connect", target]
    if endpoint.server_name is not None:
        parts += ["-servername", shlex.quote(endpoint.server_name)]
    if endpoint.client_certificate:
        parts += ["-cert", "AGENT.crt"]
    return " ".join(parts)


def _led_to(probe: ProbeResult) -> AddressResult | None:
    """The address that ``--connect-to`` gave in place of the host's own; ``None`` for none.

    What was not looked up was led there, unless the host is an address itself.
    """
    if probe.origin is not Origin.LIVE or probe.proxy is not None or probe.lookup is not None:
        return None
    endpoint = probe.endpoint
    met = [a for a in probe.addresses if a.condition is Condition.MET] or probe.addresses
    chosen = next(iter(met), None)
    if chosen is None or (chosen.address, chosen.port) == (endpoint.host, endpoint.port):
        return None
    return chosen
