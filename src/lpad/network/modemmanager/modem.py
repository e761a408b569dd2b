"""A modem of ModemManager, found by its IMEI.

Each time ModemManager probes a modem, it makes a new object with a new path (/Modem/0, /Modem/1, …), for
instance after lpad has borrowed the port. So a path is valid only briefly, and the IMEI identifies the modem.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.dbus.call_failures import BusRefused
from lpad.dbus.calls_and_signals import OBJECT_MANAGER, PROPERTIES, Rule, owner_changed
from lpad.dbus.modem_inhibition import inhibit, inhibition
from lpad.dbus.typed_properties import Properties
from lpad.network.applier_interface import UNSEEN, Sight, State
from lpad.protocol.iccid_answer import is_reported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.base.deadline import Deadline
    from lpad.dbus.bus import Bus
    from lpad.dbus.signal_wakeup import Bell

_log = logging.getLogger(__name__)

PROGRAM = "ModemManager"
NAME = "org.freedesktop.ModemManager1"
ROOT = "/org/freedesktop/ModemManager1"
MODEM = f"{NAME}.Modem"
MODEM_3GPP = f"{NAME}.Modem.Modem3gpp"
SIMPLE = f"{NAME}.Modem.Simple"
SIM = f"{NAME}.Sim"
BEARER = f"{NAME}.Bearer"
CONTROL = "org.freedesktop.ModemManager1.Device.Control"
"""The polkit action for connecting, and for a modem's settings."""

SIGNALS = (
    Rule(sender=NAME, interface=MODEM, member="StateChanged"),
    Rule(sender=NAME, interface=OBJECT_MANAGER),
    owner_changed(NAME),
)
"""The D-Bus signals when a modem appears, leaves or changes its state, or ModemManager starts or ends."""

FAILED, LOCKED, CONNECTING, CONNECTED = -1, 2, 10, 11
"""MMModemState."""
_MOST_STATE = 32
_FAILURES = {
    1: "unknown",
    2: "it finds no SIM",
    3: "the SIM does not work",
    4: "the modem lacks capabilities",
    5: "the eUICC has no enabled profile",
}
"""MMModemStateFailedReason."""
_REGISTRATION = {
    0: "not registered",
    1: "registered at home",
    2: "searching",
    3: "denied",
    5: "registered, roaming",
    6: "registered at home for SMS only",
    7: "registered for SMS only, roaming",
}
"""MMModem3gppRegistrationState."""
_REGISTERED = frozenset({1, 5})


class ManagedModem(Frozen):
    """One observation of a modem."""

    path: str
    uid: str | None
    """ModemManager's identifier of the device, which remains valid when the object's path changes."""
    imei: str | None
    iccid: str | None
    """The ICCID of the profile that ModemManager has read; None: it has read none."""
    state: int | None
    """MMModemState: -1 failed, 2 locked, 8 registered, 10 connecting, 11 connected; None: unknown."""
    trouble: str | None
    """The reason why the modem cannot be used, in words; None: it is neither failed nor locked."""
    registration: int | None
    """MMModem3gppRegistrationState."""
    bearers: tuple[str, ...]
    initial_bearer: Properties
    """The settings of the initial EPS bearer; without entries if they are unknown."""

    @property
    def registered(self) -> bool | None:
        """Whether the modem is registered, at home or roaming; None if unknown."""
        return None if self.registration in (None, 4) else self.registration in _REGISTERED

    @property
    def registration_told(self) -> str:
        """The registration in words."""
        return _REGISTRATION.get(-1 if self.registration is None else self.registration, "unknown")

    @property
    def registration_sight(self) -> Sight:
        """The registration as an applier reports it."""
        if self.registered is None:
            return UNSEEN
        return Sight(state=State.UP if self.registered else State.DOWN, told=self.registration_told)


def watch(bus: Bus, bell: Bell, *, deadline: Deadline) -> None:
    """From now on, ring `bell` at each change of a modem in ModemManager.

    Raises:
        BusError: see `Bus.listen`.
    """
    for rule in (
        Rule(sender=NAME, interface=OBJECT_MANAGER),
        Rule(sender=NAME, interface=PROPERTIES, member="PropertiesChanged"),
        Rule(sender=NAME, interface=MODEM, member="StateChanged"),
    ):
        bus.listen(rule, bell.ring, deadline=deadline)


def find_modem(bus: Bus, *, imei: str | None, iccid: str, deadline: Deadline) -> ManagedModem | None:
    """Find a modem.

    Args:
        imei: 15 digits; None: unknown, so the modem with the card, or the only modem, is used.
        iccid: the ICCID of the enabled profile.

    Returns:
        The modem; None if ModemManager does not show it (yet).

    Raises:
        BusError: see `Bus.call`.
    """
    modems = list(_modems(bus, deadline=deadline))
    if imei is not None:
        return next((each for each in modems if each.imei == imei), None)
    with_card = next((each for each in modems if is_reported(iccid, each.iccid)), None)
    return with_card or (modems[0] if len(modems) == 1 else None)


def probe_again(bus: Bus, modem: str, uid: str, *, deadline: Deadline) -> None:
    """Make ModemManager forget a modem and probe it again, so that ModemManager reads the present profile.

    A refusal is only logged: another program may have inhibited the modem, or lpad may lack the permission.

    Raises:
        BusError: as for `Bus.call`, except a refusal.
    """
    _log.info(
        "ModemManager shows a profile other than the card's present one; lpad has it probe the modem again"
    )
    try:
        inhibit(bus, modem, uid, deadline=deadline)
        bus.call(inhibition(uid, on=False), deadline=deadline)
    except BusRefused as refusal:
        _log.warning("ModemManager does not probe the modem again: %s", refusal)


def _modems(bus: Bus, *, deadline: Deadline) -> Iterator[ManagedModem]:
    for path, interfaces in bus.objects(NAME, ROOT, deadline=deadline).items():
        modem = interfaces.get(MODEM)
        if modem is None:
            continue
        gpp = interfaces.get(MODEM_3GPP, Properties())
        state = modem.number("State", least=-1, most=_MOST_STATE)
        yield ManagedModem(
            path=path,
            uid=modem.text("Device"),
            imei=modem.text("EquipmentIdentifier") or gpp.text("Imei"),
            iccid=_iccid_of(bus, modem.path("Sim"), deadline=deadline),
            state=state,
            trouble=_trouble(state, modem),
            registration=gpp.number("RegistrationState", most=_MOST_STATE),
            bearers=modem.paths("Bearers"),
            initial_bearer=gpp.table("InitialEpsBearerSettings"),
        )


def _iccid_of(bus: Bus, sim: str | None, *, deadline: Deadline) -> str | None:
    if sim is None:
        return None
    try:
        return bus.properties(NAME, sim, SIM, deadline=deadline).text("SimIdentifier")
    except BusRefused as refusal:
        if refusal.not_permitted:
            raise
        return None  # the object no longer exists, because the modem is being probed again


def _trouble(state: int | None, modem: Properties) -> str | None:
    if state == FAILED:
        reason = modem.number("StateFailedReason", most=_MOST_STATE)
        return _FAILURES.get(reason or 1, "unknown")
    return "the SIM requires a PIN or PUK" if state == LOCKED else None
