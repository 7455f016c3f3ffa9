"""Live visits to endpoints: resolve, connect, tunnel, handshake, verify, and two controls."""

from diagnoser.probing.credentials import ClientCredentials, load_credentials
from diagnoser.probing.transport import (
    RedirectedNetwork,
    Redirection,
    SystemNetwork,
    parse_redirection,
    system_vantage,
)
from diagnoser.probing.trust import Trust
from diagnoser.probing.visit import probe, probe_all, run

__all__ = [
    "ClientCredentials",
    "RedirectedNetwork",
    "Redirection",
    "SystemNetwork",
    "Trust",
    "load_credentials",
    "parse_redirection",
    "probe",
    "probe_all",
    "run",
    "system_vantage",
]
