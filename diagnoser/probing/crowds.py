"""Endpoints that did not open while many were asked at once: asked alone, one after another.

Firewalls and routers limit how many connections a machine may have or open at a time. What is
refused for that reason is the probe's own doing and no closed port. So where some of many opened
and others did not, those get another try. Some shut a machine out for a while, as one that scans
ports: then what had opened stays shut as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnoser.model import Address, Condition, Control, ControlResult, ProbeResult, Stage
from diagnoser.probing import patience, stages

if TYPE_CHECKING:
    from diagnoser.model import Endpoint, Network

_CROWD = 4
_UNOPENED = (Condition.CONNECTION_REFUSED, Condition.CONNECTION_TIMED_OUT)
_LONGEST = 1.0
# Where that many in a row stay shut, it is no crowd that shut them.
_PATIENCE = {Condition.CONNECTION_REFUSED: 8, Condition.CONNECTION_TIMED_OUT: 2}


def ask_alone(
    results: Sequence[ProbeResult],
    network: Network,
    visit: Callable[[Sequence[Endpoint]], Sequence[ProbeResult]],
    seconds: float,
) -> list[ProbeResult]:
    """The results of one round; those that another try alone has opened are replaced.

    ``visit`` probes endpoints; each try takes ``seconds`` or one second, if that is less. That an
    endpoint did not open in the crowd is kept as a control, and so is that one which had opened
    does so no more.
    """
    ended = [r.stage(Stage.CONNECT).condition for r in results]
    shut = [r for r in results if _is_shut(r)]
    if len(results) < _CROWD or not shut or Condition.MET not in ended:
        return list(results)
    found = {r.endpoint.key: r for r in results}
    good = next(r for r in results if r.stage(Stage.CONNECT).condition is Condition.MET)
    reopened, closed = asyncio.run(_reopen(shut, good, network, min(seconds, _LONGEST)))
    if closed is not None:
        told = ControlResult(Control.SHUT_OUT, str(good.endpoint), closed)
        found |= {r.endpoint.key: replace(r, controls=(*r.controls, told)) for r in shut}
    for before in reopened:
        (after,) = visit([before.endpoint])
        if after.stage(Stage.CONNECT).condition is Condition.MET:
            how = before.stage(Stage.CONNECT).condition
            told = ControlResult(Control.TOGETHER, str(len(results)), how)
            found[before.endpoint.key] = replace(after, controls=(*after.controls, told))
    return list(found.values())


def _is_shut(result: ProbeResult) -> bool:
    ended = result.stage(Stage.CONNECT).condition
    return result.proxy is None and bool(result.addresses) and ended in _UNOPENED


async def _reopen(
    shut: Sequence[ProbeResult], good: ProbeResult, network: Network, seconds: float
) -> tuple[list[ProbeResult], Condition | None]:
    """Those that open now; and how the one that had opened ends, where it and others do not."""
    opened, failures = [], dict.fromkeys(_PATIENCE, 0)
    for result in shut:
        how = result.stage(Stage.CONNECT).condition
        if failures[how] >= _PATIENCE[how]:
            continue
        if await _attempt(network, result, seconds) is Condition.MET:
            opened.append(result)
            failures[how] = 0
        else:
            failures[how] += 1
    if not any(failures.values()):
        return opened, None
    ended = await _attempt(network, good, seconds)
    return opened, None if ended is Condition.MET else ended


async def _attempt(network: Network, result: ProbeResult, seconds: float) -> Condition:
    used = [a for a in result.addresses if a.condition is Condition.MET] or result.addresses
    address = Address(used[0].address, used[0].port)
    return await stages.knock(network, address, max(seconds, patience.LEAST))
