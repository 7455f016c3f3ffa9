"""The stapled OCSP answer (RFC 6066 section 8, RFC 6960): believed only when the CA signed it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_staple(staple: bytes, chain_ders: Sequence[bytes]) -> str | None:
    """``good``, ``revoked`` or ``unknown``; ``None`` without an answer that can be believed.

    Believed is an answer about the end-entity certificate that the next certificate of the chain
    signed, or a responder which that certificate authorised (RFC 6960 section 4.2.2.2).
    """
    if not staple or len(chain_ders) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            leaf, issuer = (x509.load_der_x509_certificate(d) for d in chain_ders[:2])
            answer = ocsp.load_der_ocsp_response(staple)
            if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            leaf.verify_directly_issued_by(issuer)
            if answer.serial_number != leaf.serial_number:
                return None
            _check_signature(answer, issuer)
            return answer.certificate_status.name.lower()
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return None


def _check_signature(answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> None:
    """Raises ``InvalidSignature`` unless the issuer or its delegate signed the answer."""
    signers = [issuer]
    for delegate in answer.certificates[:3]:
        try:
            delegate.verify_directly_issued_by(issuer)
            usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in usage:
            signers.append(delegate)
    if not any(_signed(answer, signer) for signer in signers):
        raise InvalidSignature


def _signed(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), answer.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            return False
    except InvalidSignature:
        return False
    return True
