"""Live visits to endpoints: resolve, connect, tunnel, handshake, verify, and two controls."""

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
from diagnoser.probing.rounds import probe, probe_all, run
from diagnoser.probing.transport import (
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    parse_redirection,
    system_vantage,
)
from diagnoser.probing.trust import Trust

__all__ = [
    "ClientCredentials",
    "NoProxyAddress",
    "RedirectedNetwork",
    "Redirection",
    "SystemNetwork",
    "Trust",
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
