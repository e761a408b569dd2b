"""The key that signed a certificate. No other module of the daemon imports the package ecdsa.

The signer's public key can be computed from an ECDSA signature and its message, as one of two candidates (SEC
1, 4.1.6). No secrets are involved. The package is a megabyte in memory and plain Python, so it is loaded only
when a server's certificate requires it, which never happens on many devices.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from lpad.codec.x509.certificate_key_and_signature import BRAINPOOL_P256R1, P256

if TYPE_CHECKING:
    from collections.abc import Iterator

    class Signed(Protocol):
        """Data signed by an issuer: a certificate, or a list of revoked certificates."""

        @property
        def signed(self) -> bytes:
            """The signed bytes."""

        @property
        def algorithm(self) -> str:
            """The signature algorithm, dotted."""

        @property
        def signature(self) -> bytes:
            """The signature as received, DER for ECDSA."""


_DIGESTS = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
"""The hashes by signature algorithm (RFC 5758, 3.2), without SHA-1, which is out of use."""
_CURVES = (P256, BRAINPOOL_P256R1)
"""SGP.22 v2.5, 2.6.7.1. The signature does not name its curve, so each curve is tried."""


def is_ecdsa(algorithm: str) -> bool:
    """Return whether a key can be computed from signatures by this algorithm."""
    return algorithm in _DIGESTS


def issuer_points(certificate: Signed) -> Iterator[bytes]:
    """Yield the public keys for which the certificate's signature is valid; one of them is the issuer's.

    Yields:
        Uncompressed points of 65 bytes, two for each possible curve; none if the signature is not ECDSA
        with a hash of SHA-2.
    """
    digest = _DIGESTS.get(certificate.algorithm)
    if digest is None:
        return
    from ecdsa import BRAINPOOLP256r1, NIST256p  # noqa: PLC0415 - few devices need it
    from ecdsa.der import UnexpectedDER  # noqa: PLC0415 - few devices need it
    from ecdsa.ellipticcurve import INFINITY  # noqa: PLC0415 - few devices need it
    from ecdsa.keys import MalformedPointError, VerifyingKey  # noqa: PLC0415 - few devices need it
    from ecdsa.numbertheory import Error as NumberError  # noqa: PLC0415 - few devices need it
    from ecdsa.util import MalformedSignature, sigdecode_der  # noqa: PLC0415 - few devices need it

    hashed = hashlib.new(digest, certificate.signed).digest()
    curves = {P256: NIST256p, BRAINPOOL_P256R1: BRAINPOOLP256r1}
    for name in _CURVES:
        curve = curves[name]
        try:
            r, s = sigdecode_der(certificate.signature, curve.order)
            if not (0 < r < curve.order and 0 < s < curve.order):
                continue
            keys = VerifyingKey.from_public_key_recovery_with_digest(
                certificate.signature, hashed, curve, sigdecode=sigdecode_der, allow_truncate=True
            )
        except (UnexpectedDER, MalformedSignature, MalformedPointError, NumberError, ValueError):
            continue  # the signature is invalid, or belongs to the other curve
        for key in keys:
            if key.pubkey.point != INFINITY:
                yield key.to_string("uncompressed")
