"""A handshake as something that a connection can carry, and what is heard after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from diagnoser.model import Aftermath, Condition
from diagnoser.probing import records
from diagnoser.probing.conditions import condition_of, number_of
from diagnoser.probing.handshake import Handshake, Progress

if TYPE_CHECKING:
    from diagnoser.model import Connection

RECEIVE = 65536

_LONGEST_EXCERPT = 0.5


class Dialogue:
    """A handshake and nothing else, without a deadline: over as soon as it has ended in some way.

    ``early`` is what had come before the connection was handed over.
    """

    def __init__(self, handshake: Handshake, early: bytes = b"") -> None:
        self.handshake = handshake
        self.is_over = False
        self.deadline = math.inf
        self._early = early

    def begin(self) -> bytes:
        """The ClientHello."""
        hello = self.handshake.start()
        return hello + self.hear(self._early) if self._early else hello

    def hear(self, data: bytes) -> bytes:
        """Feed the handshake."""
        answer = self.handshake.feed(data)
        self.is_over = self.handshake.progress is not Progress.RUNNING
        return answer


async def converse(connection: Connection, handshake: Handshake, early: bytes) -> Condition | None:
    """Exchange flights until the handshake ends; says how the connection ended, if it did."""
    ended = await connection.carry(Dialogue(handshake, early))
    return None if ended else Condition.CONNECTION_CLOSED


@dataclass(frozen=True, slots=True)
class Ending:
    """How a handshake ended for the connection: the seconds it took; a condition and the error's
    number only where it was the connection that ended."""

    seconds: float
    condition: Condition | None = None
    number: int | None = None


async def hear_out(
    connection: Connection,
    handshake: Handshake,
    early: bytes,
    *,
    seconds: float,
    look: float,
    overall: float,
) -> Ending:
    """A handshake, and what the peer says of it afterwards.

    TLS 1.3 refuses a client certificate only then (RFC 8446 section 4.4.2.4); a write at that point
    can meet a reset that takes the unread alert along (measured), so nothing is written.
    ``seconds`` bound the handshake, ``look`` the listening, ``overall`` both together.
    """
    begun = monotonic()
    talk = _Patient(handshake, early, look, begun + min(seconds, overall), begun + overall)
    condition: Condition | None = None
    number: int | None = None
    after: Aftermath | None = None
    try:
        if not await connection.carry(talk):
            condition, after = Condition.CONNECTION_CLOSED, Aftermath.CLOSED
    except OSError as error:
        # What the network itself gave up has a number.
        if isinstance(error, TimeoutError) and error.errno is None:
            condition, after = Condition.HANDSHAKE_TIMED_OUT, Aftermath.SILENCE
        else:
            condition, after = condition_of(error), Aftermath.RESET
            number = number_of(error)
    if talk.ended is None:
        return Ending(monotonic() - begun, condition, number)
    if after is not None and handshake.is_finished:
        handshake.note_end(after)
    return Ending(talk.ended - begun)


class _Patient(Dialogue):
    """A handshake that is listened to for a while after it has ended."""

    def __init__(
        self, handshake: Handshake, early: bytes, look: float, deadline: float, latest: float
    ) -> None:
        super().__init__(handshake, early)
        self.deadline = deadline
        self._look, self._latest = look, latest
        self.ended: float | None = None

    def hear(self, data: bytes) -> bytes:
        """Feed the handshake, and what comes after it."""
        answer = self.handshake.feed(data)
        if self.handshake.progress is not Progress.RUNNING:
            self.is_over = not self._wants_more()
            if self.ended is None:
                self.ended = monotonic()
                longest = self._look if self.handshake.is_finished else _LONGEST_EXCERPT
                self.deadline = min(self.ended + longest, self._latest)
        return answer

    def _wants_more(self) -> bool:
        shaken = self.handshake
        if shaken.progress is Progress.NOT_TLS:
            # The rest of a plain answer, as far as an excerpt needs it.
            return shaken.bytes_received < records.EXCERPT
        if not shaken.is_finished or not shaken.can_be_refused_late or shaken.is_oversized:
            return False
        # A ticket may come before the answer to a certificate: then wait for the alert, too.
        return shaken.aftermath is None or (
            shaken.asked_for_certificate and shaken.aftermath in (Aftermath.TICKET, Aftermath.DATA)
        )
