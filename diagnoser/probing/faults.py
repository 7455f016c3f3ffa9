"""What OpenSSL found wrong with a chain while it shook hands, remembered for one second.

The names of a data centre share one chain: verified once, it is not verified again for each of
them (a tenth of a handshake's time, measured). The answer depends on the chain's bytes, on the
anchors of the context, which keeps one such memory, and on the machine's clock, which OpenSSL reads
in whole seconds: it is forgotten when the second is over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnoser.model import VerifyResult

_MOST_CHAINS = 64


class Faults:
    """The faults of chains that were verified with the same anchors, within the same second."""

    def __init__(self) -> None:
        self._second = 0
        self._found: dict[tuple[bytes, ...], tuple[VerifyResult, ...]] = {}

    def of(self, chain_ders: tuple[bytes, ...]) -> tuple[VerifyResult, ...] | None:
        """All faults of the whole chain, end-entity first; ``None`` if they are not known now."""
        return self._found.get(chain_ders) if self._second == self.now() else None

    def remember(
        self, chain_ders: tuple[bytes, ...], found: tuple[VerifyResult, ...], begun: int
    ) -> None:
        """Keep what a verification found that began in the second ``begun`` and ends now."""
        second = self.now()
        if begun != second:
            return
        if self._second != second or len(self._found) >= _MOST_CHAINS:
            self._found.clear()
            self._second = second
        self._found[chain_ders] = found

    @staticmethod
    def now() -> int:
        """The second it is on the machine's clock."""
        return int(time.time())
