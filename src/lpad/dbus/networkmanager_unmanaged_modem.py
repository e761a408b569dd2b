"""Keeping NetworkManager away from a modem that ModemManager is about to release.

NetworkManager makes its next attempt to connect some milliseconds after a failed or aborted one, before
another program can ask for the modem. NetworkManager leaves an unmanaged device alone. The unmanaged state
belongs to the device's object and ends with it: once ModemManager has released the modem and probes it again,
the modem has a new, managed device. If the modem was not released, lpad lets NetworkManager manage the device
again, at the latest when lpad stops.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError, BusRefused, BusUnanswered
from lpad.dbus.calls_and_signals import PROPERTIES, Call
from lpad.dbus.variant import Variant

_log = logging.getLogger(__name__)

_NAME = "org.freedesktop.NetworkManager"
_ROOT = "/org/freedesktop/NetworkManager"
_DEVICE = f"{_NAME}.Device"
_ANSWERING = 3.0
"""Seconds for which lpad waits for NetworkManager, whose help is useful but not required."""
RETURNING = 120.0
"""Seconds after which NetworkManager manages a device again if ModemManager was still busy with it."""

_pending: dict[str, threading.Timer] = {}
_lock = threading.Lock()


class UnmanagedModem:
    """Makes NetworkManager leave one modem alone from `begin` on, until `end`."""

    def __init__(self, bus: Bus, modem: str) -> None:
        """Create the object; NetworkManager is not asked before `begin`.

        Args:
            bus: the connection to the system bus.
            modem: the path of the modem's object in ModemManager.
        """
        self._bus = bus
        self._modem = modem
        self._device: str | None = None
        self._tried = False

    def begin(self, *, deadline: Deadline) -> None:
        """Make NetworkManager leave the modem alone.

        Without NetworkManager, its answer or its permission, nothing changes. Later calls do nothing.

        Raises:
            BusUnreachable: the connection to the bus was lost.
            Cancelled: see `Deadline`.
        """
        if self._tried:
            return
        self._tried = True
        try:
            if self._bus.has_owner(_NAME, deadline=deadline):
                self._leave(deadline=deadline.within(_ANSWERING))
        except (BusRefused, BusUnanswered) as error:
            _log.debug("NetworkManager may still manage the modem: %s", error)

    def end(self) -> None:
        """Let NetworkManager manage the device again; it still exists only if the modem was not released."""
        if self._device is not None:
            _return(self._device)

    def end_later(self) -> None:
        """Call `end` after two minutes, so that no attempt to connect disturbs lpad's next request."""
        if self._device is not None:
            timer = threading.Timer(RETURNING, _return, (self._device,))
            timer.daemon = True
            with _lock:
                earlier = _pending.pop(self._device, None)
                _pending[self._device] = timer
            if earlier is not None:
                earlier.cancel()
            timer.start()

    def _leave(self, *, deadline: Deadline) -> None:
        manager = self._bus.properties(_NAME, _ROOT, _NAME, deadline=deadline)
        for path in manager.paths("AllDevices"):
            try:
                device = self._bus.properties(_NAME, path, _DEVICE, deadline=deadline)
            except BusRefused:  # the modem has just been removed
                continue
            if device.text("Udi") == self._modem and device.flag("Managed"):
                self._device = path  # set before the call, whose answer may be lost
                _manage(self._bus, path, managed=False, deadline=deadline)
                return


def return_all() -> None:
    """Let NetworkManager manage all remaining devices again, because lpad stops."""
    with _lock:
        devices = list(_pending)
    for device in devices:
        _return(device)


def _manage(bus: Bus, device: str, *, managed: bool, deadline: Deadline) -> None:
    change = Call(
        to=_NAME,
        path=device,
        interface=PROPERTIES,
        member="Set",
        signature="ssv",
        body=(_DEVICE, "Managed", Variant("b", managed)),
    )
    bus.call(change, deadline=deadline)


def _return(device: str) -> None:
    """Let NetworkManager manage a device again, if the device still exists, over a separate connection."""
    with _lock:
        timer = _pending.pop(device, None)
    if timer is not None:
        timer.cancel()
    deadline = Deadline.after(_ANSWERING)
    with suppress(BusError), Bus(deadline=deadline) as bus:
        _manage(bus, device, managed=True, deadline=deadline)
