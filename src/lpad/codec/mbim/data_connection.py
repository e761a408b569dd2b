"""The information buffers of the data connection: attaching, sessions and addresses (MBIM 1.0, 10.5)."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from msgspec.structs import replace

from lpad.codec.mbim.information_buffer import (
    U32,
    U64,
    Information,
    Ipv4Addresses,
    Ipv6Addresses,
    Parts,
    Text,
    Uuid,
)
from lpad.codec.mbim.services import INTERNET


class PacketServiceState(IntEnum):
    """Whether the modem is attached (MBIM 1.0, 10.5.11)."""

    UNKNOWN = 0
    ATTACHING = 1
    ATTACHED = 2
    DETACHING = 3
    DETACHED = 4


class ActivationState(IntEnum):
    """The state of a session (MBIM 1.0, 10.5.12)."""

    UNKNOWN = 0
    ACTIVATED = 1
    ACTIVATING = 2
    DEACTIVATED = 3
    DEACTIVATING = 4


class PacketServiceStatus(Information, kw_only=True):
    """Whether the modem is attached; `network_error` is the cause of a rejection, 0: none."""

    network_error: U32 = 0
    state: U32
    """One of `PacketServiceState`."""
    data_class: U32 = 0
    uplink_speed: U64 = 0
    downlink_speed: U64 = 0


class ConnectStatus(Information):
    """A session's state; in a query, all fields but `session` are ignored."""

    session: U32 = 0
    activation: U32 = 0
    """One of `ActivationState`."""
    voice_call_state: U32 = 0
    ip_type: U32 = 0
    """The IP version; 0: the default, 1: IPv4, 2: IPv6, 3: both in one context, 4: both in two contexts."""
    context_type: Uuid = INTERNET
    network_error: U32 = 0


class Connect(Information, kw_only=True):
    """Activates a session (1) or deactivates it (0)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"user_name", "password"})
    session: U32 = 0
    activate: U32
    apn: Text = ""
    user_name: Text = ""
    password: Text = ""
    compression: U32 = 0
    authentication: U32 = 0
    """The authentication protocol; 0: none, 1: PAP, 2: CHAP, 3: MS-CHAPv2."""
    ip_type: U32 = 0
    context_type: Uuid = INTERNET


class IpConfiguration(Information):
    """A session's addresses. The gateways and name servers in the buffer are not decoded."""

    session: U32 = 0
    ipv4_available: U32 = 0
    ipv6_available: U32 = 0
    ipv4: Ipv4Addresses = ()
    ipv6: Ipv6Addresses = ()
    ipv4_gateway: U32 = 0
    ipv6_gateway: U32 = 0
    ipv4_dns_count: U32 = 0
    ipv4_dns: U32 = 0
    ipv6_dns_count: U32 = 0
    ipv6_dns: U32 = 0
    ipv4_mtu: U32 = 0
    ipv6_mtu: U32 = 0


class RoamingControl(IntEnum):
    """The networks in which an LTE attach context is used."""

    HOME = 0
    PARTNER = 1
    NON_PARTNER = 2


class LteAttachOperation(IntEnum):
    """Whether contexts are stored, or the factory's contexts are restored."""

    STORE = 0
    RESTORE_FACTORY = 1


class LteAttachContext(Information):
    """The bearer with which an LTE modem attaches; the offsets count from the start of this structure."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"user_name", "password"})
    ip_type: U32
    """The type of IP addresses, with the values of `Connect`."""
    roaming: U32
    """One of `RoamingControl`."""
    source: U32
    """The origin of the context; 0: admin, 1: user, 2: operator, 3: modem, 4: device."""
    apn: Text = ""
    user_name: Text = ""
    password: Text = ""
    compression: U32 = 0
    authentication: U32 = 0
    """The authentication protocol, with the values of `Connect`."""

    def under(self, roaming: RoamingControl) -> LteAttachContext:
        """Return a copy of this context for the networks of `roaming`."""
        return replace(self, roaming=roaming)


class LteAttachConfigurations(Information):
    """The stored contexts, each an encoded `LteAttachContext` (MBIM_CID_MS_LTE_ATTACH_CONFIG)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"contexts"})
    contexts: Parts


class SetLteAttachConfiguration(Information):
    """Stores one context for each `RoamingControl`, or restores the factory's contexts."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"contexts"})
    operation: U32
    """One of `LteAttachOperation`."""
    contexts: Parts
