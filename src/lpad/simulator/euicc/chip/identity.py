"""The identity of a card: its certificates with their keys, and the CIs that it trusts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue
from lpad.simulator.pki.credential import Credential, Curve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.identifiers import Eid
    from lpad.simulator.pki.pki import Pki


@dataclass(frozen=True, slots=True)
class Signer:
    """The key and certificates with which a card signs for servers of one CI."""

    euicc: Credential
    eum: Credential

    @property
    def key_id(self) -> bytes:
        """The CI's key identifier, 20 bytes."""
        issuer = self.eum.issuer_key_id
        assert issuer is not None, "an EUM certificate names its CI"
        return issuer


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """The card's keys: for each curve the CI that it trusts, and its own signer."""

    cis: Mapping[Curve, Credential]
    signers: Mapping[Curve, Signer]

    @classmethod
    def issue(cls, pki: Pki, eid: Eid) -> CardIdentity:
        """Create an identity with certificates that the card maker of `pki` issues, on all of its curves.

        Raises:
            InvalidValue: the card maker has no private key.
        """
        signers = {
            curve: Signer(pki.issue_euicc(eid, curve), Credential(eum.certificate))
            for curve, eum in pki.eum.items()
            if eum.private_key is not None
        }
        if not signers:
            raise InvalidValue("this PKI has no EUM with a private key, so it cannot issue a card")
        return cls({curve: Credential(ci.certificate) for curve, ci in pki.ci.items()}, signers)

    def trusted(self, order: tuple[Curve, ...]) -> list[Credential]:
        """Return the CIs for verification, preferred first."""
        return [self.cis[curve] for curve in order if curve in self.cis]

    def signing(self, order: tuple[Curve, ...]) -> list[Signer]:
        """Return the card's signers, preferred first."""
        return [self.signers[curve] for curve in order if curve in self.signers]

    def signer(self, key_id: bytes) -> Signer | None:
        """Return the signer for the CI with this key identifier; None if there is none."""
        return next((one for one in self.signers.values() if one.key_id == key_id), None)
