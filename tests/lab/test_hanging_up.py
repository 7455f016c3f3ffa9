"""Storage that refuses an agent's certificate without a word: no alert, the connection just ends."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace

import pki
import pytest
from situations import Answer
from tls_peers import NGINX, OPENSSL, STORAGE, Servers, Visit, answer_all, presenting, servers

from diagnoser.model import Condition, Stage, Standing

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="needs nginx and openssl"),
]

WAYS = ("TLSv1.2 close", "TLSv1.2 reset", "TLSv1.3 close", "TLSv1.3 reset")


def cut_after_the_first_flight(inner: str, outer: str, *, reset: bool) -> None:
    """Serve ``outer`` with what ``inner`` answers to a hello; the client's own flight ends it."""
    listening = socket.create_server(_place(outer))

    def serve(near: socket.socket) -> None:
        with near, socket.create_connection(_place(inner)) as far, contextlib.suppress(OSError):
            far.sendall(near.recv(65536))
            # Until the server waits: its flight may come in several segments.
            far.settimeout(0.15)
            with contextlib.suppress(TimeoutError):
                while data := far.recv(65536):
                    near.sendall(data)
            near.recv(65536)
            if reset:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def accept() -> None:
        with listening, contextlib.suppress(TimeoutError):
            listening.settimeout(10)
            while True:
                near, _ = listening.accept()
                near.settimeout(5)
                threading.Thread(target=serve, args=(near,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _place(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address, int(port)


def _asking(place: Servers, version: str) -> str:
    agents = place.write("agents.pem", pki.client_authority().pem)
    return place.nginx(
        pki.storage(), ssl_protocols=version, ssl_verify_client="optional_no_ca",
        ssl_client_certificate=str(agents),
    )  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """All ways to hang up, met by an agent that shows its certificate."""
    with servers(tmp_path_factory, "hanging-up") as place:
        places = {way: (_asking(place, way.split()[0]), place.place()) for way in WAYS}
        place.begin(*(inner for inner, _ in places.values()))
        for way, (inner, outer) in places.items():
            cut_after_the_first_flight(inner, outer, reset=way.endswith("reset"))
        visit = Visit(host=STORAGE, port=44445, shown=presenting(pki.client()))
        made = answer_all([replace(visit, at=outer) for _, outer in places.values()])
        yield dict(zip(WAYS, made, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_no_firewall_is_blamed_and_nothing_is_called_healthy(
    answers: dict[str, Answer], way: str
) -> None:
    answer = answers[way]
    tls, cause = answer.probe.tls, answer.diagnosis.cause
    assert tls is not None
    assert (tls.version, tls.client_certificate_sent) == (way.split(maxsplit=1)[0], True)
    ended = answer.probe.stage(Stage.HANDSHAKE).condition
    cut = Condition.CONNECTION_RESET if way.endswith("reset") else Condition.CONNECTION_CLOSED
    assert ended is (Condition.MET if way.startswith("TLSv1.3") else cut)
    assert cause is not None
    assert (cause.rule, cause.finding.standing) == (
        "client-certificate-refused",
        Standing.SUSPECTED,
    )
    assert answer.facts("client-certificate-refused")["hung_up_on_certificate"] == "yes"
    assert answer.finding("handshake-blocked").standing in (
        Standing.UNDECIDED,
        Standing.RULED_OUT,
    )
