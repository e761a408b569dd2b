"""The messages of the network service (libqmi, `qmi-service-nas.json`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from lpad.codec.qmi.services import Nas, Service
from lpad.codec.qmi.values import Body, Form, Kind, Parameters, Several

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

    FIELDS: ClassVar[tuple[tuple[str, Form], ...]] = (
        ("registration", Kind.U8),
        ("circuit_switched", Kind.U8),
        ("packet_switched", Kind.U8),
        ("selected_network", Kind.U8),
        ("radio_interfaces", Several(Kind.U8)),
    )
    registration: int
    """One of `RegistrationState`."""
    circuit_switched: int
    """One of `Attached`."""
    packet_switched: int
    """One of `Attached`."""
    selected_network: int = 0
    """1: a 3GPP network."""
    radio_interfaces: tuple[int, ...] = ()
    """5 UMTS, 8 LTE, 12 5G."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetServingSystem(Body):
    """Ask for the registration."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM
    PARAMETERS: ClassVar[Parameters] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSystemStatus(Body):
    """The registration, as an answer and as an indication."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM
    PARAMETERS: ClassVar[Parameters] = ((0x01, "system", ServingSystem), (0x10, "roaming", Kind.U8))
    system: ServingSystem
    roaming: int | None = None
    """0: roaming, 1: at home; other numbers are kinds of roaming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterIndications(Body):
    """Request or cancel indications of changes."""

    SERVICE, MESSAGE = Service.NAS, Nas.REGISTER_INDICATIONS
    PARAMETERS: ClassVar[Parameters] = ((0x13, "serving_system", Kind.U8),)
    serving_system: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEventReport(Body):
    """Request or cancel reports of rejected registrations."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    PARAMETERS: ClassVar[Parameters] = ((0x12, "rejections", Kind.U8),)
    rejections: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why the network has rejected a registration."""

    FIELDS: ClassVar[tuple[tuple[str, Form], ...]] = (("domain", Kind.U8), ("cause", Kind.U16))
    domain: int
    """1: calls, 2: data, 3: both."""
    cause: int
    """As in 3GPP TS 24.008, 10.5.3.6, and TS 24.301, 9.9.3.9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport(Body):
    """An event, as an indication; events other than rejections are not read."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    PARAMETERS: ClassVar[Parameters] = ((0x12, "rejection", Rejection),)
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachDetach(Body):
    """Attach for data, or detach."""

    SERVICE, MESSAGE = Service.NAS, Nas.ATTACH_DETACH
    PARAMETERS: ClassVar[Parameters] = ((0x10, "action", Kind.U8),)
    action: int
