"""When the first hello was cut or met silence: small variations of it, all at the same time.

Each changes one thing. Which of them gets an answer tells what on the way objects to what; a
variation that is answered is a proof, one that is not proves little. Where they speak of a filter
by name they are asked again: dead servers among several, and a path that loses at random, give the
same picture once in a while.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from diagnoser.model import Condition, Connection, Control, ControlResult
from diagnoser.probing import records
from diagnoser.probing.conditions import condition_of
from diagnoser.probing.contexts import Contexts, Hello, variant
from diagnoser.probing.controls import ask_nonsense_name, exchange
from diagnoser.probing.dialogue import RECEIVE
from diagnoser.probing.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from diagnoser.model import Endpoint, Talk
    from diagnoser.probing.controls import Opener

SECONDS = 1.5
# With the confirmation of what the second round shows.
WHOLE = 2.25

# The same question, and how often it is asked again.
_AGAIN = 2
# Half of a pool's servers down: twice each would give a sure verdict once in sixty visits.
_LARGE_AGAIN = 4
_LONGER = "probe."
_NAMING = frozenset({Control.SAME_AGAIN, Control.TLS_1_2_AT_MOST, Control.TLS_1_3_ONLY})
_NAMELESS = frozenset({Control.NONSENSE_NAME, Control.NO_NAME, Control.SPLIT_NAME})
_UNOPENED = frozenset(
    {
        Condition.CONNECTION_TIMED_OUT,
        Condition.CONNECTION_REFUSED,
        Condition.NETWORK_UNREACHABLE,
    }
)
_BETWEEN_SEGMENTS = 0.05
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"


async def ask_second_round(
    opener: Opener, endpoint: Endpoint, seconds: float
) -> tuple[ControlResult, ...]:
    """Ask all of them side by side; all of it ends within ``seconds``, a third of which are for the
    confirmation."""
    name = endpoint.server_name
    small = variant(Hello.USUAL)
    whole, seconds = seconds, seconds * SECONDS / WHOLE
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
    found = tuple(await asyncio.gather(*asked))
    if mark is None or name is None or not _tells_of_names(found):
        return found
    return await _confirm(found, opener, name, mark, whole - seconds)


def _tells_of_names(found: Iterable[ControlResult]) -> bool:
    """The name in one piece never gets through, and something without it does."""
    answered = {c.control for c in found if c.is_answered}
    return not answered & _NAMING and bool(answered & _NAMELESS)


async def _confirm(
    found: tuple[ControlResult, ...], opener: Opener, name: str, mark: bytes, seconds: float
) -> tuple[ControlResult, ...]:
    """The same once more, and a name below the host's: a filter by name or domain objects to that
    as well, where a balancer that has lost the server of this one name does not know it.

    Of several answers to a question the one that speaks against a filter stands.
    """
    small = variant(Hello.USUAL)
    split = _splitting(opener, mark)
    ways: dict[Control, Callable[[], Awaitable[ControlResult]]] = {
        Control.SAME_AGAIN: lambda: _ask(Control.SAME_AGAIN, opener, small, name, seconds),
        Control.NONSENSE_NAME: lambda: ask_nonsense_name(opener, small, seconds),
        Control.NO_NAME: lambda: _ask(Control.NO_NAME, opener, small, None, seconds),
        Control.SPLIT_NAME: lambda: _ask(Control.SPLIT_NAME, split, small, name, seconds),
    }
    answered = {c.control for c in found if c.is_answered}
    asked = [ways[c] for c in ways if c is Control.SAME_AGAIN or c in answered] * _AGAIN
    longer = _ask(Control.LONGER_NAME, opener, small, _LONGER + name, seconds)
    *again, last = await asyncio.gather(*(ask() for ask in asked), longer)
    against = {c.control: c for c in again if c.is_answered is (c.control is Control.SAME_AGAIN)}
    return (*(against.get(c.control, c) for c in found), last)


async def look_ahead(
    opener: Opener, endpoint: Endpoint, seconds: float
) -> tuple[ControlResult, ...]:
    """The hello that newer agents send: a post-quantum key share, two segments long.

    Where it is not answered it is sent again, four times, side by side with the usual one: only a
    path that always passes the one and always loses the other has anything against its size. Each
    takes at most ``seconds``.
    """
    name = endpoint.server_name
    large, usual = variant(Hello.LARGE), variant(Hello.USUAL)
    first = await _ask(Control.LARGE_HELLO, opener, large, name, seconds)
    if first.is_answered:
        return (first,)
    again = await asyncio.gather(
        *(_ask(Control.LARGE_HELLO, opener, large, name, seconds) for _ in range(_LARGE_AGAIN)),
        *(_ask(Control.SAME_AGAIN, opener, usual, name, seconds) for _ in range(_LARGE_AGAIN)),
    )
    tries = [first, *again[:_LARGE_AGAIN]]
    # What was never sent was not lost.
    unsent = (c for c in tries if c.condition in _UNOPENED)
    kept = next((c for c in tries if c.is_answered), next(unsent, tries[-1]))
    return kept, next((c for c in again[_LARGE_AGAIN:] if not c.is_answered), again[-1])


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
        if connection is None and limit.expired():
            condition = Condition.CONNECTION_TIMED_OUT
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

    async def carry(self, talk: Talk) -> bool:
        """As the connection underneath, what is said first in two parts."""
        # The connection keeps the error, and raises it when all that came before it was heard.
        with contextlib.suppress(OSError):
            await self.send(talk.begin())
        return await self._connection.carry(_Begun(talk))

    def abort(self) -> None:
        """As the connection underneath."""
        self._connection.abort()


class _Begun:
    """A talk whose first words have been said."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.hear = talk.hear

    @property
    def is_over(self) -> bool:
        """As the talk itself."""
        return self._talk.is_over

    @property
    def deadline(self) -> float:
        """As the talk itself."""
        return self._talk.deadline

    def begin(self) -> bytes:
        """Nothing more."""
        return b""
