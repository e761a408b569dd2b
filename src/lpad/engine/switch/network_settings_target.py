"""The target of the network steps of a switch: the profile with its settings, and the modem that reads it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.engine.running.card.modem_for_appliers import ModemAtHand
from lpad.network.applier_interface import Wanted

if TYPE_CHECKING:
    from lpad.engine.running.operation_context import Context
    from lpad.network.applier_interface import Modem
    from lpad.network.network_settings_choice import Chosen

log = logging.getLogger(__name__)


class NetworkTarget:
    """The profile that an applier gets, from the last reading of the card and the stored settings."""

    def __init__(self, context: Context, named: str, *, change_id: int) -> None:
        """Create the target from the profile's name; no record is read yet.

        Args:
            context: has the card, the stored settings, and the unfinished switch.
            named: the profile's ICCID or AID.
            change_id: the number of the switch's change, for log lines.
        """
        self._context = context
        self._named = named
        self._change_id = change_id
        self._modem: Modem | None = None
        self._asked_modem = False

    @property
    def iccid(self) -> str | None:
        """The profile's ICCID; None if the card gives no ICCID, so that the profile has no settings."""
        profile = self._context.snapshot().listed.named(self._named)
        return None if profile is None else profile.iccid

    def chosen(self, iccid: str) -> Chosen:
        """Return the settings that apply to a profile of the card."""
        profile = self._context.snapshot().listed.named(iccid)
        return self._context.networks.chosen(
            iccid,
            patterns=self._context.card.port.network.patterns,
            provider=None if profile is None else profile.provider,
        )

    def wanted(self, iccid: str) -> Wanted:
        """Return a profile of the card with its own settings, the previous profile, and the modem."""
        card = self._context.snapshot()
        pending = self._context.pending.of(self._context.card.port.name)
        enabled = card.listed.enabled
        if pending is None:
            previous = None if enabled is None else enabled.iccid
        else:
            previous = pending.previous if pending.iccid == iccid else pending.iccid
        return Wanted(
            eid=card.eid or "",
            iccid=iccid,
            settings=self.chosen(iccid).settings,
            previous_iccid=previous if previous != iccid else None,
            modem=self._modem_at_hand(),
        )

    def _modem_at_hand(self) -> Modem | None:
        """Return the modem, which is not borrowed yet; None: the card is in a reader."""
        card = self._context.card
        if card.port.device is not None:
            return ModemAtHand(card)
        if not self._asked_modem:
            deadline = Deadline.after(self._context.timeouts.open)
            try:
                with card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
                    found = lent is not None
            except CardError as error:
                log.info("change %d: %s", self._change_id, error)
                return ModemAtHand(card)
            self._asked_modem = True
            self._modem = ModemAtHand(card) if found else None
        return self._modem
