"""The messages of the data service (libqmi, `qmi-service-wds.json`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from lpad.codec.qmi.services import Service, Wds
from lpad.codec.qmi.values import Body, Kind, Parameters

IP_ADDRESS = 1 << 8
"""In `GetCurrentSettings`: the session's address."""
_IPV6_SIZE = 16


class IpFamily(IntEnum):
    """The version of IP; a session for both is two sessions."""

    IPV4 = 4
    IPV6 = 6


class ConnectionStatus(IntEnum):
    """The state of a data session."""

    UNKNOWN = 0
    DISCONNECTED = 1
    CONNECTED = 2
    SUSPENDED = 3
    AUTHENTICATING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SetIpFamily(Body):
    """Choose the version of IP that the client's later requests are about; IPv4 by default."""

    SERVICE, MESSAGE = Service.WDS, Wds.SET_IP_FAMILY
    PARAMETERS: ClassVar[Parameters] = ((0x01, "family", Kind.U8),)
    family: int
    """One of `IpFamily`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPacketServiceStatus(Body):
    """Ask for the state of the session."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_PACKET_SERVICE_STATUS
    PARAMETERS: ClassVar[Parameters] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketServiceStatus(Body):
    """The state of the session."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_PACKET_SERVICE_STATUS
    PARAMETERS: ClassVar[Parameters] = ((0x01, "status", Kind.U8),)
    status: int
    """One of `ConnectionStatus`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCurrentSettings(Body):
    """Ask for settings of the session; refused with OUT_OF_CALL if there is none."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_CURRENT_SETTINGS
    PARAMETERS: ClassVar[Parameters] = ((0x10, "wanted", Kind.U32),)
    wanted: int = IP_ADDRESS
    """A sum of bits; lpad uses `IP_ADDRESS` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSettings(Body):
    """The session's address, as far as lpad reads the settings."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_CURRENT_SETTINGS
    PARAMETERS: ClassVar[Parameters] = ((0x1E, "ipv4", Kind.U32), (0x25, "ipv6", Kind.REST))
    ipv4: int | None = None
    """The address as a number, its first byte highest; 0: none."""
    ipv6: bytes | None = None
    """16 bytes of address and 1 byte with the length of its prefix in bits."""

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """The addresses as text, without those that stand for none; None: no address is reported."""
        found: list[IPv4Address | IPv6Address] = []
        if self.ipv4 is not None:
            found.append(IPv4Address(self.ipv4))
        if self.ipv6 is not None and len(self.ipv6) >= _IPV6_SIZE:
            found.append(IPv6Address(self.ipv6[:_IPV6_SIZE]))
        return tuple(str(each) for each in found if not each.is_unspecified) if found else None
