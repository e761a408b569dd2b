"""The readable data on one card of the settings: the card's state, and lpad's work for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import NotFound

if TYPE_CHECKING:
    from lpad.engine.journal import StoredNotification
    from lpad.engine.journal.notifications import Notifications
    from lpad.engine.network_settings.deleted_profile_leftovers import UnforgottenProfile
    from lpad.engine.network_settings.pending_switch import PendingSwitch
    from lpad.engine.network_settings.settings_store import NetworkStore
    from lpad.engine.outbox import Outbox, UncopiedNotification
    from lpad.engine.policy.switching import SwitchPolicy
    from lpad.engine.provisioning.wish_record import WishRecord
    from lpad.engine.provisioning.wish_store import WishStore
    from lpad.engine.running.card.last_seen_layers import SeenLayer
    from lpad.engine.running.card.modem_restart_limit import ModemRestarts
    from lpad.engine.snapshot.snapshot import Icon
    from lpad.engine.unattended.failover import FailoverStatus
    from lpad.engine.unattended.failovers_of_all_cards import Failovers
    from lpad.engine.unattended.first_profile import ProvisioningState
    from lpad.engine.unattended.rescue import RescueState
    from lpad.engine.worker.worker import Worker
    from lpad.network.network_settings_choice import Chosen


class ServedCard:
    """A card's last snapshot and related records, for any thread; no method queries the card."""

    def __init__(
        self,
        worker: Worker,
        *,
        outbox: Outbox,
        copies: Notifications,
        networks: NetworkStore,
        wishes: WishStore,
        failovers: Failovers,
    ) -> None:
        """Create the view from the parts that have data on the card.

        Args:
            worker: the card's worker.
            outbox: delivers the card's notifications.
            copies: the journal's copies of notifications.
            networks: the stored network settings.
            wishes: the wishes at platforms.
            failovers: the failovers of all cards.
        """
        self._worker = worker
        self._card = worker.snapshot
        self._name = self._card.name
        self._eid = self._card.eid
        self._outbox = outbox
        self._copies = copies
        self._networks = networks
        self._wishes = wishes
        self._failovers = failovers

    def policy(self) -> SwitchPolicy:
        """Return the policy for switching profiles."""
        return self._worker.port.policy

    def layers(self) -> tuple[SeenLayer, ...]:
        """Return the layers of the data connection, each as it was last seen."""
        return self._worker.layers.seen

    def provisioning(self) -> ProvisioningState | None:
        """Return the state of requesting a first profile; None: lpad requests none, or has read no card."""
        return self._worker.unattended.provisioning.state(self._eid)

    def rescue(self) -> RescueState | None:
        """Return the status of a rescue after a stuck switch; None if there is none, or it cannot be read."""
        return self._worker.unattended.rescue.state(self._eid)

    def failover(self) -> FailoverStatus | None:
        """Return the status of failover; None if the settings request no failover."""
        return self._failovers.status(self._name)

    def modem_restarts(self) -> ModemRestarts:
        """Return lpad's restarts of the modem that have not helped so far."""
        return self._worker.modem_resets.state

    def network(self, iccid: str) -> Chosen:
        """Return the network settings that apply to a profile, even if the card does not contain it."""
        profile = self._card.listed.named(iccid)
        return self._networks.chosen(
            iccid,
            patterns=self._worker.port.network.patterns,
            provider=profile.provider if profile is not None else None,
        )

    def pending(self) -> PendingSwitch | None:
        """Return the unfinished switch with network settings; None if no switch is unfinished."""
        return self._worker.pending.of(self._name)

    def unforgotten(self) -> tuple[UnforgottenProfile, ...]:
        """Return the deleted profiles that the applier still knows."""
        return self._worker.unforgotten.of(self._name)

    def icon(self, iccid: str) -> Icon:
        """Return a profile's icon.

        Raises:
            NotFound: the card has no such profile, or the profile has no icon.
        """
        icon = self._worker.icon(iccid)
        if icon is None:
            raise NotFound(f"profile {iccid} on {self._name} has no icon")
        return icon

    def wish(self) -> WishRecord | None:
        """Return the unfulfilled wish at a platform; None without a wish, or before the card is read."""
        return self._wishes.get(self._eid) if self._eid is not None else None

    def notifications(self) -> list[StoredNotification]:
        """Return the card's notifications in the outbox, in ascending order."""
        return self._copies.all(eid=self._eid) if self._eid is not None else []

    def uncopied_notifications(self) -> list[UncopiedNotification]:
        """Return the notifications that could not be copied to the outbox, in ascending order."""
        return self._outbox.uncopied(self._eid) if self._eid is not None else []

    def unreadable_notifications(self) -> int:
        """Return how many entries of the card's list of notifications cannot be read."""
        return self._outbox.unreadable(self._eid) if self._eid is not None else 0

    def notification_list_error(self) -> str | None:
        """Return why the last attempt to read the list of notifications failed; None if it did not fail."""
        return self._outbox.list_error(self._eid) if self._eid is not None else None

    def owes_copies(self) -> bool:
        """Return whether the card may have new notifications that lpad has yet to copy."""
        return self._worker.copies_owed
