"""JSON values with their place in the document, read by type: a wrong one names its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

# What any tool that reads JSON can hold in a number (RFC 8259 section 6).
_BIGGEST = 2**53 - 1
T = TypeVar("T")
E = TypeVar("E", bound=Enum)


class Unfit(ValueError):
    """A value of the document is not what the contract says; names its place."""


class Node:
    """A JSON value with its place in the document, read by type."""

    __slots__ = ("place", "value")

    def __init__(self, value: object, place: str) -> None:
        self.value, self.place = value, place

    def __getitem__(self, key: str) -> Node:
        if not isinstance(self.value, dict):
            raise Unfit(f"{self.place} is no object")
        return Node(self.value.get(key), f"{self.place}.{key}")

    @property
    def is_null(self) -> bool:
        """The value is null, or the key is missing."""
        return self.value is None

    def items(self) -> Sequence[Node]:
        """The members of a list; none for null."""
        if self.value is None:
            return ()
        if not isinstance(self.value, list):
            raise Unfit(f"{self.place} is no list")
        return [Node(v, f"{self.place}[{i}]") for i, v in enumerate(self.value)]

    def pairs(self) -> Sequence[tuple[str, Node]]:
        """The members of an object in their order."""
        if not isinstance(self.value, dict):
            raise Unfit(f"{self.place} is no object")
        return [(k, Node(v, f"{self.place}.{k}")) for k, v in self.value.items()]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise Unfit(f"{self.place} is no text")
        return self.value

    def number(self) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise Unfit(f"{self.place} is no whole number")
        if not -_BIGGEST <= self.value <= _BIGGEST:
            raise Unfit(f"{self.place} is out of range")
        return self.value

    def port(self) -> int:
        """A port; 0 where it is not known."""
        if not 0 <= self.number() < 65536:
            raise Unfit(f"{self.place} is no port")
        return self.number()

    def real(self) -> float:
        """A number."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise Unfit(f"{self.place} is no number")
        # Python reads NaN and Infinity in JSON; no comparison holds for NaN.
        if not -_BIGGEST <= self.value <= _BIGGEST:
            raise Unfit(f"{self.place} is out of range")
        return float(self.value)

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise Unfit(f"{self.place} is neither true nor false")
        return self.value

    def moment(self) -> datetime:
        """A time as reports write it, in UTC."""
        try:
            return datetime.strptime(self.text(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise Unfit(f"{self.place} is no time such as 2026-11-23T19:40:00Z") from error

    def one_of(self, kind: type[E]) -> E:
        """A member of an enumeration, by its value."""
        try:
            return kind(self.text())
        except ValueError as error:
            raise Unfit(f"{self.place} is no {kind.__name__}") from error

    def maybe(self, read: Callable[[Node], T]) -> T | None:
        """What ``read`` makes of the value; ``None`` for null."""
        return None if self.value is None else read(self)
