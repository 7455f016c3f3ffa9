"""Descriptions of JSON values that can both write a value and say what they write.

The report and its schema are made from one description, so that neither can lag behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Generic, TypeVar

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
Definitions = dict[str, Json]

T = TypeVar("T")
V = TypeVar("V")
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How a value is written, and the JSON Schema of what is written.

    ``describe`` may put the shapes that have a name into the definitions it is given.
    """

    write: Callable[[T], Json]
    describe: Callable[[Definitions], dict[str, Json]]


@dataclass(frozen=True, slots=True)
class Member(Generic[T]):
    """One key of an object: how it is written, its schema, and what it means."""

    name: str
    write: Callable[[T], Json]
    describe: Callable[[Definitions], dict[str, Json]]
    about: str


def member(name: str, shape: Shape[V], get: Callable[[T], V], about: str = "") -> Member[T]:
    """The key ``name`` that holds what ``get`` finds, in the shape ``shape``."""
    return Member(name, lambda value: shape.write(get(value)), shape.describe, about)


def _plain(kind: str, **more: Json) -> Callable[[Definitions], dict[str, Json]]:
    return lambda _: {"type": kind, **more}


def write_moment(moment: datetime) -> str:
    """A time as RFC 3339 writes it, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


TEXT: Shape[str] = Shape(str, _plain("string"))
WHOLE: Shape[int] = Shape(int, _plain("integer"))
REAL: Shape[float] = Shape(lambda v: v, _plain("number"))
TRUTH: Shape[bool] = Shape(bool, _plain("boolean"))
MOMENT: Shape[datetime] = Shape(
    write_moment,
    _plain("string", format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"),
)
PORT: Shape[int] = Shape(int, _plain("integer", minimum=0, maximum=65535))
PACKED: Shape[int] = Shape(
    lambda number: f"0x{number:08x}", _plain("string", pattern="^0x[0-9a-f]{8}$")
)


def one_of(kind: type[E]) -> Shape[E]:
    """A member of an enumeration, written as its value."""
    values: list[Json] = [str(e.value) for e in kind]
    return Shape(lambda member: str(member.value), lambda _: {"enum": values})


def word_of(words: Iterable[str]) -> Shape[str]:
    """One of a fixed list of words."""
    values: list[Json] = list(words)
    return Shape(str, lambda _: {"enum": values})


def exactly(value: int | str) -> Shape[object]:
    """The one value that stands here."""
    return Shape(lambda _: value, lambda _: {"const": value})


def maybe(shape: Shape[T]) -> Shape[T | None]:
    """A value or null: what is not known is null, never missing."""

    def describe(definitions: Definitions) -> dict[str, Json]:
        return {"anyOf": [shape.describe(definitions), {"type": "null"}]}

    return Shape(lambda value: None if value is None else shape.write(value), describe)


def many(shape: Shape[T]) -> Shape[Iterable[T]]:
    """Any number of values, in order."""
    return Shape(
        lambda values: [shape.write(v) for v in values],
        lambda definitions: {"type": "array", "items": shape.describe(definitions)},
    )


def keyed(shape: Shape[T]) -> Shape[Mapping[str, T]]:
    """An object whose keys are not fixed."""
    return Shape(
        lambda values: {key: shape.write(v) for key, v in values.items()},
        lambda definitions: {
            "type": "object",
            "additionalProperties": shape.describe(definitions),
        },
    )


TEXTS = many(TEXT)


def record(name: str, about: str, *members: Member[T]) -> Shape[T]:
    """An object that has all of ``members``, in this order, and nothing else."""

    def describe(definitions: Definitions) -> dict[str, Json]:
        if name not in definitions:
            definitions[name] = None
            properties: dict[str, Json] = {}
            for m in members:
                told = m.describe(definitions)
                properties[m.name] = {**told, "description": m.about} if m.about else told
            definitions[name] = {
                "description": about,
                "type": "object",
                "properties": properties,
                "required": [m.name for m in members],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}

    return Shape(lambda value: {m.name: m.write(value) for m in members}, describe)
