"""What works today and will not tomorrow: the larger ClientHello that newer TLS libraries send."""

from __future__ import annotations

from diagnoser.model import (
    Category,
    Condition,
    Control,
    Finding,
    ProbeResult,
    Stage,
    Standing,
    Transport,
)
from diagnoser.reasoning import fact, met_facts, probe_rule

# The connection did not open: the hello was never sent.
_UNSENT = (
    Condition.CONNECTION_TIMED_OUT,
    Condition.CONNECTION_REFUSED,
    Condition.NETWORK_UNREACHABLE,
)
# A refusal in TLS is an answer: the hello arrived.
_LOST = (
    Condition.HANDSHAKE_TIMED_OUT,
    Condition.CONNECTION_RESET,
    Condition.CONNECTION_CLOSED,
)


@probe_rule(Category.PROTOCOL)
def large_hello_lost(probe: ProbeResult) -> Finding:
    """The usual ClientHello is answered; a larger one, two segments long, is lost or cut.

    Decided by: a hello with a post-quantum key share (X25519MLKEM768, about 1560 bytes) never got
    an answer, while the usual one (about 350 bytes) always did, before and at the same time.
    Undecided where a connection for it did not even open.
    Agents and browsers whose TLS library sends the large hello (OpenSSL 3.5 and later) fail there.
    Not to be confused with: a usual hello that gets no answer, ``handshake-stalled``.
    """
    if probe.endpoint.transport is Transport.TCP:
        return Finding(Standing.RULED_OUT, (fact(probe, Stage.CONNECT, "transport", "tcp"),))
    large = probe.control(Control.LARGE_HELLO)
    if large is None:
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    shown = (
        fact(probe, Stage.HANDSHAKE, "host", probe.endpoint.host),
        fact(probe, Stage.HANDSHAKE, "port", probe.endpoint.port),
        fact(probe, Stage.HANDSHAKE, "large_hello", large.condition.value),
    )
    if large.condition in _UNSENT:
        return Finding(Standing.UNDECIDED, shown)
    if large.is_answered or large.condition not in _LOST:
        return Finding(Standing.RULED_OUT, shown)
    usual = probe.control(Control.SAME_AGAIN)
    if usual is None or not usual.is_answered:
        return Finding(Standing.UNDECIDED, shown)
    return Finding(Standing.APPLIES, shown)


RULES = (large_hello_lost,)
