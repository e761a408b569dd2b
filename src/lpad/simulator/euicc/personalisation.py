"""The creation of a new card: its certificates, addresses and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.simulator.asn1.schema import Schema
from lpad.simulator.euicc.chip.identity import CardIdentity
from lpad.simulator.euicc.chip.nonvolatile_state import CardState
from lpad.simulator.euicc.isdr.rules_authorisation_check import rat_rows
from lpad.simulator.pki.pki import DEFAULT_EID

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.euicc.chip.memory_folder import CardFolder
    from lpad.simulator.pki.pki import Pki


def personalised(folder: CardFolder, pki: Pki, eid: Eid | None, behaviour: CardBehaviour) -> CardIdentity:
    """Create a card in an empty folder and return its identity; the state is written last."""
    eid = eid or DEFAULT_EID
    identity = CardIdentity.issue(pki, eid)
    folder.write_identity(identity)
    folder.save(
        CardState(
            eid=eid.digits,
            rat=Schema.compile().encode("GetRatResponse", {"rat": rat_rows(behaviour.rat)}),
            factory_dp_address=behaviour.default_dp_address,
            default_dp_address=behaviour.default_dp_address,
            root_ds_address=behaviour.root_ds_address,
            additional_root_ds_addresses=list(behaviour.additional_root_ds_addresses),
            next_notification=behaviour.first_notification,
        )
    )
    return identity
