"""The card in a modem, over its QMI port, on channels that the modem opens (UIM service)."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardError
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.channel_loss import NOT_OURS
from lpad.card.channel.modem_owned_channel import ModemOwnedChannel
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.card.link.control_link import ControlLink
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.modem.sim_slot import explained
from lpad.card.port.control_port import QMI_PROXY, open_control_port
from lpad.card.port.lasting_names import device_key
from lpad.card.port.link_refused import LinkRefused
from lpad.card.qmi.qmi_channel import UimChannel
from lpad.card.qmi.qmi_dialogue import QmiDialogue
from lpad.card.qmi.qmi_modem import LADDER, QmiModem
from lpad.card.qmi.qmi_refusals import is_refusal
from lpad.card.qmi.sim_slots import SLOT
from lpad.card.quirks.quirks import Quirks
from lpad.codec.qmi.card import OpenedLogicalChannel, OpenLogicalChannel
from lpad.codec.qmi.errors import Error
from lpad.protocol.apdu import MOST_CHANNELS, Apdu, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.card_change_reports import CardReportLog
    from lpad.card.port.control_port import ControlPort

_log = logging.getLogger(__name__)

_OPEN_PORT = partial(open_control_port, proxy=QMI_PROXY)
_GUESSED = (1, 2, 3)
"""Numbers of channels that a killed process may have left open."""
_NOT_FOUND, _NO_CHANNEL = 0x6A82, (0x6A81, 0x6881)


class QmiLink(ControlLink[QmiModem]):
    """A link over a QMI port, which remembers the requirements of the modem's firmware."""

    kind = "qmi"
    ladder = LADDER

    @property
    def card_reports(self) -> CardReportLog:
        """The indications about the card."""
        return self.modem.dialogue.card_reports

    def close_leftovers(self, *, deadline: Deadline) -> None:
        """Close the channel of a killed process, and select the SIM slot that the settings name."""
        self._close_noted(deadline=deadline)
        slot = self.quirks.sim_slot
        if slot is not None and self.modem.select_slot(slot, deadline=deadline):
            _log.warning("%s: the modem now uses SIM slot %d", self.name, slot)
        self.slots_told = tuple(map(str, self.modem.slots(deadline=deadline)))

    def _close_noted(self, *, deadline: Deadline) -> None:
        """Close the channel of a killed process, if the note shows that a channel was open.

        QMI does not report who opened a channel. A channel on which the ISD-R answers was opened by an LPA.
        """
        held = self.modem.dialogue.held
        if not held.channel:
            return
        for number in range(1, MOST_CHANNELS):
            channel = UimChannel(self.modem, number)
            try:
                if Response.parse(channel.transmit(Apdu(GET_EID), deadline=deadline)).sw in NOT_OURS:
                    continue
                channel.close(deadline)
            except CardError as error:
                if "modem_error" not in error.details:
                    raise
                _log.debug("%s", error)
                if not is_refusal(error, Error.INVALID_ARGUMENT):
                    break  # the modem would refuse further attempts, too, as with an empty slot
            else:
                self.channels_closed += 1
                break
        held.closed()

    def open_first(self, aids: Sequence[Aid], *, deadline: Deadline) -> ModemOwnedChannel:
        """Open a channel to the first of `aids` that the card knows (see `ControlLink`)."""
        for aid in aids:
            channel = self._open(aid, deadline=deadline)
            if channel is not None:
                return channel
        raise no_isdr()

    def _open(self, aid: Aid, *, deadline: Deadline) -> ModemOwnedChannel | None:
        """Open a channel; return None if the card does not know the application."""
        for closed in (False, True):
            try:
                return self._opened(aid, deadline=deadline)
            except CardError as error:
                sw = error.details.get("sw")
                if is_refusal(error, Error.NO_SIM):
                    self.forget_card_report()  # a report that came before this answer is outdated
                    raise explained(error, self.modem.slots(deadline=deadline)) from error
                if is_refusal(error, Error.SIM_FILE_NOT_FOUND) or sw == f"{_NOT_FOUND:04X}":
                    return None
                if not is_refusal(error, Error.INSUFFICIENT_RESOURCES):
                    self.forget_card_report()
                    raise
                if closed or not self._close_guessed(deadline=deadline):
                    raise status_error("cannot open a logical channel", _NO_CHANNEL[0]) from error
        return None

    def _opened(self, aid: Aid, *, deadline: Deadline) -> ModemOwnedChannel:
        attempted = "cannot open a channel to the ISD-R"
        dialogue = self.modem.dialogue
        dialogue.held.opening()
        answer = dialogue.exchange(
            OpenLogicalChannel(slot=SLOT, aid=bytes(aid)),
            attempted=attempted,
            patience=self.quirks.patience.apdu,
            deadline=deadline,
        )
        found = dialogue.read(answer, OpenedLogicalChannel, attempted=attempted)
        if dialogue.error_of(answer, attempted=attempted) != Error.NONE and found.sw is not None:
            sw = found.sw.sw1 << 8 | found.sw.sw2
            if sw not in (0x0000, 0x9000):  # the card's reason says more than the modem's
                raise status_error(attempted, sw)
        dialogue.check(answer, attempted=attempted)
        number = found.channel
        if number is None or not 1 <= number < MOST_CHANNELS:
            raise LinkRefused(
                f"{attempted} at {self.name}: the modem named channel {number}, which is not from 1 to 19;"
                " reset the modem",
                modem_error=f"QMI channel {number}",
            )
        self.channel = number
        uim = UimChannel(self.modem, number)
        return ModemOwnedChannel(
            TracedCard(uim, name=self.name, unredacted=self.unredacted),
            aid=aid,
            number=number,
            close=lambda until: self._close(uim, until),
            unknown=lambda error: is_refusal(error, Error.INVALID_ARGUMENT),
        )

    def _close(self, channel: UimChannel, deadline: Deadline) -> None:
        """Close lpad's channel; its note is kept only if the modem does not answer."""
        try:
            channel.close(deadline)
        except CardError as error:
            if "modem_error" in error.details:
                self.modem.dialogue.held.closed()
            raise
        self.modem.dialogue.held.closed()

    def _close_guessed(self, *, deadline: Deadline) -> bool:
        """Close the channels that a killed process may have left open; return whether one was closed."""
        closed = False
        for number in _GUESSED:
            try:
                UimChannel(self.modem, number).close(deadline)
                closed = True
                self.channels_closed += 1
            except CardError as error:
                if "modem_error" not in error.details:
                    raise
                _log.debug("%s", error)
        return closed


def open_qmi_link(
    port: str,
    *,
    memory: LinkMemory | None = None,
    overrides: Mapping[str, Any] | None = None,
    unredacted: bool = False,
    open_port: Callable[[str], ControlPort] = _OPEN_PORT,
) -> QmiLink:
    """Open the link to the card in a modem, over its QMI port or qmi-proxy.

    Args:
        port: such as /dev/cdc-wdm0, locked until the link is closed, or shared through qmi-proxy.
        memory: the modems remembered across restarts; None: lpad remembers none.
        overrides: the settings' quirks; see `Quirks.merged`.
        unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        open_port: opens the port.

    Raises:
        InvalidValue: the overrides name an unknown quirk or a value out of range.
        CardUnreachable: no such port, or no permission.
        CardBusy: another program uses the port.
    """
    Quirks().merged(overrides or {})
    memory = memory or LinkMemory(None)
    held = memory.held_clients(device_key(None, f"qmi {port}"), port=port)
    modem = QmiModem(QmiDialogue(open_port(port), held))
    return QmiLink(modem, name=port, memory=memory, overrides=overrides, unredacted=unredacted)
