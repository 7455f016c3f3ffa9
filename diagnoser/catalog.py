"""The data tables: endpoints, interceptors, error codes, labels and words, checked at load.

Code decides, data names. Every row carries its source and whether it is *proven* (seen in a
vendor's text or a real certificate) or *inferred*; an inferred row can raise a suspicion, never a
certainty. A wrong table is a :class:`~diagnoser.errors.CatalogError` that names file and key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from diagnoser.errors import CatalogError
from diagnoser.model import Name, Role, Symptom, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).with_name("data")
LANGUAGES = ("en", "ja")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RoleRow:
    """What is expected of an endpoint of one role.

    ``issuer`` is ``public`` (a CA of the Mozilla bundle), ``acronis-storage`` (Acronis' own CA) or
    ``any``; ``issuer_proven`` tells whether that expectation may carry a certainty.
    """

    id: Role
    ports: tuple[int, ...]
    issuer: str
    issuer_proven: bool
    client_certificate: bool
    speaks_http: bool
    source: str


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host-name pattern (regular expression over the lower-case name) and the role it has.

    ``ports`` stand instead of the role's own where such hosts are known to listen elsewhere.
    """

    pattern: re.Pattern[str]
    role: Role
    proven: bool
    source: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A domain whose hosts are Acronis services; only these are probed without ``--allow``."""

    suffix: str
    source: str


@dataclass(frozen=True, slots=True)
class PortRow:
    """A port an Acronis service is known to use, and what is spoken there."""

    first: int
    last: int
    transport: Transport
    role: Role
    source: str


@dataclass(frozen=True, slots=True)
class TrapRow:
    """Text that looks like an endpoint and is none, with the reason to tell the user."""

    id: str
    pattern: re.Pattern[str]
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class IssuerRow:
    """An issuer that is expected: ``kind`` is ``public`` or ``acronis-storage``."""

    kind: str
    attribute: str
    pattern: re.Pattern[str]
    source: str
    proven: bool = True


@dataclass(frozen=True, slots=True)
class FallbackRow:
    """An endpoint to try for a symptom when the error itself names none."""

    symptom: Symptom
    host: str
    port: int
    proven: bool
    source: str


@dataclass(frozen=True, slots=True)
class InterceptorRow:
    """A product that re-signs TLS, recognised on the issuer of the leaf, attribute by attribute.

    ``rules`` must all match; each is attribute names (any of them) and a case-insensitive regular
    expression. ``kind``: net, host, dev, mal, gov, any, or box (the device's own certificate).
    ``grade``: A seen in a certificate, B named by a secondary source, C from memory (a hint only).
    """

    product: str
    vendor: str
    kind: str
    grade: str
    rules: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    source: str

    def matches(self, name: Name) -> bool:
        """Whether every rule fits some attribute value of ``name``."""
        return all(
            any(pattern.search(v) for key in keys for v in name.values(key))
            for keys, pattern in self.rules
        )


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What is known of one (module, code), optionally only with a message or field that fits.

    Absent ``module`` or ``code`` mean any; a row without a module needs a message or a field.
    ``field`` (matched in any case) and ``value`` come together. ``port`` is the port that such an
    error is about when it names a host alone; always inferred.
    """

    id: str
    module: int | None
    code: int | None
    message: re.Pattern[str] | None
    title: str
    suspects: tuple[str, ...]
    symptom: Symptom | None
    wrapper: bool
    proven: bool
    source: str
    field: str | None = None
    value: re.Pattern[str] | None = None
    port: int | None = None

    @property
    def rank(self) -> int:
        """Which row decides where several fit, the lowest first.

        A number together with a text or field says most. What the user sees fail (licences) must
        not hide behind a number; a proven text says more than a number, an inferred one less, and
        an outer effect least.
        """
        is_numbered = self.module is not None and self.code is not None
        is_told = self.message is not None or self.field is not None
        ranks = (
            is_numbered and is_told,
            is_told and self.symptom is Symptom.LICENCE_SYNC,
            is_told and self.proven,
            is_numbered and bool(self.suspects) and not self.wrapper,
            is_told,
            True,
        )
        return ranks.index(True)


@dataclass(frozen=True, slots=True)
class LabelRow:
    """The labels of one language; each a tuple of spellings without colon, in lower case."""

    language: str
    heading: tuple[str, ...]
    code: tuple[str, ...]
    module: tuple[str, ...]
    line: tuple[str, ...]
    fields: tuple[str, ...]
    message: tuple[str, ...]
    source: str
    proven: bool


@dataclass(frozen=True, slots=True)
class CauseWords:
    """The words of one cause. ``summary`` and ``remedy`` may hold ``{fact}`` placeholders."""

    title: str
    summary: str
    suspected: str
    remedy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """All words of one language: causes by rule id, facts, phrases of the reports."""

    language: str
    causes: dict[str, CauseWords]
    facts: dict[str, str]
    phrases: dict[str, str]
    reasons: dict[str, str]


def _read(name: str, *known: str) -> dict[str, Any]:
    """One file; with ``known`` given, a table of another name is an error."""
    path = DATA / name
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CatalogError(f"data/{name}: {error}") from error
    if known and (unknown := tables.keys() - set(known)):
        raise CatalogError(f"data/{name}: unknown table {min(unknown)!r}")
    return tables


def _regex(text: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
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
        return _regex(value)
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


_ENDPOINT_TABLES = ("role", "host", "domain", "port", "trap", "issuer", "fallback")


def _rows(cls: type[T], name: str, key: str, *known: str) -> tuple[T, ...]:
    tables = _read(name, *known).get(key, [])
    return tuple(row(cls, t, f"data/{name}: {key} {i}") for i, t in enumerate(tables, 1))


def _endpoint_rows(cls: type[T], key: str, identity: Callable[[T], object]) -> tuple[T, ...]:
    """The rows of one table of endpoints.toml; two rows with one identity are an error."""
    rows = _rows(cls, "endpoints.toml", key, *_ENDPOINT_TABLES)
    seen: set[object] = set()
    for r in rows:
        if identity(r) in seen:
            raise CatalogError(f"data/endpoints.toml: {key} {identity(r)!s} stands twice")
        seen.add(identity(r))
    return rows


def _check_ports(where: str, *numbers: int) -> None:
    for number in numbers:
        if not 0 < number < 65536:
            raise CatalogError(f"data/{where}: bad port {number}")


@cache
def roles() -> dict[Role, RoleRow]:
    """What is expected of each role; every role has a row."""
    found = {r.id: r for r in _endpoint_rows(RoleRow, "role", lambda r: r.id)}
    for r in found.values():
        _check_ports(f"endpoints.toml: role {r.id}", *r.ports)
    for role in Role:
        if role not in found:
            raise CatalogError(f"data/endpoints.toml: no row for role {role.value!r}")
    return found


@cache
def hosts() -> tuple[HostRow, ...]:
    """Host-name patterns with their roles; the first that matches decides."""
    rows = _endpoint_rows(HostRow, "host", lambda r: r.pattern.pattern)
    for r in rows:
        _check_ports(f"endpoints.toml: host {r.pattern.pattern}", *r.ports)
    return rows


@cache
def domains() -> tuple[DomainRow, ...]:
    """Domains whose hosts are Acronis services."""
    return _endpoint_rows(DomainRow, "domain", lambda r: r.suffix)


@cache
def ports() -> tuple[PortRow, ...]:
    """Ports that Acronis services use; ranges do not overlap."""
    rows = _endpoint_rows(PortRow, "port", lambda r: r.first)
    taken: set[int] = set()
    for i, r in enumerate(rows, 1):
        _check_ports(f"endpoints.toml: port {i}", r.first, r.last)
        numbers = set(range(r.first, r.last + 1))
        if not numbers or numbers & taken:
            raise CatalogError(f"data/endpoints.toml: port {i}: {r.first} to {r.last} overlaps")
        taken |= numbers
    return rows


@cache
def traps() -> tuple[TrapRow, ...]:
    """Texts that look like endpoints and are none."""
    return _endpoint_rows(TrapRow, "trap", lambda r: r.id)


@cache
def issuers() -> tuple[IssuerRow, ...]:
    """Expected issuers."""
    return _endpoint_rows(IssuerRow, "issuer", lambda r: (r.attribute, r.pattern.pattern))


@cache
def fallbacks() -> tuple[FallbackRow, ...]:
    """Endpoints to try for a symptom when the error names none."""
    rows = _endpoint_rows(FallbackRow, "fallback", lambda r: (r.symptom, r.host, r.port))
    for r in rows:
        _check_ports(f"endpoints.toml: fallback {r.host}", r.port)
    return rows


def _condition(r: ErrorRow) -> tuple[object, ...]:
    """What an error row asks for; two rows that ask the same cannot both be right."""
    texts = (p.pattern if p else None for p in (r.message, r.value))
    return (r.module, r.code, r.field, *texts)


@cache
def errors() -> tuple[ErrorRow, ...]:
    """Known errors, the most specific first: of several that fit a frame the first decides."""
    rows = _rows(ErrorRow, "errors.toml", "error", "error")
    ids: set[str] = set()
    conditions: set[tuple[object, ...]] = set()
    for r in rows:
        where = f"errors.toml: error {r.id!r}"
        if r.id in ids:
            raise CatalogError(f"data/{where}: the id stands twice")
        if _condition(r) in conditions:
            raise CatalogError(f"data/{where}: asks for the same as another row")
        ids.add(r.id)
        conditions.add(_condition(r))
        if (r.field is None) != (r.value is None):
            raise CatalogError(f"data/{where}: keys 'field' and 'value' come together")
        if r.module is None and (r.code is not None or (r.message is None and r.field is None)):
            raise CatalogError(f"data/{where}: key 'module' or 'message' is needed")
        if any(n is not None and not 0 <= n <= 0xFFFF for n in (r.module, r.code)):
            raise CatalogError(f"data/{where}: key 'module' or 'code' is not a 16-bit number")
        if r.port is not None:
            _check_ports(where, r.port)
    return tuple(sorted(rows, key=lambda r: r.rank))


@cache
def labels() -> tuple[LabelRow, ...]:
    """The labels of labelled blocks, a row a language."""
    return _rows(LabelRow, "labels.toml", "label")


@cache
def interceptors() -> tuple[InterceptorRow, ...]:
    """Products that re-sign TLS, in the order in which they are tried."""
    found = []
    for i, t in enumerate(_read("interceptors.toml").get("interceptor", []), 1):
        where = f"data/interceptors.toml: interceptor {i}"
        parts = []
        for rule in t.get("issuer", ()):
            keys, tilde, pattern = rule.partition("~")
            if not tilde:
                raise CatalogError(f"{where}: {rule!r} has no '~'")
            try:
                parts.append((tuple(keys.split("|")), _regex(pattern)))
            except ValueError as error:
                raise CatalogError(f"{where}: key 'issuer': {error}") from error
        if not parts:
            raise CatalogError(f"{where}: missing key 'issuer'")
        plain = {k: v for k, v in t.items() if k != "issuer"} | {"rules": tuple(parts)}
        found.append(row(InterceptorRow, plain, where))
    return tuple(found)


def is_catalogued(host: str, port: int) -> bool:
    """Whether ``host`` belongs to an Acronis domain and ``port`` to an Acronis service."""
    name = host.lower().rstrip(".")
    known = any(name == d.suffix or name.endswith("." + d.suffix) for d in domains())
    return known and any(p.first <= port <= p.last for p in ports())


def role_of(host: str, port: int | None) -> tuple[Role, str]:
    """The role of an endpoint and the source of that knowledge; ``UNKNOWN`` if nothing fits.

    The name decides first; a port that only one role uses decides where the name does not.
    """
    row_of_port = None if port is None else port_row(port)
    if (h := host_row(host)) is not None:
        if row_of_port is not None and row_of_port.role in (Role.STORAGE, Role.AGENT_CHANNEL):
            return row_of_port.role, row_of_port.source
        return h.role, h.source
    if row_of_port is not None and row_of_port.role is not Role.UNKNOWN:
        return row_of_port.role, row_of_port.source
    return Role.UNKNOWN, "nothing in the catalogue fits"


def host_row(host: str) -> HostRow | None:
    """The first pattern that fits ``host`` (in any case, with or without the final dot)."""
    name = host.lower().rstrip(".")
    return next((h for h in hosts() if h.pattern.search(name)), None)


def in_domain(host: str) -> bool:
    """Whether ``host`` is a name within, and not merely the name of, an Acronis domain."""
    name = host.lower().rstrip(".")
    return any(name.endswith("." + d.suffix) for d in domains())


def port_row(port: int) -> PortRow | None:
    """What is known of one port number."""
    return next((p for p in ports() if p.first <= port <= p.last), None)


def interceptor(issuer: Name) -> InterceptorRow | None:
    """The product whose name the issuer bears, or ``None``."""
    return next((r for r in interceptors() if r.matches(issuer)), None)


def expected_issuer(issuer: Name) -> IssuerRow | None:
    """The row of expected issuers that fits, or ``None``: unlisted is not wrong."""
    return next(
        (r for r in issuers() if any(r.pattern.search(v) for v in issuer.values(r.attribute))), None
    )


@cache
def words(language: str) -> Words:
    """The words of ``language`` (a member of :data:`LANGUAGES`)."""
    name = f"words/{language}.toml"
    tables = _read(name)
    causes = {
        key: row(CauseWords, table, f"data/{name}: cause.{key}")
        for key, table in tables.get("cause", {}).items()
    }
    return Words(
        language, causes, tables.get("fact", {}), tables.get("phrase", {}), tables.get("reason", {})
    )
