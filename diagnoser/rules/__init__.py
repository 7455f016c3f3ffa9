"""All rules, in rank order: the first that applies is the cause, else the first suspected.

The order says which explanation carries others: what the error states of this machine, then the
way outwards layer by layer, then whose certificate answers, then what the service itself says.
"""

from __future__ import annotations

from diagnoser.model import Category
from diagnoser.rules import (
    chains,
    clients,
    clock,
    handshaking,
    hellos,
    interception,
    licensing,
    outcome,
    proxying,
    reachability,
    statements,
)

RULES = (
    statements.local_port_taken,
    statements.local_service_down,
    statements.not_network,
    outcome.no_failure,
    *proxying.RULES,
    *reachability.RULES,
    handshaking.not_tls,
    *interception.RULES,
    clock.clock_wrong,
    handshaking.handshake_blocked,
    handshaking.handshake_stalled,
    handshaking.protocol_too_old,
    *chains.RULES,
    *clients.RULES,
    handshaking.alert_received,
    statements.server_side,
    *licensing.RULES,
    *hellos.RULES,
    outcome.endpoint_healthy,
)

UNEXPLAINED = "unexplained"

CAUSES: dict[str, Category] = {r.id: r.category for r in RULES} | {UNEXPLAINED: Category.UNKNOWN}
