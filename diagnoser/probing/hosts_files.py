"""The names that this machine's own hosts file gives (hosts(5))."""

from __future__ import annotations

import os
import platform
from pathlib import Path

MOST_ADDRESSES = 16

_LARGEST = 1024 * 1024


def hosts_path() -> Path:
    """Where this system keeps it."""
    if platform.system() == "Windows":
        root = os.environ.get("SYSTEMROOT", r"C:\Windows")
        return Path(root) / "System32" / "drivers" / "etc" / "hosts"
    return Path("/etc/hosts")


def hosts_entries(path: Path, host: str) -> tuple[str, ...]:
    """The addresses that a hosts file gives a name, in any case; at most 16."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ()
    wanted, found = host.lower().rstrip("."), []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if wanted in (n.lower().rstrip(".") for n in names):
            found.append(address)
    return tuple(found[:MOST_ADDRESSES])
