"""One channel that an MBIM modem has opened, with its application selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed, CardUnreachable, blamed_on
from lpad.card.mbim.mbim_refusals import is_status
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import UICC, Uicc
from lpad.codec.mbim.statuses import Status
from lpad.codec.mbim.uicc_access import ApduAnswer, ApduRequest, CloseChannelRequest, status_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_modem import MbimModem
    from lpad.protocol.apdu import Apdu

_PROPRIETARY = 0x80
_INTER_INDUSTRY, _EXTENDED = 0, 1
_WRONG_CLASS = (b"\x6e\x00", b"\x68\x81")
_NOT_ALLOWED = b"\x69\x85"


class UiccChannel:
    """Passes APDUs to one channel (see `RawCard`)."""

    def __init__(
        self,
        modem: MbimModem,
        number: int,
        *,
        class_byte_type: int | None,
        channel_in_class: bool = True,
        learn: Callable[[int], None],
    ) -> None:
        """Use an open channel.

        Args:
            number: the channel number, 1 to 19.
            class_byte_type: the type that worked for ES10 commands; None: unknown, so lpad tries 1 first.
            channel_in_class: whether class bytes contain the channel number at first.
            learn: called with the type once it is known.
        """
        self.modem = modem
        self.number = number
        self._known = class_byte_type
        self._learn = learn
        self._carried = False
        self._channel_in_class = channel_in_class

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU on, and return the answer.

        The MBIM function builds the class byte from its type. By the specification, ES10's 8x is type 1,
        extended, but some firmware expects 0 (lpac always sends 0). The first answer shows which type works.
        """
        if not apdu.command.cla & _PROPRIETARY:
            return self._pass(apdu, _INTER_INDUSTRY, deadline=deadline)
        if self._known is not None:
            return self._pass(apdu, self._known, deadline=deadline)
        answer = self._pass(apdu, _EXTENDED, deadline=deadline)
        repeatable = apdu.command.intent.repeatable
        if answer in _WRONG_CLASS or (answer == _NOT_ALLOWED and repeatable):
            other = self._pass(apdu, _INTER_INDUSTRY, deadline=deadline)
            if other in _WRONG_CLASS or other == answer:
                return answer
            self._is(_INTER_INDUSTRY)
            return other
        self._is(_EXTENDED)
        return answer

    def _is(self, class_byte_type: int) -> None:
        self._known = class_byte_type
        self._learn(class_byte_type)

    def _pass(self, apdu: Apdu, class_byte_type: int, *, deadline: Deadline) -> bytes:
        """Pass an APDU on with the channel number in its class byte, because some firmware inserts no number.

        Other firmware refuses such an APDU as if its channel did not exist (Fibocom, lpac#114).
        """
        if not self._channel_in_class:
            return self._send(apdu, class_byte_type, deadline=deadline)
        try:
            answer = self._send(apdu.on_channel(self.number), class_byte_type, deadline=deadline)
        except CardUnreachable as error:
            if self._carried or not is_status(error, Status.INVALID_LOGICAL_CHANNEL):
                raise
            answer = self._send(apdu, class_byte_type, deadline=deadline)
            self._channel_in_class = False
        self._carried = True
        return answer

    def close(self, deadline: Deadline, *, group: int) -> None:
        """Have the modem close the channel.

        Raises:
            CardUnreachable: the modem does not answer, or refuses.
        """
        self.modem.dialogue.ask(
            UICC,
            Uicc.CLOSE_CHANNEL,
            CloseChannelRequest(channel=self.number, group=group),
            action=Action.SET,
            attempted="cannot close the channel",
            patience=self.modem.patience.apdu,
            deadline=deadline,
        )

    def _send(self, apdu: Apdu, class_byte_type: int, *, deadline: Deadline) -> bytes:
        attempted = "cannot pass an APDU on"
        answer = self.modem.dialogue.ask(
            UICC,
            Uicc.APDU,
            ApduRequest(channel=self.number, class_byte_type=class_byte_type, apdu=bytes(apdu)),
            action=Action.SET,
            attempted=attempted,
            patience=self.modem.patience.of(apdu.command.intent),
            deadline=deadline,
        )
        with blamed_on(CardMalformed, attempted):
            found = decode(ApduAnswer, answer)
            return found.response + status_word(found.status)
