"""A received chain held against what its endpoint's role leads one to expect.

The verify code alone is no diagnosis: Acronis storage is signed by Acronis' own CA and is "not
trusted" everywhere, while an interceptor whose root is installed here verifies perfectly. So the
facts that several rules weigh are put together here once, without judging.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from diagnoser import catalog
from diagnoser.catalog import InterceptorRow, IssuerRow, RoleRow
from diagnoser.identifiers import name_matches
from diagnoser.model import (
    CertificateFacts,
    Condition,
    Control,
    Name,
    Origin,
    ProbeResult,
    Role,
    Stage,
    TlsFacts,
    TrustStore,
)
from diagnoser.tls_numbers import DATE_CODES

STORAGE_PORT = 44445
FRESH = timedelta(days=7)
# Who mints a certificate has a clock of his own.
_SKEW = timedelta(days=1)
# OpenSSL's security level 2 (112 bits): SSL_CTX_set_security_level(3).
_LEAST_RSA = 2048
_SMALL_CURVES = frozenset(
    {"secp192r1", "secp160r1", "secp160r2", "secp160k1", "sect163k1", "sect163r2"}
)
_WEAK_HASHES = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Scrutiny:
    """What one received chain shows. ``None`` reads "cannot be told from this probe".

    ``is_ours``: the endpoint is one of Acronis' own, by its domain or its role.
    ``is_public``: it leads to a root of the bundle that is taken for Mozilla's. Where that was
    changed by hand or by the distribution, a company's root stands in it too.
    ``is_pinned``: it leads to the anchor that the role or ``--ca-file`` names (which may be an
    interceptor's own).
    ``is_trusted_here``: this machine's own store accepts it.
    ``is_logged``: the end-entity certificate embeds SCTs (RFC 6962), as public CAs issue them.
    ``is_fresh``: it was issued less than a week before the probe, and not after it: where the
    clock of this machine is behind, its age is not known.
    ``is_minted``: the peer made a certificate for a name that cannot exist.
    ``asks_for_certificate``: the peer sent a CertificateRequest (RFC 8446 section 4.3.2).
    ``has_foreign_key``: its issuer is a public intermediate by name, and it points to a key that
    this intermediate does not have (authorityKeyIdentifier, RFC 5280 section 4.2.1.1).
    ``names_acronis``: a CA that it accepts client certificates from is Acronis' by its name. That
    it is the leaf's own issuer says nothing: a gateway that asks for its company's certificates
    does the same.
    """

    leaf: CertificateFacts
    role: RoleRow
    is_ours: bool
    is_public: bool | None
    is_pinned: bool | None
    is_trusted_here: bool | None
    is_logged: bool | None
    is_fresh: bool | None
    is_minted: bool | None
    is_named_right: bool | None
    asks_for_certificate: bool | None
    has_foreign_key: bool | None
    names_acronis: bool
    product: InterceptorRow | None
    is_box: bool
    issuer: IssuerRow | None

    @property
    def expects_public(self) -> bool:
        """The role is known to present a publicly trusted chain."""
        return self.role.issuer == "public" and self.role.issuer_proven

    @property
    def is_known_product(self) -> bool:
        """The issuer is a product, by a row that is no mere hint (from memory, or any wording)."""
        row = self.product
        return row is not None and row.grade in ("A", "B") and row.kind != "any"

    @property
    def bears_product(self) -> bool:
        """The issuer's name alone proves a product that re-signs.

        A server of the customer's own may bear a certificate of any CA, one named after the device
        that keeps it too: there only the name counts by which a product is known to re-sign.
        """
        row = self.product
        if row is None or not self.is_known_product:
            return False
        return self.is_ours or (row.grade == "A" and row.kind != "box")

    @property
    def is_of_public_ca(self) -> bool | None:
        """A public CA signed it, so no interceptor made it; nothing else need be weighed then.

        Public CAs log what they issue. What the bundle accepts though it is in no log, and is of no
        public CA by name or key, shows a root in that bundle which is not Mozilla's.
        """
        if not self.is_public:
            return self.is_public
        if self.is_minted:
            return False
        if self.is_logged is not False:
            return True
        named = self.issuer is not None and self.issuer.kind == "public"
        return named and not self.bears_product and not self.has_foreign_key

    @property
    def is_anchored(self) -> bool | None:
        """It leads to the anchor that was given, and that anchor may speak for this endpoint.

        What is known to have a public certificate is not made genuine by a company's root. Nor is
        another service of Acronis, unless the chain bears Acronis' marks: the gateway's CA may hang
        below the root that was given for the company's own server.
        """
        if self.expects_public:
            return None
        if self.is_pinned and self.is_ours and not (self.names_acronis or self._is_of_acronis_ca):
            return None
        return self.is_pinned

    @property
    def is_unasking_storage(self) -> bool:
        """Storage that finished a handshake without asking for the agent's certificate."""
        return self.role.id is Role.STORAGE and self.asks_for_certificate is False

    @property
    def _is_of_acronis_ca(self) -> bool:
        return self.issuer is not None and self.issuer.kind == "acronis-storage"

    @property
    def _is_of_own_ca(self) -> bool:
        """A host of Acronis, below a root that was installed on this machine and is no public one.

        A gateway that passes on the request for the agent's certificate passes on its names, too.
        """
        return self.is_ours and bool(self.is_trusted_here) and self.is_public is False

    @property
    def is_as_expected(self) -> bool:
        """By its names alone, all that a flattened transcript has: the right host, a public CA."""
        named = self.is_public is None and self.is_named_right and self.product is None
        named = named and not self.has_foreign_key
        return bool(named and self.issuer is not None and self.issuer.kind == "public")

    @property
    def is_genuine(self) -> bool | None:
        """Whether the real service answered: ``True`` only with proof, ``None`` if it is open."""
        if self.is_minted or (self.is_box and not self.is_named_right):
            return False
        if (self.bears_product or self.has_foreign_key) and not self.is_of_public_ca:
            return False
        if self.is_anchored and not self.is_unasking_storage:
            return True
        if self.is_of_public_ca and self.is_named_right:
            return True
        if self.role.id is Role.STORAGE and self.is_pinned is not False and self.product is None:
            marked = self._is_of_acronis_ca or (self.names_acronis and not self._is_of_own_ca)
            return True if self.asks_for_certificate and marked else None
        return None


def scrutinise(probe: ProbeResult) -> Scrutiny | None:
    """Put together what the received chain of ``probe`` shows; ``None`` where none arrived."""
    tls = probe.tls
    leaf = tls.end_entity if tls else None
    if tls is None or leaf is None:
        return None
    product = catalog.interceptor(leaf.issuer)
    role = expectation(probe.endpoint.role)
    return Scrutiny(
        leaf=leaf,
        role=role,
        is_ours=role.issuer == "public" or catalog.in_domain(probe.endpoint.host),
        is_public=_leads_to_root(tls, TrustStore.MOZILLA),
        is_pinned=_leads_to_root(tls, TrustStore.ROLE),
        is_trusted_here=_leads_to_root(tls, TrustStore.SYSTEM),
        is_logged=None if leaf.timestamps is None else bool(leaf.timestamps),
        is_fresh=_is_fresh(probe, leaf),
        is_minted=_is_minted(probe),
        is_named_right=_is_named_right(probe, leaf),
        asks_for_certificate=_asks_for_certificate(probe, tls),
        has_foreign_key=_has_foreign_key(leaf),
        names_acronis=_names_acronis(tls),
        product=product,
        is_box=_is_box(leaf, product),
        issuer=catalog.expected_issuer(leaf.issuer),
    )


def expectation(role: Role) -> RoleRow:
    """What the catalogue expects of a role; of an unlisted one, nothing."""
    return catalog.roles().get(role) or RoleRow(role, (), "any", False, False, False, "no row")


def _leads_to_root(tls: TlsFacts, store: TrustStore) -> bool | None:
    result = tls.verified_by(store)
    if result is None:
        return None
    # Chain building and signatures are checked before dates: a date fault at depth 0 means that
    # the path itself holds. Above that it is open, unless the path holds at the server's own time.
    at_server = (v.code for v in tls.verify_at_server_time if v.trust_store is store)
    holds = result.code == 0 or next(at_server, None) == 0
    return holds or (result.code in DATE_CODES and result.depth == 0)


def _is_fresh(probe: ProbeResult, leaf: CertificateFacts) -> bool | None:
    if leaf.not_before is None or leaf.not_before - probe.at > _SKEW:
        return None
    return probe.at - leaf.not_before < FRESH


def _is_minted(probe: ProbeResult) -> bool | None:
    control = probe.control(Control.NONSENSE_NAME)
    if control is None or control.certificate is None:
        return None
    return name_matches(control.question, control.certificate)


def _is_named_right(probe: ProbeResult, leaf: CertificateFacts) -> bool | None:
    if probe.asked_name is None:
        return None
    if leaf.dns_names is None:
        # A flattened transcript: the common name can confirm, its silence refutes nothing.
        return name_matches(probe.asked_name, leaf) or None
    return name_matches(probe.asked_name, leaf)


def _asks_for_certificate(probe: ProbeResult, tls: TlsFacts) -> bool | None:
    if tls.client_certificate_requested:
        return True
    if probe.origin is not Origin.LIVE:
        # A text that was cut, or TLS 1.3 in a capture, does not show whether a request came.
        return tls.client_certificate_requested
    # Only a finished handshake shows that no request came.
    return False if probe.stage(Stage.HANDSHAKE).condition is Condition.MET else None


def _has_foreign_key(leaf: CertificateFacts) -> bool | None:
    known = catalog.intermediate(leaf.issuer)
    if known is None or leaf.authority_key_identifier is None:
        return None
    return leaf.authority_key_identifier not in known.keys


def _names_acronis(tls: TlsFacts) -> bool:
    return any(says_acronis(name) for name in tls.client_ca_names)


def says_acronis(name: Name) -> bool:
    """Whether an organisation of a distinguished name is Acronis, by the word."""
    return any("acronis" in v.lower() for v in (*name.values("O"), *name.values("OU")))


def _is_box(leaf: CertificateFacts, product: InterceptorRow | None) -> bool:
    """The device answers as itself: its vendor stands in the subject too, or it signed itself."""
    if product is None:
        return False
    same_vendor = any(
        row.vendor == product.vendor and row.matches(leaf.subject) for row in catalog.interceptors()
    )
    return leaf.is_self_issued or (same_vendor and product.kind in ("box", "net", "any"))


def weaknesses(tls: TlsFacts) -> tuple[str, ...]:
    """What a current TLS library would refuse in the received chain: a key, or how it is signed.

    A path that a store accepts may leave out what was sent above the end-entity certificate.
    """
    is_bridged = any(v.code == 0 for v in tls.verify)
    looked_at = tls.received_chain[:1] if is_bridged else tls.received_chain
    return tuple(f"{weak} ({c.subject})" for c in looked_at if (weak := _weakness(c)))


def _weakness(certificate: CertificateFacts) -> str | None:
    kind, _, size = (certificate.key or "").partition(" ")
    if kind in ("RSA", "DSA") and size.isdigit() and int(size) < _LEAST_RSA:
        return str(certificate.key)
    if kind == "EC" and size in _SMALL_CURVES:
        return str(certificate.key)
    # Nobody checks the signature that a root makes of itself.
    weak_hash = not certificate.is_self_issued and certificate.signature_hash in _WEAK_HASHES
    return certificate.signature_hash if weak_hash else None
