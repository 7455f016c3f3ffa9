"""A report without what names its owner: a pure function from report to report.

Hosts outside Acronis, addresses, people, machines, plans, tenants, accounts and GUIDs become tokens
(``host-1.domain-1.redacted``, ``user-1``), the same for the same value in every case, field and
spelling. What a diagnosis rests on stays: Acronis' hosts, ports, codes, and the names of issuers.
Renderers know nothing of it: they are given the redacted report.

A certificate whose names, or whose extensions, hold something that a token stands for keeps its
facts (with tokens) and loses its PEM, which cannot be changed without breaking its signature. The
fingerprints of such a certificate go too if it was publicly logged, because the logs lead from
there back to the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from diagnoser import catalog
from diagnoser.model import (
    Attribute,
    CertificateFacts,
    Endpoint,
    Field,
    Name,
    ProbeResult,
    Report,
    TlsFacts,
    TrustStore,
    Vantage,
)
from diagnoser.reports.confidential import Secret, Trace, is_secret_key, secrets
from diagnoser.reports.naming import Kind, is_common, kind_of_key, names_host
from diagnoser.reports.scrubbing import scrub, without_pem
from diagnoser.reports.tokens import Entry, Ledger, fold, searcher, tokens_in
from diagnoser.reports.traces import kind_of_address, names, shapes
from diagnoser.reports.trees import field_names, with_parts
from diagnoser.reports.vendors import recognised, with_vendor

T = TypeVar("T")

_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Redacted:
    """A report that may be shown to others, and what its tokens stand for, which may not."""

    report: Report
    entries: tuple[Entry, ...]


def redact(report: Report) -> Redacted:
    """``report`` with tokens in place of names and without secrets."""
    redactor = _Redactor(report)
    # A name may be told of at the end and stand bare at the beginning.
    redactor.walk(report)
    redactor.settle()
    return Redacted(redactor.walk(report), redactor.entries)


def conceal(report: Report) -> Report:
    """``report`` without secrets; names stay."""
    redactor = _Redactor(report, only_secrets=True)
    concealed = redactor.walk(report)
    if not redactor.has_learnt:
        return concealed
    redactor.settle()
    return redactor.walk(report)


class _Redactor:
    """Walks a report twice: once to learn what there is, once to replace it."""

    def __init__(self, report: Report, *, only_secrets: bool = False) -> None:
        self._only_secrets = only_secrets
        self._hostname = report.vantage.hostname
        taken = () if only_secrets else (t for s in _strings(report) for t in tokens_in(s))
        self._ledger = Ledger(taken)
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self._done: dict[str, str] = {}
        self._special: dict[type, Callable[..., object]] = {
            Vantage: self._vantage,
            Endpoint: self._endpoint,
            ProbeResult: self._probe,
            Field: self._field,
            Attribute: self._attribute,
            Name: self._distinguished,
            CertificateFacts: self._certificate,
            TlsFacts: self._tls,
        }

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the tokens stand for."""
        return self._ledger.entries

    @property
    def has_learnt(self) -> bool:
        """Whether there is a secret that may stand bare in another place."""
        return bool(self._secrets)

    def settle(self) -> None:
        """From now on search for everything that was learnt."""
        self._known = searcher((*self._ledger.spellings, *map(fold, sorted(self._secrets))))
        self._done.clear()

    def walk(self, value: T) -> T:
        """``value`` with every string in it redacted, by the type of what holds it."""
        if isinstance(value, str):
            # StrEnum members are words of our own.
            return self.text(value) if type(value) is str else value  # type: ignore[return-value]
        special = self._special.get(type(value))
        return self._fields(value) if special is None else special(value)  # type: ignore[return-value]

    def _fields(self, value: T) -> T:
        return with_parts(value, self.walk)

    def text(self, text: str) -> str:
        """One string of which nothing is known but its letters."""
        known = self._done.get(text)
        if known is None:
            bare = text if self._only_secrets else without_pem(text)
            known = self._done[text] = scrub(bare, self._look, self._across, self._name)
        # An equal string from elsewhere would make what holds it a changed one.
        return text if known == text else known

    def _look(self, text: str) -> Iterator[Trace]:
        yield from self._learnt(text)
        yield from secrets(text)
        if not self._only_secrets:
            yield from names(text)

    def _across(self, text: str) -> Iterator[Trace]:
        """What may be believed of a text whose lines were joined: what has an unmistakable form."""
        yield from self._learnt(text)
        yield from secrets(text)
        if self._only_secrets:
            return
        for trace in shapes(text):
            if trace.kind is not Kind.HOST or trace.value.count(".") > 1:
                yield trace

    def _learnt(self, text: str) -> Iterator[Trace]:
        if self._known is None:
            return
        for match in self._known.finditer(text):
            is_secret = fold(match[0]) in self._secrets
            yield Trace(*match.span(), Secret.SECRET if is_secret else Kind.NAME, match[0])

    def _name(self, trace: Trace) -> str:
        if isinstance(trace.kind, Secret):
            self._learn_secret(trace.value)
            return trace.kind.value
        learnt = self._ledger.spellings.get(fold(trace.value))
        return learnt or self._ledger.token(trace.kind, trace.value)

    def _learn_secret(self, value: str) -> None:
        key = fold(value)
        if _SHORTEST_SECRET <= len(key) <= 100 and not is_common(key) and not key.startswith("["):
            self._secrets.add(key)

    def _vantage(self, vantage: Vantage) -> Vantage:
        return replace(
            vantage,
            hostname=self._host(vantage.hostname),
            system=self.text(vantage.system),
            trust_store=self.text(vantage.trust_store),
        )

    def _probe(self, probe: ProbeResult) -> ProbeResult:
        # A machine's name may be too short to be searched for.
        own = probe.vantage == self._hostname
        vantage = self._host(probe.vantage) if own else self.text(probe.vantage)
        return _with(self._fields(probe), vantage=vantage)

    def _endpoint(self, endpoint: Endpoint) -> Endpoint:
        name = endpoint.server_name
        return _with(
            self._fields(endpoint),
            host=self._host(endpoint.host),
            server_name=None if name is None else self._host(name),
        )

    def _host(self, text: str) -> str:
        if self._only_secrets:
            return self.text(text)
        if (kind := kind_of_address(text)) is not None:
            return self._ledger.token(kind, text)
        if names_host(text, told=True):
            return self._ledger.token(Kind.HOST, text)
        return self.text(text)

    def _field(self, field: Field) -> Field:
        key, value = self.text(field.key), field.value
        kind = kind_of_key(field.key)
        if is_secret_key(field.key):
            if value:
                self._learn_secret(value)
                value = Secret.SECRET.value
        elif kind is None or self._only_secrets:
            value = self.text(value)
        elif kind is Kind.HOST:
            value = self._host_field(value)
        elif not is_common(value) and not value.isspace():
            found = self.text(value)
            # An Acronis host, a path or an address speaks for itself, whatever its key.
            told = found == value and not any(c in value for c in "/\\@")
            value = self._ledger.token(kind, value) if told and not _is_acronis(value) else found
        path = self.text(field.path)
        return _with(field, key=key, value=value, at=self.walk(field.at), path=path)

    def _host_field(self, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not (colon and port.isdigit()):
            host, colon, port = value, "", ""
        if re.fullmatch(r"[^\s/\\:@]{2,253}", host):
            return f"{self._host(host)}{colon}{port}"
        return self.text(value)

    def _attribute(self, attribute: Attribute) -> Attribute:
        return _with(attribute, key=self.text(attribute.key), value=self.text(attribute.value))

    def _distinguished(self, name: Name) -> Name:
        """A name with tokens, by which the catalogue still recognises whom it recognised."""
        changed = Name(tuple(self._attribute(a) for a in name.attributes))
        if changed == name or recognised(changed) == recognised(name):
            return changed
        pairs = zip(name.attributes, changed.attributes, strict=True)
        return Name(tuple(with_vendor(old, new) for old, new in pairs))

    def _certificate(self, certificate: CertificateFacts) -> CertificateFacts:
        if self._only_secrets:
            return self._fields(certificate)
        pem = certificate.pem
        changed = self._fields(replace(certificate, pem=None))
        own = ("subject", "issuer", "dns_names", "ip_addresses")
        named = any(getattr(certificate, n) != getattr(changed, n) for n in own)
        if pem is not None and not named and not self._tells(pem):
            return replace(changed, pem=pem)
        if named and certificate.timestamps:
            return replace(
                changed, serial=None, sha256=None, key_sha256=None, subject_key_identifier=None
            )
        return changed

    def _tells(self, pem: str) -> bool:
        """Whether anything written in a certificate would be replaced, or it cannot be read."""
        # It brings cryptography, which a report without a certificate does not need.
        from diagnoser.reports.inscriptions import inscriptions  # noqa: PLC0415

        written = inscriptions(pem)
        return written is None or any(self.text(w) != w for w in written)

    def _tls(self, tls: TlsFacts) -> TlsFacts:
        if not self._only_secrets:
            self._learn_owners(tls)
        return self._fields(tls)

    def _learn_owners(self, tls: TlsFacts) -> None:
        """A common name may be a machine's, and nothing in its form shows it."""
        public = tls.verified_by(TrustStore.MOZILLA)
        issuers = {v for c in tls.received_chain for v in c.issuer.values("CN")}
        for certificate in tls.received_chain[:1]:
            for value in certificate.subject.values("CN"):
                issued = value in issuers and not certificate.is_self_issued
                trusted = public is not None and public.code == 0
                if not (issued or trusted or catalog.interceptor(certificate.subject)):
                    self._learn_machine(value)
        if tls.client_certificate is not None:
            for value in tls.client_certificate.subject.values("CN"):
                self._learn_machine(value)

    def _learn_machine(self, value: str) -> None:
        if " " not in value and names_host(value, told=True):
            self._ledger.token(Kind.HOST, value)


def _with(old: T, /, **fields: Any) -> T:
    """``old`` with other fields; itself where none is another."""
    same = all(getattr(old, name) == new for name, new in fields.items())
    return old if same else replace(old, **fields)  # type: ignore[type-var]


def _is_acronis(value: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+(?::\d{1,5})?", value)) and catalog.in_domain(
        value.partition(":")[0]
    )


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _strings(item)
    else:
        for name in field_names(value):
            yield from _strings(getattr(value, name))
