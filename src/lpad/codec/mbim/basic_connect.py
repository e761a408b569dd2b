"""The information buffers of basic connect, and of Microsoft's extensions of it (MBIM 1.0, 10.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from lpad.codec.mbim.information_buffer import Kind
from lpad.codec.mbim.services import INTERNET

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from uuid import UUID

_Fields = tuple[tuple[str, Kind], ...]


class ReadyState(IntEnum):
    """How far the modem is with its SIM (MBIM 1.0, 10.5.2; the last: MBIMEx)."""

    NOT_INITIALIZED = 0
    INITIALIZED = 1
    SIM_NOT_INSERTED = 2
    BAD_SIM = 3
    FAILURE = 4
    NOT_ACTIVATED = 5
    DEVICE_LOCKED = 6
    """The SIM requires a PIN or PUK."""
    NO_ESIM_PROFILE = 7


class RegisterState(IntEnum):
    """The modem's registration in its network (MBIM 1.0, 10.5.10)."""

    UNKNOWN = 0
    DEREGISTERED = 1
    SEARCHING = 2
    HOME = 3
    ROAMING = 4
    PARTNER = 5
    DENIED = 6


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


class SlotState(IntEnum):
    """The state of a physical slot (MS basic connect extensions, SLOT_INFO_STATUS)."""

    UNKNOWN = 0
    OFF_EMPTY = 1
    OFF = 2
    EMPTY = 3
    NOT_READY = 4
    ACTIVE = 5
    ERROR = 6
    ACTIVE_ESIM = 7
    ACTIVE_ESIM_NO_PROFILES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCaps:
    """The modem's description; `device_id` is its IMEI."""

    FIELDS: ClassVar[_Fields] = (
        ("device_type", Kind.U32),
        ("cellular_class", Kind.U32),
        ("voice_class", Kind.U32),
        ("sim_class", Kind.U32),
        ("data_class", Kind.U32),
        ("sms_caps", Kind.U32),
        ("control_caps", Kind.U32),
        ("max_sessions", Kind.U32),
        ("custom_data_class", Kind.TEXT),
        ("device_id", Kind.TEXT),
        ("firmware", Kind.TEXT),
        ("hardware", Kind.TEXT),
    )
    device_id: str
    firmware: str = ""
    hardware: str = ""
    custom_data_class: str = ""
    device_type: int = 1
    cellular_class: int = 1
    voice_class: int = 1
    sim_class: int = 2
    data_class: int = 0x3F
    sms_caps: int = 0
    control_caps: int = 1
    max_sessions: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberReadyStatus:
    """The SIM that the modem reads."""

    FIELDS: ClassVar[_Fields] = (
        ("ready_state", Kind.U32),
        ("subscriber_id", Kind.TEXT),
        ("sim_iccid", Kind.TEXT),
        ("ready_info", Kind.U32),
        ("telephone_numbers", Kind.TEXTS),
    )
    ready_state: int
    """One of `ReadyState`, or a later version's."""
    subscriber_id: str = ""
    sim_iccid: str = ""
    ready_info: int = 0
    telephone_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioState:
    """Whether the radio is on, by its switch and by the host's wish; 1: on."""

    FIELDS: ClassVar[_Fields] = (("hardware", Kind.U32), ("software", Kind.U32))
    hardware: int
    software: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRadioState:
    """Switches the radio on (1) or off (0)."""

    FIELDS: ClassVar[_Fields] = (("radio", Kind.U32),)
    radio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PinStatus:
    """The lock that the modem asks for."""

    FIELDS: ClassVar[_Fields] = (("pin_type", Kind.U32), ("pin_state", Kind.U32), ("attempts", Kind.U32))
    pin_type: int
    """A key of `PIN_NAMES`, or another number."""
    pin_state: int
    """0: unlocked, 1: locked."""
    attempts: int = 0xFFFFFFFF


PIN_NAMES = {
    2: "SIM PIN",
    4: "PH-SIM PIN",
    5: "PH-FSIM PIN",
    6: "PH-NET PIN",
    7: "PH-NETSUB PIN",
    8: "PH-SP PIN",
    9: "PH-CORP PIN",
    11: "SIM PUK",
    13: "PH-FSIM PUK",
    14: "PH-NET PUK",
    15: "PH-NETSUB PUK",
    16: "PH-SP PUK",
    17: "PH-CORP PUK",
}
"""Locks by their number in MBIM (10.5.4), under their names in AT+CPIN? (3GPP TS 27.007, 8.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStatus:
    """The modem's registration; `network_error` is the cause of a rejection (3GPP TS 24.008), 0: none."""

    FIELDS: ClassVar[_Fields] = (
        ("network_error", Kind.U32),
        ("state", Kind.U32),
        ("mode", Kind.U32),
        ("data_classes", Kind.U32),
        ("cellular_class", Kind.U32),
        ("provider_id", Kind.TEXT),
        ("provider_name", Kind.TEXT),
        ("roaming_text", Kind.TEXT),
        ("flags", Kind.U32),
    )
    state: int
    """One of `RegisterState`."""
    network_error: int = 0
    mode: int = 1
    data_classes: int = 0
    cellular_class: int = 1
    provider_id: str = ""
    provider_name: str = ""
    roaming_text: str = ""
    flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketServiceStatus:
    """Whether the modem is attached."""

    FIELDS: ClassVar[_Fields] = (
        ("network_error", Kind.U32),
        ("state", Kind.U32),
        ("data_class", Kind.U32),
        ("uplink_speed", Kind.U64),
        ("downlink_speed", Kind.U64),
    )
    state: int
    """One of `PacketServiceState`."""
    network_error: int = 0
    data_class: int = 0
    uplink_speed: int = 0
    downlink_speed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPacketService:
    """Attaches the modem (0) or detaches it (1)."""

    FIELDS: ClassVar[_Fields] = (("action", Kind.U32),)
    action: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectStatus:
    """A session's state; to query it, all fields but `session` are ignored."""

    FIELDS: ClassVar[_Fields] = (
        ("session", Kind.U32),
        ("activation", Kind.U32),
        ("voice_call_state", Kind.U32),
        ("ip_type", Kind.U32),
        ("context_type", Kind.UUID),
        ("network_error", Kind.U32),
    )
    session: int = 0
    activation: int = 0
    """One of `ActivationState`."""
    voice_call_state: int = 0
    ip_type: int = 0
    """0: the default, 1: IPv4, 2: IPv6, 3: both in one, 4: both in two."""
    context_type: UUID = INTERNET
    network_error: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Activates a session (1) or deactivates it (0)."""

    FIELDS: ClassVar[_Fields] = (
        ("session", Kind.U32),
        ("activate", Kind.U32),
        ("apn", Kind.TEXT),
        ("user_name", Kind.TEXT),
        ("password", Kind.TEXT),
        ("compression", Kind.U32),
        ("authentication", Kind.U32),
        ("ip_type", Kind.U32),
        ("context_type", Kind.UUID),
    )
    activate: int
    apn: str = ""
    user_name: str = ""
    password: str = ""
    session: int = 0
    compression: int = 0
    authentication: int = 0
    """0: none, 1: PAP, 2: CHAP, 3: MS-CHAPv2."""
    ip_type: int = 0
    context_type: UUID = INTERNET


@dataclass(frozen=True, slots=True, kw_only=True)
class IpConfiguration:
    """A session's addresses. Gateways and name servers follow them in the buffer, and are left out."""

    FIELDS: ClassVar[_Fields] = (
        ("session", Kind.U32),
        ("ipv4_available", Kind.U32),
        ("ipv6_available", Kind.U32),
        ("ipv4", Kind.IPV4_ELEMENTS),
        ("ipv6", Kind.IPV6_ELEMENTS),
        ("ipv4_gateway", Kind.U32),
        ("ipv6_gateway", Kind.U32),
        ("ipv4_dns_count", Kind.U32),
        ("ipv4_dns", Kind.U32),
        ("ipv6_dns_count", Kind.U32),
        ("ipv6_dns", Kind.U32),
        ("ipv4_mtu", Kind.U32),
        ("ipv6_mtu", Kind.U32),
    )
    session: int = 0
    ipv4: tuple[IPv4Address, ...] = ()
    ipv6: tuple[IPv6Address, ...] = ()
    ipv4_available: int = 0
    ipv6_available: int = 0
    ipv4_gateway: int = 0
    ipv6_gateway: int = 0
    ipv4_dns_count: int = 0
    ipv4_dns: int = 0
    ipv6_dns_count: int = 0
    ipv6_dns: int = 0
    ipv4_mtu: int = 0
    ipv6_mtu: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SysCaps:
    """How many slots the modem has, and how many of them it can use at the same time."""

    FIELDS: ClassVar[_Fields] = (
        ("executors", Kind.U32),
        ("slots", Kind.U32),
        ("concurrency", Kind.U32),
        ("modem_id", Kind.U64),
    )
    slots: int
    executors: int = 1
    concurrency: int = 1
    modem_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotMappings:
    """The physical slot of each executor, from 0."""

    FIELDS: ClassVar[_Fields] = (("slots", Kind.NUMBERS),)
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRequest:
    """Asks about a slot, from 0."""

    FIELDS: ClassVar[_Fields] = (("slot", Kind.U32),)
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInfo:
    """The state of a slot."""

    FIELDS: ClassVar[_Fields] = (("slot", Kind.U32), ("state", Kind.U32))
    slot: int
    state: int
    """One of `SlotState`."""
