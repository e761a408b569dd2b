"""The messages of the data service (libqmi, `qmi-service-wds.json`)."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, ClassVar

from lpad.base.frozen import Frozen
from lpad.codec.qmi.message_parameters import U8, U16, U32, Body, Rest, Text
from lpad.codec.qmi.services import Service, Wds

IP_ADDRESS = 1 << 8
"""The bit in `GetCurrentSettings` that requests the session's address."""
ANY_HANDLE = 0xFFFFFFFF
"""The handle in `StopNetwork` for the session that the modem has started on its own."""
_IPV6_SIZE = 16


class IpFamily(IntEnum):
    """The version of IP; a connection with both versions consists of two sessions."""

    IPV4 = 4
    IPV6 = 6


class ConnectionStatus(IntEnum):
    """The state of a data session."""

    UNKNOWN = 0
    DISCONNECTED = 1
    CONNECTED = 2
    SUSPENDED = 3
    AUTHENTICATING = 4


class SetIpFamily(Body):
    """Choose the IP version for the client's later requests; IPv4 by default."""

    SERVICE, MESSAGE = Service.WDS, Wds.SET_IP_FAMILY
    family: Annotated[U8, 0x01]
    """One of `IpFamily`."""


class EndType(IntEnum):
    """The part of the system that has ended or refused a session (libqmi, `qmi-enums-wds.h`)."""

    MOBILE_IP = 1
    INTERNAL = 2
    CALL_MANAGER = 3
    NETWORK = 6
    """The network; `reason` is then its cause (3GPP TS 24.008, 10.5.6.6, and TS 24.301, 9.9.4.4)."""
    PPP = 7
    EHRPD = 8
    IPV6 = 9


class EndReason(IntEnum):
    """The reasons for the end of a session that lpad distinguishes, with QMI's own numbers."""

    UNSPECIFIED = 1
    NO_SERVICE = 3
    AUTHENTICATION_FAILED = 10
    UNKNOWN_APN = 1013
    UNKNOWN_TYPE = 1014
    NOT_SUPPORTED = 1017
    NOT_SUBSCRIBED = 1018


class End(Frozen):
    """Why a session has ended, or was refused."""

    type: U16
    """One of `EndType`."""
    reason: U16
    """The meaning depends on `type`; with the type NETWORK, a cause from 1 to 255."""


class StartNetwork(Body):
    """Start a session for one version of IP; the session ends with the client that has started it."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"user_name", "password"})
    SERVICE, MESSAGE = Service.WDS, Wds.START_NETWORK
    apn: Annotated[Text | None, 0x14] = None
    """The APN; None: the network's default."""
    authentication: Annotated[U8 | None, 0x16] = None
    """The authentication protocol; 0: none, 1: PAP, 2: CHAP."""
    user_name: Annotated[Text | None, 0x17] = None
    password: Annotated[Text | None, 0x18] = None
    family: Annotated[U8 | None, 0x19] = None
    """One of `IpFamily`."""


class NetworkStarted(Body):
    """The started session, or in a failed response the reason for the failure."""

    SERVICE, MESSAGE = Service.WDS, Wds.START_NETWORK
    handle: Annotated[U32 | None, 0x01] = None
    """The handle with which the client that started the session can stop it; None: the start failed."""
    reason: Annotated[U16 | None, 0x10] = None
    """Why there is no session; `EndReason` has the values that lpad distinguishes."""
    end: Annotated[End | None, 0x11] = None
    """The reason in more detail; old firmware does not report it."""


class StopNetwork(Body):
    """Stop a session."""

    SERVICE, MESSAGE = Service.WDS, Wds.STOP_NETWORK
    handle: Annotated[U32, 0x01]
    """The handle from `NetworkStarted`, or `ANY_HANDLE`."""
    no_automatic_start: Annotated[U8 | None, 0x10] = None
    """1: the modem must not start a session on its own again."""


class GetPacketServiceStatus(Body):
    """Ask for the state of the session."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_PACKET_SERVICE_STATUS


class PacketServiceStatus(Body):
    """The state of the session."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_PACKET_SERVICE_STATUS
    status: Annotated[U8, 0x01]
    """One of `ConnectionStatus`."""


class Changed(Frozen):
    """The state of a session after a change."""

    status: U8
    """One of `ConnectionStatus`."""
    reconfigure: U8 = 0
    """1: the session's address has changed."""


class PacketServiceChange(Body):
    """An indication: the client's session has changed."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_PACKET_SERVICE_STATUS
    now: Annotated[Changed, 0x01]
    reason: Annotated[U16 | None, 0x10] = None
    end: Annotated[End | None, 0x11] = None
    family: Annotated[U8 | None, 0x12] = None
    """One of `IpFamily`."""


class GetCurrentSettings(Body):
    """Ask for settings of the session; refused with OUT_OF_CALL if there is no session."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_CURRENT_SETTINGS
    wanted: Annotated[U32, 0x10] = IP_ADDRESS
    """The wanted settings, as a sum of bits; lpad uses only `IP_ADDRESS`."""


class CurrentSettings(Body):
    """The settings of the session, of which lpad reads only the address."""

    SERVICE, MESSAGE = Service.WDS, Wds.GET_CURRENT_SETTINGS
    ipv4: Annotated[U32 | None, 0x1E] = None
    """The address as a number whose most significant byte is the first of the address; 0: no address."""
    ipv6: Annotated[Rest | None, 0x25] = None
    """16 bytes of address and 1 byte with the length of its prefix in bits."""

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """The addresses as text, without unspecified addresses; None if the modem reports no address."""
        found: list[IPv4Address | IPv6Address] = []
        if self.ipv4 is not None:
            found.append(IPv4Address(self.ipv4))
        if self.ipv6 is not None and len(self.ipv6) >= _IPV6_SIZE:
            found.append(IPv6Address(self.ipv6[:_IPV6_SIZE]))
        return tuple(str(each) for each in found if not each.is_unspecified) if found else None
