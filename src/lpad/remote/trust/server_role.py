"""Whether a certificate under an eSIM CI is for a TLS server (SGP.22 v2.5, 4.5.2.1).

A CI certifies card makers, cards and servers for several purposes, all under one key, and the role is in
certificatePolicies, which OpenSSL does not check. Without the check, a card maker's certificate could certify
servers. Certificates of the web's PKI have no eSIM roles, and need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError, ServerUntrusted
from lpad.codec.x509.certificate_holder_and_role import Certificate, Role
from lpad.codec.x509.certificate_key_and_signature import BRAINPOOL_P256R1, P256, SignedCertificate
from lpad.codec.x509.known_certificate_issuers import known_issuers, names_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.remote.trust.anchor_named_by_card import Anchor

_OF_WEB_SERVERS = frozenset({Role.DP_TLS, Role.DS_TLS})
_NEVER_ABOVE = frozenset(Role) - {Role.CI}
_ON_A_CURVE = "1.2.840.10045.2.1"
_CURVES = frozenset({P256, BRAINPOOL_P256R1})
"""The curves of SGP.22; SGP.26 contains a server's certificate on P-384, which clients must refuse."""


def check_role(
    chain: Sequence[bytes], *, anchor: Anchor | None, authorities: Sequence[bytes], server: str
) -> None:
    """Check the roles in a certificate chain that ends in an eSIM CI.

    Raises:
        ServerUntrusted: the server's certificate lacks its role or has a wrong one, does not state its key's
            purpose, has a key on a curve that SGP.22 does not allow, or a certificate above it does not
            belong to a CA for servers.
    """
    try:
        certificates = [Certificate.decode(raw) for raw in chain]
        top, own = SignedCertificate.decode(chain[-1]), SignedCertificate.decode(chain[0])
    except (MalformedError, IndexError) as error:
        raise ServerUntrusted(
            f"the certificate of {server} cannot be read: {error}", cause="certificate-invalid"
        ) from error
    if anchor is None and not _is_esim_ci(certificates[-1], top, authorities):
        return
    roles = set(certificates[0].roles)
    if not roles & _OF_WEB_SERVERS:
        said = f"is for the role {', '.join(sorted(roles))}" if roles else "names no role"
        raise ServerUntrusted(
            f"the certificate of {server} {said}, but under an eSIM CA a server's certificate must have the"
            " role dp-tls or ds-tls; tell the server's operator",
            cause="wrong-role" if roles else "role-missing",
        )
    if certificates[0].purposes is None or not certificates[0].may_sign:
        raise ServerUntrusted(
            f"the certificate of {server} does not state that it is for TLS servers (extendedKeyUsage, and"
            " digitalSignature in keyUsage), as it must under an eSIM CA; tell the server's operator",
            cause="wrong-purpose",
        )
    if own.key.algorithm == _ON_A_CURVE and own.key.curve not in _CURVES:
        raise ServerUntrusted(
            f"the certificate of {server} has a key on a curve that SGP.22, 2.6.7.1, does not allow for "
            "eSIM servers (only P-256 and brainpoolP256r1 are allowed); tell the server's operator",
            cause="wrong-curve",
        )
    for above in certificates[1:]:
        if not above.is_ca:
            # If basicConstraints is missing, OpenSSL accepts keyUsage instead, contrary to RFC 5280.
            raise ServerUntrusted(
                f"the certificate of {server} was issued with a certificate that is not a CA's; tell the eSIM"
                " CA",
                cause="issuer-is-no-ca",
            )
        if set(above.roles) & _NEVER_ABOVE:
            raise ServerUntrusted(
                f"the certificate of {server} was issued with a certificate of the role"
                f" {', '.join(sorted(above.roles))}, which may not certify servers; tell the eSIM CA",
                cause="wrong-role",
            )


def _is_esim_ci(top: Certificate, signed: SignedCertificate, authorities: Sequence[bytes]) -> bool:
    key_id = signed.key.key_id
    return (
        Role.CI in top.roles
        or key_id in known_issuers()
        or any(names_key(listed, key_id) for listed in authorities)
    )
