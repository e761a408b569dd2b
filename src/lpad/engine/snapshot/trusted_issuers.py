"""The CIs that a card trusts, for connections that lpad makes on the card's behalf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.remote.trust.anchor_named_by_card import CardTrust

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.snapshot.snapshot import Snapshot


def card_trust(eid: str, snapshots: Iterable[Snapshot]) -> CardTrust:
    """Return the CIs that the card `eid` last reported; unknown if the card was not read yet.

    If a notification is delivered while its card is absent, the card's last report counts.
    """
    for snapshot in snapshots:
        if snapshot.eid == eid and snapshot.info is not None:
            return CardTrust(eid, tuple(map(bytes.fromhex, snapshot.info.ci_ids_for_verification)))
    return CardTrust(eid, None)
