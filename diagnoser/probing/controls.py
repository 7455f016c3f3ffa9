"""Extra exchanges that decide between explanations of the main one; few, small and bounded."""

from __future__ import annotations

import asyncio
import email.utils
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from diagnoser.deferral import pattern
from diagnoser.model import Condition, Connection, Control, ControlResult, Role
from diagnoser.probing.conditions import condition_of
from diagnoser.probing.dialogue import RECEIVE, converse
from diagnoser.probing.handshake import Handshake
from diagnoser.probing.records import sni_value
from diagnoser.tls_numbers import DATE_CODES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from diagnoser.model import Endpoint, TlsFacts
    from diagnoser.probing.contexts import Contexts

    # Opens a fresh connection to the same peer, through the same proxy; gives also what the proxy
    # sent behind its answer. Raises OSError, and nothing is left open then.
    Opener = Callable[[], Awaitable[tuple[Connection, bytes]]]

_HTTP_ROLES = (Role.MANAGEMENT, Role.REGISTRATION, Role.ACCOUNT, Role.DOWNLOAD)
_LARGEST_HEAD = 16 * 1024
_HEAD_END = pattern(rb"\r?\n\r?\n")
_DATE = pattern(rb"(?im)^date[ \t]*:[ \t]*([^\r\n]{1,64})\r?$")
_REQUEST = "HEAD / HTTP/1.1"


def nonsense_name() -> str:
    """A name that nobody has: random, under ``.invalid`` (RFC 6761 section 6.4)."""
    return f"probe-{secrets.token_hex(8)}.invalid"


async def ask_nonsense_name(opener: Opener, shared: Contexts, seconds: float) -> ControlResult:
    """Ask the same address for a name that cannot exist (``.invalid``, RFC 6761 section 6.4).

    A certificate for that very name can come only from a peer that makes certificates on demand.
    """
    name = nonsense_name()
    handshake = Handshake(shared, name)
    condition, _ = await exchange(opener, handshake, b"", seconds)
    facts = handshake.facts()
    handshake.close()
    detail = "" if facts.alert is None else str(facts.alert)
    return ControlResult(Control.NONSENSE_NAME, name, condition, detail, facts.end_entity)


async def ask_clock(
    opener: Opener, shared: Contexts, endpoint: Endpoint, seconds: float
) -> ControlResult:
    """Ask the server for its time: the ``Date`` of any HTTP answer (RFC 9110 section 6.6.1)."""
    handshake = Handshake(shared, endpoint.server_name)
    host = sni_value(endpoint.server_name) or b""
    request = b"%s\r\nHost: %s\r\nConnection: close\r\n\r\n" % (_REQUEST.encode("ascii"), host)
    condition, head = await exchange(opener, handshake, request, seconds)
    handshake.close()
    answered_at = date_of(head)
    return ControlResult(
        Control.SERVER_CLOCK,
        _REQUEST,
        condition,
        "" if answered_at else "no Date in the answer",
        answered_at=answered_at,
    )


def wants_clock(endpoint: Endpoint, tls: TlsFacts) -> bool:
    """Dates are in doubt, and the role is one that answers HTTP."""
    in_doubt = any(v.code in DATE_CODES for v in tls.verify)
    return endpoint.role in _HTTP_ROLES and in_doubt


def date_of(head: bytes) -> datetime | None:
    """The time an HTTP answer's ``Date`` field gives, in UTC; ``None`` without a readable one."""
    found = _DATE.search(head) if head.startswith(b"HTTP/1.") else None
    if found is None:
        return None
    try:
        told = email.utils.parsedate_to_datetime(found.group(1).decode("ascii").strip())
    except (ValueError, TypeError, OverflowError):
        return None
    try:
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except OverflowError:
        return None


async def exchange(
    opener: Opener, handshake: Handshake, request: bytes, seconds: float
) -> tuple[Condition, bytes]:
    """One handshake on a connection of its own, and the head of the answer to ``request``.

    How it ended: met, a fatal alert, or how the connection broke; never raises.
    """
    connection: Connection | None = None
    head = b""
    try:
        async with asyncio.timeout(seconds) as limit:
            connection, early = await opener()
            end = await converse(connection, handshake, early)
            if handshake.is_finished and request:
                head = await _ask(connection, handshake, request)
    except OSError as error:
        if handshake.is_finished:
            return Condition.MET, handshake.taken()
        if not limit.expired():
            return condition_of(error), b""
        # Of a connection that did not open the hello was never sent: it proves nothing of hellos.
        unsent = connection is None
        return (Condition.CONNECTION_TIMED_OUT if unsent else Condition.HANDSHAKE_TIMED_OUT), b""
    finally:
        if connection is not None:
            connection.abort()
    if handshake.is_finished:
        return Condition.MET, head
    if handshake.alert is not None:
        return Condition.FATAL_ALERT, head
    return end or Condition.UNCLASSIFIED, head


async def _ask(connection: Connection, handshake: Handshake, request: bytes) -> bytes:
    await connection.send(handshake.send(request))
    head = b""
    while len(head) < _LARGEST_HEAD and not _HEAD_END.search(head):
        data = await connection.receive(RECEIVE)
        if not data:
            break
        handshake.feed(data)
        head += handshake.taken()
        if handshake.alert is not None or handshake.is_oversized:
            break
    return head[:_LARGEST_HEAD]
