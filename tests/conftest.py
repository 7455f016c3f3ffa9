"""What every test gets: no way out of this machine, a fixed clock, and trust in invented roots."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pki
import pytest
from hypothesis import settings

from diagnoser.model import Endpoint, Role, Transport
from diagnoser.probing import Trust

# How long an example takes is the machine's doing: time is measured by benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class WayOutClosed(OSError):
    """A test tried to reach something beyond the loopback interface."""


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return any(address in n for n in _NETWORKS if n.version == address.version)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets of this process reach the loopback interface and nothing else; nor do names."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    look_up = socket.getaddrinfo

    def check(pipe: socket.socket, address: Any) -> None:
        if pipe.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise WayOutClosed(f"a test connects to {address!r}")

    def guarded_connect(pipe: socket.socket, address: Any) -> None:
        check(pipe, address)
        connect(pipe, address)

    def guarded_connect_ex(pipe: socket.socket, address: Any) -> int:
        check(pipe, address)
        return connect_ex(pipe, address)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        if not _is_here(host):
            raise WayOutClosed(f"a test resolves {host!r}")
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture(scope="session")
def trust() -> Trust:
    """A machine and a Mozilla bundle that trust one invented public root; no role anchors."""
    return Trust(pki.public_root().pem, pki.public_root().pem, None)


@pytest.fixture(scope="session")
def storage_trust() -> Trust:
    """As ``trust``, with Acronis' storage CA as the role's anchor."""
    return Trust(pki.public_root().pem, pki.public_root().pem, pki.storage_authority().pem)


@pytest.fixture
def endpoint() -> Callable[..., Endpoint]:
    """Makes an endpoint; a management one on 8443 unless told otherwise."""

    def make(
        host: str = pki.HOST,
        port: int = 8443,
        role: Role = Role.MANAGEMENT,
        *,
        server_name: str | None = pki.HOST,
        client_certificate: bool = False,
        transport: Transport = Transport.TLS,
    ) -> Endpoint:
        return Endpoint(host, port, role, server_name, client_certificate, transport)

    return make
