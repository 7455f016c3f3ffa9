"""What is made when it is first asked for: names of a package (PEP 562), regular expressions.

A log that is read offline needs neither OpenSSL nor asyncio; importing them takes as long as
reading half a gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, AnyStr, cast


def defer(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of ``package``; ``modules`` tells in which module each name stands."""

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return load


def pattern(text: AnyStr, flags: int | re.RegexFlag = 0) -> re.Pattern[AnyStr]:
    """A regular expression that is compiled when it is first used.

    There are some four hundred; most forms of input are met by few of them, and to compile all
    takes a quarter of the time in which a pasted error is read. A bad one raises ``re.error`` at
    its first use; the tests compile them all. ``match.re`` is the compiled one: where that is
    compared with, a pattern is compiled at once.
    """
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))


class _Pattern:
    """Stands for a compiled pattern; what was once asked of it is its own from then on, so that
    using it costs no more than using the other."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self.pattern, self._flags = text, flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> object:
        if self._compiled is None:
            self._compiled = re.compile(self.pattern, self._flags)
        found = getattr(self._compiled, name)
        setattr(self, name, found)
        return found
