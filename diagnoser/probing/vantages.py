"""Where a diagnosis is made: an offline one, too, says on which machine."""

from __future__ import annotations

import platform
import ssl

from diagnoser.model import Vantage


def system_vantage() -> Vantage:
    """This machine as a vantage: host name, system with release, and where its roots come from."""
    paths = ssl.get_default_verify_paths()
    store = "Windows certificate store" if platform.system() == "Windows" else paths.cafile
    return Vantage(
        hostname=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        trust_store=store or paths.capath or "none",
    )
