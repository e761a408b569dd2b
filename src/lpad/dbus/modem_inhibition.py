"""The request to ModemManager to release one modem, so that another program can use its ports.

InhibitDevice disables the modem and closes its ports. While a connection is being made or ended,
ModemManager waits for at most 10 s and then gives up. After giving up, and also if a connection is just being
ended, ModemManager answers with an error. ModemManager then still counts the modem as inhibited (seen with
1.20), and refuses every later request until ModemManager is restarted. So lpad asks only when the modem's
state is final, and first has ModemManager abort any attempt to connect: with a profile without service, an
attempt may take minutes.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from lpad.dbus.call_failures import BusRefused, BusUnanswered
from lpad.dbus.calls_and_signals import Call
from lpad.dbus.networkmanager_unmanaged_modem import UnmanagedModem

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.dbus.bus import Bus

_log = logging.getLogger(__name__)

MODEM_MANAGER = "org.freedesktop.ModemManager1"
MODEM = f"{MODEM_MANAGER}.Modem"
_ALL_BEARERS = "/"
ROOT = "/org/freedesktop/ModemManager1"
_SETTLING = 10.0
"""Seconds for which a busy ModemManager is asked again."""
_BETWEEN_LOOKS = 0.1
_INITIALIZING, _DISABLING, _ENABLING, _DISCONNECTING, _CONNECTING, _CONNECTED = 1, 4, 5, 9, 10, 11
"""MMModemState."""
_INTERMEDIATE = frozenset({_INITIALIZING, _DISABLING, _ENABLING, _DISCONNECTING, _CONNECTING})
_MOST_STATE = 32


def inhibit(bus: Bus, modem: str, uid: str, *, deadline: Deadline) -> None:
    """Make ModemManager release a modem, once it has aborted any attempt to connect.

    lpad waits until the modem's state is final, and asks a busy ModemManager again for up to 10 s.

    Args:
        bus: the connection to the bus; the inhibition ends with this connection.
        modem: path of the modem's object.
        uid: ModemManager's name for the device.

    Raises:
        BusUnanswered: the state is not final before the deadline, or an answer does not come in time.
        BusError: see `Bus.call`.
    """
    unmanaged = UnmanagedModem(bus, modem)
    try:
        _await_final_state(bus, modem, unmanaged, deadline=deadline)
        _ask(bus, uid, deadline=deadline)
    except BusUnanswered:
        # aborting an attempt to connect may take longer; by the next request, it should be over
        unmanaged.end_later()
        raise
    except BaseException:
        unmanaged.end()
        raise


def _ask(bus: Bus, uid: str, *, deadline: Deadline) -> None:
    until = deadline.within(_SETTLING)
    while True:
        try:
            bus.call(inhibition(uid), deadline=deadline)
        except BusRefused as refusal:
            if not refusal.busy or until.remaining() <= _BETWEEN_LOOKS:
                raise
        else:
            return
        threading.Event().wait(_BETWEEN_LOOKS)


def inhibition(uid: str, *, on: bool = True) -> Call:
    """Return the call that inhibits a device, or lifts the caller's inhibition.

    Args:
        uid: ModemManager's name for the device.
        on: whether to begin the inhibition, or to lift it.
    """
    return Call(
        to=MODEM_MANAGER,
        path=ROOT,
        interface=MODEM_MANAGER,
        member="InhibitDevice",
        signature="sb",
        body=(uid, on),
    )


def _await_final_state(bus: Bus, modem: str, unmanaged: UnmanagedModem, *, deadline: Deadline) -> None:
    """Wait until a modem's state is final; the state 'connected' counts only if it is seen twice in a row.

    Raises:
        BusError: see `inhibit`.
    """
    before: int | None = None
    while True:
        state = _state(bus, modem, deadline=deadline)
        if state not in _INTERMEDIATE and (state != _CONNECTED or state == before):
            return
        before = state
        if state in _INTERMEDIATE:
            unmanaged.begin(deadline=deadline)
        if deadline.remaining() <= _BETWEEN_LOOKS:
            raise BusUnanswered(f"ModemManager keeps changing the modem's state (MMModemState {state})")
        if state != _CONNECTING or not _abort(bus, modem, deadline=deadline):
            threading.Event().wait(_BETWEEN_LOOKS)


def _state(bus: Bus, modem: str, *, deadline: Deadline) -> int | None:
    """Return MMModemState; None: the modem has disappeared, or reports no state."""
    try:
        shown = bus.properties(MODEM_MANAGER, modem, MODEM, deadline=deadline)
    except BusRefused:
        return None
    return shown.number("State", least=-1, most=_MOST_STATE)


def _abort(bus: Bus, modem: str, *, deadline: Deadline) -> bool:
    """Make ModemManager abort the attempt to connect; return whether it did."""
    disconnect = Call(
        to=MODEM_MANAGER,
        path=modem,
        interface=f"{MODEM}.Simple",
        member="Disconnect",
        signature="o",
        body=(_ALL_BEARERS,),
    )
    try:
        bus.call(disconnect, deadline=deadline)
    except BusRefused as refusal:
        _log.debug("ModemManager does not abort the attempt to connect: %s", refusal)
        return False
    return True
