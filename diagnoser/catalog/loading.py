"""TOML tables into checked rows: whatever is wrong names the file, the row and the key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from diagnoser.errors import CatalogError
from diagnoser.model import Role, Symptom, Transport

DATA = Path(__file__).parents[1] / "data"

T = TypeVar("T")


def read(name: str, *known: str) -> dict[str, Any]:
    """One file; with ``known`` given, a table of another name is an error."""
    try:
        tables = _parsed(DATA / name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CatalogError(f"data/{name}: {error}") from error
    if known and (unknown := tables.keys() - set(known)):
        raise CatalogError(f"data/{name}: unknown table {min(unknown)!r}")
    return tables


@cache
def _parsed(path: Path) -> dict[str, Any]:
    """One file is parsed once, however many tables are taken from it."""
    return tomllib.loads(path.read_text("utf-8"))


def regex(text: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    """A compiled pattern; raises ``ValueError`` that quotes it."""
    try:
        return re.compile(text, flags)
    except re.error as error:
        raise ValueError(f"bad regular expression {text!r}: {error}") from error


_ENUMS: dict[str, type[Role | Transport | Symptom]] = {
    "Role": Role,
    "Transport": Transport,
    "Symptom": Symptom,
}
_PLAIN: dict[str, type] = {"str": str, "int": int, "bool": bool}


def _convert(kind: str, value: Any) -> Any:
    """``value`` as the annotated type ``kind``; raises ``ValueError`` where it does not fit."""
    base = kind.removesuffix(" | None")
    if base in _ENUMS:
        return _ENUMS[base](value)
    if base.startswith("re.Pattern") and isinstance(value, str):
        return regex(value)
    if base.startswith("tuple[") and isinstance(value, list):
        inner = base.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_convert(inner, v) for v in value)
    # bool is a subclass of int, and port = true must not pass for 1.
    if base.startswith("tuple[tuple") or type(value) is _PLAIN.get(base):
        return value
    raise ValueError(f"{value!r} is no {base}")


def row(cls: type[T], table: dict[str, Any], where: str) -> T:
    """One checked row: unknown, missing and ill-typed keys are errors that name file and row."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    unknown = table.keys() - known.keys()
    if unknown:
        raise CatalogError(f"{where}: unknown key {min(unknown)!r}")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in table:
            try:
                values[name] = _convert(str(field.type), table[name])
            except ValueError as error:
                raise CatalogError(f"{where}: key {name!r}: {error}") from error
        elif field.default is not MISSING:
            values[name] = field.default
        elif "None" in str(field.type):
            values[name] = None
        else:
            raise CatalogError(f"{where}: missing key {name!r}")
    return cls(**values)


def load_rows(cls: type[T], name: str, key: str, *known: str) -> tuple[T, ...]:
    """All rows of one table of one file."""
    tables = read(name, *known).get(key, [])
    return tuple(row(cls, t, f"data/{name}: {key} {i}") for i, t in enumerate(tables, 1))
