"""The anchor that a card names: the certificate in a server's chain that one of the card's CIs signed.

The card lists the CIs that it trusts by key identifier, SHA-1 of the key's point. The key that signed a
certificate can be computed from the signature (`issuer_key_recovery`). If its hash is in the list, the CI's
own key made the signature, whatever the certificate says about its issuer.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.x509.certificate_holder_and_role import Certificate
from lpad.codec.x509.certificate_key_and_signature import SignedCertificate
from lpad.codec.x509.known_certificate_issuers import names_key
from lpad.remote.trust.issuer_key_recovery import issuer_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_PRESENTED = 16
_LONGEST_PATH = 8
"""SGP.22's longest chain has four certificates (CI, CI sub-CA, SM-DP+ sub-CA, server)."""


class CardTrust(Frozen):
    """The CIs that a card trusts.

    `authorities` are the entries of its euiccCiPKIdListForVerification; None if the card is not available;
    then its last known list counts.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"eid"})
    eid: str = ""
    authorities: tuple[bytes, ...] | None = ()


NO_CARD = CardTrust()
"""The trust for a server that is contacted without a card."""


class Anchor(Frozen):
    """A certificate (DER) of a chain, and the whole identifier of the CI key that signed it."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"certificate"})
    certificate: bytes
    issuer_key_id: bytes

    def named_by(self, authorities: Iterable[bytes]) -> bool:
        """Return whether a card with the list `authorities` trusts the CI."""
        return any(names_key(listed, self.issuer_key_id) for listed in authorities)


class ChainLink(Frozen):
    """One certificate of a path; `issuer_key_ids` belong to the keys that may have signed it."""

    certificate: SignedCertificate
    issuer_key_ids: tuple[bytes, ...]


def trace(chain: Sequence[bytes]) -> tuple[ChainLink, ...]:
    """Follow the signatures upwards from a server's certificate.

    Servers send sub-CAs in any order, mixed with other certificates, with or without the root.

    Args:
        chain: DER, the server's own certificate first, the rest in any order.

    Returns:
        The path from the server's certificate to the topmost one; empty if the server's certificate
        cannot be read.
    """
    presented = []
    for position, raw in enumerate(dict.fromkeys(chain[:_MOST_PRESENTED])):
        try:
            presented.append(SignedCertificate.decode(raw))
        except MalformedError:
            if position == 0:
                return ()
    path: list[ChainLink] = []
    current = presented[0] if presented else None
    while current is not None and len(path) < _LONGEST_PATH:
        points = tuple(issuer_points(current))
        path.append(ChainLink(current, tuple(map(_key_id, points))))
        current = next(
            (
                other
                for other in presented
                if other.key.point in points
                and other.subject == path[-1].certificate.issuer
                and all(other is not link.certificate for link in path)
            ),
            None,
        )
    return tuple(path)


def states_issuer(chain: Sequence[bytes], authorities: Iterable[bytes]) -> bool:
    """Return whether a certificate of `chain` (DER) states a listed CI as its issuer (RFC 5280, 4.2.1.1).

    The statement proves nothing; it saves lpad from computing the signing keys for servers of other PKIs.
    """
    listed, stated = tuple(authorities), set()
    for raw in chain[:_MOST_PRESENTED]:
        with suppress(MalformedError):
            stated.add(Certificate.decode(raw).authority_key_identifier)
    return any(names_key(each, key_id) for key_id in stated if key_id is not None for each in listed)


def find_anchor(path: Sequence[ChainLink], authorities: Iterable[bytes]) -> Anchor | None:
    """Return the topmost certificate of `path` that a CI of the card's list signed; None if there is none."""
    listed = tuple(authorities)
    for link in reversed(path):
        for key_id in link.issuer_key_ids:
            anchor = Anchor(link.certificate.raw, key_id)
            if anchor.named_by(listed):
                return anchor
    return None


def _key_id(point: bytes) -> bytes:
    return hashlib.sha1(point, usedforsecurity=False).digest()
