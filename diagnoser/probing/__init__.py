"""Live visits to endpoints: resolve, connect, tunnel, handshake, verify, and controls in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnoser.deferral import defer

if TYPE_CHECKING:
    from diagnoser.probing.agent_settings import (
        NoProxyAddress,
        find_certificates,
        find_proxy,
        parse_proxy,
    )
    from diagnoser.probing.credentials import (
        ClientCredentials,
        find_credentials,
        load_credentials,
    )
    from diagnoser.probing.crowds import ask_alone
    from diagnoser.probing.redirections import RedirectedNetwork, Redirection, parse_redirection
    from diagnoser.probing.rounds import probe, probe_all, run
    from diagnoser.probing.transport import SystemNetwork
    from diagnoser.probing.trust import Trust
    from diagnoser.probing.vantages import system_vantage
else:
    _MODULES = {
        "agent_settings": ("NoProxyAddress", "find_certificates", "find_proxy", "parse_proxy"),
        "credentials": ("ClientCredentials", "find_credentials", "load_credentials"),
        "crowds": ("ask_alone",),
        "redirections": ("RedirectedNetwork", "Redirection", "parse_redirection"),
        "rounds": ("probe", "probe_all", "run"),
        "transport": ("SystemNetwork",),
        "trust": ("Trust",),
        "vantages": ("system_vantage",),
    }
    __getattr__ = defer(
        __name__, {name: module for module, names in _MODULES.items() for name in names}
    )

__all__ = [
    "ClientCredentials",
    "NoProxyAddress",
    "RedirectedNetwork",
    "Redirection",
    "SystemNetwork",
    "Trust",
    "ask_alone",
    "find_certificates",
    "find_credentials",
    "find_proxy",
    "load_credentials",
    "parse_proxy",
    "parse_redirection",
    "probe",
    "probe_all",
    "run",
    "system_vantage",
]
