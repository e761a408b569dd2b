"""NetworkManager kept off one modem while ModemManager is to release it.

NetworkManager makes its next attempt to connect some milliseconds after a failed or aborted one, before
another program can ask for the modem. A device that it does not manage is left alone. This state belongs to
the device's object and ends with it: once ModemManager has released the modem and probes it again, the modem
has a new, managed device. If the modem was not released, lpad returns the device itself, at the latest when
lpad stops.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError, BusRefused, BusUnanswered
from lpad.dbus.message import PROPERTIES, Call
from lpad.dbus.variant import Variant

_log = logging.getLogger(__name__)

_NAME = "org.freedesktop.NetworkManager"
_ROOT = "/org/freedesktop/NetworkManager"
_DEVICE = f"{_NAME}.Device"
_ANSWERING = 3.0
"""Seconds for which lpad waits for NetworkManager, which need not be there to borrow a modem."""
RETURNING = 120.0
"""Seconds after which a device is managed again if ModemManager was still busy with it."""

_pending: dict[str, threading.Timer] = {}
_lock = threading.Lock()


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
        """Make NetworkManager leave the modem alone.

        Without NetworkManager, its answer or its permission, nothing changes. Later calls do nothing.

        Raises:
            BusUnreachable: there is no longer a bus.
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
        """Have a device managed again that still exists because the modem was not released."""
        if self._device is not None:
            _return(self._device)

    def end_later(self) -> None:
        """Call `end` after two minutes, so that a request before then meets no attempt to connect."""
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
                self._device = path  # this also happens if the answer does not arrive
                _manage(self._bus, path, managed=False, deadline=deadline)
                return


def return_all() -> None:
    """Have every device managed again that is still to be returned, because lpad stops."""
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
    """Have a device managed again, over a connection of its own; the device may have ended meanwhile."""
    with _lock:
        timer = _pending.pop(device, None)
    if timer is not None:
        timer.cancel()
    deadline = Deadline.after(_ANSWERING)
    with suppress(BusError), Bus(deadline=deadline) as bus:
        _manage(bus, device, managed=True, deadline=deadline)
