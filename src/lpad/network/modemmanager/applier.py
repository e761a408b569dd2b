"""The applier `modemmanager`: makes ModemManager set the initial EPS bearer and, if requested, connect."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.frozen import Frozen
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError, BusRefused
from lpad.dbus.calls_and_signals import Call
from lpad.dbus.signal_wakeup import Bell
from lpad.network.applier_interface import (
    UNKNOWN_CONNECTION,
    Applied,
    Connection,
    Failed,
    Sight,
    State,
    TryAgain,
)
from lpad.network.bus_failure_outcome import failed_question, not_running
from lpad.network.connection_layer_names import Layer
from lpad.network.modemmanager.bearers import (
    connect_settings,
    differs,
    initial_settings,
    read_bearers,
    sight,
)
from lpad.network.modemmanager.error_causes import cause_of, layer_of, short
from lpad.network.modemmanager.modem import (
    CONNECTED,
    CONNECTING,
    CONTROL,
    MODEM_3GPP,
    NAME,
    PROGRAM,
    ROOT,
    SIGNALS,
    SIMPLE,
    find_modem,
    probe_again,
    watch,
)
from lpad.protocol.iccid_answer import is_reported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Outcome, Wanted
    from lpad.network.modemmanager.modem import ManagedModem

_log = logging.getLogger(__name__)

STALE = 5.0
"""Seconds for which ModemManager may show a different profile before lpad makes it probe the modem again."""
_ALL = "/"
"""The argument of Simple.Disconnect for all bearers."""


class ModemManagerApplier:
    """Passes settings to ModemManager once ModemManager has the modem again, possibly under a new path."""

    name = "modemmanager"
    signals = SIGNALS

    def __init__(self, *, connects: bool) -> None:
        """Create the applier.

        Args:
            connects: whether ModemManager makes the connection (Simple.Connect); false if another program
                makes it, or if the initial bearer carries the data.
        """
        self._connects = connects

    @property
    def reconnects(self) -> bool:
        """Whether `connect` must follow a loan of the modem: ModemManager does not connect automatically."""
        return self._connects

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing, because ModemManager makes no connection without a request."""
        return Applied(told="ModemManager makes no connection without a request, so nothing is prepared")

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Check that ModemManager runs; it gets the settings after lpad has returned the modem."""
        try:
            with Bus(deadline=deadline) as bus:
                if not bus.has_owner(NAME, deadline=deadline):
                    return not_running(PROGRAM, attempted="apply network settings", layer=Layer.MODEM)
                bus.properties(NAME, ROOT, NAME, deadline=deadline)  # fails if ModemManager does not answer
        except BusError as error:
            return _failed(error, "apply network settings", Layer.MODEM)
        return Applied(told="ModemManager gets the settings once it has the modem again")

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Set the initial EPS bearer, and connect if required."""
        attempted = "pass network settings to ModemManager"
        try:
            with Bus(deadline=deadline) as bus:
                modem = wait_for_card(bus, wanted, attempted=attempted, deadline=deadline)
                if isinstance(modem, Failed | TryAgain):
                    return modem
                initial = set_initial_bearer(bus, modem, wanted, deadline=deadline)
                if not self._connects:
                    return initial
                return self._connect(bus, modem, wanted, said=initial.told, deadline=deadline)
        except BusError as error:
            return _failed(error, attempted, Layer.BEARER)

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Compare ModemManager's state with the settings."""
        attempted = "verify network settings"
        try:
            with Bus(deadline=deadline) as bus:
                modem = present(bus, wanted, attempted=attempted, deadline=deadline)
                if isinstance(modem, Failed | TryAgain):
                    return modem
                return self._in_force(bus, modem, wanted, deadline=deadline)
        except BusError as error:
            return _failed(error, attempted, Layer.BEARER)

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """End ModemManager's connection; the previous profile's settings later go to the initial bearer."""
        if not self._connects:
            return Applied(told="the previous profile's settings replace the new ones")
        attempted = "end the connection with the new profile's settings"
        try:
            with Bus(deadline=deadline) as bus:
                if not bus.has_owner(NAME, deadline=deadline):
                    return not_running(PROGRAM, attempted=attempted, layer=Layer.BEARER)
                modem = find_modem(bus, imei=_imei(wanted), iccid=wanted.iccid, deadline=deadline)
                if modem is not None and modem.state in (CONNECTING, CONNECTED):
                    _disconnect(bus, modem, deadline=deadline)
        except BusError as error:
            return _failed(error, attempted, Layer.BEARER)
        return Applied(told="ModemManager has no connection with the new profile's settings")

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing: ModemManager stores nothing per profile."""
        return Applied(told="ModemManager stores nothing per profile")

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        """Return the registration, and the state of ModemManager's bearers."""
        try:
            with Bus(deadline=deadline) as bus:
                modem = present(bus, wanted, attempted="query the connection", deadline=deadline)
                if isinstance(modem, TryAgain):
                    down = modem.layer is Layer.MODEM and bus.has_owner(NAME, deadline=deadline)
                    return _unseen(modem.told, down=down)
                if isinstance(modem, Failed):
                    return _unseen(modem.told, down=False)
                bearers = sight(read_bearers(bus, modem, deadline=deadline))
                seen = replace(bearers, registered=modem.registration_sight)
        except BusError as error:
            return _unseen(str(error), down=False)
        if seen.bearer.state is State.DOWN and not self._connects and seen.bearer.cause is None:
            return replace(seen, bearer=Sight(told="another program may have connected"))
        return seen

    def _connect(
        self, bus: Bus, modem: ManagedModem, wanted: Wanted, *, said: str, deadline: Deadline
    ) -> Outcome:
        up = [each for each in read_bearers(bus, modem, deadline=deadline) if each.connected]
        if modem.state == CONNECTED and not any(each.apn == (wanted.settings.apn or None) for each in up):
            _disconnect(bus, modem, deadline=deadline)
        call = Call(
            to=NAME,
            path=modem.path,
            interface=SIMPLE,
            member="Connect",
            signature="a{sv}",
            body=(connect_settings(wanted.settings),),
        )
        try:
            bus.call(call, deadline=deadline)
        except BusRefused as refusal:
            if refusal.not_permitted or refusal.nobody_there or refusal.no_such_object:
                raise
            return _not_connected(refusal, modem)
        found = sight(read_bearers(bus, _again(bus, wanted, modem, deadline=deadline), deadline=deadline))
        return Applied(told=f"ModemManager has connected; {said}", interface=found.interface)

    def _in_force(self, bus: Bus, modem: ManagedModem, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        if self._connects:
            up = [each for each in read_bearers(bus, modem, deadline=deadline) if each.connected]
            fitting = [each for each in up if each.apn == (wanted.settings.apn or None)]
            if not fitting:
                return TryAgain(
                    layer=Layer.BEARER,
                    told="ModemManager is connected with another APN"
                    if up
                    else "ModemManager is not connected",
                )
            return Applied(
                told="ModemManager is connected with the profile's APN", interface=fitting[-1].interface
            )
        initial = initial_settings(wanted.settings)
        if initial is not None and differs(initial, modem.initial_bearer):
            return Failed(
                layer=Layer.MODEM,
                told="the initial EPS bearer in ModemManager does not have the profile's settings; check"
                " whether the modem supports these, or choose the applier 'at'",
            )
        return Applied(told="the initial EPS bearer has the profile's settings")


def wait_for_card(
    bus: Bus, wanted: Wanted, *, attempted: str, deadline: Deadline
) -> ManagedModem | Failed | TryAgain:
    """Return the modem once ModemManager shows it with the wanted profile; at the deadline, the reason.

    If lpad has not borrowed the modem's port, or the modem does not report its new profile, ModemManager does
    not automatically probe the modem again. Then lpad requests another probe, once.

    Raises:
        BusError: see `Bus.call`.
        Cancelled: see `Deadline`.
    """
    bell = Bell()
    watch(bus, bell, deadline=deadline)
    stale_from: float | None = None
    asked = False
    while True:
        modem = _find(bus, wanted, deadline=deadline)
        found = _judged(modem, wanted, attempted=attempted)
        if not isinstance(found, TryAgain):
            return found
        # a modem that may not have the card is not probed, because it may have a connection
        if modem is None or modem.uid is None or modem.imei is None or modem.imei != _imei(wanted):
            stale_from = None
        elif stale_from is None:
            stale_from = time.monotonic()
        elif not asked and time.monotonic() - stale_from >= STALE:
            asked = True
            probe_again(bus, modem.path, modem.uid, deadline=deadline)
        if not bell.wait(deadline=deadline):
            return found


def set_initial_bearer(
    bus: Bus, modem: ManagedModem, wanted: Wanted, *, deadline: Deadline
) -> Applied | Failed:
    """Make the modem attach with the profile's APN.

    Returns:
        `Applied`, also if nothing had to be set; `Failed` if ModemManager cannot set the APN in this modem.

    Raises:
        BusError: see `Bus.call`.
    """
    initial = initial_settings(wanted.settings)
    if initial is None:
        return Applied(told="the initial EPS bearer is left as it is")
    if not differs(initial, modem.initial_bearer) and not wanted.settings.password:
        return Applied(told="the initial EPS bearer has the profile's settings")
    call = Call(
        to=NAME,
        path=modem.path,
        interface=MODEM_3GPP,
        member="SetInitialEpsBearerSettings",
        signature="a{sv}",
        body=(initial,),
    )
    try:
        bus.call(call, deadline=deadline)
    except BusRefused as refusal:
        if refusal.not_permitted or refusal.nobody_there or refusal.no_such_object:
            raise
        return Failed(
            layer=Layer.MODEM,
            told=f"ModemManager cannot set the initial EPS bearer of this modem"
            f" ({short(refusal.name)}); choose the applier 'at', or set initial_bearer to 'leave'",
            cause=cause_of(refusal.name),
        )
    return Applied(told="the initial EPS bearer was set")


def present(
    bus: Bus, wanted: Wanted, *, attempted: str, deadline: Deadline
) -> ManagedModem | Failed | TryAgain:
    """Return the modem if ModemManager has read the wanted profile, otherwise the outcome with the reason.

    Raises:
        BusError: see `Bus.call`.
    """
    return _judged(_find(bus, wanted, deadline=deadline), wanted, attempted=attempted)


class _Away(Frozen):
    """ModemManager is not on the bus."""

    uid: None = None
    imei: None = None


def _find(bus: Bus, wanted: Wanted, *, deadline: Deadline) -> ManagedModem | _Away | None:
    if not bus.has_owner(NAME, deadline=deadline):
        return _Away()
    return find_modem(bus, imei=_imei(wanted), iccid=wanted.iccid, deadline=deadline)


def _judged(
    modem: ManagedModem | _Away | None, wanted: Wanted, *, attempted: str
) -> ManagedModem | Failed | TryAgain:
    if isinstance(modem, _Away):
        return not_running(PROGRAM, attempted=attempted, layer=Layer.MODEM)
    if modem is None:
        return TryAgain(
            layer=Layer.MODEM,
            told=f"cannot {attempted}: ModemManager does not show the modem yet; 'mmcli -L' lists its modems",
        )
    if not is_reported(wanted.iccid, modem.iccid):
        why = modem.trouble or "ModemManager still has the previous profile"
        return TryAgain(
            layer=Layer.MODEM,
            told=f"cannot {attempted}: ModemManager has not read the profile from the modem ({why})",
        )
    return modem


def _again(bus: Bus, wanted: Wanted, modem: ManagedModem, *, deadline: Deadline) -> ManagedModem:
    return find_modem(bus, imei=_imei(wanted), iccid=wanted.iccid, deadline=deadline) or modem


def _disconnect(bus: Bus, modem: ManagedModem, *, deadline: Deadline) -> None:
    call = Call(to=NAME, path=modem.path, interface=SIMPLE, member="Disconnect", signature="o", body=(_ALL,))
    bus.call(call, deadline=deadline)


def _not_connected(refusal: BusRefused, modem: ManagedModem) -> Outcome:
    cause, layer = cause_of(refusal.name), layer_of(refusal.name)
    if cause is None and layer is Layer.BEARER and modem.registered is False:
        layer = Layer.REGISTERED
    told = f"ModemManager cannot connect ({short(refusal.name)}); {modem.registration_told}"
    if layer is not Layer.BEARER and cause is None:
        return TryAgain(layer=layer, told=told)
    return Failed(layer=layer, told=told, cause=cause)


def _imei(wanted: Wanted) -> str | None:
    return None if wanted.modem is None else wanted.modem.imei


def _unseen(told: str, *, down: bool) -> Connection:
    if not told:
        return UNKNOWN_CONNECTION
    return Connection(bearer=Sight(state=State.DOWN if down else State.UNKNOWN, told=told))


def _failed(error: BusError, attempted: str, layer: Layer) -> Outcome:
    _log.debug("cannot %s: %s", attempted, error)
    return failed_question(error, attempted=attempted, program=PROGRAM, action=CONTROL, layer=layer)
