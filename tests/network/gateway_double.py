"""Doubles of NetworkManager and ModemManager on a private bus, with a modem that connects.

The real daemons run in tests/debian_daemons, but without a bearer, because their port carries no PPP.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, nullcontext
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

from dbus_fast import Message, Variant

from dbus.private_bus import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Applier, Connection, Outcome, Wanted

MM = "org.freedesktop.ModemManager1"
MM_ROOT = "/org/freedesktop/ModemManager1"
NM = "org.freedesktop.NetworkManager"
NM_ROOT = "/org/freedesktop/NetworkManager"
DEVICE = f"{NM_ROOT}/Devices/7"
ETHERNET = f"{NM_ROOT}/Devices/2"
ACTIVE = f"{NM_ROOT}/ActiveConnection/1"
IP4 = f"{NM_ROOT}/IP4Config/1"
IMEI = "490154203237518"
ADDRESS = "10.64.0.2"
DBUS = "org.freedesktop.DBus"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
TO_DISK = 1
CHANGES = {"AddConnection2", "Update2", "Delete", "ActivateConnection"}

Tree = dict[str, dict[str, Variant]]


class ModemInSlot:
    """The modem as a switch passes it to appliers; appliers over D-Bus need only its IMEI and its port."""

    imei: str | None = IMEI
    port: str | None = "/dev/ttyUSB2"

    def session(self, *, deadline: Deadline) -> AbstractContextManager[None]:
        return nullcontext()

    def dialogue(self, *, deadline: Deadline) -> Any:
        raise AssertionError("an applier over D-Bus has no business at the port")


class GatewayDouble:
    """Both daemons and their modem; as a context manager, it is on the bus until the end."""

    def __init__(
        self,
        address: str,
        *,
        iccid: str | None,
        version: str = "1.42.4",
        port: str | None = None,
        read_card: Callable[[], str | None] | None = None,
    ) -> None:
        """Create the doubles.

        Args:
            address: the bus's address.
            iccid: the ICCID that ModemManager has read from the card, or None.
            version: NetworkManager's version.
            port: the modem's AT port, with which lpad borrows the modem; None if lpad has a port of its own.
            read_card: called at each probe of the modem; returns the enabled profile's ICCID, or None.
        """
        self.address = address
        self._port = port
        self._read_card = read_card
        self._borrower: str | None = None
        self.version = version
        self.iccid: str | None = iccid
        """The ICCID that ModemManager has read from the card."""
        self.card: str | None = None
        """The ICCID that ModemManager reads when the modem is probed again on request."""
        self.inhibited: list[bool] = []
        self.state = 8
        self.failed_reason = 0
        self.index = 0
        """The number in the path of the modem's object, which changes with each probe."""
        self.initial: dict[str, Variant] = {}
        self.initial_error: str | None = None
        """The error with which SetInitialEpsBearerSettings is refused; None if it succeeds."""
        self.bearer: dict[str, Variant] | None = None
        """The settings of the bearer; None if there is no bearer."""
        self.connected = False
        self.loses = 0
        """The number of connections that are lost as soon as they are made."""
        self.connect_error: str | None = None
        """The error of each connection attempt; None if attempts succeed."""
        self.reason: int | None = None
        """The reason with which an activation fails (NMDeviceStateReason); None: it succeeds."""
        self.hold = False
        """Whether an activation never ends."""
        self.refuse: str | None = None
        """The error with which NetworkManager refuses every change; None if it accepts changes."""
        self.stored: dict[str, Tree] = {}
        self._on_disk: dict[str, Tree] = {}
        self.edited: list[str] = []
        """The UUIDs of connections that were changed or deleted."""
        self.flags: list[int] = []
        self.mute = False
        self.ended = False
        self.device_state = (30, 0)
        self.active: str | None = None
        """The path of the connection that is active."""
        self.applied: Tree = {}
        self.activations: list[str] = []
        self._made = 0
        self._services = ExitStack()

    def __enter__(self) -> Self:
        self.mm = self._services.enter_context(ScriptedService(self.address, MM, self._modem_manager))
        if self._port is not None:
            self.mm.hear(DBUS, "NameOwnerChanged", self._owner_changed)
        self.nm = self._services.enter_context(ScriptedService(self.address, NM, self._network_manager))
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave the bus."""
        self.mute = True
        self._services.close()
        self.ended = True

    def begin_anew(self) -> None:
        """Return to the bus as after a restart: changes that were only in memory are lost."""
        self.stored = deepcopy(self._on_disk)
        self._borrower = None
        self.mute = self.ended = False
        self.__enter__()
        self.mm.do(self._lifted)

    def fall_silent(self) -> None:
        """Leave all further requests unanswered."""
        self.mute = True

    def state_changed(self, state: int, reason: int) -> None:
        """Have NetworkManager signal another state of the modem's device."""
        self.nm.do(lambda: self._device_to(state, reason))

    def probe(self, iccid: str | None) -> None:
        """Have ModemManager probe the modem again: the modem gets another object, and connections end."""

        def probed() -> None:
            self.iccid = iccid
            self.index += 1
            self.connected, self.bearer, self.state = False, None, 8
            shown = [self.modem, {}]
            self.mm._bus.send(Message.new_signal(MM_ROOT, OBJECTS, "InterfacesAdded", "oa{sa{sv}}", shown))

        def lost() -> None:
            self._device_to(30, 36)
            self.active = None

        self.nm.do(lost)
        self.mm.do(probed)

    def add(self, name: str, *, gsm: dict[str, str], connection: dict[str, Variant] | None = None) -> str:
        """Store a connection as the gateway's owner would, and return its path."""
        tree = {
            "connection": {
                "id": Variant("s", name),
                "uuid": Variant("s", f"{name}-uuid"),
                "type": Variant("s", "gsm"),
                **(connection or {}),
            },
            "gsm": {key: Variant("s", value) for key, value in gsm.items()},
        }
        return self._store(tree)

    def named(self, iccid: str) -> Tree | None:
        """Return lpad's connection for a profile, or None if there is none."""
        for tree in self.stored.values():
            data = tree.get("user", {}).get("data")
            if data is not None and data.value.get("org.lpad.iccid") == iccid:
                return tree
        return None

    def apn(self) -> str:
        """Return the APN of NetworkManager's active connection, or "not connected"."""
        if self.active is None or self.device_state[0] != 100:
            return "not connected"
        apn = self.applied["gsm"].get("apn")
        return "" if apn is None else str(apn.value)

    def bearer_apn(self) -> str:
        """Return the APN with which ModemManager is connected, or "not connected"."""
        return (
            str(self.bearer["apn"].value) if self.bearer is not None and self.connected else "not connected"
        )

    @property
    def modem(self) -> str:
        """The path of the modem's current object."""
        return f"{MM_ROOT}/Modem/{self.index}"

    # ModemManager

    def _modem_manager(self, message: Message) -> Message | None:
        if self.mute:
            return None
        match message.member:
            case "GetManagedObjects":
                shown = {} if self._borrower else {self.modem: self._shown()}
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [shown])
            case "GetAll":
                return Message.new_method_return(message, "a{sv}", [self._modem_properties(message)])
            case "SetInitialEpsBearerSettings":
                if self.initial_error is not None:
                    return Message.new_error(message, self.initial_error, "no")
                self.initial = message.body[0]
            case "Connect":
                return self._connect(message)
            case "Disconnect":
                self.connected, self.state = False, 8
            case "InhibitDevice":
                self._inhibit(message.body[1], by=message.sender or "")
        return Message.new_method_return(message)

    def _connect(self, message: Message) -> Message:
        self.bearer = message.body[0]
        self.connected = self.connect_error is None and self.loses == 0
        self.loses -= self.loses > 0
        self.state = 11 if self.connected else 8
        if self.connect_error is not None:
            return Message.new_error(message, self.connect_error, "no")
        return Message.new_method_return(message, "o", [f"{MM_ROOT}/Bearer/1"])

    def _inhibit(self, inhibited: bool, *, by: str) -> None:  # noqa: FBT001 - the argument of InhibitDevice
        self.inhibited.append(inhibited)
        if self._port is not None:
            self._borrower = by if inhibited else None
            if not inhibited:
                self._lifted()
        elif self.card is not None and not inhibited:
            self.iccid = self.card

    def _owner_changed(self, message: Message) -> None:
        """Take the modem back from a program that has left the bus."""
        if message.body[0] == self._borrower and not message.body[2]:
            self._borrower = None
            self.inhibited.append(False)
            self._lifted()

    def _lifted(self) -> None:
        """Probe the modem again, as ModemManager does after an inhibition ends."""
        self.connected, self.bearer, self.state = False, None, 8
        self.iccid = self._read_card() if self._read_card is not None else self.iccid
        self.index += 1
        self.active, self.device_state = None, (30, 36)
        shown = [self.modem, {}]
        self.mm._bus.send(Message.new_signal(MM_ROOT, OBJECTS, "InterfacesAdded", "oa{sa{sv}}", shown))
        for path, tree in self.stored.items():  # NetworkManager connects if the SIM is known.
            sim, autoconnect = tree["gsm"].get("sim-id"), tree["connection"].get("autoconnect")
            if sim is not None and sim.value == self.iccid and (autoconnect is None or autoconnect.value):
                self.active, self.applied, self.device_state = path, tree, (100, 0)

    def _shown(self) -> dict[str, dict[str, Variant]]:
        return {
            f"{MM}.Modem": {
                "EquipmentIdentifier": Variant("s", IMEI),
                "Device": Variant("s", "/sys/1-1"),
                "Ports": Variant("a(su)", [] if self._port is None else [[_device(self._port), 3]]),
                "State": Variant("i", self.state),
                "StateFailedReason": Variant("u", self.failed_reason),
                "Sim": Variant("o", "/" if self.iccid is None else f"{MM_ROOT}/SIM/{self.index}"),
                "Bearers": Variant("ao", [] if self.bearer is None else [f"{MM_ROOT}/Bearer/1"]),
            },
            f"{MM}.Modem.Modem3gpp": {
                "RegistrationState": Variant("u", 5),
                "InitialEpsBearerSettings": Variant("a{sv}", self.initial),
            },
        }

    def _modem_properties(self, message: Message) -> dict[str, Variant]:
        if message.path == f"{MM_ROOT}/SIM/{self.index}":
            return {"SimIdentifier": Variant("s", self.iccid or "")}
        if message.path == f"{MM_ROOT}/Bearer/1":
            ip = {"method": Variant("u", 2), "address": Variant("s", ADDRESS), "prefix": Variant("u", 30)}
            return {
                "Connected": Variant("b", self.connected),
                "Interface": Variant("s", "wwan0" if self.connected else ""),
                "Properties": Variant("a{sv}", self.bearer or {}),
                "Ip4Config": Variant("a{sv}", ip if self.connected else {}),
                "ConnectionError": Variant("(ss)", [self.connect_error or "", ""]),
            }
        return {"Version": Variant("s", "1.20.4")}

    # NetworkManager

    def _network_manager(self, message: Message) -> Message | None:
        if self.mute:
            return None
        if message.interface == PROPERTIES:
            return Message.new_method_return(message, "a{sv}", [self._nm_properties(message)])
        if self.refuse is not None and message.member in CHANGES:
            return Message.new_error(message, self.refuse, "Insufficient privileges")
        match message.member:
            case "ListConnections":
                return Message.new_method_return(message, "ao", [list(self.stored)])
            case "AddConnection2":
                return Message.new_method_return(message, "oa{sv}", [self._store(message.body[0]), {}])
            case "GetAppliedConnection":
                applied = _without_secrets(self.applied)
                return Message.new_method_return(message, "a{sa{sv}}t", [applied, 1])
            case "ActivateConnection":
                return self._activate(message)
        return self._stored(message)

    def _stored(self, message: Message) -> Message:
        path = message.path or ""
        match message.member:
            case "GetSettings":
                found = _without_secrets(self.stored[path])
                return Message.new_method_return(message, "a{sa{sv}}", [found])
            case "Update2":
                self._edit(path, message.body[0], message.body[1])
                return Message.new_method_return(message, "a{sv}", [{}])
            case "Delete":
                self.edited.append(_uuid(self.stored.pop(path)))
                self._on_disk.pop(path, None)
                if self.active == path:
                    self._device_to(30, 38)
                    self.active = None
        return Message.new_method_return(message)

    def _nm_properties(self, message: Message) -> dict[str, Variant]:
        shown: dict[str, dict[str, Variant]] = {
            NM_ROOT: {
                "Version": Variant("s", self.version),
                "AllDevices": Variant("ao", [ETHERNET, DEVICE]),
            },
            ETHERNET: {"DeviceType": Variant("u", 1), "Udi": Variant("s", "/sys/eth0")},
            DEVICE: {
                "DeviceType": Variant("u", 8),
                "Udi": Variant("s", self.modem),
                "State": Variant("u", self.device_state[0]),
                "StateReason": Variant("(uu)", list(self.device_state)),
                "IpInterface": Variant("s", "wwan0" if self.device_state[0] == 100 else ""),
                "ActiveConnection": Variant("o", "/" if self.active is None else ACTIVE),
                "Ip4Config": Variant("o", IP4 if self.device_state[0] == 100 else "/"),
                "Ip6Config": Variant("o", "/"),
            },
            ACTIVE: {
                "Connection": Variant("o", self.active or "/"),
                "State": Variant("u", {100: 2, 30: 4, 120: 4}.get(self.device_state[0], 1)),
            },
            IP4: {
                "AddressData": Variant(
                    "aa{sv}", [{"address": Variant("s", ADDRESS), "prefix": Variant("u", 30)}]
                )
            },
        }
        return shown.get(message.path or "", {})

    def _store(self, tree: Tree) -> str:
        self._made += 1
        path = f"{NM_ROOT}/Settings/{self._made}"
        self.stored[path] = tree
        self._on_disk[path] = deepcopy(tree)
        return path

    def _edit(self, path: str, tree: Tree, flags: int) -> None:
        password = self.stored[path].get("gsm", {}).get("password")
        self.edited.append(_uuid(tree))
        self.flags.append(flags)
        self.stored[path] = tree
        if password is not None and "password" not in tree["gsm"]:
            tree["gsm"]["password"] = password  # the stored password is kept if there is no new one
        if flags & TO_DISK:
            self._on_disk[path] = deepcopy(tree)

    def _activate(self, message: Message) -> Message:
        path, device, _ = message.body
        tree = self.stored[path]
        sim = tree["gsm"].get("sim-id")
        if device != DEVICE or (sim is not None and sim.value != self.iccid):
            return Message.new_error(message, f"{NM}.UnknownDevice", "No suitable device found")
        self.activations.append(_uuid(tree))
        self.active, self.applied = path, tree
        self._device_to(40, 0)
        if self.reason is not None:
            self._signal_error()
            self._device_to(120, self.reason)
            self._device_to(30, 0)
        elif not self.hold:
            self._device_to(100, 0)
        return Message.new_method_return(message, "o", [ACTIVE])

    def _signal_error(self) -> None:
        """Signal the bearer's error and delete the bearer immediately, as the real NetworkManager does."""
        if self.connect_error is None:
            return
        changed = {"ConnectionError": Variant("(ss)", [self.connect_error, ""])}
        body = [f"{MM}.Bearer", changed, []]
        path = f"{MM_ROOT}/Bearer/1"
        self.mm.send(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))
        self.bearer = None

    def _device_to(self, state: int, reason: int) -> None:
        before, self.device_state = self.device_state[0], (state, reason)
        # This runs only in the thread of NetworkManager's connection.
        signal = Message.new_signal(DEVICE, f"{NM}.Device", "StateChanged", "uuu", [state, before, reason])
        self.nm._bus.send(signal)


class CardFollows:
    """An applier after whose `apply` the modem is probed again, and its card has the wanted profile."""

    def __init__(self, applier: Applier, gateway: GatewayDouble) -> None:
        self._applier = applier
        self._gateway = gateway
        self.name = applier.name
        self.reconnects = applier.reconnects
        self.signals = applier.signals
        self.prepare = applier.prepare
        self.connect = applier.connect
        self.verify = applier.verify
        self.undo = applier.undo
        self.forget = applier.forget

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        outcome = self._applier.apply(wanted, deadline=deadline)
        if not self._gateway.mute:
            self._gateway.probe(wanted.iccid)
        return outcome

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        return self._applier.look(wanted, deadline=deadline)


def _device(port: str) -> str:
    return os.path.realpath(port).removeprefix("/dev/")


def _uuid(tree: Tree) -> str:
    return str(tree["connection"]["uuid"].value)


def _without_secrets(tree: Tree) -> Tree:
    return {
        name: {key: value for key, value in each.items() if key != "password"} for name, each in tree.items()
    }
