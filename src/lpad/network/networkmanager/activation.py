"""One activation of a connection, and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.network.applier_interface import Applied, Failed, TryAgain
from lpad.network.connection_layer_names import Layer
from lpad.network.networkmanager import reasons
from lpad.network.networkmanager.connection import differences

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.dbus.signal_wakeup import Bell
    from lpad.network.applier_interface import Outcome
    from lpad.network.networkmanager.client import Daemon, ModemDevice
    from lpad.network.networkmanager.connection import StoredConnection, Tree


_LOST = "NetworkManager has lost the modem's device; ModemManager may be probing the modem again"
_UNMANAGED = "NetworkManager does not manage the modem's device; check unmanaged-devices in its configuration"


class Activation:
    """Makes NetworkManager activate a connection on a modem's device, unless it is already doing so."""

    def __init__(
        self, daemon: Daemon, bell: Bell, udi: str, target: StoredConnection, tree: Tree | None
    ) -> None:
        self._daemon = daemon
        self._bell = bell
        self._udi = udi
        self._target = target
        self._tree = tree
        self._asked: str | None = None

    def run(self, deadline: Deadline) -> Outcome:
        """Activate the connection; return the result: `Applied` also if the activation outlasts the deadline.

        Raises:
            BusError: see `Bus.call`.
            Cancelled: see `Deadline`.
        """
        while True:
            device = self._daemon.modem_device(self._udi)
            ended = self._judged(device)
            if ended is not None:
                return ended
            if not self._bell.wait(deadline=deadline):
                return self._out_of_time(device)

    def _judged(self, device: ModemDevice | None) -> Outcome | None:
        """Begin the activation once the device is ready; return the result, or None if there is none yet."""
        if device is None:
            return None if self._asked is None else TryAgain(layer=Layer.MODEM, told=_LOST)
        if device.state == reasons.UNMANAGED:
            return Failed(layer=Layer.BEARER, told=_UNMANAGED)
        if self._asked is None:
            return self._begin(device)
        if device.connection == self._target.path and device.state == reasons.ACTIVATED:
            return self._active(device)
        return None if self._daemon.is_active(self._asked) else self._failed(device)

    def _begin(self, device: ModemDevice) -> Outcome | None:
        """Activate the connection if necessary; return `Applied` if it is already active, otherwise None."""
        if device.state == reasons.UNAVAILABLE:
            return None  # ModemManager is still busy with the modem
        under_way = reasons.PREPARE <= device.state <= reasons.ACTIVATED
        if device.connection == self._target.path and under_way and self._in_force(device):
            if device.state == reasons.ACTIVATED:
                return self._active(device)
            self._asked = device.active
            return None
        self._asked = self._daemon.activate(self._target.path, device.path)
        return None

    def _in_force(self, device: ModemDevice) -> bool:
        return self._tree is None or not differences(self._tree, self._daemon.applied(device.path))

    def _active(self, device: ModemDevice) -> Outcome:
        return Applied(
            told="NetworkManager has activated the profile's connection", interface=device.interface
        )

    def _failed(self, device: ModemDevice) -> Outcome:
        reason = self._daemon.last_failure(device.path) or device.reason
        return Failed(
            layer=reasons.layer_of(reason),
            told=f"NetworkManager cannot activate the profile's connection: {reasons.told(reason)}",
            cause=reasons.cause_of(reason),
        )

    def _out_of_time(self, device: ModemDevice | None) -> Outcome:
        if self._asked is not None:
            return Applied(told="NetworkManager is still activating the profile's connection")
        if device is None:
            return TryAgain(layer=Layer.MODEM, told="NetworkManager has no device for the modem yet")
        told = f"the modem's device is not available: {reasons.told(device.reason)}"
        return TryAgain(layer=reasons.layer_of(device.reason), told=told)
