"""Observing a card: what is read of it is published, and so is that it can't be read."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    CardBusy,
    CardServed,
    CardStatus,
    CardUnreachable,
    InternalError,
    LpadError,
    internal_error,
)
from lpad.engine.change.change import Failure, now
from lpad.engine.snapshot import reading
from lpad.engine.snapshot.snapshot import CardState, Snapshot
from lpad.engine.worker.card_ownership import CardOwnership, Claimant

if TYPE_CHECKING:
    import threading

    from lpad.engine.change.event_hub import Hub
    from lpad.engine.networks.store import NetworkStore
    from lpad.engine.outbox import Outbox
    from lpad.engine.running.held_card import Card
    from lpad.engine.snapshot.profile_list import ProfileList
    from lpad.engine.snapshot.snapshot import Icon
    from lpad.engine.worker.hung_modem import HungModem
    from lpad.engine.worker.presence import Presence
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)


class Observer:
    """What is known of a card; the worker's thread writes it, any other may read it."""

    def __init__(
        self,
        card: Card,
        *,
        hub: Hub,
        outbox: Outbox,
        presence: Presence,
        lock: threading.Condition,
        ownership: CardOwnership,
        hung_modem: HungModem,
        networks: NetworkStore,
    ) -> None:
        """Begin with a card of which nothing is known.

        Args:
            card: what is read.
            hub: is told of each state.
            outbox: is handed the card's notifications.
            presence: is told whether the card is there.
            lock: of the lookout.
            ownership: says whether the card is served under another name.
            hung_modem: is told why the card can't be read.
            networks: keeps the network settings of its profiles.
        """
        self._networks = networks
        self._hung_modem = hung_modem
        self._card = card
        self._hub = hub
        self._outbox = outbox
        self._presence = presence
        self._lock = lock
        self._ownership = ownership
        self._claimant = Claimant(card.port.name, self.look_now)
        self._gone = False
        self._snapshot = Snapshot(name=card.port.name, transport=card.port.transport)
        self._icons: dict[str, Icon] = {}

    @property
    def snapshot(self) -> Snapshot:
        """The card as it was last read."""
        return self._snapshot

    @property
    def ready(self) -> bool:
        """Whether the card can be worked with."""
        return self._snapshot.state is CardState.READY

    def icon(self, iccid: str) -> Icon | None:
        """Return a profile's picture, where it has one."""
        return self._icons.get(iccid)

    def keep_icon(self, iccid: str, icon: Icon) -> None:
        """Remember a profile's picture."""
        self._icons[iccid] = icon

    def read(self, *, seconds: float) -> Snapshot:
        """Open the card and observe it.

        Args:
            seconds: for opening and reading.

        Raises:
            CardError: it can't be opened or read.
        """
        with self._lock:
            self._presence.begins()
        deadline = Deadline.after(seconds)
        with self._card.session(deadline=deadline) as euicc:
            return self.observe(euicc, deadline)

    def look(self, *, seconds: float) -> bool:
        """Open and observe the card, and return whether that went well: absent is a state, no error."""
        try:
            self.read(seconds=seconds)
        except LpadError as error:
            self.absent(error)
        except Exception as error:
            # Whatever is wrong with the card's answers or with lpad, whoever looks must go on.
            log.exception("%s: internal-error", self._snapshot.name)
            self.absent(internal_error("reading the card", error))
        else:
            return True
        return False

    def observe(self, euicc: Euicc, deadline: Deadline, *, whole: bool = False) -> Snapshot:
        """Read what changes may have changed; the whole card where it is new, or asked for."""
        known = self._snapshot if self.ready and not whole else None
        seen = reading.read_card(euicc, known=known, deadline=deadline)
        self._ownership.claim(seen.eid, self._claimant)
        for profile in seen.listed.profiles:
            address = seen.listed.address(profile)
            if profile.icon_type is not None and address is not None and address not in self._icons:
                read = partial(reading.read_icon, euicc, address, deadline=deadline)
                icon = reading.optional("a profile's picture", read)
                if icon is not None:
                    self._icons[address] = icon
        imei = self._card.imei()
        self._publish(
            replace(
                self._snapshot,
                state=CardState.READY,
                error=None,
                eid=seen.eid,
                imei=str(imei) if imei else None,
                info=seen.info,
                addresses=seen.addresses,
                profiles=seen.listed.profiles,
                unreadable=seen.listed.unreadable,
                read_at=now(),
            )
        )
        with self._lock:
            self._presence.found()
        self._hung_modem.found()
        self._follow_networks(seen.eid, seen.listed)
        self.collect(euicc, seen.eid, deadline=deadline)
        return self._snapshot

    def _follow_networks(self, eid: str, listed: ProfileList) -> None:
        """Forget the network settings of profiles that are gone; what can't be written is done next time."""
        iccids = {each.iccid for each in listed.profiles}
        try:
            gone = self._networks.follow(eid, iccids, complete=listed.complete)
        except LpadError as error:
            log.warning("%s: network settings: %s (%s)", self._snapshot.name, error, error.kind)
            return
        for iccid in gone:
            log.info("%s: the network settings of profile %s went with it", self._snapshot.name, iccid)

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> None:
        """Copy new notifications to the outbox; what can't be listed, or copied to a full disk, stays there.

        Args:
            euicc: an open ISD-R.
            eid: that this card gave in this session: the numbers of another card's would lead to wrong ones.
            deadline: when to give up.

        Raises:
            CardError: the card can't be reached.
        """
        try:
            self._outbox.collect(euicc, eid, deadline=deadline)
        except InternalError as error:
            log.warning("%s: notifications: %s (%s)", self._snapshot.name, error, error.kind)
        except LpadError:
            raise
        except Exception:
            # Whatever is wrong with a notification or with lpad, the change around it goes on.
            log.exception("%s: notifications: internal-error", self._snapshot.name)

    def absent(self, error: LpadError) -> None:
        """Close the link, and publish why the card can't be worked with."""
        self._card.drop()
        served = isinstance(error, CardServed)
        if not served:  # then it has no claim, and is told when it can have one
            self._ownership.release(self._claimant)
        with self._lock:
            self._presence.missed(served=served)
        self._hung_modem.missed(error)
        if self._snapshot.error is None or self._snapshot.error.sentence != error.sentence:
            log.warning("%s: the card is not ready: %s (%s)", self._snapshot.name, error, error.kind)
        away = isinstance(error, CardUnreachable | CardBusy | CardStatus) and error.details.get("es10", True)
        state = CardState.ABSENT if away else CardState.FAULTY
        self._publish(replace(self._snapshot, state=state, error=Failure.of(error)))

    def placed(self) -> None:
        """Say where the card is to be found from now on; what was read of it was another's, or elsewhere."""
        port = self._card.port
        self._ownership.leave(self._claimant)
        with self._lock:
            self._presence.missed()
            self._presence.look_now()
        self._icons.clear()
        self._publish(Snapshot(name=port.name, transport=port.transport))

    def gone(self) -> None:
        """Say that the settings name the card no more; nothing is told of it from here on."""
        self._gone = True
        self._hub.publish(
            "euicc",
            {"name": self._snapshot.name, "state": "removed", "eid": self._snapshot.eid, "error": None},
            euicc=self._snapshot.name,
        )

    def look_now(self) -> None:
        """Have a card that can't be worked with looked for at once: what kept lpad from it may be over."""
        with self._lock:
            self._presence.look_now()
            self._lock.notify_all()

    def let_go(self) -> None:
        """Leave the card to whoever else reaches it."""
        self._ownership.leave(self._claimant)

    def _publish(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if self._gone:
            return
        if (before.state, before.error) != (snapshot.state, snapshot.error) or before.eid != snapshot.eid:
            self.tell()

    def tell(self) -> None:
        """Tell the hub the card's state."""
        seen = self._snapshot
        error = msgspec.to_builtins(seen.error) if seen.error else None
        self._hub.publish(
            "euicc",
            {"name": seen.name, "state": seen.state, "eid": seen.eid, "error": error},
            euicc=seen.name,
        )
