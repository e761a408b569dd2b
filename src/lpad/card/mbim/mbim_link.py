"""The card in a modem, over its MBIM port, on channels that the modem opens (MS low-level UICC access)."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardBusy, CardError, CardMalformed, blamed_on
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.modem_owned_channel import ModemOwnedChannel
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.card.link.control_link import ControlLink
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.mbim.mbim_channel import UiccChannel
from lpad.card.mbim.mbim_dialogue import MbimDialogue
from lpad.card.mbim.mbim_modem import LADDER, MbimModem
from lpad.card.mbim.mbim_refusals import is_status
from lpad.card.mbim.sim_slots import SimSlots
from lpad.card.mbim.terminal_capability import Declared, declare_lpa
from lpad.card.modem.sim_slot import explained
from lpad.card.port.control_port import open_control_port
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.quirks import Quirks
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import UICC, Uicc
from lpad.codec.mbim.statuses import Status
from lpad.codec.mbim.uicc_access import CloseChannelRequest, OpenChannelAnswer, OpenChannelRequest
from lpad.protocol.apdu import MOST_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.card_change_reports import CardReportLog
    from lpad.card.port.control_port import ControlPort

_log = logging.getLogger(__name__)

GROUP = 0x4C50
"""lpad's own group of channels; ModemManager and lpac use group 1, which lpad must not close."""
_NOT_SELECTED = (Status.SELECT_FAILED, Status.INVALID_PARAMETERS, Status.FAILURE)


class MbimLink(ControlLink[MbimModem]):
    """A link over an MBIM port, which remembers the requirements of the modem's firmware."""

    kind = "mbim"
    ladder = LADDER
    of_family = ("select_p2", "class_byte_type", "channel_in_class")

    def __init__(
        self,
        modem: MbimModem,
        *,
        name: str,
        memory: LinkMemory,
        declares: bool,
        overrides: Mapping[str, Any] | None = None,
        unredacted: bool = False,
    ) -> None:
        """Use a modem (see `ControlLink`); `declares`: whether lpad may declare an LPA to the card."""
        super().__init__(modem, name=name, memory=memory, overrides=overrides, unredacted=unredacted)
        self._declares, self._declared = declares, False

    @property
    def card_reports(self) -> CardReportLog:
        """The indications about the card."""
        return self.modem.dialogue.card_reports

    def close_leftovers(self, *, deadline: Deadline) -> None:
        """Select the SIM slot that the settings name, and close the channels of a process that was killed."""
        slot = self.quirks.sim_slot
        if slot is not None and self._slots.select(slot, deadline=deadline):
            _log.warning("%s: the modem now uses SIM slot %d", self.name, slot)
        self.slots_told = tuple(map(str, self._slots.read(deadline=deadline)))
        try:
            self.modem.dialogue.ask(
                UICC,
                Uicc.CLOSE_CHANNEL,
                CloseChannelRequest(channel=0, group=GROUP),
                action=Action.SET,
                attempted="cannot close earlier channels",
                patience=self.quirks.patience.apdu,
                deadline=deadline,
            )
        except CardError as error:
            if "modem_error" not in error.details:
                raise
            _log.debug("%s", error)  # some modems refuse the request if no channel is open

    def open_first(self, aids: Sequence[Aid], *, deadline: Deadline) -> ModemOwnedChannel:
        """Open a channel to the first of `aids` that the card knows."""
        refusals: list[CardError] = []
        known = self.remembered.select_p2
        order = self.quirks.select_p2
        for aid in aids:
            for p2 in order if known is None else (known, *(each for each in order if each != known)):
                try:
                    channel = self._open(aid, p2, deadline=deadline)
                except CardError as error:
                    if not is_status(error, *_NOT_SELECTED):
                        self._refused(error, deadline=deadline)
                        raise
                    refusals.append(error)
                else:
                    if self.remembered.no_euicc is not None:
                        self.remember(no_euicc=None)
                    return channel
        if all(is_status(error, Status.SELECT_FAILED) for error in refusals):
            self._declare_lpa(deadline=deadline)
            raise no_isdr()
        raise next(each for each in refusals if not is_status(each, Status.SELECT_FAILED))

    def _refused(self, error: CardError, *, deadline: Deadline) -> None:
        """Raise a clearer error for some refusals, and forget outdated reports on the card."""
        self.forget_card_report()
        if is_status(error, Status.NO_LOGICAL_CHANNELS):
            raise status_error("cannot open a logical channel", 0x6A81) from error
        if is_status(error, Status.SIM_NOT_INSERTED):
            raise explained(error, self._slots.read(deadline=deadline)) from error

    def _declare_lpa(self, *, deadline: Deadline) -> None:
        """Declare an LPA to a card that may hide its ISD-R without it, unless a channel was opened before.

        A card that showed no ISD-R after its restart is not restarted again, because each start of the modem
        would interrupt its connection. If the card is an eUICC, it shows the ISD-R after its next start.

        Raises:
            CardBusy: the card restarts.
        """
        needed = self.remembered.select_p2 is None or self.remembered.terminal_capability
        if not needed or self._declared or not self._declares:
            return
        card = self._card_key(deadline=deadline)
        try:
            declared = declare_lpa(
                self.modem.dialogue,
                restart=card is None or self.remembered.no_euicc != card,
                patience=self.quirks.patience.apdu,
                deadline=deadline,
            )
        except LinkRefused as error:
            _log.info("%s: %s", self.name, error)
            return
        if declared is Declared.ALREADY and card is not None:
            self.remember(no_euicc=card)
        if declared in (Declared.RESTARTING, Declared.LATER):
            self._declared = True
            self.remember(terminal_capability=True)
        if declared is Declared.RESTARTING:
            _log.warning(
                "%s: no ISD-R was found; the modem declares an LPA to the card and restarts it", self.name
            )
            raise CardBusy("cannot select the ISD-R: the card restarts; try again")

    def _card_key(self, *, deadline: Deadline) -> str | None:
        """Return a digest of the ICCID that the modem reads; None: it reads none, as from an empty eUICC."""
        report = self.modem.iccid(deadline=deadline).report
        return None if report is None else hashlib.sha256(str(report.likeliest).encode()).hexdigest()[:16]

    def _open(self, aid: Aid, p2: int, *, deadline: Deadline) -> ModemOwnedChannel:
        attempted = "cannot open a channel to the ISD-R"
        answer = self.modem.dialogue.ask(
            UICC,
            Uicc.OPEN_CHANNEL,
            OpenChannelRequest(aid=bytes(aid), select_p2=p2, group=GROUP),
            action=Action.SET,
            attempted=attempted,
            patience=self.quirks.patience.apdu,
            deadline=deadline,
        )
        with blamed_on(CardMalformed, attempted):
            number = decode(OpenChannelAnswer, answer).channel
        if not 1 <= number < MOST_CHANNELS:
            raise LinkRefused(
                f"{attempted} at {self.name}: the modem named channel {number}, which is not from 1 to 19;"
                " reset the modem",
                modem_error=f"MBIM channel {number}",
            )
        self.remember(select_p2=p2)
        self.channel = number
        uicc = UiccChannel(
            self.modem,
            number,
            class_byte_type=self._known_class_byte_type,
            channel_in_class=self.quirks.channel_in_class,
            learn=lambda kind: self.remember(class_byte_type=kind),
        )
        traced = TracedCard(uicc, name=self.name, unredacted=self.unredacted)
        return ModemOwnedChannel(
            traced,
            aid=aid,
            number=number,
            close=partial(uicc.close, group=GROUP),
            unknown=lambda error: is_status(error, Status.INVALID_LOGICAL_CHANNEL),
        )

    @property
    def _known_class_byte_type(self) -> int | None:
        remembered = self.remembered.class_byte_type
        return self.quirks.class_byte_type if remembered is None else remembered

    @property
    def _slots(self) -> SimSlots:
        return SimSlots(self.modem.dialogue, patience=self.quirks.patience.information)


def open_mbim_link(
    port: str,
    *,
    memory: LinkMemory | None = None,
    overrides: Mapping[str, Any] | None = None,
    unredacted: bool = False,
    open_port: Callable[[str], ControlPort] = open_control_port,
) -> MbimLink:
    """Open the link to the card in a modem, over its MBIM port or mbim-proxy.

    Args:
        port: such as /dev/cdc-wdm0, locked until the link is closed, or shared through mbim-proxy.
        memory: the modems remembered across restarts; None: lpad remembers none, and restarts no card to
            find its ISD-R.
        overrides: the settings' quirks; see `Quirks.merged`.
        unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        open_port: opens the port.

    Raises:
        InvalidValue: the overrides name an unknown quirk or a value out of range.
        CardUnreachable: no such port, or no permission.
        CardBusy: another program uses the port.
    """
    Quirks().merged(overrides or {})
    modem = MbimModem(MbimDialogue(open_port(port)))
    return MbimLink(
        modem,
        name=port,
        memory=memory or LinkMemory(None),
        declares=memory is not None,
        overrides=overrides,
        unredacted=unredacted,
    )
