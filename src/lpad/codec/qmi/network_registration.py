"""The messages of the network service (libqmi, `qmi-service-nas.json`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from lpad.codec.qmi.message_parameters import Body, Kind, Several, parameter, part
from lpad.codec.qmi.services import Nas, Service

ATTACH, DETACH = 1, 2
"""Actions of `AttachDetach`."""


class RegistrationState(IntEnum):
    """The registration with a network."""

    NOT_REGISTERED = 0
    REGISTERED = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4


class Attached(IntEnum):
    """Whether the modem is attached for data, or for calls."""

    UNKNOWN = 0
    ATTACHED = 1
    DETACHED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSystem:
    """The network that the modem uses."""

    registration: int = field(metadata=part(Kind.U8))
    """One of `RegistrationState`."""
    circuit_switched: int = field(metadata=part(Kind.U8))
    """One of `Attached`."""
    packet_switched: int = field(metadata=part(Kind.U8))
    """One of `Attached`."""
    selected_network: int = field(default=0, metadata=part(Kind.U8))
    """The kind of network; 1: 3GPP."""
    radio_interfaces: tuple[int, ...] = field(default=(), metadata=part(Several(Kind.U8)))
    """The radio technologies; 5: UMTS, 8: LTE, 12: 5G."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetServingSystem(Body):
    """Ask for the registration."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSystemStatus(Body):
    """The registration, as an answer and as an indication."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM
    system: ServingSystem = field(metadata=parameter(0x01, ServingSystem))
    roaming: int | None = field(default=None, metadata=parameter(0x10, Kind.U8))
    """0: roaming, 1: at home; other numbers are kinds of roaming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterIndications(Body):
    """Request or cancel indications of changes of the registration."""

    SERVICE, MESSAGE = Service.NAS, Nas.REGISTER_INDICATIONS
    serving_system: int = field(default=1, metadata=parameter(0x13, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEventReport(Body):
    """Request or cancel reports of rejected registrations."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    rejections: int = field(default=1, metadata=parameter(0x12, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why the network has rejected a registration."""

    domain: int = field(metadata=part(Kind.U8))
    """The rejected domain; 1: calls, 2: data, 3: both."""
    cause: int = field(metadata=part(Kind.U16))
    """The values are those of 3GPP TS 24.008, 10.5.3.6, and TS 24.301, 9.9.3.9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport(Body):
    """An event, as an indication; events other than rejections are not read."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    rejection: Rejection | None = field(default=None, metadata=parameter(0x12, Rejection))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachDetach(Body):
    """Attach for data, or detach."""

    SERVICE, MESSAGE = Service.NAS, Nas.ATTACH_DETACH
    action: int = field(metadata=parameter(0x10, Kind.U8))
