"""ModemManager's bearers, and the settings that create one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.dbus.call_failures import BusRefused
from lpad.dbus.calls_and_signals import PROPERTIES, Rule
from lpad.dbus.typed_properties import Properties
from lpad.dbus.variant import Variant
from lpad.network.applier_interface import Connection, Sight, State
from lpad.network.modemmanager.error_causes import cause_of, short
from lpad.network.modemmanager.modem import BEARER, NAME
from lpad.network.network_settings import Authentication, IpType

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.dbus.bus import Bus
    from lpad.dbus.calls_and_signals import Signal
    from lpad.network.modemmanager.modem import ManagedModem
    from lpad.network.network_settings import NetworkSettings

_AUTHENTICATION = {Authentication.NONE: 1, Authentication.PAP: 2, Authentication.CHAP: 4}
"""MMBearerAllowedAuth."""
_IP = {IpType.IPV4: 1, IpType.IPV6: 2, IpType.IPV4V6: 4}
"""MMBearerIpFamily."""
_STATIC = 2
"""MMBearerIpMethod: ModemManager knows the address; otherwise the host negotiates it."""
_MOST = 1 << 16


class Bearer(Struct, frozen=True):
    """One observation of a bearer."""

    connected: bool
    interface: str | None
    apn: str | None
    addresses: tuple[str, ...]
    error: str | None
    """The name of the error that ended the connection or the attempt to make it."""


class HeardErrors:
    """The errors of connection attempts as ModemManager signals them.

    NetworkManager deletes or reuses a failed bearer before the bearer's error can be read.
    """

    def __init__(self, bus: Bus, *, deadline: Deadline) -> None:
        """Listen for the errors.

        Raises:
            BusError: see `Bus.listen`.
        """
        self.last: str | None = None
        """The name of the latest error; None without an error."""
        rule = Rule(sender=NAME, interface=PROPERTIES, member="PropertiesChanged", arg0=BEARER)
        bus.listen(rule, self._hear, deadline=deadline)

    def _hear(self, signal: Signal) -> None:
        self.last = _error(Properties(signal.body[1])) or self.last


def connect_settings(settings: NetworkSettings) -> dict[str, Variant]:
    """Return the argument of ModemManager's method Simple.Connect."""
    return _identity(settings, settings.apn) | {"allow-roaming": Variant("b", settings.roaming)}


def initial_settings(settings: NetworkSettings) -> dict[str, Variant] | None:
    """Return the argument of SetInitialEpsBearerSettings; None: keep the settings that the modem has."""
    apn = settings.attach_apn
    return None if apn is None else _identity(settings, apn)


def differs(wanted: dict[str, Variant], found: Properties) -> bool:
    """Return whether a modem's settings differ from the wanted ones; passwords cannot be compared."""
    if found.text("apn") != (wanted["apn"].value or None):
        return True
    if found.text("user") != (wanted["user"].value if "user" in wanted else None):
        return True
    ip = found.number("ip-type", most=_MOST)
    return ip is not None and ip != wanted["ip-type"].value


def read_bearers(bus: Bus, modem: ManagedModem, *, deadline: Deadline) -> list[Bearer]:
    """Return a modem's bearers, the one of the latest attempt last.

    Raises:
        BusError: see `Bus.call`; not for a bearer that no longer exists.
    """
    found = []
    for path in sorted(modem.bearers, key=lambda each: (len(each), each)):
        try:
            read = bus.properties(NAME, path, BEARER, deadline=deadline)
        except BusRefused as refusal:
            if refusal.not_permitted:
                raise
            continue
        found.append(_bearer(read))
    return found


def sight(bearers: list[Bearer]) -> Connection:
    """Return the state of a connection from its bearers."""
    up = next((each for each in reversed(bearers) if each.connected), None)
    if up is not None:
        address = (
            Sight(state=State.UP)
            if up.addresses
            else Sight(told="the user of the interface sets up the address")
        )
        return Connection(
            bearer=Sight(state=State.UP), address=address, addresses=up.addresses, interface=up.interface
        )
    error = next((each.error for each in reversed(bearers) if each.error), None)
    if error is None:
        return Connection(bearer=Sight(state=State.DOWN, told="ModemManager has no connected bearer"))
    return Connection(
        bearer=Sight(
            state=State.DOWN, told=f"the connection attempt failed: {short(error)}", cause=cause_of(error)
        )
    )


def _identity(settings: NetworkSettings, apn: str) -> dict[str, Variant]:
    values: dict[str, Variant] = {
        "apn": Variant("s", apn),
        "ip-type": Variant("u", _IP[settings.ip]),
        "allowed-auth": Variant("u", _AUTHENTICATION[settings.authentication]),
    }
    if settings.username:
        values["user"] = Variant("s", settings.username)
    if settings.password:
        values["password"] = Variant("s", settings.password)
    return values


def _bearer(read: Properties) -> Bearer:
    addresses = tuple(
        address
        for config in (read.table("Ip4Config"), read.table("Ip6Config"))
        if config.number("method", most=_MOST) == _STATIC and (address := config.text("address")) is not None
    )
    return Bearer(
        connected=read.flag("Connected") is True,
        interface=read.text("Interface"),
        apn=read.table("Properties").text("apn"),
        addresses=addresses,
        error=_error(read),
    )


def _error(read: Properties) -> str | None:
    """Return the name in ConnectionError, a pair since ModemManager 1.18; None: there is no error."""
    name = next(iter(read.record("ConnectionError")), None)
    return name if isinstance(name, str) and name else None
