"""NetworkManager on the bus: its connections, and its devices that are modems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import whole_number
from lpad.dbus.call_failures import BusRefused
from lpad.dbus.calls_and_signals import Call, Rule
from lpad.network.networkmanager.connection import StoredConnection
from lpad.network.networkmanager.reasons import FAILED, MOST

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.dbus.bus import Bus
    from lpad.dbus.calls_and_signals import Signal
    from lpad.dbus.signal_wakeup import Bell
    from lpad.dbus.typed_properties import Properties
    from lpad.network.networkmanager.connection import Tree

PROGRAM = "NetworkManager"
NAME = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
SETTINGS = f"{NAME}.Settings"
STORED = f"{NAME}.Settings.Connection"
DEVICE = f"{NAME}.Device"
ACTIVE = f"{NAME}.Connection.Active"
MODIFY = "org.freedesktop.NetworkManager.settings.modify.system"
CONTROL = "org.freedesktop.NetworkManager.network-control"
"""The polkit actions for connections that all users share, and for activating one."""

_SETTINGS_PATH = f"{ROOT}/Settings"
_MODEM_DEVICE = 8
"""NMDeviceType."""
_TO_DISK, _IN_MEMORY = 0x1, 0x2
"""NMSettingsUpdate2Flags; the first is also one of NMSettingsAddConnection2Flags."""
_NONE = "/"
_ALIVE = (1, 2)
"""NMActiveConnectionState: activating, activated."""


class ModemDevice(Frozen):
    """One observation of a modem's device in NetworkManager."""

    path: str
    state: int
    """NMDeviceState; 0: unknown."""
    reason: int | None
    """NMDeviceStateReason."""
    interface: str | None
    """The network interface that carries the data; None if it does not exist yet."""
    active: str | None
    """The path of the running or completed activation."""
    connection: str | None
    """The path of the active or activating connection; None: there is none."""
    addresses: tuple[str, ...]


class Daemon:
    """The calls to NetworkManager; every method raises BusError like `Bus.call`, and Cancelled."""

    def __init__(self, bus: Bus, *, deadline: Deadline) -> None:
        """Create the object; its methods call NetworkManager over this bus connection until the deadline."""
        self._bus = bus
        self._deadline = deadline
        self._failures: dict[str, int] = {}

    @property
    def runs(self) -> bool:
        """Whether NetworkManager is on the bus."""
        return self._bus.has_owner(NAME, deadline=self._deadline)

    @property
    def version(self) -> tuple[int, int]:
        """The first two numbers of NetworkManager's version; (0, 0) if unreadable."""
        text = self._properties(ROOT, NAME).text("Version") or ""
        numbers = [whole_number(part, most=MOST) for part in text.split(".")[:2]]
        return (numbers[0] or 0, numbers[1] or 0) if len(numbers) == 2 else (0, 0)

    def watch(self, bell: Bell) -> None:
        """From now on, ring `bell` at each change in NetworkManager, and record failures of devices."""
        changed = Rule(sender=NAME, interface=DEVICE, member="StateChanged")
        self._bus.listen(changed, self._note_failure, deadline=self._deadline)
        for interface in ("org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager", DEVICE):
            self._bus.listen(Rule(sender=NAME, interface=interface), bell.ring, deadline=self._deadline)

    def connections(self) -> list[StoredConnection]:
        """Return the connections that lpad's user may see."""
        answer = self._call(_SETTINGS_PATH, SETTINGS, "ListConnections")
        paths = answer[0] if answer and isinstance(answer[0], list) else []
        found = (self._stored(path) for path in paths if isinstance(path, str))
        return [each for each in found if each is not None]

    def add(self, tree: Tree) -> None:
        """Store a new connection on disk."""
        self._call(_SETTINGS_PATH, SETTINGS, "AddConnection2", "a{sa{sv}}ua{sv}", tree, _TO_DISK, {})

    def update(self, path: str, tree: Tree, *, to_disk: bool) -> None:
        """Change a connection; its secrets remain if `tree` contains none.

        Args:
            path: the connection's D-Bus path.
            tree: all settings of the connection.
            to_disk: whether the change is stored; otherwise it lasts until the machine restarts.
        """
        flags = _TO_DISK if to_disk else _IN_MEMORY
        self._call(path, STORED, "Update2", "a{sa{sv}}ua{sv}", tree, flags, {})

    def delete(self, path: str) -> None:
        """Delete a connection, and deactivate it."""
        self._call(path, STORED, "Delete")

    def activate(self, connection: str, device: str) -> str:
        """Activate a connection on a device in place of an active one, even if all retries were used up.

        Returns:
            The path of the activation.
        """
        answer = self._call(ROOT, NAME, "ActivateConnection", "ooo", connection, device, _NONE)
        return answer[0] if answer and isinstance(answer[0], str) else _NONE

    def is_active(self, active: str) -> bool:
        """Return whether an activation is in progress, or has succeeded and has not ended since."""
        read = self._gone_or(active, ACTIVE)
        return read is not None and read.number("State", most=MOST) in _ALIVE

    def applied(self, device: str) -> Tree:
        """Return the settings with which a device was activated, without secrets."""
        answer = self._call(device, DEVICE, "GetAppliedConnection", "u", 0)
        return _tree(answer[0] if answer else None)

    def last_failure(self, device: str) -> int | None:
        """Return the reason of the last failure of a device since `watch`; None without a failure."""
        return self._failures.get(device)

    def modem_device(self, udi: str) -> ModemDevice | None:
        """Return the device of a modem; None if NetworkManager does not (yet) have the device."""
        for path in self._properties(ROOT, NAME).paths("AllDevices"):
            read = self._gone_or(path, DEVICE)
            is_modem = read is not None and read.number("DeviceType", most=MOST) == _MODEM_DEVICE
            if read is not None and is_modem and read.text("Udi") == udi:
                return self._device(path, read)
        return None

    def _note_failure(self, signal: Signal) -> None:
        new, _, reason = signal.body
        if new == FAILED:
            self._failures[signal.path] = reason

    def _device(self, path: str, read: Properties) -> ModemDevice:
        reason = read.record("StateReason")
        number = reason[1] if len(reason) == 2 else None
        active = read.path("ActiveConnection")
        shown = None if active is None else self._gone_or(active, ACTIVE)
        configs = [
            self._gone_or(config, f"{NAME}.{kind}Config")
            for kind in ("IP4", "IP6")
            if (config := read.path(f"{kind[0]}p{kind[2]}Config")) is not None
        ]
        return ModemDevice(
            path=path,
            state=read.number("State", most=MOST) or 0,
            reason=number if isinstance(number, int) and 0 <= number <= MOST else None,
            interface=read.text("IpInterface"),
            active=active,
            connection=None if shown is None else shown.path("Connection"),
            addresses=tuple(
                address
                for config in configs
                if config is not None
                for each in config.tables("AddressData")
                if (address := each.text("address")) is not None and not address.startswith("fe80:")
            ),
        )

    def _stored(self, path: str) -> StoredConnection | None:
        try:
            answer = self._call(path, STORED, "GetSettings")
        except BusRefused as refusal:
            if refusal.nobody_there:
                raise
            return None  # deleted meanwhile, or another user's connection
        return StoredConnection(path, _tree(answer[0] if answer else None))

    def _gone_or(self, path: str, interface: str) -> Properties | None:
        try:
            return self._properties(path, interface)
        except BusRefused as refusal:
            if refusal.not_permitted or refusal.nobody_there:
                raise
            return None

    def _properties(self, path: str, interface: str) -> Properties:
        return self._bus.properties(NAME, path, interface, deadline=self._deadline)

    def _call(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> tuple[Any, ...]:
        call = Call(to=NAME, path=path, interface=interface, member=member, signature=signature, body=body)
        return self._bus.call(call, deadline=self._deadline)


def _tree(answer: object) -> Tree:
    """Return the sections of settings in an answer; invalid parts are omitted."""
    sections = answer if isinstance(answer, dict) else {}
    return {name: each for name, each in sections.items() if isinstance(name, str) and isinstance(each, dict)}
