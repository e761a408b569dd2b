"""NetworkManager kept off one modem while ModemManager is to release it.

NetworkManager makes its next attempt to connect some milliseconds after a failed or aborted one, before
another program can ask for the modem. A device that it does not manage is left alone. That belongs to the
device's object and ends with it: once ModemManager has released the modem and probes it again, the modem
has a new, managed device.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.failures import BusError, BusRefused
from lpad.dbus.message import PROPERTIES, Call
from lpad.dbus.variant import Variant

_log = logging.getLogger(__name__)

_NAME = "org.freedesktop.NetworkManager"
_ROOT = "/org/freedesktop/NetworkManager"
_DEVICE = f"{_NAME}.Device"
_ANSWERING = 10.0
RETURNING = 120.0
"""Seconds after which a device is managed again if ModemManager was still busy with it."""


class UnmanagedModem:
    """Makes NetworkManager leave one modem alone from `begin` on, until `end`."""

    def __init__(self, bus: Bus, modem: str) -> None:
        """Prepare.

        Args:
            bus: the connection to the system bus.
            modem: path of ModemManager's object.
        """
        self._bus = bus
        self._modem = modem
        self._device: str | None = None
        self._tried = False

    def begin(self, *, deadline: Deadline) -> None:
        """Make NetworkManager leave the modem; without it, or without permission, nothing changes.

        Later calls do nothing.

        Raises:
            BusUnreachable: there is no longer a bus.
            BusUnanswered: NetworkManager did not answer.
        """
        if self._tried:
            return
        self._tried = True
        try:
            if self._bus.has_owner(_NAME, deadline=deadline):
                self._leave(deadline=deadline)
        except BusRefused as refusal:
            _log.debug("NetworkManager continues to manage the modem: %s", refusal)

    def end(self, *, deadline: Deadline) -> None:
        """Undo it, on a device that still exists because the modem was not released."""
        if self._device is not None:
            with suppress(BusError):
                _manage(self._bus, self._device, managed=True, deadline=deadline)

    def end_later(self) -> None:
        """Undo it after two minutes, so that a further request meanwhile finds no new attempt to connect."""
        if self._device is not None:
            timer = threading.Timer(RETURNING, _return, (self._device,))
            timer.daemon = True
            timer.start()

    def _leave(self, *, deadline: Deadline) -> None:
        manager = self._bus.properties(_NAME, _ROOT, _NAME, deadline=deadline)
        for path in manager.paths("AllDevices"):
            device = self._bus.properties(_NAME, path, _DEVICE, deadline=deadline)
            if device.text("Udi") == self._modem and device.flag("Managed"):
                _manage(self._bus, path, managed=False, deadline=deadline)
                self._device = path
                return


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
    """Have a device managed again; it may have ended with the modem's release meanwhile."""
    deadline = Deadline.after(_ANSWERING)
    with suppress(BusError), Bus(deadline=deadline) as bus:
        _manage(bus, device, managed=True, deadline=deadline)
