"""A ``Test-NetConnection`` that failed, as a probe: TCP did not open, and nobody says why.

The property ``TcpTestSucceeded`` is all that it tells of a refusal, of silence and of a network
that is not reachable alike (learn.microsoft.com, Test-NetConnection). That it succeeded says
nothing of TLS and stays a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from diagnoser.evidence.checkers import Check, endpoints_of
from diagnoser.model import (
    AddressResult,
    Condition,
    Origin,
    ProbeResult,
    Stage,
    StageResult,
)

# That it failed has a number only so that it is told from a connection that was not tried.
_NOT_SUCCEEDED = 0


def read_unopened(checks: Sequence[Check], at: datetime) -> tuple[ProbeResult, ...]:
    """A probe for each of ``checks`` that failed at an address which it names, each once.

    What passed another time is open now and then; of that a check tells too little.
    """
    failed = {(c.host, c.port): c for c in checks if c.address is not None and not c.passed}
    passed = {(c.host, c.port) for c in checks if c.passed}
    return tuple(_probe(check, at) for key, check in failed.items() if key not in passed)


def _probe(check: Check, at: datetime) -> ProbeResult:
    (endpoint,) = endpoints_of((check,))
    told = "TcpTestSucceeded: False; the reason is not told"
    ended = (
        StageResult(Stage.RESOLVE, Condition.MET),
        StageResult(Stage.CONNECT, Condition.UNCLASSIFIED, told, error=_NOT_SUCCEEDED),
        *(StageResult(s, Condition.NOT_REACHED) for s in tuple(Stage)[2:]),
    )
    tried = AddressResult(
        check.address or check.host, endpoint.port, Condition.UNCLASSIFIED, None, _NOT_SUCCEEDED
    )
    return ProbeResult(
        endpoint=endpoint,
        stages=ended,
        at=at,
        vantage=f"where {check.at.source} was made",
        origin=Origin.TRANSCRIPT,
        addresses=(tried,),
    )
