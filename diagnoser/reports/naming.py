"""Which words name somebody, and which belong to everybody.

Names of Acronis' services, of public authorities in the package's own tables, and the words that
diagnoser itself writes say nothing about who uses it. They stay, and so does what a diagnosis
rests on.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from diagnoser import catalog
from diagnoser.catalog.loading import read
from diagnoser.deferral import pattern


class Kind(StrEnum):
    """What a token stands for; the value is how the token begins."""

    HOST = "host"
    DOMAIN = "domain"
    ADDRESS = "addr"
    PRIVATE_ADDRESS = "private-addr"
    MAC = "mac"
    MAIL = "mail"
    USER = "user"
    PLAN = "plan"
    TENANT = "tenant"
    ACCOUNT = "account"
    ARCHIVE = "archive"
    NAME = "name"
    GUID = "guid"


_PREFIXES = "|".join(sorted((k.value for k in Kind), key=len, reverse=True))
TOKEN = pattern(rf"(?:{_PREFIXES})-\d{{1,7}}(?:\.(?:host|domain)-\d{{1,7}}){{0,20}}(?:\.redacted)?")

_HIDDEN = pattern(r"domain-\d{1,7}\.redacted")
_NONSENSE = pattern(r"probe-[0-9a-f]{16}\.invalid|unknown-host\.invalid")
_DOTTED = pattern(r"(?:[a-z0-9_.-]+@)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z]{2,24}")


@dataclass(frozen=True, slots=True)
class _Privacy:
    """The tables of ``data/privacy.toml``."""

    kinds: dict[str, Kind]
    everybody: frozenset[str]
    files: frozenset[str]
    files_or_countries: frozenset[str]
    hosts: frozenset[str]
    second_levels: frozenset[str]
    authorities: frozenset[str]


@cache
def _privacy() -> _Privacy:
    tables = read("privacy.toml", "keys", "everybody", "dotted")
    kinds = {key: Kind(kind) for kind, keys in tables["keys"].items() for key in keys}
    dotted = {key: frozenset(words) for key, words in tables["dotted"].items()}
    return _Privacy(kinds, frozenset(tables["everybody"]["words"]), **dotted)


def kind_of_key(key: str) -> Kind | None:
    """What the value of a field, or the word behind a noun, names; ``None``: nobody."""
    if len(key) > 60:
        return None
    plain = unicodedata.normalize("NFKC", key).lower()
    return _privacy().kinds.get(re.sub(r"[\W_]", "", plain))


def is_common(text: str) -> bool:
    """Whether a name is everybody's: a well-known account, an empty value, a token."""
    plain = " ".join(text.split()).casefold().strip("\"'")
    if len(plain) < 2 or plain in _privacy().everybody or plain.startswith("[secret"):
        return True
    return plain in _everyday_words() or TOKEN.fullmatch(plain) is not None


@cache
def _everyday_words() -> frozenset[str]:
    """Words that the reports and tables themselves use: as a name they tell of nobody."""
    found: set[str] = set()
    for path in (catalog.DATA / "words" / "en.toml", catalog.DATA / "errors.toml"):
        found.update(re.findall(r"[a-z]{2,}", path.read_text("utf-8").lower()))
    return frozenset(found)


@cache
def _public_names() -> frozenset[str]:
    """Names and addresses in the package's own tables: sources, vendors, authorities."""
    found: set[str] = set()
    for path in sorted(catalog.DATA.glob("*.toml")):
        found.update(_DOTTED.findall(path.read_text("utf-8").lower().replace("\\", "")))
    return frozenset(found)


def is_public_mail(text: str) -> bool:
    """Whether a mail address is one that a vendor puts into certificates."""
    plain = text.casefold()
    office, _, domain = plain.partition("@")
    return plain in _public_names() or (office == "support" and domain in _public_domains())


@cache
def _public_domains() -> frozenset[str]:
    return frozenset(domain_of(n.rpartition("@")[2]) for n in _public_names())


def canonical_host(text: str) -> str:
    """A host name in the one spelling that it is compared in: lower case, ASCII (RFC 5890)."""
    plain = unicodedata.normalize("NFKC", text).casefold().rstrip(".")
    if plain.isascii():
        return plain
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def names_host(text: str, *, told: bool = False) -> bool:
    """Whether ``text`` is a host name that is not Acronis' own nor a public authority's.

    ``told``: the place says that it is a host, so that one label will do.
    """
    name = canonical_host(text)
    labels = name.split(".")
    if len(name) < 2 or is_common(name) or _is_public(name):
        return False
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]+", labels[-1]):
        return False
    if told:
        return len(labels) > 1 or not name.isdigit()
    return len(labels) > 1 and _is_host_by_form(text.rstrip("."), labels)


def _is_public(name: str) -> bool:
    domain = domain_of(name)
    if domain in _privacy().authorities or _HIDDEN.fullmatch(domain):
        return True
    if _NONSENSE.fullmatch(name) or name in _public_names() or name.endswith(".service.consul"):
        return True
    return any(name == d.suffix or name.endswith("." + d.suffix) for d in catalog.domains())


def _is_host_by_form(text: str, labels: list[str]) -> bool:
    """Whether dotted words are a host rather than a file, a class or the end of a sentence."""
    last, end = labels[-1], text.rpartition(".")[2]
    if not (re.fullmatch(r"[a-z]{2,24}", last) or last.startswith("xn--")):
        return False
    if last in _privacy().files:
        return False
    if last in _privacy().files_or_countries:
        return len(labels) > 2
    if last in _privacy().hosts:
        return True
    # ``failed.Please`` and ``System.Management``; a host is written in one case.
    return end.islower() or (end.isupper() and text.isupper())


def domain_of(name: str) -> str:
    """The part of a canonical host name that its owner registered, as far as the form tells."""
    labels = name.split(".")
    size = (
        3
        if len(labels[-1]) == 2 and labels[-2:-1] and labels[-2] in _privacy().second_levels
        else 2
    )
    return ".".join(labels[-size:])
