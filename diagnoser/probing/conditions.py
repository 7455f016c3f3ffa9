"""Errors of a connection told apart by number: errno, Winsock, and Windows' own."""

from __future__ import annotations

import errno

from diagnoser.model import Condition

FORBIDDEN_HERE = (errno.EACCES, errno.EPERM, errno.EINVAL, 10013)

# Errno of this system, and the Winsock and Windows numbers that asyncio passes on there.
_CONDITIONS = {
    **dict.fromkeys((errno.ECONNREFUSED, 10061, 1225), Condition.CONNECTION_REFUSED),
    **dict.fromkeys((errno.ETIMEDOUT, 10060, 121), Condition.CONNECTION_TIMED_OUT),
    **dict.fromkeys(
        (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054, 64),
        Condition.CONNECTION_RESET,
    ),
    **dict.fromkeys(
        (
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
            errno.ENETDOWN,
            errno.EHOSTDOWN,
            # What a machine without IPv6 says of an IPv6 address.
            errno.EADDRNOTAVAIL,
            errno.EAFNOSUPPORT,
            # This machine itself forbids it: a rule of its routing table (a prohibited route, a
            # black hole), its own firewall, or a security product (Winsock's WSAEACCES).
            *FORBIDDEN_HERE,
            10047,
            10049,
            10050,
            10051,
            10064,
            10065,
            1231,
            1232,
        ),
        Condition.NETWORK_UNREACHABLE,
    ),
}


def number_of(error: OSError) -> int | None:
    """The number that decides: the Windows error where there is one, else errno."""
    number = getattr(error, "winerror", None) or error.errno
    return number if isinstance(number, int) else None


def condition_of(error: OSError) -> Condition:
    """The condition that an errno, Winsock or Windows error number stands for."""
    for number in (getattr(error, "winerror", None), error.errno):
        if number in _CONDITIONS:
            return _CONDITIONS[number]
    return Condition.UNCLASSIFIED
