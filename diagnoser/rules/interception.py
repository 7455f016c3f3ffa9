"""Does somebody between the agent and Acronis re-sign TLS? Proofs first, names second.

A chain of a public CA was not made by a box in the middle: nothing else is weighed then. Nor was
one that leads to the anchor given for a server of the customer's own, unless that is the
interceptor's: its maker mints for any name, or it bears a product's. An issuer that is merely
unknown is never an accusation.
"""

from __future__ import annotations

from dataclasses import replace

from diagnoser import catalog
from diagnoser.catalog import InterceptorRow
from diagnoser.identifiers import name_matches
from diagnoser.model import (
    Case,
    Category,
    CertificateFacts,
    Evidence,
    Finding,
    ProbeResult,
    Role,
    Stage,
    Standing,
    Transport,
)
from diagnoser.reasoning import Rule, fact, good_address, met_facts, probe_rule
from diagnoser.scrutiny import STORAGE_PORT, Scrutiny, says_acronis, scrutinise


def _shown(probe: ProbeResult, seen: Scrutiny) -> tuple[Evidence, ...]:
    leaf = seen.leaf
    found = [
        fact(probe, Stage.HANDSHAKE, "host", probe.endpoint.host),
        fact(probe, Stage.HANDSHAKE, "port", probe.endpoint.port),
        fact(probe, Stage.HANDSHAKE, "subject", leaf.subject),
        fact(probe, Stage.HANDSHAKE, "issuer", leaf.issuer),
    ]
    if seen.product is not None:
        found.append(Evidence("interceptor", _called(seen.product, leaf), "catalogue"))
        found.append(Evidence("interceptor_source", seen.product.source, "catalogue"))
        found.append(Evidence("interceptor_sits", f"sits-{seen.product.kind}", "catalogue"))
    if probe.tls is not None:
        found += [
            fact(probe, Stage.VERIFY, f"verify_{v.trust_store.value}", f"{v.name} ({v.code})")
            for v in probe.tls.verify
        ]
    if other := good_address(probe):
        met = probe.stage(Stage.CONNECT)
        found += [fact(probe, Stage.CONNECT, "this_address", met.detail), *other]
    return tuple(found)


def _called(product: InterceptorRow, leaf: CertificateFacts) -> str:
    """What to call a product; one that is known by its wording alone, by what it calls itself."""
    if product.kind != "any":
        return f"{product.product} ({product.vendor})"
    own = leaf.issuer.first("CN") or leaf.issuer.first("O") or str(leaf.issuer)
    return f"an inspection product that calls itself '{own}'"


def _named(seen: Scrutiny) -> str:
    """The product in the issuer, for the evidence."""
    product = seen.product
    return "an inspection product" if product is None or product.kind == "any" else product.product


def _advice(seen: Scrutiny) -> tuple[Evidence, ...]:
    """How to exempt a host in this product, where there is a recipe."""
    recipe = None if seen.product is None else catalog.recipe(seen.product)
    if recipe is None:
        return ()
    return (Evidence("recipe", recipe.id, f"catalogue: {recipe.source}"),)


def _without_tls(probe: ProbeResult) -> Finding | None:
    if probe.endpoint.transport is Transport.TCP:
        return Finding(Standing.RULED_OUT, (fact(probe, Stage.CONNECT, "transport", "tcp"),))
    return None


def _is_unasked(probe: ProbeResult, seen: Scrutiny) -> bool:
    """The storage port finished a handshake without asking for the agent's certificate."""
    return seen.is_unasking_storage and probe.endpoint.port == STORAGE_PORT and seen.issuer is None


def _foreign_key(probe: ProbeResult, seen: Scrutiny) -> Evidence:
    key = seen.leaf.authority_key_identifier
    return fact(probe, Stage.HANDSHAKE, "foreign_issuer_key", key)


def _proofs(probe: ProbeResult, seen: Scrutiny) -> tuple[Evidence, ...]:
    """Facts that only an interceptor explains."""
    found = []
    if seen.is_minted:
        found.append(fact(probe, Stage.HANDSHAKE, "minted_for_nonsense_name", "yes"))
    # Elsewhere the port number alone makes it storage; and who signed himself re-signed nothing.
    ours = catalog.in_domain(probe.endpoint.host)
    if _is_unasked(probe, seen) and ours and not seen.leaf.is_self_issued:
        found.append(fact(probe, Stage.HANDSHAKE, "certificate_request", "none"))
    if seen.bears_product:
        found.append(fact(probe, Stage.HANDSHAKE, "issuer_is_interceptor", _named(seen)))
    if seen.has_foreign_key and seen.is_logged is False:
        found.append(_foreign_key(probe, seen))
    unlogged = seen.is_logged is False and seen.expects_public and not seen.leaf.is_self_issued
    if unlogged and seen.is_named_right and seen.issuer is None:
        if seen.is_trusted_here and seen.is_public is False:
            found.append(fact(probe, Stage.VERIFY, "trusted_only_here", "yes"))
        if seen.is_fresh and seen.leaf.has_revocation_pointers is False:
            found.append(fact(probe, Stage.HANDSHAKE, "freshly_minted", seen.leaf.not_before))
    return tuple(found)


def _signs(probe: ProbeResult, seen: Scrutiny) -> tuple[Evidence, ...]:
    """Facts that an interceptor explains best, and something else might."""
    found = []
    expects_public = seen.role.issuer == "public"
    ours = seen.role.id is Role.STORAGE and catalog.in_domain(probe.endpoint.host)
    # A customer's own server may bear a certificate of any CA, a hint of a name included.
    if seen.product is not None and (expects_public or ours):
        found.append(fact(probe, Stage.HANDSHAKE, "issuer_is_interceptor", _named(seen)))
    if _is_unasked(probe, seen):
        found.append(fact(probe, Stage.HANDSHAKE, "certificate_request", "none"))
    if seen.has_foreign_key:
        found.append(_foreign_key(probe, seen))
    own = seen.issuer is not None and seen.issuer.kind == "acronis-storage"
    if own and not seen.role.issuer_proven:
        # Who trusts Acronis' own CA has installed just that.
        return tuple(found)
    unknown = seen.is_of_public_ca is False and seen.is_logged is False
    if seen.is_trusted_here and unknown and (expects_public or ours):
        found.append(fact(probe, Stage.VERIFY, "trusted_only_here", "yes"))
    # A stranger that signed itself is another host's default certificate, nobody's re-signing.
    stranger = seen.leaf.is_self_issued and not seen.is_named_right
    if expects_public and unknown and not stranger:
        found.append(fact(probe, Stage.HANDSHAKE, "no_certificate_timestamps", "yes"))
    # KB 70285: the subject of Acronis storage says so, and whoever re-signs it mostly copies that.
    told = (seen.leaf.subject, seen.leaf.issuer)
    nameless = not seen.names_acronis and not any(map(says_acronis, told))
    if ours and nameless and not seen.is_of_public_ca and not seen.leaf.is_self_issued:
        found.append(fact(probe, Stage.HANDSHAKE, "names_of_acronis", "none"))
    return tuple(found)


def _weigh(probe: ProbeResult) -> tuple[Scrutiny | None, Finding]:
    if found := _without_tls(probe):
        return None, found
    seen = scrutinise(probe)
    if seen is None:
        return None, Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    shown = _shown(probe, seen)
    if seen.is_of_public_ca or (seen.is_anchored and seen.is_genuine):
        return seen, Finding(Standing.RULED_OUT, shown)
    if seen.is_box and not seen.is_minted and not seen.is_named_right:
        return seen, Finding(Standing.RULED_OUT, shown)
    if proofs := _proofs(probe, seen):
        return seen, Finding(Standing.APPLIES, shown + proofs + _advice(seen))
    if seen.is_genuine:
        return seen, Finding(Standing.RULED_OUT, shown)
    if seen.is_as_expected:
        # All that a flattened transcript has, and what KB 70285 calls a good chain: a mere
        # suspicion of the error does not outweigh it.
        return seen, Finding(Standing.RULED_OUT, shown)
    if signs := _signs(probe, seen):
        return seen, Finding(Standing.SUSPECTED, shown + signs + _advice(seen))
    return seen, Finding(Standing.UNDECIDED, shown)


@probe_rule(Category.MITM_CERTIFICATE)
def intercepted_and_trusted_here(probe: ProbeResult) -> Finding:
    """TLS is re-signed on the way, and the re-signing root is installed on this machine.

    Decided by: the proofs of ``tls-intercepted``, and this machine's own trust store accepts the
    chain although the public Mozilla bundle does not. Browsers and connection checkers say "OK"
    here, while Acronis storage refuses such a chain (KB 70285).
    Not to be confused with: a public CA newer than the bundle, which logs its certificates.
    """
    seen, found = _weigh(probe)
    if seen is None or found.standing in (Standing.RULED_OUT, Standing.UNDECIDED):
        return found
    # A root that was only named with --ca-file is not installed.
    if seen.is_trusted_here is None:
        return Finding(Standing.UNDECIDED, found.evidence)
    if not seen.is_trusted_here:
        return Finding(Standing.RULED_OUT, found.evidence)
    return found


@probe_rule(Category.MITM_CERTIFICATE)
def tls_intercepted(probe: ProbeResult) -> Finding:
    """A device or program between the agent and Acronis re-signs the TLS connection.

    Decided by: the peer mints a certificate for a name that cannot exist; or storage port 44445
    does not ask for the agent's certificate; or a freshly made, unlogged certificate stands where
    a public one is expected; or it names a public CA and was signed with a key that this CA does
    not have; or two hosts answer with different certificates of one key; or the issuer bears the
    name of a product known to re-sign.
    Not to be confused with: Acronis' own storage CA, a missing intermediate, an unlisted public
    CA, or the firewall's own certificate (``box-certificate``).
    """
    return _weigh(probe)[1]


@probe_rule(Category.MITM_CERTIFICATE)
def box_certificate(probe: ProbeResult) -> Finding:
    """The firewall answers as itself: its own certificate, for its own name.

    Decided by: the issuer is a known device, the subject is the device too (or it signed itself),
    and the certificate does not name the host that was asked for. A block page or a wrong route.
    Suspected where a host of Acronis is answered for another name by an issuer that sounds like a
    device; undecided where that issuer is merely unknown.
    Not to be confused with: a certificate re-signed for the host, ``tls-intercepted``.
    """
    if found := _without_tls(probe):
        return found
    seen = scrutinise(probe)
    if seen is None:
        return Finding(Standing.UNDECIDED, met_facts(probe, Stage.HANDSHAKE))
    shown = _shown(probe, seen)
    if seen.is_of_public_ca or seen.is_named_right or seen.is_minted or seen.is_genuine:
        return Finding(Standing.RULED_OUT, shown)
    if seen.is_box:
        return Finding(Standing.APPLIES if seen.is_known_product else Standing.SUSPECTED, shown)
    # A device does not answer as itself under Acronis' name.
    if says_acronis(seen.leaf.subject):
        return Finding(Standing.RULED_OUT, shown)
    is_like_one = seen.product is not None and seen.is_ours and seen.is_named_right is False
    return Finding(Standing.SUSPECTED if is_like_one else Standing.UNDECIDED, shown)


def _shared_keys(case: Case) -> tuple[tuple[ProbeResult, Scrutiny, Evidence], ...]:
    """Hosts that answer with different certificates of one key, which no public CA accounts for.

    Who re-signs makes one key and uses it for every name. Storage nodes of one owner may share a
    key: one of the two must be where a public certificate is expected.
    """
    seen = [(p, s) for p in case.probes if (s := scrutinise(p)) is not None]
    suspect = [(p, s) for p, s in seen if _may_be_resigned(s)]
    found = []
    for probe, mine in suspect:
        for other, theirs in suspect:
            same = mine.leaf.key_sha256 == theirs.leaf.key_sha256 is not None
            apart = mine.leaf.sha256 != theirs.leaf.sha256 and not _is_for(mine.leaf, other)
            public = "public" in (mine.role.issuer, theirs.role.issuer)
            if same and apart and not _is_for(theirs.leaf, probe) and public:
                shown = fact(probe, Stage.HANDSHAKE, "shared_key", other.endpoint)
                found.append((probe, mine, shown))
                break
    return tuple(found)


def _may_be_resigned(seen: Scrutiny) -> bool:
    if seen.is_of_public_ca or seen.is_genuine or seen.is_box:
        return False
    return seen.is_logged is False and not seen.leaf.is_self_issued and bool(seen.is_named_right)


def _is_for(leaf: CertificateFacts, probe: ProbeResult) -> bool:
    name = probe.asked_name
    return name is None or name_matches(name, leaf)


def _over_all(rule: Rule, *, trusted_here: bool) -> Rule:
    """The same rule with the proof that only several endpoints together give."""

    def decide(case: Case) -> Finding:
        found = rule.decide(case)
        if found.standing is Standing.APPLIES:
            return found
        shared = [
            (p, s, e) for p, s, e in _shared_keys(case) if not trusted_here or s.is_trusted_here
        ]
        if not shared:
            return found
        told = tuple(x for p, s, e in shared for x in (*_shown(p, s), e, *_advice(s)))
        return Finding(Standing.APPLIES, told)

    return replace(rule, decide=decide)


RULES = (
    _over_all(intercepted_and_trusted_here, trusted_here=True),
    _over_all(tls_intercepted, trusted_here=False),
    box_certificate,
)
