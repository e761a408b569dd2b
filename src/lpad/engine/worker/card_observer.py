"""Observes a card, and publishes its readings and the failures to read it."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

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
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.snapshot import CardState, Snapshot
from lpad.engine.worker.card_ownership import CardOwnership, Claimant

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.network_settings.settings_store import NetworkStore
    from lpad.engine.outbox import Outbox
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.snapshot.profile_list import ProfileList
    from lpad.engine.snapshot.snapshot import Icon
    from lpad.engine.worker.hung_modem_restart import HungModem
    from lpad.engine.worker.presence import Presence
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)


class Observer:
    """The known state of a card; only the worker's thread writes it, and any thread may read it."""

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
        deleted: Callable[[Iterable[str]], None],
        copy_soon: Callable[[], None],
    ) -> None:
        """Create the observer of a card that was not read yet.

        Args:
            deleted: gets the ICCIDs of profiles that are no longer on the card.
            copy_soon: called if new notifications must be copied after the change's caller has the result.
        """
        self._deleted = deleted
        self._copy_soon = copy_soon
        self._copies_owed = False
        self._copies_overdue = False
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
        """The last snapshot of the card, with the port that lpad now uses."""
        seen = self._snapshot
        used = self._card.device if seen.state is CardState.READY else None
        return seen if seen.port_in_use == used else replace(seen, port_in_use=used)

    @property
    def ready(self) -> bool:
        """Whether the card is usable."""
        return self._snapshot.state is CardState.READY

    @property
    def copies_owed(self) -> bool:
        """Whether the card may have new notifications that lpad has yet to copy."""
        return self._copies_owed

    def begin_change(self) -> None:
        """Have the beginning change copy the notifications that an earlier change has left on the card."""
        self._copies_overdue = self._copies_owed

    def icon(self, iccid: str) -> Icon | None:
        """Return a profile's icon; None: lpad has not read one."""
        return self._icons.get(iccid)

    def keep_icon(self, iccid: str, icon: Icon) -> None:
        """Store a profile's icon."""
        self._icons[iccid] = icon

    def read(self, *, seconds: float) -> Snapshot:
        """Open the card, read it, and return the published snapshot.

        Raises:
            CardError: the card cannot be opened or read.
        """
        with self._lock:
            self._presence.begins()
        deadline = Deadline.after(seconds)
        with self._card.session(deadline=deadline) as euicc:
            return self.observe(euicc, deadline)

    def look(self, *, seconds: float) -> bool:
        """Open and observe the card, and return whether this succeeded; an absent card is not an error."""
        try:
            self.read(seconds=seconds)
        except LpadError as error:
            self.absent(error)
        except Exception as error:
            # A fault in the card's answers or in lpad must not stop the caller.
            log.exception("%s: internal-error", self._snapshot.name)
            self.absent(internal_error("reading the card", error))
        else:
            return True
        return False

    def observe(
        self,
        euicc: Euicc,
        deadline: Deadline,
        *,
        whole: bool = False,
        switched: ProfileList | None = None,
        eid: str | None = None,
        copies_later: bool = False,
    ) -> Snapshot:
        """Read the parts that changes may alter; for a new card or on request, read the whole card.

        Args:
            euicc: an open ISD-R.
            deadline: for the reading.
            whole: whether to read the whole card.
            switched: the list of profiles that this session has read after a switch, which alters nothing
                else.
            eid: the EID that the card has proven in this session; None: lpad reads the EID.
            copies_later: whether new notifications are copied after the change's caller has the result;
                notifications of an earlier change are copied immediately.

        Raises:
            CardError: the EID or the profiles cannot be read.
        """
        known = self._snapshot if self.ready and not whole else None
        seen = card_reading.read_card(euicc, known=known, switched=switched, eid=eid, deadline=deadline)
        self._ownership.claim(seen.eid, self._claimant)
        for profile in seen.listed.profiles:
            address = seen.listed.address(profile)
            if profile.icon_type is not None and address is not None and address not in self._icons:
                read = partial(card_reading.read_icon, euicc, address, deadline=deadline)
                icon = card_reading.optional("a profile's icon", read)
                if icon is not None:
                    self._icons[address] = icon
        imei = self._card.imei()
        before = self._snapshot
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
        self._card.forget_card_report()
        self._hung_modem.found()
        self._follow_networks(seen.eid, seen.listed, before)
        if copies_later and not self._copies_overdue:
            self._copies_owed = True
            self._card.keep_session(euicc, seen.eid)
            self._copy_soon()
        else:
            self.collect(euicc, seen.eid, deadline=deadline)
        return self._snapshot

    def _follow_networks(self, eid: str, listed: ProfileList, before: Snapshot) -> None:
        """Remove the network settings of deleted profiles; after a failed write, the next reading retries."""
        try:
            iccids = {each.iccid for each in listed.profiles}
            if listed.complete and before.eid == eid:
                self._deleted({each.iccid for each in before.profiles} - iccids)
            gone = self._networks.follow(eid, iccids, complete=listed.complete)
            self._deleted(gone)
        except LpadError as error:
            log.warning(
                "%s: cannot remove network settings of deleted profiles: %s (%s)",
                self._snapshot.name,
                error,
                error.kind,
            )
        except Exception:  # an error must not fail the change for which the card was read
            log.exception("%s: network settings of deleted profiles: internal-error", self._snapshot.name)
        else:
            for iccid in gone:
                log.info(
                    "%s: removed the network settings of the deleted profile %s", self._snapshot.name, iccid
                )

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> None:
        """Copy new notifications to the outbox, if possible, and remove delivered ones from the card.

        Args:
            euicc: an open ISD-R.
            eid: the EID that this card returned in this session; on another card, the same numbers mean other
                notifications.

        Raises:
            CardError: the card cannot be reached.
        """
        try:
            self._outbox.collect(euicc, eid, deadline=deadline)
        except InternalError as error:
            log.warning("%s: cannot copy the notifications: %s (%s)", self._snapshot.name, error, error.kind)
        except LpadError:
            raise
        except Exception:
            # A fault in a notification or in lpad must not stop the running change.
            log.exception("%s: notifications: internal-error", self._snapshot.name)
        self._copies_owed = self._copies_overdue = False

    def collect_owed(self, euicc: Euicc, deadline: Deadline) -> None:
        """Copy notifications that an earlier change has left on the card, so that later notifications follow.

        Args:
            euicc: an open ISD-R.

        Raises:
            CardError: the card cannot be reached.
        """
        if self._copies_owed:
            self.collect(euicc, str(euicc.get_eid(deadline=deadline)), deadline=deadline)
            self._outbox.wake()  # the running change may wait for a user's answer before it ends

    def absent(self, error: LpadError) -> None:
        """Publish why the card cannot be used; a link remains open only for reports of another card."""
        self._card.rest(error)
        served = isinstance(error, CardServed)
        if not served:  # otherwise another worker owns the card, and reports its release to this worker
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
        """Forget the card behind the previous port, and try the new port."""
        port = self._card.port
        self._ownership.leave(self._claimant)
        with self._lock:
            self._presence.missed()
            self._presence.look_now()
        self._icons.clear()
        self._copies_owed = self._copies_overdue = False
        self._publish(Snapshot(name=port.name, transport=port.transport))

    def gone(self) -> None:
        """Publish that the card was removed from the settings, and publish nothing more afterwards."""
        self._gone = True
        self._hub.publish(
            "euicc",
            {"name": self._snapshot.name, "state": "removed", "eid": self._snapshot.eid, "error": None},
            euicc=self._snapshot.name,
        )

    def look_now(self) -> None:
        """Try an unusable card immediately, because the cause of the failure may no longer exist."""
        with self._lock:
            self._presence.look_now()
            self._lock.notify_all()

    def let_go(self) -> None:
        """Release the card to other workers that reach it."""
        self._ownership.leave(self._claimant)

    def _publish(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if self._gone:
            return
        if (before.state, before.error) != (snapshot.state, snapshot.error) or before.eid != snapshot.eid:
            self.tell()

    def tell(self) -> None:
        """Publish the card's state."""
        seen = self._snapshot
        error = msgspec.to_builtins(seen.error) if seen.error else None
        self._hub.publish(
            "euicc",
            {"name": seen.name, "state": seen.state, "eid": seen.eid, "error": error},
            euicc=seen.name,
        )
