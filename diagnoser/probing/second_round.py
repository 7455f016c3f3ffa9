"""When the first hello was cut or met silence: small variations of it, all at the same time.

Each changes one thing. Which of them gets an answer tells what on the way objects to what; a
variation that is answered is a proof, one that is not proves little.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from diagnoser.model import Condition, Connection, Control, ControlResult
from diagnoser.probing import records
from diagnoser.probing.conditions import condition_of
from diagnoser.probing.contexts import Contexts, Hello, variant
from diagnoser.probing.controls import ask_nonsense_name, exchange
from diagnoser.probing.dialogue import RECEIVE
from diagnoser.probing.handshake import Handshake

if TYPE_CHECKING:
    from diagnoser.model import Endpoint
    from diagnoser.probing.controls import Opener

SECONDS = 1.5

_BETWEEN_SEGMENTS = 0.05
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"


async def ask_second_round(
    opener: Opener, endpoint: Endpoint, seconds: float
) -> tuple[ControlResult, ...]:
    """Ask all of them side by side; each ends within ``seconds``."""
    name = endpoint.server_name
    small = variant(Hello.USUAL)
    asked = [
        ask_silence(opener, seconds),
        _ask(Control.SAME_AGAIN, opener, small, name, seconds),
        ask_nonsense_name(opener, small, seconds),
        _ask(Control.TLS_1_2_AT_MOST, opener, variant(Hello.TLS_1_2), name, seconds),
        _ask(Control.TLS_1_3_ONLY, opener, variant(Hello.TLS_1_3), name, seconds),
        ask_plain(opener, seconds),
    ]
    mark = records.sni_value(name)
    if mark is not None:
        asked.append(_ask(Control.NO_NAME, opener, small, None, seconds))
        split = _splitting(opener, mark)
        asked.append(_ask(Control.SPLIT_NAME, split, small, name, seconds))
    return tuple(await asyncio.gather(*asked))


async def look_ahead(
    opener: Opener, endpoint: Endpoint, seconds: float
) -> tuple[ControlResult, ...]:
    """The hello that newer agents send: a post-quantum key share, two segments long.

    Where it is not answered it is sent again, side by side with the usual one: only a path that
    passes the one and loses the other twice has anything against its size. Each takes at most
    ``seconds``.
    """
    name = endpoint.server_name
    large, usual = variant(Hello.LARGE), variant(Hello.USUAL)
    first = await _ask(Control.LARGE_HELLO, opener, large, name, seconds)
    if first.is_answered:
        return (first,)
    again = _ask(Control.LARGE_HELLO, opener, large, name, seconds)
    return tuple(
        await asyncio.gather(again, _ask(Control.SAME_AGAIN, opener, usual, name, seconds))
    )


async def ask_silence(opener: Opener, seconds: float) -> ControlResult:
    """Open a connection and say nothing: a TLS server waits, a broken one hangs up."""
    connection: Connection | None = None
    said = b""
    try:
        async with asyncio.timeout(seconds) as limit:
            connection, said = await opener()
            said = said or await connection.receive(RECEIVE)
    except OSError as error:
        condition = Condition.MET if limit.expired() else condition_of(error)
        if connection is None and limit.expired():
            condition = Condition.CONNECTION_TIMED_OUT
    else:
        condition = Condition.NOT_TLS if said else Condition.CONNECTION_CLOSED
    finally:
        if connection is not None:
            connection.abort()
    return ControlResult(Control.SILENCE, "", condition, records.printable(said))


async def ask_plain(opener: Opener, seconds: float) -> ControlResult:
    """Plain HTTP on the same port: do bytes that are no TLS get an answer?"""
    connection: Connection | None = None
    heard = b""
    try:
        async with asyncio.timeout(seconds) as limit:
            connection, heard = await opener()
            await connection.send(_REQUEST)
            heard = heard or await connection.receive(RECEIVE)
    except OSError as error:
        condition = Condition.HANDSHAKE_TIMED_OUT if limit.expired() else condition_of(error)
    else:
        condition = Condition.MET if heard else Condition.CONNECTION_CLOSED
    finally:
        if connection is not None:
            connection.abort()
    return ControlResult(
        Control.PLAIN_HTTP,
        _REQUEST.decode("ascii").strip(),
        condition,
        records.printable(heard),
    )


async def _ask(
    control: Control, opener: Opener, shared: Contexts, name: str | None, seconds: float
) -> ControlResult:
    handshake = Handshake(shared, name)
    condition, _ = await exchange(opener, handshake, b"", seconds)
    facts = handshake.facts()
    handshake.close()
    told = [] if facts.alert is None else [str(facts.alert)]
    told.append(f"{facts.bytes_sent} bytes sent, {facts.bytes_received} received")
    return ControlResult(control, name or "", condition, ", ".join(told), facts.end_entity)


def _splitting(opener: Opener, mark: bytes) -> Opener:
    """The same way out, with the first message cut into two segments inside ``mark``."""

    async def open_split() -> tuple[Connection, bytes]:
        connection, early = await opener()
        return _Split(connection, mark), early

    return open_split


class _Split:
    """A connection that sends the bytes up to the middle of ``mark``, waits, and sends the rest."""

    def __init__(self, connection: Connection, mark: bytes) -> None:
        self._connection, self._mark = connection, mark

    async def send(self, data: bytes) -> None:
        """As the connection underneath, in two parts where the mark stands in the data."""
        place = data.find(self._mark)
        if place >= 0:
            cut = place + len(self._mark) // 2
            await self._connection.send(data[:cut])
            await asyncio.sleep(_BETWEEN_SEGMENTS)
            data = data[cut:]
        await self._connection.send(data)

    async def receive(self, limit: int) -> bytes:
        """As the connection underneath."""
        return await self._connection.receive(limit)

    def abort(self) -> None:
        """As the connection underneath."""
        self._connection.abort()
