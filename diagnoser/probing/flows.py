"""What Linux knows of a TCP connection: ``struct tcp_info`` of linux/tcp.h, read."""

from __future__ import annotations

import struct

from diagnoser.model import TcpFlow

# Eight bytes, 24 words, then 64-bit counters. It only ever grows: an old kernel gives less of it.
SIZE = 256
_WORDS, _ACKNOWLEDGED, _OUT_OF_ORDER = (8, 24), 120, 224
_UNACKNOWLEDGED, _SELECTIVELY, _RETRANSMITTED = 4, 5, 23


def read_flow(info: bytes) -> TcpFlow | None:
    """What became of the bytes that were sent; ``None`` if the kernel tells too little."""
    if len(info) < _ACKNOWLEDGED + 8:
        return None
    words = struct.unpack_from(f"{_WORDS[1]}I", info, _WORDS[0])
    late = struct.unpack_from("I", info, _OUT_OF_ORDER)[0] if len(info) >= 228 else None
    return TcpFlow(
        unacknowledged=words[_UNACKNOWLEDGED],
        selectively_acknowledged=words[_SELECTIVELY],
        retransmitted=words[_RETRANSMITTED],
        bytes_acknowledged=struct.unpack_from("Q", info, _ACKNOWLEDGED)[0],
        out_of_order=late,
    )
