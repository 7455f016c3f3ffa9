"""The rows of the data tables: what each kind of row says, as frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from diagnoser.model import Name, Role, Symptom, Transport


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
class IntermediateRow:
    """An intermediate of a public CA: its names, and the identifiers of its keys (hex)."""

    organization: str
    common_name: str
    keys: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class FallbackRow:
    """An endpoint to try for a symptom when the error itself names none."""

    symptom: Symptom
    host: str
    port: int
    proven: bool
    source: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A host that an agent needs, wherever it is registered; ``{dc}`` stands for a data centre.

    A name made of such a pattern is a guess (``proven`` is false): it need not exist.
    """

    host: str
    ports: tuple[int, ...]
    proven: bool
    source: str


@dataclass(frozen=True, slots=True)
class DataCenterRow:
    """Names that one data centre is known to have; they stand instead of guesses of their role."""

    id: str
    hosts: tuple[str, ...]
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
class RecipeRow:
    """Which exemption recipe fits: by vendor, by product, or for a kind without its own.

    The steps are words (``Words.recipes``), under the same id.
    """

    id: str
    vendors: tuple[str, ...]
    source: str
    kinds: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def fits(self, product: InterceptorRow) -> bool:
        """Whether this recipe is for ``product``."""
        if product.kind in ("mal", "gov", "dev"):
            return product.kind in self.kinds
        return (
            product.vendor in self.vendors
            or product.product in self.products
            or product.kind in self.kinds
        )


_ANSWERS = frozenset({"licence-out-of-sync", "account-refused", "service-disabled"})


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What is known of one (module, code), optionally only with a message or field that fits.

    Absent ``module`` or ``code`` mean any; a row without a module needs a message or a field.
    ``field`` (matched in any case) and ``value`` come together. ``port`` is the port that such an
    error is about when it names a host alone; always inferred. ``own``: the words are about
    Acronis' licences and quotas; a message that names another's (:class:`OtherRow`) does not fit.
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
    own: bool = False

    @property
    def is_told(self) -> bool:
        """Whether a message or a field decides, and not a number alone."""
        return self.message is not None or self.field is not None

    @property
    def is_answer(self) -> bool:
        """What a user sees refused: a licence, an account, a service. Its reason may follow."""
        return bool(self.suspects) and _ANSWERS.issuperset(self.suspects)

    @property
    def is_of_proxy(self) -> bool:
        """Only a proxy is to blame, whoever reports it under whatever number."""
        return bool(self.suspects) and all(s.startswith("proxy-") for s in self.suspects)

    @property
    def rank(self) -> int:
        """Which row decides where several fit, the lowest first.

        What is said of a proxy is no word of the service behind it. Else a number together with a
        text or field says most. What the user sees fail (licences) must not hide behind a number;
        a proven text says more than a number, an inferred one less, and an outer effect least.
        """
        is_numbered = self.module is not None and self.code is not None
        ranks = (
            self.is_told and self.is_of_proxy,
            is_numbered and self.is_told,
            self.is_told and self.symptom is Symptom.LICENCE_SYNC,
            self.is_told and self.proven,
            is_numbered and bool(self.suspects) and not self.wrapper,
            self.is_told,
            True,
        )
        return ranks.index(True)


@dataclass(frozen=True, slots=True)
class OtherRow:
    """Words that say whose licence or quota a message is about, if it is not Acronis'."""

    id: str
    message: re.Pattern[str]
    source: str


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
    """All words of one language: causes by rule id, facts, phrases of the reports.

    ``sentences`` translate what the lower floors say in English; in English there are none.
    """

    language: str
    causes: dict[str, CauseWords]
    facts: dict[str, str]
    phrases: dict[str, str]
    reasons: dict[str, str]
    recipes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
