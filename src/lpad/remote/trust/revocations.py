"""Revoked certificates, by the CRL files that the operator provides.

OpenSSL requires a list of every issuer in a chain or of none, and a CI's certificate to verify the CI's list.
A device has at most the lists of some issuers, and not the certificate of a card's CI. So lpad applies a list
to the certificates that the list's own key has signed, and accepts a chain without lists.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError, ServerUntrusted
from lpad.codec.x509.certificate_key_and_signature import SignedCertificate
from lpad.remote.trust.issuer_key_recovery import is_ecdsa, issuer_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.codec.x509.revocation_list import RevocationList

_LOG = logging.getLogger(__name__)


class Revocations:
    """The available revocation lists."""

    def __init__(self, lists: Sequence[RevocationList] = ()) -> None:
        self._lists = tuple(lists)

    def __len__(self) -> int:
        return len(self._lists)

    def check(self, chain: Sequence[bytes], *, server: str) -> None:
        """Check that no certificate of a chain is in a list of its issuer.

        A list that is out of date still counts: a revoked certificate stays revoked.

        Raises:
            ServerUntrusted: a certificate is in a list.
        """
        for raw in chain if self._lists else ():
            try:
                certificate = SignedCertificate.decode(raw)
            except MalformedError:
                continue  # lpad cannot compare this certificate's names; OpenSSL has verified it
            if any(self._revokes(each, certificate) for each in self._lists):
                raise ServerUntrusted(
                    f"the certificate of {server}, or of a CA above it, was revoked by its issuer "
                    f"({certificate.issuer_name}); tell the server's operator",
                    cause="certificate-revoked",
                )

    @staticmethod
    def _revokes(each: RevocationList, certificate: SignedCertificate) -> bool:
        if certificate.issuer != each.issuer or certificate.serial_number not in each.serial_numbers:
            return False
        if not is_ecdsa(each.algorithm):
            return True  # an RSA signature is not checked, because the operator has chosen the file
        if set(issuer_points(each)).isdisjoint(issuer_points(certificate)):
            _LOG.warning(
                "ignoring a CRL of %s, because that CA's key did not sign it", certificate.issuer_name
            )
            return False
        return True
