"""A card's checks of a server's certificates (SGP.22 v2.5, 4.5.2.2 and 5.7.13).

The card does not check dates, because it has no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from lpad.base.errors import InvalidValue, MalformedError
from lpad.simulator.pki.credential import Credential, Curve, certified_by, policies

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNDERSTOOD = frozenset(
    {
        x509.KeyUsage.oid,
        x509.CertificatePolicies.oid,
        x509.BasicConstraints.oid,
        x509.NameConstraints.oid,
        x509.SubjectAlternativeName.oid,
    }
)
_LONGEST_CHAIN = 3
# The exceptions that cryptography raises for bytes that only look like a certificate.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class Role(Enum):
    """A server's role, by the policy OIDs of SGP.22 versions 2 and 3 (SGP.22 v3.1, 4.5.2.1)."""

    DP_AUTH = frozenset({"2.23.146.1.2.1.4", "2.23.146.1.2.1.0.0.1.1"})
    DP_PB = frozenset({"2.23.146.1.2.1.5", "2.23.146.1.2.1.0.0.1.2"})
    DS_AUTH = frozenset({"2.23.146.1.2.1.7", "2.23.146.1.2.1.0.0.2.1"})

    def held_by(self, certificate: Credential) -> bool:
        """Return whether the certificate contains this role."""
        return not self.value.isdisjoint(policies(certificate.certificate))


class CertificateFault(IntEnum):
    """The faults of a certificate chain, as in AuthenticateErrorCode."""

    INVALID = 1
    UNSUPPORTED_CURVE = 3
    UNKNOWN_CI = 7


class CertificateError(MalformedError):
    """A server's certificate, or its chain to the CI, is invalid."""

    def __init__(self, sentence: str, fault: CertificateFault = CertificateFault.INVALID) -> None:
        """Create the error with the fault."""
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate with a valid chain."""

    credential: Credential
    oid: str
    """The owner's registered ID."""
    issuer_key_id: bytes
    """The key identifier of the issuer: the CI, or an SGP.22 v3 SubCA."""
    subordinates: tuple[bytes, ...] = ()
    """Certificates of the SubCAs in the chain."""


def check_chain(
    der: bytes, *, trusted: Sequence[Credential], others: Sequence[bytes] = ()
) -> ServerCertificate:
    """Check a server's certificate up to one of the trusted CIs, and return it.

    Args:
        der: the server's certificate.
        trusted: the CIs of euiccCiPKIdListForVerification.
        others: certificates of SubCAs, as version 3 sends them.

    Raises:
        CertificateError: a check failed; `fault` is for the card's answer.
    """
    leaf = _load(der)
    _check_usage(leaf, signs_certificates=False)
    subordinates = [_load(other) for other in others]
    chain, ci = [leaf], None
    while ci is None:
        if len(chain) > _LONGEST_CHAIN:
            raise CertificateError("the chain is too long")
        ci = _named(chain[-1], trusted)
        if ci is None:
            issuer = _named(chain[-1], subordinates)
            if issuer is None:
                raise CertificateError("the chain does not end at a trusted CI", CertificateFault.UNKNOWN_CI)
            _check_usage(issuer, signs_certificates=True)
            chain.append(issuer)
    for certificate, issuer in zip(chain, [*chain[1:], ci], strict=True):
        if certificate.curve is not issuer.curve or not certified_by(
            certificate.certificate, issuer.certificate
        ):
            raise CertificateError("a signature in the chain is wrong")
    issuer_key_id, oid = leaf.issuer_key_id, leaf.oid
    if issuer_key_id is None or oid is None:
        raise CertificateError("the certificate lacks its authority key identifier or registered ID")
    return ServerCertificate(leaf, oid, issuer_key_id, tuple(issuer.der for issuer in chain[1:]))


def _load(der: bytes) -> Credential:
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
        # read now, because cryptography parses these fields only on access
        _ = certificate.issuer, certificate.subject, certificate.signature_hash_algorithm
    except _UNREADABLE as error:
        raise CertificateError(f"this is not a certificate: {error}") from error
    try:
        key = certificate.public_key()
    except ValueError as error:
        raise CertificateError(f"the key cannot be read: {error}") from error
    except UnsupportedAlgorithm as error:
        raise CertificateError(f"unknown key: {error}", CertificateFault.UNSUPPORTED_CURVE) from error
    if any(one.critical and one.oid not in _UNDERSTOOD for one in extensions):
        raise CertificateError("a critical extension is unknown")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateError("the key is not on an elliptic curve", CertificateFault.UNSUPPORTED_CURVE)
    try:
        Curve.of(key)
    except InvalidValue as error:
        raise CertificateError(error.sentence, CertificateFault.UNSUPPORTED_CURVE) from error
    return Credential(certificate)


def _check_usage(credential: Credential, *, signs_certificates: bool) -> None:
    try:
        usage = credential.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise CertificateError("the key usage is missing") from error
    if not (usage.key_cert_sign if signs_certificates else usage.digital_signature):
        raise CertificateError("the key is for another purpose")


def _named(certificate: Credential, issuers: Sequence[Credential]) -> Credential | None:
    wanted = certificate.issuer_key_id
    return next((issuer for issuer in issuers if issuer.key_id == wanted), None)
