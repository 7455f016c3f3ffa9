"""Where a diagnosis is made: an offline one, too, says on which machine."""

from __future__ import annotations

import platform
import ssl
import sys

from diagnoser.model import Vantage


def system_vantage() -> Vantage:
    """This machine as a vantage: host name, system with release, and where its roots come from."""
    return Vantage(
        hostname=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        trust_store=_store(sys.platform),
    )


def _store(system: str) -> str:
    if system == "win32":
        return "Windows certificate store"
    if system == "darwin":
        return "macOS keychain"
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or "none"
