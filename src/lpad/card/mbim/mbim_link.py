"""The card in a modem, over its MBIM port, on channels that the modem opens (MS low-level UICC access)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardBusy, CardError, CardMalformed, InternalError, blamed_on
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.card.link.answer_length import AnswerLengthChannel
from lpad.card.link.diagnostics import LinkFacts, handle_form
from lpad.card.link.isdr_aids import remembered_first
from lpad.card.link.remembered_links import LinkMemory, Remembered
from lpad.card.mbim.mbim_channel import MbimChannel, UiccChannel
from lpad.card.mbim.mbim_dialogue import MbimDialogue
from lpad.card.mbim.mbim_modem import LADDER, MbimModem
from lpad.card.mbim.mbim_refusals import is_status
from lpad.card.mbim.sim_slots import SimSlots
from lpad.card.modem.modem_of_link import LentModem
from lpad.card.modem.powered_down_note import PoweredDown, bring_up
from lpad.card.port.control_port import open_control_port
from lpad.card.port.lasting_names import device_key
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.quirks import Quirks
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import UICC, Uicc
from lpad.codec.mbim.statuses import Status
from lpad.codec.mbim.uicc_access import CloseChannelRequest, OpenChannelAnswer, OpenChannelRequest
from lpad.protocol.apdu import MOST_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.link import Channel
    from lpad.card.port.control_port import ControlPort

_log = logging.getLogger(__name__)

GROUP = 0x4C50
"""lpad's own group of channels. ModemManager and lpac use 1, so closing lpad's group leaves theirs open."""
_SELECT_P2 = (0x00, 0x0C, 0x04)
"""P2 of SELECT: any answer; none, which Fibocom L850 and L860 require (lpac#438); FCP, as ModemManager."""
_NOT_SELECTED = (Status.SELECT_FAILED, Status.INVALID_PARAMETERS, Status.FAILURE)
_SIM_BUSY = 30.0
_BETWEEN_QUESTIONS = 1.0


class MbimLink:
    """A link that remembers with the modem what its firmware requires."""

    def __init__(
        self,
        modem: MbimModem,
        *,
        name: str,
        memory: LinkMemory,
        overrides: Mapping[str, Any] | None = None,
        unredacted: bool = False,
    ) -> None:
        """Use a modem; nothing is sent before the first channel is opened or the IMEI is read.

        Args:
            modem: used by this link alone; closed with it.
            name: name of the port, for the log.
            memory: the remembered modems.
            overrides: the settings' quirks; those for AT commands have no effect.
        """
        self._modem = modem
        self._name = name
        self._memory = memory
        self._unredacted = unredacted
        self._quirks = Quirks(refresh_ladder=LADDER, announcements=(), iccid_commands=()).merged(
            overrides or {}
        )
        modem.patience = self._quirks.patience
        self._remembered = Remembered()
        self._powered_down = PoweredDown(None)
        self._key: str | None = None
        self._imei: Imei | None = None
        self._channel: int | None = None

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        return self._remembered.block_size or self._quirks.block_size

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._remember(block_size=size)

    def describe(self) -> LinkFacts:
        """Return the link's description of itself."""
        identity = self._remembered.identity
        return LinkFacts(
            kind="mbim",
            model=identity.model or None,
            firmware=identity.firmware or None,
            handle=None if self._channel is None else handle_form(str(self._channel)),
        )

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI (see `Device`)."""
        self._get_acquainted(deadline=deadline)
        return self._imei

    def close(self) -> None:
        """Release the port."""
        self._modem.dialogue.close()

    @contextmanager
    def lend_modem(self, *, deadline: Deadline) -> Iterator[LentModem]:
        """Lend the modem (see `Link`)."""
        self._get_acquainted(deadline=deadline)
        yield LentModem(modem=self._modem, quirks=self._quirks, powered_down=self._powered_down)

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel to the ISD-R (see `Link`)."""
        if not aids:
            raise InternalError("the AID of the application to select is missing")
        if self._key is not None:
            bring_up(self._modem, self._powered_down, deadline=deadline)
        self._get_acquainted(deadline=deadline)
        channel = self._open_once_ready(remembered_first(aids, self._remembered.isdr_aid), deadline=deadline)
        if len(aids) > 1:
            self._remember(isdr_aid=str(channel.aid))
        return AnswerLengthChannel(
            channel, needed=self._remembered.le, learn=lambda needed: self._remember(le=needed)
        )

    def _get_acquainted(self, *, deadline: Deadline) -> None:
        """Identify the modem, once per opened port, and close the channels of a process that was killed."""
        if self._key is not None:
            return
        self._imei = self._modem.imei(deadline=deadline)
        key = device_key(None, f"mbim {self._name if self._imei is None else self._imei}")
        remembered = self._memory.get(key)
        identity = self._modem.identity(deadline=deadline)
        if remembered is not None and remembered.identity == identity:
            self._remembered = remembered
        else:
            self._remembered = Remembered(identity=identity)
        self._powered_down = self._memory.powered_down(key)
        bring_up(self._modem, self._powered_down, deadline=deadline)
        self._close_group(deadline=deadline)
        self._key = key
        self._remember()
        _log.info("%s: MBIM modem %s", self._name, identity)

    def _close_group(self, *, deadline: Deadline) -> None:
        try:
            self._modem.dialogue.ask(
                UICC,
                Uicc.CLOSE_CHANNEL,
                CloseChannelRequest(channel=0, group=GROUP),
                action=Action.SET,
                attempted="cannot close earlier channels",
                patience=self._quirks.patience.apdu,
                deadline=deadline,
            )
        except CardError as error:
            if "modem_error" not in error.details:
                raise
            _log.debug("%s", error)  # without a channel some modems refuse

    def _open_once_ready(self, aids: Sequence[Aid], *, deadline: Deadline) -> MbimChannel:
        """Open a channel; repeat while the modem reports that the SIM is busy, as after a switch."""
        until = deadline.within(_SIM_BUSY)
        while True:
            self._modem.forget_unsolicited()
            try:
                return self._open_first(aids, deadline=deadline)
            except CardBusy as error:
                if until.remaining() <= _BETWEEN_QUESTIONS:
                    raise
                _log.info("%s: %s; waiting", self._name, error)
            self._modem.wait_for((), deadline=until.within(_BETWEEN_QUESTIONS))

    def _open_first(self, aids: Sequence[Aid], *, deadline: Deadline) -> MbimChannel:
        """Open a channel to the first of `aids` that the card knows."""
        refusals: list[CardError] = []
        known = self._remembered.select_p2
        for aid in aids:
            for p2 in (
                _SELECT_P2 if known is None else (known, *(each for each in _SELECT_P2 if each != known))
            ):
                try:
                    return self._open(aid, p2, deadline=deadline)
                except CardError as error:
                    if is_status(error, Status.NO_LOGICAL_CHANNELS):
                        raise status_error("cannot open a logical channel", 0x6A81) from error
                    if is_status(error, Status.SIM_NOT_INSERTED):
                        raise self._slots.explained(error, deadline=deadline) from error
                    if not is_status(error, *_NOT_SELECTED):
                        raise
                    refusals.append(error)
        if all(is_status(error, Status.SELECT_FAILED) for error in refusals):
            raise no_isdr()
        raise next(each for each in refusals if not is_status(each, Status.SELECT_FAILED))

    def _open(self, aid: Aid, p2: int, *, deadline: Deadline) -> MbimChannel:
        attempted = "cannot open a channel to the ISD-R"
        answer = self._modem.dialogue.ask(
            UICC,
            Uicc.OPEN_CHANNEL,
            OpenChannelRequest(aid=bytes(aid), select_p2=p2, group=GROUP),
            action=Action.SET,
            attempted=attempted,
            patience=self._quirks.patience.apdu,
            deadline=deadline,
        )
        with blamed_on(CardMalformed, attempted):
            number = decode(OpenChannelAnswer, answer).channel
        if not 1 <= number < MOST_CHANNELS:
            raise LinkRefused(
                f"{attempted} at {self._name}: the modem named channel {number}, which is not from 1 to 19;"
                " reset the modem",
                modem_error=f"MBIM channel {number}",
            )
        self._remember(select_p2=p2)
        self._channel = number
        uicc = UiccChannel(
            self._modem,
            number,
            class_byte_type=self._remembered.class_byte_type,
            learn=lambda kind: self._remember(class_byte_type=kind),
        )
        traced = TracedCard(uicc, name=self._name, unredacted=self._unredacted)
        return MbimChannel(traced, uicc, aid=aid, group=GROUP)

    @property
    def _slots(self) -> SimSlots:
        return SimSlots(self._modem.dialogue, patience=self._quirks.patience.information)

    def _remember(self, **what: Any) -> None:
        self._remembered = replace(self._remembered, **what)
        if self._key is not None:
            self._memory.put(self._key, self._remembered)


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
        memory: the modems remembered across restarts; None: none.
        overrides: the settings' quirks; see `Quirks.merged`.
        open_port: opens the port.

    Raises:
        InvalidValue: the overrides name an unknown quirk or a value out of range.
        CardUnreachable: no such port, or no permission.
        CardBusy: another program uses the port.
    """
    Quirks().merged(overrides or {})
    modem = MbimModem(MbimDialogue(open_port(port)))
    return MbimLink(
        modem, name=port, memory=memory or LinkMemory(None), overrides=overrides, unredacted=unredacted
    )
