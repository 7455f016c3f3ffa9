"""Work that blocks, where it can delay neither the event loop nor the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")


async def in_daemon_thread(work: Callable[[], _Found]) -> _Found:
    """What ``work`` gives, or the ``OSError`` that it raises.

    The loop's own executor joins its threads at exit: a silent resolver would hold the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Found] = loop.create_future()

    def settle(put: Callable[[Any], None], outcome: _Found | OSError) -> None:
        if not done.done():
            put(outcome)

    def run() -> None:
        outcome: _Found | OSError
        put: Callable[[Any], None] = done.set_result
        try:
            outcome = work()
        except OSError as error:
            put, outcome = done.set_exception, error
        # The loop may be closed by now: nobody waits for the answer any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, put, outcome)

    threading.Thread(target=run, name="resolver", daemon=True).start()
    return await done
