"""A modem on an MBIM port: its IMEI, the SIM that it reads, its registration, and its power."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardMalformed
from lpad.card.mbim.lte_attach import LteAttach
from lpad.card.mbim.mbim_data_session import MbimSession, ip_type_of
from lpad.card.modem.data_session_cause import SessionCause, known_cause
from lpad.card.modem.modem import ControlModem
from lpad.card.modem.modem_answer_types import ModemIccid, Power, RejectCause
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.card.quirks.quirks import RefreshStep, Step
from lpad.codec.mbim import basic_connect as basic
from lpad.codec.mbim.basic_connect import ReadyState, RegisterState
from lpad.codec.mbim.data_connection import LteAttachContext, RoamingControl
from lpad.codec.mbim.information_buffer import Information
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended
from lpad.protocol.data_session_types import SessionWish
from lpad.protocol.registration_answer import Registration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue

_log = logging.getLogger(__name__)

_I = TypeVar("_I", bound=Information)

NETWORK = "+MBIM"
"""The network's name in a `Registration`, because MBIM reports one state for all kinds of networks."""
_REGISTRATION: dict[int, int] = {
    RegisterState.DEREGISTERED: 0,
    RegisterState.SEARCHING: 2,
    RegisterState.HOME: 1,
    RegisterState.ROAMING: 5,
    RegisterState.PARTNER: 5,
    RegisterState.DENIED: 3,
}
"""The registration statuses of 3GPP TS 27.007, 10.1.22, by MBIM's register state."""
_UNKNOWN_REGISTRATION = 4
_NEWS = {
    (BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS): "SUBSCRIBER_READY_STATUS",
    (BASIC_CONNECT, Basic.REGISTER_STATE): "REGISTER_STATE",
}
RADIO_OFF, RADIO_ON, RESET = "MBIM radio off", "MBIM radio on", "MBIM reset"
DETACH, ATTACH = "MBIM detach", "MBIM attach"
LADDER = (
    RefreshStep(step=Step.WAIT, seconds=15.0),
    RefreshStep(step=Step.RADIO_CYCLE, down=(RADIO_OFF,), up=(RADIO_ON,), seconds=30.0),
    RefreshStep(step=Step.MODEM_RESET, up=(RESET,), seconds=90.0, port_goes=True),
)
"""The steps that make a modem on an MBIM port notice another profile."""
_ACTIONS: dict[str, tuple[UUID, int, Information | None]] = {
    RADIO_OFF: (BASIC_CONNECT, Basic.RADIO_STATE, basic.SetRadioState(radio=0)),
    RADIO_ON: (BASIC_CONNECT, Basic.RADIO_STATE, basic.SetRadioState(radio=1)),
    RESET: (BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_RESET, None),
    DETACH: (BASIC_CONNECT, Basic.PACKET_SERVICE, basic.SetPacketService(action=1)),
    ATTACH: (BASIC_CONNECT, Basic.PACKET_SERVICE, basic.SetPacketService(action=0)),
}
_POWERING = 40.0
_USER = 1
"""MBIM's number for settings that the device's owner has chosen."""
_IPV6 = 2
_WITH_IPV6 = (2, 3, 4)


class MbimModem(ControlModem):
    """The modem behind a dialogue (see `ControlModem`)."""

    dialogue: MbimDialogue
    unreported = "the modem does not report its registration over MBIM"
    reattaching: tuple[tuple[str, str], ...] = ((DETACH, ATTACH), (RADIO_OFF, RADIO_ON))

    def __init__(self, dialogue: MbimDialogue) -> None:
        """Use a dialogue; nothing is sent before the first query."""
        cause = SessionCause()
        super().__init__(dialogue, MbimSession(dialogue, cause), cause)

    def device_id(self, *, deadline: Deadline) -> str | None:
        """Return the text that the modem reports as its IMEI; None if it reports none."""
        caps = self._caps(deadline)
        return None if caps is None else caps.device_id

    def identity(self, *, deadline: Deadline) -> ModemIdentity:
        """Return model and firmware, as far as the modem reports them."""
        caps = self._caps(deadline)
        if caps is None:
            return ModemIdentity()
        return ModemIdentity(model=caps.hardware, firmware=caps.firmware)

    def iccid(self, *, deadline: Deadline) -> ModemIccid:
        """Return the modem's report on the ICCID that it reads."""
        status = self._asked(
            basic.SubscriberReadyStatus,
            Basic.SUBSCRIBER_READY_STATUS,
            "cannot read the SIM's state",
            deadline,
        )
        if status is None:
            return ModemIccid(tells=False)
        lock = None
        if status.ready_state == ReadyState.DEVICE_LOCKED:
            lock = self.lock(deadline=deadline) or "SIM PIN"
        return self._iccid_in(status.sim_iccid, lock=lock)

    def registration(self, *, deadline: Deadline) -> Registration | None:
        """Return the registration; None if the modem does not report it."""
        status = self._registration(deadline)
        if status is None:
            return None
        return Registration(NETWORK, _REGISTRATION.get(status.state, _UNKNOWN_REGISTRATION))

    def lock(self, *, deadline: Deadline) -> str | None:
        """Return the lock that the modem reports, such as SIM PIN; None if it reports none."""
        status = self._asked(basic.PinStatus, Basic.PIN, "cannot read the SIM's lock", deadline)
        if status is None or not status.pin_state:
            return None
        return basic.PIN_NAMES.get(status.pin_type)

    def reject_cause(self, *, deadline: Deadline) -> RejectCause:
        """Return the causes of the last refused attach and data session, as far as they are known."""
        status = self._registration(deadline)
        self._forget_stale_cause(deadline=deadline)
        emm = None if status is None else known_cause(status.network_error)
        return RejectCause(emm=emm, esm=self._cause.value)

    def take(self, action: str, *, deadline: Deadline) -> bool:
        """Carry out an action by its name; return whether the modem accepted it."""
        if action not in _ACTIONS:
            _log.warning("%s: '%s' is not an action of an MBIM modem", self.dialogue.name, action)
            return False
        service, cid, information = _ACTIONS[action]
        try:
            self.dialogue.ask(
                service,
                cid,
                information,
                action=Action.SET,
                attempted=f"cannot carry out '{action}'",
                patience=_POWERING,
                deadline=deadline,
            )
        except (LinkRefused, CardMalformed) as error:
            _log.warning("%s", error)
            return False
        return True

    def power(self, *, refused: Sequence[str], deadline: Deadline) -> Power:
        """Return whether the radio is on, if the modem reports this."""
        del refused
        state = self._asked(basic.RadioState, Basic.RADIO_STATE, "cannot read the radio's state", deadline)
        if state is None:
            return Power.UNKNOWN
        return Power.UP if state.software else Power.DOWN

    def attach_settings(self, *, deadline: Deadline) -> tuple[SessionWish, ...]:
        """Return the settings with which the modem attaches to LTE; empty: the modem does not report them."""
        return tuple(map(_wish_of, self._lte_attach.read(deadline=deadline) or ()))

    def store_attach_settings(self, wish: SessionWish, *, deadline: Deadline) -> bool:
        """Store settings for the next LTE attach; return whether the modem accepts them."""
        context = LteAttachContext(
            ip_type=ip_type_of(wish),
            roaming=RoamingControl.HOME,
            source=_USER,
            apn=wish.apn,
            user_name=wish.username,
            password=wish.password,
            authentication=wish.authentication,
        )
        return self._lte_attach.store(context, deadline=deadline)

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an indication about SIM or registration; return its name, or None if none came."""
        del beginnings  # the beginnings of lines, which only AT ports have
        found = self.dialogue.wait_for_indication(frozenset(_NEWS), deadline=deadline)
        return None if found is None else _NEWS[found.service, Basic(found.cid)]

    @property
    def _lte_attach(self) -> LteAttach:
        return LteAttach(self.dialogue, patience=self.patience.information)

    def _caps(self, deadline: Deadline) -> basic.DeviceCaps | None:
        return self._asked(basic.DeviceCaps, Basic.DEVICE_CAPS, "cannot read the modem's IMEI", deadline)

    def _registration(self, deadline: Deadline) -> basic.RegistrationStatus | None:
        return self._asked(
            basic.RegistrationStatus, Basic.REGISTER_STATE, "cannot read the registration", deadline
        )

    def _asked(self, kind: type[_I], cid: Basic, attempted: str, deadline: Deadline) -> _I | None:
        patience = self.patience.information
        return self.dialogue.read(
            kind, BASIC_CONNECT, cid, attempted=attempted, patience=patience, deadline=deadline
        )


def _wish_of(context: LteAttachContext) -> SessionWish:
    return SessionWish(
        apn=context.apn,
        username=context.user_name,
        password=context.password,
        authentication=context.authentication,
        ipv4=context.ip_type != _IPV6,
        ipv6=context.ip_type in _WITH_IPV6,
    )
