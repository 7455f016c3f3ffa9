"""Names of a package that load when they are first asked for (PEP 562).

A log that is read offline needs neither OpenSSL nor asyncio; importing them takes as long as
reading half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def defer(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of ``package``; ``modules`` tells in which module each name stands."""

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return load
