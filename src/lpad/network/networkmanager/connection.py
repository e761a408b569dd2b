"""A profile's network settings as a connection of NetworkManager (nm-settings-dbus, section gsm).

lpad marks its connections with the profile's ICCID in `user.data`, and edits no others.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from lpad.base.frozen import Frozen
from lpad.dbus.typed_properties import Properties
from lpad.dbus.variant import Variant, plain
from lpad.network.network_settings import Authentication, IpType

if TYPE_CHECKING:
    from lpad.network.network_settings import NetworkSettings

ICCID_KEY = "org.lpad.iccid"
EID_KEY = "org.lpad.eid"
"""Keys in user.data: the profile that a connection is for, and its eUICC."""
PRIORITY = 10
"""connection.autoconnect-priority: above 0, the default of other connections."""
LONGEST_APN = 64
"""The maximum number of characters of an APN that NetworkManager accepts."""
INITIAL_BEARER_SINCE = (1, 44)
"""The first version of NetworkManager with gsm.initial-eps-bearer-configure."""

_NAMESPACE = uuid.UUID("c3a7f0f2-6a0b-4f5e-9a70-3d1f1c6a51b7")
_STORED, _NOT_REQUIRED = 0, 4
"""NMSettingSecretFlags. Any other flag makes NetworkManager ask an agent, which a gateway does not have."""
_REFUSED_FOR = {
    Authentication.PAP: ("refuse-eap", "refuse-chap", "refuse-mschap", "refuse-mschapv2"),
    Authentication.CHAP: ("refuse-eap", "refuse-pap"),
}
_OURS: dict[str, tuple[str, ...]] = {
    "gsm": (
        "apn",
        "auto-config",
        "home-only",
        "initial-eps-bearer-apn",
        "initial-eps-bearer-configure",
        "mtu",
        "password",
        "password-flags",
        "pin",
        "pin-flags",
        "sim-id",
        "username",
    ),
    "ppp": ("refuse-chap", "refuse-eap", "refuse-mschap", "refuse-mschapv2", "refuse-pap"),
}
"""The settings that lpad controls; all other settings of lpad's connections, such as a route's metric,
belong to the owner."""

Tree = dict[str, dict[str, Variant]]


class StoredConnection(Frozen):
    """One of NetworkManager's connections."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"tree"})
    path: str
    tree: Tree
    """All settings without secrets, each with its type, so that they can be written back."""

    def section(self, name: str) -> Properties:
        """Return a section's settings; without entries if it is missing."""
        return Properties(self.tree.get(name))

    @property
    def uuid(self) -> str:
        """NetworkManager's identifier of the connection; empty if there is none."""
        return self.section("connection").text("uuid") or ""

    @property
    def label(self) -> str:
        """The connection's readable name."""
        return (self.section("connection").text("id") or self.uuid)[:60]

    @property
    def is_mobile(self) -> bool:
        """Whether the connection is for modems."""
        return self.section("connection").text("type") == "gsm"

    @property
    def iccid(self) -> str | None:
        """The profile for which lpad has made the connection; None if lpad has not made it."""
        return self._mark(ICCID_KEY)

    @property
    def eid(self) -> str | None:
        """The eUICC for which lpad has made the connection; None if lpad has not made it."""
        return self._mark(EID_KEY)

    @property
    def sim_id(self) -> str | None:
        """The only ICCID with which the connection may be used; None for any ICCID."""
        return self.section("gsm").text("sim-id")

    @property
    def autoconnect(self) -> bool:
        """Whether NetworkManager may activate the connection automatically."""
        return self.section("connection").flag("autoconnect") is not False

    @property
    def could_win(self) -> bool:
        """Whether NetworkManager may activate this connection in place of lpad's, for any profile."""
        gsm = self.section("gsm")
        bound = any(gsm.text(name) for name in ("sim-id", "sim-operator-id", "device-id", "device-uid"))
        return self.iccid is None and self.is_mobile and self.autoconnect and not bound

    def _mark(self, key: str) -> str | None:
        return self.section("user").table("data").text(key)


def uuid_for(iccid: str) -> str:
    """Return the UUID of lpad's connection for a profile, which never changes."""
    return str(uuid.uuid5(_NAMESPACE, iccid))


def tree_for(settings: NetworkSettings, *, iccid: str, eid: str, version: tuple[int, int]) -> Tree:
    """Return the connection for a profile's settings."""
    mark = {ICCID_KEY: iccid, EID_KEY: eid}
    return {
        "connection": {
            "id": Variant("s", f"lpad-{iccid[-4:]}"),
            "uuid": Variant("s", uuid_for(iccid)),
            "type": Variant("s", "gsm"),
            "autoconnect": Variant("b", True),
            "autoconnect-priority": Variant("i", PRIORITY),
        },
        "user": {"data": Variant("a{ss}", mark)},
        "gsm": _gsm(settings, iccid, version),
        "ppp": {name: Variant("b", True) for name in _REFUSED_FOR.get(settings.authentication, ())},
        "ipv4": {"method": Variant("s", "disabled" if settings.ip is IpType.IPV6 else "auto")},
        "ipv6": {"method": Variant("s", "disabled" if settings.ip is IpType.IPV4 else "auto")},
    }


def merged(tree: Tree, stored: Tree) -> Tree:
    """Return a stored connection with lpad's settings, and all other settings unchanged."""
    both: Tree = {section: dict(values) for section, values in stored.items()}
    for section, names in _OURS.items():
        for name in names:
            both.get(section, {}).pop(name, None)
    for section, values in tree.items():
        both[section] = both.get(section, {}) | values
    return both


def differences(wanted: Tree, stored: Tree) -> list[str]:
    """Return the names of settings that differ from lpad's; passwords cannot be compared."""
    names = [(section, name) for section, each in _OURS.items() for name in each if name != "password"]
    names += [("ipv4", "method"), ("ipv6", "method")]
    return [
        f"{section}.{name}"
        for section, name in names
        if _value(wanted, section, name) != _value(stored, section, name)
    ]


def with_autoconnect(stored: Tree, *, on: bool) -> Tree:
    """Return a stored connection with `on` as its value of autoconnect."""
    return stored | {"connection": stored.get("connection", {}) | {"autoconnect": Variant("b", on)}}


def _gsm(settings: NetworkSettings, iccid: str, version: tuple[int, int]) -> dict[str, Variant]:
    values = {
        "sim-id": Variant("s", iccid),
        "home-only": Variant("b", not settings.roaming),
        # NetworkManager's lookup by the operator's number would give the APN for the operator's phones
        "auto-config": Variant("b", False),
        "password-flags": Variant("u", _STORED if settings.password else _NOT_REQUIRED),
        "pin-flags": Variant("u", _NOT_REQUIRED),
    }
    if settings.apn:
        values["apn"] = Variant("s", settings.apn)
    if settings.username:
        values["username"] = Variant("s", settings.username)
    if settings.password:
        values["password"] = Variant("s", settings.password)
    if settings.mtu is not None:
        values["mtu"] = Variant("u", settings.mtu)
    if version >= INITIAL_BEARER_SINCE and settings.attach_apn is not None:
        values["initial-eps-bearer-configure"] = Variant("b", True)
        if settings.attach_apn:
            values["initial-eps-bearer-apn"] = Variant("s", settings.attach_apn)
    return values


def _value(tree: Tree, section: str, name: str) -> Any:
    """Return a setting; None for false, 0 or an empty text, the defaults that NetworkManager omits."""
    return plain(tree.get(section, {}).get(name)) or None
