"""The messages of the network service (libqmi, `qmi-service-nas.json`)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from lpad.base.frozen import Frozen
from lpad.codec.qmi.message_parameters import U8, U16, Body
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


class ServingSystem(Frozen):
    """The network that the modem uses."""

    registration: U8
    """One of `RegistrationState`."""
    circuit_switched: U8
    """One of `Attached`."""
    packet_switched: U8
    """One of `Attached`."""
    selected_network: U8 = 0
    """The kind of network; 1: 3GPP."""
    radio_interfaces: tuple[U8, ...] = ()
    """The radio technologies; 5: UMTS, 8: LTE, 12: 5G."""


class GetServingSystem(Body):
    """Ask for the registration."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM


class ServingSystemStatus(Body):
    """The registration, as an answer and as an indication."""

    SERVICE, MESSAGE = Service.NAS, Nas.GET_SERVING_SYSTEM
    system: Annotated[ServingSystem, 0x01]
    roaming: Annotated[U8 | None, 0x10] = None
    """0: roaming, 1: at home; other numbers are kinds of roaming."""


class RegisterIndications(Body):
    """Request or cancel indications of changes of the registration."""

    SERVICE, MESSAGE = Service.NAS, Nas.REGISTER_INDICATIONS
    serving_system: Annotated[U8, 0x13] = 1


class SetEventReport(Body):
    """Request or cancel reports of rejected registrations."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    rejections: Annotated[U8, 0x12] = 1


class Rejection(Frozen):
    """Why the network has rejected a registration."""

    domain: U8
    """The rejected domain; 1: calls, 2: data, 3: both."""
    cause: U16
    """The values are those of 3GPP TS 24.008, 10.5.3.6, and TS 24.301, 9.9.3.9."""


class EventReport(Body):
    """An event, as an indication; events other than rejections are not read."""

    SERVICE, MESSAGE = Service.NAS, Nas.EVENT_REPORT
    rejection: Annotated[Rejection | None, 0x12] = None


class AttachDetach(Body):
    """Attach for data, or detach."""

    SERVICE, MESSAGE = Service.NAS, Nas.ATTACH_DETACH
    action: Annotated[U8, 0x10]
