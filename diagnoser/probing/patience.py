"""How long a refusal takes to arrive: on Windows, not as long as the network needs.

Windows answers a reset in the handshake by asking again, every half second and four times
(TcpMaxConnectRetransmissions; KB 175523; nmap issue 2113, libuv pull request 2896). A closed port
is told after some two seconds and five round trips there, and until then looks like a silent one.
"""

from __future__ import annotations

import sys


def refusal_seconds(system: str) -> float:
    """The least time after which silence means something on ``system`` (``sys.platform``)."""
    return 4.0 if system == "win32" else 0.0


LEAST = refusal_seconds(sys.platform)
