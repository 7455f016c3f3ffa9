"""Firewalls that count connections: what they refuse for that reason is no closed port.

Several endpoints are asked at once, as ``diagnoser check --data-center`` does it.
"""

from __future__ import annotations

import pki
import pytest
from situations import Answer, Lab, lab
from tls_peers import Visit, answer_inside

from diagnoser.diagnosis import judge
from diagnoser.model import Case, Condition, Control, ProbeResult, Stage, Standing

pytestmark = pytest.mark.peer

FRONT, DEAD = "203.0.113.10", "203.0.113.12"
SYN = f"ip daddr {FRONT} tcp flags & (syn|ack) == syn"
PORTS = (443, 8443, 9443, 10443, 11443, 12443)
NAMES = tuple(f"eu{n}-cloud.acronis.com" for n in range(2, 8))


def ask_all(rules: str, seconds: float, *, with_dead: bool = False) -> Answer:
    """All endpoints at once, behind a firewall with these rules."""
    with lab("nginx") as network:
        _furnish(network, rules)
        places = [(n, p, f"{FRONT}:{p}") for n, p in zip(NAMES, PORTS, strict=True)]
        if with_dead:
            places.append(("eu1-cloud.acronis.com", 443, f"{DEAD}:443"))
        host, port, at = places[0]
        root = pki.public_root().pem
        visit = Visit(at, host, port, public=root, with_also=tuple(places[1:]), seconds=seconds)
        (answer,) = answer_inside(network, [visit])
    return answer


def _furnish(network: Lab, rules: str) -> None:
    network.serve_genuine(FRONT, ports=PORTS)
    network.wait_for(FRONT, *PORTS)
    banned = "set banned { type ipv4_addr; size 64; flags dynamic,timeout; }\n"
    chain = f"chain in {{\ntype filter hook input priority 0;\n{rules}\n}}\n"
    network.run("nft", "-f", "-", text=f"table inet lab {{\n{banned}{chain}}}\n".encode())


def cause(probe: ProbeResult) -> tuple[str, Standing] | None:
    found = judge(Case(None, (probe.endpoint,), (probe,))).cause
    return None if found is None else (found.rule, found.finding.standing)


def test_a_limit_on_connections_at_a_time_closes_no_port() -> None:
    answer = ask_all(f"{SYN} ct count over 3 reject with tcp reset", 2.0, with_dead=True)
    *served, dead = answer.diagnosis.case.probes
    assert {cause(p) for p in served} == {("endpoint-healthy", Standing.APPLIES)}
    # Nothing listens there: that stays shut alone, too.
    assert cause(dead) == ("port-closed", Standing.APPLIES)
    crowds = [c for p in served if (c := p.control(Control.TOGETHER)) is not None]
    assert {(c.question, c.condition) for c in crowds} == {("7", Condition.CONNECTION_REFUSED)}


def test_who_is_shut_out_as_a_scanner_of_ports_knows_nothing_of_them() -> None:
    answer = ask_all(
        f"ip daddr {FRONT} ip saddr @banned drop\n"
        f"{SYN} limit rate over 1/second burst 4 packets add @banned {{ ip saddr timeout 1m }} drop",
        0.4,
    )
    shut = [
        p
        for p in answer.diagnosis.case.probes
        if p.stage(Stage.CONNECT).condition is Condition.CONNECTION_TIMED_OUT
    ]
    assert shut
    for probe in shut:
        assert cause(probe) is None
        told = probe.control(Control.SHUT_OUT)
        assert told is not None
        assert told.condition is Condition.CONNECTION_TIMED_OUT
        verdicts = judge(Case(None, (probe.endpoint,), (probe,))).verdicts
        (filtered,) = [v.finding for v in verdicts if v.rule == "port-filtered"]
        assert "shut_out" in {e.fact for e in filtered.evidence}
