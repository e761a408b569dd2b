"""A modem on a QMI port: its IMEI, the SIM that it reads, its registration, and its power."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardError, CardMalformed
from lpad.card.modem.control_refusals import pass_over
from lpad.card.modem.data_session_cause import SessionCause, known_cause
from lpad.card.modem.modem import ControlModem
from lpad.card.modem.modem_answer_types import ModemIccid, Power, RejectCause
from lpad.card.modem.sim_slot import needs_change
from lpad.card.qmi.qmi_data_session import QmiSession
from lpad.card.qmi.qmi_refusals import is_refusal
from lpad.card.qmi.sim_slots import SLOT, slots_of, used_slot
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.card.quirks.quirks import RefreshStep, Step
from lpad.codec.qmi import card, device, network_registration
from lpad.codec.qmi.card import AppState, AppType, CardState
from lpad.codec.qmi.device import OperatingMode
from lpad.codec.qmi.errors import Error
from lpad.codec.qmi.message_parameters import Body
from lpad.codec.qmi.network_registration import RegistrationState
from lpad.codec.qmi.services import Nas, Service, Uim
from lpad.protocol.registration_answer import Registration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline
    from lpad.card.modem.sim_slot import Slot
    from lpad.card.qmi.qmi_dialogue import QmiDialogue

_log = logging.getLogger(__name__)

_B = TypeVar("_B", bound=Body)

NETWORK = "+QMI"
"""The network's name in a `Registration`, because QMI reports one state for all kinds of network."""
_REGISTRATION: dict[int, int] = {
    RegistrationState.NOT_REGISTERED: 0,
    RegistrationState.REGISTERED: 1,
    RegistrationState.SEARCHING: 2,
    RegistrationState.DENIED: 3,
}
"""Registration statuses of 3GPP TS 27.007, 10.1.22, by QMI's registration states."""
_ROAMING, _ROAMING_STATUS = 0, 5
_UNKNOWN_REGISTRATION = 4
_LOCKS = {AppState.PIN_REQUIRED: "SIM PIN", AppState.PUK_REQUIRED: "SIM PUK"}
_NEWS: dict[tuple[int, int], str] = {
    (Service.UIM, Uim.CARD_STATUS): "CARD_STATUS",
    (Service.UIM, Uim.SLOT_STATUS): "SLOT_STATUS",
    (Service.UIM, Uim.REFRESH): "REFRESH",
    (Service.NAS, Nas.GET_SERVING_SYSTEM): "SERVING_SYSTEM",
}
_CARD_SESSION = 6
"""The session of the card in the first slot, for files outside its applications."""
_EF_ICCID = card.File(number=0x2FE2, path=(0x3F00).to_bytes(2, "little"))

SESSION_OFF, SESSION_ON = "QMI session off", "QMI session on"
SIM_OFF, SIM_ON = "QMI SIM off", "QMI SIM on"
RADIO_OFF, RADIO_ON, RESET = "QMI radio off", "QMI radio on", "QMI reset"
DETACH, ATTACH = "QMI detach", "QMI attach"
LADDER = (
    RefreshStep(step=Step.WAIT, seconds=15.0),
    RefreshStep(step=Step.SIM_POWER_CYCLE, down=(SESSION_OFF,), up=(SESSION_ON,), seconds=10.0),
    RefreshStep(step=Step.SIM_POWER_CYCLE, down=(SIM_OFF,), up=(SIM_ON,), seconds=20.0),
    RefreshStep(step=Step.RADIO_CYCLE, down=(RADIO_OFF,), up=(RADIO_ON,), seconds=30.0),
    RefreshStep(step=Step.MODEM_RESET, up=(RESET,), seconds=90.0, port_goes=True),
)
"""The steps that make a modem on a QMI port notice another profile."""
_READS_THE_CARD = frozenset({SESSION_ON, SIM_ON, RADIO_ON})
_ACTIONS: dict[str, tuple[Body, ...]] = {
    SESSION_OFF: (
        card.ChangeProvisioningSession(
            session=card.ProvisioningSession(kind=card.PRIMARY_SESSION, activate=0)
        ),
    ),
    SIM_OFF: (card.PowerOff(slot=SLOT),),
    SIM_ON: (card.PowerOn(slot=SLOT),),
    RADIO_OFF: (device.SetOperatingMode(mode=OperatingMode.LOW_POWER),),
    RADIO_ON: (device.SetOperatingMode(mode=OperatingMode.ONLINE),),
    # Some firmware resets only from the mode offline; other firmware does not have this mode.
    RESET: (
        device.SetOperatingMode(mode=OperatingMode.OFFLINE),
        device.SetOperatingMode(mode=OperatingMode.RESET),
    ),
    DETACH: (network_registration.AttachDetach(action=network_registration.DETACH),),
    ATTACH: (network_registration.AttachDetach(action=network_registration.ATTACH),),
}
"""The requests of each action but `SESSION_ON`; the last answer decides whether the action succeeded."""
_POWERING = 40.0
_STARTING = 1.0
_NOT_STARTED = (AppState.UNKNOWN, AppState.DETECTED)
_SWITCHING = 30.0
"""Seconds that a modem may take to change its slot and start the card."""


class QmiModem(ControlModem):
    """The modem behind a dialogue (see `ControlModem`)."""

    dialogue: QmiDialogue
    unreported = "the modem does not report its registration over QMI"
    reattaching: tuple[tuple[str, str], ...] = ((DETACH, ATTACH), (RADIO_OFF, RADIO_ON))

    def __init__(self, dialogue: QmiDialogue) -> None:
        """Use a dialogue; nothing is sent before the first query."""
        cause = SessionCause()
        super().__init__(dialogue, QmiSession(dialogue, cause), cause)

    def device_id(self, *, deadline: Deadline) -> str | None:
        """Return the text that the modem reports as its IMEI; None if it reports none."""
        ids = self._asked(device.GetIds(), device.Ids, "cannot read the modem's IMEI", deadline)
        return None if ids is None else ids.imei

    def identity(self, *, deadline: Deadline) -> ModemIdentity:
        """Return maker, model and firmware, as far as the modem reports them."""
        attempted = "cannot read the modem's name"
        maker = self._asked(device.GetManufacturer(), device.Manufacturer, attempted, deadline)
        model = self._asked(device.GetModel(), device.Model, attempted, deadline)
        revision = self._asked(device.GetRevision(), device.Revision, attempted, deadline)
        return ModemIdentity(
            manufacturer="" if maker is None else maker.name,
            model="" if model is None else model.name,
            firmware="" if revision is None else revision.name,
        )

    def iccid(self, *, deadline: Deadline) -> ModemIccid:
        """Return the ICCID that the modem reads: from its active slot, or else from the card's file."""
        status = self._cards(deadline)
        lock = _lock_of(status)
        raw = self._iccid_of_slot(deadline)
        if raw is None:
            raw = self._iccid_of_file(deadline)
        if raw is None:
            return ModemIccid(tells=lock is not None, lock=lock)
        return self._iccid_in(raw.hex().upper(), lock=lock)

    def registration(self, *, deadline: Deadline) -> Registration | None:
        """Return the registration; None if the modem does not report it."""
        status = self._asked(
            network_registration.GetServingSystem(),
            network_registration.ServingSystemStatus,
            "cannot read the registration",
            deadline,
        )
        if status is None:
            return None
        number = _REGISTRATION.get(status.system.registration, _UNKNOWN_REGISTRATION)
        if status.system.registration == RegistrationState.REGISTERED:
            self.dialogue.forget_rejection()
            if status.roaming == _ROAMING:
                number = _ROAMING_STATUS
        return Registration(NETWORK, number)

    def lock(self, *, deadline: Deadline) -> str | None:
        """Return the lock that the modem reports, such as SIM PIN; None if it reports none."""
        return _lock_of(self._cards(deadline))

    def reject_cause(self, *, deadline: Deadline) -> RejectCause:
        """Return the causes of the last refused attach and session; empty if the modem is registered."""
        registration = self.registration(deadline=deadline)
        if registration is not None and registration.registered:
            return RejectCause()
        emm = known_cause(self.dialogue.rejection())
        self._forget_stale_cause(deadline=deadline)
        return RejectCause(emm=emm, esm=self._cause.value)

    def take(self, action: str, *, deadline: Deadline) -> bool:
        """Carry out an action by its name; return whether the modem accepted it."""
        if action in _READS_THE_CARD:
            self.dialogue.forget_rejection()  # the cause belongs to the profile read until now
        if action == SESSION_ON:
            return self._start_session(deadline)
        if action not in _ACTIONS:
            _log.warning("%s: '%s' is not an action of a QMI modem", self.dialogue.name, action)
            return False
        accepted = [self._order(request, action, deadline) for request in _ACTIONS[action]]
        return accepted[-1]

    def power(self, *, refused: Sequence[str], deadline: Deadline) -> Power:
        """Return whether radio and SIM are on, if the modem reports this."""
        del refused
        attempted = "cannot read the radio's state"
        mode = self._asked(device.GetOperatingMode(), device.PresentOperatingMode, attempted, deadline)
        if mode is None:
            return Power.UNKNOWN
        if mode.mode != OperatingMode.ONLINE:
            return Power.DOWN
        status = self._cards(deadline)
        present = status is not None and any(each.state == CardState.PRESENT for each in status.cards)
        return Power.UP if present else Power.UNKNOWN

    def slots(self, *, deadline: Deadline) -> tuple[Slot, ...]:
        """Return the modem's physical slots; empty if it does not report them."""
        status = self._slot_status(deadline)
        return () if status is None else slots_of(status.slots)

    def select_slot(self, number: int, *, deadline: Deadline) -> bool:
        """Make the modem use a slot; return whether lpad changed the slot.

        Args:
            number: the physical slot, from 1.

        Raises:
            CardUnreachable: the modem has no such slot, or refuses; or the port is gone.
        """
        attempted = f"cannot use SIM slot {number} of the modem at {self.dialogue.name}"
        slots = self.slots(deadline=deadline)
        if not needs_change(slots, number, attempted=attempted):
            return False
        try:
            self.dialogue.order(
                card.SwitchSlot(logical=SLOT, physical=number),
                attempted=f"cannot use SIM slot {number}",
                patience=_SWITCHING,
                deadline=deadline,
            )
        except CardError as error:
            if is_refusal(error, Error.NO_EFFECT):
                return False  # another program has already selected the slot
            raise
        if slots[number - 1].card is not False:
            self._wait_for_card(deadline=deadline)
        return True

    def _wait_for_card(self, *, deadline: Deadline) -> None:
        """Wait until the slot's card has started; without an indication, lpad waits at least a second."""
        until = deadline.within(_SWITCHING)
        starting = True
        while starting and not until.passed:
            self.wait_for((), deadline=until.within(_STARTING))
            status = self._cards(deadline)
            starting = status is not None and _is_starting(status)

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an indication about SIM or registration; return its name, or None if none came."""
        del beginnings  # only an AT port sends unsolicited lines
        found = self.dialogue.wait_for_indication(frozenset(_NEWS), deadline=deadline)
        return None if found is None else _NEWS[found]

    def _cards(self, deadline: Deadline) -> card.Cards | None:
        told = self._asked(card.GetCardStatus(), card.CardStatus, "cannot read the SIM's state", deadline)
        return None if told is None else told.status

    def _slot_status(self, deadline: Deadline) -> card.SlotStatus | None:
        return self._asked(card.GetSlotStatus(), card.SlotStatus, "cannot read the SIM slots", deadline)

    def _iccid_of_slot(self, deadline: Deadline) -> bytes | None:
        """Return the ICCID of the active slot, empty without an ICCID; None: no active slot is reported."""
        status = self._slot_status(deadline)
        used = None if status is None else used_slot(status.slots)
        return None if used is None else used.iccid

    def _iccid_of_file(self, deadline: Deadline) -> bytes | None:
        """Return the content of EF_ICCID, empty without card or file; None: the modem does not read files."""
        attempted = "cannot read the ICCID"
        request = card.ReadTransparent(session=card.Session(kind=_CARD_SESSION), file=_EF_ICCID)
        try:
            return self.dialogue.ask(
                request,
                card.FileContent,
                attempted=attempted,
                patience=self.patience.information,
                deadline=deadline,
            ).data
        except CardError as error:
            pass_over(error)
            missing = is_refusal(error, Error.SIM_FILE_NOT_FOUND, Error.NO_SIM, Error.INTERNAL)
            return b"" if missing else None

    def _start_session(self, deadline: Deadline) -> bool:
        """Have the modem use the card's USIM again; return whether the modem accepts this."""
        status = self._cards(deadline)
        apps = [app for each in (() if status is None else status.cards) for app in each.apps]
        usims = [app.aid for app in apps if app.type == AppType.USIM and app.aid]
        if not usims:
            _log.info("%s: the card has no USIM to use", self.dialogue.name)
            return False
        request = card.ChangeProvisioningSession(
            session=card.ProvisioningSession(kind=card.PRIMARY_SESSION, activate=1),
            app=card.ProvisioningApp(slot=SLOT, aid=usims[0]),
        )
        return self._order(request, SESSION_ON, deadline)

    def _order(self, request: Body, action: str, deadline: Deadline) -> bool:
        try:
            self.dialogue.order(
                request, attempted=f"cannot carry out '{action}'", patience=_POWERING, deadline=deadline
            )
        except CardError as error:
            if is_refusal(error, Error.NO_EFFECT):
                return True  # the state is already as requested
            if "modem_error" not in error.details and not isinstance(error, CardMalformed):
                raise
            _log.warning("%s", error)
            return False
        return True

    def _asked(self, request: Body, kind: type[_B], attempted: str, deadline: Deadline) -> _B | None:
        """Query the modem; return None if it refuses or answers unintelligibly."""
        try:
            return self.dialogue.ask(
                request, kind, attempted=attempted, patience=self.patience.information, deadline=deadline
            )
        except CardError as error:
            if is_refusal(error, Error.CLIENT_IDS_EXHAUSTED):
                raise
            pass_over(error)
            return None


def _is_starting(status: card.Cards) -> bool:
    """Return whether the card is absent or its USIMs are still starting; a card without USIMs is not."""
    usims = [
        app.state for each in status.cards for app in each.apps if app.type in (AppType.SIM, AppType.USIM)
    ]
    present = any(each.state == CardState.PRESENT for each in status.cards)
    return not present or (bool(usims) and all(state in _NOT_STARTED for state in usims))


def _lock_of(status: card.Cards | None) -> str | None:
    """Return the lock of the first application that requires a code; None if none does."""
    locks = {state.value: name for state, name in _LOCKS.items()}
    apps = [app for each in (() if status is None else status.cards) for app in each.apps]
    return next((locks[app.state] for app in apps if app.state in locks), None)
