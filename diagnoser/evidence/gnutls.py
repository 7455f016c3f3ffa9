"""The numbers behind what GnuTLS says of a handshake that failed (``gnutls_handshake() failed:``).

curl prints only the sentence that the library has for a number, in the language of the system:
those of English are known, as GnuTLS 3.7 gives them for each number. What it says of a packet that
it did not expect has several numbers' worth of causes, and stays open.
"""

from __future__ import annotations

from diagnoser.model import Condition

# gnutls_alert_get_name().
_ALERTS = {
    "Unexpected message": 10, "Bad record MAC": 20, "Decryption failed": 21, "Record overflow": 22,
    "Decompression failed": 30, "Handshake failed": 40, "Certificate is bad": 42,
    "Certificate is not supported": 43, "Certificate was revoked": 44,
    "Certificate is expired": 45, "Unknown certificate": 46, "Illegal parameter": 47,
    "CA is unknown": 48, "Access was denied": 49, "Decode error": 50, "Decrypt error": 51,
    "Export restriction": 60, "Error in protocol version": 70, "Insufficient security": 71,
    "Internal error": 80, "Inappropriate fallback": 86, "User canceled": 90,
    "No renegotiation is allowed": 100, "An extension was expected but was not seen": 109,
    "An unsupported extension was sent": 110, "The server name sent was not recognized": 112,
    "Certificate is required": 116, "No supported application protocol could be negotiated": 120,
}  # fmt: skip
# gnutls_strerror() of GNUTLS_E_PREMATURE_TERMINATION (-110).
_CLOSED = "The TLS connection was non-properly terminated."


def received_alert(sentence: str | None) -> int | None:
    """The AlertDescription that came, where ``sentence`` is that of one."""
    return _ALERTS.get(sentence or "")


def condition_of(sentence: str) -> Condition:
    """How the handshake ended, if no alert ended it."""
    return Condition.CONNECTION_CLOSED if sentence == _CLOSED else Condition.UNCLASSIFIED
