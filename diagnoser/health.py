"""Whether an endpoint works as its role should, as far as observations of it can tell.

"The network is fine" sends somebody away from the network for good: so whatever was not seen to
its end, or only once of two times, leaves it open.
"""

from __future__ import annotations

from collections.abc import Sequence

from diagnoser.model import (
    Aftermath,
    Condition,
    Control,
    Origin,
    ProbeResult,
    Role,
    Stage,
    TlsFacts,
    Transport,
    TrustStore,
    with_own_name,
)
from diagnoser.scrutiny import scrutinise, weaknesses

# How a connection ends that was not let through.
_CUT = frozenset(
    {Condition.CONNECTION_RESET, Condition.CONNECTION_CLOSED, Condition.HANDSHAKE_TIMED_OUT}
)
OLD_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1")
_WRONG_PURPOSE = 26  # X509_V_ERR_INVALID_PURPOSE: the certificate is not for servers.


def is_healthy(probe: ProbeResult) -> bool | None:
    """Whether this endpoint works as its role should; ``None`` where that cannot be told.

    Of a port that speaks no TLS nothing is known but that it opens: a proxy on the way opens it
    as well. Storage that refuses a probe which had no client certificate to show has done what it
    should.
    """
    return None if _ends_unseen(probe) else _works(probe)


def opens(probe: ProbeResult) -> bool:
    """A port that speaks no TLS opens, and who opened it did not hang up at once."""
    without_tls = probe.endpoint.transport is Transport.TCP
    return without_tls and is_healthy(probe) is None and not _ends_unseen(probe)


def are_healthy(probes: Sequence[ProbeResult]) -> bool | None:
    """Whether all endpoints of a case work; ``None`` where that cannot be told.

    Ports without TLS need only open, if the service has shown itself genuine at another.
    """
    telling = with_own_name(probes)
    states = [is_healthy(p) for p in telling]
    if any(s is False for s in states):
        return False
    proven = all(s or opens(p) for s, p in zip(states, telling, strict=True))
    return True if proven and any(states) else None


def hangs_up_unasked(probe: ProbeResult) -> bool:
    """The peer ended even a connection on which nothing was said."""
    silence = probe.control(Control.SILENCE)
    cut = (Condition.CONNECTION_RESET, Condition.CONNECTION_CLOSED)
    return silence is not None and silence.condition in cut


def hangs_up_on_certificate(probe: ProbeResult) -> bool:
    """The peer asked for the agent's certificate, got it, and cut the connection without a word.

    In TLS 1.3 that comes after a finished handshake, in TLS 1.2 before its end.
    """
    tls = probe.tls
    if tls is None or not tls.client_certificate_sent or not tls.received_chain:
        return False
    ended = probe.stage(Stage.HANDSHAKE).condition
    late = ended is Condition.MET and tls.aftermath in (Aftermath.CLOSED, Aftermath.RESET)
    return late or ended in (Condition.CONNECTION_CLOSED, Condition.CONNECTION_RESET)


def answers_by_turns(probe: ProbeResult) -> bool:
    """The very same hello was answered one time and cut the other: one server of several is ill,
    or something on the way is."""
    again = probe.control(Control.SAME_AGAIN)
    if again is None:
        return False
    ends = (probe.stage(Stage.HANDSHAKE).condition, again.condition)
    return Condition.MET in ends and not _CUT.isdisjoint(ends)


def _ends_unseen(probe: ProbeResult) -> bool:
    """A capture or text does not show how a stage ended, or of whom, or hides the certificate (TLS
    1.3)."""
    if probe.is_assumed or probe.asks_otherwise:
        return True
    if probe.origin is Origin.LIVE:
        return False
    seen = (Stage.CONNECT, Stage.TUNNEL, Stage.HANDSHAKE)
    if any(probe.stage(s).condition is Condition.UNCLASSIFIED for s in seen):
        return True
    met = probe.stage(Stage.HANDSHAKE).condition is Condition.MET
    tls = probe.tls
    if tls is not None and tls.narrowed_by is not None:
        # How the peer answers a whole hello is not in the text.
        return not met or tls.version in OLD_VERSIONS or not tls.received_chain
    return met and (tls is None or not tls.received_chain)


def _works(probe: ProbeResult) -> bool | None:
    connect, handshake = probe.stage(Stage.CONNECT), probe.stage(Stage.HANDSHAKE)
    tunnel = probe.stage(Stage.TUNNEL)
    if any(s.condition is not Condition.MET for s in (connect, tunnel)):
        return False
    if probe.endpoint.transport is Transport.TCP:
        return False if hangs_up_unasked(probe) else None
    seen = scrutinise(probe)
    if seen is None or probe.tls is None:
        return False
    if probe.tls.ocsp == "revoked" or probe.tls.version in OLD_VERSIONS:
        return False
    if _is_for_clients(probe, probe.tls):
        return False
    unasked = (
        handshake.condition is Condition.CLIENT_CERTIFICATE_REFUSED
        and probe.endpoint.client_certificate
        and not probe.tls.client_certificate_sent
    )
    if handshake.condition is not Condition.MET and not unasked:
        return False
    if answers_by_turns(probe) or hangs_up_on_certificate(probe):
        return None
    leaf = seen.leaf
    if leaf.not_before is None or leaf.not_after is None or not seen.is_genuine:
        return None if seen.is_genuine is None or seen.is_genuine else False
    if not leaf.not_before <= probe.at <= leaf.not_after:
        return False
    if seen.is_anchored or seen.role.id is Role.STORAGE:
        return True
    system = probe.tls.verified_by(TrustStore.SYSTEM)
    public = probe.tls.verified_by(TrustStore.MOZILLA)
    if public is None or public.code != 0:
        return False
    if weaknesses(probe.tls):
        # What the agent's own library demands is not known.
        return None
    return True if system is None or system.code == 0 else None


def _is_for_clients(probe: ProbeResult, tls: TlsFacts) -> bool:
    """The end-entity certificate may not serve; that of storage has rules of its own."""
    if probe.endpoint.role is Role.STORAGE:
        return False
    return any(v.code == _WRONG_PURPOSE and not v.depth for v in (*tls.verify, *tls.verify_errors))
