"""Names held against names: whether a certificate is for the server that was asked for."""

from __future__ import annotations

import ipaddress

from diagnoser.model import CertificateFacts


def name_matches(server_name: str, certificate: CertificateFacts) -> bool:
    """Whether a certificate is for ``server_name``, a host name or an address literal.

    By RFC 9525 section 6: a dNSName may have ``*`` for its whole left-most label, an address needs
    an iPAddress. The common name counts only where no subjectAltName exists at all: RFC 9525
    forbids that, but agents still accept it.
    """
    dns_names, ip_addresses = certificate.dns_names or (), certificate.ip_addresses or ()
    common_names = () if dns_names or ip_addresses else certificate.subject.values("CN")
    literal = _address(server_name)
    if literal is not None:
        return any(_address(p) == literal for p in (*ip_addresses, *common_names))
    reference = _canonical(server_name)
    return any(_presents(_canonical(p), reference) for p in (*dns_names, *common_names))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _canonical(name: str) -> str:
    lower = name.lower().removesuffix(".")
    if lower.isascii():
        return lower
    try:
        return lower.encode("idna").decode("ascii")
    except UnicodeError:
        return lower


def _presents(presented: str, reference: str) -> bool:
    label, dot, rest = presented.partition(".")
    if label != "*":
        return presented == reference
    first, _, parent = reference.partition(".")
    # "*.com" would speak for a whole public suffix: OpenSSL, too, wants two labels to its right.
    return bool(dot) and bool(first) and "." in rest and parent == rest
