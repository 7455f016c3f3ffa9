"""The roots that macOS trusts, asked of its own program: OpenSSL cannot read a keychain.

Apple's roots stand in one keychain. In the one of the system stands whatever an administrator or a
management profile put there, trusted or not: each root of it is held against the system's own
verifier. What a user trusts for himself is not looked at, for an agent runs as root.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from cryptography import x509

_PROGRAM = "/usr/bin/security"
_APPLE = "/System/Library/Keychains/SystemRootCertificates.keychain"
_SYSTEM = "/Library/Keychains/System.keychain"
# Seconds for everything; on a machine that is slower nothing is known.
_PATIENCE = 6.0
_LARGEST = 8 << 20
_MOST_ROOTS = 24


def read_roots() -> bytes | None:
    """What macOS trusts, as PEM; ``None`` if it cannot be told for sure."""
    return _Asking(time.monotonic() + _PATIENCE).roots()


class _Asking:
    """One round of questions that ends at ``deadline``, by the monotonic clock."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def roots(self) -> bytes | None:
        apple, system = self._listed(_APPLE), self._listed(_SYSTEM)
        if not apple or system is None:
            # Half of it would make trusted roots out to be unknown.
            return None
        added = [root for root in system if root not in apple and _is_root(root)]
        if len(added) > _MOST_ROOTS:
            return None
        trusted = []
        for root in added:
            verdict = self._is_trusted(root)
            if verdict is None:
                return None
            if verdict:
                trusted.append(root)
        return b"".join((*apple, *trusted))

    def _listed(self, keychain: str) -> list[bytes] | None:
        """The certificates of a keychain, each as PEM."""
        code, told = self._ask("find-certificate", "-a", "-p", keychain)
        if code != 0 or len(told) > _LARGEST:
            return None
        end = b"-----END CERTIFICATE-----\n"
        return [part.lstrip() + end for part in told.split(end)[:-1]]

    def _is_trusted(self, root: bytes) -> bool | None:
        """Whether the system takes ``root`` for one of TLS; it looks nothing up in the network."""
        with tempfile.TemporaryDirectory(prefix="diagnoser-") as directory:
            path = Path(directory, "root.pem")
            path.write_bytes(root)
            # -l: a CA may be the last of the chain; -L: without network.
            code, _ = self._ask("verify-cert", "-p", "ssl", "-l", "-L", "-c", str(path))
        return None if code is None or code < 0 else code == 0

    def _ask(self, *arguments: str) -> tuple[int | None, bytes]:
        """The exit status, ``None`` or negative where there is none, and what stdout says."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            return None, b""
        try:
            process = subprocess.Popen(  # noqa: S603  (the system's own, by its full path)
                [_PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None, b""
        timer = threading.Timer(left, process.kill)
        timer.start()
        try:
            with process:
                told = process.stdout.read(_LARGEST + 1) if process.stdout else b""
                if len(told) > _LARGEST:
                    process.kill()
        finally:
            timer.cancel()
        return process.returncode, told


def _is_root(pem: bytes) -> bool:
    """Whether a certificate is its own issuer; the system keychain holds others, too."""
    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return found.subject == found.issuer
