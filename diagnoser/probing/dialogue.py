"""A connection and a handshake brought together: bytes carried to and fro until one has enough."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from diagnoser.model import Aftermath, Condition
from diagnoser.probing import records
from diagnoser.probing.handshake import Handshake, Progress

if TYPE_CHECKING:
    from diagnoser.model import Connection

RECEIVE = 65536


async def converse(connection: Connection, handshake: Handshake, early: bytes) -> Condition | None:
    """Exchange flights until the handshake ends; says how the connection ended, if it did."""
    out = handshake.start()
    data = early
    while True:
        try:
            if out:
                await connection.send(out)
        except OSError:
            # The peer has gone; what it said before that may still be there to read.
            with contextlib.suppress(OSError):
                handshake.feed(await connection.receive(RECEIVE))
            if handshake.progress is Progress.RUNNING:
                raise
        if handshake.progress is not Progress.RUNNING:
            return None
        data = data or await connection.receive(RECEIVE)
        if not data:
            return Condition.CONNECTION_CLOSED
        out, data = handshake.feed(data), b""


async def look_after(connection: Connection, handshake: Handshake, seconds: float) -> None:
    """Read after a finished handshake, so that its late answers (TLS 1.3) are heard."""
    try:
        async with asyncio.timeout(seconds):
            # A ticket may come before the answer to a certificate: then wait for the alert, too.
            while handshake.aftermath is None or (
                handshake.asked_for_certificate
                and handshake.aftermath in (Aftermath.TICKET, Aftermath.DATA)
            ):
                data = await connection.receive(RECEIVE)
                if not data:
                    handshake.note_end(Aftermath.CLOSED)
                    return
                if out := handshake.feed(data):
                    await connection.send(out)
                if handshake.is_oversized:
                    return
    except TimeoutError:
        handshake.note_end(Aftermath.SILENCE)
    except OSError:
        handshake.note_end(Aftermath.RESET)


async def hear_out(connection: Connection, handshake: Handshake, seconds: float) -> None:
    """The rest of a plain answer, as far as an excerpt needs it."""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(seconds):
            while handshake.bytes_received < records.EXCERPT:
                data = await connection.receive(RECEIVE)
                if not data:
                    return
                handshake.feed(data)
