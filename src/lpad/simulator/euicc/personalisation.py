"""How a new card is made: its certificates, its addresses, its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.codec.schema import Schema
from lpad.simulator.euicc.identity import CardIdentity
from lpad.simulator.euicc.policy import rat_rows
from lpad.simulator.euicc.state import CardState
from lpad.simulator.pki import DEFAULT_EID

if TYPE_CHECKING:
    from lpad.identifiers import Eid
    from lpad.simulator.euicc.behaviour import CardBehaviour
    from lpad.simulator.euicc.folder import CardFolder
    from lpad.simulator.pki import Pki


def personalised(folder: CardFolder, pki: Pki, eid: Eid | None, behaviour: CardBehaviour) -> CardIdentity:
    """Make a card in an empty folder and return its identity; the state is written last."""
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
            next_notification=behaviour.first_notification,
        )
    )
    return identity
