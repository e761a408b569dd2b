"""One channel that a QMI modem has opened, as a card that accepts APDUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed
from lpad.card.qmi.sim_slots import SLOT
from lpad.codec.qmi.card import ApduAnswer, CloseLogicalChannel, SendApdu
from lpad.codec.qmi.errors import Error

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.qmi.qmi_modem import QmiModem
    from lpad.protocol.apdu import Apdu


class UimChannel:
    """Passes APDUs to one channel (see `RawCard`)."""

    def __init__(self, modem: QmiModem, number: int) -> None:
        """Use an open channel.

        Args:
            number: the channel's number, 1 to 19.
        """
        self.modem = modem
        self.number = number

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU on with the channel number in its class byte, because some firmware inserts no number.

        An answer too long for one message follows in indications; some firmware announces it in a refusal.
        """
        attempted = "cannot pass an APDU on"
        dialogue = self.modem.dialogue
        patience = self.modem.patience.of(apdu.command.intent)
        answer = dialogue.exchange(
            SendApdu(slot=SLOT, apdu=bytes(apdu.on_channel(self.number)), channel=self.number),
            attempted=attempted,
            patience=patience,
            deadline=deadline,
        )
        error = dialogue.error_of(answer, attempted=attempted)
        found = dialogue.read(answer, ApduAnswer, attempted=attempted)
        if found.long is not None and error in (Error.NONE, Error.INSUFFICIENT_RESOURCES):
            return dialogue.long_response(
                found.long, attempted=attempted, patience=patience, deadline=deadline
            )
        dialogue.check(answer, attempted=attempted)
        if found.response is None:
            raise CardMalformed(f"{attempted}: the modem's answer contains no answer of the card")
        return found.response

    def close(self, deadline: Deadline) -> None:
        """Have the modem close the channel.

        Raises:
            CardUnreachable: the modem does not answer, or refuses.
        """
        self.modem.dialogue.order(
            CloseLogicalChannel(slot=SLOT, channel=self.number),
            attempted="cannot close the channel",
            patience=self.modem.patience.apdu,
            deadline=deadline,
        )
