"""The shared data of the card's functions: memory, identity, behaviour and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lpad.simulator.asn1.schema import Schema
from lpad.simulator.euicc.chip.faults import CardFaults

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.euicc.chip.identity import CardIdentity, Signer
    from lpad.simulator.euicc.chip.memory_folder import CardFolder
    from lpad.simulator.euicc.chip.nonvolatile_state import CardState, StoredProfile
    from lpad.simulator.pki.credential import Credential

_INSTANCE_SIZE = 2048
"""The number of bytes of memory that an empty ISD-P needs."""


@dataclass(slots=True)
class Chip:
    """The inside of one eUICC; functions change `state` and then call `commit`."""

    folder: CardFolder
    state: CardState
    identity: CardIdentity
    behaviour: CardBehaviour
    schema: Schema = field(default_factory=Schema.compile)
    faults: CardFaults = field(default_factory=CardFaults)

    def commit(self) -> None:
        """Store the state, so that it survives a power loss."""
        self.folder.save(self.state)

    def decode(self, type_name: str, element: Tlv) -> Any:
        """Return a request's value.

        Raises:
            MalformedError: the bytes do not fit the type.
        """
        return self.schema.decode(type_name, element.raw)

    def encode(self, type_name: str, value: Any) -> bytes:
        """Return an answer's DER."""
        return self.schema.encode(type_name, value)

    @property
    def eid(self) -> bytes:
        """The 16 bytes of the EID."""
        return bytes.fromhex(self.state.eid)

    @property
    def trusted(self) -> list[Credential]:
        """The CIs for verification, preferred first."""
        return self.identity.trusted(self.behaviour.verification_curves)

    @property
    def signers(self) -> list[Signer]:
        """The card's signers, preferred first."""
        return self.identity.signing(self.behaviour.signing_curves)

    def signer_of(self, profile: StoredProfile) -> Signer:
        """Return the signer of the profile's notifications."""
        return self.identity.signer(profile.signing_key_id) or self.signers[0]

    @property
    def free_memory(self) -> int:
        """Bytes left for profiles."""
        taken = sum(profile.size for profile in self.state.profiles)
        return max(0, self.behaviour.memory - taken)

    @staticmethod
    def memory_for(package_size: int) -> int:
        """Return the number of bytes that a profile needs: more than its package, which lacks padding."""
        return _INSTANCE_SIZE + package_size * 13 // 10
