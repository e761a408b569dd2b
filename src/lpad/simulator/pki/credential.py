"""A certificate with its private key, with which a CI, an EUM, a card or an SM-DP+ signs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.base.errors import InvalidValue, MalformedError, NotFound

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""The exceptions that cryptography raises for certificates that it cannot read."""
_HALF = 32  # bytes of r and of s on either 256-bit curve


class Curve(Enum):
    """The two curves of SGP.26, by the word in its file names."""

    NIST = "NIST"
    BRAINPOOL = "BRP"

    @property
    def algorithm(self) -> ec.EllipticCurve:
        """The curve as an object of the package cryptography."""
        return ec.SECP256R1() if self is Curve.NIST else ec.BrainpoolP256R1()

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> Curve:
        """Return the curve of `key`.

        Raises:
            InvalidValue: the key is on neither of the two curves.
        """
        for curve in cls:
            if key.curve.name == curve.algorithm.name:
                return curve
        raise InvalidValue(f"SGP.22 defines no certificates on the curve {key.curve.name}")


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate, and its private key if available."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey | None = None

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The private key.

        Raises:
            NotFound: only the certificate is available, as for SGP.26's brainpool CI.
        """
        if self.private_key is None:
            name = self.certificate.subject.rfc4514_string()
            raise NotFound(
                f"there is no private key for {name}; use the other curve, or name an empty folder, in which "
                "lpad creates a test PKI"
            )
        return self.private_key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The certificate's public key."""
        return cast("ec.EllipticCurvePublicKey", self.certificate.public_key())

    @property
    def curve(self) -> Curve:
        """The curve of the key."""
        return Curve.of(self.public_key)

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_id(self) -> bytes:
        """The 20 bytes by which certificates and cards name this key: SHA-1 of the uncompressed point."""
        point = self.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return hashlib.sha1(point, usedforsecurity=False).digest()

    @property
    def issuer_key_id(self) -> bytes | None:
        """The 20 bytes that name the issuer's key; None in a root."""
        return authority_key_id(self.certificate)

    @property
    def oid(self) -> str | None:
        """The registered ID in subjectAltName, dotted; None if it is missing."""
        return registered_id(self.certificate)

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes r | s, over SHA-256 of `data` (TR-03111; SGP.22 v2.5, 2.6.7.2)."""
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Return whether `signature` (r | s) over `data` was made with this certificate's key."""
        return signed_by(self.public_key, signature, data)


def read_certificate(der: bytes) -> x509.Certificate:
    """Return the certificate in `der`, after reading every part of it.

    cryptography reads certificates lazily: otherwise a bad name, extension, date or algorithm would fail in
    the middle of a check.

    Raises:
        MalformedError: the bytes are not an X.509 certificate, or have an unknown algorithm or no EC key.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        _ = certificate.signature_hash_algorithm, certificate.extensions
        _ = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _UNREADABLE as error:
        raise MalformedError(f"this certificate cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedError("this certificate has no elliptic-curve key")
    return certificate


def signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Return whether `signature`, 64 bytes r | s, over `data` was made with the private half of `key`."""
    if len(signature) != 2 * _HALF:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether `issuer` is named in `certificate` and signed it; dates are not checked.

    Names are compared as text: card makers write the same name as UTF8String or as PrintableString.
    """
    named = certificate.issuer.rfc4514_string() == issuer.subject.rfc4514_string()
    return named and certified_by(certificate, issuer)


def certified_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the key of `issuer` signed `certificate`, regardless of the names.

    A CI is identified by its key identifier (SGP.22 v2.5, 4.5.2.1). SGP.26 gave its CI a new certificate with
    the old key and a different spelling of its name, and cards with an older EUM certificate are in use.
    """
    key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def authority_key_id(certificate: x509.Certificate) -> bytes | None:
    """Return the issuer's key identifier in `certificate`; None if it is missing."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        return None
    return found.value.key_identifier


def registered_id(certificate: x509.Certificate) -> str | None:
    """Return the registered ID in `certificate`'s subjectAltName, dotted; None if it is missing."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    found = names.get_values_for_type(x509.RegisteredID)
    return found[0].dotted_string if found else None


def policies(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the policy OIDs of `certificate`, dotted, which show its role."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(policy.policy_identifier.dotted_string for policy in found.value)
