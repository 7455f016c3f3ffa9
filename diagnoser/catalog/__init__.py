"""The data tables: endpoints, interceptors, error codes, labels and words, checked at load.

Code decides, data names. Every row carries its source and whether it is *proven* (seen in a
vendor's text or a real certificate) or *inferred*; an inferred row can raise a suspicion, never a
certainty. A wrong table is a :class:`~diagnoser.errors.CatalogError` that names file and key.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from diagnoser.catalog.loading import DATA, load_rows, read, regex, row
from diagnoser.catalog.rows import (
    CauseWords,
    DataCenterRow,
    DomainRow,
    ErrorRow,
    FallbackRow,
    HostRow,
    InterceptorRow,
    IntermediateRow,
    IssuerRow,
    LabelRow,
    OtherRow,
    PortRow,
    RecipeRow,
    RoleRow,
    ServiceRow,
    TrapRow,
    Words,
)
from diagnoser.errors import CatalogError
from diagnoser.model import Name, Role

if TYPE_CHECKING:
    from collections.abc import Callable

LANGUAGES = ("en", "ja")

T = TypeVar("T")

__all__ = [
    "DATA",
    "LANGUAGES",
    "CauseWords",
    "DataCenterRow",
    "DomainRow",
    "ErrorRow",
    "FallbackRow",
    "HostRow",
    "InterceptorRow",
    "IntermediateRow",
    "IssuerRow",
    "LabelRow",
    "OtherRow",
    "PortRow",
    "RecipeRow",
    "RoleRow",
    "ServiceRow",
    "TrapRow",
    "Words",
    "data_centers",
    "domains",
    "errors",
    "expected_issuer",
    "fallbacks",
    "host_row",
    "hosts",
    "in_domain",
    "interceptor",
    "interceptors",
    "intermediate",
    "intermediates",
    "is_catalogued",
    "issuers",
    "known_codes",
    "labels",
    "others",
    "port_row",
    "ports",
    "recipe",
    "recipes",
    "role_of",
    "roles",
    "row",
    "services",
    "traps",
    "words",
]


_ENDPOINT_TABLES = (
    "role", "host", "domain", "port", "trap", "issuer", "fallback", "service", "data_center",
)  # fmt: skip


def _endpoint_rows(cls: type[T], key: str, identity: Callable[[T], object]) -> tuple[T, ...]:
    """The rows of one table of endpoints.toml; two rows with one identity are an error."""
    rows = load_rows(cls, "endpoints.toml", key, *_ENDPOINT_TABLES)
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


@cache
def services() -> tuple[ServiceRow, ...]:
    """What an agent needs, in the order in which it needs it."""
    rows = _endpoint_rows(ServiceRow, "service", lambda r: r.host)
    for r in rows:
        _check_ports(f"endpoints.toml: service {r.host}", *r.ports)
    return rows


@cache
def data_centers() -> tuple[DataCenterRow, ...]:
    """Data centres some of whose names are known."""
    return _endpoint_rows(DataCenterRow, "data_center", lambda r: r.id)


def _condition(r: ErrorRow) -> tuple[object, ...]:
    """What an error row asks for; two rows that ask the same cannot both be right."""
    texts = (p.pattern if p else None for p in (r.message, r.value))
    return (r.module, r.code, r.field, *texts)


@cache
def errors() -> tuple[ErrorRow, ...]:
    """Known errors, the most specific first: of several that fit a frame the first decides."""
    rows = load_rows(ErrorRow, "errors.toml", "error", "error", "other")
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
def known_codes() -> frozenset[int]:
    """The combined codes that rows of the error table are about."""
    return frozenset(
        r.module << 16 | r.code for r in errors() if r.module is not None and r.code is not None
    )


@cache
def others() -> tuple[OtherRow, ...]:
    """Words about the licences and quotas of other products."""
    return load_rows(OtherRow, "errors.toml", "other", "error", "other")


@cache
def labels() -> tuple[LabelRow, ...]:
    """The labels of labelled blocks, a row a language."""
    return load_rows(LabelRow, "labels.toml", "label")


@cache
def interceptors() -> tuple[InterceptorRow, ...]:
    """Products that re-sign TLS, in the order in which they are tried."""
    found = []
    for i, t in enumerate(read("interceptors.toml").get("interceptor", []), 1):
        where = f"data/interceptors.toml: interceptor {i}"
        parts = []
        for rule in t.get("issuer", ()):
            keys, tilde, pattern = rule.partition("~")
            if not tilde:
                raise CatalogError(f"{where}: {rule!r} has no '~'")
            try:
                parts.append((tuple(keys.split("|")), regex(pattern)))
            except ValueError as error:
                raise CatalogError(f"{where}: key 'issuer': {error}") from error
        if not parts:
            raise CatalogError(f"{where}: missing key 'issuer'")
        plain = {k: v for k, v in t.items() if k != "issuer"} | {"rules": tuple(parts)}
        found.append(row(InterceptorRow, plain, where))
    return tuple(found)


@cache
def recipes() -> tuple[RecipeRow, ...]:
    """Exemption recipes, in the order in which they are tried; those of a kind stand last."""
    return load_rows(RecipeRow, "recipes.toml", "recipe", "recipe")


def recipe(product: InterceptorRow) -> RecipeRow | None:
    """The recipe for one product, or for its kind."""
    return next((r for r in recipes() if r.fits(product)), None)


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
def intermediates() -> tuple[IntermediateRow, ...]:
    """Intermediates of public CAs whose keys are known."""
    rows = load_rows(IntermediateRow, "authorities.toml", "intermediate", "intermediate")
    for r in rows:
        if not r.keys or any(k != k.lower() or len(k) != 40 for k in r.keys):
            raise CatalogError(f"data/authorities.toml: {r.common_name!r}: key 'keys' is not hex")
    return rows


def intermediate(issuer: Name) -> IntermediateRow | None:
    """The public intermediate that ``issuer`` names, if its keys are known."""
    return next(
        (
            r
            for r in intermediates()
            if r.common_name == issuer.first("CN") and r.organization == issuer.first("O")
        ),
        None,
    )


@cache
def words(language: str) -> Words:
    """The words of ``language`` (a member of :data:`LANGUAGES`)."""
    name = f"words/{language}.toml"
    tables = read(name)
    causes = {
        key: row(CauseWords, table, f"data/{name}: cause.{key}")
        for key, table in tables.get("cause", {}).items()
    }
    return Words(
        language,
        causes,
        tables.get("fact", {}),
        tables.get("phrase", {}),
        tables.get("reason", {}),
        {key: tuple(table["steps"]) for key, table in tables.get("recipe", {}).items()},
        tables.get("sentence", {}),
    )
