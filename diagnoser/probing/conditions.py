"""Errors of a connection told apart by number: errno, Winsock, and Windows' own."""

from __future__ import annotations

import errno

from diagnoser.model import Condition

# This machine itself forbids it: a rule of its routing table (a prohibited route, a black hole),
# its own firewall, or a security product.
_FORBIDDEN_HERE = (errno.EACCES, errno.EPERM, errno.EINVAL)

_CONDITIONS = {
    errno.ECONNREFUSED: Condition.CONNECTION_REFUSED,
    errno.ETIMEDOUT: Condition.CONNECTION_TIMED_OUT,
    **dict.fromkeys(
        (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE), Condition.CONNECTION_RESET
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
            *_FORBIDDEN_HERE,
        ),
        Condition.NETWORK_UNREACHABLE,
    ),
}

# Winsock's numbers, and those of Windows that asyncio's proactor passes on in their place
# (winerror.h). They have a table of their own: 64 and 121 mean something else as an errno.
_WINDOWS = {
    # WSAECONNREFUSED, ERROR_CONNECTION_REFUSED, ERROR_PORT_UNREACHABLE
    **dict.fromkeys((10061, 1225, 1234), Condition.CONNECTION_REFUSED),
    # WSAETIMEDOUT, ERROR_SEM_TIMEOUT, ERROR_TIMEOUT
    **dict.fromkeys((10060, 121, 1460), Condition.CONNECTION_TIMED_OUT),
    # WSAENETRESET, WSAECONNABORTED, WSAECONNRESET, WSAESHUTDOWN, ERROR_NETNAME_DELETED,
    # ERROR_OPERATION_ABORTED, ERROR_CONNECTION_ABORTED
    **dict.fromkeys((10052, 10053, 10054, 10058, 64, 995, 1236), Condition.CONNECTION_RESET),
    # WSAEDISCON, ERROR_GRACEFUL_DISCONNECT
    **dict.fromkeys((10101, 1226), Condition.CONNECTION_CLOSED),
    # WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL, WSAENETDOWN, WSAENETUNREACH, WSAEHOSTDOWN,
    # WSAEHOSTUNREACH, ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE; and forbidden here:
    # WSAEACCES, ERROR_ACCESS_DENIED
    **dict.fromkeys(
        (10047, 10049, 10050, 10051, 10064, 10065, 1231, 1232, 10013, 5),
        Condition.NETWORK_UNREACHABLE,
    ),
}
# Above every errno, so that they speak for themselves where an error carries them as one.
_BY_ERRNO = _CONDITIONS | {n: condition for n, condition in _WINDOWS.items() if n > 1000}
# EADDRNOTAVAIL of Linux and of macOS, WSAEADDRNOTAVAIL.
_NO_PORT = (99, 49, 10049)
_KINDS = (
    (ConnectionRefusedError, Condition.CONNECTION_REFUSED),
    # The system's, or without a number that of our own limit.
    (TimeoutError, Condition.CONNECTION_TIMED_OUT),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), Condition.CONNECTION_RESET),
)


def number_of(error: OSError) -> int | None:
    """The number that decides: the Windows error where there is one, else errno."""
    number = getattr(error, "winerror", None) or error.errno
    return number if isinstance(number, int) else None


def condition_of(error: OSError) -> Condition:
    """The condition that an errno, Winsock or Windows error number stands for.

    Where Windows gives a number of its own the errno beside it is no answer: for every number that
    C does not know it is EINVAL (PC/errmap.h of CPython).
    """
    number = getattr(error, "winerror", None)
    if number is not None:
        return _WINDOWS.get(number, Condition.UNCLASSIFIED)
    # An error that was raised again may have lost that number and kept its class.
    kind = next((c for kind, c in _KINDS if isinstance(error, kind)), None)
    return kind or _BY_ERRNO.get(error.errno or 0, Condition.UNCLASSIFIED)


def condition_at(error: OSError, host: str) -> Condition:
    """The condition of an attempt to connect to a numeric address.

    That an address is not available says of an IPv6 one that this machine has no IPv6, and of any
    other that all of its own ports are in use (connect(2)): nothing of the network.
    """
    if number_of(error) in _NO_PORT and ":" not in host:
        return Condition.UNCLASSIFIED
    return condition_of(error)
