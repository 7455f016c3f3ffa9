"""A report as a tree of tuples and dataclasses; what does not change is shared, not copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import is_
from typing import Any, TypeVar

from diagnoser.model import OWN_WORDS

T = TypeVar("T")


def with_parts(value: T, change: Callable[[Any], Any]) -> T:
    """``value`` with ``change`` made to each of its fields or items, itself if none does.

    Not asked are numbers, members of enumerations and whatever else can hold no text of an input:
    they are most of a report.
    """
    if isinstance(value, tuple):
        items = tuple([change(v) if v and _holds_text(type(v)) else v for v in value])
        same = all(map(is_, items, value))
        return value if same else items  # type: ignore[return-value]
    changed = {}
    for name in field_names(value):
        old = getattr(value, name)
        if old and _holds_text(type(old)):
            new = change(old)
            if new is not old:
                changed[name] = new
    return dataclasses.replace(value, **changed) if changed else value  # type: ignore[type-var]


def field_names(value: object) -> tuple[str, ...]:
    """The fields of a dataclass that may hold text of an input, in order; none of anything else."""
    kind: Any = type(value)
    names: tuple[str, ...] = _names_of(kind)
    return names


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    if not dataclasses.is_dataclass(kind):
        return ()
    own = OWN_WORDS.keys()
    return tuple(f.name for f in dataclasses.fields(kind) if own.isdisjoint(f.metadata))


@cache
def _may_hold_text(kind: Any) -> bool:
    return kind is str or issubclass(kind, tuple) or bool(_names_of(kind))


# mypy takes no type for hashable.
_holds_text: Callable[[Any], bool] = _may_hold_text
